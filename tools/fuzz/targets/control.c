/*
 * The control socket: clients come and go, say what they like in pieces of any size, and read as
 * much as they like. Behind it are four devices, one of which may have a driver, and a machine of
 * nothing.
 */
#include <string.h>

#include "devices/base/latencies.h"
#include "devices/blk/disk.h"
#include "devices/net/card.h"
#include "devices/registry.h"
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/host/observe.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/device.h"
#include "vmm/control/control.h"
#include "vmm/kvm/registers.h"

#define N_DEVS 4u
#define DISK   2u /* the one that is a disk, */
#define CARD   3u /* and a network card */

struct room {
	struct control *ctl;
	struct fixture fixture[N_DEVS]; /* their loop is the room's */
	struct fixture *driven;         /* the one that has a driver in this run; NULL: none */
	GMainContext *context;
	struct loop *loop;
	const char *status;
	uint64_t disk_size; /* at first */
};

/*
 * The machine.
 */
static const char *get_status(void *opaque)
{
	return ((struct room *)opaque)->status;
}

static const char *get_name(void *opaque)
{
	(void)opaque;
	return "fuzz";
}

static unsigned get_n_vcpus(void *opaque)
{
	(void)opaque;
	return 2;
}

static gint64 get_vcpu_thread(void *opaque, unsigned cpu)
{
	(void)opaque;
	return 4711 + cpu;
}

static void fuzz_control_quit(void *opaque)
{
	((struct room *)opaque)->status = "shutdown";
}

static void fuzz_control_powerdown(void *opaque)
{
	control_event("POWERDOWN", false, ((struct room *)opaque)->ctl);
}

static void fuzz_control_reset(void *opaque)
{
	control_event("RESET", false, ((struct room *)opaque)->ctl);
}

/* As the machine's, which turns the loop while it waits for its processors. */
static void fuzz_control_stop(void *opaque)
{
	struct room *r = opaque;

	for (unsigned i = 0; i < 3; i++)
		g_main_context_iteration(r->context, FALSE);
	r->status = "paused";
	control_event("STOP", false, r->ctl);
}

static void fuzz_control_cont(void *opaque)
{
	struct room *r = opaque;

	r->status = "running";
	control_event("RESUME", false, r->ctl);
}

static void each_device(void *opaque, control_device_fn fn, void *arg)
{
	struct room *r = opaque;

	for (unsigned i = 0; i < N_DEVS; i++)
		fn(r->fixture[i].dev, i % 2 ? "mmio" : "pci", arg);
}

static int fuzz_control_while_paused(void *opaque, void (*fn)(void *arg), void *arg)
{
	(void)opaque;
	fn(arg);
	return 0;
}

static bool fuzz_control_send_break(void *opaque)
{
	(void)opaque;
	return true;
}

static void each_stat(void *opaque, control_stat_fn fn, void *arg)
{
	(void)opaque;
	fn("vcpu0", "exits-io", 7, arg);
	fn("vcpu1", "exits-io", 9, arg);
}

static void each_unanswered(void *opaque, control_unanswered_fn fn, void *arg)
{
	const struct unanswered u = { .io = true, .addr = 0x40, .reads = 7, .len = 1 };

	(void)opaque;
	fn(&u, "timer", NULL, arg);
}

static int each_vcpu(void *opaque, control_registers_fn fn, void *arg)
{
	const struct vcpu_registers r = { .n = 1, .reg = { { "rax", 64, 7 } } };

	(void)opaque;
	fn(0, &r, NULL, arg);
	return 0;
}

static int each_latency(void *opaque, control_latency_fn fn, void *arg)
{
	struct room *r = opaque;
	struct latencies l = { 0 };

	latencies_add(&l, 1);
	latencies_add(&l, UINT64_MAX);
	for (unsigned i = 0; i < N_DEVS; i++)
		fn(r->fixture[i].dev, 0, &l, arg);
	return 0;
}

static bool each_finding(void *opaque, check_finding_fn fn, void *arg)
{
	(void)opaque, (void)fn, (void)arg;
	return false;
}

