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

/* A packed descriptor's id and flags are in the order of a split one's flags and next. */
static uint64_t rest_as_split(uint64_t rest)
{
	return REST_LEN(rest) | (uint64_t)vring_rest_flags(rest) << 32;
}

static bool packed_is_available(uint64_t rest, uint16_t at)
{
	return vring_pos_is_available(vring_rest_flags(rest), at);
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
 * A chain as it stands in memory when the device has taken it. Then it is what the device took, or
 * the driver made it available before it was all there.
 */

struct ring_span {
	uint64_t rd, wr; /* bytes */
	struct check_desc first;
	bool any, first_writes, unknown;
};

static void span_add(struct check_queue *q, struct ring_span *s, const struct vq_chain *c,
		     const struct check_desc *d)
{
	/* Flags are in the same place but in a packed ring itself. */
	bool writes = REST_FLAGS(d->rest) & VRING_DESC_F_WRITE;
	const struct check_type *t = q->dev->type;
	uint32_t len = REST_LEN(d->rest);

	if (!s->any) {
		s->first = *d;
		s->first_writes = writes;
	}
	s->any = true;
	if (t && (writes ? s->wr + t->tail < c->wr.left : s->rd + len > t->head))
		q->n_data++;
	*(writes ? &s->wr : &s->rd) += len;
}

static void span_add_table(struct check_queue *q, struct ring_span *s, const struct vq_chain *c,
			   const struct check_desc *d)
{
	unsigned n = REST_LEN(d->rest) / 16, at = 0;
	const uint8_t *table = table_at(q, d);

	s->unknown |= !table || n > TABLE_SUMMED;
	for (unsigned i = 0; !s->unknown && i < n && at < n; i++) {
		struct check_desc e = table_desc(table + 16ul * at);

		if (q->packed)
			e.rest = rest_as_split(e.rest);
		span_add(q, s, c, &e);
		if (!q->packed && !(REST_FLAGS(e.rest) & VRING_DESC_F_NEXT))
			break;
		at = q->packed ? at + 1 : REST_NEXT(e.rest);
	}
}

/* Where the device would find its first byte. */
static bool span_begins_there(struct check_queue *q, const struct ring_span *s,
			      const struct vq_chain *c)
{
	const struct vq_cursor *cur = s->first_writes ? &c->wr : &c->rd;
	const void *at = gmem_at(q->dev->dev->mem, s->first.addr, REST_LEN(s->first.rest));

	return !at || (cur->n && cur->iov[0].iov_base == at);
}

static void span_judge(struct check_queue *q, const struct ring_span *s, const struct vq_chain *c)
{
	if (s->unknown)
		return;
	if (s->rd != c->rd.left || s->wr != c->wr.left)
		check_broken(q->dev, q->packed ? CHECK_PACKED_LATE : CHECK_SPLIT_LATE,
			     (int)q->index, c->id,
			     "%" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
			     " bytes, it was %zu and %zu",
			     s->rd, s->wr, c->rd.left, c->wr.left);
	else if (!span_begins_there(q, s, c))
		check_broken(q->dev, q->packed ? CHECK_PACKED_LATE : CHECK_SPLIT_LATE,
			     (int)q->index, c->id,
			     "its first buffer is at %#" G_GINT64_MODIFIER
			     "x, which it was not before",
			     s->first.addr);
}

/*
 * Split rings.
 */

/* A driver that takes buffers back moves the index back, which no driver does for another reason.
 * The device may not have come so far. */
static void split_look(struct check_queue *q)
{
	uint16_t now = ring_load16(&q->avail->idx), back = (uint16_t)(q->seen - now);

	if (back && back <= q->size)
		check_broken(q->dev, CHECK_SPLIT_BACK, (int)q->index, -1, "from %u to %u", q->seen,
			     now);
	q->seen = now;
}

/*
 * No driver can make more chains available than there are descriptors. That the device will find,
 * too, but only when it looks; a driver whose ring has become something else says nothing any more.
 */
static bool split_jumped(struct check_queue *q)
{
	uint16_t now = ring_load16(&q->avail->idx), ahead = (uint16_t)(now - q->pos);

	if (ahead <= q->size || (uint16_t)-ahead <= q->size) /* it goes back: split_look() */
		return false;
	if (!check_ring_is_swapped(q))
		check_broken(q->dev, CHECK_FAULTS + VQ_FAULT_AVAIL_JUMP, (int)q->index, -1,
			     "to %u, of %u", now, q->pos);
	return true;
}

static void split_judge_entry(struct check_queue *q, const struct vq_chain *c)
{
	uint16_t head = ring_load16(&q->avail->ring[q->pos % q->size]);

	if (head != c->id)
		check_broken(q->dev, CHECK_SPLIT_LATE, (int)q->index, c->id, "its entry says %u",
			     head);
}

static void split_take(struct check_queue *q, const struct vq_chain *c)
{
	bool in_order = check_accepted(q->dev, VIRTIO_F_IN_ORDER);
	struct ring_span span = { 0 };
	unsigned at = c->id;

	split_judge_entry(q, c);
	q->n_data = 0;
	for (unsigned n = 0; n < q->size && at < q->size; n++) {
		struct check_desc d = ring_desc(&q->desc[at]);
		unsigned next = REST_NEXT(d.rest), flags = REST_FLAGS(d.rest);

		d.ours = true;
		d.id = c->id;
		if (flags & VRING_DESC_F_INDIRECT) {
			d.sum = table_sum(q, &d);
			table_judge(q, &d, c->id);
			span_add_table(q, &span, c, &d);
		} else {
			span_add(q, &span, c, &d);
		}
		if (q->shadow[at].ours && q->shadow[at].id != c->id)
			check_broken(q->dev, CHECK_SPLIT_CHANGED, (int)q->index, q->shadow[at].id,
				     "descriptor %u belongs to chain %u now, too", at, c->id);
		q->shadow[at] = d;
		if (!(flags & VRING_DESC_F_NEXT) || flags & VRING_DESC_F_INDIRECT)
			break;
		if (in_order && next != (at + 1) % q->size) {
			check_broken(q->dev, CHECK_ORDER_NEXT, (int)q->index, c->id,
				     "descriptor %u is followed by %u", at, next);
			in_order = false; /* told */
		}
		at = next;
	}
	span_judge(q, &span, c);
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

/* Its first descriptor is in flight, unless that is where the device wrote another one's end. */
static void packed_judge_id(struct check_queue *q, const struct vq_chain *c)
{
	unsigned at = vring_pos_off(q->first[c->id]);

	if (q->shadow[at].ours && q->shadow[at].id == c->id)
		check_broken(q->dev, CHECK_PACKED_ID, (int)q->index, c->id,
			     "the other one is at descriptor %u", at);
}

static void packed_take(struct check_queue *q, const struct vq_chain *c)
{
	const unsigned size = q->size;
	struct ring_span span = { 0 };

	if (!size || c->n_slots > size || c->id >= size)
		return;
	packed_judge_id(q, c);
	q->first[c->id] = q->pos;
	q->n_data = 0;
	for (unsigned i = 0; i < c->n_slots; i++) {
		unsigned at = (vring_pos_off(q->pos) + i) % size;
		struct check_desc d = ring_desc(&q->ring[at]);

		d.ours = true;
		d.id = c->id;
		if (c->n_slots == 1 && vring_rest_flags(d.rest) & VRING_DESC_F_INDIRECT) {
			d.sum = table_sum(q, &d);
			table_judge(q, &d, c->id);
			span_add_table(q, &span, c, &d);
		} else {
			struct check_desc as = { .addr = d.addr, .rest = rest_as_split(d.rest) };

			span_add(q, &span, c, &as);
		}
		q->shadow[at] = d;
	}
	span_judge(q, &span, c);
}

/* Places where the next descriptor is or has been. */
static bool *packed_been(struct check_queue *q, uint16_t at)
{
	return &q->been[vring_pos_off(at) + (at & VRING_POS_WRAP ? q->size : 0)];
}

/* Is @place one behind a chain that is available and not taken? */
static bool packed_ends_at(const struct check_queue *q, uint16_t place)
{
	uint16_t at = q->pos;

	for (unsigned n = 0; n < q->size; n++) {
		uint64_t rest = ring_load64(&q->ring[vring_pos_off(at)].rest);

		if (!packed_is_available(rest, at))
			return false;
		at = vring_pos_advance(at, 1, q->size);
		if (at == place && !(vring_rest_flags(rest) & VRING_DESC_F_NEXT))
			return true;
	}
	return false;
}

/*
 * The descriptor where the next chain will begin is a used one, until the driver makes it
 * available: then both of its bits differ, and AVAIL is the wrap counter. A driver whose counter is
 * another one waits for ever, and so does the device.
 */
static void packed_judge_wrap(struct check_queue *q)
{
	unsigned flags = vring_rest_flags(ring_load64(&q->ring[vring_pos_off(q->pos)].rest)) &
			 (VRING_DESC_F_AVAIL | VRING_DESC_F_USED);

	if (flags == vring_pos_used_flags(q->pos ^ VRING_POS_WRAP)) {
		q->was_used = true;
	} else if (flags == vring_pos_avail_flags(q->pos ^ VRING_POS_WRAP) && q->was_used) {
		check_broken(q->dev, CHECK_PACKED_WRAP, (int)q->index, -1,
			     "descriptor %u, wrap counter %u", vring_pos_off(q->pos),
			     q->pos & VRING_POS_WRAP ? 1 : 0);
		q->was_used = false; /* told */
	}
}

/* The next chain begins at another place. */
static void packed_look_at_next(struct check_queue *q)
{
	q->was_used = false;
	packed_judge_wrap(q);
}

/*
 * With NOTIFICATION_DATA. A notification may be late, by as much as its processor was away: of what
 * it names we know only whether the driver was ever there.
 */
static void packed_judge_kick(struct check_queue *q)
{
	int place = atomic_exchange(&q->kick_place, -1);

	if (place < 0)
		return;
	if (vring_pos_off((uint16_t)place) < q->size &&
	    (*packed_been(q, (uint16_t)place) || packed_ends_at(q, (uint16_t)place)))
		return;
	check_broken(q->dev, CHECK_KICK_DATA, (int)q->index, -1, "next_off %u, next_wrap %u",
		     vring_pos_off((uint16_t)place), place & VRING_POS_WRAP ? 1 : 0);
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
		if (!packed_is_available(ring_load64(&q->ring[vring_pos_off(at)].rest), at))
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

/*
 * A bait: without EVENT_IDX avail_event is nothing, and says by turns that a notification is wanted
 * and that none is. A driver that does as it says, each time, reads it.
 */

#define BAIT_TURN 4u /* chains */
#define BAIT_FAR  0x4000u

static bool bait_fits(const struct check_queue *q)
{
	return q->dev->checker->cfg->bait && !q->packed &&
	       !check_accepted(q->dev, VIRTIO_F_EVENT_IDX);
}

static void bait_event(struct check_queue *q)
{
	uint16_t next = q->pos;

	if (!bait_fits(q))
		return;
	q->event_asks = next / BAIT_TURN % 2 == 0;
	__atomic_store_n((le16 *)&q->used->ring[q->size],
			 cpu_le16(q->event_asks ? next : (uint16_t)(next + BAIT_FAR)),
			 __ATOMIC_RELAXED);
}

static bool bait_taken(const struct check_queue *q)
{
	return bait_fits(q) && !q->event_asks && q->kicked[true] >= BAIT_TURN && !q->kicked[false];
}

static unsigned no_kick_rule(const struct check_queue *q)
{
	if (q->packed)
		return CHECK_NO_KICK_PACKED;
	if (bait_taken(q))
		return CHECK_NO_KICK_BAIT;
	return check_accepted(q->dev, VIRTIO_F_EVENT_IDX) ? CHECK_NO_KICK_EVENT : CHECK_NO_KICK;
}

/* Nothing was used, and no configuration has changed. On mmio that cannot be: a bit of
 * InterruptStatus would say so (4.2.2.1). */
static void bait_interrupt(struct check_queue *q)
{
	struct vdev *dev = q->dev->dev;

	if (!dev->baited || !dev->transport || g_strcmp0(dev->transport->name, "pci") != 0)
		return;
	dev->transport->queue_changed(dev, q->index);
	if (q->index != 0)
		return;
	pthread_mutex_lock(&dev->transport_lock);
	dev->transport->config_changed(dev);
	pthread_mutex_unlock(&dev->transport_lock);
}

static gboolean check_ring_tick(gpointer arg)
{
	struct check_queue *q = arg;
	const struct check_type *type = q->dev->type;
	uint16_t now;

	check_registers_tick(q->dev);
	if (q->blind)
		return G_SOURCE_CONTINUE;
	if (q->packed)
		packed_judge_wrap(q);
	else if (split_jumped(q))
		return G_SOURCE_CONTINUE;
	else
		split_look(q);
	if (type && type->tick)
		type->tick(q->dev, q->index);
	bait_interrupt(q);
	now = ring_available(q);
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
	if (!q->runs || q->blind)
		return;
	if (q->packed) {
		packed_judge_kick(q);
		packed_judge_wrap(q);
	} else {
		split_look(q);
	}
	q->kicked[q->event_asks]++;
	ring_told(q);
}

bool check_ring_is_swapped(struct check_queue *q)
{
	uint16_t now, most;

	if (!q->runs || q->blind || q->packed)
		return false;
	q->blind = true; /* there is no telling where it goes on, and the device looks no more */
	now = ring_load16(&q->avail->idx);
	most = (uint16_t)(GUINT16_SWAP_LE_BE(now) - q->pos);
	if (!q->dev->dev->legacy || most > q->size)
		return false;
	check_broken(q->dev, CHECK_LEGACY_ENDIAN, (int)q->index, -1, "%#x", now);
	return true;
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
		g_free(q->been);
		q->size = r->size;
		q->shadow = g_new0(struct check_desc, q->size);
		q->first = g_new0(uint16_t, q->size);
		q->been = g_new0(bool, 2ul * q->size);
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
	if (q->pos !=
	    p.next_avail) /* it does not go on where it was, but anew, or with chains put back */
		memset(q->shadow, 0, q->size * sizeof(*q->shadow));
	q->pos = p.next_avail;
	q->used_pos = p.next_used;
	q->asked = false;
	/* What was in flight when another back-end died is popped once more, and not where the ring
	 * goes on. */
	joined = q->pos != vq_position_initial(q->packed).next_avail;
	q->blind = r->inflight && joined;
	if (joined)
		q->dev->joined = true;
	q->kick_place = -1;
	q->kicked[0] = q->kicked[1] = 0;
	bait_event(q);
	if (q->packed) { /* of one that goes on nobody knows where it has been */
		memset(q->been, joined, 2ul * q->size);
		*packed_been(q, q->pos) = true;
		packed_look_at_next(q);
	} else {
		q->seen = ring_load16(&q->avail->idx);
	}
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
	g_free(q->been);
	q->shadow = NULL;
	q->first = NULL;
	q->been = NULL;
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
		split_look(q);
		split_judge_flags(q);
		split_take(q, c);
	}
	q->pos = ring_forward(q, q->pos, ring_entries(q, c));
	bait_event(q);
	if (q->packed) {
		*packed_been(q, q->pos) = true;
		packed_look_at_next(q);
	}
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
		q->was_used = false;
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
