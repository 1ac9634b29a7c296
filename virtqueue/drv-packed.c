/*
 * Packed ring, driver's side (VIRTIO 1.4, 2.8). Barriers and their partners in packed.c:
 *
 *   A  release of the flags of a batch's first descriptor, stored last: the whole batch is there
 *      before them. Partner: acquire of available flags (its A).
 *   B  acquire of used flags: the used descriptor, those of its batch, and the data are there.
 *      Partner: release of the first used flags (its B).
 *   C  full barrier between our flags and our look at the device's event suppression. Partner: D.
 *   D  full barrier between asking for an interrupt and our last look at used flags. Partner: C.
 *   E  release and acquire of event flags: the place that DESC speaks of is there before it.
 *
 * A chain's buffer id is its slot of notes: the next free one, or in_order its first descriptor's
 * offset, which tells where the next chain's is.
 */
#include "virtqueue/drv-impl.h"

static void packed_parts(unsigned size, uint64_t bytes[3])
{
	bytes[0] = vring_desc_bytes(size);
	bytes[1] = bytes[2] = sizeof(struct vring_packed_event);
}

static void packed_init(struct drv_vq *vq, void *const parts[3])
{
	struct drv_packed *r = &vq->packed;

	r->desc = parts[0];
	r->driver = parts[1];
	r->device = parts[2];
	r->next_avail = r->next_used = r->published = VRING_POS_WRAP;
}

static void fill(struct vring_packed_desc *d, const struct drv_buf *buf, uint16_t id)
{
	d->addr = cpu_le64(buf->gpa);
	d->len = cpu_le32(buf->len);
	d->id = cpu_le16(id);
}

/* Makes a filled descriptor available; the batch's first waits for publish(). */
static void expose(struct drv_vq *vq, uint16_t pos, unsigned flags)
{
	struct drv_packed *r = &vq->packed;

	flags |= vring_pos_avail_flags(pos);
	if (pos == r->published)
		r->first_flags = flags;
	else
		__atomic_store_n(&r->desc[vring_pos_off(pos)].flags, cpu_le16(flags),
				 __ATOMIC_RELAXED);
}

/* Writes the table of chain @id: buffers that follow each other. Returns what it is as a buffer. */
static struct drv_buf write_table(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd,
				  unsigned n, uint16_t id)
{
	struct vring_packed_desc *table = drv_table(vq, id);

	for (unsigned i = 0; i < n; i++) {
		fill(&table[i], &bufs[i], 0);
		table[i].flags = cpu_le16(i >= n_rd ? VRING_DESC_F_WRITE : 0);
	}
	return (struct drv_buf){ .gpa = drv_table_gpa(vq, id), .len = n * sizeof(*table) };
}

