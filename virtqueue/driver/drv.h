/*
 * The reference driver: our own driver's side of a virtqueue.
 *
 * Used by tests, benchmarks, fuzzers and guest-fw alike, so it is freestanding: no libc beyond
 * memcpy/memset, no allocation, all state in the caller's structs. It writes correct rings; a test
 * that wants an incorrect one gets at the ring's parts through drv_vq.split / .packed and writes
 * what it likes.
 *
 * The device may be hostile (a back-end that is not trusted): what it writes is read once, and
 * judged by notes of our own. A used element that names no chain in flight, a length beyond what
 * was writable or an index that jumps breaks the ring (drv_vq.broken), and nothing is taken from it
 * any more.
 *
 * Addresses are guest-physical; the reference driver is handed its memory in one piece (@base is
 * where @gpa is mapped for it), since all a driver touches itself are its rings and tables.
 *
 * Batches are the natural unit, as on the device's side (vq.h):
 *
 *	drv_vq_init(&vq, &cfg);            lay the ring out in memory
 *	...tell the device vq.desc, vq.driver, vq.device, vq.size...
 *	drv_add_batch(&vq, chains, n);     or drv_add() for each
 *	if (drv_publish(&vq)) kick();
 *	drv_used_batch(&vq, done, max);    or drv_used() for each
 *	if (!drv_enable_notify(&vq)) look again;
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtqueue/vring.h"

#ifndef DRV_QUEUE_MAX
#define DRV_QUEUE_MAX 1024u /* entries a reference driver's ring may have */
#endif

struct drv_buf {
	uint64_t gpa;
	uint32_t len;
};

struct drv_config {
	uint16_t size; /* at most DRV_QUEUE_MAX */
	bool packed, event_idx, in_order;
	bool indirect;         /* put each chain of two or more buffers into a table */
	void *base;            /* memory for the ring and the tables, */
	uint64_t gpa;          /* its guest address (4096-aligned) */
	size_t len;            /* and its size: drv_bytes() */
	uint16_t table_max;    /* indirect: most buffers in a chain */
	uint32_t legacy_align; /* split: in one piece, the used ring aligned so, as legacy devices
				  want it (2.7.2); 0: not */
};

struct drv_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	le16 *used_event;  /* behind avail->ring: ours */
	le16 *avail_event; /* behind used->ring: the device's */
	uint16_t free_head, avail_idx, last_used, published;
};

struct drv_packed {
	struct vring_packed_desc *desc;
	struct vring_packed_event *driver, *device;
	uint16_t next_avail, next_used, published; /* places: see VRING_POS_WRAP */
	uint64_t first_rest; /* of the descriptor at published: goes out last */
	uint16_t free_id;
	uint16_t expected; /* used descriptors in the next batch: those of the last one */
};

struct drv_layout; /* drv-impl.h */

struct drv_vq {
	struct drv_config cfg;
	const struct drv_layout *layout;
	uint64_t desc, driver, device; /* guest addresses for the transport's registers */
	uint64_t tables;               /* guest address of the indirect tables */
	uint16_t n_free;               /* ring slots not in use */
	const char *broken;            /* NULL, or the rule that the device broke */
	struct drv_split split;
	struct drv_packed packed;

	/* in_order: a used element that stands for all chains up to its own. */
	bool batch;
	uint16_t batch_id, oldest;
	uint32_t batch_len;

	struct drv_slot {
		void *cookie;
		uint32_t writable; /* bytes */
		uint16_t n;        /* ring slots; 0: no chain in flight begins here */
		uint16_t next;     /* in its chain, or in the free list */
	} slot[DRV_QUEUE_MAX];     /* by head (split) or buffer id (packed) */
};

/* Bytes of memory a ring of this configuration needs, its indirect tables included. */
size_t drv_bytes(const struct drv_config *cfg);

/* How many of these bytes, from the first on, are the ring's own; the tables follow. */
size_t drv_ring_bytes(const struct drv_config *cfg);

/* Lays the ring out and zeroes it; also to begin anew, with &vq->cfg. False if cfg is impossible
 * (size, alignment, memory too small). */
bool drv_vq_init(struct drv_vq *vq, const struct drv_config *cfg);

/* A chain to be added: device-readable, then device-writable buffers. The cookie comes back when it
 * is used. */
struct drv_chain {
	const struct drv_buf *bufs;
	unsigned n_rd, n_wr;
	void *cookie;
	uint16_t head; /* told by drv_add_batch(): the head (split) or buffer id (packed) */
};

/* Adds up to @n chains; returns how many the ring had room for. Not seen by the device before
 * drv_publish(). */
unsigned drv_add_batch(struct drv_vq *vq, struct drv_chain *chains, unsigned n);

/* Adds one chain. Returns its head or buffer id, or -1 if the ring has no room. */
int drv_add(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	    void *cookie);

/* Makes added chains available. True if the device wants a kick for them. */
bool drv_publish(struct drv_vq *vq);

/* 16-31: next_off and next_wrap for VIRTIO_F_NOTIFICATION_DATA, to be or-ed with the queue index.
 */
uint32_t drv_notification_data(const struct drv_vq *vq);

/* A chain that was used. With in_order, the length of one that was skipped is all that was writable
 * of it. */
struct drv_done {
	void *cookie;
	uint32_t len;
};

/* Takes up to @max used chains back. Returns how many; fewer if there are no more, or if the device
 * made no sense (vq->broken says how). */
unsigned drv_used_batch(struct drv_vq *vq, struct drv_done *done, unsigned max);

/* Takes one back; false if there is none. */
bool drv_used(struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len);

/* Tells the device that interrupts are useless for now (a hint), and asks for one at the next used
 * buffer. drv_enable_notify() is false if there is one already. */
void drv_disable_notify(struct drv_vq *vq);
bool drv_enable_notify(struct drv_vq *vq);
