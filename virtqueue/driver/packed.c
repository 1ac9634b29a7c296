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
#include "virtqueue/driver/drv-impl.h"

static void drv_packed_parts(unsigned size, uint64_t bytes[3])
{
	bytes[0] = vring_desc_bytes(size);
	bytes[1] = bytes[2] = sizeof(struct vring_packed_event);
}

static void drv_packed_init(struct drv_vq *vq, void *const parts[3])
{
	struct drv_packed *r = &vq->packed;

	r->desc = parts[0];
	r->driver = parts[1];
	r->device = parts[2];
	r->next_avail = r->next_used = r->published = VRING_POS_WRAP;
}

/* Atomically: a device may look ahead of what was published, at descriptors that say already that
 * they are available. */
static inline void drv_packed_put_address(struct vring_packed_desc *d, uint64_t gpa)
{
	__atomic_store_n(&d->addr, cpu_le64(gpa), __ATOMIC_RELAXED);
}

/* Makes the descriptor at next_avail available; the batch's first waits for publish(). */
static inline void drv_packed_put(struct drv_vq *vq, const struct drv_buf *buf, uint16_t id,
				  unsigned flags)
{
	struct drv_packed *r = &vq->packed;
	uint16_t pos = r->next_avail;
	struct vring_packed_desc *d = &r->desc[vring_pos_off(pos)];
	uint64_t rest = vring_packed_rest(buf->len, id, flags | vring_pos_avail_flags(pos));

	drv_packed_put_address(d, buf->gpa);
	if (pos == r->published)
		r->first_rest = rest;
	else
		__atomic_store_n(&d->rest, cpu_le64(rest), __ATOMIC_RELAXED);
	r->next_avail = vring_pos_advance(pos, 1, vq->cfg.size);
}

/* Writes the table of chain @id: buffers that follow each other. Returns what it is as a buffer. */
static struct drv_buf drv_packed_write_table(struct drv_vq *vq, const struct drv_chain *c,
					     uint16_t id)
{
	struct vring_packed_desc *table = drv_table(vq, id);
	unsigned n = c->n_rd + c->n_wr;

	for (unsigned i = 0; i < n; i++)
		table[i] = (struct vring_packed_desc){
			.addr = cpu_le64(c->bufs[i].gpa),
			.len = cpu_le32(c->bufs[i].len),
			.flags = cpu_le16(i >= c->n_rd ? VRING_DESC_F_WRITE : 0),
		};
	return (struct drv_buf){ .gpa = drv_table_gpa(vq, id), .len = n * sizeof(*table) };
}

static void drv_packed_add_direct(struct drv_vq *vq, const struct drv_chain *c, uint16_t id)
{
	unsigned n = c->n_rd + c->n_wr;

	for (unsigned i = 0; i < n; i++)
		drv_packed_put(vq, &c->bufs[i], id,
			       (i >= c->n_rd ? VRING_DESC_F_WRITE : 0) |
				       (i + 1 < n ? VRING_DESC_F_NEXT : 0));
}

static void drv_packed_add_table(struct drv_vq *vq, const struct drv_chain *c, uint16_t id)
{
	struct drv_buf table = drv_packed_write_table(vq, c, id);

	drv_packed_put(vq, &table, id, VRING_DESC_F_INDIRECT);
}

/* Adds a chain, whatever it is. False if there is no room. */
static bool drv_packed_add_one(struct drv_vq *vq, struct drv_chain *c)
{
	struct drv_packed *r = &vq->packed;
	unsigned n = c->n_rd + c->n_wr;
	bool table = drv_use_table(vq, n);
	uint16_t slots = table ? 1 : n;
	uint16_t id = vq->cfg.in_order ? vring_pos_off(r->next_avail) : r->free_id;

	if (n == 0 || vq->n_free < slots)
		return false;
	r->free_id = vq->slot[id].next;
	drv_note(&vq->slot[id], c, id, slots, drv_writable(c));
	vq->n_free -= slots;
	if (table)
		drv_packed_add_table(vq, c, id);
	else
		drv_packed_add_direct(vq, c, id);
	return true;
}

