/*
 * The terminal as streams of bytes: reading what terminal.c kept, writing to standard output.
 *
 * Standard output must not be waited for, but O_NONBLOCK would be set for everybody who shares the
 * terminal, the shell too. A terminal or pipe is therefore opened anew through /proc/self/fd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/console/terminal-int.h"

#define WRITE_CHUNK 4096u /* a pipe that polls writable takes this much */

/*
 * Input.
 */
static size_t io_read(struct chr *chr, void *buf, size_t len)
{
	struct terminal *t = ((struct terminal_stream *)chr)->t;
	bool room = false;
	size_t n;
	const uint8_t *bytes;

	pthread_mutex_lock(&t->lock);
	bytes = chr_fifo_peek(&t->input, &n);
	n = MIN(n, len);
	if (n) {
		memcpy(buf, bytes, n);
		chr_fifo_drop(&t->input, n);
		t->taken = true;
		room = t->full;
		t->full = false;
		if (!t->input.len)
			terminal_set_event(t, false);
	}
	pthread_mutex_unlock(&t->lock);
	if (room)
		loop_post(t->main, terminal_has_room, t);
	return n;
}

static size_t output_read(struct chr *chr, void *buf, size_t len)
{
	(void)chr;
	(void)buf;
	(void)len;
	return 0;
}

/*
 * Output.
 */
static bool would_wait(const struct terminal *t)
{
	struct pollfd p = { .fd = t->out, .events = POLLOUT };

	return !t->out_is_file && !t->out_owned && poll(&p, 1, 0) == 0;
}

static size_t write_some(struct terminal *t, const char *buf, size_t len, int *errnum)
{
	size_t done = 0;

	*errnum = 0;
	while (done < len && !would_wait(t)) {
		ssize_t n = write(t->out, buf + done, MIN(len - done, WRITE_CHUNK));

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR) {
			*errnum = errno;
			return len; /* nobody reads it any more: the guest goes on */
		}
	}
	return done;
}

static size_t stream_write(struct chr *chr, const void *buf, size_t len)
{
	struct terminal *t = ((struct terminal_stream *)chr)->t;
	bool tell = false;
	int errnum;

	pthread_mutex_lock(&t->out_lock);
	len = write_some(t, buf, len, &errnum);
	if (errnum) {
		tell = !t->out_broken;
		t->out_broken = true;
	}
	pthread_mutex_unlock(&t->out_lock);
	if (tell && chr->user && chr->user->trouble)
		chr->user->trouble(chr->arg, "standard output", errnum);
	return len;
}

/*
 * As a stream.
 */
static void on_readable(void *arg, GIOCondition revents)
{
	struct terminal_stream *s = arg;

	(void)revents;
	if (s->chr.user && s->chr.user->readable)
		s->chr.user->readable(s->chr.arg);
}

static void on_writable(void *arg, GIOCondition revents)
{
	struct terminal_stream *s = arg;

	(void)revents;
	if (s->chr.user && s->chr.user->writable)
		s->chr.user->writable(s->chr.arg);
}

static void stream_want(struct chr *chr, bool readable, bool writable)
{
	struct terminal_stream *s = (struct terminal_stream *)chr;
	struct loop *loop = chr->loop;

	if (s->readable)
		loop_watch_events(s->readable, readable ? G_IO_IN : 0);
	/* A closed pipe reports itself whatever is asked: it is watched only while it matters. */
	if (writable && !s->writable)
		s->writable = loop_watch(loop, s->t->out, G_IO_OUT, on_writable, s);
	else if (!writable)
		g_clear_pointer(&s->writable, loop_unwatch);
}

static void stream_attach(struct chr *chr)
{
	struct terminal_stream *s = (struct terminal_stream *)chr;

	if (!chr->output_only)
		s->readable = loop_watch(chr->loop, s->t->input_fd, 0, on_readable, s);
}

static void stream_detach(struct chr *chr)
{
	struct terminal_stream *s = (struct terminal_stream *)chr;

	g_clear_pointer(&s->readable, loop_unwatch);
	g_clear_pointer(&s->writable, loop_unwatch);
}

static bool stream_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	struct winsize ws;

	(void)chr;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_col || !ws.ws_row)
		return false;
	*cols = ws.ws_col;
	*rows = ws.ws_row;
	return true;
}

static void stream_close(struct chr *chr)
{
	(void)chr; /* it stays the terminal's */
}

static const struct syscall_use stream_syscalls[] = {
	{ SYSCALL_IOCTL(TIOCGWINSZ) },
	{ .name = NULL },
};

static const struct chr_ops io_ops = {
	.read = io_read,
	.write = stream_write,
	.want = stream_want,
	.attach = stream_attach,
	.detach = stream_detach,
	.size = stream_size,
	.close = stream_close,
};

static const struct chr_ops output_ops = {
	.read = output_read,
	.write = stream_write,
	.want = stream_want,
	.attach = stream_attach,
	.detach = stream_detach,
	.size = stream_size,
	.close = stream_close,
};

static void on_resized(void *arg)
{
	struct terminal_stream *s = arg;

	if (s->chr.user && s->chr.user->resized)
		s->chr.user->resized(s->chr.arg);
}

void terminal_resized(struct terminal *t)
{
	if (t->io.chr.user)
		loop_post(t->io.chr.loop, on_resized, &t->io);
}

static void open_output(struct terminal *t)
{
	struct stat st;
	int fd = -1;

	t->out = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st) < 0)
		return;
	t->out_is_file = S_ISREG(st.st_mode);
	if (isatty(STDOUT_FILENO) || S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0) {
		t->out = fd;
		t->out_owned = true;
	}
}

void terminal_streams_init(struct terminal *t)
{
	pthread_mutex_init(&t->out_lock, NULL);
	open_output(t);
	t->io.chr = (struct chr){ .ops = &io_ops, .connected = true };
	t->output.chr = (struct chr){ .ops = &output_ops, .connected = true, .output_only = true };
	t->debug.chr = t->output.chr;
	t->io.chr.syscalls = t->output.chr.syscalls = t->debug.chr.syscalls = stream_syscalls;
	t->io.t = t->output.t = t->debug.t = t;
}

void terminal_streams_clear(struct terminal *t)
{
	if (t->out_owned)
		close(t->out);
	pthread_mutex_destroy(&t->out_lock);
}

struct chr *terminal_chr(struct terminal *t)
{
	return &t->io.chr;
}

struct chr *terminal_output(struct terminal *t)
{
	return &t->output.chr;
}

struct chr *terminal_debug(struct terminal *t)
{
	return &t->debug.chr;
}
