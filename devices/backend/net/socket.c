/*
 * A cable to one other virtual machine monitor, over a unix stream socket.
 *
 * Each frame is preceded by its length, four bytes big-endian: what QEMU's `-netdev stream` speaks,
 * too. Nothing else is on the wire, so no work can be left undone on a frame.
 *
 * One end listens, the other connects; either may be started first, and either may come back after
 * it went away: the connecting end tries again, the listening end accepts the next. Between, the
 * link is down and frames are lost, as on a pulled cable.
 *
 * A frame that the socket takes only in part is finished from `out`, and until then send() says
 * -EAGAIN. A guest that takes no frames stops the reading, and the peer feels it; a guest that has no
 * receive queue at all drops them, so that its peer goes on.
 */
#include "devices/backend/net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/unix-listen.h"
#include "devices/base/error.h"

#define RETRY_MS 500u
#define PREFIX   4u
#define RECORD   (PREFIX + NET_FRAME_MAX)
#define DISCARDS 64u /* reads at once of what is nobody's: more than a socket has room for */
/* Room for a whole record behind a partial one, so that a read is never cut short by bookkeeping. */
#define IN_SIZE (2 * (size_t)RECORD)

struct cable {
	struct net_backend be;
	char *path;
	bool listens;
	struct unix_listener listener;
	int fd; /* -1: no peer */
	GSource *accept_watch, *watch, *retry;

	bool wanted; /* deliver; otherwise drop */
	bool full;   /* the device refused the frame at in[in_start] */
	uint8_t *in; /* IN_SIZE */
	size_t in_start, in_end;

	uint8_t *out; /* RECORD: what is left of a frame half sent */
	size_t out_start, out_end;
};

static void hang_up(struct cable *c, const char *why);
static void connected(struct cable *c, int fd);

/*
 * Frames for the guest.
 */

/* Takes whole records off `in`. False: the peer speaks something else. */
static bool deliver(struct cable *c)
{
	static const struct net_offload nothing;
	uint32_t len;

	while (!c->full && c->in_end - c->in_start >= PREFIX) {
		memcpy(&len, c->in + c->in_start, PREFIX);
		len = ntohl(len);
		if (len == 0 || len > NET_FRAME_MAX)
			return false;
		if (c->in_end - c->in_start - PREFIX < len)
			break;
		if (c->wanted && len >= NET_FRAME_MIN)
			c->full = !c->be.events->frame(c->be.opaque, 0,
						       c->in + c->in_start + PREFIX, len, &nothing);
		if (!c->full)
			c->in_start += PREFIX + len;
	}
	if (c->wanted)
		c->be.events->batch_end(c->be.opaque, 0);
	return true;
}

/* What the socket is to be watched for. */
static void set_events(struct cable *c)
{
	GIOCondition events = G_IO_HUP; /* a peer that leaves is no link, read or not */

	if (!c->full)
		events |= G_IO_IN;
	if (c->out_end)
		events |= G_IO_OUT;
	if (c->watch)
		loop_watch_events(c->watch, events);
}

/* False: there was nothing. */
static bool fill(struct cable *c)
{
	ssize_t got;

	if (c->in_start) {
		memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
		c->in_end -= c->in_start;
		c->in_start = 0;
	}
	got = recv(c->fd, c->in + c->in_end, IN_SIZE - c->in_end, MSG_DONTWAIT);
	if (got == 0) {
		hang_up(c, NULL);
	} else if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			hang_up(c, errno == ECONNRESET ? NULL : g_strerror(errno));
	} else {
		c->in_end += (size_t)got;
		if (!deliver(c))
			hang_up(c, "the peer does not send frames preceded by their length");
	}
	return got > 0 && c->fd >= 0;
}

/* Frames are dropped while they are not wanted: read all that there is. */
static void cable_discard(struct net_backend *be, unsigned channel)
{
	struct cable *c = (struct cable *)be;

	(void)channel;
	for (unsigned i = 0; i < DISCARDS && c->fd >= 0; i++)
		if (!fill(c))
			break;
}

static void cable_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct cable *c = (struct cable *)be;

	(void)channel;
	c->wanted = on;
	c->full = false;
	if (c->fd >= 0 && !deliver(c))
		hang_up(c, "the peer does not send frames preceded by their length");
	set_events(c);
}

/*
 * Frames from the guest.
 */

/* Keeps what is left of a record of which @sent bytes went out. */
static void keep_rest(struct cable *c, const struct iovec *iov, unsigned n, size_t sent)
{
	c->out_start = c->out_end = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);

		memcpy(c->out + c->out_end, (uint8_t *)iov[i].iov_base + skip,
		       iov[i].iov_len - skip);
		c->out_end += iov[i].iov_len - skip;
		sent -= skip;
	}
}

static int cable_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		      const struct net_offload *off)
{
	struct cable *c = (struct cable *)be;
	struct iovec all[NET_IOV_MAX + 1];
	size_t len = net_iov_len(iov, n);
	uint32_t prefix = htonl((uint32_t)len);
	ssize_t sent;

	(void)channel;
	(void)off;
	if (c->fd < 0)
		return -ENOTCONN;
	if (c->out_end)
		return -EAGAIN;
	all[0] = (struct iovec){ &prefix, PREFIX };
	memcpy(all + 1, iov, n * sizeof(*iov));
	/* Not sendmsg(), which can send descriptors; the program ignores SIGPIPE. */
	sent = writev(c->fd, all, (int)n + 1);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -errno; /* the reader finds out, too, and hangs up */
	if (sent < (ssize_t)(PREFIX + len)) {
		keep_rest(c, all, n + 1, sent < 0 ? 0 : (size_t)sent);
		set_events(c);
	}
	return 0;
}

