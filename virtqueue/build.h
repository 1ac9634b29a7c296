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
 * Nearly all chains of one buffer: it lies where the one before it did. NULL if this one does not, or
 * is wrong; then it must be made the long way, which tells.
 */
static inline struct vq_chain *vq_build_one(struct vq *vq, struct vq_desc d, uint16_t id)
{
	bool write = d.flags & VRING_DESC_F_WRITE;
	struct vq_slot *s;

	if (d.len == 0 || !gmem_region_has(vq->hot, d.addr, d.len))
		return NULL;
	s = vq_slot_get(&vq->pool);
	s->c.vq = vq;
	s->c.rd = (struct vq_cursor){ .iov = s->iov, .n = !write, .left = write ? 0 : d.len };
	s->c.wr = (struct vq_cursor){ .iov = s->iov, .n = write, .left = write ? d.len : 0 };
	s->c.written = 0;
	s->c.id = id;
	s->c.n_slots = 1;
	s->writable = write ? d.len : 0;
	s->iov[0] = (struct iovec){
		.iov_base = gmem_region_at(vq->hot, d.addr, d.len),
		.iov_len = d.len,
	};
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
	at = gmem_region_at(vq->hot, d.addr, d.len);
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
	return c;
}
