/*
 * Standard input is watched on the main thread, always, so that Ctrl-A x works whatever its user
 * does; the user's loop may be another. Between them are a small buffer and an eventfd that is
 * readable exactly while the buffer is not empty.
 *
 * Standard output must not be waited for, but O_NONBLOCK would be set for everybody who shares the
 * terminal, the shell too. A terminal or pipe is therefore opened anew through /proc/self/fd.
 */
#include "vmm/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CTRL_A      0x01
#define INPUT_MAX   4096u
#define WRITE_CHUNK 4096u /* a pipe that polls writable takes this much */

struct stream {
	struct chr chr;
	struct terminal *t;
	GSource *readable, *writable; /* on chr.loop while attached */
};

struct terminal {
	struct loop *main;
	struct terminal_mode *mode;
	void (*leave)(void *opaque);
	void *opaque;

	bool tty, foreground; /* of standard input */
	bool escaped;
	GSource *watch; /* of standard input, on main */

	GMutex lock; /* of the buffer */
	uint8_t input[INPUT_MAX];
	size_t n_input;
	bool full;    /* standard input is not read until there is room */
	int input_fd; /* eventfd: the buffer is not empty */

	int out;
	bool out_owned;   /* out was opened here, non-blocking */
	bool out_is_file; /* writes never wait */
	bool out_broken;  /* and was told */
	GMutex out_lock;  /* two streams write */
	struct stream io, output;
};

void terminal_restore(struct terminal_mode *mode)
{
	if (!mode->raw)
		return;
	mode->raw = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &mode->found);
}

enum terminal_key terminal_key(bool *escaped, unsigned char byte)
{
	if (!*escaped) {
		*escaped = byte == CTRL_A;
		return *escaped ? TERMINAL_KEY_NONE : TERMINAL_KEY_DATA;
	}
	*escaped = false;
	switch (byte) {
	case 'x':
	case 'X':
		return TERMINAL_KEY_LEAVE;
	case 'h':
	case 'H':
	case '?':
		return TERMINAL_KEY_HELP;
	case CTRL_A:
	case 'a':
		return TERMINAL_KEY_DATA;
	default:
		return TERMINAL_KEY_NONE;
	}
}

/*
 * Input.
 */
static void set_event(struct terminal *t, bool on)
{
	uint64_t count = 1;

	if (on)
		(void)!write(t->input_fd, &count, sizeof(count));
	else
		(void)!read(t->input_fd, &count, sizeof(count));
}

/* What does not fit is lost: that is a person typing to a guest that does not read. */
static void keep(struct terminal *t, const uint8_t *data, size_t len)
{
	g_mutex_lock(&t->lock);
	len = MIN(len, INPUT_MAX - t->n_input);
	memcpy(t->input + t->n_input, data, len);
	if (len && !t->n_input)
		set_event(t, true);
	t->n_input += len;
	g_mutex_unlock(&t->lock);
}

static void help(struct terminal *t)
{
	static const char text[] = "\r\nringside: Ctrl-A x  leave, as if the power was cut\r\n"
				   "          Ctrl-A h  this help\r\n"
				   "          Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

	(void)chr_write(&t->output.chr, text, sizeof(text) - 1);
}

static void take_keys(struct terminal *t, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = data[i] == 'a' && t->escaped ? CTRL_A : data[i];

		switch (terminal_key(&t->escaped, data[i])) {
		case TERMINAL_KEY_DATA:
			keep(t, &byte, 1);
			break;
		case TERMINAL_KEY_LEAVE:
			t->leave(t->opaque);
			break;
		case TERMINAL_KEY_HELP:
			help(t);
			break;
		case TERMINAL_KEY_NONE:
			break;
		}
	}
}

static size_t room(struct terminal *t)
{
	size_t n;

	g_mutex_lock(&t->lock);
	n = INPUT_MAX - t->n_input;
	t->full = n == 0 && !t->tty;
	g_mutex_unlock(&t->lock);
	return n;
}

