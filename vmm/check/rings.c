/*
 * What a driver does with its rings while the device has chains of them: a shadow of all
 * descriptors in flight, and notifications that do not come.
 *
 * The shadow is made when the device takes a chain, from guest memory, which a driver that breaks
 * rules may have changed since the device looked; then it is compared when the chain goes back,
 * before the driver sees that it does. A packed ring's descriptors are overwritten by the device
 * itself as it goes round; those are let be.
 *
 * Each queue's state is its owner's.
 */
#include <string.h>

#include "vmm/check/check-int.h"

#define TABLE_SUMMED     256u /* descriptors of an indirect table that are compared */
#define REST_LEN(rest)   ((uint32_t)(rest))
#define REST_FLAGS(rest) ((uint16_t)((rest) >> 32)) /* split: flags, next */
#define REST_NEXT(rest)  ((uint16_t)((rest) >> 48))

static uint64_t ring_load64(const void *at)
{
	return GUINT64_FROM_LE(__atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED));
}

static uint16_t ring_load16(const le16 *at)
{
	return le16_cpu((le16)__atomic_load_n(at, __ATOMIC_RELAXED));
}

/* Both words of a descriptor, of either layout. */
static struct check_desc ring_desc(const void *at)
{
	return (struct check_desc){ .addr = ring_load64(at),
				    .rest = ring_load64((const uint8_t *)at + 8) };
}

/* The same of an indirect table, which lies where it likes. */
static struct check_desc table_desc(const uint8_t *at)
{
	uint64_t words[2];

	memcpy(words, at, sizeof(words));
	return (struct check_desc){ .addr = GUINT64_FROM_LE(words[0]),
				    .rest = GUINT64_FROM_LE(words[1]) };
}

/*
 * Indirect tables.
 */

static const uint8_t *table_at(const struct check_queue *q, const struct check_desc *d)
{
	return gmem_at(q->dev->dev->mem, d->addr, REST_LEN(d->rest));
}

static uint32_t table_sum(const struct check_queue *q, const struct check_desc *d)
{
	const uint8_t *table = table_at(q, d);
	unsigned n = MIN(REST_LEN(d->rest) / 16, TABLE_SUMMED);
	uint64_t sum = 0;

	for (unsigned i = 0; table && i < n; i++) {
		struct check_desc e = table_desc(table + 16ul * i);

		sum = (sum ^ e.addr) * 0x9e3779b97f4a7c15u;
		sum = (sum ^ e.rest) * 0x9e3779b97f4a7c15u;
	}
	return (uint32_t)(sum >> 32);
}

static void table_judge_packed(struct check_queue *q, const uint8_t *table, unsigned n, int head)
{
	if (n > q->size)
		check_broken(q->dev, CHECK_PACKED_LONG, (int)q->index, head, "%u of %u", n,
			     q->size);
	for (unsigned i = 0; i < MIN(n, TABLE_SUMMED); i++) {
		unsigned flags = vring_rest_flags(table_desc(table + 16ul * i).rest);

		if (!(flags & ~VRING_DESC_F_WRITE))
			continue;
		check_broken(q->dev, CHECK_TABLE_FLAGS, (int)q->index, head,
			     "descriptor %u, flags %#x", i, flags);
		return;
	}
}

/* Follows the links, from the first on. */
static void table_judge_split(struct check_queue *q, const uint8_t *table, unsigned n, int head)
{
	bool in_order = check_accepted(q->dev, VIRTIO_F_IN_ORDER);
	unsigned at = 0, length = 0;

	while (at < n && length++ < n) {
		uint64_t rest = table_desc(table + 16ul * at).rest;

		if (!(REST_FLAGS(rest) & VRING_DESC_F_NEXT))
			break;
		if (in_order && REST_NEXT(rest) != at + 1) {
			check_broken(q->dev, CHECK_ORDER_TABLE, (int)q->index, head,
				     "descriptor %u is followed by %u", at, REST_NEXT(rest));
			return;
		}
		at = REST_NEXT(rest);
	}
	if (length > q->size)
		check_broken(q->dev, CHECK_SPLIT_LONG, (int)q->index, head, "%u of %u", length,
			     q->size);
}

