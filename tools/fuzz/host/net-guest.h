/*
 * A guest on a user network that means harm: packets with right lengths and checksums, by the
 * thousand. Random bytes hardly ever make a connection.
 */
#pragma once

#include "devices/backend/net/net.h"
#include "tools/fuzz/language/input.h"

#define NET_GUEST_FLOWS 16u

struct net_guest {
	struct net_guest_flow {
		bool open;
		uint32_t seq, ack; /* of the guest's next byte; of libslirp's */
	} flow[NET_GUEST_FLOWS];
	unsigned last;  /* flow that was asked to connect */
	unsigned large; /* floods so far, of those that take long */
	uint8_t *frame; /* NET_FRAME_MAX */
};

/* What a packet is, in a flood. */
enum {
	FLOOD_SEGMENT,
	FLOOD_SYN,
	FLOOD_DATAGRAM,
	FLOOD_FRAGMENT,
	FLOOD_ECHO,
	FLOOD_DHCP,
	FLOOD_ARP,
	N_FLOODS
};

typedef void (*net_guest_send_fn)(void *arg, uint8_t *frame, size_t len);

void net_guest_init(struct net_guest *g);
void net_guest_free(struct net_guest *g);

/* A connection to the host, of flow @n. IPv6: odd flows. */
void net_guest_syn(struct net_guest *g, unsigned n, net_guest_send_fn send, void *arg);
void net_guest_ack(struct net_guest *g, unsigned n, net_guest_send_fn send, void *arg);

/* What arrived. */
void net_guest_saw(struct net_guest *g, const uint8_t *frame, size_t len);

/* Many packets, as @in says: kind, flow (small: the last that connected), how many, where the first
 * one is and how far the next, how long they are, flags. */
void net_guest_flood(struct net_guest *g, struct input *in, net_guest_send_fn send, void *arg);
