/*
 * A listening unix socket. One client at a time: while it is there nobody else is accepted, and
 * the next one waits in the kernel's queue.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/chr/chr-impl.h"
#include "devices/backend/unix-listen.h"

#define RETRY_MS 1000u /* after accept() failed for want of descriptors or memory */

struct chr_unix {
	struct chr_stream s;
	struct unix_listener listener;
	GSource *listen_watch;
};

static gboolean chr_unix_retry(void *arg)
{
	struct chr_unix *u = arg;

	loop_unwatch(g_steal_pointer(&u->s.timer));
	loop_watch_events(u->listen_watch, G_IO_IN);
	return G_SOURCE_REMOVE;
}

static void chr_unix_on_client(void *arg, GIOCondition revents)
{
	struct chr_unix *u = arg;
	struct chr *chr = &u->s.chr;
	int fd = accept4(u->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		if (chr->user->trouble)
			chr->user->trouble(chr->arg, "accept", errno);
		loop_watch_events(u->listen_watch, 0);
		chr_stream_timer(&u->s, RETRY_MS, chr_unix_retry);
		return;
	}
	loop_watch_events(u->listen_watch, 0);
	u->s.fd = fd;
	chr_stream_arrived(&u->s);
}

static void chr_unix_client_left(struct chr_stream *s)
{
	struct chr_unix *u = (struct chr_unix *)s;

	close(s->fd);
	s->fd = -1;
	loop_watch_events(u->listen_watch, G_IO_IN);
}

static void chr_unix_attach(struct chr *chr)
{
	struct chr_unix *u = (struct chr_unix *)chr;

	u->listen_watch = loop_watch(chr->loop, u->listener.fd, chr->connected ? 0 : G_IO_IN,
				     chr_unix_on_client, u);
	chr_stream_attach(chr);
}

static void chr_unix_detach(struct chr *chr)
{
	struct chr_unix *u = (struct chr_unix *)chr;

	loop_unwatch(g_steal_pointer(&u->listen_watch));
	chr_stream_detach(chr);
}

static void chr_unix_close(struct chr *chr)
{
	struct chr_unix *u = (struct chr_unix *)chr;

	chr_stream_free(&u->s);
	unix_unlisten(&u->listener);
	g_free(u);
}

static const struct syscall_use unix_syscalls[] = {
	{ .name = "accept4" },
	{ SYSCALL_SEND, .closing = true },
	{ .name = "statx", .closing = true }, /* unix_unlisten() */
	{ .name = "unlink", .closing = true },
	{ .name = NULL },
};

static const struct chr_ops unix_ops = {
	.read = chr_stream_read,
	.write = chr_stream_write,
	.want = chr_stream_want,
	.attach = chr_unix_attach,
	.detach = chr_unix_detach,
	.close = chr_unix_close,
};

struct chr *chr_unix_open(const char *arg, const char *context, GError **err)
{
	struct chr_unix *u = g_new0(struct chr_unix, 1);

	if (!unix_listen(&u->listener, arg, context, err)) {
		g_free(u);
		return NULL;
	}
	chr_stream_init(&u->s, &unix_ops);
	u->s.is_socket = true;
	u->s.left = chr_unix_client_left;
	u->s.chr.syscalls = unix_syscalls;
	u->s.chr.kept_path = u->listener.path;
	return &u->s.chr;
}
