/*
 * Ring targets: a queue without a device around it. The input is the driver and also the device:
 * which chains are taken, read, written and given back, in what order. No heading.
 */
#include <string.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/observe.h"
#include "tools/fuzz/host/race.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/refdrv.h"
#include "tools/fuzz/language/trace.h"

#define POP_MAX 32u

struct ring {
	struct vq *vq;
	struct refdrv refdrv;
	struct ring_observer observer;
	struct vq_config cfg;
	struct vq_chain *held[REFDRV_SIZE + POP_MAX];
	unsigned n_held;
	unsigned n_fresh; /* of them: the last ones, as they were popped */
	bool packed;
};

static struct refdrv *ring_refdrv(struct ring *r)
{
	return r->refdrv.made ? &r->refdrv : NULL;
}

static void give_all_back(struct ring *r)
{
	while (r->n_held)
		vq_push(r->vq, r->held[--r->n_held]);
	r->n_fresh = 0;
	(void)vq_publish(r->vq);
}

static void fuzz_ring_stop(struct ring *r)
{
	if (!vq_started(r->vq))
		return;
	give_all_back(r);
	if (vq_in_flight(r->vq))
		fuzz_bug("%u chains are in flight, and nobody has them", vq_in_flight(r->vq));
	r->cfg.position = vq_stop(r->vq);
}

/* Inputs are full of zeroes, which are records of this kind without arguments: only as the first of
 * all are they taken for one. */
static void fuzz_ring_start(struct ring *r, struct input *in)
{
	bool meant = in_left(in) || !r->refdrv.made;
	unsigned flags = in8(in), size = in8(in), request = in8(in);
	struct refdrv_kind kind = { .packed = r->packed,
				    .event_idx = flags & 1,
				    .indirect = flags & 2,
				    .in_order = flags & 4 };
	enum vq_fault fault;

	if (!meant)
		return;
	fuzz_ring_stop(r);
	arena_begin();
	size = r->packed ? size % REFDRV_SIZE + 1 : 1u << size % 7;
	if (!refdrv_make(&r->refdrv, 0, size, kind))
		return;
	observe_queue(r->vq, &r->refdrv);
	r->cfg = (struct vq_config){ .desc = r->refdrv.vq.desc,
				     .driver = r->refdrv.vq.driver,
				     .device = r->refdrv.vq.device,
				     .size = (uint16_t)size,
				     .packed = r->packed,
				     .event_idx = kind.event_idx,
				     .indirect = kind.indirect,
				     .in_order = kind.in_order,
				     .request_size = request,
				     .position = vq_position_initial(r->packed) };
	fault = vq_start(r->vq, arena_mem(), &r->cfg);
	trace("start: %u entries, event-idx %d, indirect %d, in-order %d: %s", size, kind.event_idx,
	      kind.indirect, kind.in_order, vq_fault_name(fault));
	if (fault)
		fuzz_bug("a sound ring is refused: %s", vq_fault_name(fault));
}

/* Stops and goes on where it was; on another memory layout or a ring that is elsewhere, too. */
static void stop_and_go(struct ring *r, struct input *in)
{
	unsigned how = in8(in);
	uint64_t value = in64(in);
	enum vq_fault fault;

	if (!vq_started(r->vq))
		return;
	fuzz_ring_stop(r);
	trace("stop at %u, %u", r->cfg.position.next_avail, r->cfg.position.next_used);
	switch (how % 8) {
	case 1:
		r->cfg.desc = value;
		break;
	case 2:
		r->cfg.driver = value;
		break;
	case 3:
		r->cfg.device = value;
		break;
	case 4:
		r->cfg.size = (uint16_t)value;
		break;
	case 5:
		r->cfg.position.next_avail = (uint16_t)value;
		break;
	default:
		break;
	}
	if (how % 8 >= 1 && how % 8 <= 5) {
		arena_wild();
		r->refdrv.lies = true;
	}
	fault = vq_start(r->vq, arena_mem(), &r->cfg);
	trace("start again: %s", vq_fault_name(fault));
}

static void fuzz_ring_add_chain(struct ring *r, struct input *in)
{
	(void)in8(in); /* as a device's: the queue */
	if (refdrv_add_read(ring_refdrv(r), in) & SHAPE_PUBLISH)
		(void)refdrv_publish(&r->refdrv);
}

static void fuzz_ring_corrupt(struct ring *r, struct input *in)
{
	unsigned field, index;

	(void)in8(in);
	field = in8(in);
	index = in8(in);
	if (r->refdrv.made)
		refdrv_corrupt(&r->refdrv, field, index, in64(in));
}

static void fuzz_ring_publish(struct ring *r, struct input *in)
{
	bool wanted = r->refdrv.made && refdrv_publish(&r->refdrv);

	(void)in;
	trace("driver: makes available; a kick is%s wanted", wanted ? "" : " not");
}

static void fuzz_ring_collect(struct ring *r, struct input *in)
{
	refdrv_collect_read(ring_refdrv(r), in);
}

