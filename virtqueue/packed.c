/*
 * Packed ring, device's side (VIRTIO 1.4, 2.8).
 *
 * One ring of descriptors goes round: the driver makes them available, we overwrite some with used
 * ones. Whose a descriptor is, its AVAIL and USED flags say, measured against a wrap counter that
 * flips with each lap. Positions hold offset and wrap counter in one number (vring_pos_*).
 *
 * A batch is published by the flags of its first used descriptor, which are stored last: the driver
 * looks at no other before. Barriers, each with its partner in a driver (ours is
 * virtqueue/driver/packed.c):
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

/* Is this the rest of a descriptor that is available, as seen from @pos? */
static bool vq_packed_is_available(uint64_t rest, uint16_t pos)
{
	return vring_pos_is_available(vring_rest_flags(rest), pos);
}

static inline uint64_t vq_packed_rest_of(const struct vring_packed_desc *d)
{
	return le64_cpu(__atomic_load_n(&d->rest, __ATOMIC_ACQUIRE)); /* [A] */
}

static uint64_t vq_packed_rest_at(const struct vq *vq, uint16_t pos)
{
	return vq_packed_rest_of(&vq->ring.desc[vring_pos_off(pos)]);
}

/* Our copy of a descriptor that is available: its address is there with the rest. */
static inline __attribute__((__always_inline__)) struct vq_desc vq_packed_copy_of(
	const struct vring_packed_desc *d, uint64_t rest)
{
	return vq_desc_of(true, __atomic_load_n(&d->addr, __ATOMIC_RELAXED), cpu_le64(rest));
}

/* Where kicks are wanted from: past all that was popped once. */
static uint16_t vq_packed_first_new(const struct vq *vq)
{
	return vring_pos_advance(vq->pos.next_avail, vq->unpopped, vq->size);
}

static void vq_packed_set_event_flags(struct vq *vq, unsigned flags)
{
	/* [E] */
	__atomic_store_n(&vq->ring.device->flags, cpu_le16(flags), __ATOMIC_RELEASE);
}

static void vq_packed_ask_for_kicks(struct vq *vq)
{
	if (vq->event_idx)
		__atomic_store_n(&vq->ring.device->off_wrap, cpu_le16(vq_packed_first_new(vq)),
				 __ATOMIC_RELAXED);
	vq_packed_set_event_flags(vq, vq->event_idx ? VRING_EVENT_DESC : VRING_EVENT_ENABLE);
	vq->notify_disabled = false;
}

static enum vq_fault vq_packed_start(struct vq *vq, const struct vq_config *cfg)
{
	struct vq_packed *r = &vq->ring;
	unsigned size = cfg->size;

	if (vring_pos_off(cfg->position.next_avail) >= size ||
	    vring_pos_off(cfg->position.next_used) >= size)
		return VQ_FAULT_SIZE;
	if (cfg->desc % VRING_DESC_ALIGN || cfg->driver % VRING_EVENT_ALIGN ||
	    cfg->device % VRING_EVENT_ALIGN)
		return VQ_FAULT_RING_ALIGN;
	r->desc = vq_ring_at(vq, cfg->desc, vring_desc_bytes(size));
	r->driver = vq_ring_at(vq, cfg->driver, sizeof(*r->driver));
	r->device = vq_ring_at(vq, cfg->device, sizeof(*r->device));
	if (!r->desc || !r->driver || !r->device)
		return VQ_FAULT_RING_ADDRESS;
	vq_packed_ask_for_kicks(vq);
	return VQ_OK;
}

/* The table's entries follow each other; of their flags only WRITE counts (2.8.7). */
static inline __attribute__((__always_inline__)) enum vq_fault vq_packed_walk_table(
	struct vq_slot *s, struct vq_desc d)
{
	struct vq_table table;
	enum vq_fault fault = vq_build_table(s->c.vq, d, &table);

	for (unsigned i = 0; !fault && i < table.n; i++)
		fault = vq_build_add(s, vq_table_entry(s->c.vq, &table, i));
	return fault;
}

/* Walks the list that begins at next_avail with *@d, and leaves the last descriptor there. */
static enum vq_fault vq_packed_walk(struct vq_slot *s, struct vq_desc *d, unsigned *ret_n)
{
	const struct vq *vq = s->c.vq;
	uint16_t pos = vq->pos.next_avail;

	for (unsigned n = 1;; n++) {
		enum vq_fault fault;
		uint64_t rest;

		*ret_n = n;
		if (d->flags & VRING_DESC_F_INDIRECT)
			return n == 1 ? vq_packed_walk_table(s, *d) : VQ_FAULT_INDIRECT_NEXT;
		fault = vq_build_add(s, *d);
		if (fault || !(d->flags & VRING_DESC_F_NEXT))
			return fault;
		if (n == vq->size)
			return VQ_FAULT_LOOP;
		pos = vring_pos_advance(pos, 1, vq->size);
		rest = vq_packed_rest_at(vq, pos);
		if (!vq_packed_is_available(rest, pos))
			return VQ_FAULT_PARTIAL;
		*d = vq_packed_copy_of(&vq->ring.desc[vring_pos_off(pos)], rest);
	}
}