/* The first of the chains, as far as they have one buffer and fit in before the ring's end. */
static unsigned drv_packed_add_run(struct drv_vq *vq, struct drv_chain *chains, unsigned max)
{
	struct drv_packed *r = &vq->packed;
	const uint16_t pos = r->next_avail, size = vq->cfg.size;
	const uint64_t available = vring_packed_rest(0, 0, vring_pos_avail_flags(pos));
	unsigned off = vring_pos_off(pos), first = pos == r->published ? off : size, n;
	struct vring_packed_desc *ring = r->desc;
	uint16_t id = r->free_id;

	if (max > vq->n_free)
		max = vq->n_free;
	if (max > size - off)
		max = size - off;
	for (n = 0; n < max && drv_is_single(&chains[n]); n++, off++) {
		struct drv_chain *c = &chains[n];
		const struct drv_buf *buf = c->bufs;
		uint64_t rest = available | buf->len;
		struct drv_slot *s;

		if (vq->cfg.in_order)
			id = off;
		s = &vq->slot[id];
		drv_note(s, c, id, 1, c->n_wr ? buf->len : 0);
		rest |= vring_packed_rest(0, id, c->n_wr ? VRING_DESC_F_WRITE : 0);
		drv_packed_put_address(&ring[off], buf->gpa);
		if (off == first)
			r->first_rest = rest;
		else
			__atomic_store_n(&ring[off].rest, cpu_le64(rest), __ATOMIC_RELAXED);
		id = s->next;
	}
	r->free_id = id;
	r->next_avail = vring_pos_advance(pos, n, size);
	vq->n_free -= n;
	return n;
}

static unsigned drv_packed_add(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	unsigned done = drv_packed_add_run(vq, chains, n);

	while (done < n && drv_packed_add_one(vq, &chains[done])) {
		done++;
		done += drv_packed_add_run(vq, chains + done, n - done);
	}
	return done;
}

static bool drv_packed_publish(struct drv_vq *vq)
{
	struct drv_packed *r = &vq->packed;
	uint16_t old = r->published, now = r->next_avail;
	unsigned event;

	if (old == now)
		return false;
	r->published = now;
	/* [A] */
	__atomic_store_n(&r->desc[vring_pos_off(old)].rest, cpu_le64(r->first_rest),
			 __ATOMIC_RELEASE);
	vring_full_barrier();                                                   /* [C] */
	event = le16_cpu(__atomic_load_n(&r->device->flags, __ATOMIC_ACQUIRE)); /* [E] */
	if (event != VRING_EVENT_DESC)
		return event == VRING_EVENT_ENABLE;
	return vring_pos_need_event(
		le16_cpu(__atomic_load_n(&r->device->off_wrap, __ATOMIC_RELAXED)), now, old,
		vq->cfg.size);
}

static uint32_t drv_packed_notification_data(const struct drv_vq *vq)
{
	return (uint32_t)vq->packed.published << 16;
}

static uint64_t drv_packed_rest_of(const struct vring_packed_desc *d)
{
	return le64_cpu(__atomic_load_n(&d->rest, __ATOMIC_ACQUIRE)); /* [B] */
}

/* Is this the rest of a descriptor that is used, as seen from @pos? */
static bool drv_packed_is_used(uint64_t rest, uint16_t pos)
{
	return (vring_rest_flags(rest) & (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)) ==
	       vring_pos_used_flags(pos);
}

static uint32_t drv_packed_used_len(uint64_t rest)
{
	return vring_rest_flags(rest) & VRING_DESC_F_WRITE ? (uint32_t)rest : 0;
}

static uint16_t drv_packed_used_id(uint64_t rest)
{
	return (uint16_t)(rest >> 32);
}

static inline bool drv_packed_peek(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len)
{
	const struct drv_packed *r = &vq->packed;
	const struct vring_packed_desc *d = &r->desc[vring_pos_off(r->next_used)];
	uint64_t rest = drv_packed_rest_of(d);

	if (!drv_packed_is_used(rest, r->next_used))
		return false;
	*ret_id = drv_packed_used_id(rest);
	*ret_len = drv_packed_used_len(rest);
	return true;
}

