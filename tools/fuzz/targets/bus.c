/*
 * The transports by themselves, "pci" and "mmio": accesses of any width to any place of the bus, at
 * several functions at once, while the devices behind interrupt, change their configuration, and
 * the board refuses what it likes. The rings of these devices, if they have any, are the guest's
 * chance.
 */
#include "devices/core/state.h"
#include "devices/registry.h"
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/host/observe.h"
#include "tools/fuzz/host/race.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/links/board.h"
#include "transport/mmio/mmio.h"
#include "transport/virtio-pci/virtio-pci.h"

#define MMIO     0xd0000000ull
#define ECAM     0xe0000000ull
#define MEM      (8ull << 40)
#define MEM_SIZE (1ull << 30)
#define N_DEVS   3u

struct bus {
	bool pci, stale;
	GMainContext *context;
	struct loop *loop;
	struct board_fake *board;
	struct fakes fakes;
	struct vdev *dev[N_DEVS];
	struct vdev_observer observer[N_DEVS]; /* of each */
	struct pci_root *root;
	struct vpci *function[N_DEVS];
	struct mmio *mmio[N_DEVS];
};

static struct vdev *fuzz_bus_make_device(struct bus *b, unsigned i)
{
	static const char *const specs[N_DEVS] = { "rng,features=+in_order,,+notification_data",
						   "net,backend=tap,ifname=fake,queue-pairs=3",
						   "input,ring=packed" };
	struct vdev_env env = { .mem = arena_mem(), .main_loop = b->loop, .n_cpus = 1 };
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(specs[i], &name);
	GError *err = NULL;
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, &err);

	if (!dev)
		fuzz_bug("%s: %s", specs[i], err->message);
	return dev;
}

/* The guest wrote to the chipset's reset control register. */
static void fuzz_bus_on_reset(void *opaque)
{
	(void)opaque;
	trace("machine: reset");
}

/* That somebody knows where the structures are outlives a guest, and one input must do the same on
 * a bus that others have used as on a fresh one. */
static void fuzz_bus_read_capabilities(struct bus *b)
{
	for (unsigned slot = 0; slot < 32; slot++)
		for (unsigned off = 0x40; off < 0x100; off += 4)
			(void)board_fake_read(b->board, false, ECAM + slot * 0x8000ull + off, 4);
}

static struct bus *bus_new(bool pci)
{
	struct pci_root_config config = {
		.ecam_base = ECAM, .mem_base = MEM, .mem_size = MEM_SIZE, .reset = fuzz_bus_on_reset
	};
	struct bus *b = g_new0(struct bus, 1);
	GError *err = NULL;

	arena_init();
	b->pci = pci;
	b->context = g_main_context_new();
	g_main_context_set_poll_func(b->context, host_poll);
	host_set_context(b->context);
	b->loop = loop_main();
	fakes_collect(&b->fakes);
	b->board = fuzz_board_new(true);
	if (pci)
		b->root = pci_root_new(board_fake_board(b->board), &config, &err);
	for (unsigned i = 0; i < N_DEVS; i++) {
		struct mmio_config on_mmio = { .base = MMIO + (uint64_t)i * MMIO_SIZE,
					       .gsi = 5 + i,
					       .cached_registers = i == 1 };

		b->dev[i] = fuzz_bus_make_device(b, i);
		observe_device(b->dev[i], &b->observer[i]);
		if (pci)
			b->function[i] = vpci_new(b->dev[i], b->root, 0, &err);
		else
			b->mmio[i] = mmio_new(b->dev[i], board_fake_board(b->board), &on_mmio,
					      &err);
	}
	if (err)
		fuzz_bug("%s", err->message);
	if (pci)
		fuzz_bus_read_capabilities(b);
	return b;
}

