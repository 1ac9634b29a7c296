/*
 * Packed ring, device's side (VIRTIO 1.4, 2.8).
 *
 * One ring of descriptors goes round: the driver makes them available, we overwrite some with used
 * ones. Whose a descriptor is, its AVAIL and USED flags say, measured against a wrap counter that
 * flips with each lap. Positions hold offset and wrap counter in one number (vring_pos_*).
 *
 * A batch is published by the flags of its first used descriptor, which are stored last: the driver
 * looks at no other before. Barriers, each with its partner in a driver (ours is drv-packed.c):
 *
 *   A  acquire of an available descriptor's flags: the rest of it and of its list is there.
 *      Partner: the driver's release of the flags of the first descriptor of a batch (its A).
 *   B  release of the first used flags: all used descriptors of the batch, and the data in the
 *      buffers, are there before them. Partner: the driver's acquire of used flags (its B).
 *   C  full barrier between our used flags and our look at the driver's event suppression.
 *      Partner: the driver's full barrier between asking for an interrupt and its last look at the
 *      used flags (its D).
 *   D  full barrier between asking for kicks and our last look at the flags of the next descriptor.
 *      Partner: the driver's full barrier between its flags and its look at our event suppression
 *      (its C).
 *   E  release and acquire of event flags: the place that DESC speaks of is there before it. Both
 *      sides do both.
 */
#include "virtqueue/build.h"

#define AVAIL_USED (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)
#define LIST       (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)

/* Is the descriptor with these flags available to whoever is at @pos? */
static bool is_available(uint16_t flags, uint16_t pos)
{
	return (flags & AVAIL_USED) == vring_pos_avail_flags(pos);
}

static uint16_t flags_at(const struct vq *vq, uint16_t pos)
{
	/* [A] */
	return le16_cpu(
		__atomic_load_n(&vq->ring.desc[vring_pos_off(pos)].flags, __ATOMIC_ACQUIRE));
}

/* Where kicks are wanted from: past all that was popped once. */
static uint16_t news(const struct vq *vq)
{
	return vring_pos_advance(vq->pos.next_avail, vq->returned, vq->size);
}

static void set_event_flags(struct vq *vq, unsigned flags)
{
	/* [E] */
	__atomic_store_n(&vq->ring.device->flags, cpu_le16(flags), __ATOMIC_RELEASE);
}

static void ask_for_kicks(struct vq *vq)
{
	if (vq->event_idx)
		__atomic_store_n(&vq->ring.device->off_wrap, cpu_le16(news(vq)), __ATOMIC_RELAXED);
	set_event_flags(vq, vq->event_idx ? VRING_EVENT_DESC : VRING_EVENT_ENABLE);
	vq->quiet = false;
}

static enum vq_fault packed_start(struct vq *vq, const struct vq_config *cfg)
{
	struct vq_packed *r = &vq->ring;
	unsigned size = cfg->size;

	if (vring_pos_off(cfg->position.next_avail) >= size ||
	    vring_pos_off(cfg->position.next_used) >= size)
		return VQ_FAULT_SIZE;
	if (cfg->desc % VRING_DESC_ALIGN || cfg->driver % VRING_EVENT_ALIGN ||
	    cfg->device % VRING_EVENT_ALIGN)
		return VQ_FAULT_RING_ALIGN;
	r->desc = gmem_at(vq->mem, cfg->desc, vring_desc_bytes(size));
	r->driver = gmem_at(vq->mem, cfg->driver, sizeof(*r->driver));
	r->device = gmem_at(vq->mem, cfg->device, sizeof(*r->device));
	if (!r->desc || !r->driver || !r->device)
		return VQ_FAULT_RING_ADDRESS;
	ask_for_kicks(vq);
	return VQ_OK;
}

/* The table's entries follow each other; of their flags only WRITE counts (2.8.7). */
static enum vq_fault walk_table(struct vq_slot *s, struct vq_desc d)
{
	struct vq_table table;
	enum vq_fault fault = vq_build_table(s->c.vq, d, &table);

	for (unsigned i = 0; !fault && i < table.n; i++)
		fault = vq_build_add(s, vq_table_entry(s->c.vq, &table, i));
	return fault;
}

/* @pos's descriptor, whose flags are @flags: only these were acquired. */
static inline __attribute__((__always_inline__)) struct vq_desc desc_at(const struct vq *vq,
									uint16_t pos,
									uint16_t flags)
{
	struct vq_desc d = vq_desc_load(true, &vq->ring.desc[vring_pos_off(pos)]);

	d.flags = flags;
	return d;
}

/* Walks the list that begins at next_avail with *@d, and leaves the last descriptor there. */
static enum vq_fault walk(struct vq_slot *s, struct vq_desc *d, unsigned *ret_n)
{
	const struct vq *vq = s->c.vq;
	uint16_t pos = vq->pos.next_avail;

	for (unsigned n = 1;; n++) {
		enum vq_fault fault;
		uint16_t flags;

		*ret_n = n;
		if (d->flags & VRING_DESC_F_INDIRECT)
			return n == 1 ? walk_table(s, *d) : VQ_FAULT_INDIRECT_NEXT;
		fault = vq_build_add(s, *d);
		if (fault || !(d->flags & VRING_DESC_F_NEXT))
			return fault;
		if (n == vq->size)
			return VQ_FAULT_LOOP;
		pos = vring_pos_advance(pos, 1, vq->size);
		flags = flags_at(vq, pos);
		if (!is_available(flags, pos))
			return VQ_FAULT_PARTIAL;
		*d = desc_at(vq, pos, flags);
	}
}

/*
 * Takes what most rings are full of: available descriptors that are chains by themselves, in the region
 * where the one before them was. Stops at anything else, or at @max.
 */
