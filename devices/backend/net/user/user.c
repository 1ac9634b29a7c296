/*
 * A network of the guest's own, made of ordinary sockets of the host (libslirp): no privilege, no
 * interface, and nothing on the host can see the guest but what hostfwd= lets through.
 *
 * libslirp is driven by one source on the backend's loop; before each sleep it says which sockets
 * it waits for, and how long. A guest's TCP segment may be larger than the network's MTU: it need
 * not be cut, since all that counts in it is the stream of bytes; its checksum must be right,
 * though.
 *
 * libslirp cannot be told to wait, so frames that find no room in the guest are kept in `late`, up
 * to its size; beyond that they are lost, and TCP makes up for it.
 *
 * Nor has it bounds for what it keeps: frame-filter.h and flow.h say what it is given of the
 * guest's frames, so that there are some, and sockets.c counts what its sockets cost.
 *
 * A reset of the machine ends its TCP connections. A reset of the device does not: the driver may
 * only have been loaded again. Sockets for datagrams close by themselves, four minutes after the
 * last one.
 */
#include "devices/backend/net/user/user-impl.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <slirp/libslirp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "devices/backend/net/user/pollfds.h"

#define LATE_SIZE   ((size_t)512 * 1024)
#define SLIRP_MTU   1500u
#define SLIRP_LIMIT 65521u /* the largest MTU that libslirp takes */

/* microseconds, after accept() failed for want of descriptors or memory */
#define ACCEPT_RETRY 1000000

struct user_source {
	GSource source;
	struct user *user;
	struct pollfds pollfds;
	gint64 deadline; /* microseconds, or -1 */
};

struct user_timer {
	GSource source;
	struct user *user;
	SlirpTimerId id;
	void *opaque;
};

/*
 * Frames for the guest.
 */
static bool user_deliver(struct user *u, uint8_t *data, size_t len)
{
	const struct net_offload off = { .csum_valid = true };

	return u->be.events->frame(u->be.opaque, 0, data, len, &off);
}

static ssize_t user_send_packet(const void *buf, size_t len, void *opaque)
{
	struct user *u = opaque;
	struct net_packet p;
	size_t len_late;

	if (net_packet_parse(buf, len, &p)) {
		net_frame_filter_sent(&u->filter, buf, &p);
		net_flows_sent(&u->flows, &p);
	}
	if (!u->wanted || len < NET_FRAME_MIN || len > NET_FRAME_MAX)
		return (ssize_t)len;
	/* The device alters a frame only to do work that was left undone: none is. */
	if (net_frame_queue_first(&u->late, &len_late) || !user_deliver(u, (uint8_t *)buf, len))
		(void)net_frame_queue_add(&u->late, buf, len);
	return (ssize_t)len;
}

static void user_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct user *u = (struct user *)be;
	uint8_t *data;
	size_t len;

	(void)channel;
	u->wanted = on;
	if (!on)
		net_frame_queue_clear(&u->late);
	while ((data = net_frame_queue_first(&u->late, &len)) && user_deliver(u, data, len))
		net_frame_queue_drop(&u->late);
	if (on)
		be->events->batch_end(be->opaque, 0);
}

/*
 * Frames from the guest.
 */

/* libslirp is to know how to reach @address. */
static void user_introduce(struct user *u, unsigned version, const uint8_t *address,
			   const uint8_t *mac)
{
	uint8_t frame[NET_FRAME_FILTER_NEIGHBOR];
	size_t len = net_frame_filter_neighbor(&u->filter, frame, version, address, mac);

	if (len)
		slirp_input(u->slirp, frame, (int)len);
}

static void user_hand_over(struct user *u, uint8_t *frame, size_t len)
{
	struct net_packet p;
	size_t bytes;

	if (!net_frame_filter_pass(&u->filter, g_get_monotonic_time(), &frame, &len, &p) ||
	    !net_flows_admit(&u->flows, &p, &bytes) || (bytes && !user_has_room(u, bytes)))
		return;
	if (p.version)
		user_introduce(u, p.version, p.src, p.mac);
	slirp_input(u->slirp, frame, (int)len);
	net_flows_admitted(&u->flows);
}

