/*
 * Split ring, driver's side (VIRTIO 1.4, 2.7). Barriers and their partners in split.c:
 *
 *   A  release of avail->idx: descriptors and ring entries are there before it. Partner: acquire
 *      of avail->idx (its A).
 *   B  acquire of used->idx: what it counts, and the data, are there. Partner: release of
 *      used->idx (its B).
 *   C  full barrier between our avail->idx and our look at whether the device wants a kick.
 *      Partner: its D.
 *   D  full barrier between asking for an interrupt and our last look at used->idx. Partner: its C.
 *
 * With in_order descriptors are taken round the table, each next being its neighbour, so a chain's
 * head also tells where the next chain's is (DRV-SPLIT-DESC-02).
 */
#include "virtqueue/drv-impl.h"

static uint16_t load16(const le16 *at)
{
	return le16_cpu(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static void store16(le16 *at, uint16_t v)
{
	__atomic_store_n(at, cpu_le16(v), __ATOMIC_RELAXED);
}

static void split_parts(unsigned size, uint64_t bytes[3])
{
	bytes[0] = vring_desc_bytes(size);
	bytes[1] = vring_avail_bytes(size);
	bytes[2] = vring_used_bytes(size);
}

static void split_init(struct drv_vq *vq, void *const parts[3])
{
	struct drv_split *s = &vq->split;

	s->desc = parts[0];
	s->avail = parts[1];
	s->used = parts[2];
	s->used_event = &s->avail->ring[vq->cfg.size];
	s->avail_event = (le16 *)&s->used->ring[vq->cfg.size];
}

static void fill(struct vring_desc *d, const struct drv_buf *buf, unsigned flags, uint16_t next)
{
	*d = (struct vring_desc){
		.addr = cpu_le64(buf->gpa),
		.len = cpu_le32(buf->len),
		.flags = cpu_le16(flags),
		.next = cpu_le16(flags & VRING_DESC_F_NEXT ? next : 0),
	};
}

/* Flags of buffer @i of a chain. */
static unsigned flags_of(unsigned i, unsigned n_rd, unsigned n)
{
	return (i >= n_rd ? VRING_DESC_F_WRITE : 0) | (i + 1 < n ? VRING_DESC_F_NEXT : 0);
}

/* Writes the chain's table and the one descriptor that tells of it. */
static void add_table(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n)
{
	uint16_t head = vq->split.free_head;
	struct vring_desc *table = drv_table(vq, head);
	struct drv_buf where = {
		.gpa = drv_table_gpa(vq, head),
		.len = n * sizeof(*table),
	};

	for (unsigned i = 0; i < n; i++)
		fill(&table[i], &bufs[i], flags_of(i, n_rd, n), i + 1);
	fill(&vq->split.desc[head], &where, VRING_DESC_F_INDIRECT, 0);
	vq->split.free_head = vq->slot[head].next;
}

static void add_direct(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n)
{
	uint16_t at = vq->split.free_head;

	for (unsigned i = 0; i < n; i++) {
		uint16_t next = vq->slot[at].next;

		fill(&vq->split.desc[at], &bufs[i], flags_of(i, n_rd, n), next);
		at = next;
	}
	vq->split.free_head = at;
}

static int split_add(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
		     void *cookie)
{
	struct drv_split *s = &vq->split;
	unsigned n = n_rd + n_wr;
	uint16_t head = s->free_head;
	bool table = drv_use_table(vq, n);

	if (vq->n_free < (table ? 1 : n))
		return -1;
	if (table)
		add_table(vq, bufs, n_rd, n);
	else
		add_direct(vq, bufs, n_rd, n);
	vq->slot[head].writable = drv_writable(bufs, n_rd, n_wr);
	drv_note(vq, head, table ? 1 : n, cookie);
	store16(&s->avail->ring[s->avail_idx & (vq->cfg.size - 1)], head);
	s->avail_idx++;
	return head;
}

static bool split_publish(struct drv_vq *vq)
{
	struct drv_split *s = &vq->split;
	uint16_t old = s->published, now = s->avail_idx;

	if (old == now)
		return false;
	s->published = now;
	/* [A] */
	__atomic_store_n(&s->avail->idx, cpu_le16(now), __ATOMIC_RELEASE);
	vring_full_barrier(); /* [C] */
	if (vq->cfg.event_idx)
		return vring_need_event(load16(s->avail_event), now, old);
	return !(load16(&s->used->flags) & VRING_USED_F_NO_NOTIFY);
}

static uint32_t split_notification_data(const struct drv_vq *vq)
{
	return (uint32_t)vq->split.published << 16;
}

static bool split_peek(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len)
{
	const struct drv_split *s = &vq->split;
	const struct vring_used_elem *e;
	uint32_t id;

	/* [B] */
	if (le16_cpu(__atomic_load_n(&s->used->idx, __ATOMIC_ACQUIRE)) == s->last_used)
		return false;
	e = &s->used->ring[s->last_used & (vq->cfg.size - 1)];
	id = le32_cpu(e->id);
	*ret_id = id < vq->cfg.size ? id : UINT16_MAX;
	*ret_len = le32_cpu(e->len);
	return true;
}

static void split_release(struct drv_vq *vq, uint16_t id)
{
	uint16_t last = id;

	vq->split.last_used++;
	if (vq->cfg.in_order)
		return;
	for (unsigned i = 1; i < vq->slot[id].n; i++)
		last = vq->slot[last].next;
	vq->slot[last].next = vq->split.free_head;
	vq->split.free_head = id;
}

static bool split_used(struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len)
{
	return drv_used_by(vq, ret_cookie, ret_len, split_peek, split_release);
}

/* With the event index: an event that the device's index passes in 65535 steps. */
static void split_quiet(struct drv_vq *vq)
{
	if (vq->cfg.event_idx)
		store16(vq->split.used_event, vq->split.last_used - 1);
	else
		store16(&vq->split.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

static bool split_rearm(struct drv_vq *vq)
{
	if (vq->cfg.event_idx)
		store16(vq->split.used_event, vq->split.last_used);
	else
		store16(&vq->split.avail->flags, 0);
	vring_full_barrier(); /* [D] */
	return load16(&vq->split.used->idx) == vq->split.last_used;
}

const struct drv_layout drv_split_layout = {
	.parts = split_parts,
	.init = split_init,
	.add = split_add,
	.publish = split_publish,
	.notification_data = split_notification_data,
	.used = split_used,
	.quiet = split_quiet,
	.rearm = split_rearm,
};
