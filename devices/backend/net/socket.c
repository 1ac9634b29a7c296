/*
 * A link to one other virtual machine monitor, over a unix stream socket.
 *
 * Each frame is preceded by its length, four bytes big-endian: what QEMU's `-netdev stream` speaks,
 * too. Nothing else is on the wire, so no work can be left undone on a frame.
 *
 * One end listens, the other connects; either may be started first, and either may come back after
 * it went away: the connecting end tries again, the listening end accepts the next. Between, the
 * link is down and frames are lost.
 *
 * A frame that the socket takes only in part is finished from `out`, and until then send() says
 * -EAGAIN. A guest that takes no frames stops the reading, and the peer feels it; a guest that has
 * no receive queue at all drops them, so that its peer goes on.
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
/* Room for a whole record behind a partial one, so that a read is never cut short by bookkeeping.
 */
#define IN_SIZE (2 * (size_t)RECORD)

struct net_socket {
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

static void net_socket_hang_up(struct net_socket *s, const char *why);
static void net_socket_connected(struct net_socket *s, int fd);

/*
 * Frames for the guest.
 */

/* Takes whole records off `in`. False: the peer speaks something else. */
static bool net_socket_deliver(struct net_socket *s)
{
	static const struct net_offload nothing;
	uint32_t len;

	while (!s->full && s->in_end - s->in_start >= PREFIX) {
		memcpy(&len, s->in + s->in_start, PREFIX);
		len = ntohl(len);
		if (len == 0 || len > NET_FRAME_MAX)
			return false;
		if (s->in_end - s->in_start - PREFIX < len)
			break;
		if (s->wanted && len >= NET_FRAME_MIN)
			s->full = !s->be.events->frame(s->be.opaque, 0,
						       s->in + s->in_start + PREFIX, len, &nothing);
		if (!s->full)
			s->in_start += PREFIX + len;
	}
	if (s->wanted)
		s->be.events->batch_end(s->be.opaque, 0);
	return true;
}

/* What the socket is to be watched for. */
static void net_socket_set_events(struct net_socket *s)
{
	GIOCondition events = G_IO_HUP; /* a peer that leaves is no link, read or not */

	if (!s->full)
		events |= G_IO_IN;
	if (s->out_end)
		events |= G_IO_OUT;
	if (s->watch)
		loop_watch_events(s->watch, events);
}

/* False: there was nothing. */
static bool net_socket_fill(struct net_socket *s)
{
	ssize_t got;

	if (s->in_start) {
		memmove(s->in, s->in + s->in_start, s->in_end - s->in_start);
		s->in_end -= s->in_start;
		s->in_start = 0;
	}
	got = recv(s->fd, s->in + s->in_end, IN_SIZE - s->in_end, MSG_DONTWAIT);
	if (got == 0) {
		net_socket_hang_up(s, NULL);
	} else if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			net_socket_hang_up(s, errno == ECONNRESET ? NULL : g_strerror(errno));
	} else {
		s->in_end += (size_t)got;
		if (!net_socket_deliver(s))
			net_socket_hang_up(
				s, "the peer does not send frames preceded by their length");
	}
	return got > 0 && s->fd >= 0;
}

/* Frames are dropped while they are not wanted: read all that there is. */
static void net_socket_discard(struct net_backend *be, unsigned channel)
{
	struct net_socket *s = (struct net_socket *)be;

	(void)channel;
	for (unsigned i = 0; i < DISCARDS && s->fd >= 0; i++)
		if (!net_socket_fill(s))
			break;
}

static void net_socket_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct net_socket *s = (struct net_socket *)be;

	(void)channel;
	s->wanted = on;
	s->full = false;
	if (s->fd >= 0 && !net_socket_deliver(s))
		net_socket_hang_up(s, "the peer does not send frames preceded by their length");
	net_socket_set_events(s);
}

/*
 * Frames from the guest.
 */