static const struct control_ops ops = {
	.status = get_status,
	.name = get_name,
	.quit = fuzz_control_quit,
	.powerdown = fuzz_control_powerdown,
	.reset = fuzz_control_reset,
	.stop = fuzz_control_stop,
	.cont = fuzz_control_cont,
	.while_paused = fuzz_control_while_paused,
	.send_break = fuzz_control_send_break,
	.for_each_device = each_device,
	.for_each_stat = each_stat,
	.for_each_finding = each_finding,
	.for_each_latency = each_latency,
	.for_each_vcpu = each_vcpu,
	.n_vcpus = get_n_vcpus,
	.vcpu_thread = get_vcpu_thread,
	.for_each_unanswered = each_unanswered,
};

/*
 * The clients.
 */
static int fuzz_control_client(struct input *in)
{
	return host_nth(HOST_STREAM, in8(in) % 4);
}

static void connect_one(struct room *r, struct input *in)
{
	static const char greeting[] = "{\"execute\":\"qmp_capabilities\"}";
	int fd = host_nth(HOST_LISTEN, 0), last = -1;

	host_peer_connects(fd);
	g_main_context_iteration(r->context, FALSE);
	if (in8(in) & 1) /* one who has not learned to be polite */
		return;
	for (unsigned i = 0; (fd = host_nth(HOST_STREAM, i)) >= 0; i++)
		last = fd;
	if (last >= 0)
		host_feed(last, greeting, strlen(greeting));
}

static void fuzz_control_say(struct room *r, struct input *in)
{
	int fd = fuzz_control_client(in);

	(void)r;
	if (fd < 0)
		return;
	trace("client: %.*s", (int)in_left(in), (const char *)in->at);
	host_feed(fd, in->at, in_left(in));
}

/* Something well-formed around what the input has. */
static void say_line(struct room *r, struct input *in)
{
	static const char *const commands[CONTROL_COMMANDS] = {
		"qmp_capabilities",
		"query-status",
		"query-commands",
		"query-stats",
		"query-version",
		"query-virtio",
		"query-virtio-queue",
		"x-query-virtio",
		"stop",
		"cont",
		"system_reset",
		"system_powerdown",
		"quit",
		"query-virtio-status",
		"input-send-event",
		"none",
		"block_resize",
		"human-monitor-command",
		"port_remove",
		"query-block",
		"query-cpus-fast",
		"query-name",
		"query-qmp-schema",
		"query-registers",
		"query-unanswered",
		"send-key",
		"set_link",
		"x-query-virtio-queue-element",
		"x-query-virtio-queue-status",
		"x-query-virtio-status",
		"query-check",
		"query-latency",
		"query-virtio-ring",
		"chardev-send-break",
		"none",
	};
	int fd = fuzz_control_client(in);
	const char *command = commands[in8(in) % CONTROL_COMMANDS];
	g_autofree char *args = g_strndup((const char *)in->at, in_left(in));
	g_autofree char *line = g_strdup_printf("{\"execute\":\"%s\"%s%s}\n", command,
						*args ? ",\"arguments\":" : "", args);

	(void)r;
	if (fd < 0)
		return;
	trace("client: %s", line);
	host_feed(fd, line, strlen(line));
}

static void hang_up(struct room *r, struct input *in)
{
	int fd = fuzz_control_client(in);

	(void)r;
	if (fd >= 0)
		host_hang_up(fd, in8(in) & 1);
}

static void fuzz_control_room(struct room *r, struct input *in)
{
	int fd = fuzz_control_client(in);

	(void)r;
	if (fd >= 0)
		host_room(fd, in16(in));
}

static void fuzz_control_turn(struct room *r, struct input *in)
{
	for (unsigned n = in8(in) % 16 + 1; n && g_main_context_iteration(r->context, FALSE); n--)
		;
}

static void fuzz_control_event(struct room *r, struct input *in)
{
	static const char *const events[] = {
		"STOP",     "RESUME",         "POWERDOWN",        "RESET",
		"SHUTDOWN", "GUEST_PANICKED", "GUEST_CRASHLOADED"
	};
	unsigned n = in8(in);

	control_event(events[n % G_N_ELEMENTS(events)], in8(in) & 1, r->ctl);
}

static void fuzz_control_fail(struct room *r, struct input *in)
{
	(void)r;
	host_fail(HOST_FAIL_ACCEPT, in8(in) % 4);
	host_advance(1000000ull * in16(in));
}

/*
 * A driver: what queues are asked about is then in motion, or at fault. One device has it at a
 * time, for drivers share the guest's memory and the reference drivers.
 */
