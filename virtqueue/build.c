/*
 * The rarer parts of making a chain: see build.h.
 */
#include "virtqueue/build.h"

#include <string.h>

#define ENTRY 16u /* bytes of a descriptor, in either layout */

/* Moves the iovecs from the slot to an area of the pool's, where a chain has all the room it may
 * have. */
static enum vq_fault vq_build_grow(struct vq_slot *s)
{
	s->area = vq_area_get(&s->c.vq->pool);
	if (!s->area)
		return VQ_NO_ROOM;
	s->c.rd.iov = memcpy(s->area, s->iov, sizeof(s->iov));
	return VQ_OK;
}

/* Makes room for one more iovec. */
static enum vq_fault vq_build_reserve(struct vq_slot *s)
{
	unsigned n = s->c.rd.n + s->c.wr.n;

	if (n < VQ_CHAIN_SHORT || (s->area && n < s->c.vq->pool.area_iovs))
		return VQ_OK;
	return s->area ? VQ_FAULT_PIECES : vq_build_grow(s);
}

enum vq_fault vq_build_pieces(struct vq_slot *s, uint64_t gpa, uint64_t len, struct vq_cursor *cur)
{
	struct vq *vq = s->c.vq;

	while (len) {
		uint64_t n = gmem_room(vq->mem, gpa);
		enum vq_fault fault = n ? vq_build_reserve(s) : VQ_FAULT_ADDRESS;

		if (fault)
			return fault;
		if (n > len)
			n = len;
		vq->last_region = gmem_region(vq->mem, gpa);
		s->c.rd.iov[s->c.rd.n + s->c.wr.n] = (struct iovec){
			.iov_base = gmem_region_at(vq->last_region, gpa, n),
			.iov_len = n,
		};
		cur->n++;
		gpa += n;
		len -= n;
	}
	return VQ_OK;
}

enum vq_fault vq_build_table(struct vq *vq, struct vq_desc d, struct vq_table *ret_table)
{
	if (!vq->indirect)
		return VQ_FAULT_INDIRECT;
	if (d.flags & VRING_DESC_F_NEXT)
		return VQ_FAULT_INDIRECT_NEXT;
	if (d.len == 0 || d.len % ENTRY != 0 || d.len / ENTRY > vq->max_bufs)
		return VQ_FAULT_INDIRECT_LEN;
	*ret_table = (struct vq_table){
		.gpa = d.addr,
		.at = gmem_region_at(vq->last_region, d.addr, d.len),
		.n = d.len / ENTRY,
	};
	if (!ret_table->at && !gmem_has(vq->mem, d.addr, d.len))
		return VQ_FAULT_INDIRECT_ADDRESS;
	return VQ_OK;
}

void vq_table_read(const struct vq *vq, const struct vq_table *table, unsigned i, le64 ret_words[2])
{
	/* vq_build_table() saw that all of the table is memory. */
	(void)gmem_read(vq->mem, table->gpa + (uint64_t)ENTRY * i, ret_words, ENTRY);
}
