/*
 * A split ring that is reached by messages (VIRTIO 1.4, 2.7; ring.h). Reads and writes whose order
 * counts are of different steps: the index before the entries that it counts; buffers and used
 * elements before the index; that before the driver's suppression fields; and where kicks are asked
 * for, the index once more.
 *
 * Kicks are asked for whenever there was nothing more, with the event index; without it, the driver
 * is told once to kick always.
 */
#include "transport/vfio-user/ring.h"

#define AVAIL_IDX 2u /* offsets of what is in a ring's part */
#define AVAIL     4u
#define USED_IDX  2u
#define USED      4u

static uint16_t split_load(const void *at)
{
	return le16_cpu(__atomic_load_n((const le16 *)at, __ATOMIC_ACQUIRE));
}

static void split_store(void *at, uint16_t v)
{
	__atomic_store_n((le16 *)at, cpu_le16(v), __ATOMIC_RELEASE);
}

static uint16_t split_mask(const struct vfu_ring *r)
{
	return r->at.size - 1;
}

static void split_begin(struct vfu_ring *r)
{
	r->split.desc = gmem_at(&r->mem, r->at.desc, vring_desc_bytes(r->at.size));
	r->split.avail = gmem_at(&r->mem, r->at.driver, vring_avail_bytes(r->at.size));
	r->split.used = gmem_at(&r->mem, r->at.device, vring_used_bytes(r->at.size));
	split_store(&r->split.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	split_store(&r->split.avail->idx, r->seen);
	split_store(&r->split.used->idx, r->used);
}

/*
 * Available.
 */
static void split_look_again(struct vfu_ring *r);

static void split_ask_for_kicks(struct vfu_ring *r)
{
	bool event = r->at.event_idx;

	split_store(r->word_out, event ? r->seen : 0);
	vfu_put(&r->look,
		event ? r->at.device + USED + sizeof(struct vring_used_elem) * r->at.size
		      : r->at.device,
		r->word_out, 2);
	r->told = r->armed = true;
	r->look.step = split_look_again;
}

/* Entries [from, from + n) of the available ring, into the copy. */
static void split_get_entries(struct vfu_ring *r, uint16_t from, unsigned n)
{
	unsigned at = from & split_mask(r), first = MIN(n, r->at.size - at);

	vfu_get(&r->look, r->at.driver + AVAIL + 2ull * at, &r->split.avail->ring[at], 2ul * first);
	vfu_get(&r->look, r->at.driver + AVAIL, &r->split.avail->ring[0], 2ul * (n - first));
}

static void split_seen(struct vfu_ring *r)
{
	uint16_t n;

	r->next = split_load(r->word);
	n = r->next - r->seen;
	if (n > r->at.size) { /* a fault, for the queue to find */
		split_store(&r->split.avail->idx, r->next);
		vdev_again(r->v->dev, r->q);
		return;
	}
	if (n) {
		r->armed = false;
		split_get_entries(r, r->seen, n);
		vfu_get(&r->look, r->at.desc, r->table, vring_desc_bytes(r->at.size));
		r->look.step = vfu_ring_take;
	} else if (!r->told || (r->at.event_idx && !r->armed)) {
		split_ask_for_kicks(r);
	}
}

static void split_look_again(struct vfu_ring *r)
{
	vfu_get(&r->look, r->at.driver + AVAIL_IDX, r->word, 2);
	r->look.step = split_seen;
}

static void split_look(struct vfu_ring *r)
{
	split_look_again(r);
}

/* Descriptors go to the copy as they are visited. They may be a queue's that runs. */
static struct vfu_desc split_take_desc(struct vfu_ring *r, uint16_t i)
{
	const uint8_t *from = r->table + sizeof(struct vring_desc) * i;
	typedef uint64_t __attribute__((__may_alias__)) word;
	word *to = (word *)&r->split.desc[i];

	for (unsigned w = 0; w < 2; w++) {
		uint64_t value;

		memcpy(&value, from + 8ul * w, sizeof(value));
		__atomic_store_n(&to[w], value, __ATOMIC_RELAXED);
	}
	return vfu_desc_of(false, from);
}

static void split_walk_chain(struct vfu_ring *r, uint16_t head, vfu_visit_fn visit)
{
	uint16_t at = head;

	for (unsigned left = r->at.size; left && at < r->at.size; left--) {
		struct vfu_desc d = split_take_desc(r, at);

		visit(r, &d);
		if (d.flags & VRING_DESC_F_INDIRECT || !(d.flags & VRING_DESC_F_NEXT))
			break;
		at = d.link;
	}
	vfu_ring_chain(r, head, 1);
}

static void split_walk(struct vfu_ring *r, vfu_visit_fn visit)
{
	for (uint16_t i = r->seen; i != r->next; i++)
		split_walk_chain(r, le16_cpu(r->split.avail->ring[i & split_mask(r)]), visit);
}

static void split_offer(struct vfu_ring *r)
{
	split_store(&r->split.avail->idx, r->next);
}

/*
 * Used.
 */
static void split_collect(struct vfu_ring *r, struct vfu_batch *b)
{
	uint16_t idx = split_load(&r->split.used->idx);

	while (r->used != idx) {
		const struct vring_used_elem *e = &r->split.used->ring[r->used & split_mask(r)];
		le64 word;

		memcpy(&word, e, sizeof(word));
		r->used += vfu_ring_used(r, b, (uint16_t)le32_cpu(e->id), le32_cpu(e->len), r->used,
					 word);
	}
}

static uint64_t split_used_address(const struct vfu_ring *r, uint16_t pos)
{
	return r->at.device + USED + sizeof(struct vring_used_elem) * (pos & split_mask(r));
}

/* Elements that follow each other are written in one. */
static void split_put_used(struct vfu_ring *r, const struct vfu_batch *b)
{
	const uint16_t *pos = (void *)b->pos->data;
	const le64 *word = (void *)b->word->data;
	unsigned n;

	for (unsigned i = 0; i < b->word->len; i += n) {
		n = 1;
		while (i + n < b->word->len && (uint16_t)(pos[i] + n) == pos[i + n] &&
		       (pos[i + n] & split_mask(r)))
			n++;
		vfu_put(&r->back, split_used_address(r, pos[i]), &word[i], n * sizeof(*word));
	}
}

static void split_judge(struct vfu_ring *r)
{
	const struct vfu_batch *b = vfu_ring_batch(r);
	uint16_t said = split_load(r->word_event);
	bool wanted = r->at.event_idx ? vring_need_event(said, b->now, b->old)
				      : !(said & VRING_AVAIL_F_NO_INTERRUPT);

	/* Legacy: whatever the driver suppresses (6.3). */
	if (r->at.notify_on_empty && !r->in_flight.head && !r->fresh.head)
		wanted = true;
	vfu_ring_shown(r, wanted);
}

static void split_ask_for_suppression(struct vfu_ring *r)
{
	vfu_get(&r->back, r->at.event_idx ? r->at.driver + AVAIL + 2ull * r->at.size : r->at.driver,
		r->word_event, 2);
	r->back.step = split_judge;
}

static void split_put_index(struct vfu_ring *r)
{
	split_store(r->word_event, vfu_ring_batch(r)->now);
	vfu_put(&r->back, r->at.device + USED_IDX, r->word_event, 2);
	r->back.step = split_ask_for_suppression;
}

static void split_show(struct vfu_ring *r)
{
	split_put_used(r, vfu_ring_batch(r));
	r->back.step = split_put_index;
}

const struct vfu_ring_layout vfu_split_ring = {
	.begin = split_begin,
	.look = split_look,
	.walk = split_walk,
	.offer = split_offer,
	.collect = split_collect,
	.show = split_show,
};
