#include "tools/fuzz/language/refdrv.h"

#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/trace.h"
#include "virtqueue/driver/drv-impl.h"

static void open_ring(const struct drv_vq *vq)
{
	unsigned size = vq->cfg.size;
	bool packed = vq->cfg.packed;

	arena_shut(vq->cfg.gpa, drv_ring_bytes(&vq->cfg));
	arena_open(vq->desc, vring_desc_bytes(size));
	arena_open(vq->driver,
		   packed ? sizeof(struct vring_packed_event) : vring_avail_bytes(size));
	arena_open(vq->device, packed ? sizeof(struct vring_packed_event) : vring_used_bytes(size));
}

bool refdrv_make(struct refdrv *t, unsigned index, unsigned size, struct refdrv_kind kind)
{
	struct drv_config cfg = { .size = (uint16_t)size,
				  .packed = kind.packed,
				  .event_idx = kind.event_idx,
				  .indirect = kind.indirect,
				  .in_order = kind.in_order,
				  .table_max = REFDRV_BUFS,
				  .legacy_align = kind.legacy_align };

	t->made = false;
	t->lies = false;
	t->last = -1;
	t->index = index;
	if (size == 0 || size > REFDRV_SIZE)
		return false;
	cfg.len = drv_bytes(&cfg);
	cfg.gpa = arena_ring(cfg.len, kind.legacy_align ? VRING_LEGACY_ALIGN : 128);
	if (!cfg.gpa)
		return false;
	cfg.base = arena_at(cfg.gpa, cfg.len);
	arena_open(cfg.gpa, drv_ring_bytes(&cfg));
	if (!drv_vq_init(&t->vq, &cfg))
		return false;
	open_ring(&t->vq);
	t->made = true;
	return true;
}

/*
 * Chains.
 */

static bool make_buffer(struct refdrv_chain *c, const struct refdrv_shape *shape, uint32_t len,
			bool cross)
{
	struct drv_buf *b = &c->buf[c->n];

	if (!len)
		len = 1;
	b->len = len;
	if (shape->flags & SHAPE_SAME && c->n > c->n_rd && c->buf[c->n - 1].len == len)
		b->gpa = c->buf[c->n - 1].gpa;
	else
		b->gpa = cross ? arena_crossing(len) : arena_buffer(len);
	if (!b->gpa)
		return false;
	arena_open(b->gpa, len);
	c->n++;
	return true;
}

/* Copies what the driver says into its readable buffers. */
static void refdrv_fill(const struct refdrv_chain *c, struct input payload)
{
	for (unsigned i = 0; i < c->n_rd; i++) {
		struct input part = in_part(&payload, c->buf[i].len);

		(void)gmem_write(arena_mem(), c->buf[i].gpa, part.at, in_left(&part));
	}
}

static bool make_chain(struct refdrv_chain *c, const struct refdrv_shape *shape)
{
	uint32_t readable = (uint32_t)in_left(&shape->payload) + shape->extra;
	unsigned n_rd = shape->n_rd, n_wr = shape->n_wr;

	c->n = 0;
	c->n_rd = (uint8_t)n_rd;
	c->shared = shape->flags & (SHAPE_CROSS | SHAPE_SAME);
	for (unsigned i = 0; i < n_rd; i++) {
		uint32_t len = i + 1 < n_rd ? readable / n_rd : readable - readable / n_rd * i;

		if (!make_buffer(c, shape, len, shape->flags & SHAPE_CROSS && !n_wr && i == 0))
			return false;
	}
	for (unsigned i = 0; i < n_wr; i++) {
		bool status = shape->flags & SHAPE_STATUS && i + 1 == n_wr;

		if (!make_buffer(c, shape, status ? 1 : shape->wr_len,
				 shape->flags & SHAPE_CROSS && i == 0 && !status))
			return false;
	}
	return c->n > 0;
}

/* Where the device finds the chain's table. */
static uint64_t table_bytes(const struct refdrv *t, const struct refdrv_chain *c)
{
	return drv_use_table(&t->vq, c->n) ? sizeof(struct vring_desc) * c->n : 0;
}

/* The id that the reference driver will give to the next chain. */
static uint16_t next_id(const struct drv_vq *vq)
{
	if (!vq->cfg.packed)
		return vq->split.free_head;
	return vq->cfg.in_order ? vring_pos_off(vq->packed.next_avail) : vq->packed.free_id;
}

struct refdrv_shape refdrv_shape_read(struct input *in)
{
	uint8_t n = in8(in), flags = in8(in);
	struct refdrv_shape shape = { .n_rd = n & 15, .n_wr = n >> 4, .flags = flags };

	shape.wr_len = in16(in);
	shape.extra = in16(in);
	shape.payload = *in;
	if (!shape.n_rd && !shape.n_wr)
		shape.n_rd = 1;
	return shape;
}

