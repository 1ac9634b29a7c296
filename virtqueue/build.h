/*
 * Making a chain out of descriptors, for the layouts. They fetch a descriptor, once, and hand its
 * copy to vq_build_add(), which judges it and appends what it means to the chain's iovecs.
 *
 * What happens to nearly every descriptor is inline; the rest (buffers that cross regions, chains
 * that outgrow their slot, indirect tables) is in build.c.
 */
#pragma once

#include "virtqueue/vq-impl.h"

struct vq_build {
	struct vq *vq;
	struct vq_slot *slot;
	struct iovec *iov;
	unsigned n, cap, n_rd; /* iovecs: filled, room for, readable ones of the filled */
	unsigned bufs;         /* buffers so far */
	uint64_t bytes[2];     /* readable, writable */
};

/* The buffer's pieces when it is not one that fits in as it is. */
enum vq_fault vq_build_pieces(struct vq_build *b, uint64_t gpa, uint64_t len);

/* Checks an indirect descriptor's own fields and address; *ret_n is the table's entries. */
enum vq_fault vq_build_table(const struct vq *vq, const struct vring_desc *d, unsigned *ret_n);

/* Copies entry @i of the table that @d tells of. */
struct vring_desc vq_table_entry(const struct vq *vq, const struct vring_desc *d, unsigned i);

static inline void vq_build_begin(struct vq_build *b, struct vq *vq)
{
	struct vq_slot *s = vq_slot_get(&vq->pool);

	*b = (struct vq_build){ .vq = vq, .slot = s, .iov = s->iov, .cap = VQ_CHAIN_SHORT };
}

static inline enum vq_fault vq_build_add(struct vq_build *b, uint64_t gpa, uint32_t len, bool write)
{
	enum vq_fault fault = VQ_OK;
	void *at;

	if (len == 0)
		return VQ_FAULT_LENGTH;
	if (b->bufs++ == b->vq->max_bufs)
		return VQ_FAULT_LOOP;
	if (!write && b->bytes[1])
		return VQ_FAULT_ORDER;
	b->bytes[write] += len;
	if (b->bytes[0] + b->bytes[1] > 1ull << 32)
		return VQ_FAULT_TOTAL;
	at = gmem_at(b->vq->mem, gpa, len);
	if (at && b->n < b->cap)
		b->iov[b->n++] = (struct iovec){ .iov_base = at, .iov_len = len };
	else
		fault = vq_build_pieces(b, gpa, len);
	if (!write)
		b->n_rd = b->n;
	return fault;
}

/* The chain is whole and the device's. */
static inline struct vq_chain *vq_build_end(struct vq_build *b, uint16_t id, uint16_t n_slots)
{
	struct vq_slot *s = b->slot;

	s->c = (struct vq_chain){
		.vq = b->vq,
		.rd = { .iov = b->iov, .n = b->n_rd, .left = b->bytes[0] },
		.wr = { .iov = b->iov + b->n_rd, .n = b->n - b->n_rd, .left = b->bytes[1] },
		.id = id,
		.n_slots = n_slots,
	};
	s->writable = b->bytes[1];
	s->lent = true;
	return &s->c;
}

/* The chain is broken, or has to wait. */
static inline void vq_build_drop(struct vq_build *b)
{
	vq_slot_put(&b->vq->pool, b->slot);
}
