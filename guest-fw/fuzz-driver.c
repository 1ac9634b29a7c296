/* The driver: what tools/fuzz/targets/device.c does in-process, on a device that works while we do.
 */
#include "guest-fw/fuzz.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"

#define STARTS_MAX 4u /* in a run: they cost more than anything else */

#define TICKS_US 2000ull /* of a microsecond, or so */
#define RUN_US   20u     /* to let a device work */
#define RACE_MAX 32u

static void wait_us(unsigned us)
{
	uint64_t start = fw_ticks();

	while (fw_ticks() - start < us * TICKS_US)
		fw_relax();
}

static bool fuzz_driver_has(const struct fuzzed *f, unsigned bit)
{
	return f->accepted >> bit & 1;
}

static struct refdrv *refdrv_of(const struct fuzzed *f, unsigned q)
{
	return q < REFDRV_QUEUES && f->refdrv[q]->made ? f->refdrv[q] : NULL;
}

/*
 * Reset.
 */
static void fuzz_driver_reset(struct fuzzed *f)
{
	for (unsigned q = 0; q < REFDRV_QUEUES; q++)
		f->refdrv[q]->made = false;
	if (!virtio_reset(&f->v->dev)) {
		fuzz_leave_bus(f);
		fuzz_restore_bus(f);
		if (!virtio_reset(&f->v->dev))
			fuzz_bug("a device on %s does not come back from its reset, status %#x",
				 f->v->dev.ops->name, virtio_status(&f->v->dev));
	}
	arena_close();
	f->accepted = 0;
	f->unknown_features = false;
	f->race.n = 0;
}

/*
 * Start.
 */
static void fuzz_driver_negotiate(struct fuzzed *f, uint64_t without)
{
	const uint64_t ring = 1ull << VIRTIO_F_RING_PACKED;
	uint64_t offered = virtio_offered(&f->v->dev).w[0], must = 1ull << VIRTIO_F_VERSION_1;

	f->accepted = (offered & ~without & ~ring) | (offered & (must | (f->packed ? ring : 0)));
	trace("driver: accepts features %#lx", f->accepted);
	(void)virtio_accept(&f->v->dev, (struct virtio_features){ { f->accepted } });
}

static bool start_queue(struct fuzzed *f, unsigned index, unsigned size)
{
	struct refdrv_kind kind = { .packed = fuzz_driver_has(f, VIRTIO_F_RING_PACKED),
				    .event_idx = fuzz_driver_has(f, VIRTIO_F_EVENT_IDX),
				    .indirect = fuzz_driver_has(f, VIRTIO_F_INDIRECT_DESC),
				    .in_order = fuzz_driver_has(f, VIRTIO_F_IN_ORDER) };
	unsigned max = virtio_queue_max(&f->v->dev, index);
	struct queue *q;
	struct refdrv *t;

	if (index >= REFDRV_QUEUES || !max)
		return false;
	t = f->refdrv[index];
	q = f->queue[index];
	size = size < max ? size : max;
	if (!refdrv_make(t, index, size < REFDRV_SIZE ? size : REFDRV_SIZE, kind))
		return false;
	t->lies = f->unknown_features;
	q->v = f->v;
	q->index = index;
	q->drv.cfg = t->vq.cfg;
	q->drv.desc = t->vq.desc;
	q->drv.driver = t->vq.driver;
	q->drv.device = t->vq.device;
	trace("driver: queue %u has %u entries", index, t->vq.cfg.size);
	return queue_start(q);
}

static void fuzz_driver_start(struct fuzzed *f, struct input *in)
{
	uint64_t without = in64(in);
	unsigned n = in8(in), size = in8(in);

	if (f->starts++ >= STARTS_MAX)
		return;
	trace("driver: starts");
	fuzz_restore_bus(f);
	fuzz_driver_reset(f);
	arena_begin();
	virtio_acknowledge(&f->v->dev);
	fuzz_driver_negotiate(f, without);
	virtio_irq_on(f->v);
	if (f->v->irq == VIRTIO_MSIX)
		(void)virtio_pci_config_vector(&f->v->dev, 0);
	if (fuzz_driver_has(f, VIRTIO_F_RING_PACKED))
		size = size % REFDRV_SIZE + 1;
	else
		size = size ? 1u << size % 7 : 8;
	for (unsigned q = 0; q < (n ? n : REFDRV_QUEUES) && start_queue(f, q, size); q++)
		;
	virtio_driver_ok(&f->v->dev);
	trace("driver: status is %u", virtio_status(&f->v->dev));
}

