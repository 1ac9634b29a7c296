/*
 * What libslirp keeps for a guest, counted: its sockets, and the TCP segments that came out of
 * order.
 *
 * libslirp tells when it opens a socket and when it closes one (register_poll_fd). The packet that
 * made it open one names the flow: guest's address and port, for TCP the peer's, too. So each
 * descriptor is known, and which of the guest's packets need a new one: beyond `max` they are
 * dropped, as on a path that is congested.
 *
 * Segments out of order wait in libslirp until those before them have come, each in a buffer of the
 * network's MTU, if it carries a single byte. What it has acknowledged is seen in what it sends to
 * the guest. A segment that begins there, or before, is not kept; any other is counted until all up
 * to its end is acknowledged, or the connection is gone, and those that would be too many are
 * dropped: TCP sends them again.
 *
 * All bounds together are NET_FLOW_SOCKET for each socket, and NET_FLOW_HELD.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/net/user/packet.h"

#define NET_FLOWS_MAX 1024u
/* two buffers of 128 KiB, and the packet that opened it */
#define NET_FLOW_SOCKET    ((size_t)272 << 10)
#define NET_FLOW_HELD      ((size_t)16 << 20) /* bytes of segments out of order, of all flows */
#define NET_FLOW_HELD_EACH 512u               /* segments of one */

struct net_flow_key {
	uint8_t version, protocol;
	uint16_t guest_port, peer_port; /* peer: 0 for UDP, whose sockets talk to anyone */
	uint8_t guest[16], peer[16];
};

struct net_flow {
	int fd;
	struct net_flow_key key; /* version 0: ICMP, found by nothing but its descriptor */
	unsigned version;        /* of the guest's address, which is at mac */
	uint8_t guest[16], mac[6];
	bool from_host; /* TCP that the host began */
	bool heard;     /* the guest has sent something: mac is known */
	/* TCP: what libslirp said last. */
	bool began, acked;
	uint32_t seq, ack; /* where its next data begins; where the guest's does */

	unsigned n_held;
	size_t held;       /* bytes */
	uint32_t held_end; /* when this is acknowledged, none is held */
};

struct net_flows {
	GHashTable *by_fd; /* owns them */
	GHashTable *by_key;
	unsigned max;        /* sockets */
	unsigned n_datagram; /* of those that are there: not TCP */
	size_t buffer;       /* bytes of one of libslirp's packet buffers, at least */
	size_t held;         /* of all flows */
	GArray *listening;   /* of struct net_flow_key: datagrams from there need no new socket */
	const struct net_packet *opening; /* what the next socket will be for */
};

/* @mtu: the network's. */
void net_flows_init(struct net_flows *f, unsigned max, unsigned mtu);
void net_flows_free(struct net_flows *f);

unsigned net_flows_count(const struct net_flows *f);
bool net_flows_full(const struct net_flows *f);

/*
 * Judges a guest's packet. False: dropped. *ret_bytes: how much libslirp may come to keep for it.
 * Until net_flows_admitted(), @p may be what a socket is opened for.
 */
bool net_flows_admit(struct net_flows *f, const struct net_packet *p, size_t *ret_bytes);
void net_flows_admitted(struct net_flows *f);

/* libslirp's socket @fd was opened: for the packet that was admitted last, or for a peer of @key
 * (NULL: not). */
void net_flows_opened(struct net_flows *f, int fd, const struct net_flow_key *key);
void net_flows_closed(struct net_flows *f, int fd);
/* NULL: none of the guest's. */
struct net_flow *net_flows_of(const struct net_flows *f, int fd);

/* A packet to the guest. */
void net_flows_sent(struct net_flows *f, const struct net_packet *p);

/* The segment by which the guest would reset a TCP connection; false if none would be taken. */
bool net_flow_reset(const struct net_flow *flow, struct net_packet *ret);
