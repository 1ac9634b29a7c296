/*
 * The network device on a tap with four queues, whose host's end is the test: one receive buffer
 * that each queue has, queues that come and go, and frames with work left undone on them. In a
 * network of the test's own (tests/support/net-own.h), in which main() makes the tap INBOX_TAP with
 * IFF_MULTI_QUEUE.
 */
#pragma once

#include "tests/support/net-peer.h"

#define INBOX_PAIRS 4u
#define INBOX_TAP   "rs0"
#define INBOX_SPEC  "net,backend=tap,ifname=rs0,queue-pairs=4,mac=52:54:00:01:02:03"
#define INBOX_CTRL  (2 * INBOX_PAIRS) /* the control queue, with VIRTIO_NET_F_MQ */

struct inbox {
	struct rig *r;
	int host;
	unsigned down; /* bits of the queues that are reset */
	struct rig_buf buf[INBOX_PAIRS];
	struct rig_req *req[INBOX_PAIRS];
};

/* The tap is up, and the host's end open; the device as it is. */
struct inbox inbox_open(struct rig *r);
/* rig_start(RIG_ALL), then @pairs queue pairs in use. */
void inbox_start(struct inbox *in, uint16_t pairs);
void inbox_forget(struct inbox *in); /* after a reset of the device */
void inbox_close(struct inbox *in);

/* VQ_PAIRS_SET on queue @q; its ack. */
uint8_t inbox_set_pairs(struct rig *r, unsigned q, uint16_t pairs);

/* Receive queue @k is reset, and back. */
void inbox_take_away(struct inbox *in, unsigned k);
void inbox_give_back(struct inbox *in, unsigned k);

/* The host sends a frame_plain(). */
void inbox_send(const struct inbox *in, uint8_t seed);

/* The next frame that @is: on which queue; it is in *ret, behind its header, until the next call.
 * All others, such as the kernel's own (IPv6), are passed over. */
struct inbox_frame {
	const struct net_header *h;
	const uint8_t *data;
	size_t len;
};
unsigned inbox_next(struct inbox *in, bool (*is)(const struct inbox_frame *f, unsigned arg),
		    unsigned arg, struct inbox_frame *ret);

/* The next frame_plain(): on which queue, and which. */
unsigned inbox_next_plain(struct inbox *in, uint8_t *ret_seed);

/* Sends one, and it is the next; on which queue? The kernel chooses by a hash of its own. */
unsigned inbox_receive(struct inbox *in, uint8_t seed);

/* The host sends a frame of @version (4, 6) with work left undone, as its own TCP would. */
void inbox_inject(unsigned version, const struct net_header *h, const uint8_t *frame, size_t len);
