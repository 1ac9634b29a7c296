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
#include "virtqueue/driver/drv-impl.h"

static uint16_t drv_split_load16(const le16 *at)
{
	return le16_cpu(__atomic_load_n(at, __ATOMIC_RELAXED));
}

/* What the device wrote it may write once more: it is read once, and judged as it was read. */
static uint32_t drv_split_load32(const le32 *at)
{
	return le32_cpu(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static void drv_split_store16(le16 *at, uint16_t v)
{
	__atomic_store_n(at, cpu_le16(v), __ATOMIC_RELAXED);
}

static void drv_split_parts(unsigned size, uint64_t bytes[3])
{
	bytes[0] = vring_desc_bytes(size);
	bytes[1] = vring_avail_bytes(size);
	bytes[2] = vring_used_bytes(size);
}

static void drv_split_init(struct drv_vq *vq, void *const parts[3])
{
	struct drv_split *s = &vq->split;

	s->desc = parts[0];
	s->avail = parts[1];
	s->used = parts[2];
	s->used_event = &s->avail->ring[vq->cfg.size];
	s->avail_event = (le16 *)&s->used->ring[vq->cfg.size];
}

static inline void drv_split_fill(struct vring_desc *d, const struct drv_buf *buf, unsigned flags,
				  uint16_t next)
{
	*d = (struct vring_desc){
		.addr = cpu_le64(buf->gpa),
		.len = cpu_le32(buf->len),
		.flags = cpu_le16(flags),
		.next = cpu_le16(flags & VRING_DESC_F_NEXT ? next : 0),
	};
}

/* Flags of buffer @i of a chain. */
static unsigned drv_split_flags_of(const struct drv_chain *c, unsigned i)
{
	return (i >= c->n_rd ? VRING_DESC_F_WRITE : 0) |
	       (i + 1 < c->n_rd + c->n_wr ? VRING_DESC_F_NEXT : 0);
}

/* Writes the chain's table and the one descriptor that tells of it. */
static void drv_split_add_table(struct drv_vq *vq, const struct drv_chain *c)
{
	uint16_t head = vq->split.free_head;
	struct vring_desc *table = drv_table(vq, head);
	unsigned n = c->n_rd + c->n_wr;
	struct drv_buf where = {
		.gpa = drv_table_gpa(vq, head),
		.len = n * sizeof(*table),
	};

	for (unsigned i = 0; i < n; i++)
		drv_split_fill(&table[i], &c->bufs[i], drv_split_flags_of(c, i), i + 1);
	drv_split_fill(&vq->split.desc[head], &where, VRING_DESC_F_INDIRECT, 0);
	vq->split.free_head = vq->slot[head].next;
}

static void drv_split_add_direct(struct drv_vq *vq, const struct drv_chain *c)
{
	uint16_t at = vq->split.free_head;

	for (unsigned i = 0; i < c->n_rd + c->n_wr; i++) {
		uint16_t next = vq->slot[at].next;

		drv_split_fill(&vq->split.desc[at], &c->bufs[i], drv_split_flags_of(c, i), next);
		at = next;
	}
	vq->split.free_head = at;
}

/* Adds a chain, whatever it is. False if there is no room. */
static bool drv_split_add_one(struct drv_vq *vq, struct drv_chain *c)
{
	struct drv_split *s = &vq->split;
	unsigned n = c->n_rd + c->n_wr;
	bool table = drv_use_table(vq, n);
	uint16_t head = s->free_head, slots = table ? 1 : n;

	if (n == 0 || vq->n_free < slots)
		return false;
	if (table)
		drv_split_add_table(vq, c);
	else
		drv_split_add_direct(vq, c);
	drv_note(&vq->slot[head], c, head, slots, drv_writable(c));
	vq->n_free -= slots;
	drv_split_store16(&s->avail->ring[s->avail_idx++ & (vq->cfg.size - 1)], head);
	return true;
}

/* The first of the chains, as far as they have one buffer and there is room. */
static unsigned drv_split_add_run(struct drv_vq *vq, struct drv_chain *chains, unsigned max)
{
	struct drv_split *s = &vq->split;
	struct vring_desc *desc = s->desc;
	le16 *ring = s->avail->ring;
	uint16_t idx = s->avail_idx, head = s->free_head, mask = vq->cfg.size - 1;
	unsigned n;

	if (max > vq->n_free)
		max = vq->n_free;
	for (n = 0; n < max && drv_is_single(&chains[n]); n++) {
		struct drv_chain *c = &chains[n];
		struct drv_slot *slot = &vq->slot[head];

		drv_note(slot, c, head, 1, c->n_wr ? c->bufs->len : 0);
		drv_split_fill(&desc[head], c->bufs, c->n_wr ? VRING_DESC_F_WRITE : 0, 0);
		drv_split_store16(&ring[idx++ & mask], head);
		head = slot->next;
	}
	s->avail_idx = idx;
	s->free_head = head;
	vq->n_free -= n;
	return n;
}

static unsigned drv_split_add(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	unsigned done = drv_split_add_run(vq, chains, n);

	while (done < n && drv_split_add_one(vq, &chains[done])) {
		done++;
		done += drv_split_add_run(vq, chains + done, n - done);
	}
	return done;
}

static bool drv_split_publish(struct drv_vq *vq)
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
		return vring_need_event(drv_split_load16(s->avail_event), now, old);
	return !(drv_split_load16(&s->used->flags) & VRING_USED_F_NO_NOTIFY);
}

static uint32_t drv_split_notification_data(const struct drv_vq *vq)
{
	return (uint32_t)vq->split.published << 16;
}

/* How many used elements wait. */
static uint16_t drv_split_n_used(const struct drv_split *s)
{
	/* [B] */
	return le16_cpu(__atomic_load_n(&s->used->idx, __ATOMIC_ACQUIRE)) - s->last_used;
}

static inline bool drv_split_peek(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len)
{
	const struct drv_split *s = &vq->split;
	const struct vring_used_elem *e = &s->used->ring[s->last_used & (vq->cfg.size - 1)];
	uint32_t id;

	if (drv_split_n_used(s) == 0)
		return false;
	id = drv_split_load32(&e->id);
	*ret_id = id < vq->cfg.size ? id : UINT16_MAX;
	*ret_len = drv_split_load32(&e->len);
	return true;
}

static inline void drv_split_advance(struct drv_vq *vq, uint16_t slots)
{
	(void)slots;
	vq->split.last_used++;
}

/* Puts a chain's descriptors back in front of the free ones from @free_head on. */
static inline void drv_split_put_back(struct drv_vq *vq, uint16_t head, uint16_t free_head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < vq->slot[head].n; i++)
		last = vq->slot[last].next;
	vq->slot[last].next = free_head;
}