static void table_judge(struct check_queue *q, const struct check_desc *d, int head)
{
	const uint8_t *table = table_at(q, d);
	unsigned n = REST_LEN(d->rest) / 16;

	if (n > MAX(q->size, TABLE_SUMMED)) /* the device would not have taken it: it has changed */
		return;
	if (table && q->packed)
		table_judge_packed(q, table, n, head);
	else if (table)
		table_judge_split(q, table, n, head);
}

/*
 * Split rings.
 */

static void split_take(struct check_queue *q, const struct vq_chain *c)
{
	bool in_order = check_accepted(q->dev, VIRTIO_F_IN_ORDER);
	unsigned at = c->id;

	for (unsigned n = 0; n < q->size && at < q->size; n++) {
		struct check_desc d = ring_desc(&q->desc[at]);
		unsigned next = REST_NEXT(d.rest), flags = REST_FLAGS(d.rest);

		d.ours = true;
		d.id = c->id;
		if (flags & VRING_DESC_F_INDIRECT) {
			d.sum = table_sum(q, &d);
			table_judge(q, &d, c->id);
		}
		q->shadow[at] = d;
		if (!(flags & VRING_DESC_F_NEXT) || flags & VRING_DESC_F_INDIRECT)
			return;
		if (in_order && next != (at + 1) % q->size) {
			check_broken(q->dev, CHECK_ORDER_NEXT, (int)q->index, c->id,
				     "descriptor %u is followed by %u", at, next);
			in_order = false; /* told */
		}
		at = next;
	}
}

static void split_judge_flags(struct check_queue *q)
{
	unsigned flags = ring_load16(&q->avail->flags);
	bool event = check_accepted(q->dev, VIRTIO_F_EVENT_IDX);

	if (flags > (event ? 0u : 1u))
		check_broken(q->dev, event ? CHECK_AVAIL_FLAGS_EVENT : CHECK_AVAIL_FLAGS,
			     (int)q->index, -1, "%#x", flags);
}

/* Has it changed since? Told once for each chain. */
static bool desc_changed(struct check_queue *q, const void *at, unsigned place, bool indirect)
{
	const struct check_desc *was = &q->shadow[place];
	struct check_desc is = ring_desc(at);
	/* Without NEXT a split descriptor's next is nothing. */
	uint64_t mask = q->packed || REST_FLAGS(was->rest) & VRING_DESC_F_NEXT ? UINT64_MAX
									       : UINT64_MAX >> 16;
	bool same = is.addr == was->addr && ((is.rest ^ was->rest) & mask) == 0;

	if (same && (!indirect || table_sum(q, was) == was->sum))
		return false;
	check_broken(q->dev, q->packed ? CHECK_PACKED_CHANGED : CHECK_SPLIT_CHANGED, (int)q->index,
		     was->id,
		     same ? "descriptor %u, in its indirect table"
			  : "descriptor %u, address %#" G_GINT64_MODIFIER
			    "x was %#" G_GINT64_MODIFIER "x, length, flags %#" G_GINT64_MODIFIER
			    "x was %#" G_GINT64_MODIFIER "x",
		     place, is.addr, was->addr, is.rest, was->rest);
	return true;
}

/* As it was taken: the links are the shadow's. False: the driver changed it. */
static void split_give(struct check_queue *q, const struct vq_chain *c, bool judge)
{
	unsigned at = c->id;

	for (unsigned n = 0; n < q->size && at < q->size; n++) {
		struct check_desc *was = &q->shadow[at];
		unsigned flags = REST_FLAGS(was->rest);

		if (!was->ours || was->id != c->id)
			return;
		was->ours = false;
		if (judge && desc_changed(q, &q->desc[at], at, flags & VRING_DESC_F_INDIRECT))
			judge = false;
		if (!(flags & VRING_DESC_F_NEXT) || flags & VRING_DESC_F_INDIRECT)
			return;
		at = REST_NEXT(was->rest);
	}
}

/*
 * Packed rings.
 */

static void packed_take(struct check_queue *q, const struct vq_chain *c)
{
	const unsigned size = q->size;

	if (!size || c->n_slots > size || c->id >= size)
		return;
	q->first[c->id] = q->pos;
	for (unsigned i = 0; i < c->n_slots; i++) {
		unsigned at = (vring_pos_off(q->pos) + i) % size;
		struct check_desc d = ring_desc(&q->ring[at]);

		d.ours = true;
		d.id = c->id;
		if (c->n_slots == 1 && vring_rest_flags(d.rest) & VRING_DESC_F_INDIRECT) {
			d.sum = table_sum(q, &d);
			table_judge(q, &d, c->id);
		}
		q->shadow[at] = d;
	}
}