static int user_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct user *u = (struct user *)be;
	/* A copy: what is judged here must be what libslirp sees. */
	size_t len = net_gather(u->gather, iov, n);

	(void)channel;
	(void)off;
	user_hand_over(u, u->gather, len);
	return 0;
}

/* The machine begins anew. */
static void user_restart(struct net_backend *be)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct user *u = (struct user *)be;
	g_autoptr(GList) flows = g_hash_table_get_values(u->flows.by_fd);
	uint8_t frame[NET_PACKET_BARE];
	struct net_packet p;

	for (GList *l = flows; l; l = l->next) {
		struct net_flow *flow = l->data;

		if (net_flow_reset(flow, &p)) /* may free it */
			slirp_input(u->slirp, frame, (int)net_packet_make(frame, &p, 0));
		else if (flow->key.protocol == NET_TCP && !flow->from_host) /* it connects */
			(void)connect(flow->fd, &nowhere, sizeof(nowhere));
	}
}

/*
 * The source: sockets and time.
 */
static const struct {
	int slirp;
	GIOCondition glib;
} events[] = {
	{ SLIRP_POLL_IN, G_IO_IN },   { SLIRP_POLL_OUT, G_IO_OUT }, { SLIRP_POLL_PRI, G_IO_PRI },
	{ SLIRP_POLL_ERR, G_IO_ERR }, { SLIRP_POLL_HUP, G_IO_HUP },
};

static int user_add_poll(int fd, int wants, void *opaque)
{
	struct user_source *s = opaque;
	unsigned condition = 0;

	if (user_is_listener(s->user, fd) && !user_can_accept(s->user))
		return -1;
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (wants & events[i].slirp)
			condition |= events[i].glib;
	return (int)pollfds_want(&s->pollfds, fd, (GIOCondition)condition);
}

static int user_get_revents(int index, void *opaque)
{
	struct user_source *s = opaque;
	struct user *u = s->user;
	GIOCondition condition = pollfds_revents(&s->pollfds, (unsigned)index);
	int fd = pollfds_fd(&s->pollfds, (unsigned)index), revents = 0;
	const struct net_flow *flow;

	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (condition & events[i].glib)
			revents |= events[i].slirp;
	if (!revents)
		return 0;
	flow = net_flows_of(&u->flows, fd);
	if (flow && flow->heard)
		user_introduce(u, flow->version, flow->guest, flow->mac);
	if (!user_is_listener(u, fd))
		return revents;
	if (!user_can_accept(u))
		return 0;
	u->ready++;
	return revents;
}

static gboolean user_source_prepare(GSource *source, gint *timeout)
{
	struct user_source *s = (struct user_source *)source;
	uint32_t ms = UINT32_MAX;

	if (s->user->accept_at && g_source_get_time(source) >= s->user->accept_at)
		s->user->accept_at = 0;
	pollfds_begin(&s->pollfds);
	slirp_pollfds_fill(s->user->slirp, &ms, user_add_poll, s);
	pollfds_end(&s->pollfds);
	if (s->user->accept_at || s->user->low)
		ms = MIN(ms, ACCEPT_RETRY / 1000);
	*timeout = ms > INT_MAX ? -1 : (gint)ms;
	s->deadline = *timeout < 0 ? -1 : g_source_get_time(source) + 1000ll * *timeout;
	return ms == 0;
}

static gboolean user_source_check(GSource *source)
{
	const struct user_source *s = (struct user_source *)source;

	return pollfds_ready(&s->pollfds) ||
	       (s->deadline >= 0 && g_source_get_time(source) >= s->deadline);
}