static void restart_queue(struct fuzzed *f, struct input *in)
{
	unsigned q = in8(in), size = in8(in);

	if (!refdrv_of(f, q))
		(void)start_queue(f, q,
				  fuzz_driver_has(f, VIRTIO_F_RING_PACKED) ? size % REFDRV_SIZE + 1
									   : 1u << size % 7);
}

static void fuzz_driver_queue_reset(struct fuzzed *f, struct input *in)
{
	unsigned q = in8(in);

	trace("driver: resets queue %u", q);
	if (refdrv_of(f, q))
		refdrv_collect(f->refdrv[q]);
	fuzz_reset_queue(f, q);
	if (refdrv_of(f, q) && fuzz_driver_has(f, VIRTIO_F_RING_RESET))
		f->refdrv[q]->made = false;
}

static void reset_device(struct fuzzed *f, struct input *in)
{
	(void)in;
	trace("driver: resets the device");
	fuzz_driver_reset(f);
}

/*
 * Registers.
 */
static void note_unknown_features(struct fuzzed *f)
{
	f->unknown_features = true;
	arena_wild();
	for (unsigned q = 0; q < REFDRV_QUEUES; q++)
		f->refdrv[q]->lies = true;
}

static void fuzz_driver_set_status(struct fuzzed *f, struct input *in)
{
	uint8_t value = in8(in);

	trace("driver: status %#x", value);
	if (value == 0)
		fuzz_driver_reset(f);
	else
		f->v->dev.ops->set_status(&f->v->dev, value);
}

static void fuzz_driver_set_features(struct fuzzed *f, struct input *in)
{
	unsigned select = in8(in);
	uint32_t bits = in32(in);

	trace("driver: accepts %#x of word %u", bits, select);
	note_unknown_features(f);
	f->v->dev.ops->accept(&f->v->dev, select, bits);
}

static void fuzz_driver_read_register(struct fuzzed *f, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = 1u << code % 4;
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = fuzz_read(f, area, off, len);

	trace("driver: register %#x of area %u (%u bytes) reads as %#lx", off, area, len, value);
}

static void fuzz_driver_write_register(struct fuzzed *f, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = 1u << code % 4;
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = fuzz_value(in64(in));

	if (area != LINK_CONFIG)
		arena_wild();
	trace("driver: writes %#lx to register %#x of area %u (%u bytes)", value, off, area, len);
	fuzz_write(f, area, off, len, value);
}

static void fuzz_driver_interrupts(struct fuzzed *f, struct input *in)
{
	(void)in;
	trace("driver: looks at its interrupts");
	virtio_irq_ack(f->v);
	fuzz_end_irqs();
}

/*
 * Rings.
 */
static void fuzz_driver_kick(struct fuzzed *f, unsigned q)
{
	uint32_t value = q;

	if (fuzz_driver_has(f, VIRTIO_F_NOTIFICATION_DATA) && refdrv_of(f, q))
		value |= drv_notification_data(&f->refdrv[q]->vq);
	trace("driver: queue %u: kick", q);
	fuzz_kick(f, q, value);
}

/* While the device looks at the chain, or did, or will. */
static void race_now(struct fuzzed *f, struct refdrv *t)
{
	for (; f->race.n; f->race.n--)
		refdrv_corrupt(t, f->race.how, f->race.n, f->race.value);
}

static void fuzz_driver_publish(struct fuzzed *f, struct refdrv *t, unsigned flags)
{
	bool wanted = refdrv_publish(t);

	if (flags & SHAPE_KICK || (wanted && !(flags & SHAPE_NO_KICK)))
		fuzz_driver_kick(f, t->index);
	race_now(f, t);
	if (flags & SHAPE_RUN)
		wait_us(RUN_US);
}

static void fuzz_driver_add_chain(struct fuzzed *f, struct input *in)
{
	struct refdrv *t = refdrv_of(f, in8(in));
	unsigned flags = refdrv_add_read(t, in);

	if (flags & SHAPE_PUBLISH)
		fuzz_driver_publish(f, t, flags);
}

static void fuzz_driver_corrupt(struct fuzzed *f, struct input *in)
{
	struct refdrv *t = refdrv_of(f, in8(in));
	unsigned field = in8(in), index = in8(in);

	if (t)
		refdrv_corrupt(t, field, index, fuzz_value(in64(in)));
}

static void fuzz_driver_publish_queue(struct fuzzed *f, struct input *in)
{
	struct refdrv *t = refdrv_of(f, in8(in));

	if (t)
		fuzz_driver_publish(f, t, in8(in));
}

