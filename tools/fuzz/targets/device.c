/*
 * Device targets: one for each row of the registry and each layout of rings. The input is a driver
 * and the host at once. Heading: the link, and which variant of the device.
 */
#include "tools/fuzz/targets/device.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/race.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/language/variants.h"

/*
 * The driver.
 */
/* Inputs are full of zeroes, which are records of this kind without arguments: only as the first of
 * all are they taken for one. */
static void fuzz_device_start(struct fixture *fx, struct input *in)
{
	bool meant = in_left(in) || fx->starts == 0;
	struct vfeatures without = { { in64(in), 0 } };
	unsigned n = in8(in), size = in8(in);

	if (!meant)
		return;
	if (!size)
		size = 8;
	else if (vfeatures_has(fx->dev->offered, VIRTIO_F_RING_PACKED))
		size = size % REFDRV_SIZE + 1;
	else
		size = 1u << size % 7;
	fixture_start(fx, without, n ? n : REFDRV_QUEUES, size);
}

static void fuzz_device_set_status(struct fixture *fx, struct input *in)
{
	uint32_t value = in8(in);

	trace("driver: status %#x", value);
	if (value == 0)
		fixture_reset(fx);
	else
		link_set_status(fx, value);
}

static void fuzz_device_set_features(struct fixture *fx, struct input *in)
{
	unsigned select = in8(in);
	uint32_t bits = in32(in);

	trace("driver: accepts %#x of word %u", bits, select);
	fx->unknown_features = true;
	arena_wild();
	for (unsigned q = 0; q < REFDRV_QUEUES; q++)
		if (fixture_refdrv(q))
			fixture_refdrv(q)->lies = true;
	link_accept(fx, select, bits);
}

static unsigned width_of(unsigned code)
{
	return 1u << code % 4;
}

static void fuzz_device_read_register(struct fixture *fx, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = width_of(code);
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = fx->link->read(fx, area, off, len);
	char buf[24];

	trace("driver: %s (%u bytes) reads as %#lx", link_register_name(fx->link, area, off, buf),
	      len, value);
}

/* Through a register all of memory can become a ring, and a BAR can be moved onto another. */
static void fuzz_device_write_register(struct fixture *fx, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = width_of(code);
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = in64(in);
	char buf[24];

	if (area != LINK_CONFIG || off >= VDEV_CONFIG_MAX) {
		arena_wild();
		fx->moved = true;
	}
	trace("driver: writes %#lx to %s (%u bytes)", value,
	      link_register_name(fx->link, area, off, buf), len);
	race_live(true);
	fx->link->write(fx, area, off, len, value);
	race_live(false);
}

static void fuzz_device_publish(struct fixture *fx, struct refdrv *t, unsigned flags)
{
	bool wanted = refdrv_publish(t);

	if (flags & SHAPE_KICK || (wanted && !(flags & SHAPE_NO_KICK))) {
		trace("driver: queue %u: kick", t->index);
		fixture_kick(fx, t->index);
	}
	if (flags & SHAPE_RUN)
		fixture_turn(fx, TURNS);
}

static void fuzz_device_add_chain(struct fixture *fx, struct input *in)
{
	struct refdrv *t = fixture_refdrv(in8(in));
	unsigned flags = refdrv_add_read(t, in);

	if (flags & SHAPE_PUBLISH)
		fuzz_device_publish(fx, t, flags);
}

static void fuzz_device_corrupt(struct fixture *fx, struct input *in)
{
	struct refdrv *t = fixture_refdrv(in8(in));
	unsigned field = in8(in), index = in8(in);

	(void)fx;
	if (t)
		refdrv_corrupt(t, field, index, in64(in));
}

static void fuzz_device_publish_queue(struct fixture *fx, struct input *in)
{
	struct refdrv *t = fixture_refdrv(in8(in));

	if (t)
		fuzz_device_publish(fx, t, in8(in));
}

static void fuzz_device_kick(struct fixture *fx, struct input *in)
{
	unsigned q = in8(in);

	trace("driver: kicks queue %u", q);
	fixture_kick(fx, q);
}

static void fuzz_device_turn(struct fixture *fx, struct input *in)
{
	unsigned n = in8(in);

	fixture_turn(fx, n ? n % 32 : TURNS);
}

static void fuzz_device_collect(struct fixture *fx, struct input *in)
{
	struct refdrv *t = fixture_refdrv(in8(in));

	(void)fx;
	refdrv_collect_read(t, in);
}