static gboolean user_source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct user_source *s = (struct user_source *)source;
	struct user *u = s->user;

	(void)callback;
	(void)data;
	u->ready = u->accepted = 0;
	slirp_pollfds_poll(u->slirp, 0, user_get_revents, s);
	if (u->accepted < u->ready)
		u->accept_at = g_source_get_time(source) + ACCEPT_RETRY;
	if (u->wanted)
		u->be.events->batch_end(u->be.opaque, 0);
	return G_SOURCE_CONTINUE;
}

static void user_source_finalize(GSource *source)
{
	pollfds_free(&((struct user_source *)source)->pollfds);
}

static GSourceFuncs source_funcs = {
	.prepare = user_source_prepare,
	.check = user_source_check,
	.dispatch = user_source_dispatch,
	.finalize = user_source_finalize,
};

/*
 * What else libslirp asks of its host.
 */
static void user_guest_error(const char *msg, void *opaque)
{
	struct user *u = opaque;

	u->be.events->trouble(u->be.opaque, true, msg);
}

static int64_t user_clock_get_ns(void *opaque)
{
	(void)opaque;
	return g_get_monotonic_time() * 1000;
}

static gboolean user_timer_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct user_timer *t = (struct user_timer *)source;

	(void)callback;
	(void)data;
	g_source_set_ready_time(source, -1);
	slirp_handle_timer(t->user->slirp, t->id, t->opaque);
	if (t->user->wanted)
		t->user->be.events->batch_end(t->user->be.opaque, 0);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = { .dispatch = user_timer_dispatch };

static void *user_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct user *u = opaque;
	GSource *source = g_source_new(&timer_funcs, sizeof(struct user_timer));
	struct user_timer *t = (struct user_timer *)source;

	t->user = u;
	t->id = id;
	t->opaque = cb_opaque;
	g_source_attach(source, loop_context(u->be.loop));
	return t;
}

static void user_timer_free(void *timer, void *opaque)
{
	(void)opaque;
	loop_unwatch(timer);
}

static void user_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	(void)opaque;
	g_source_set_ready_time(timer, expire_ms * 1000);
}

static void user_ignore(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = user_send_packet,
	.guest_error = user_guest_error,
	.clock_get_ns = user_clock_get_ns,
	.timer_new_opaque = user_timer_new,
	.timer_free = user_timer_free,
	.timer_mod = user_timer_mod,
	.register_poll_fd = user_socket_opened, /* each turn asks for all of them anyway */
	.unregister_poll_fd = user_socket_closed,
	.notify = user_ignore,
};

/*
 * Opening and closing, on the loop.
 */
static void user_shut(void *arg)
{
	struct user *u = arg;

	loop_unwatch((GSource *)u->source);
	if (u->slirp)
		slirp_cleanup(u->slirp);
	net_frame_filter_clear(&u->filter);
	net_flows_free(&u->flows);
}

static void user_close(struct net_backend *be)
{
	struct user *u = (struct user *)be;

	loop_call(be->loop, user_shut, u);
	g_free(u->gather);
	g_free(u->late.data);
	g_array_unref(u->forwards);
	g_array_unref(u->listeners);
	g_free(u);
}

/* What libslirp makes of a guest's connections; and it looks the name servers up again and again.
 */
static const struct syscall_use user_syscalls[] = {
	/* Its sockets, */
	{ SYSCALL_SOCKET(AF_INET) },
	{ SYSCALL_SOCKET(AF_INET6) },
	{ .name = "bind" },
	{ .name = "connect" },
	{ .name = "listen" },
	{ .name = "accept" },
	{ .name = "accept4" },
	{ .name = "shutdown" },
	/* what they are like, */
	{ .name = "getsockname" },
	{ .name = "getpeername" },
	{ .name = "getsockopt" },
	{ .name = "setsockopt" },
	{ SYSCALL_FCNTL(F_GETFD) },
	{ SYSCALL_FCNTL(F_SETFD) },
	{ SYSCALL_FCNTL(F_GETFL) },
	{ SYSCALL_FCNTL(F_SETFL) },
	{ SYSCALL_IOCTL(FIONBIO) },
	/* and what goes through them. */
	{ .name = "recvfrom" },
	{ .name = "recvmsg" },
	{ .name = "sendto" },
	{ .name = SYSCALLS_RESOLV },
	{ .name = NULL },
};