static void bus_free(struct bus *b)
{
	host_set_context(b->context);
	fakes_collect(&b->fakes);
	for (unsigned i = 0; i < N_DEVS; i++) {
		vpci_free(b->function[i]);
		mmio_free(b->mmio[i]);
		vdev_free(b->dev[i]);
	}
	pci_root_free(b->root);
	board_fake_free(b->board);
	loop_free(b->loop);
	g_main_context_unref(b->context);
	fakes_collect(NULL);
	host_set_context(NULL);
	g_free(b);
}

static void fuzz_bus_machine_reset(struct bus *b)
{
	if (b->pci)
		pci_root_reset(b->root);
	for (unsigned i = 0; i < N_DEVS && !b->pci; i++)
		mmio_reset(b->mmio[i]);
	arena_close();
	(void)board_fake_interrupts(b->board);
}

/*
 * The guest. An access's code: two bits of width, two of the function, one that chooses the BAR.
 */
static uint64_t fuzz_bus_address(const struct bus *b, uint32_t off, unsigned code)
{
	unsigned n = code / 4 % 4;

	if (!b->pci)
		return MMIO + (uint64_t)n * MMIO_SIZE + off;
	if (code & 16) /* where they are after reset, one behind the other */
		return MEM + (uint64_t)n * 0x4000 + off;
	return ECAM + ((uint64_t)n << 15) + (off & 0xfff);
}

static void bus_read(struct bus *b, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in);

	(void)board_fake_read(b->board, false, fuzz_bus_address(b, off, code), 1u << code % 4);
}

static void bus_write(struct bus *b, struct input *in)
{
	uint32_t off = in16(in);
	unsigned code = in8(in);

	arena_wild();
	board_fake_write(b->board, false, fuzz_bus_address(b, off, code), 1u << code % 4, in64(in));
}

static void fuzz_bus_port_read(struct bus *b, struct input *in)
{
	unsigned off = in8(in) % 8, code = in8(in);

	(void)board_fake_read(b->board, true, 0xcf8 + off, 1u << code % 3);
}

static void fuzz_bus_port_write(struct bus *b, struct input *in)
{
	unsigned off = in8(in) % 8, code = in8(in);

	arena_wild();
	board_fake_write(b->board, true, 0xcf8 + off, 1u << code % 3, in64(in));
}

/*
 * The devices, the board and the machine.
 */
static struct vdev *device_of(struct bus *b, struct input *in)
{
	return b->dev[in8(in) % N_DEVS];
}

static void fuzz_bus_interrupt(struct bus *b, struct input *in)
{
	struct vdev *dev = device_of(b, in);
	unsigned q = in8(in);

	trace("device %s: interrupts for queue %u", dev->class->name, q);
	if (!(vdev_status(dev) & VIRTIO_S_DRIVER_OK)) /* no device does it before */
		return;
	if (q < dev->n_queues)
		dev->transport->queue_changed(dev, q);
	else
		dev->transport->config_changed(dev);
}

static void fuzz_bus_change_config(struct bus *b, struct input *in)
{
	struct vdev *dev = device_of(b, in);
	unsigned how = in8(in), off = in8(in);
	uint8_t byte;

	if (off >= dev->config_size)
		return;
	vdev_config_get(dev, off, &byte, 1);
	byte ^= in8(in);
	b->stale = true;
	vdev_config_set(dev, off, &byte, 1, how & 1);
}

/* A status that the driver writes where it should be. */
static void fuzz_bus_write_status(struct bus *b, unsigned i, unsigned status)
{
	if (b->pci)
		board_fake_write(b->board, false, MEM + i * 0x4000ull + 0x14, 1, status);
	else
		board_fake_write(b->board, false, MMIO + (uint64_t)i * MMIO_SIZE + 0x70, 4, status);
}