static void on_input(void *arg, GIOCondition revents)
{
	struct terminal *t = arg;
	uint8_t buf[512];
	size_t want = t->tty ? sizeof(buf) : MIN(sizeof(buf), room(t));
	ssize_t n;

	(void)revents;
	if (!want) {
		loop_watch_events(t->watch, 0);
		return;
	}
	n = read(STDIN_FILENO, buf, want);
	if (n > 0 && t->tty)
		take_keys(t, buf, (size_t)n);
	else if (n > 0)
		keep(t, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		g_clear_pointer(&t->watch, loop_unwatch);
}

static void on_room(void *arg)
{
	struct terminal *t = arg;

	if (t->watch)
		loop_watch_events(t->watch, G_IO_IN);
}

static size_t io_read(struct chr *chr, void *buf, size_t len)
{
	struct terminal *t = ((struct stream *)chr)->t;
	bool was_full;

	g_mutex_lock(&t->lock);
	len = MIN(len, t->n_input);
	memcpy(buf, t->input, len);
	t->n_input -= len;
	memmove(t->input, t->input + len, t->n_input);
	if (len && !t->n_input)
		set_event(t, false);
	was_full = t->full;
	t->full = was_full && !len;
	g_mutex_unlock(&t->lock);
	if (was_full && len)
		loop_post(t->main, on_room, t);
	return len;
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
	struct terminal *t = ((struct stream *)chr)->t;
	bool tell = false;
	int errnum;

	g_mutex_lock(&t->out_lock);
	len = write_some(t, buf, len, &errnum);
	if (errnum) {
		tell = !t->out_broken;
		t->out_broken = true;
	}
	g_mutex_unlock(&t->out_lock);
	if (tell && chr->user && chr->user->trouble)
		chr->user->trouble(chr->arg, "standard output", errnum);
	return len;
}

/*
 * As a stream.
 */
static void on_readable(void *arg, GIOCondition revents)
{
	struct stream *s = arg;

	(void)revents;
	if (s->chr.user && s->chr.user->readable)
		s->chr.user->readable(s->chr.arg);
}

static void on_writable(void *arg, GIOCondition revents)
{
	struct stream *s = arg;

	(void)revents;
	if (s->chr.user && s->chr.user->writable)
		s->chr.user->writable(s->chr.arg);
}

static void stream_want(struct chr *chr, bool readable, bool writable)
{
	struct stream *s = (struct stream *)chr;
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
	struct stream *s = (struct stream *)chr;

	if (!chr->output_only)
		s->readable = loop_watch(chr->loop, s->t->input_fd, 0, on_readable, s);
}

static void stream_detach(struct chr *chr)
{
	struct stream *s = (struct stream *)chr;

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
	struct stream *s = arg;

	if (s->chr.user && s->chr.user->resized)
		s->chr.user->resized(s->chr.arg);
}

void terminal_resized(struct terminal *t)
{
	if (t->io.chr.user)
		loop_post(t->io.chr.loop, on_resized, &t->io);
}

struct terminal *terminal_new(struct loop *main, struct terminal_mode *mode,
			      void (*leave)(void *opaque), void *opaque)
{
	struct terminal *t = g_new0(struct terminal, 1);

	t->main = main;
	t->mode = mode;
	t->leave = leave;
	t->opaque = opaque;
	t->tty = isatty(STDIN_FILENO);
	/* In the background of a shell: reading would stop us, and the mode is somebody else's. */
	t->foreground = !t->tty || tcgetpgrp(STDIN_FILENO) == getpgrp();
	g_mutex_init(&t->lock);
	g_mutex_init(&t->out_lock);
	t->input_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->input_fd < 0)
		g_error("eventfd: %s", g_strerror(errno));
	open_output(t);
	t->io = (struct stream){ .chr.ops = &io_ops, .chr.connected = true, .t = t };
	t->output = (struct stream){
		.chr.ops = &output_ops, .chr.connected = true, .chr.output_only = true, .t = t
	};
	return t;
}

void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	terminal_restore(t->mode);
	loop_unwatch(t->watch);
	close(t->input_fd);
	if (t->out_owned)
		close(t->out);
	g_mutex_clear(&t->lock);
	g_mutex_clear(&t->out_lock);
	g_free(t);
}

static void set_raw(struct terminal *t)
{
	struct termios raw;

	if (!t->mode->raw && tcgetattr(STDIN_FILENO, &t->mode->found) < 0)
		return;
	raw = t->mode->found;
	cfmakeraw(&raw);
	t->mode->raw = 1; /* first: a signal in between must find it set */
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_start(struct terminal *t)
{
	if (!t->foreground)
		return;
	if (t->tty)
		set_raw(t);
	if (!t->watch)
		t->watch = loop_watch(t->main, STDIN_FILENO, G_IO_IN, on_input, t);
}

struct chr *terminal_chr(struct terminal *t)
{
	return &t->io.chr;
}

struct chr *terminal_output(struct terminal *t)
{
	return &t->output.chr;
}