static const struct net_backend_ops user_ops = {
	.close = user_close,
	.send = user_send,
	.receive = user_receive,
	.restart = user_restart,
};

struct opening {
	struct user *user;
	const struct net_options *opt;
	struct user_net net;
	GError **err;
	bool ok;
};

static void user_start(void *arg)
{
	struct opening *o = arg;
	struct user *u = o->user;
	size_t mtu = o->opt->mtu ? MIN(o->opt->mtu, SLIRP_LIMIT) : SLIRP_MTU;
	SlirpConfig cfg = {
		.version = 4,
		.restricted = o->opt->restricted,
		.in_enabled = true,
		.vnetwork = o->net.net,
		.vnetmask = o->net.mask,
		.vhost = o->net.host,
		.vdhcp_start = o->net.guest,
		.vnameserver = o->net.dns,
		.in6_enabled = true,
		.vprefix_len = 64,
		.vhostname = o->opt->hostname,
		.if_mtu = mtu,
		.if_mru = mtu,
	};
	uint32_t ms = 0;
	struct user_source *s;

	net_flows_init(&u->flows, user_take_descriptors(), (unsigned)mtu);
	u->filter = (struct net_frame_filter){ .host = o->net.host, .first = o->net.guest };
	u->be.files = u->flows.max;
	u->be.memory = u->flows.max * NET_FLOW_SOCKET + NET_FLOW_HELD + NET_REASSEMBLY_MEMORY +
		       USER_RESERVE;
	(void)inet_pton(AF_INET6, "fec0::", &cfg.vprefix_addr6);
	(void)inet_pton(AF_INET6, "fec0::2", &cfg.vhost6);
	(void)inet_pton(AF_INET6, "fec0::3", &cfg.vnameserver6);
	u->slirp = slirp_new(&cfg, &callbacks, u);
	for (guint i = 0; o->opt->hostfwd && i < o->opt->hostfwd->len; i++)
		if (!user_add_forward(u, &o->net, g_ptr_array_index(o->opt->hostfwd, i), o->err))
			return;
	slirp_pollfds_fill(u->slirp, &ms, user_note_listener, u);
	s = (struct user_source *)g_source_new(&source_funcs, sizeof(*s));
	s->user = u;
	pollfds_init(&s->pollfds, &s->source);
	u->source = s;
	g_source_attach(&s->source, loop_context(u->be.loop));
	o->ok = true;
}

struct net_backend *net_user_open(const struct net_options *opt, const struct net_backend *common,
				  GError **err)
{
	struct opening o = { .opt = opt, .err = err };
	struct user *u;

	if (!user_parse_net(opt->net, opt->dns, &o.net, err))
		return NULL;
	u = g_new0(struct user, 1);
	u->be = *common;
	u->be.ops = &user_ops;
	u->be.syscalls[0] = user_syscalls;
	u->be.needs_network = true;
	u->be.tx_offloads = NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN;
	u->be.checked = true;
	u->forwards = g_array_new(FALSE, FALSE, sizeof(struct user_forward));
	u->listeners = g_array_new(FALSE, FALSE, sizeof(int));
	u->unseen = USER_RESERVE_STEP;
	u->gather = g_malloc(NET_FRAME_MAX);
	u->late = (struct net_frame_queue){ .data = g_malloc(LATE_SIZE), .size = LATE_SIZE };
	o.user = u;
	loop_call(u->be.loop, user_start, &o);
	if (o.ok)
		return &u->be;
	user_close(&u->be);
	return NULL;
}