static void kick_queue(struct fuzzed *f, struct input *in)
{
	fuzz_driver_kick(f, in8(in));
}

static void fuzz_driver_collect(struct fuzzed *f, struct input *in)
{
	struct refdrv *t = refdrv_of(f, in8(in));

	refdrv_collect_read(t, in);
}

static void fuzz_driver_poke(struct fuzzed *f, struct input *in)
{
	(void)f;
	arena_poke(in);
}

static void fuzz_driver_race(struct fuzzed *f, struct input *in)
{
	f->race.n = in8(in) % RACE_MAX;
	f->race.how = in8(in);
	f->race.value = fuzz_value(in64(in));
}

static void fuzz_driver_turn(struct fuzzed *f, struct input *in)
{
	(void)f;
	wait_us(in8(in) % 32);
}

static void fuzz_driver_pass_time(struct fuzzed *f, struct input *in)
{
	(void)f;
	wait_us(in16(in) % 1024);
}

static void (*const run[N_DEV_OPS])(struct fuzzed *f, struct input *in) = {
	[DEV_START] = fuzz_driver_start,
	[DEV_STATUS] = fuzz_driver_set_status,
	[DEV_FEATURES] = fuzz_driver_set_features,
	[DEV_READ] = fuzz_driver_read_register,
	[DEV_WRITE] = fuzz_driver_write_register,
	[DEV_CHAIN] = fuzz_driver_add_chain,
	[DEV_CORRUPT] = fuzz_driver_corrupt,
	[DEV_PUBLISH] = fuzz_driver_publish_queue,
	[DEV_KICK] = kick_queue,
	[DEV_TURN] = fuzz_driver_turn,
	[DEV_COLLECT] = fuzz_driver_collect,
	[DEV_INTERRUPTS] = fuzz_driver_interrupts,
	[DEV_RESET] = reset_device,
	[DEV_QUEUE_RESET] = fuzz_driver_queue_reset,
	[DEV_QUEUE_START] = restart_queue,
	[DEV_POKE] = fuzz_driver_poke,
	[DEV_RACE] = fuzz_driver_race,
	[DEV_TIME] = fuzz_driver_pass_time,
};

/*
 * A run.
 */
void fuzz_driver_begin(struct fuzzed *f, unsigned place)
{
	static struct refdrv refdrvs[FUZZ_TOGETHER][REFDRV_QUEUES];
	static struct queue queues[FUZZ_TOGETHER][REFDRV_QUEUES];
	static const enum virtio_irq irqs[] = { VIRTIO_MSIX, VIRTIO_IRQ_LINE, VIRTIO_POLL,
						VIRTIO_MSIX };
	uint8_t way = in8(&f->in);

	(void)in8(&f->in); /* a variant: the machine has what it has */
	for (unsigned q = 0; q < REFDRV_QUEUES; q++) {
		f->refdrv[q] = &refdrvs[place][q];
		f->refdrv[q]->made = false;
		f->queue[q] = &queues[place][q];
	}
	f->v->irq = irqs[way % FW_COUNT(irqs)];
	if (!virtio_can(f->v, f->v->irq))
		f->v->irq = VIRTIO_IRQ_LINE;
	f->by_access = f->v->dev.pci.access_cap && way % 5 == 4;
	f->starts = 0;
	f->accepted = 0;
	f->unknown_features = false;
	f->race.n = 0;
	trace("a %s device, interrupts: %s", f->v->dev.ops->name, virtio_irq_name[f->v->irq]);
}

bool fuzz_driver_step(struct fuzzed *f)
{
	struct input args;
	uint8_t op;

	if (!in_record(&f->in, &op, &args))
		return false;
	op %= N_DEV_OPS;
	if (run[op])
		run[op](f, &args);
	return true;
}

void fuzz_driver_end(struct fuzzed *f)
{
	for (unsigned q = 0; q < REFDRV_QUEUES; q++)
		if (refdrv_of(f, q))
			refdrv_collect(f->refdrv[q]);
	fuzz_restore_bus(f);
	fuzz_driver_reset(f);
	virtio_irq_ack(f->v);
	virtio_irq_off(f->v);
}

void fuzz_end_irqs(void)
{
	static uint32_t ended[256];

	for (unsigned i = 0x20; i < 0xff; i++) {
		if (ended[i] == fw_irqs[i])
			continue;
		ended[i] = fw_irqs[i];
		if (i - IRQ_VECTOR < IRQ_VECTORS)
			fw.irqs_ended[i - IRQ_VECTOR] = ended[i];
		irq_end();
	}
}
