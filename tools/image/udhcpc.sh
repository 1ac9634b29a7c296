#!/bin/sh
# What udhcpc calls with an answer: takes address, route and name server.
# shellcheck disable=SC2154 # udhcpc sets them
case $1 in
deconfig)
	ip addr flush dev "$interface"
	;;
bound | renew)
	ip addr add "$ip/${mask:-24}" dev "$interface"
	[ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface"
	for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
	{ echo "router=${router%% *}"; echo "address=$ip"; echo "dns='$dns'"; } >"/run/dhcp.$interface"
	;;
esac
