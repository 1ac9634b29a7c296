# What the system test does inside the guest. init runs it from a disk (run=blk:script) after the
# virtio drivers are loaded, with its functions (argument, devices, transport, disk_by_serial, ...)
# at hand. Each promise is one line, "ok WHAT" or "not ok WHAT". Lines "@WORD" ask the host's half
# (matrix) to do something now.
# shellcheck shell=dash disable=SC2154
. /lib/selftest.sh
want_transport=$(argument t)
options=$(argument modern) || options=
dmesg -n 1

# prove WHAT COMMAND...: the line for it, with the command's output when it fails
prove() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $what"
	else
		echo "not ok $what"
		echo "$out" | head -20 | sed 's/^/# /'
		dmesg | tail -n 60 | grep -A 24 -E 'BUG:|Oops|general protection|WARNING' | sed 's/^/# /'
	fi
}

# tell WORDS: to the host's half, past prove, which keeps what a command says
tell() { echo "@$*" >/dev/console; }

# ---- after the reboot: the last act
after_reboot() {
	echo "ok reboot: the same guest, started again"
	tell powerdown
	sleep 300 # the power button's watcher ends the guest
	echo "not ok power button: no such event in 300 s"
	poweroff -f
}

# ---- what every device must do
on_right_transport() {
	local d bad=0
	for d in /sys/bus/virtio/devices/*; do
		[ "$(transport "${d##*/}")" = "$want_transport" ] || {
			echo "${d##*/} is on $(transport "${d##*/}")"
			bad=1
		}
		[ -e "$d/driver" ] || {
			echo "${d##*/} has no driver"
			bad=1
		}
	done
	return $bad
}

# modern DEVICE: driven by the interface of virtio 1, which its driver accepts VERSION_1 for
modern() { [ "$(cut -c 33 "$1/features")" = 1 ]; }

# negotiated NAME BIT: every modern device runs with that feature if modern=... offers it so, and none if not
negotiated() {
	local d n=0 want=0 all=0
	case ,$options, in
	*"$1"*) want=all ;;
	esac
	[ "$1" != always ] || want=all
	for d in /sys/bus/virtio/devices/*; do
		modern "$d" || continue
		all=$((all + 1))
		[ "$(cut -c $(($2 + 1)) "$d/features")" = 0 ] || n=$((n + 1))
	done
	[ $want = 0 ] || want=$all
	echo "bit $2: on $n of $all devices, not on $want"
	[ $n = $want ]
}

as_many_legacy_devices() {
	local d n=0
	for d in /sys/bus/virtio/devices/*; do
		modern "$d" || n=$((n + 1))
	done
	echo "$n devices are driven by their legacy interface, not $(argument legacy)"
	[ $n = "$(argument legacy)" ]
}

# What Linux takes of what is offered: 6.1 knows no NOTIFICATION_DATA; RING_RESET is for its pci alone, and 5.10 has neither; 7.2 is
# the first to know IN_ORDER.
features_as_offered() {
	local bad=0
	as_many_legacy_devices || bad=1
	negotiated ring=packed 34 || bad=1
	negotiated +access_platform 33 || bad=1
	negotiated +order_platform 36 || bad=1
	case $(uname -r) in
	5.10.* | 6.1.*) negotiated never 38 || bad=1 ;;
	*) negotiated +notification_data 38 || bad=1 ;;
	esac
	case $(uname -r) in
	5.* | 6.*) negotiated never 35 || bad=1 ;;
	*) negotiated +in_order 35 || bad=1 ;;
	esac
	case $want_transport-$(uname -r) in
	mmio-* | pci-5.10.*) negotiated never 40 || bad=1 ;;
	*) negotiated always 40 || bad=1 ;;
	esac
	return $bad
}

quiet_kernel_log() {
	# Priority 4 (warning) and worse. Taints by module signatures are Debian's; speculation is the host's CPU's; 6.12
	# tells of every AMD processor without _CPC objects, and a guest has none: its clock is not its own.
	timeout 2 cat /dev/kmsg >/run/kmsg 2>/dev/null
	[ "$(wc -l </run/kmsg)" -gt 100 ] || return 1
	grep -E '^[0-4],' /run/kmsg | cut -d';' -f2- |
		grep -iE 'acpi|pci|virtio|irq|apic|tsc|e820|serial|BUG|WARN|Call Trace' |
		grep -vE 'taint|Spectre|mitigation|TSC.*unstable|amd_pstate' >/run/complaints
	cat /run/complaints
	[ ! -s /run/complaints ]
}

sum() { sha256sum "$1" | cut -d' ' -f1; }

big_disk() { [ "$(sum "$(disk_by_serial big)")" = "$(argument big)" ]; }

read_only_disk() {
	! dd if=/dev/zero of="$(disk_by_serial big)" bs=4096 count=1 conv=fsync
}

write_and_fsync() {
	head -c 1048576 /dev/urandom >/run/pattern
	dd if=/run/pattern of="$(disk_by_serial scratch)" bs=65536 seek=16 conv=fsync,notrunc &&
		echo 3 >/proc/sys/vm/drop_caches &&
		dd if="$(disk_by_serial scratch)" bs=65536 skip=16 count=16 | cmp - /run/pattern &&
		tell "written $(sum /run/pattern)"
}

ext4() {
	local disk
	disk=$(disk_by_serial ext)
	mkdir -p /mnt/tools /mnt/ext
	mount -t ext4 -o ro "$(disk_by_serial tools)" /mnt/tools &&
		mount --bind /dev /mnt/tools/dev &&
		chroot /mnt/tools /sbin/mkfs.ext4 -q -F "$disk" &&
		mount -t ext4 -o discard "$disk" /mnt/ext &&
		cp -r /bin/busybox /lib/selftest.sh /mnt/ext/ &&
		head -c 4194304 /dev/urandom >/mnt/ext/data && sync &&
		was=$(sum /mnt/ext/data) && rm /mnt/ext/busybox && umount /mnt/ext &&
		chroot /mnt/tools /sbin/e2fsck -f -n "$disk" &&
		mount -t ext4 "$disk" /mnt/ext && [ "$(sum /mnt/ext/data)" = "$was" ] && umount /mnt/ext &&
		umount /mnt/tools/dev && umount /mnt/tools
}

# within SECONDS COMMAND...: it succeeds before they are over
within() {
	local left=$(($1 * 10))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 100000
	done
}

disk_is() { [ "$(cat "/sys/block/$1/size")" = "$2" ]; }

# by block_resize on the host: twice as large, the new end written, smaller again
resized() {
	local disk sectors
	disk=$(disk_by_serial scratch)
	sectors=$(cat "/sys/block/${disk##*/}/size")
	tell "resize $((sectors * 1024))"
	within 20 disk_is "${disk##*/}" $((sectors * 2)) &&
		dd if=/run/pattern of="$disk" bs=512 seek=$((sectors * 2 - 1)) count=1 conv=fsync,notrunc || return 1
	tell "resize $((sectors * 512))"
	within 20 disk_is "${disk##*/}" "$sectors"
}