bool refdrv_add(struct refdrv *t, const struct refdrv_shape *shape)
{
	struct refdrv_chain c, *kept;
	uint16_t id = next_id(&t->vq);
	unsigned slots;

	if (!make_chain(&c, shape))
		return false;
	slots = drv_use_table(&t->vq, c.n) ? 1 : c.n;
	if (slots > t->vq.n_free || t->vq.broken)
		return false;
	refdrv_fill(&c, shape->payload);
	kept = &t->chain[id];
	*kept = c;
	arena_open(drv_table_gpa(&t->vq, id), table_bytes(t, &c));
	t->last_pos = t->vq.packed.next_avail;
	t->last = drv_add(&t->vq, c.buf, c.n_rd, c.n - c.n_rd, kept);
	trace("driver: queue %u: chain %d of %u readable and %u writable buffers%s", t->index,
	      t->last, c.n_rd, c.n - c.n_rd, table_bytes(t, &c) ? ", in a table" : "");
	for (unsigned i = 0; i < c.n && trace_now.on; i++)
		trace("    %s %#lx, %u bytes", i < c.n_rd ? "reads" : "writes", c.buf[i].gpa,
		      c.buf[i].len);
	return t->last >= 0;
}

/*
 * Corrupting.
 */

enum { CORRUPT_ADDR, CORRUPT_LEN, CORRUPT_FLAGS, CORRUPT_NEXT, CORRUPT_TABLE, CORRUPT_RING = 8 };
enum {
	CORRUPT_IDX = CORRUPT_RING,
	CORRUPT_HEAD,
	CORRUPT_EVENT_FLAGS,
	CORRUPT_EVENT_AT,
	N_CORRUPTIONS
};

/* A descriptor of either layout, for us to spoil. */
struct corrupted {
	le64 addr;
	le32 len;
	le16 third, fourth; /* split: flags, next; packed: id, flags */
};

static struct corrupted *ring_desc(struct refdrv *t, unsigned index)
{
	struct drv_vq *vq = &t->vq;
	uint16_t at = (uint16_t)t->last;
	unsigned n = vq->slot[at].n;

	if (n)
		index %= n;
	if (vq->cfg.packed)
		return (struct corrupted *)(void *)&vq->packed.desc[vring_pos_off(
			vring_pos_advance(t->last_pos, (uint16_t)index, vq->cfg.size))];
	while (index--)
		at = vq->slot[at].next;
	return (struct corrupted *)(void *)&vq->split.desc[at];
}

/* Does the range lie in the room for the tables of this queue's own chains? */
static bool own_tables(const struct refdrv *t, uint64_t at, uint64_t len)
{
	uint64_t begin = drv_table_gpa(&t->vq, 0);
	uint64_t end = drv_table_gpa(&t->vq, t->vq.cfg.size);

	return at >= begin && at <= end && len <= end - at;
}

/* Opens what @d names; if it may be a @table, what is named in it, too. */
static void open_desc(const struct refdrv *t, const struct corrupted *d, bool table)
{
	uint64_t at = le64_cpu(d->addr), n = le32_cpu(d->len) / sizeof(*d);
	struct corrupted entry;

	arena_open_bent(at, le32_cpu(d->len));
	if (!table)
		return;
	if (at < ARENA_LOW_LEN && !own_tables(t, at, le32_cpu(d->len)))
		arena_wild(); /* a table of another queue, whose driver will write a new one there
			       */
	if (!gmem_has(arena_mem(), at, le32_cpu(d->len)))
		return;
	for (uint64_t i = 0; i < n && i < REFDRV_BUFS; i++)
		if (gmem_read(arena_mem(), at + i * sizeof(entry), &entry, sizeof(entry)))
			arena_open_bent(le64_cpu(entry.addr), le32_cpu(entry.len));
}

/* From here on the device may be led to any descriptor there is, of whatever chain it once was. */
static void refdrv_open_all(struct refdrv *t)
{
	const struct corrupted *ring = t->vq.cfg.packed ? (const void *)t->vq.packed.desc
							: (const void *)t->vq.split.desc;

	t->lies = true;
	arena_keep();
	for (unsigned i = 0; i < t->vq.cfg.size; i++)
		open_desc(t, &ring[i], t->vq.cfg.indirect);
}

/* The reference driver keeps all but the address of a batch's first descriptor back until it
 * publishes. */
static bool is_held(const struct refdrv *t, bool first)
{
	return first && t->vq.cfg.packed && t->last_pos == t->vq.packed.published;
}

