/*
 * Device targets: one for each row of the registry and each layout of rings. The input is a driver and
 * the host at once. Heading: the link, and which variant of the device.
 */
#include "tools/fuzz/targets/device.h"
#include "tools/fuzz/fixture/arena.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/race.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/story.h"
#include "tools/fuzz/language/variants.h"

/*
 * The driver.
 */
/* Inputs are full of zeroes, which are records of this kind without arguments: only as the first of
 * all are they taken for one. */
static void start(struct world *w, struct input *in)
{
	bool meant = in_left(in) || w->starts == 0;
	struct vfeatures without = { { in64(in), 0 } };
	unsigned n = in8(in), size = in8(in);

	if (!meant)
		return;
	if (!size)
		size = 8;
	else if (vfeatures_has(w->dev->offered, VIRTIO_F_RING_PACKED))
		size = size % TWIN_SIZE + 1;
	else
		size = 1u << size % 7;
	world_start(w, without, n ? n : TWIN_QUEUES, size);
}

static void set_status(struct world *w, struct input *in)
{
	uint32_t value = in8(in);

	story("driver: status %#x", value);
	if (value == 0)
		world_reset(w);
	else
		w->link->set_status(w, value);
}

static void set_features(struct world *w, struct input *in)
{
	unsigned select = in8(in);
	uint32_t bits = in32(in);

	story("driver: accepts %#x of word %u", bits, select);
	w->loose = true;
	arena_wild();
	for (unsigned q = 0; q < TWIN_QUEUES; q++)
		if (world_twin(q))
			world_twin(q)->lies = true;
	w->link->accept(w, select, bits);
}

static unsigned width_of(unsigned code)
{
	return 1u << code % 4;
}

static void read_register(struct world *w, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = width_of(code);
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = w->link->read(w, area, off, len);
	char buf[24];

	story("driver: %s (%u bytes) reads as %#lx", link_register_name(w->link, area, off, buf),
	      len, value);
}

/* Through a register all of memory can become a ring, and a BAR can be moved onto another. */
static void write_register(struct world *w, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in), len = width_of(code);
	enum link_area area = code / 4 % N_LINK_AREAS;
	uint64_t value = in64(in);
	char buf[24];

	if (area != LINK_CONFIG || off >= VDEV_CONFIG_MAX) {
		arena_wild();
		w->moved = true;
	}
	story("driver: writes %#lx to %s (%u bytes)", value,
	      link_register_name(w->link, area, off, buf), len);
	race_live(true);
	w->link->write(w, area, off, len, value);
	race_live(false);
}

static void publish(struct world *w, struct twin *t, unsigned flags)
{
	bool wanted = twin_publish(t);

	if (flags & SHAPE_KICK || (wanted && !(flags & SHAPE_HUSH))) {
		story("driver: queue %u: kick", t->index);
		world_kick(w, t->index);
	}
	if (flags & SHAPE_RUN)
		world_turn(w, TURNS);
}

static void add_chain(struct world *w, struct input *in)
{
	struct twin *t = world_twin(in8(in));
	struct twin_shape shape = twin_shape_read(in);

	if (!t)
		return;
	twin_add(t, &shape);
	if (shape.flags & SHAPE_PUBLISH)
		publish(w, t, shape.flags);
}

static void bend(struct world *w, struct input *in)
{
	struct twin *t = world_twin(in8(in));
	unsigned field = in8(in), index = in8(in);

	(void)w;
	if (t)
		twin_bend(t, field, index, in64(in));
}

static void publish_queue(struct world *w, struct input *in)
{
	struct twin *t = world_twin(in8(in));

	if (t)
		publish(w, t, in8(in));
}

static void kick(struct world *w, struct input *in)
{
	unsigned q = in8(in);

	story("driver: kicks queue %u", q);
	world_kick(w, q);
}

static void turn(struct world *w, struct input *in)
{
	unsigned n = in8(in);

	world_turn(w, n ? n % 32 : TURNS);
}

static void collect(struct world *w, struct input *in)
{
	struct twin *t = world_twin(in8(in));
	unsigned how = in8(in);

	(void)w;
	if (!t)
		return;
	twin_collect(t);
	if (how & 1)
		(void)drv_enable_notify(&t->vq);
	else if (how & 2)
		drv_disable_notify(&t->vq);
}

