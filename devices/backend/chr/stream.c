/*
 * A stream over one descriptor.
 *
 * The delicate part is the end. poll() reports a hang-up for ever, with input perhaps still
 * waiting, so: input is read to its end before the other end counts as gone; and while nobody
 * wants to read that input, the stream is parked (not polled at all) until somebody does. Output
 * meanwhile goes where it goes when nobody is there, into the backlog. A client that only ended
 * its own sending (shutdown()) is still there and gets output.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/chr/chr-impl.h"

#define WRITE_MAX (64u << 10) /* bytes in one system call: keeps the loop's turns short */

void chr_stream_init(struct chr_stream *s, const struct chr_ops *ops)
{
	s->chr.ops = ops;
	s->fd = -1;
	chr_fifo_init(&s->backlog, CHR_BACKLOG);
}

static bool stream_flush_backlog(struct chr_stream *s);

void chr_stream_free(struct chr_stream *s)
{
	stream_flush_backlog(s);
	if (s->fd >= 0)
		close(s->fd);
	chr_fifo_free(&s->backlog);
}

static void stream_on_event(void *arg, GIOCondition revents);

/* Brings the watch in line with what is wanted. */
static void stream_update(struct chr_stream *s)
{
	/* Whatever else is wanted, the user is told who leaves. */
	GIOCondition events = s->left ? G_IO_HUP : 0;

	if (s->want_read && !s->eof)
		events |= G_IO_IN;
	if ((s->want_write || s->backlog.len) && !s->hung)
		events |= G_IO_OUT;
	if (!s->attached || !s->chr.connected || (s->hung && !(events & G_IO_IN)))
		loop_unwatch(g_steal_pointer(&s->watch));
	else if (s->watch && events != s->events) /* a system call, so not for nothing */
		loop_watch_events(s->watch, events);
	else if (!s->watch)
		s->watch = loop_watch(s->chr.loop, s->fd, events, stream_on_event, s);
	s->events = events;
}

static void stream_other_end_left(struct chr_stream *s)
{
	s->chr.connected = false;
	s->eof = s->hung = false;
	stream_update(s);
	s->left(s);
	if (s->chr.user->connected)
		s->chr.user->connected(s->chr.arg, false);
	/* What waited for the other end can go into the backlog now. */
	if (s->want_write && s->chr.user->writable)
		s->chr.user->writable(s->chr.arg);
}

/* True if there may be input that nobody has read yet. */
static bool stream_input_left(struct chr_stream *s, GIOCondition revents)
{
	int n = 0;

	if (s->eof)
		return false;
	if (s->want_read) /* then it was polled for */
		return revents & G_IO_IN;
	return ioctl(s->fd, FIONREAD, &n) == 0 && n > 0;
}

static void stream_on_event(void *arg, GIOCondition revents)
{
	struct chr_stream *s = arg;
	const struct chr_user *user = s->chr.user;
	bool broken = revents & (G_IO_HUP | G_IO_ERR | G_IO_NVAL);
	bool hung = broken && s->left;

	s->hung = hung;
	if (revents & G_IO_IN && s->want_read && user->readable)
		user->readable(s->chr.arg);
	if (revents & G_IO_OUT)
		stream_flush_backlog(s);
	if (hung && !stream_input_left(s, revents)) {
		stream_other_end_left(s);
		return;
	}
	if ((broken || (revents & G_IO_OUT && !s->backlog.len)) && s->want_write && user->writable)
		user->writable(s->chr.arg);
	stream_update(s);
}

/* Writes to the descriptor: how many bytes it took, 0 if it is full or the other end has left
 * (s->hung then). What cannot be written for another reason counts as taken, after a word to the
 * user. */
static size_t stream_write_out(struct chr_stream *s, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = s->is_socket ? send(s->fd, buf, MIN(len, WRITE_MAX), MSG_NOSIGNAL)
				 : write(s->fd, buf, MIN(len, WRITE_MAX));
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		s->warned = false;
	if (n >= 0)
		return (size_t)n;
	if (errno == EAGAIN)
		return 0;
	if (s->left) {
		s->hung = true;
		return 0;
	}
	if (!s->warned && s->chr.user && s->chr.user->trouble)
		s->chr.user->trouble(s->chr.arg, "output is lost", errno);
	s->warned = true;
	return len;
}

/* True if nothing is left in it and there is somebody to write to. */
static bool stream_flush_backlog(struct chr_stream *s)
{
	while (s->backlog.len && s->chr.connected && !s->hung) {
		size_t len, n;
		const uint8_t *bytes = chr_fifo_peek(&s->backlog, &len);

		n = stream_write_out(s, bytes, len);
		if (n == 0)
			return false;
		chr_fifo_drop(&s->backlog, n);
	}
	return s->chr.connected && !s->hung;
}

size_t chr_stream_write(struct chr *chr, const void *buf, size_t len)
{
	struct chr_stream *s = (struct chr_stream *)chr;
	size_t n;

	if (stream_flush_backlog(s)) {
		n = stream_write_out(s, buf, len);
		if (n || len == 0)
			return n;
	}
	if (chr->connected && !s->hung)
		return 0;
	chr_fifo_force(&s->backlog, buf, len);
	return len;
}

size_t chr_stream_read(struct chr *chr, void *buf, size_t len)
{
	struct chr_stream *s = (struct chr_stream *)chr;
	ssize_t n;

	if (!chr->connected || s->eof || len == 0)
		return 0;
	do {
		n = read(s->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	/* The end, or an error that ends it (a pty says EIO when its last user leaves). */
	if (n == 0 || errno != EAGAIN)
		s->eof = true;
	return 0;
}

void chr_stream_want(struct chr *chr, bool readable, bool writable)
{
	struct chr_stream *s = (struct chr_stream *)chr;

	s->want_read = readable;
	s->want_write = writable;
	stream_update(s);
}

void chr_stream_arrived(struct chr_stream *s)
{
	s->chr.connected = true;
	stream_flush_backlog(s);
	stream_update(s);
	if (s->chr.user->connected)
		s->chr.user->connected(s->chr.arg, true);
}

void chr_stream_attach(struct chr *chr)
{
	struct chr_stream *s = (struct chr_stream *)chr;

	s->attached = true;
	stream_update(s);
}

void chr_stream_detach(struct chr *chr)
{
	struct chr_stream *s = (struct chr_stream *)chr;

	s->attached = s->want_read = s->want_write = false;
	loop_unwatch(g_steal_pointer(&s->timer));
	stream_update(s);
}

void chr_stream_timer(struct chr_stream *s, unsigned ms, GSourceFunc fn)
{
	loop_unwatch(s->timer);
	s->timer = g_timeout_source_new(ms);
	g_source_set_callback(s->timer, fn, s, NULL);
	g_source_attach(s->timer, loop_context(s->chr.loop));
}