/* @in_ring: not in a table, whose entries lead to nothing but each other. */
static void corrupt_desc(struct refdrv *t, struct corrupted *at, unsigned field, uint64_t value,
			 bool first, bool in_ring)
{
	uint64_t rest = t->vq.packed.first_rest;
	struct corrupted held = { .addr = at->addr,
				  .len = cpu_le32((uint32_t)rest),
				  .third = cpu_le16((uint16_t)(rest >> 32)),
				  .fourth = cpu_le16((uint16_t)(rest >> 48)) };
	struct corrupted *d = is_held(t, first) ? &held : at;
	bool packed = t->vq.cfg.packed;
	le16 *flags = packed ? &d->fourth : &d->third;
	le16 *link = packed ? &d->third : &d->fourth;

	switch (field) {
	case CORRUPT_ADDR:
		d->addr = cpu_le64(value);
		break;
	case CORRUPT_LEN:
		d->len = cpu_le32((uint32_t)value);
		break;
	case CORRUPT_FLAGS:
		*flags = cpu_le16((uint16_t)(le16_cpu(*flags) ^ value));
		break;
	default:
		*link = cpu_le16((uint16_t)value);
		break;
	}
	if (d != at) {
		at->addr = held.addr;
		t->vq.packed.first_rest = le32_cpu(held.len) |
					  (uint64_t)le16_cpu(held.third) << 32 |
					  (uint64_t)le16_cpu(held.fourth) << 48;
	}
	trace("driver: queue %u: corrupted descriptor: address %#lx, %u bytes, flags %#x, %s %u",
	      t->index, le64_cpu(d->addr), le32_cpu(d->len), le16_cpu(*flags),
	      packed ? "id" : "next", le16_cpu(*link));
	t->lies = true;
	arena_keep();
	open_desc(t, d, in_ring && t->vq.cfg.indirect);
	if (in_ring && field == CORRUPT_FLAGS && value & VRING_DESC_F_INDIRECT)
		arena_wild(); /* any bytes are a table now */
	else if (in_ring && (field >= CORRUPT_FLAGS || t->vq.cfg.indirect))
		refdrv_open_all(t);
}

static void corrupt_split(struct refdrv *t, unsigned field, uint16_t value)
{
	struct drv_split *s = &t->vq.split;

	switch (field) {
	case CORRUPT_IDX:
		s->avail_idx = (uint16_t)(s->avail_idx + value);
		break;
	case CORRUPT_HEAD:
		s->avail->ring[(s->avail_idx - 1u) % t->vq.cfg.size] = cpu_le16(value);
		break;
	case CORRUPT_EVENT_FLAGS:
		s->avail->flags = cpu_le16(value);
		return;
	default:
		*s->used_event = cpu_le16(value);
		return;
	}
	refdrv_open_all(t);
}

static void corrupt_packed(struct refdrv *t, unsigned field, uint16_t value)
{
	struct drv_packed *r = &t->vq.packed;

	t->lies = true; /* reserved flags are a mistake that the device will find */
	if (field == CORRUPT_EVENT_AT)
		r->driver->off_wrap = cpu_le16(value);
	else if (field == CORRUPT_EVENT_FLAGS)
		r->driver->flags = cpu_le16(value);
}

void refdrv_corrupt(struct refdrv *t, unsigned field, unsigned index, uint64_t value)
{
	field %= N_CORRUPTIONS;
	if (field >= CORRUPT_RING) {
		trace("driver: queue %u: the ring is corrupted: field %u is %u", t->index, field,
		      (unsigned)(uint16_t)value);
		if (t->vq.cfg.packed)
			corrupt_packed(t, field, (uint16_t)value);
		else
			corrupt_split(t, field, (uint16_t)value);
		return;
	}
	if (t->last < 0)
		return;
	if (field >= CORRUPT_TABLE) {
		const struct refdrv_chain *c = &t->chain[t->last];
		struct corrupted *table = drv_table(&t->vq, (uint16_t)t->last);

		if (table_bytes(t, c))
			corrupt_desc(t, &table[index % c->n], field - CORRUPT_TABLE, value, false,
				     false);
	} else {
		struct corrupted *d = ring_desc(t, index);

		corrupt_desc(t, d, field, value, d == ring_desc(t, 0), true);
	}
}

/*
 * Giving and taking.
 */

bool refdrv_publish(struct refdrv *t)
{
	return drv_publish(&t->vq);
}

static void shut_chain(const struct refdrv *t, const struct refdrv_chain *c)
{
	uint16_t id = (uint16_t)(c - t->chain);

	for (unsigned i = 0; i < c->n && !c->shared; i++)
		arena_shut(c->buf[i].gpa, c->buf[i].len);
	arena_shut(drv_table_gpa(&t->vq, id), table_bytes(t, c));
}

void refdrv_collect(struct refdrv *t)
{
	struct refdrv_chain *c;
	uint32_t len;
	void *cookie;

	for (unsigned i = 0; i < REFDRV_SIZE && drv_used(&t->vq, &cookie, &len); i++) {
		c = cookie;
		trace("driver: queue %u: chain %u comes back, %u bytes written", t->index,
		      (unsigned)(c - t->chain), len);
		shut_chain(t, c);
		if (c - t->chain == t->last)
			t->last = -1;
	}
	if (!t->vq.broken)
		return;
	if (!t->lies && arena_is_sound())
		fuzz_bug("queue %u: the device broke a rule: %s", t->index, t->vq.broken);
	t->made = false;
}

/*
 * As records spell it.
 */
unsigned refdrv_add_read(struct refdrv *t, struct input *in)
{
	struct refdrv_shape shape = refdrv_shape_read(in);

	if (!t)
		return 0;
	refdrv_add(t, &shape);
	return shape.flags;
}

void refdrv_collect_read(struct refdrv *t, struct input *in)
{
	unsigned how = in8(in);

	if (!t)
		return;
	refdrv_collect(t);
	if (how & 1)
		(void)drv_enable_notify(&t->vq);
	else if (how & 2)
		drv_disable_notify(&t->vq);
}