static inline void drv_packed_advance(struct drv_vq *vq, uint16_t slots)
{
	vq->packed.next_used = vring_pos_advance(vq->packed.next_used, slots, vq->cfg.size);
}

/*
 * Takes used chains up to the ring's end, as long as they take as many slots as the first. So where
 * the next descriptor is does not hang on what this one says, and the processor may fetch both at a
 * time.
 */
static unsigned drv_packed_used_run(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	struct drv_packed *r = &vq->packed;
	const uint16_t pos = r->next_used, size = vq->cfg.size;
	const struct vring_packed_desc *ring = r->desc;
	unsigned off = vring_pos_off(pos), slots = 0, n;
	uint16_t free_id = r->free_id;

	for (n = 0; n < max && off < size; n++) {
		uint64_t rest = drv_packed_rest_of(&ring[off]);
		uint16_t id = drv_packed_used_id(rest);
		uint32_t len = drv_packed_used_len(rest);
		struct drv_slot *s;

		if (!drv_packed_is_used(rest, pos) || !drv_sane(vq, id, len))
			break;
		s = &vq->slot[id];
		if (n == 0)
			slots = s->n;
		else if (s->n != slots)
			break;
		done[n] = (struct drv_done){ .cookie = s->cookie, .len = len };
		off += slots;
		s->n = 0;
		s->next = free_id;
		free_id = id;
	}
	off -= vring_pos_off(pos);
	r->free_id = free_id;
	r->next_used = vring_pos_advance(pos, off, size);
	vq->n_free += off;
	return n;
}

static unsigned drv_packed_used_runs(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	unsigned n = 0, got;

	do {
		got = drv_packed_used_run(vq, done + n, max - n);
		n += got;
	} while (got && n < max);
	return n;
}

static unsigned drv_packed_used(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	struct drv_packed *r = &vq->packed;
	uint16_t next = r->next_used, n_free = vq->n_free;
	unsigned n;

	if (drv_packed_is_used(drv_packed_rest_of(&r->desc[vring_pos_off(next)]), next))
		vring_packed_fetch(r->desc, vring_pos_off(next), r->expected, vq->cfg.size);
	n = vq->cfg.in_order ? drv_used_in_order(vq, done, max, drv_packed_peek, drv_packed_advance)
			     : drv_packed_used_runs(vq, done, max);
	if (n)
		r->expected = vq->n_free - n_free;
	return n;
}

static void drv_packed_set_event_flags(struct drv_vq *vq, unsigned flags)
{
	/* [E] */
	__atomic_store_n(&vq->packed.driver->flags, cpu_le16(flags), __ATOMIC_RELEASE);
}

static void drv_packed_disable_notify(struct drv_vq *vq)
{
	drv_packed_set_event_flags(vq, VRING_EVENT_DISABLE);
}

static bool drv_packed_enable_notify(struct drv_vq *vq)
{
	struct drv_packed *r = &vq->packed;

	if (vq->cfg.event_idx)
		__atomic_store_n(&r->driver->off_wrap, cpu_le16(r->next_used), __ATOMIC_RELAXED);
	drv_packed_set_event_flags(vq, vq->cfg.event_idx ? VRING_EVENT_DESC : VRING_EVENT_ENABLE);
	vring_full_barrier(); /* [D] */
	return !drv_packed_is_used(drv_packed_rest_of(&r->desc[vring_pos_off(r->next_used)]),
				   r->next_used);
}

const struct drv_layout drv_packed_layout = {
	.parts = drv_packed_parts,
	.init = drv_packed_init,
	.add = drv_packed_add,
	.publish = drv_packed_publish,
	.notification_data = drv_packed_notification_data,
	.used = drv_packed_used,
	.disable_notify = drv_packed_disable_notify,
	.enable_notify = drv_packed_enable_notify,
};
