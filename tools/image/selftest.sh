# Shell functions of the guest: what init, the self-tests and scripts from outside (run=blk:...) share.
# shellcheck shell=dash disable=SC2154
#
# Words on the kernel's command line that self-tests heed:
#   expect=pci,mmio     every tested type must be there on each of these transports
#   sha256.SERIAL=HEX   what the disk with that serial must read as
#   fetch=URL sha256.fetch=HEX   a file to fetch over each network interface, and its sum

# argument NAME: the value of NAME=value on the kernel's command line; false if it is not there
argument() {
	local word
	for word in $(cat /proc/cmdline); do
		case $word in
		"$1"=*)
			echo "${word#*=}"
			return 0
			;;
		esac
	done
	return 1
}

# ---- devices. A device is named as Linux does: virtio0, virtio1, ...

# devices DRIVER: the devices that driver has, in order
devices() {
	local d
	for d in /sys/bus/virtio/drivers/"$1"/virtio*; do
		[ -e "$d" ] && echo "${d##*/virtio}"
	done | sort -n | sed 's/^/virtio/'
}

# transport DEVICE: pci or mmio
transport() {
	case $(readlink -f "/sys/bus/virtio/devices/$1/../subsystem") in
	*/pci) echo pci ;;
	*/platform) echo mmio ;;
	*) echo unknown ;;
	esac
}

# child DEVICE CLASS: the first thing of that class that hangs on it (block: vda, net: eth0, input: input3)
child() {
	local c
	for c in "/sys/bus/virtio/devices/$1/$2"/*; do
		[ -e "$c" ] && echo "${c##*/}" && return 0
	done
	return 1
}

# disk_by_serial SERIAL: /dev/vdX
disk_by_serial() {
	local f
	for f in /sys/block/vd*/serial; do
		[ -e "$f" ] && [ "$(cat "$f")" = "$1" ] && f=${f%/serial} && echo "/dev/${f##*/}" && return 0
	done
	return 1
}

# port_by_name NAME: /dev/vportNpM. Ports come by messages after the driver is there: waits up to 5 s.
port_by_name() {
	local f try=0
	while [ $try -lt 50 ]; do
		for f in /sys/class/virtio-ports/*/name; do
			[ -e "$f" ] && [ "$(cat "$f")" = "$1" ] && f=${f%/name} && echo "/dev/${f##*/}" && return 0
		done
		try=$((try + 1))
		usleep 100000
	done
	return 1
}

# input_by_name NAME: /dev/input/eventN
input_by_name() {
	local f
	for f in /sys/class/input/event*/device/name; do
		[ -e "$f" ] && [ "$(cat "$f")" = "$1" ] && f=${f%/device/name} && echo "/dev/input/${f##*/}" && return 0
	done
	return 1
}

# interface_up INTERFACE: an address by DHCP
interface_up() {
	ip link set "$1" up && udhcpc -i "$1" -n -q -f -t 8 -T 1 -A 1 -s /lib/udhcpc.sh >/dev/null 2>&1
}

# ---- init's parts

# The power button ends the guest, as an operating system would.
mark_power_button() {
	local f
	for f in /sys/class/input/event*/device/name; do
		if [ -e "$f" ] && [ "$(cat "$f")" = "Power Button" ]; then
			f=${f%/device/name}
			(evkey "/dev/input/${f##*/}" 116 && echo "power button" >/dev/console && sync && poweroff -f) </dev/null &
			return
		fi
	done
}

# describe DEVICE: one line for people
describe() {
	local d=/sys/bus/virtio/devices/$1 driver what c
	driver=$(basename "$(readlink "$d/driver")")
	case $driver in
	virtio_blk)
		c=$(child "$1" block)
		what="/dev/$c, $(($(cat "/sys/block/$c/size") / 2048)) MiB, serial '$(cat "/sys/block/$c/serial")'"
		;;
	virtio_net) c=$(child "$1" net) && what="$c, $(cat "/sys/class/net/$c/address")" ;;
	virtio_input) c=$(child "$1" input) && what=$(cat "$d/input/$c/name") ;;
	virtio_console) what=$(cat "$d"/virtio-ports/*/name 2>/dev/null | tr '\n' ' ') ;;
	esac
	echo "  $1 on $(transport "$1"): ${driver#virtio_} $what"
}

welcome() {
	local d
	echo
	echo "Linux $(uname -r), $(nproc) CPU, $(free -m | awk '/Mem:/ { print $2 }') MiB"
	for d in $(cd /sys/bus/virtio/devices && echo virtio* | tr ' ' '\n' | sort -t o -k 3 -n); do
		[ -e "/sys/bus/virtio/devices/$d" ] && describe "$d"
	done
	echo "Self-tests: run_selftests all    Leave: exit, or Ctrl-D"
	echo
}

# run_script blk:SERIAL
run_script() {
	local disk status
	disk=$(disk_by_serial "${1#blk:}") || {
		echo "run: there is no disk with serial '${1#blk:}'"
		return
	}
	tr -d '\000' <"$disk" >/run/script
	: >/run/results
	name=run sh -c '. /lib/selftest.sh; . /run/script'
	status=$?
	echo "run: exit status $status"
}

# ---- self-tests

# Each prints its lines by these two. They count in a file, since tests run in shells of their own.
ok() {
	echo "ok $name: $*"
	echo ok >>/run/results
}
not_ok() {
	echo "not ok $name: $*"
	echo not >>/run/results
}

# check_presence DRIVER: that the type is there as often as the command line says
check_presence() {
	local want d found
	[ -n "$(devices "$1")" ] || not_ok "${1#virtio_} device: none found"
	for want in $(argument expect | tr , ' '); do
		found=no
		for d in $(devices "$1"); do
			[ "$(transport "$d")" != "$want" ] || found=yes
		done
		[ $found = yes ] || not_ok "${1#virtio_} device on $want: none found"
	done
}

# each_device DRIVER FUNCTION: calls it with the device, and how to name that in a line
each_device() {
	local d
	check_presence "$1"
	for d in $(devices "$1"); do
		"$2" "$d" "$d on $(transport "$d")"
	done
}

# run_selftests NAME[,NAME...]
run_selftests() {
	local name names good bad
	names=$(echo "$1" | tr , ' ')
	[ "$names" != all ] || names=$(ls /selftest)
	dmesg -n 4 # so that no kernel message falls into a line of ours; errors still may
	: >/run/results
	for name in $names; do
		if [ -e "/selftest/$name" ]; then
			# shellcheck disable=SC1090
			(. "/selftest/$name")
		else
			not_ok "no such self-test; there are: $(ls /selftest | tr '\n' ' ')"
		fi
	done
	good=$(grep -c '^ok' /run/results)
	bad=$(grep -c '^not' /run/results)
	echo "selftest: $good ok, $bad not ok"
	[ "$bad" = 0 ]
}