static void add_direct(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n,
		       uint16_t id)
{
	uint16_t pos = vq->packed.next_avail, size = vq->cfg.size;

	for (unsigned i = 0; i < n; i++) {
		fill(&vq->packed.desc[vring_pos_off(pos)], &bufs[i], id);
		expose(vq, pos,
		       (i >= n_rd ? VRING_DESC_F_WRITE : 0) | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
		pos = vring_pos_advance(pos, 1, size);
	}
	vq->packed.next_avail = pos;
}

static void add_table(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n,
		      uint16_t id)
{
	struct drv_buf table = write_table(vq, bufs, n_rd, n, id);
	uint16_t pos = vq->packed.next_avail;

	fill(&vq->packed.desc[vring_pos_off(pos)], &table, id);
	expose(vq, pos, VRING_DESC_F_INDIRECT);
	vq->packed.next_avail = vring_pos_advance(pos, 1, vq->cfg.size);
}

static int packed_add(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
		      void *cookie)
{
	struct drv_packed *r = &vq->packed;
	unsigned n = n_rd + n_wr;
	bool table = drv_use_table(vq, n);
	uint16_t id = vq->cfg.in_order ? vring_pos_off(r->next_avail) : r->free_id;

	if (vq->n_free < (table ? 1 : n))
		return -1;
	r->free_id = vq->slot[id].next;
	vq->slot[id].writable = drv_writable(bufs, n_rd, n_wr);
	drv_note(vq, id, table ? 1 : n, cookie);
	if (table)
		add_table(vq, bufs, n_rd, n, id);
	else
		add_direct(vq, bufs, n_rd, n, id);
	return id;
}

static bool packed_publish(struct drv_vq *vq)
{
	struct drv_packed *r = &vq->packed;
	uint16_t old = r->published, now = r->next_avail;
	unsigned event;

	if (old == now)
		return false;
	r->published = now;
	/* [A] */
	__atomic_store_n(&r->desc[vring_pos_off(old)].flags, cpu_le16(r->first_flags),
			 __ATOMIC_RELEASE);
	vring_full_barrier();                                                   /* [C] */
	event = le16_cpu(__atomic_load_n(&r->device->flags, __ATOMIC_ACQUIRE)); /* [E] */
	if (event != VRING_EVENT_DESC)
		return event == VRING_EVENT_ENABLE;
	return vring_pos_need_event(
		le16_cpu(__atomic_load_n(&r->device->off_wrap, __ATOMIC_RELAXED)), now, old,
		vq->cfg.size);
}

static uint32_t packed_notification_data(const struct drv_vq *vq)
{
	return (uint32_t)vq->packed.published << 16;
}

static bool is_used(const struct drv_vq *vq, uint16_t *ret_flags)
{
	uint16_t pos = vq->packed.next_used;

	/* [B] */
	*ret_flags = le16_cpu(
		__atomic_load_n(&vq->packed.desc[vring_pos_off(pos)].flags, __ATOMIC_ACQUIRE));
	return (*ret_flags & (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)) == vring_pos_used_flags(pos);
}

static bool packed_peek(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len)
{
	const struct vring_packed_desc *d = &vq->packed.desc[vring_pos_off(vq->packed.next_used)];
	uint16_t flags;

	if (!is_used(vq, &flags))
		return false;
	vring_packed_prefetch(vq->packed.desc, vring_pos_off(vq->packed.next_used), vq->cfg.size);
	*ret_id = le16_cpu(d->id);
	*ret_len = flags & VRING_DESC_F_WRITE ? le32_cpu(d->len) : 0;
	return true;
}

static void packed_release(struct drv_vq *vq, uint16_t id)
{
	struct drv_packed *r = &vq->packed;

	r->next_used = vring_pos_advance(r->next_used, vq->slot[id].n, vq->cfg.size);
	vq->slot[id].next = r->free_id;
	r->free_id = id;
}

static bool packed_used(struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len)
{
	return drv_used_by(vq, ret_cookie, ret_len, packed_peek, packed_release);
}

static void set_event_flags(struct drv_vq *vq, unsigned flags)
{
	/* [E] */
	__atomic_store_n(&vq->packed.driver->flags, cpu_le16(flags), __ATOMIC_RELEASE);
}

static void packed_quiet(struct drv_vq *vq)
{
	set_event_flags(vq, VRING_EVENT_DISABLE);
}

static bool packed_rearm(struct drv_vq *vq)
{
	struct drv_packed *r = &vq->packed;
	uint16_t flags;

	if (vq->cfg.event_idx)
		__atomic_store_n(&r->driver->off_wrap, cpu_le16(r->next_used), __ATOMIC_RELAXED);
	set_event_flags(vq, vq->cfg.event_idx ? VRING_EVENT_DESC : VRING_EVENT_ENABLE);
	vring_full_barrier(); /* [D] */
	return !is_used(vq, &flags);
}

const struct drv_layout drv_packed_layout = {
	.parts = packed_parts,
	.init = packed_init,
	.add = packed_add,
	.publish = packed_publish,
	.notification_data = packed_notification_data,
	.used = packed_used,
	.quiet = packed_quiet,
	.rearm = packed_rearm,
};