/* Keeps what is left of a record of which @sent bytes went out. */
static void net_socket_keep_rest(struct net_socket *s, const struct iovec *iov, unsigned n,
				 size_t sent)
{
	s->out_start = s->out_end = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);

		memcpy(s->out + s->out_end, (uint8_t *)iov[i].iov_base + skip,
		       iov[i].iov_len - skip);
		s->out_end += iov[i].iov_len - skip;
		sent -= skip;
	}
}

static int net_socket_send(struct net_backend *be, unsigned channel, const struct iovec *iov,
			   unsigned n, const struct net_offload *off)
{
	struct net_socket *s = (struct net_socket *)be;
	struct iovec all[NET_IOV_MAX + 1];
	size_t len = net_iov_len(iov, n);
	uint32_t prefix = htonl((uint32_t)len);
	ssize_t sent;

	(void)channel;
	(void)off;
	if (s->fd < 0)
		return -ENOTCONN;
	if (s->out_end)
		return -EAGAIN;
	all[0] = (struct iovec){ &prefix, PREFIX };
	memcpy(all + 1, iov, n * sizeof(*iov));
	/* Not sendmsg(), which can send descriptors; the program ignores SIGPIPE. */
	sent = writev(s->fd, all, (int)n + 1);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -errno; /* the reader finds out, too, and hangs up */
	if (sent < (ssize_t)(PREFIX + len)) {
		net_socket_keep_rest(s, all, n + 1, sent < 0 ? 0 : (size_t)sent);
		net_socket_set_events(s);
	}
	return 0;
}