static void packed_give(struct check_queue *q, const struct vq_chain *c, bool judge)
{
	const unsigned size = q->size;

	if (!size || c->n_slots > size || c->id >= size)
		return;
	for (unsigned i = 0; i < c->n_slots; i++) {
		unsigned at = (vring_pos_off(q->first[c->id]) + i) % size;
		struct check_desc *was = &q->shadow[at];

		if (!was->ours || was->id != c->id)
			continue;
		was->ours = false;
		if (judge && desc_changed(q, &q->ring[at], at,
					  c->n_slots == 1 && vring_rest_flags(was->rest) &
								     VRING_DESC_F_INDIRECT))
			judge = false;
	}
}

/*
 * Notifications. The device asks to be told of the next chain, and the driver makes one available:
 * then a notification has to come. We look every wait_ms, and speak when chains lay there for two
 * looks, nothing came and nothing was taken, and the look before them had found that the device
 * had asked.
 */

static uint16_t ring_available(const struct check_queue *q)
{
	unsigned n = 0;

	if (!q->packed)
		return ring_load16(&q->avail->idx);
	for (uint16_t at = q->pos; n < q->size; n++) {
		unsigned both = VRING_DESC_F_AVAIL | VRING_DESC_F_USED;
		uint64_t rest = ring_load64(&q->ring[vring_pos_off(at)].rest);

		if ((vring_rest_flags(rest) & both) != vring_pos_avail_flags(at))
			break;
		at = vring_pos_advance(at, 1, q->size);
	}
	return n ? vring_pos_advance(q->pos, n, q->size) : q->pos;
}

static bool packed_wants(const struct check_queue *q, uint16_t now, uint16_t before)
{
	switch (ring_load16(&q->event->flags) & 3) {
	case VRING_EVENT_ENABLE:
		return now != before;
	case VRING_EVENT_DESC:
		return vring_pos_need_event(ring_load16(&q->event->off_wrap), now, before, q->size);
	default:
		return false;
	}
}

/* Does the device want to be told of what came between? */
static bool ring_wants(const struct check_queue *q, uint16_t now, uint16_t before)
{
	if (q->packed)
		return packed_wants(q, now, before);
	if (check_accepted(q->dev, VIRTIO_F_EVENT_IDX))
		return vring_need_event(ring_load16((const le16 *)&q->used->ring[q->size]), now,
					before);
	return now != before && !(ring_load16(&q->used->flags) & VRING_USED_F_NO_NOTIFY);
}

/* @n entries further: of a split ring's available one, or of a packed ring. */
static uint16_t ring_forward(const struct check_queue *q, uint16_t at, unsigned n)
{
	return q->packed ? vring_pos_advance(at, n, q->size) : (uint16_t)(at + n);
}

static unsigned no_kick_rule(const struct check_queue *q)
{
	if (q->packed)
		return CHECK_NO_KICK_PACKED;
	return check_accepted(q->dev, VIRTIO_F_EVENT_IDX) ? CHECK_NO_KICK_EVENT : CHECK_NO_KICK;
}

static gboolean check_ring_tick(gpointer arg)
{
	struct check_queue *q = arg;
	uint16_t now = ring_available(q);

	if (now == q->told) {
		q->asked = ring_wants(q, ring_forward(q, now, 1), now);
		q->overdue = 0;
	} else if (q->asked && ring_wants(q, now, q->told) && ++q->overdue == 2) {
		check_broken(q->dev, no_kick_rule(q), (int)q->index, -1, "for %u ms",
			     q->dev->checker->wait_ms);
		q->told = now;
		q->asked = false;
	}
	return G_SOURCE_CONTINUE;
}

static void ring_told(struct check_queue *q)
{
	q->told = ring_available(q);
	q->overdue = 0;
}

void check_ring_kicked(struct check_queue *q)
{
	if (q->runs && !q->blind)
		ring_told(q);
}

/*
 * Life.
 */

