/*
 * A descriptor chain, as a device gets it: one request of the driver's, taken off a queue and not
 * yet given back.
 *
 * A device never sees descriptors. It sees two cursors: `rd` over the bytes it may read, `wr` over
 * the bytes it may write; how the driver cut them into descriptors is none of its business (VIRTIO
 * 1.4, 2.7.4 Message Framing). Both are named from the device's side. The addresses were checked
 * when the chain was popped; the contents may change under us at any time, so whatever is judged
 * must be pulled first.
 *
 * A chain belongs to its queue: vq_pop() lends it, vq_push() takes it back, in any order. With it
 * comes room for the device's own state about the request (vq_config.request_size bytes).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct vq;

/* What is left of one direction. Advancing shortens the iovecs in place. */
struct vq_cursor {
	struct iovec *iov;
	unsigned n;  /* iovecs left, the first maybe partly consumed */
	size_t left; /* bytes left */
};

struct vq_chain {
	struct vq *vq;
	struct vq_cursor rd;
	struct vq_cursor wr;
	size_t written; /* bytes surely written from the first writable byte on: the used length */
	uint16_t id;    /* split: index of the head; packed: buffer id */
	uint16_t n_slots; /* ring slots it occupies */
};

/* The device's own room in @c: vq_config.request_size bytes, aligned to 16, zero at first use and
 * whatever the device left in it afterwards. */
void *vq_chain_request(struct vq_chain *c);

/* Copies the next @len readable bytes out. False, and nothing consumed, if there are fewer. */
bool vq_pull(struct vq_chain *c, void *dst, size_t len);

/* Copies up to @len readable bytes out; returns how many. */
size_t vq_pull_some(struct vq_chain *c, void *dst, size_t len);

/* Steps over @len readable bytes. False, and nothing consumed, if there are fewer. */
bool vq_skip(struct vq_chain *c, size_t len);

/* Copies @len bytes into the writable part and counts them as written. False, and nothing
 * consumed, if there is less room. */
bool vq_put(struct vq_chain *c, const void *src, size_t len);

/* Copies as many of @len bytes as there is room for and counts them; returns how many. */
size_t vq_put_some(struct vq_chain *c, const void *src, size_t len);

/* Fills @len writable bytes with zeroes and counts them. False, and nothing consumed, if there is
 * less room. */
bool vq_put_zeroes(struct vq_chain *c, size_t len);

/*
 * For data that goes between the guest and a file descriptor without a copy: the host does the
 * reading or writing on cursor->iov, then the device says what came of it. vq_wrote() steps over
 * @len writable bytes and counts them. vq_skip() does the same on the readable side.
 */
bool vq_wrote(struct vq_chain *c, size_t len);

/*
 * Cuts the last @len bytes off a cursor and sets *ret_last to where they lie, for a trailer that is
 * written when the rest is done (blk's status byte). They must lie in one descriptor: always true
 * of one byte. False, and nothing changed, if they do not or there are fewer.
 */
bool vq_take_last(struct vq_cursor *cur, size_t len, struct iovec *ret_last);

/*
 * Writes a trailer that vq_take_last(&c->wr) set aside; @src has last->iov_len bytes. Counts it as
 * written if all before it was (the cursor is at its end): used lengths have no holes.
 */
void vq_put_last(struct vq_chain *c, const struct iovec *last, const void *src);
