/*
 * Split ring, device's side (VIRTIO 1.4, 2.7).
 *
 * The driver owns the descriptor table and the available ring, we own the used ring. Barriers, each
 * with its partner in a driver (ours is virtqueue/driver/split.c):
 *
 *   A  acquire of avail->idx: what it counts, ring entries and descriptors, is there.
 *      Partner: the driver's release of avail->idx (its A).
 *   B  release of used->idx: used elements, and the data in the buffers, are there before it.
 *      Partner: the driver's acquire of used->idx (its B).
 *   C  full barrier between our used->idx and our look at whether the driver wants an interrupt.
 *      Partner: the driver's full barrier between asking for one and its last look at used->idx
 *      (its D). One of the two sees the other.
 *   D  full barrier between asking for kicks and our last look at avail->idx.
 *      Partner: the driver's full barrier between its avail->idx and its look at whether we want a
 *      kick (its C).
 */
#include "virtqueue/build.h"

/* In one piece with popping, though a rarer way has them, too: the calls would be 20 instructions a
 * chain. */
#define IN_POP inline __attribute__((__always_inline__))

#define LIST (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)

static uint16_t vq_split_load16(const le16 *at)
{
	return le16_cpu(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static void vq_split_store16(le16 *at, uint16_t v)
{
	__atomic_store_n(at, cpu_le16(v), __ATOMIC_RELAXED);
}

/* Where kicks are wanted from: past all that was popped once. */
static uint16_t vq_split_first_new(const struct vq *vq)
{
	return vq->pos.next_avail + vq->unpopped;
}

static void vq_split_ask_for_kicks(struct vq *vq)
{
	if (vq->event_idx)
		vq_split_store16(vq->split.avail_event, vq_split_first_new(vq));
	else
		vq_split_store16(&vq->split.used->flags, 0);
	vq->notify_disabled = false;
}

static enum vq_fault vq_split_start(struct vq *vq, const struct vq_config *cfg)
{
	struct vq_split *s = &vq->split;
	unsigned size = cfg->size;

	if (size & (size - 1))
		return VQ_FAULT_SIZE;
	if (cfg->desc % VRING_DESC_ALIGN || cfg->driver % VRING_AVAIL_ALIGN ||
	    cfg->device % VRING_USED_ALIGN)
		return VQ_FAULT_RING_ALIGN;
	s->desc = vq_ring_at(vq, cfg->desc, vring_desc_bytes(size));
	s->avail = vq_ring_at(vq, cfg->driver, vring_avail_bytes(size));
	s->used = vq_ring_at(vq, cfg->device, vring_used_bytes(size));
	if (!s->desc || !s->avail || !s->used)
		return VQ_FAULT_RING_ADDRESS;
	s->used_event = &s->avail->ring[size];
	s->avail_event = (le16 *)&s->used->ring[size];
	s->avail_seen = vq->pos.next_avail;
	vq_split_ask_for_kicks(vq);
	return VQ_OK;
}

static inline __attribute__((__always_inline__)) struct vq_desc vq_split_desc_at(
	const struct vq *vq, uint16_t i)
{
	return vq_desc_load(false, &vq->split.desc[i]);
}

/* The rest of a chain lies in the table that @d tells of. */
static IN_POP enum vq_fault vq_split_walk_table(struct vq_slot *s, struct vq_desc d)
{
	struct vq_table table;
	enum vq_fault fault = vq_build_table(s->c.vq, d, &table);
	unsigned i = 0;

	for (unsigned left = table.n; !fault; left--) {
		if (left == 0)
			return VQ_FAULT_LOOP;
		d = vq_table_entry(s->c.vq, &table, i);
		if (d.flags & VRING_DESC_F_INDIRECT)
			return VQ_FAULT_INDIRECT_NESTED;
		fault = vq_build_add(s, d);
		if (fault || !(d.flags & VRING_DESC_F_NEXT))
			return fault;
		i = d.link;
		if (i >= table.n)
			return VQ_FAULT_NEXT;
	}
	return fault;
}

/* DEV-SPLIT-INDIRECT-02: a table may come at the end of direct descriptors. */
static IN_POP enum vq_fault vq_split_walk(struct vq_slot *s, struct vq_desc d)
{
	const struct vq *vq = s->c.vq;

	for (unsigned left = vq->size; left; left--) {
		enum vq_fault fault;

		if (d.flags & VRING_DESC_F_INDIRECT)
			return vq_split_walk_table(s, d);
		fault = vq_build_add(s, d);
		if (fault || !(d.flags & VRING_DESC_F_NEXT))
			return fault;
		if (d.link >= vq->size)
			return VQ_FAULT_NEXT;
		d = vq_split_desc_at(vq, d.link);
	}
	return VQ_FAULT_LOOP;
}

static uint16_t vq_split_head_at(const struct vq *vq, uint16_t i)
{
	return vq_split_load16(&vq->split.avail->ring[i & vq->mask]);
}

/* The next chains as far as they can go the short way, at most @max; so many are there. */
static unsigned vq_split_take_run(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	const struct gmem_region *region = vq->last_region;
	const struct vring_desc *desc = vq->split.desc;
	const le16 *ring = vq->split.avail->ring;
	struct vq_slot **free = vq->pool.free_slots + vq->pool.n_free_slots;
	uint16_t next = vq->pos.next_avail, mask = vq->mask;
	uint8_t *in_flight = vq->pool.in_flight;
	unsigned n;

	if (max > vq->pool.n_free_slots)
		max = vq->pool.n_free_slots;
	for (n = 0; n < max; n++, next++) {
		uint16_t head = vq_split_load16(&ring[next & mask]);
		struct vq_desc d;

		if (head > mask || in_flight[head])
			break;
		d = vq_desc_load(false, &desc[head]);
		if (d.flags & LIST || !vq_is_single(region, d))
			break;
		chains[n] = vq_build_single(vq, *--free, region, d, head);
		in_flight[head] = 1;
	}
	vq->pool.n_free_slots -= n;
	vq->pos.next_avail = next;
	return n;
}

/* Takes the chain at @head, whatever it is. */
static IN_POP enum vq_fault vq_split_take(struct vq *vq, uint16_t head, struct vq_chain **ret_c)
{
	struct vq_slot *s;
	enum vq_fault fault;

	if (head >= vq->size)
		return VQ_FAULT_HEAD;
	if (vq->pool.in_flight[head])
		return VQ_FAULT_HEAD_IN_FLIGHT;
	s = vq_build_begin(vq);
	fault = vq_split_walk(s, vq_split_desc_at(vq, head));
	if (fault) {
		vq_slot_drop(&vq->pool, s);
		return fault;
	}
	vq->pool.in_flight[head] = 1;
	vq->pos.next_avail++;
	*ret_c = vq_build_end(s, head, 1);
	return VQ_OK;
}

/* The driver leaves its descriptors alone until they are used. */
static enum vq_fault vq_split_again(struct vq *vq, uint16_t head, const struct vq_desc *descs,
				    unsigned n, struct vq_chain **ret_c)
{
	enum vq_fault fault = vq_split_take(vq, head, ret_c);

	(void)descs, (void)n;
	if (!fault)
		vq->pos.next_avail--; /* that counted it before */
	return fault;
}

/* How many chains wait; more than the ring holds if the driver jumped. */
static unsigned vq_split_look(struct vq *vq)
{
	/* [A] */
	vq->split.avail_seen = le16_cpu(__atomic_load_n(&vq->split.avail->idx, __ATOMIC_ACQUIRE));
	return (uint16_t)(vq->split.avail_seen - vq->pos.next_avail);
}

static int vq_split_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	unsigned n = (uint16_t)(vq->split.avail_seen - vq->pos.next_avail);
	unsigned got;

	if (n == 0)
		n = vq_split_look(vq);
	if (n > vq->size)
		return vq_fail(vq, VQ_FAULT_AVAIL_JUMP, vq->pos.next_avail);
	if (n > max)
		n = max;
	got = vq_split_take_run(vq, chains, n);
	while (got < n) {
		uint16_t head = vq_split_head_at(vq, vq->pos.next_avail);
		enum vq_fault fault = vq_split_take(vq, head, &chains[got]);

		if (fault == VQ_NO_ROOM)
			vq->pool_exhausted = true;
		else if (fault && got == 0)
			return vq_fail(vq, fault, head);
		if (fault)
			break; /* the good ones first; the bad one is seen again */
		got++;
		got += vq_split_take_run(vq, chains + got, n - got);
	}
	return got;
}

bool vq_split_ahead(const struct vq *vq, unsigned n, struct vq_desc *ret)
{
	uint16_t head;

	if (n >= (uint16_t)(vq->split.avail_seen - vq->pos.next_avail))
		return false;
	head = vq_split_head_at(vq, (uint16_t)(vq->pos.next_avail + n));
	if (head > vq->mask)
		return false;
	*ret = vq_desc_load(false, &vq->split.desc[head]);
	return true;
}

static void vq_split_unpop(struct vq *vq, const struct vq_chain *c)
{
	vq->pool.in_flight[c->id] = 0;
	vq->pos.next_avail--;
}

static void vq_split_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	struct vring_used_elem *ring = vq->split.used->ring;
	uint8_t *in_flight = vq->pool.in_flight;
	uint16_t at = vq->pos.next_used, mask = vq->mask;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct vq_slot *s = slots[i];

		ring[at & mask] = (struct vring_used_elem){
			.id = cpu_le32(s->c.id),
			.len = cpu_le32(s->used),
		};
		in_flight[s->c.id] = 0;
		bytes += s->used;
		at += s->c.n_slots;
	}
	vq->pos.next_used = at;
	vq_count(&vq->stats.bytes_written, bytes);
}