static bool ring_find(struct check_queue *q)
{
	const struct vdev_queue *r = &q->dev->dev->queue[q->index];
	const struct gmem *mem = q->dev->dev->mem;

	q->packed = check_accepted(q->dev, VIRTIO_F_RING_PACKED);
	if (r->size != q->size) {
		g_free(q->shadow);
		g_free(q->first);
		q->size = r->size;
		q->shadow = g_new0(struct check_desc, q->size);
		q->first = g_new0(uint16_t, q->size);
	}
	if (q->packed) {
		q->ring = gmem_at(mem, r->desc, 16ul * q->size);
		q->event = gmem_at(mem, r->device, 4);
		return q->ring && q->event;
	}
	q->desc = gmem_at(mem, r->desc, vring_desc_bytes(q->size));
	q->avail = gmem_at(mem, r->driver, vring_avail_bytes(q->size));
	q->used = gmem_at(mem, r->device, vring_used_bytes(q->size));
	return q->desc && q->avail && q->used;
}

static void ring_timer_begin(struct check_queue *q)
{
	q->timer = g_timeout_source_new(q->dev->checker->wait_ms);
	g_source_set_callback(q->timer, check_ring_tick, q, NULL);
	g_source_attach(q->timer, loop_context(q->dev->dev->queue[q->index].loop));
}

void check_ring_started(struct check_queue *q)
{
	const struct vdev_queue *r = &q->dev->dev->queue[q->index];
	struct vq_position p;
	bool joined;

	if (q->runs || !vq_started(r->vq) || !ring_find(q))
		return;
	p = vq_position(r->vq);
	q->runs = true;
	q->pos = p.next_avail;
	q->used_pos = p.next_used;
	q->asked = false;
	/* What was in flight when another back-end died is popped once more, and not where the ring
	 * goes on. */
	joined = q->pos != vq_position_initial(q->packed).next_avail;
	q->blind = r->inflight && joined;
	if (joined)
		q->dev->joined = true;
	if (q->blind)
		return;
	ring_told(q);
	ring_timer_begin(q);
}

void check_ring_stopped(struct check_queue *q, bool for_good)
{
	loop_unwatch(q->timer);
	q->timer = NULL;
	q->runs = false;
	if (!for_good)
		return;
	g_free(q->shadow);
	g_free(q->first);
	q->shadow = NULL;
	q->first = NULL;
	q->size = 0;
}

/*
 * Chains.
 */

/* Entries that a chain takes. */
static unsigned ring_entries(const struct check_queue *q, const struct vq_chain *c)
{
	return q->packed ? c->n_slots : 1;
}

/* Is @at beyond @other, both in a ring's reach of each other? */
static bool ring_beyond(const struct check_queue *q, uint16_t at, uint16_t other)
{
	if (!q->packed)
		return (int16_t)(at - other) > 0;
	if ((at ^ other) & VRING_POS_WRAP)
		return vring_pos_off(at) < vring_pos_off(other);
	return vring_pos_off(at) > vring_pos_off(other);
}

void check_ring_popped(struct check_queue *q, const struct vq_chain *c)
{
	if (!q->runs || q->blind)
		return;
	if (q->packed) {
		packed_take(q, c);
	} else {
		split_judge_flags(q);
		split_take(q, c);
	}
	q->pos = ring_forward(q, q->pos, ring_entries(q, c));
	if (ring_beyond(q, q->pos, q->told))
		q->told = q->pos;
	q->overdue = 0;
}

void check_ring_unpopped(struct check_queue *q, const struct vq_chain *c)
{
	if (!q->runs || q->blind)
		return;
	if (q->packed) {
		packed_give(q, c, false);
		q->pos = vring_pos_retreat(q->pos, c->n_slots, q->size);
	} else {
		split_give(q, c, false);
		q->pos--;
	}
}

void check_ring_pushed(struct check_queue *q, const struct vq_chain *c)
{
	if (!q->runs || q->blind)
		return;
	if (!q->packed) {
		split_give(q, c, true);
		return;
	}
	packed_give(q, c, true);
	q->shadow[vring_pos_off(q->used_pos) % q->size].ours = false; /* the device writes there */
	q->used_pos = vring_pos_advance(q->used_pos, c->n_slots, q->size);
}