# interface MAC: the network interface with that address
interface() {
	local i
	for i in /sys/class/net/*; do
		[ "$(cat "$i/address")" = "$1" ] && echo "${i##*/}" && return 0
	done
	return 1
}

dhcp() { interface_up "$(interface 52:54:00:00:00:01)"; }

fetch() { wget -q -O /run/fetched "$1" && [ "$(sum /run/fetched)" = "$(argument web)" ]; }

carrier_is() { [ "$(cat "/sys/class/net/$1/carrier")" = "$2" ]; }

# by set_link on the host: down and up again
link_follows() {
	local i
	i=$(interface 52:54:00:00:00:01)
	carrier_is "$i" 1 && tell "link false" && within 20 carrier_is "$i" 0 && tell "link true" && within 20 carrier_is "$i" 1
}

dns_names_its_server() { grep -q 10.0.2.3 /etc/resolv.conf; }

serve_http() {
	mkdir -p /run/www && mv /run/fetched /run/www/file && httpd -p 80 -h /run/www
}

tap_up() {
	local i
	i=$(interface 52:54:00:00:00:02)
	ip addr add 10.77.0.2/24 dev "$i" && ip link set "$i" up && ping -c 3 -A -W 5 10.77.0.1
}

echo_console() {
	local port
	port=$(port_by_name org.ringside.echo) || return 1
	head -c 1048576 /dev/urandom >/run/sent
	stty raw -echo <"$port" 2>/dev/null
	exec 4<>"$port"
	head -c 1048576 <&4 >/run/back &
	cat /run/sent >&4 && wait $! && exec 4>&- && cmp /run/sent /run/back
}

named_port() {
	local port
	port=$(port_by_name org.ringside.log) && echo "hello from $(uname -r)" >"$port"
}

# reads N events of an input device after asking the host for them: "type code value" lines
events() {
	local reader status
	evread "$(input_by_name "$1")" "$2" 120 >/run/events &
	reader=$!
	sleep 1
	tell "input $3"
	wait $reader
	status=$?
	cat /run/events
	return $status
}

keyboard() {
	events "ringside keyboard" 4 keyboard || return 1
	# KEY_A down and up, each with its SYN_REPORT
	[ "$(tr '\n' ' ' </run/events)" = "1 30 1 0 0 0 1 30 0 0 0 0 " ]
}

