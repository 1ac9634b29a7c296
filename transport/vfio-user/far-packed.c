/*
 * A packed ring that is reached by messages (VIRTIO 1.4, 2.8; ring.h). Reads and writes whose order
 * counts are of different steps: descriptors are read once to see which are available, and those
 * that are once more, for how the bytes of one message are copied nobody knows; all used
 * descriptors and the first one's length are written before the first one's flags, these before the
 * driver's event suppression is looked at, and of that the flags before the place.
 *
 * The driver is told once to kick always.
 */
#include "devices/core/engine.h"
#include "transport/vfio-user/ring.h"

#define AVAIL_USED (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)
#define ENTRY      ((unsigned)sizeof(struct vring_packed_desc))
#define REST       8u /* offsets in a descriptor */
#define FLAGS      14u

/* Nothing is available or used: all descriptors were used before. */
static void packed_begin(struct vfu_ring *r)
{
	r->packed.desc = gmem_at(&r->mem, r->at.desc, vring_desc_bytes(r->at.size));
	r->packed.driver = gmem_at(&r->mem, r->at.driver, sizeof(*r->packed.driver));
	r->packed.device = gmem_at(&r->mem, r->at.device, sizeof(*r->packed.device));
	__atomic_store_n(&r->packed.driver->flags, cpu_le16(VRING_EVENT_DISABLE), __ATOMIC_RELEASE);
	for (unsigned i = 0; i < r->at.size; i++) {
		bool behind = i < vring_pos_off(r->used);
		unsigned flags = vring_pos_used_flags(behind ? r->used : r->used ^ VRING_POS_WRAP);

		r->packed.desc[i].rest = cpu_le64(vring_packed_rest(0, 0, (uint16_t)flags));
	}
}

static struct vfu_desc packed_read(const struct vfu_ring *r, uint16_t pos)
{
	return vfu_desc_of(true, r->table + (size_t)ENTRY * vring_pos_off(pos));
}

static uint16_t packed_next(const struct vfu_ring *r, uint16_t pos)
{
	return vring_pos_advance(pos, 1, r->at.size);
}

/*
 * Available.
 */
static void packed_look(struct vfu_ring *r);

/* The end of the last list from @pos on that is there as a whole, at most @n descriptors; or, of
 * one that was not a whole before either, its beginning, for the queue to judge. */
static uint16_t packed_whole(struct vfu_ring *r, uint16_t pos, unsigned n)
{
	uint16_t end = pos;

	for (unsigned i = 0; i < n; i++) {
		bool more = packed_read(r, pos).flags & VRING_DESC_F_NEXT;

		pos = packed_next(r, pos);
		if (!more)
			end = pos;
	}
	if (end == pos || end != r->seen) {
		r->partial = false;
	} else if (r->partial) {
		end = pos;
	} else {
		r->partial = true;
		r->asked = true;
	}
	return end;
}

static void packed_seen_again(struct vfu_ring *r)
{
	unsigned n = 0;

	for (uint16_t pos = r->seen; pos != r->next; pos = packed_next(r, pos))
		n++;
	r->next = packed_whole(r, r->seen, n);
	if (r->next != r->seen)
		vfu_ring_take(r);
}

static void packed_tell(struct vfu_ring *r)
{
	const struct vring_packed_event always = { 0, cpu_le16(VRING_EVENT_ENABLE) };

	memcpy(r->word_out, &always, sizeof(always));
	vfu_put(&r->look, r->at.device, r->word_out, sizeof(always));
	r->told = true;
	r->look.step = packed_look;
}

static void packed_get(struct vfu_ring *r, unsigned off, unsigned n)
{
	vfu_get(&r->look, r->at.desc + (uint64_t)ENTRY * off, r->table + (size_t)ENTRY * off,
		(uint64_t)ENTRY * n);
}

static void packed_seen(struct vfu_ring *r)
{
	unsigned n = 0, off = vring_pos_off(r->seen), first;

	r->next = r->seen;
	while (n < r->at.size && vring_pos_is_available(packed_read(r, r->next).flags, r->next)) {
		r->next = packed_next(r, r->next);
		n++;
	}
	if (n) {
		first = MIN(n, r->at.size - off);
		packed_get(r, off, first);
		packed_get(r, 0, n - first);
		r->look.step = packed_seen_again;
	} else if (!r->told) {
		packed_tell(r);
	}
}

static void packed_look(struct vfu_ring *r)
{
	packed_get(r, 0, r->at.size);
	r->look.step = packed_seen;
}

static void packed_walk(struct vfu_ring *r, vfu_visit_fn visit)
{
	uint16_t pos = r->seen, n = 0;

	do {
		struct vfu_desc d = packed_read(r, pos);

		n++;
		visit(r, &d);
		pos = packed_next(r, pos);
		if (!(d.flags & VRING_DESC_F_NEXT) || pos == r->next) {
			vfu_ring_chain(r, d.link, n);
			n = 0;
		}
	} while (pos != r->next);
}

