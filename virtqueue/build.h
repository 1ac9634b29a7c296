/*
 * Making a chain out of descriptors, for the layouts. They fetch a descriptor, once, and hand its
 * copy to vq_build_add(), which judges it and appends what it means to the chain in the slot.
 *
 * While a chain is made its cursors count: rd.iov is where all its iovecs begin, the readable ones
 * being first, and wr.iov is set at the end.
 *
 * What happens to nearly every descriptor is inline; the rest (buffers that cross regions, chains
 * that outgrow their slot, indirect tables) is in build.c.
 */
#pragma once

#include "virtqueue/vq-impl.h"

/* The buffer's pieces when it is not one that fits in as it is. */
enum vq_fault vq_build_pieces(struct vq_slot *s, uint64_t gpa, uint64_t len, struct vq_cursor *cur);

/* Checks an indirect descriptor's fields; *ret_n is the number of the table's entries. */
enum vq_fault vq_build_table(const struct vq *vq, le64 addr, le32 len, le16 flags, unsigned *ret_n);

/* Copies entry @i of the table at @addr into *ret_desc, 16 bytes. */
void vq_table_entry(const struct vq *vq, le64 addr, unsigned i, void *ret_desc);

static inline struct vq_slot *vq_build_begin(struct vq *vq)
{
	struct vq_slot *s = vq_slot_get(&vq->pool);

	s->c = (struct vq_chain){ .vq = vq, .rd.iov = s->iov };
	s->n_bufs = 0;
	return s;
}

static inline enum vq_fault vq_build_add(struct vq_slot *s, uint64_t gpa, uint32_t len, bool write)
{
	struct vq_cursor *rd = &s->c.rd, *wr = &s->c.wr, *cur = write ? wr : rd;
	const struct vq *vq = s->c.vq;
	unsigned n = rd->n + wr->n;
	void *at;

	if (len == 0)
		return VQ_FAULT_LENGTH;
	if (s->n_bufs++ == vq->max_bufs)
		return VQ_FAULT_LOOP;
	if (!write && wr->n)
		return VQ_FAULT_ORDER;
	cur->left += len;
	if (rd->left + wr->left > 1ull << 32)
		return VQ_FAULT_TOTAL;
	at = gmem_at(vq->mem, gpa, len);
	if (!at || n >= VQ_CHAIN_SHORT)
		return vq_build_pieces(s, gpa, len, cur);
	s->iov[n] = (struct iovec){ .iov_base = at, .iov_len = len };
	cur->n++;
	return VQ_OK;
}

/* The chain is whole and the device's. */
static inline struct vq_chain *vq_build_end(struct vq_slot *s, uint16_t id, uint16_t n_slots)
{
	struct vq_chain *c = &s->c;

	c->wr.iov = c->rd.iov + c->rd.n;
	c->id = id;
	c->n_slots = n_slots;
	s->writable = c->wr.left;
	return c;
}