static void interrupts(struct world *w, struct input *in)
{
	(void)in;
	w->link->interrupts(w);
}

static void reset(struct world *w, struct input *in)
{
	(void)in;
	story("driver: resets the device");
	world_reset(w);
}

static void queue_reset(struct world *w, struct input *in)
{
	unsigned q = in8(in);

	world_settle(w);
	story("driver: resets queue %u", q);
	if (world_twin(q))
		twin_collect(world_twin(q));
	w->link->queue_reset(w, q);
	if (world_twin(q) && vfeatures_has(w->accepted, VIRTIO_F_RING_RESET))
		world_twin(q)->made = false;
}

static void queue_start(struct world *w, struct input *in)
{
	unsigned q = in8(in), size = in8(in);

	if (world_twin(q))
		return;
	world_settle(w);
	race_live(true);
	(void)world_queue_start(w, q,
				vfeatures_has(w->accepted, VIRTIO_F_RING_PACKED)
					? size % TWIN_SIZE + 1
					: 1u << size % 7);
	race_live(false);
}

static void poke(struct world *w, struct input *in)
{
	uint64_t gpa = arena_gpa(in16(in) * 2u);

	arena_wild();
	(void)w;
	story("driver: pokes %zu bytes at %#lx", in_left(in), gpa);
	(void)gmem_write(arena_mem(), gpa, in->at, in_left(in));
}

static void race(struct world *w, struct input *in)
{
	unsigned n = in8(in), how = in8(in);

	(void)w;
	race_arm(n % 32, how, in64(in));
}

static void machine_reset(struct world *w, struct input *in)
{
	(void)in;
	story("machine: reset");
	w->link->machine_reset(w);
	w->moved = true;
	world_reset(w);
}

static void pause_device(struct world *w, struct input *in)
{
	(void)in;
	story("host: pauses the device");
	vdev_pause(w->dev);
	w->paused = true;
}

static void resume_device(struct world *w, struct input *in)
{
	(void)in;
	if (!w->paused)
		return;
	story("host: goes on");
	w->paused = false;
	race_live(true);
	vdev_resume(w->dev);
	race_live(false);
}

static void (*const run[N_DEV_OPS])(struct world *w, struct input *in) = {
	[DEV_START] = start,
	[DEV_STATUS] = set_status,
	[DEV_FEATURES] = set_features,
	[DEV_READ] = read_register,
	[DEV_WRITE] = write_register,
	[DEV_CHAIN] = add_chain,
	[DEV_BEND] = bend,
	[DEV_PUBLISH] = publish_queue,
	[DEV_KICK] = kick,
	[DEV_TURN] = turn,
	[DEV_COLLECT] = collect,
	[DEV_INTERRUPTS] = interrupts,
	[DEV_RESET] = reset,
	[DEV_QUEUE_RESET] = queue_reset,
	[DEV_QUEUE_START] = queue_start,
	[DEV_PAUSE] = pause_device,
	[DEV_RESUME] = resume_device,
	[DEV_POKE] = poke,
	[DEV_RACE] = race,
	[DEV_MACHINE_RESET] = machine_reset,
};

void device_driver_op(struct world *w, unsigned op, struct input *in)
{
	run[op](w, in);
}

void fuzz_device_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	struct world_plan plan = { .packed = t->packed };
	struct world *w;
	uint8_t op;

	plan.link = in8(&in);
	plan.spec = variant_nth(t->arg, in8(&in));
	w = world_get(&plan);
	world_begin(w);
	while (in_record(&in, &op, &args)) {
		op %= N_DEV_OPS;
		if (op < DEV_PAUSE) /* the driver's: its processor runs */
			resume_device(w, &args);
		if (op != DEV_START && op < DEV_CHAIN)
			world_settle(w);
		if (run[op])
			run[op](w, &args);
		else
			device_host_op(w, op, &args);
		w->clean &= op >= DEV_PAUSE;
	}
	resume_device(w, &args);
	world_end(w);
}
