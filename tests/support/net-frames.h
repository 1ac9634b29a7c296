/*
 * What the network tests share: frames made by hand, checked by an independent checksum, and a
 * device's end of a backend that only writes down what happens.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/net/net.h"

extern const uint8_t mac_guest[6], mac_host[6], mac_broadcast[6];

/* An Ethernet frame of @len bytes in all, its payload counting up from @seed. Ethertype 0x88b5 (for
 * experiments). */
size_t frame_plain(uint8_t *frame, const uint8_t *dst, size_t len, uint8_t seed);
bool frame_is_plain(const uint8_t *frame, size_t len, uint8_t seed);

struct packet {
	unsigned version;  /* 4 or 6 */
	unsigned protocol; /* 6 or 17 */
	bool vlan;
	uint32_t src, dst; /* IPv4 addresses; of IPv6 ones the last four bytes, */
	uint16_t net6;     /* and the first two: 0 is fd00 */
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint32_t seq, ack;
	const void *payload;
	size_t len;
};

/* Builds it with right lengths and checksums. Returns the frame's length. */
size_t frame_packet(uint8_t *frame, const struct packet *p);

/* Offsets in a frame that frame_packet() built, or in one that came back. */
size_t frame_ip(const uint8_t *frame);        /* of the IP header */
size_t frame_transport(const uint8_t *frame); /* of the TCP or UDP header */

/* True if the lengths and checksums of IP and TCP or UDP are right. */
bool frame_is_right(const uint8_t *frame, size_t len);

/* Replaces the transport checksum by the sum of the pseudo header, as one leaves it to the other
 * side; tells where it is in @off. */
void frame_leave_csum(uint8_t *frame, size_t len, struct net_offload *off);

/*
 * The recorder.
 */
#define REC_FRAMES 64

struct rec {
	struct loop *loop;
	struct net_backend *be;
	bool refuse; /* answer false to frames, as when `frame` is full */
	unsigned n, refused, batches, writable, links, troubles;
	bool up;
	struct rec_frame {
		unsigned channel;
		size_t len;
		struct net_offload off;
		uint8_t *data;
	} frame[REC_FRAMES];
};

/* Opens a backend on a recorder. False with @err. */
bool rec_open(struct rec *r, const struct net_options *opt, struct loop *loop, GError **err);
void rec_close(struct rec *r);
void rec_forget(struct rec *r); /* the frames so far */
int rec_send(struct rec *r, const void *frame, size_t len);

/* Turns the loop until @n frames are there; asserts that it happens within some seconds. */
void rec_await(struct rec *r, unsigned n);
void rec_await_refused(struct rec *r, unsigned n); /* or @n were refused */
void rec_await_link(struct rec *r, bool up);
/* Turns the loop for a moment. */
void rec_wait_idle(struct rec *r);