static enum vq_fault vq_packed_walk_copies(struct vq_slot *s, const struct vq_desc *descs,
					   unsigned n)
{
	enum vq_fault fault = VQ_OK;

	if (n == 1 && descs[0].flags & VRING_DESC_F_INDIRECT)
		return vq_packed_walk_table(s, descs[0]);
	for (unsigned i = 0; i < n && !fault; i++)
		fault = descs[i].flags & VRING_DESC_F_INDIRECT ? VQ_FAULT_INDIRECT_NEXT
							       : vq_build_add(s, descs[i]);
	return fault;
}

static enum vq_fault vq_packed_again(struct vq *vq, uint16_t head, const struct vq_desc *descs,
				     unsigned n, struct vq_chain **ret_c)
{
	struct vq_slot *s = vq_build_begin(vq);
	enum vq_fault fault = vq_packed_walk_copies(s, descs, n);

	(void)head;
	if (fault) {
		vq_slot_drop(&vq->pool, s);
		return fault;
	}
	*ret_c = vq_build_end(s, descs[n - 1].link, n);
	vq->ring.slots_out += n;
	return VQ_OK;
}

/* The next chains, up to the ring's end, as far as they can go the short way; at most @max. */
static unsigned vq_packed_take_lap(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	const struct gmem_region *region = vq->last_region;
	const uint16_t pos = vq->pos.next_avail;
	const unsigned want = vring_pos_avail_flags(pos), off = vring_pos_off(pos);
	const unsigned size = vq->size;
	const struct vring_packed_desc *ring = vq->ring.desc, *at = ring + off;
	struct vq_slot **free = vq->pool.free_slots + vq->pool.n_free_slots;
	unsigned n;

	if (max > size - off)
		max = size - off;
	if (max > vq->pool.n_free_slots)
		max = vq->pool.n_free_slots;
	for (n = 0; n < max; n++, at++) {
		uint64_t rest = vq_packed_rest_of(at);
		struct vq_desc d;

		if ((vring_rest_flags(rest) & (AVAIL_USED | LIST)) != want)
			break;
		d = vq_packed_copy_of(at, rest);
		if (!vq_is_single(region, d))
			break;
		chains[n] = vq_build_single(vq, *--free, region, d, d.link);
	}
	vq->pool.n_free_slots -= n;
	vq->ring.slots_out += n;
	vq->pos.next_avail = vring_pos_advance(pos, n, size);
	return n;
}

static unsigned vq_packed_take_run(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	unsigned room = vq->size - vq->ring.slots_out, n = 0, got;

	if (max > room)
		max = room;
	do {
		got = vq_packed_take_lap(vq, chains + n, max - n);
		n += got;
	} while (got && n < max);
	return n;
}

/* Takes the list at next_avail, whatever it is; of its first descriptor @rest was read. */
static enum vq_fault vq_packed_take(struct vq *vq, uint64_t rest, struct vq_chain **ret_c)
{
	struct vq_desc d = vq_packed_copy_of(&vq->ring.desc[vring_pos_off(vq->pos.next_avail)],
					     rest);
	struct vq_slot *s;
	enum vq_fault fault;
	unsigned n;