static unsigned drv_split_used_run(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	struct drv_split *s = &vq->split;
	unsigned n, there = drv_split_n_used(s);
	const struct vring_used_elem *ring = s->used->ring;
	uint16_t mask = vq->cfg.size - 1, free_head = s->free_head;

	if (there > vq->cfg.size) {
		vq->broken = "used index jumps";
		return 0;
	}
	if (max > there)
		max = there;
	for (n = 0; n < max; n++) {
		const struct vring_used_elem *e = &ring[(s->last_used + n) & mask];
		uint32_t id = drv_split_load32(&e->id), len = drv_split_load32(&e->len);

		if (!drv_sane(vq, id, len))
			break;
		done[n] = (struct drv_done){ .cookie = vq->slot[id].cookie, .len = len };
		drv_split_put_back(vq, id, free_head);
		free_head = id;
		vq->n_free += vq->slot[id].n;
		vq->slot[id].n = 0;
	}
	s->free_head = free_head;
	s->last_used += n;
	return n;
}

static unsigned drv_split_used(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	if (vq->cfg.in_order)
		return drv_used_in_order(vq, done, max, drv_split_peek, drv_split_advance);
	return drv_split_used_run(vq, done, max);
}

/* With the event index: an event that the device's index passes in 65535 steps. */
static void drv_split_disable_notify(struct drv_vq *vq)
{
	if (vq->cfg.event_idx)
		drv_split_store16(vq->split.used_event, vq->split.last_used - 1);
	else
		drv_split_store16(&vq->split.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

static bool drv_split_enable_notify(struct drv_vq *vq)
{
	if (vq->cfg.event_idx)
		drv_split_store16(vq->split.used_event, vq->split.last_used);
	else
		drv_split_store16(&vq->split.avail->flags, 0);
	vring_full_barrier(); /* [D] */
	return drv_split_load16(&vq->split.used->idx) == vq->split.last_used;
}

const struct drv_layout drv_split_layout = {
	.parts = drv_split_parts,
	.init = drv_split_init,
	.add = drv_split_add,
	.publish = drv_split_publish,
	.notification_data = drv_split_notification_data,
	.used = drv_split_used,
	.disable_notify = drv_split_disable_notify,
	.enable_notify = drv_split_enable_notify,
};