tablet() {
	events "ringside tablet" 3 tablet || return 1
	grep -q '^3 0 ' /run/events && grep -q '^3 1 ' /run/events && grep -q '^0 0 0$' /run/events
}

multitouch() {
	events "ringside multitouch" 4 multitouch || return 1 # the slot is 0 already: its event is the kernel's to drop
	grep -q '^3 57 ' /run/events && grep -q '^3 53 ' /run/events && grep -q '^3 54 ' /run/events
}

rng() {
	grep -q virtio /sys/class/misc/hw_random/rng_current &&
		head -c 4096 /dev/hwrng >/run/a && head -c 4096 /dev/hwrng >/run/b && ! cmp -s /run/a /run/b
}

# Every virtio PCI function away and back again
remove_and_rescan() {
	local before after d
	before=$(ls /sys/bus/virtio/devices | wc -l)
	for d in /sys/bus/virtio/devices/*; do
		[ -e "$d" ] && echo 1 >"$(readlink -f "$d/..")/remove"
	done
	[ "$(ls /sys/bus/virtio/devices | wc -l)" = 0 ] || return 1
	echo 1 >/sys/bus/pci/rescan
	sleep 1
	after=$(ls /sys/bus/virtio/devices | wc -l)
	echo "$before before, $after after"
	[ "$before" = "$after" ]
}

# unbind_and_bind DRIVER TIMES: of its last device. Two races of Linux 6.1 are kept out of it:
#  - when the last rng goes, hwrng_unregister() may stop a thread that has ended by itself: there are two;
#  - a console that goes while a control message of its own is under way frees what it never
#    allocated (__send_control_msg() gives up on the broken queue, remove_vqs() finds the message):
#    so it is let come up first.
unbind_and_bind() {
	local device drv=/sys/bus/virtio/drivers/$1 i=0
	device=$(devices "$1" | tail -n 1)
	[ -n "$device" ] || return 1
	while [ $i -lt "$2" ]; do
		echo "$device" >"$drv/unbind" && echo "$device" >"$drv/bind" && [ -e "$drv/$device" ] || {
			echo "time $i"
			return 1
		}
		[ "$1" != virtio_console ] || { port_by_name org.ringside.log >/dev/null && usleep 30000; }
		i=$((i + 1))
	done
}

cpus_are_all_there() { [ "$(nproc)" = "$(argument cpus)" ]; }

if dd if="$(disk_by_serial scratch)" bs=16 count=1 2>/dev/null | grep -q ringside-again; then
	after_reboot
fi
prove "all $(argument cpus) CPUs are up" cpus_are_all_there
prove "every virtio device is on $want_transport and has its driver" on_right_transport
prove "features are negotiated as offered: ${options:-the usual}, $(argument legacy) legacy devices" features_as_offered
prove "no complaint in the kernel's log" quiet_kernel_log
prove "blk: 64 MiB read, sha256 as on the host" big_disk
prove "blk: a read-only disk takes no write" read_only_disk
prove "blk: 1 MiB written, fsynced, read back" write_and_fsync
prove "blk: resized by the host, the driver sees it" resized
prove "blk: ext4 made, mounted, filled, trimmed, checked" ext4
prove "net: DHCP over user networking" dhcp
prove "net: DHCP names the DNS server" dns_names_its_server
prove "net: 16 MiB by HTTP from the host, sha256 right" fetch http://10.0.2.2:8077/file
prove "net: the link taken down by the host, the driver sees it" link_follows
prove "net: a web server in the guest" serve_http
tell fetch http://127.0.0.1:8078/file
prove "tap: ping to the host" tap_up
prove "tap: 16 MiB by HTTP from the host, sha256 right" fetch http://10.77.0.1:8077/file
mv /run/fetched /run/www/file
tell fetch http://10.77.0.2:80/file
prove "console: 1 MiB echoed through virtio-console without loss" echo_console
prove "console: a port by its name" named_port
prove "input: keys arrive in /dev/input" keyboard
prove "input: pointer events arrive in /dev/input" tablet
prove "input: multitouch events arrive in /dev/input" multitouch
prove "rng: /dev/hwrng is virtio's and differs from read to read" rng
killall httpd 2>/dev/null
umount -a -t ext4 2>/dev/null
for driver in virtio_net virtio_console virtio_input virtio_rng virtio_blk; do
	prove "$driver: unbound and bound 100 times" unbind_and_bind $driver 100
done
[ "$want_transport" != pci ] || prove "pci: all devices removed and rescanned" remove_and_rescan
prove "blk: reads the same after all that" big_disk
printf 'ringside-again\n' | dd of="$(disk_by_serial scratch)" bs=16 count=1 conv=fsync,notrunc 2>/dev/null
reboot -f