static void fuzz_control_start(struct room *r, struct input *in)
{
	struct fixture *fx = &r->fixture[in8(in) % N_DEVS];

	if (r->driven) {
		fixture_reset(r->driven);
		r->driven->link->interrupts(r->driven);
	}
	r->driven = fx;
	device_driver_op(fx, DEV_START, in);
}

static void fuzz_control_chain(struct room *r, struct input *in)
{
	if (r->driven)
		device_driver_op(r->driven, DEV_CHAIN, in);
}

static void fuzz_control_corrupt(struct room *r, struct input *in)
{
	if (r->driven)
		device_driver_op(r->driven, DEV_CORRUPT, in);
}

static void fuzz_control_publish(struct room *r, struct input *in)
{
	if (r->driven)
		device_driver_op(r->driven, DEV_PUBLISH, in);
}

static void (*const run[N_CONTROL_OPS])(struct room *r, struct input *in) = {
	[CONTROL_CONNECT] = connect_one,
	[CONTROL_SAY] = fuzz_control_say,
	[CONTROL_LINE] = say_line,
	[CONTROL_HANG_UP] = hang_up,
	[CONTROL_ROOM] = fuzz_control_room,
	[CONTROL_TURN] = fuzz_control_turn,
	[CONTROL_EVENT] = fuzz_control_event,
	[CONTROL_FAIL] = fuzz_control_fail,
	[CONTROL_START] = fuzz_control_start,
	[CONTROL_CHAIN] = fuzz_control_chain,
	[CONTROL_CORRUPT] = fuzz_control_corrupt,
	[CONTROL_PUBLISH] = fuzz_control_publish,
};

static void fuzz_control_open_devices(struct room *r)
{
	static const char *const specs[N_DEVS] = { "input,type=multitouch,id=pointer",
						   "input,type=keyboard,id=keys,ring=packed",
						   "blk,path=fake,id=disk",
						   "net,backend=tap,ifname=fake,id=net0" };

	for (unsigned i = 0; i < N_DEVS; i++) {
		struct vdev_env env = { .mem = arena_mem(), .main_loop = r->loop, .n_cpus = 1 };
		struct fixture *fx = &r->fixture[i];
		g_autofree char *name = NULL;
		g_autoptr(GPtrArray) pairs = prop_split(specs[i], &name);

		fx->link = link_nth(0);
		fx->context = r->context;
		fx->loop = r->loop;
		fakes_collect(&fx->fakes);
		fx->dev = vdev_new(vdev_class_find(name), pairs, &env, NULL);
		if (!fx->dev)
			fuzz_bug("%s cannot be opened", specs[i]);
		observe_device(fx->dev, &fx->observer);
		fx->link->open(fx);
	}
}

static uint64_t fuzz_control_disk_size(const struct room *r)
{
	struct blk_disk disk;

	blk_disk(r->fixture[DISK].dev, &disk);
	return disk.size;
}

static struct room *room_new(void)
{
	struct room *r = g_new0(struct room, 1);

	arena_init();
	r->context = g_main_context_new();
	g_main_context_set_poll_func(r->context, host_poll);
	host_set_context(r->context);
	r->loop = loop_main();
	fuzz_control_open_devices(r);
	r->disk_size = fuzz_control_disk_size(r);
	return r;
}

void fuzz_control_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	static struct room *r; /* only its devices outlive a run, and they are reset */
	GError *err = NULL;
	uint8_t op;

	(void)t;
	if (!r)
		r = room_new();
	if (!blk_resize(r->fixture[DISK].dev, r->disk_size, &err)) /* whatever the last run did */
		fuzz_bug("%s", err->message);
	net_set_link(r->fixture[CARD].dev, true);
	for (unsigned i = 0; i < N_DEVS; i++)
		fixture_begin(&r->fixture[i]);
	r->status = "running";
	r->driven = NULL;
	r->ctl = control_new("unix:fuzz", &ops, r, &err);
	if (!r->ctl)
		fuzz_bug("%s", err->message);
	while (in_record(&in, &op, &args))
		run[op % N_CONTROL_OPS](r, &args);
	for (unsigned i = 0; i < 4; i++)
		g_main_context_iteration(r->context, FALSE);
	control_free(g_steal_pointer(&r->ctl));
	fixture_end(r->driven ? r->driven : &r->fixture[0]);
}