static void fuzz_device_interrupts(struct fixture *fx, struct input *in)
{
	(void)in;
	fx->link->interrupts(fx);
}

static void fuzz_device_reset(struct fixture *fx, struct input *in)
{
	(void)in;
	trace("driver: resets the device");
	fixture_reset(fx);
}

static void fuzz_device_queue_reset(struct fixture *fx, struct input *in)
{
	unsigned q = in8(in);

	fixture_reset_selectors(fx);
	trace("driver: resets queue %u", q);
	if (fixture_refdrv(q))
		refdrv_collect(fixture_refdrv(q));
	link_queue_reset(fx, q);
	if (fixture_refdrv(q) && vfeatures_has(fx->accepted, VIRTIO_F_RING_RESET))
		fixture_refdrv(q)->made = false;
}

static void queue_start(struct fixture *fx, struct input *in)
{
	unsigned q = in8(in), size = in8(in);

	if (fixture_refdrv(q))
		return;
	fixture_reset_selectors(fx);
	race_live(true);
	(void)fixture_queue_start(fx, q,
				  vfeatures_has(fx->accepted, VIRTIO_F_RING_PACKED)
					  ? size % REFDRV_SIZE + 1
					  : 1u << size % 7);
	race_live(false);
}

static void fuzz_device_poke(struct fixture *fx, struct input *in)
{
	(void)fx;
	arena_poke(in);
}

static void fuzz_device_race(struct fixture *fx, struct input *in)
{
	unsigned n = in8(in), how = in8(in);

	(void)fx;
	race_arm(n % 32, how, in64(in));
}

static void fuzz_device_machine_reset(struct fixture *fx, struct input *in)
{
	(void)in;
	trace("machine: reset");
	fx->link->machine_reset(fx);
	fx->moved = true;
	fixture_reset(fx);
}

static void pause_device(struct fixture *fx, struct input *in)
{
	(void)in;
	trace("host: pauses the device");
	vdev_pause(fx->dev);
	fx->paused = true;
}

static void resume_device(struct fixture *fx, struct input *in)
{
	(void)in;
	if (!fx->paused)
		return;
	trace("host: goes on");
	fx->paused = false;
	race_live(true);
	vdev_resume(fx->dev);
	race_live(false);
}

static void (*const run[N_DEV_OPS])(struct fixture *fx, struct input *in) = {
	[DEV_START] = fuzz_device_start,
	[DEV_STATUS] = fuzz_device_set_status,
	[DEV_FEATURES] = fuzz_device_set_features,
	[DEV_READ] = fuzz_device_read_register,
	[DEV_WRITE] = fuzz_device_write_register,
	[DEV_CHAIN] = fuzz_device_add_chain,
	[DEV_CORRUPT] = fuzz_device_corrupt,
	[DEV_PUBLISH] = fuzz_device_publish_queue,
	[DEV_KICK] = fuzz_device_kick,
	[DEV_TURN] = fuzz_device_turn,
	[DEV_COLLECT] = fuzz_device_collect,
	[DEV_INTERRUPTS] = fuzz_device_interrupts,
	[DEV_RESET] = fuzz_device_reset,
	[DEV_QUEUE_RESET] = fuzz_device_queue_reset,
	[DEV_QUEUE_START] = queue_start,
	[DEV_PAUSE] = pause_device,
	[DEV_RESUME] = resume_device,
	[DEV_POKE] = fuzz_device_poke,
	[DEV_RACE] = fuzz_device_race,
	[DEV_MACHINE_RESET] = fuzz_device_machine_reset,
};

void device_driver_op(struct fixture *fx, unsigned op, struct input *in)
{
	run[op](fx, in);
}

void fuzz_device_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	struct fixture_plan plan = { .packed = t->packed };
	struct fixture *fx;
	uint8_t op;

	plan.link = in8(&in);
	plan.spec = variant_nth(t->arg, in8(&in));
	fx = fixture_get(&plan);
	fixture_begin(fx);
	while (in_record(&in, &op, &args)) {
		op %= N_DEV_OPS;
		if (op < DEV_PAUSE) /* the driver's: its processor runs */
			resume_device(fx, &args);
		if (op != DEV_START && op < DEV_CHAIN)
			fixture_reset_selectors(fx);
		if (run[op])
			run[op](fx, &args);
		else
			device_host_op(fx, op, &args);
		fx->clean &= op >= DEV_PAUSE;
	}
	resume_device(fx, &args);
	fixture_end(fx);
}