static void net_socket_send_rest(struct net_socket *s)
{
	ssize_t sent = send(s->fd, s->out + s->out_start, s->out_end - s->out_start,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return;
	s->out_start += (size_t)sent;
	if (s->out_start < s->out_end)
		return;
	s->out_start = s->out_end = 0;
	s->be.events->writable(s->be.opaque, 0);
}

/*
 * Coming and going of the peer.
 */
static void net_socket_ready(void *arg, GIOCondition revents)
{
	struct net_socket *s = arg;

	if (revents & G_IO_OUT && s->out_end)
		net_socket_send_rest(s);
	if (revents & G_IO_IN && !s->full)
		(void)net_socket_fill(s);
	else if (revents & (G_IO_HUP | G_IO_ERR))
		net_socket_hang_up(s, NULL);
	net_socket_set_events(s);
}

static void net_socket_connected(struct net_socket *s, int fd)
{
	s->fd = fd;
	s->in_start = s->in_end = s->out_start = s->out_end = 0;
	s->full = false;
	s->watch = loop_watch(s->be.loop, fd, G_IO_IN, net_socket_ready, s);
	s->be.events->link(s->be.opaque, true);
}

static gboolean net_socket_try_again(gpointer arg)
{
	struct net_socket *s = arg;
	int fd = net_socket_connect(s->path);

	if (fd < 0)
		return G_SOURCE_CONTINUE;
	g_clear_pointer(&s->retry, g_source_unref);
	net_socket_connected(s, fd);
	return G_SOURCE_REMOVE;
}

static void net_socket_wait_for_peer(struct net_socket *s);

static gboolean net_socket_listen_again(gpointer arg)
{
	struct net_socket *s = arg;

	g_clear_pointer(&s->retry, g_source_unref);
	net_socket_wait_for_peer(s);
	return G_SOURCE_REMOVE;
}

static void net_socket_retry_later(struct net_socket *s, GSourceFunc fn)
{
	s->retry = g_timeout_source_new(RETRY_MS);
	g_source_set_callback(s->retry, fn, s, NULL);
	g_source_attach(s->retry, loop_context(s->be.loop));
}

static void net_socket_accept_peer(void *arg, GIOCondition revents)
{
	struct net_socket *s = arg;
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	loop_unwatch(g_steal_pointer(&s->accept_watch)); /* there is one peer */
	if (fd < 0) /* no descriptors: it would be ready again at once */
		net_socket_retry_later(s, net_socket_listen_again);
	else
		net_socket_connected(s, fd);
}

static void net_socket_wait_for_peer(struct net_socket *s)
{
	if (s->listens)
		s->accept_watch = loop_watch(s->be.loop, s->listener.fd, G_IO_IN,
					     net_socket_accept_peer, s);
	else
		net_socket_retry_later(s, net_socket_try_again);
}

static void net_socket_hang_up(struct net_socket *s, const char *why)
{
	if (why) {
		g_autofree char *text = g_strdup_printf("socket %s: %s", s->path, why);

		s->be.events->trouble(s->be.opaque, false, text);
	}
	loop_unwatch(g_steal_pointer(&s->watch));
	close(s->fd);
	s->fd = -1;
	s->in_start = s->in_end = s->out_start = s->out_end = 0;
	s->full = false;
	s->be.events->link(s->be.opaque, false);
	s->be.events->writable(s->be.opaque, 0); /* what waits is lost, not stuck */
	net_socket_wait_for_peer(s);
}

static void net_socket_unhook(void *arg)
{
	struct net_socket *s = arg;

	loop_unwatch(s->watch);
	loop_unwatch(s->accept_watch);
	loop_unwatch(s->retry);
}

static void net_socket_close(struct net_backend *be)
{
	struct net_socket *s = (struct net_socket *)be;

	loop_call(be->loop, net_socket_unhook, s);
	if (s->fd >= 0)
		close(s->fd);
	unix_unlisten(&s->listener);
	g_free(s->path);
	g_free(s->in);
	g_free(s->out);
	g_free(be->name);
	g_free(s);
}

static const struct syscall_use net_socket_syscalls[] = {
	{ .name = "recvfrom" },
	{ SYSCALL_SEND },
	{ .name = NULL },
};

/* The connecting end looks for its peer again and again. */
static const struct syscall_use net_socket_connecting_syscalls[] = {
	{ SYSCALL_SOCKET(AF_UNIX) },
	{ .name = "connect" },
	{ .name = NULL },
};

static const struct net_backend_ops net_socket_ops = {
	.close = net_socket_close,
	.send = net_socket_send,
	.receive = net_socket_receive,
	.discard = net_socket_discard,
};

/* On the loop: the first attempt to find the peer. */
static void net_socket_hook(void *arg)
{
	struct net_socket *s = arg;
	int fd = s->listens ? -1 : net_socket_connect(s->path);

	s->be.events->link(s->be.opaque, false);
	if (fd >= 0)
		net_socket_connected(s, fd);
	else
		net_socket_wait_for_peer(s);
}

struct net_backend *net_socket_open(const struct net_options *opt, const struct net_backend *common,
				    GError **err)
{
	struct net_socket *s;
	struct unix_listener listener = { .fd = -1 };
	g_autofree char *context = g_strdup_printf("--device net,path=%s", opt->path);
	bool ok;

	if (!opt->path) {
		(void)ringside_usage(err, "--device net,backend=socket: 'path=' is missing");
		return NULL;
	}
	ok = opt->listen ? unix_listen(&listener, opt->path, context, err)
			 : net_socket_check(opt->path, err);
	if (!ok)
		return NULL;
	s = g_new0(struct net_socket, 1);
	s->be = *common;
	s->be.ops = &net_socket_ops;
	s->be.syscalls[0] = net_socket_syscalls;
	s->be.syscalls[1] = opt->listen ? unix_listen_syscalls : net_socket_connecting_syscalls;
	/* The two ends must differ, or both guests would get the same address. */
	s->be.name = g_strdup_printf("%s %s", opt->listen ? "listen" : "connect", opt->path);
	s->path = g_strdup(opt->path);
	s->be.kept_path = s->path;
	s->listens = opt->listen;
	s->listener = listener;
	s->fd = -1;
	s->in = g_malloc(IN_SIZE);
	s->out = g_malloc(RECORD);
	loop_call(s->be.loop, net_socket_hook, s);
	return &s->be;
}
