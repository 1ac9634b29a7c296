/*
 * The network back-ends' frames: what a peer sends over a socket, what a tap hands over, what
 * libslirp makes of a guest's frames; and the pure functions that judge headers. The device's side
 * is one that takes frames or refuses them, as the input says.
 *
 * A user network's guest may send packets by the thousand (net-guest.h): then what counts as a bug
 * is, too, more memory than devices/backend/net/user/flow.h allows for.
 */
#include <string.h>

#include "devices/backend/net/net.h"
#include "devices/net/filter.h"
#include "devices/net/header.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/host/net-guest.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"

struct end {
	struct net_backend *be;
	const char *kind;
	GMainContext *context;
	struct loop *loop;
	unsigned refuse; /* the next so many frames */
	bool on[NET_CHANNELS_MAX];
	unsigned sum;
	struct net_filter filter;
	unsigned done_by_guest; /* NET_DO_* */
	struct net_guest guest;
	size_t before; /* bytes allocated, and descriptors, when the input began */
	unsigned fds;
};

/*
 * The device.
 */
static bool fuzz_net_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
			   const struct net_offload *off)
{
	struct end *e = opaque;
	struct net_offload todo = *off;
	struct net_header h;

	if (!e->on[channel])
		fuzz_bug("a frame for channel %u, which is off", channel);
	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX)
		fuzz_bug("a frame of %zu bytes", len);
	net_guest_saw(&e->guest, data, len);
	if (e->refuse) {
		e->refuse--;
		return false;
	}
	for (size_t i = 0; i < len; i++)
		e->sum += data[i];
	trace("device: a frame of %zu bytes, sum %u%s", len, e->sum,
	      net_filter_pass(&e->filter, data, len) ? "" : ", not for us");
	/* As the device does when the driver wants its checksums done. */
	if (net_offload_fits(&todo, len) && net_complete(data, len, &todo))
		todo = (struct net_offload){ 0 };
	(void)net_header_make(&todo, len, e->done_by_guest, 1, &h);
	return true;
}

static void batch_end(void *opaque, unsigned channel)
{
	(void)opaque;
	(void)channel;
}

static void link_changed(void *opaque, bool up)
{
	(void)opaque;
	trace("device: the link is %s", up ? "up" : "down");
}

static void fuzz_net_trouble(void *opaque, bool guest, const char *text)
{
	(void)opaque;
	trace("%s: %s", guest ? "guest" : "host", text);
}

static const struct net_events events = { fuzz_net_frame, batch_end, batch_end, link_changed,
					  fuzz_net_trouble };

/*
 * The link.
 */
static int fuzz_net_peer(void)
{
	int fd = host_nth(HOST_STREAM, 0);

	return fd >= 0 ? fd : host_nth(HOST_PACKET, 0);
}

static void from_peer(struct end *e, struct input *in)
{
	uint32_t extra = in16(in), len = (uint32_t)in_left(in) + extra;
	g_autofree uint8_t *bytes = g_malloc0(4 + len);
	bool framed = strcmp(e->kind, "socket") == 0 && !(extra & 1);
	uint32_t prefix = GUINT32_TO_BE(len);

	if (fuzz_net_peer() < 0)
		return; /* NOLINT(clang-analyzer-unix.Malloc): it is freed */
	memcpy(bytes, &prefix, 4);
	memcpy(bytes + 4, in->at, in_left(in));
	host_feed(fuzz_net_peer(), framed ? bytes : bytes + 4, framed ? len + 4 : len);
}