static void send_rest(struct cable *c)
{
	ssize_t sent = send(c->fd, c->out + c->out_start, c->out_end - c->out_start,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return;
	c->out_start += (size_t)sent;
	if (c->out_start < c->out_end)
		return;
	c->out_start = c->out_end = 0;
	c->be.events->writable(c->be.opaque, 0);
}

/*
 * Coming and going of the peer.
 */
static void ready(void *arg, GIOCondition revents)
{
	struct cable *c = arg;

	if (revents & G_IO_OUT && c->out_end)
		send_rest(c);
	if (revents & G_IO_IN && !c->full)
		(void)fill(c);
	else if (revents & (G_IO_HUP | G_IO_ERR))
		hang_up(c, NULL);
	set_events(c);
}

static void connected(struct cable *c, int fd)
{
	c->fd = fd;
	c->in_start = c->in_end = c->out_start = c->out_end = 0;
	c->full = false;
	c->watch = loop_watch(c->be.loop, fd, G_IO_IN, ready, c);
	c->be.events->link(c->be.opaque, true);
}

static gboolean try_again(gpointer arg)
{
	struct cable *c = arg;
	int fd = cable_connect(c->path);

	if (fd < 0)
		return G_SOURCE_CONTINUE;
	g_clear_pointer(&c->retry, g_source_unref);
	connected(c, fd);
	return G_SOURCE_REMOVE;
}

static void wait_for_peer(struct cable *c);

static gboolean listen_again(gpointer arg)
{
	struct cable *c = arg;

	g_clear_pointer(&c->retry, g_source_unref);
	wait_for_peer(c);
	return G_SOURCE_REMOVE;
}

static void retry_later(struct cable *c, GSourceFunc fn)
{
	c->retry = g_timeout_source_new(RETRY_MS);
	g_source_set_callback(c->retry, fn, c, NULL);
	g_source_attach(c->retry, loop_context(c->be.loop));
}

static void accept_peer(void *arg, GIOCondition revents)
{
	struct cable *c = arg;
	int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	loop_unwatch(g_steal_pointer(&c->accept_watch)); /* a cable has one other end */
	if (fd < 0)
		retry_later(c, listen_again); /* no descriptors: it would be ready again at once */
	else
		connected(c, fd);
}

static void wait_for_peer(struct cable *c)
{
	if (c->listens)
		c->accept_watch = loop_watch(c->be.loop, c->listener.fd, G_IO_IN, accept_peer, c);
	else
		retry_later(c, try_again);
}

static void hang_up(struct cable *c, const char *why)
{
	if (why) {
		g_autofree char *text = g_strdup_printf("socket %s: %s", c->path, why);

		c->be.events->trouble(c->be.opaque, false, text);
	}
	loop_unwatch(g_steal_pointer(&c->watch));
	close(c->fd);
	c->fd = -1;
	c->in_start = c->in_end = c->out_start = c->out_end = 0;
	c->full = false;
	c->be.events->link(c->be.opaque, false);
	c->be.events->writable(c->be.opaque, 0); /* what waits is lost, not stuck */
	wait_for_peer(c);
}

static void unhook(void *arg)
{
	struct cable *c = arg;

	loop_unwatch(c->watch);
	loop_unwatch(c->accept_watch);
	loop_unwatch(c->retry);
}

static void cable_close(struct net_backend *be)
{
	struct cable *c = (struct cable *)be;

	loop_call(be->loop, unhook, c);
	if (c->fd >= 0)
		close(c->fd);
	unix_unlisten(&c->listener);
	g_free(c->path);
	g_free(c->in);
	g_free(c->out);
	g_free(be->name);
	g_free(c);
}

static const struct syscall_use cable_uses[] = {
	{ .name = "recvfrom" },
	{ SYSCALL_SEND },
	{ .name = NULL },
};

/* The connecting end looks for its peer again and again. */
static const struct syscall_use connecting_uses[] = {
	{ SYSCALL_SOCKET(AF_UNIX) },
	{ .name = "connect" },
	{ .name = NULL },
};

static const struct net_backend_ops cable_ops = {
	.close = cable_close,
	.send = cable_send,
	.receive = cable_receive,
	.discard = cable_discard,
};

/* On the loop: the first attempt to find the peer. */
static void hook(void *arg)
{
	struct cable *c = arg;
	int fd = c->listens ? -1 : cable_connect(c->path);

	c->be.events->link(c->be.opaque, false);
	if (fd >= 0)
		connected(c, fd);
	else
		wait_for_peer(c);
}

struct net_backend *net_socket_open(const struct net_options *opt, const struct net_backend *common,
				    GError **err)
{
	struct cable *c;
	struct unix_listener listener = { .fd = -1 };
	g_autofree char *context = g_strdup_printf("--device net,path=%s", opt->path);
	bool ok;

	if (!opt->path) {
		(void)ringside_usage(err, "--device net,backend=socket: 'path=' is missing");
		return NULL;
	}
	ok = opt->listen ? unix_listen(&listener, opt->path, context, err)
			 : cable_check(opt->path, err);
	if (!ok)
		return NULL;
	c = g_new0(struct cable, 1);
	c->be = *common;
	c->be.ops = &cable_ops;
	c->be.uses[0] = cable_uses;
	c->be.uses[1] = opt->listen ? unix_listen_uses : connecting_uses;
	/* The two ends must differ, or both guests would get the same address. */
	c->be.name = g_strdup_printf("%s %s", opt->listen ? "listen" : "connect", opt->path);
	c->path = g_strdup(opt->path);
	c->be.keeps = c->path;
	c->listens = opt->listen;
	c->listener = listener;
	c->fd = -1;
	c->in = g_malloc(IN_SIZE);
	c->out = g_malloc(RECORD);
	loop_call(c->be.loop, hook, c);
	return &c->be;
}
