/*
 * The host's side of device targets: time, disks, links, streams, events, a board that refuses.
 */
#include <errno.h>

#include "devices/input/input.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/device.h"

static void device_host_pass_time(struct fixture *fx, struct input *in)
{
	unsigned ms = in16(in);

	trace("time: %u ms", ms);
	host_advance(1000000ull * ms);
	fixture_turn(fx, TURNS);
}

static void device_host_refuse(struct fixture *fx, struct input *in)
{
	unsigned what = in8(in);

	if (!fx->board)
		return;
	fx->moved = true;
	board_fake_refuse(fx->board, what);
}

static void device_host_fail(struct fixture *fx, struct input *in)
{
	unsigned what = in8(in);

	(void)fx;
	host_fail(what % N_HOST_FAILURES, in8(in));
}

static void disk_policy(struct fixture *fx, struct input *in)
{
	for (unsigned i = 0; i < fx->fakes.n_disks; i++)
		fake_disk_policy(fx->fakes.disk[i], in8(in));
}

static void disk_end(struct fixture *fx, struct input *in)
{
	static const uint8_t errors[] = { 0, EIO, ENOSPC, EOPNOTSUPP };
	unsigned n = in8(in), result = errors[in8(in) % G_N_ELEMENTS(errors)];

	for (unsigned i = 0; i < fx->fakes.n_disks; i++)
		fake_disk_end(fx->fakes.disk[i], n, (int)result);
}

static void device_host_frame(struct fixture *fx, struct input *in)
{
	unsigned channel = in8(in), flags = in8(in), extra = in16(in);
	struct net_offload off = { .need_csum = flags & 1, .csum_valid = flags & 2 };

	off.segment = in8(in);
	off.seg_size = in16(in);
	off.csum_start = in8(in);
	off.csum_offset = in8(in);
	for (unsigned i = 0; i < fx->fakes.n_nets; i++)
		fake_net_frame(fx->fakes.net[i], channel, *in, extra, &off);
}

static void net_socket_event(struct fixture *fx, struct input *in)
{
	unsigned how = in8(in), a = in8(in), b = in8(in);

	for (unsigned i = 0; i < fx->fakes.n_nets; i++) {
		struct fake_net *n = fx->fakes.net[i];

		if (how & 1)
			fake_net_busy(n, a % 16, b % 16);
		if (how & 2)
			fake_net_writable(n, a);
		if (how & 4)
			fake_net_link(n, b & 1);
		fake_net_echo(n, how & 8);
	}
}

static struct fake_chr *chr_of(struct fixture *fx, unsigned n)
{
	return fx->fakes.n_chrs ? fx->fakes.chr[n % fx->fakes.n_chrs] : NULL;
}

static void device_host_bytes(struct fixture *fx, struct input *in)
{
	struct fake_chr *c = chr_of(fx, in8(in));

	if (c)
		fake_chr_bytes(c, *in);
}

static void device_host_peer(struct fixture *fx, struct input *in)
{
	struct fake_chr *c = chr_of(fx, in8(in));
	unsigned how = in8(in), a = in16(in), b = in16(in);

	if (!c)
		return;
	if (how & 1)
		fake_chr_connect(c, how & 2);
	if (how & 4)
		fake_chr_room(c, a);
	if (how & 8)
		fake_chr_size(c, (uint16_t)a, (uint16_t)b);
	if (how & 16)
		fake_chr_trouble(c);
}

static void device_host_events(struct fixture *fx, struct input *in)
{
	struct input_ev ev[INPUT_REPORT_MAX];
	size_t n = 0;

	while (in_left(in) && n < G_N_ELEMENTS(ev)) {
		ev[n].type = in8(in);
		ev[n].code = in16(in);
		ev[n++].value = (int16_t)in16(in);
	}
	if (fx->fakes.n_evdevs) {
		for (size_t i = 0; i < n; i++)
			fake_evdev_event(fx->fakes.evdev[0], &ev[i]);
		if (n == 1 && ev[0].type == 0xff)
			fake_evdev_gone(fx->fakes.evdev[0]);
	} else if (input_is(fx->dev) && input_send(fx->dev, ev, n)) {
		trace("host: a report of %zu events", n);
	}
}

/* For variants on the project's own back-ends: their sockets' other ends. */
static void host_bytes(struct fixture *fx, struct input *in)
{
	int fd = host_nth(HOST_STREAM, in8(in) % 2);

	if (fd < 0)
		return;
	fx->stale = true;
	host_feed(fd, in->at, in_left(in));
}

static void host_peer(struct fixture *fx, struct input *in)
{
	unsigned how = in8(in);
	int listening = host_nth(HOST_LISTEN, 0), fd = host_nth(HOST_STREAM, 0);

	if (listening >= 0 || fd >= 0)
		fx->stale = true;
	if (how & 1 && listening >= 0)
		host_peer_connects(listening);
	if (how & 2 && fd >= 0)
		host_hang_up(fd, how & 4);
	if (how & 8 && fd >= 0)
		host_room(fd, in16(in));
	host_answer(!(how & 16));
}

void device_host_op(struct fixture *fx, unsigned op, struct input *in)
{
	static void (*const run[N_DEV_OPS])(struct fixture * fx, struct input * in) = {
		[DEV_TIME] = device_host_pass_time, [DEV_REFUSE] = device_host_refuse,
		[DEV_FAIL] = device_host_fail,      [DEV_DISK_POLICY] = disk_policy,
		[DEV_DISK_END] = disk_end,          [DEV_FRAME] = device_host_frame,
		[DEV_SOCKET] = net_socket_event,    [DEV_BYTES] = device_host_bytes,
		[DEV_PEER] = device_host_peer,      [DEV_EVENTS] = device_host_events,
		[DEV_HOST_BYTES] = host_bytes,      [DEV_HOST_PEER] = host_peer,
	};

	if (run[op])
		run[op](fx, in);
}
