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

/* An indirect table. */
struct vq_table {
	uint64_t gpa;
	const uint8_t *at; /* NULL if it crosses from one region into another */
	unsigned n;        /* entries */
};

/* Checks the descriptor that tells of a table. */
enum vq_fault vq_build_table(struct vq *vq, struct vq_desc d, struct vq_table *ret_table);

/* Two words of entry @i of a table that crosses regions. */
void vq_table_read(const struct vq *vq, const struct vq_table *table, unsigned i,
		   le64 ret_words[2]);

/* Copies entry @i, which need not be aligned. */
static inline struct vq_desc vq_table_entry(const struct vq *vq, const struct vq_table *table,
					    unsigned i)
{
	le64 words[2];

	if (table->at)
		memcpy(words, table->at + sizeof(words) * i, sizeof(words));
	else
		vq_table_read(vq, table, i, words);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* the copy, from here on */
	return vq_desc_of(vq->packed, words[0], words[1]);
}

/*
 * The short way, for what most rings are full of: chains of one direct descriptor whose buffer lies
 * in the region where the last one was. A layout takes a run of them, out of slots that were in use
 * before: the free slots are counted at its end. What is not so simple (it may be wrong) ends the
 * run and goes the long way, which tells.
 */
static inline bool vq_is_single(const struct gmem_region *region, struct vq_desc d)
{
	return d.len != 0 && gmem_region_has(region, d.addr, d.len);
}

/* Makes a chain of @d alone: vq_is_single(). */
static inline __attribute__((__always_inline__)) struct vq_chain *vq_build_single(
	struct vq *vq, struct vq_slot *s, const struct gmem_region *region, struct vq_desc d,
	uint16_t id)
{
	void *at = gmem_region_at(region, d.addr, d.len);

	s->c.vq = vq;
	s->c.rd.iov = s->c.wr.iov = s->iov;
	s->c.written = 0;
	s->c.id = id;
	s->c.n_slots = 1;
	if (d.flags & VRING_DESC_F_WRITE) {
		s->c.rd.n = 0;
		s->c.rd.left = 0;
		s->c.wr.n = 1;
		s->c.wr.left = s->writable = d.len;
	} else {
		s->c.rd.n = 1;
		s->c.rd.left = d.len;
		s->c.wr.n = 0;
		s->c.wr.left = s->writable = 0;
		vq->bytes_read += d.len;
	}
	s->iov[0].iov_base = at;
	s->iov[0].iov_len = d.len;
	return &s->c;
}

static inline struct vq_slot *vq_build_begin(struct vq *vq)
{
	struct vq_slot *s = vq_slot_get(&vq->pool);

	s->c = (struct vq_chain){ .vq = vq, .rd.iov = s->iov };
	s->n_bufs = 0;
	return s;
}

static inline enum vq_fault vq_build_add(struct vq_slot *s, struct vq_desc d)
{
	bool write = d.flags & VRING_DESC_F_WRITE;
	struct vq_cursor *rd = &s->c.rd, *wr = &s->c.wr, *cur = write ? wr : rd;
	const struct vq *vq = s->c.vq;
	unsigned n = rd->n + wr->n;
	void *at;

	if (d.len == 0)
		return VQ_FAULT_LENGTH;
	if (s->n_bufs++ == vq->max_bufs)
		return VQ_FAULT_LOOP;
	if (!write && wr->n)
		return VQ_FAULT_ORDER;
	cur->left += d.len;
	if (rd->left + wr->left > 1ull << 32)
		return VQ_FAULT_TOTAL;
	at = gmem_region_at(vq->last_region, d.addr, d.len);
	if (!at || n >= VQ_CHAIN_SHORT)
		return vq_build_pieces(s, d.addr, d.len, cur);
	s->iov[n] = (struct iovec){ .iov_base = at, .iov_len = d.len };
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
	s->writable = c->wr.left < UINT32_MAX ? c->wr.left : UINT32_MAX;
	c->vq->bytes_read += c->rd.left;
	return c;
}
