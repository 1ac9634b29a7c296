/*
 * A network of the guest's own, made of ordinary sockets of the host (libslirp): no privilege, no
 * interface, and nothing on the host can see the guest but what hostfwd= lets through.
 *
 * libslirp is driven by one source on the backend's loop; before each sleep it says which sockets it
 * waits for, and how long. A guest's TCP segment may be larger than the network's MTU: it need not
 * be cut, since all that counts in it is the stream of bytes; its checksum must be right, though.
 *
 * libslirp cannot be told to wait, so frames that find no room in the guest are kept in `late`, up to
 * its size; beyond that they are lost, and TCP makes up for it.
 */
#include "devices/backend/net-user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <slirp/libslirp.h>
#include <sys/ioctl.h>

#include "devices/backend/net-guard.h"
#include "devices/backend/net-late.h"
#include "devices/backend/net-polls.h"
#include "devices/error.h"

#define LATE_SIZE   ((size_t)512 * 1024)
#define SLIRP_MTU   1500u
#define SLIRP_LIMIT 65521u /* the largest MTU that libslirp takes */

struct user {
	struct net_backend be;
	Slirp *slirp;
	bool wanted;
	uint8_t *gather; /* NET_FRAME_MAX */

	struct net_late late;
	struct net_guard guard;

	struct user_source *source;
};

struct user_source {
	GSource source;
	struct user *user;
	struct polls polls;
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
static bool deliver(struct user *u, uint8_t *data, size_t len)
{
	const struct net_offload off = { .csum_valid = true };

	return u->be.events->frame(u->be.opaque, 0, data, len, &off);
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct user *u = opaque;
	size_t len_late;

	if (!u->wanted || len < NET_FRAME_MIN || len > NET_FRAME_MAX)
		return (ssize_t)len;
	/* The device alters a frame only to do work that was left undone: none is. */
	if (net_late_first(&u->late, &len_late) || !deliver(u, (uint8_t *)buf, len))
		(void)net_late_add(&u->late, buf, len);
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
		net_late_clear(&u->late);
	while ((data = net_late_first(&u->late, &len)) && deliver(u, data, len))
		net_late_drop(&u->late);
	if (on)
		be->events->batch_end(be->opaque, 0);
}

/*
 * Frames from the guest.
 */
static int user_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct user *u = (struct user *)be;
	/* A copy: what is judged here must be what libslirp sees. */
	size_t len = net_gather(u->gather, iov, n);

	(void)channel;
	(void)off;
	if (net_guard_pass(&u->guard, g_get_monotonic_time(), u->gather, len))
		slirp_input(u->slirp, u->gather, (int)len);
	return 0;
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

static int add_poll(int fd, int wants, void *opaque)
{
	struct user_source *s = opaque;
	unsigned condition = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (wants & events[i].slirp)
			condition |= events[i].glib;
	return (int)polls_want(&s->polls, fd, (GIOCondition)condition);
}

static int get_revents(int index, void *opaque)
{
	struct user_source *s = opaque;
	GIOCondition condition = polls_revents(&s->polls, (unsigned)index);
	int revents = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (condition & events[i].glib)
			revents |= events[i].slirp;
	return revents;
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
	struct user_source *s = (struct user_source *)source;
	uint32_t ms = UINT32_MAX;

	polls_begin(&s->polls);
	slirp_pollfds_fill(s->user->slirp, &ms, add_poll, s);
	polls_end(&s->polls);
	*timeout = ms > INT_MAX ? -1 : (gint)ms;
	s->deadline = *timeout < 0 ? -1 : g_source_get_time(source) + 1000ll * *timeout;
	return ms == 0;
}

static gboolean source_check(GSource *source)
{
	const struct user_source *s = (struct user_source *)source;

	return polls_ready(&s->polls) ||
	       (s->deadline >= 0 && g_source_get_time(source) >= s->deadline);
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct user_source *s = (struct user_source *)source;
	struct user *u = s->user;

	(void)callback;
	(void)data;
	slirp_pollfds_poll(u->slirp, 0, get_revents, s);
	if (u->wanted)
		u->be.events->batch_end(u->be.opaque, 0);
	return G_SOURCE_CONTINUE;
}

static void source_finalize(GSource *source)
{
	polls_free(&((struct user_source *)source)->polls);
}

static GSourceFuncs source_funcs = {
	.prepare = source_prepare,
	.check = source_check,
	.dispatch = source_dispatch,
	.finalize = source_finalize,
};

/*
 * What else libslirp asks of its host.
 */
static void guest_error(const char *msg, void *opaque)
{
	struct user *u = opaque;

	u->be.events->trouble(u->be.opaque, true, msg);
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return g_get_monotonic_time() * 1000;
}

static gboolean timer_dispatch(GSource *source, GSourceFunc callback, gpointer data)
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

static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
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

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	loop_unwatch(timer);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	(void)opaque;
	g_source_set_ready_time(timer, expire_ms * 1000);
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd, /* each turn asks for all of them anyway */
	.unregister_poll_fd = ignore_fd,
	.notify = ignore,
};

/*
 * Opening and closing, on the loop.
 */
static void shut(void *arg)
{
	struct user *u = arg;

	loop_unwatch((GSource *)u->source);
	if (u->slirp)
		slirp_cleanup(u->slirp);
}

static void user_close(struct net_backend *be)
{
	struct user *u = (struct user *)be;

	loop_call(be->loop, shut, u);
	g_free(u->gather);
	g_free(u->late.data);
	g_free(u);
}

/* What libslirp makes of a guest's connections; and it looks the name servers up again and again. */
static const struct syscall_use user_uses[] = {
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
};

static bool add_forward(struct user *u, const struct user_net *net, const char *text, GError **err)
{
	struct user_forward f;

	if (!user_parse_forward(text, &f, err) || !user_check_forward(text, &f, net, err))
		return false;
	if (slirp_add_hostfwd(u->slirp, f.udp, f.host_addr, (int)f.host_port, f.guest_addr,
			      (int)f.guest_port) == 0)
		return true;
	return ringside_error_errno(err, errno, "--device net,hostfwd=%s: port %u of the host",
				    text, f.host_port);
}

struct opening {
	struct user *user;
	const struct net_options *opt;
	struct user_net net;
	GError **err;
	bool ok;
};

static void start(void *arg)
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
	struct user_source *s;

	(void)inet_pton(AF_INET6, "fec0::", &cfg.vprefix_addr6);
	(void)inet_pton(AF_INET6, "fec0::2", &cfg.vhost6);
	(void)inet_pton(AF_INET6, "fec0::3", &cfg.vnameserver6);
	u->slirp = slirp_new(&cfg, &callbacks, u);
	for (guint i = 0; o->opt->hostfwd && i < o->opt->hostfwd->len; i++)
		if (!add_forward(u, &o->net, g_ptr_array_index(o->opt->hostfwd, i), o->err))
			return;
	s = (struct user_source *)g_source_new(&source_funcs, sizeof(*s));
	s->user = u;
	polls_init(&s->polls, &s->source);
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
	u->be.uses[0] = user_uses;
	u->be.connects = true;
	u->be.takes = NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN;
	u->be.checked = true;
	u->gather = g_malloc(NET_FRAME_MAX);
	u->late = (struct net_late){ .data = g_malloc(LATE_SIZE), .size = LATE_SIZE };
	o.user = u;
	loop_call(u->be.loop, start, &o);
	if (o.ok)
		return &u->be;
	user_close(&u->be);
	return NULL;
}
