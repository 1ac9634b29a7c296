/*
 * Device targets: one for each row of the registry and each layout of rings. The input is a driver and
 * the host at once. Heading: the link, and which variant of the device.
 */
#include <errno.h>
#include <string.h>

#include "devices/input/input.h"
#include "tools/fuzz/arena.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/grammar.h"
#include "tools/fuzz/host.h"
#include "tools/fuzz/race.h"
#include "tools/fuzz/story.h"
#include "tools/fuzz/variants.h"
#include "tools/fuzz/world.h"

#define TURNS 6u /* of the loop, where a record says only "let it work" */

/*
 * The driver.
 */
static void start(struct world *w, struct input *in)
{
	struct vfeatures without = { { in64(in), 0 } };
	unsigned n = in8(in), size = in8(in);

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
		if (w->twin[q])
			w->twin[q]->lies = true;
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
	struct twin *t = world_twin(w, in8(in));
	uint8_t n = in8(in), flags = in8(in);
	struct twin_shape shape = { .n_rd = n & 15, .n_wr = n >> 4, .flags = flags };

	if (!t)
		return;
	shape.wr_len = in16(in);
	shape.extra = in16(in);
	shape.payload = *in;
	if (!shape.n_rd && !shape.n_wr)
		shape.n_rd = 1;
	twin_add(t, &shape);
	if (flags & SHAPE_PUBLISH)
		publish(w, t, flags);
}

static void bend(struct world *w, struct input *in)
{
	struct twin *t = world_twin(w, in8(in));
	unsigned field = in8(in), index = in8(in);

	if (t)
		twin_bend(t, field, index, in64(in));
}

static void publish_queue(struct world *w, struct input *in)
{
	struct twin *t = world_twin(w, in8(in));

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
	struct twin *t = world_twin(w, in8(in));
	unsigned how = in8(in);

	if (!t)
		return;
	twin_collect(t);
	if (how & 1)
		(void)drv_rearm(&t->vq);
	else if (how & 2)
		drv_quiet(&t->vq);
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
	if (world_twin(w, q))
		twin_collect(w->twin[q]);
	w->link->queue_reset(w, q);
	if (world_twin(w, q) && vfeatures_has(w->accepted, VIRTIO_F_RING_RESET))
		w->twin[q]->made = false;
}