static void to_peer(struct end *e, struct input *in)
{
	uint32_t extra = in16(in), pieces = in8(in) % 4 + 1;
	struct net_offload off = { 0 };
	struct net_header h = { 0 };
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct iovec iov[4];
	size_t len, at = 0;
	int ret;

	memcpy(&h, in->at, MIN(sizeof(h), in_left(in)));
	g_byte_array_append(bytes, in->at, (guint)in_left(in));
	len = MAX(NET_FRAME_MIN, MIN(in_left(in) + extra, NET_FRAME_MAX));
	g_byte_array_set_size(bytes, (guint)len);
	memset(bytes->data + in_left(in), 0, len > in_left(in) ? len - in_left(in) : 0);
	if (net_header_parse(&h, len, e->be->tx_offloads | e->done_by_guest, &off) ||
	    !e->be->tx_offloads)
		off = (struct net_offload){ 0 };
	for (unsigned i = 0; i < pieces; i++) {
		size_t n = i + 1 < pieces ? len / pieces : len - at;

		iov[i] = (struct iovec){ bytes->data + at, n };
		at += n;
	}
	ret = e->be->ops->send(e->be, 0, iov, pieces, &off);
	trace("device: sends %zu bytes in %u pieces: %d", len, pieces, ret);
}

static void set_room(struct end *e, struct input *in)
{
	(void)e;
	if (fuzz_net_peer() >= 0)
		host_room(fuzz_net_peer(), in32(in));
}

static void fuzz_net_gone(struct end *e, struct input *in)
{
	(void)e;
	if (fuzz_net_peer() >= 0)
		host_hang_up(fuzz_net_peer(), in8(in) & 1);
	host_answer(in8(in) & 1);
}

static void fuzz_net_come(struct end *e, struct input *in)
{
	int fd = host_nth(HOST_LISTEN, 0);

	(void)e;
	(void)in;
	if (fd >= 0)
		host_peer_connects(fd);
}

static void fuzz_net_want(struct end *e, struct input *in)
{
	unsigned channel = in8(in) % e->be->n_channels, how = in8(in);

	e->on[channel] = how & 1;
	e->be->ops->receive(e->be, channel, e->on[channel]);
	if (how == 2 && e->be->ops->discard)
		e->be->ops->discard(e->be, channel);
}

static void fuzz_net_turn(struct end *e, struct input *in)
{
	for (unsigned n = in8(in) % 8 + 1; n && g_main_context_iteration(e->context, FALSE); n--)
		;
}

static void fuzz_net_pass_time(struct end *e, struct input *in)
{
	host_advance(1000000ull * in16(in));
	fuzz_net_turn(e, in);
}

static void fuzz_net_set(struct end *e, struct input *in)
{
	unsigned what = in8(in), n = in8(in);

	if (what & 1 && e->be->ops->set_offloads)
		(void)e->be->ops->set_offloads(e->be, n & e->be->rx_offloads);
	if (what & 2 && e->be->ops->set_channels)
		(void)e->be->ops->set_channels(e->be, n % e->be->n_channels + 1);
	if (what & 4)
		host_fail(HOST_FAIL_OFFLOAD, n % 4);
	if (what & 8)
		net_filter_vlan(&e->filter, n * 16u % NET_VLANS, what & 16);
	e->filter.promisc = what & 32;
	e->done_by_guest = n;
}

/*
 * A user network's guest.
 */
static bool is_user(const struct end *e)
{
	return strcmp(e->kind, "user") == 0;
}

static void guest_sends(void *arg, uint8_t *bytes, size_t len)
{
	static const struct net_offload nothing;
	struct iovec iov = { bytes, len };
	struct end *e = arg;

	(void)e->be->ops->send(e->be, 0, &iov, 1, &nothing);
}

static void fuzz_net_connect_guest(struct end *e, struct input *in)
{
	unsigned flow = in8(in);

	if (!is_user(e))
		return;
	e->refuse = 0;
	e->on[0] = true;
	e->be->ops->receive(e->be, 0, true);
	net_guest_syn(&e->guest, flow, guest_sends, e);
	for (unsigned i = 0; i < 4 && g_main_context_iteration(e->context, FALSE); i++)
		;
	net_guest_ack(&e->guest, flow, guest_sends, e);
}

static void fuzz_net_flood(struct end *e, struct input *in)
{
	if (is_user(e))
		net_guest_flood(&e->guest, in, guest_sends, e);
}

static void fuzz_net_restart(struct end *e, struct input *in)
{
	(void)in;
	if (e->be->ops->restart)
		e->be->ops->restart(e->be);
}

static void fuzz_net_fail(struct end *e, struct input *in)
{
	unsigned what = in8(in), n = in8(in);

	(void)e;
	host_fail(what & 1 ? HOST_FAIL_SOCKET : HOST_FAIL_ACCEPT, n);
}