/* What the transport does with a running device. */
static void fuzz_bus_start(struct bus *b, struct input *in)
{
	unsigned i = in8(in) % N_DEVS, how = in8(in);
	struct vdev *dev = b->dev[i];

	trace("device %s: is started", dev->class->name);
	arena_wild();
	if (b->pci)
		board_fake_write(b->board, false, ECAM + ((i + 1ull) << 15) + 4, 2, 6);
	for (unsigned w = 0; w < 2; w++)
		vdev_features_accept(dev, w, vdev_features_offered(dev, w) & ~(how & 15));
	for (unsigned q = 0; q < 2 && how & 32; q++) {
		vdev_queue_write(dev, q, VQR_SIZE, 8, UINT64_MAX);
		vdev_queue_write(dev, q, VQR_DESC, 0x1000, UINT64_MAX);
		vdev_queue_write(dev, q, VQR_DRIVER, 0x2000, UINT64_MAX);
		vdev_queue_write(dev, q, VQR_DEVICE, 0x3000, UINT64_MAX);
		vdev_queue_write(dev, q, VQR_ENABLE, 1, UINT64_MAX);
	}
	fuzz_bus_write_status(b, i, 11);
	fuzz_bus_write_status(b, i, 15);
}

static void fuzz_bus_interrupts(struct bus *b, struct input *in)
{
	(void)in;
	(void)board_fake_interrupts(b->board);
}

static void end_of_interrupt(struct bus *b, struct input *in)
{
	(void)in;
	board_fake_eoi_all(b->board);
}

static void fuzz_bus_refuse(struct bus *b, struct input *in)
{
	unsigned what = in8(in);

	b->stale |= what &
		    (BOARD_REFUSE_REGPAGE | BOARD_REFUSE_IRQ_LINE); /* which leave their traces */
	board_fake_refuse(b->board, what);
}

static void fuzz_bus_reset(struct bus *b, struct input *in)
{
	(void)in;
	trace("machine: reset");
	fuzz_bus_machine_reset(b);
}

static void fuzz_bus_turn(struct bus *b, struct input *in)
{
	for (unsigned n = in8(in) % 8 + 1; n && g_main_context_iteration(b->context, FALSE); n--)
		;
}

static void (*const run[N_BUS_OPS])(struct bus *b, struct input *in) = {
	[BUS_READ] = bus_read,
	[BUS_WRITE] = bus_write,
	[BUS_PORT_READ] = fuzz_bus_port_read,
	[BUS_PORT_WRITE] = fuzz_bus_port_write,
	[BUS_RAISE] = fuzz_bus_interrupt,
	[BUS_CONFIG] = fuzz_bus_change_config,
	[BUS_START] = fuzz_bus_start,
	[BUS_INTERRUPTS] = fuzz_bus_interrupts,
	[BUS_EOI] = end_of_interrupt,
	[BUS_REFUSE] = fuzz_bus_refuse,
	[BUS_RESET] = fuzz_bus_reset,
	[BUS_TURN] = fuzz_bus_turn,
};

/* As fixture_begin() does it. */
static void fuzz_bus_begin(struct bus *b)
{
	host_set_context(b->context);
	fakes_collect(&b->fakes);
	host_begin(1);
	arena_begin();
	race_begin();
	observe_begin();
	for (unsigned i = 0; i < N_DEVS; i++) {
		vdev_state_forget(b->dev[i]);
		for (unsigned q = 0; q < b->dev[i]->n_queues; q++)
			(void)host_event_take(b->dev[i]->queue[q].kick_fd);
	}
	host_running(true);
	fakes_begin(&b->fakes);
}

void fuzz_bus_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	bool telling = trace_now.on;
	static struct bus *b;
	uint8_t op;

	trace_now.on = false;
	if (b && (b->stale || !fixture_kept()))
		bus_free(g_steal_pointer(&b));
	if (!b)
		b = bus_new(t->arg != NULL);
	fuzz_bus_begin(b);
	trace_now.on = telling;
	while (in_record(&in, &op, &args))
		run[op % N_BUS_OPS](b, &args);
	board_fake_refuse(b->board, 0);
	fuzz_bus_machine_reset(b);
	fuzz_bus_turn(b, &in);
	board_fake_eoi_all(b->board);
	fuzz_bus_turn(b, &in);
	host_running(false);
}