static void queue_start(struct world *w, struct input *in)
{
	unsigned q = in8(in), size = in8(in);

	if (world_twin(w, q))
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

/*
 * The host.
 */
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

static void pass_time(struct world *w, struct input *in)
{
	unsigned ms = in16(in);

	story("time: %u ms", ms);
	host_advance(1000000ull * ms);
	world_turn(w, TURNS);
}

static void refuse(struct world *w, struct input *in)
{
	unsigned what = in8(in);

	if (!w->board)
		return;
	w->moved = true;
	w->stale |= what & (REFUSE_SHADOW | REFUSE_LINE); /* which leave their traces */
	fuzz_board_refuse(w->board, what);
}

static void fail(struct world *w, struct input *in)
{
	unsigned what = in8(in);

	(void)w;
	host_fail(what % N_HOST_FAILURES, in8(in));
}

static void disk_policy(struct world *w, struct input *in)
{
	for (unsigned i = 0; i < w->fakes.n_disks; i++)
		fake_disk_policy(w->fakes.disk[i], in8(in));
}

static void disk_end(struct world *w, struct input *in)
{
	static const uint8_t errors[] = { 0, EIO, ENOSPC, EOPNOTSUPP };
	unsigned n = in8(in), result = errors[in8(in) % G_N_ELEMENTS(errors)];

	for (unsigned i = 0; i < w->fakes.n_disks; i++)
		fake_disk_end(w->fakes.disk[i], n, (int)result);
}

static void frame(struct world *w, struct input *in)
{
	unsigned channel = in8(in), flags = in8(in), extra = in16(in);
	struct net_offload off = { .need_csum = flags & 1, .csum_valid = flags & 2 };

	off.segment = in8(in);
	off.seg_size = in16(in);
	off.csum_start = in8(in);
	off.csum_offset = in8(in);
	for (unsigned i = 0; i < w->fakes.n_nets; i++)
		fake_net_frame(w->fakes.net[i], channel, *in, extra, &off);
}

static void cable(struct world *w, struct input *in)
{
	unsigned how = in8(in), a = in8(in), b = in8(in);

	for (unsigned i = 0; i < w->fakes.n_nets; i++) {
		struct fake_net *n = w->fakes.net[i];

		if (how & 1)
			fake_net_busy(n, a % 16, b % 16);
		if (how & 2)
			fake_net_writable(n, a);
		if (how & 4)
			fake_net_link(n, b & 1);
		fake_net_echo(n, how & 8);
	}
}

static struct fake_chr *chr_of(struct world *w, unsigned n)
{
	return w->fakes.n_chrs ? w->fakes.chr[n % w->fakes.n_chrs] : NULL;
}

static void bytes(struct world *w, struct input *in)
{
	struct fake_chr *c = chr_of(w, in8(in));

	if (!c)
		return;
	w->stale = true; /* what a console has read it keeps, whoever drives it */
	fake_chr_bytes(c, *in);
}

static void peer(struct world *w, struct input *in)
{
	struct fake_chr *c = chr_of(w, in8(in));
	unsigned how = in8(in), a = in16(in), b = in16(in);

	if (!c)
		return;
	if (how & 1)
		fake_chr_connect(c, how & 2);
	if (how & 4) {
		w->stale = true;
		fake_chr_room(c, a);
	}
	if (how & 8)
		fake_chr_size(c, (uint16_t)a, (uint16_t)b);
	if (how & 16)
		fake_chr_trouble(c);
}

static void events(struct world *w, struct input *in)
{
	struct input_ev ev[INPUT_REPORT_MAX];
	size_t n = 0;

	while (in_left(in) && n < G_N_ELEMENTS(ev)) {
		ev[n].type = in8(in);
		ev[n].code = in16(in);
		ev[n++].value = (int16_t)in16(in);
	}
	if (w->fakes.n_evdevs) {
		w->stale = true; /* half a report is kept until the rest comes */
		for (size_t i = 0; i < n; i++)
			fake_evdev_event(w->fakes.evdev[0], &ev[i]);
		if (n == 1 && ev[0].type == 0xff)
			fake_evdev_gone(w->fakes.evdev[0]);
	} else if (input_is(w->dev) && input_send(w->dev, ev, n)) {
		story("host: a report of %zu events", n);
	}
}

/* For variants on the project's own back-ends: their sockets' other ends. */
static void host_bytes(struct world *w, struct input *in)
{
	int fd = host_nth(HOST_STREAM, in8(in) % 2);

	if (fd < 0)
		return;
	w->stale = true;
	host_feed(fd, in->at, in_left(in));
}

static void host_peer(struct world *w, struct input *in)
{
	unsigned how = in8(in);
	int listening = host_nth(HOST_LISTEN, 0), fd = host_nth(HOST_STREAM, 0);

	if (listening >= 0 || fd >= 0)
		w->stale = true;
	if (how & 1 && listening >= 0)
		host_knock(listening);
	if (how & 2 && fd >= 0)
		host_hang_up(fd, how & 4);
	if (how & 8 && fd >= 0)
		host_room(fd, in16(in));
	host_answer(!(how & 16));
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
	[DEV_TIME] = pass_time,
	[DEV_REFUSE] = refuse,
	[DEV_FAIL] = fail,
	[DEV_DISK_POLICY] = disk_policy,
	[DEV_DISK_END] = disk_end,
	[DEV_FRAME] = frame,
	[DEV_CABLE] = cable,
	[DEV_BYTES] = bytes,
	[DEV_PEER] = peer,
	[DEV_EVENTS] = events,
	[DEV_HOST_BYTES] = host_bytes,
	[DEV_HOST_PEER] = host_peer,
	[DEV_MACHINE_RESET] = machine_reset,
};

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
		run[op](w, &args);
		w->clean &= op >= DEV_PAUSE;
	}
	resume_device(w, &args);
	world_end(w);
}