static unsigned take_simple(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	unsigned n, room = vq->size - vq->ring.slots_out;
	uint16_t pos = vq->pos.next_avail, size = vq->size;

	if (max > room)
		max = room;
	for (n = 0; n < max; n++) {
		uint16_t flags = flags_at(vq, pos);
		struct vq_desc d;

		if ((flags & (AVAIL_USED | LIST)) != vring_pos_avail_flags(pos))
			break;
		vring_packed_prefetch(vq->ring.desc, vring_pos_off(pos), size);
		d = desc_at(vq, pos, flags);
		chains[n] = vq_build_one(vq, d, d.link);
		if (!chains[n])
			break;
		pos = vring_pos_advance(pos, 1, size);
	}
	vq->ring.slots_out += n;
	vq->pos.next_avail = pos;
	return n;
}

/* Takes the list at next_avail, whatever it is; its first flags are @flags. */
static enum vq_fault take(struct vq *vq, uint16_t flags, struct vq_chain **ret_c)
{
	struct vq_desc d = desc_at(vq, vq->pos.next_avail, flags);
	struct vq_slot *s;
	enum vq_fault fault;
	unsigned n;

	if (vq->ring.slots_out == vq->size)
		return VQ_FAULT_HEAD_IN_FLIGHT;
	s = vq_build_begin(vq);
	fault = walk(s, &d, &n);
	if (!fault && vq->ring.slots_out + n > vq->size)
		fault = VQ_FAULT_HEAD_IN_FLIGHT;
	if (fault) {
		vq_slot_drop(&vq->pool, s);
		return fault;
	}
	*ret_c = vq_build_end(s, d.link, n);
	vq->ring.slots_out += n;
	vq->pos.next_avail = vring_pos_advance(vq->pos.next_avail, n, vq->size);
	return VQ_OK;
}

static int packed_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	unsigned got = take_simple(vq, chains, max);

	while (got < max) {
		uint16_t flags = flags_at(vq, vq->pos.next_avail);
		enum vq_fault fault;

		if (!is_available(flags, vq->pos.next_avail)) {
			/* Or the last look, past what was given back, would send us here for ever. */
			if (vq->returned && got == 0)
				return vq_fail(vq, VQ_FAULT_TAKEN_BACK,
					       vring_pos_off(vq->pos.next_avail));
			break;
		}
		fault = take(vq, flags, &chains[got]);
		if (fault == VQ_NO_ROOM)
			vq->exhausted = true;
		else if (fault && got == 0)
			return vq_fail(vq, fault, vring_pos_off(vq->pos.next_avail));
		if (fault)
			break; /* the good ones first; the bad one is seen again */
		got++;
		got += take_simple(vq, chains + got, max - got);
	}
	return got;
}

static void packed_unpop(struct vq *vq, const struct vq_chain *c)
{
	vq->ring.slots_out -= c->n_slots;
	vq->pos.next_avail = vring_pos_retreat(vq->pos.next_avail, c->n_slots, vq->size);
}

static void packed_release(struct vq *vq, const struct vq_used *used, unsigned n)
{
	uint16_t pos = vq->pos.next_used, size = vq->size, slots = 0;

	for (; n; n--, used++) {
		struct vring_packed_desc *d = &vq->ring.desc[vring_pos_off(pos)];
		/* 2.8.3: WRITE says that there is a length. */
		uint16_t flags = vring_pos_used_flags(pos) | (used->len ? VRING_DESC_F_WRITE : 0);

		d->len = cpu_le32(used->len);
		d->id = cpu_le16(used->id);
		if (pos == vq->published)
			vq->ring.first_flags = flags;
		else
			__atomic_store_n(&d->flags, cpu_le16(flags), __ATOMIC_RELAXED);
		slots += used->slots;
		pos = vring_pos_advance(pos, used->slots, size);
	}
	vq->ring.slots_out -= slots;
	vq->pos.next_used = pos;
}

static bool packed_publish(struct vq *vq, uint16_t old)
{
	const struct vring_packed_event *driver = vq->ring.driver;
	unsigned event;
	uint16_t at;

	/* [B] */
	__atomic_store_n(&vq->ring.desc[vring_pos_off(old)].flags, cpu_le16(vq->ring.first_flags),
			 __ATOMIC_RELEASE);
	vring_full_barrier();                                                    /* [C] */
	event = le16_cpu(__atomic_load_n(&driver->flags, __ATOMIC_ACQUIRE)) & 3; /* [E] */
	if (event <= VRING_EVENT_DISABLE)
		return event == VRING_EVENT_ENABLE;
	if (event != VRING_EVENT_DESC || !vq->event_idx) {
		(void)vq_fail(vq, VQ_FAULT_EVENT, event);
		return false;
	}
	at = le16_cpu(__atomic_load_n(&driver->off_wrap, __ATOMIC_RELAXED));
	return vring_pos_need_event(at, vq->pos.next_used, old, vq->size);
}

static void packed_quiet(struct vq *vq)
{
	if (!vq->quiet)
		set_event_flags(vq, VRING_EVENT_DISABLE);
	vq->quiet = true;
}

static bool packed_rearm(struct vq *vq)
{
	uint16_t next = news(vq);

	ask_for_kicks(vq);
	vring_full_barrier(); /* [D] */
	return !is_available(flags_at(vq, next), next);
}

static bool packed_pending(const struct vq *vq)
{
	return is_available(flags_at(vq, vq->pos.next_avail), vq->pos.next_avail);
}

const struct vq_layout vq_packed_layout = {
	.start = packed_start,
	.pop = packed_pop,
	.unpop = packed_unpop,
	.release = packed_release,
	.publish = packed_publish,
	.quiet = packed_quiet,
	.rearm = packed_rearm,
	.pending = packed_pending,
};