static void fuzz_ring_pop(struct ring *r, struct input *in)
{
	unsigned max = in8(in) % POP_MAX + 1;
	int n;

	if (max > G_N_ELEMENTS(r->held) - r->n_held)
		return;
	n = vq_pop(r->vq, r->held + r->n_held, max);
	if (n <= 0)
		return;
	r->n_held += (unsigned)n;
	r->n_fresh += (unsigned)n;
	if (r->n_held > vq_size(r->vq))
		fuzz_bug("%u chains are lent out by a ring of %u", r->n_held, vq_size(r->vq));
}

/* The device's ways with a chain, one after the other. */
static void fuzz_ring_use(struct ring *r, struct input *in)
{
	unsigned i = in8(in), how = in8(in), len = in16(in);
	static uint8_t pulled[0x10000];
	static const uint8_t zeroes[0x10000];
	struct vq_chain *c;
	struct iovec last;

	if (!r->n_held)
		return;
	i %= r->n_held;
	c = r->held[i];
	if (r->n_fresh > r->n_held - i - 1)
		r->n_fresh = r->n_held - i - 1;
	switch (how % 8) {
	case 0:
		(void)vq_pull(c, pulled, len);
		break;
	case 1:
		(void)vq_pull_some(c, pulled, len);
		break;
	case 2:
		(void)vq_skip(c, len);
		break;
	case 3:
		(void)vq_put(c, zeroes, len);
		break;
	case 4:
		(void)vq_put_some(c, zeroes, len);
		break;
	case 5:
		(void)vq_put_zeroes(c, len);
		break;
	case 6: /* as a host that writes into the chain */
		if (c->wr.n)
			memset(c->wr.iov->iov_base, 0, c->wr.iov->iov_len);
		if (c->wr.n)
			(void)vq_wrote(c, c->wr.iov->iov_len);
		break;
	default:
		if (vq_take_last(&c->wr, len % 16 + 1, &last))
			vq_put_last(c, &last, "0123456789abcdef");
		break;
	}
}

static void fuzz_ring_push(struct ring *r, struct input *in)
{
	unsigned i = in8(in);

	if (!r->n_held)
		return;
	i %= r->n_held;
	vq_push(r->vq, r->held[i]);
	r->n_held--;
	memmove(&r->held[i], &r->held[i + 1], (r->n_held - i) * sizeof(r->held[0]));
	r->n_fresh = 0;
}

static void fuzz_ring_unpop(struct ring *r, struct input *in)
{
	unsigned n = in8(in) % 8 + 1;

	for (; n && r->n_fresh; n--, r->n_fresh--) {
		trace("device: puts chain %u back unused", r->held[r->n_held - 1]->id);
		vq_unpop(r->vq, r->held[--r->n_held]);
	}
}

static void fuzz_ring_flush(struct ring *r, struct input *in)
{
	bool wanted = vq_publish(r->vq);

	(void)in;
	trace("device: publishes; an interrupt is%s wanted", wanted ? "" : " not");
}

static void fuzz_ring_arm(struct ring *r, struct input *in)
{
	unsigned how = in8(in);

	if (how & 1)
		vq_disable_notify(r->vq);
	if (how & 2)
		(void)vq_enable_notify(r->vq);
	if (how & 4)
		(void)vq_pending(r->vq);
}

static void fuzz_ring_poke(struct ring *r, struct input *in)
{
	(void)r;
	arena_poke(in);
}

static void fuzz_ring_race(struct ring *r, struct input *in)
{
	unsigned n = in8(in), how = in8(in);

	(void)r;
	race_arm(n % 32, how, in64(in));
}

static const struct {
	void (*fn)(struct ring *r, struct input *in);
	bool device; /* the device's work, under which memory may change */
} run[N_RING_OPS] = {
	[RING_START] = { fuzz_ring_start, false },
	[RING_CHAIN] = { fuzz_ring_add_chain, false },
	[RING_CORRUPT] = { fuzz_ring_corrupt, false },
	[RING_PUBLISH] = { fuzz_ring_publish, false },
	[RING_COLLECT] = { fuzz_ring_collect, false },
	[RING_POP] = { fuzz_ring_pop, true },
	[RING_USE] = { fuzz_ring_use, true },
	[RING_PUSH] = { fuzz_ring_push, true },
	[RING_UNPOP] = { fuzz_ring_unpop, true },
	[RING_FLUSH] = { fuzz_ring_flush, true },
	[RING_ARM] = { fuzz_ring_arm, true },
	[RING_STOP] = { stop_and_go, false },
	[RING_POKE] = { fuzz_ring_poke, false },
	[RING_RACE] = { fuzz_ring_race, false },
};

void fuzz_ring_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	static struct ring *r; /* large, and all of it is set anew */
	uint8_t op;

	if (!r)
		r = g_new0(struct ring, 1);
	r->packed = t->packed;
	r->vq = vq_new();
	observe_ring(r->vq, &r->observer);
	r->refdrv.made = false;
	arena_init();
	arena_begin();
	race_begin();
	observe_begin();
	while (in_record(&in, &op, &args)) {
		op %= N_RING_OPS;
		race_live(run[op].device);
		run[op].fn(r, &args);
		race_live(false);
	}
	fuzz_ring_stop(r);
	if (r->refdrv.made)
		refdrv_collect(&r->refdrv);
	arena_close();
	vq_free(r->vq);
}
