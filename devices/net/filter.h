/*
 * Which received frames are for this guest (VIRTIO 1.4, 5.1.6.5.1 to 5.1.6.5.3): the receive
 * modes, the table of addresses and the table of VLANs, as the control queue sets them.
 *
 * A driver that did not accept VIRTIO_NET_F_CTRL_RX cannot say what it wants, so it gets everything
 * but what it suppresses by the commands of VIRTIO_NET_F_CTRL_RX_EXTRA; one that did not accept
 * VIRTIO_NET_F_CTRL_VLAN gets all tagged frames. Promiscuous mode lets everything through, tagged
 * frames of any VLAN, too (DEV-NET-RXFILT-02, against DEV-NET-VLAN-03).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FILTER_MACS 64u
#define NET_VLANS       4096u

struct net_filter {
	bool by_address, by_vlan; /* CTRL_RX and CTRL_VLAN were negotiated */
	bool has_mac; /* false: the guest uses an address that we were not told, so all unicast
			 passes */
	uint8_t mac[6];

	/* The modes, in the order of their commands. */
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;

	/* Further addresses. When there are too many, all of that kind pass. */
	unsigned n_macs;
	bool many_uni, many_multi;
	uint8_t macs[NET_FILTER_MACS][6];

	uint8_t vlans[NET_VLANS / 8];
};

/* All modes and tables off, @mac the guest's own; NULL: not known. */
void net_filter_init(struct net_filter *f, const uint8_t *mac, bool by_address, bool by_vlan);

void net_filter_own(struct net_filter *f, const uint8_t mac[6]); /* the guest's own is @mac now */

/* @frame has at least an Ethernet header. */
bool net_filter_pass(const struct net_filter *f, const uint8_t *frame, size_t len);

void net_filter_vlan(struct net_filter *f, unsigned id, bool on); /* @id below NET_VLANS */