/* The sanitizer's; not in a build without. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

#define SOCKET_BYTES ((size_t)272 << 10)
#define KEPT_BYTES   ((size_t)20 << 20)
#define SOCKETS      1024u

static void check_bounds(const struct end *e)
{
	unsigned fds = host_fds_open() - e->fds;
	size_t now;

	if (!is_user(e))
		return;
	if (fds > SOCKETS)
		fuzz_bug("the user network has %u sockets", fds);
	if (!__sanitizer_get_current_allocated_bytes)
		return;
	now = __sanitizer_get_current_allocated_bytes();
	if (now > e->before + KEPT_BYTES + fds * SOCKET_BYTES)
		fuzz_bug("the user network keeps %zu MiB with %u sockets", (now - e->before) >> 20,
			 fds);
}

static void fuzz_net_full(struct end *e, struct input *in)
{
	e->refuse = in8(in) % 4;
}

static void (*const run[N_NET_OPS])(struct end *e, struct input *in) = {
	[NET_FROM_PEER] = from_peer,
	[NET_TO_PEER] = to_peer,
	[NET_ROOM] = set_room,
	[NET_GONE] = fuzz_net_gone,
	[NET_COME] = fuzz_net_come,
	[NET_WANT] = fuzz_net_want,
	[NET_TURN] = fuzz_net_turn,
	[NET_TIME] = fuzz_net_pass_time,
	[NET_SET] = fuzz_net_set,
	[NET_FULL] = fuzz_net_full,
	[NET_CONNECT] = fuzz_net_connect_guest,
	[NET_FLOOD] = fuzz_net_flood,
	[NET_RESTART] = fuzz_net_restart,
	[NET_FAIL] = fuzz_net_fail,
};

static void end_open(struct end *e, bool listens)
{
	GPtrArray *fds = g_ptr_array_new_with_free_func(g_free);
	struct net_options opt = { .n_channels = 1 };
	GError *err = NULL;

	if (strcmp(e->kind, "socket") == 0) {
		opt.kind = NET_SOCKET;
		opt.path = (char *)"real";
		opt.listen = listens;
	} else if (strcmp(e->kind, "tap") == 0) {
		opt.kind = NET_TAP;
		opt.n_channels = listens ? 1 : 2;
		for (unsigned i = 0; i < opt.n_channels; i++)
			g_ptr_array_add(fds, g_strdup_printf("%d", host_fd_new(HOST_PACKET)));
		opt.fds = fds;
	} else {
		opt.kind = NET_USER;
		opt.hostname = (char *)"real";
		opt.restricted = listens;
		g_ptr_array_add(fds, g_strdup("tcp:127.0.0.1:2222-:22"));
		opt.hostfwd = fds;
		host_sockets(true);
	}
	e->be = net_backend_open(&opt, e->loop, &events, e, &err);
	if (!e->be)
		fuzz_bug("%s", err->message);
	g_ptr_array_unref(fds);
}

/* Heading: which end, or how many queues. */
void fuzz_net_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	struct end e = { .kind = t->arg };
	uint8_t op;

	host_begin(1);
	host_running(true);
	e.context = g_main_context_new();
	g_main_context_set_poll_func(e.context, host_poll);
	host_set_context(e.context);
	e.loop = loop_main();
	net_filter_init(&e.filter, (const uint8_t[6]){ 0x52, 0x54, 0, 0, 0, 1 }, true, true);
	net_guest_init(&e.guest);
	end_open(&e, in8(&in) & 1);
	e.fds = host_fds_open();
	if (__sanitizer_get_current_allocated_bytes)
		e.before = __sanitizer_get_current_allocated_bytes();
	while (in_record(&in, &op, &args)) {
		run[op % (is_user(&e) ? N_NET_OPS : NET_CONNECT)](
			&e, &args); /* as the grammars have it */
		check_bounds(&e);
	}
	net_backend_close(e.be);
	net_guest_free(&e.guest);
	loop_free(e.loop);
	host_set_context(NULL);
	g_main_context_unref(e.context);
	host_running(false);
}