	if (vq->ring.slots_out == vq->size)
		return VQ_FAULT_HEAD_IN_FLIGHT;
	s = vq_build_begin(vq);
	fault = vq_packed_walk(s, &d, &n);
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

/* Up to @max chains. Returns how many, or -1. */
static int vq_packed_take_all(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	unsigned got = vq_packed_take_run(vq, chains, max);

	while (got < max) {
		uint64_t rest = vq_packed_rest_at(vq, vq->pos.next_avail);
		enum vq_fault fault;

		if (!vq_packed_is_available(rest, vq->pos.next_avail)) {
			/* Or the last look, past what was given back, would send us here for ever.
			 */
			if (vq->unpopped && got == 0)
				return vq_fail(vq, VQ_FAULT_TAKEN_BACK,
					       vring_pos_off(vq->pos.next_avail));
			break;
		}
		fault = vq_packed_take(vq, rest, &chains[got]);
		if (fault == VQ_NO_ROOM)
			vq->pool_exhausted = true;
		else if (fault && got == 0)
			return vq_fail(vq, fault, vring_pos_off(vq->pos.next_avail));
		if (fault)
			break; /* the good ones first; the bad one is seen again */
		got++;
		got += vq_packed_take_run(vq, chains + got, max - got);
	}
	return got;
}

static uint16_t vq_packed_less(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* A batch may be popped one by one (a device that is given frames does): its lines are fetched when
 * the first is. */
static int vq_packed_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	struct vq_packed *ring = &vq->ring;
	uint16_t next = vq->pos.next_avail, slots = ring->slots_out, took;
	int n;

	if (!ring->fetched && vq_packed_is_available(vq_packed_rest_at(vq, next), next)) {
		ring->fetched = vq_packed_less(ring->expected, VRING_FETCH_MAX);
		vring_packed_fetch(ring->desc, vring_pos_off(next), ring->fetched, vq->size);
	}
	n = vq_packed_take_all(vq, chains, max);
	took = ring->slots_out - slots;
	ring->batch += took;
	ring->fetched -= vq_packed_less(ring->fetched, took);
	return n;
}

bool vq_packed_ahead(const struct vq *vq, unsigned n, struct vq_desc *ret)
{
	uint16_t pos = vring_pos_advance(vq->pos.next_avail, n, vq->size);
	const struct vring_packed_desc *at = &vq->ring.desc[vring_pos_off(pos)];
	uint64_t rest = vq_packed_rest_of(at);

	if (!vq_packed_is_available(rest, pos))
		return false; /* it is the driver's, who may be writing it */
	*ret = vq_packed_copy_of(at, rest);
	return true;
}

static void vq_packed_unpop(struct vq *vq, const struct vq_chain *c)
{
	vq->ring.slots_out -= c->n_slots;
	vq->ring.batch -= vq_packed_less(vq->ring.batch, c->n_slots);
	vq->pos.next_avail = vring_pos_retreat(vq->pos.next_avail, c->n_slots, vq->size);
}

/* Writes used descriptors up to the ring's end. Returns how many of @max. */
static unsigned vq_packed_release_lap(struct vq *vq, struct vq_slot *const *slots, unsigned max)
{
	struct vring_packed_desc *ring = vq->ring.desc;
	const uint16_t pos = vq->pos.next_used, size = vq->size;
	const uint64_t used = vring_packed_rest(0, 0, vring_pos_used_flags(pos));
	/* 2.8.3: WRITE says that there is a length. */
	const uint64_t written = used | vring_packed_rest(0, 0, VRING_DESC_F_WRITE);
	unsigned first = pos == vq->published ? vring_pos_off(pos) : size;
	unsigned off = vring_pos_off(pos), n;
	uint64_t bytes = 0;

	for (n = 0; n < max && off < size; n++) {
		const struct vq_slot *s = slots[n];
		uint64_t rest = vring_packed_rest(s->used, s->c.id, 0) | (s->used ? written : used);

		if (off == first)
			vq->ring.first_rest = rest;
		else
			__atomic_store_n(&ring[off].rest, cpu_le64(rest), __ATOMIC_RELAXED);
		bytes += s->used;
		off += s->c.n_slots;
	}
	off -= vring_pos_off(pos);
	vq->ring.slots_out -= off;
	vq->pos.next_used = vring_pos_advance(pos, off, size);
	vq_count(&vq->stats.bytes_written, bytes);
	return n;
}

static void vq_packed_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	while (n) {
		unsigned done = vq_packed_release_lap(vq, slots, n);

		slots += done;
		n -= done;
	}
}

static bool vq_packed_publish(struct vq *vq, uint16_t old)
{
	const struct vring_packed_event *driver = vq->ring.driver;
	unsigned event;
	uint16_t at;

	vq->ring.expected = vq->ring.batch;
	vq->ring.batch = vq->ring.fetched = 0;
	/* [B] */
	__atomic_store_n(&vq->ring.desc[vring_pos_off(old)].rest, cpu_le64(vq->ring.first_rest),
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

static void vq_packed_disable_notify(struct vq *vq)
{
	if (!vq->notify_disabled)
		vq_packed_set_event_flags(vq, VRING_EVENT_DISABLE);
	vq->notify_disabled = true;
}

static bool vq_packed_enable_notify(struct vq *vq)
{
	uint16_t next = vq_packed_first_new(vq);

	vq_packed_ask_for_kicks(vq);
	vring_full_barrier(); /* [D] */
	return !vq_packed_is_available(vq_packed_rest_at(vq, next), next);
}

static bool vq_packed_pending(const struct vq *vq)
{
	return vq_packed_is_available(vq_packed_rest_at(vq, vq->pos.next_avail),
				      vq->pos.next_avail);
}

const struct vq_layout vq_packed_layout = {
	.start = vq_packed_start,
	.pop = vq_packed_pop,
	.unpop = vq_packed_unpop,
	.release = vq_packed_release,
	.publish = vq_packed_publish,
	.disable_notify = vq_packed_disable_notify,
	.enable_notify = vq_packed_enable_notify,
	.pending = vq_packed_pending,
	.again = vq_packed_again,
};