static void packed_store(struct vfu_ring *r, uint16_t pos, bool rest)
{
	struct vring_packed_desc *to = &r->packed.desc[vring_pos_off(pos)];
	struct vring_packed_desc from;

	memcpy(&from, r->table + (size_t)ENTRY * vring_pos_off(pos), sizeof(from));
	__atomic_store_n(&to->addr, from.addr, __ATOMIC_RELAXED);
	if (rest)
		__atomic_store_n(&to->rest, from.rest, __ATOMIC_RELEASE);
}

/* The first one's flags are the last. */
static void packed_offer(struct vfu_ring *r)
{
	packed_store(r, r->seen, false);
	for (uint16_t pos = packed_next(r, r->seen); pos != r->next; pos = packed_next(r, pos))
		packed_store(r, pos, true);
	packed_store(r, r->seen, true);
}

/*
 * Used.
 */
static void packed_collect(struct vfu_ring *r, struct vfu_batch *b)
{
	for (unsigned n = 0; n < r->at.size; n++) {
		uint64_t rest = le64_cpu(__atomic_load_n(
			&r->packed.desc[vring_pos_off(r->used)].rest, __ATOMIC_ACQUIRE));
		uint16_t slots;

		if ((vring_rest_flags(rest) & AVAIL_USED) != vring_pos_used_flags(r->used))
			return;
		slots = vfu_ring_used(r, b, (uint16_t)(rest >> 32), (uint32_t)rest, r->used,
				      cpu_le64(rest));
		r->used = vring_pos_advance(r->used, MIN(slots, r->at.size), r->at.size);
	}
}

static uint64_t packed_address(const struct vfu_ring *r, uint16_t pos)
{
	return r->at.desc + (uint64_t)ENTRY * vring_pos_off(pos);
}

static const le64 *packed_words(const struct vfu_batch *b)
{
	return (void *)b->word->data;
}

static uint16_t packed_pos(const struct vfu_batch *b, unsigned i)
{
	return g_array_index(b->pos, uint16_t, i);
}

static void packed_judge(struct vfu_ring *r, unsigned flags, uint16_t place)
{
	const struct vfu_batch *b = vfu_ring_batch(r);

	if (flags == VRING_EVENT_DESC && r->at.event_idx)
		vfu_ring_shown(r, vring_pos_need_event(place, b->now, b->old, r->at.size));
	else if (flags <= VRING_EVENT_DISABLE)
		vfu_ring_shown(r, flags == VRING_EVENT_ENABLE);
	else
		vdev_queue_broken(r->v->dev, r->q, -1, VQ_FAULT_EVENT);
}

static uint16_t packed_half(const struct vfu_ring *r, unsigned i)
{
	le16 half;

	memcpy(&half, r->word_event + 2ul * i, sizeof(half));
	return le16_cpu(half);
}

static void packed_judge_place(struct vfu_ring *r)
{
	packed_judge(r, VRING_EVENT_DESC, packed_half(r, 0));
}

static void packed_judge_flags(struct vfu_ring *r)
{
	unsigned flags = packed_half(r, 1) & 3;

	if (flags == VRING_EVENT_DESC && r->at.event_idx) {
		vfu_get(&r->back, r->at.driver, r->word_event, 2);
		r->back.step = packed_judge_place;
	} else {
		packed_judge(r, flags, 0);
	}
}

static void packed_ask_for_suppression(struct vfu_ring *r)
{
	vfu_get(&r->back, r->at.driver + 2, r->word_event + 2, 2);
	r->back.step = packed_judge_flags;
}

static void packed_put_first_flags(struct vfu_ring *r)
{
	const struct vfu_batch *b = vfu_ring_batch(r);

	vfu_put(&r->back, packed_address(r, packed_pos(b, 0)) + FLAGS,
		(const uint8_t *)packed_words(b) + (FLAGS - REST), 2);
	r->back.step = packed_ask_for_suppression;
}

static void packed_show(struct vfu_ring *r)
{
	const struct vfu_batch *b = vfu_ring_batch(r);

	vfu_put(&r->back, packed_address(r, packed_pos(b, 0)) + REST, packed_words(b),
		FLAGS - REST);
	for (unsigned i = 1; i < b->word->len; i++)
		vfu_put(&r->back, packed_address(r, packed_pos(b, i)) + REST, packed_words(b) + i,
			sizeof(le64));
	r->back.step = packed_put_first_flags;
}

const struct vfu_ring_layout vfu_packed_ring = {
	.begin = packed_begin,
	.look = packed_look,
	.walk = packed_walk,
	.offer = packed_offer,
	.collect = packed_collect,
	.show = packed_show,
};