static bool vq_split_publish(struct vq *vq, uint16_t old)
{
	uint16_t now = vq->pos.next_used;

	/* [B] */
	__atomic_store_n(&vq->split.used->idx, cpu_le16(now), __ATOMIC_RELEASE);
	vring_full_barrier(); /* [C] */
	if (vq->notify_on_empty && vq_split_load16(&vq->split.avail->idx) == vq->pos.next_avail)
		return true; /* whatever the driver suppresses (6.3) */
	if (vq->event_idx)
		return vring_need_event(vq_split_load16(vq->split.used_event), now, old);
	return !(vq_split_load16(&vq->split.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* With the event index there is nothing to write (DEV-SPLIT-AVAILSUPP-03): the event that was last
 * asked for is behind the driver's index, or soon will be. */
static void vq_split_disable_notify(struct vq *vq)
{
	if (!vq->event_idx && !vq->notify_disabled)
		vq_split_store16(&vq->split.used->flags, VRING_USED_F_NO_NOTIFY);
	vq->notify_disabled = true;
}

static bool vq_split_enable_notify(struct vq *vq)
{
	vq_split_ask_for_kicks(vq);
	vring_full_barrier(); /* [D] */
	return vq_split_load16(&vq->split.avail->idx) == vq_split_first_new(vq);
}

static bool vq_split_pending(const struct vq *vq)
{
	return vq_split_load16(&vq->split.avail->idx) != vq->pos.next_avail;
}

const struct vq_layout vq_split_layout = {
	.start = vq_split_start,
	.pop = vq_split_pop,
	.unpop = vq_split_unpop,
	.release = vq_split_release,
	.publish = vq_split_publish,
	.disable_notify = vq_split_disable_notify,
	.enable_notify = vq_split_enable_notify,
	.pending = vq_split_pending,
	.again = vq_split_again,
};
