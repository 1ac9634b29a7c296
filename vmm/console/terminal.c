/*
 * Standard input is watched on the main thread, always, so that Ctrl-A x works whatever its user
 * does; the user's loop may be another. Between them are a buffer and an eventfd that is readable
 * exactly while the buffer is not empty.
 *
 * Whoever pastes is faster than a guest. Of a terminal, much is read ahead, to hear Ctrl-A behind
 * it. When the buffer is full the terminal is not read: in raw mode the kernel then keeps 4 KiB,
 * loses nothing, and holds up whoever writes to the other end. That lasts while the guest takes
 * something now and then. If it takes nothing for a second, reading goes on for the sake of Ctrl-A,
 * and what else comes is lost.
 */
#include "vmm/console/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/console/terminal-int.h"

#define CTRL_A     0x01
#define TTY_AHEAD  (1u << 20) /* bytes read ahead of a guest that is slow */
#define PIPE_AHEAD 4096u
#define STALL_MS   1000u

void terminal_restore(struct terminal_mode *mode)
{
	if (!mode->raw)
		return;
	mode->raw = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &mode->found);
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
	case 'i':
	case 'I':
		return TERMINAL_KEY_INFO;
	case 'b':
	case 'B':
		return TERMINAL_KEY_BREAK;
	case 'h':
	case 'H':
	case '?':
		return TERMINAL_KEY_HELP;
	case CTRL_A:
		return TERMINAL_KEY_DATA;
	default:
		return TERMINAL_KEY_NONE;
	}
}

/*
 * Input.
 */
void terminal_set_event(struct terminal *t, bool on)
{
	uint64_t count = 1;

	if (on)
		(void)!write(t->input_fd, &count, sizeof(count));
	else
		(void)!read(t->input_fd, &count, sizeof(count));
}

/* What does not fit is lost: see the file's top. */
static void terminal_keep(struct terminal *t, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&t->lock);
	if (chr_fifo_put(&t->input, data, len) && t->input.len == len)
		terminal_set_event(t, true);
	pthread_mutex_unlock(&t->lock);
}

static void help(struct terminal *t)
{
	static const char text[] = "\r\nringside: Ctrl-A x  leave, as if the power was cut\r\n"
				   "          Ctrl-A i  show the processors' registers\r\n"
				   "          Ctrl-A b  send a break to the serial port (SysRq)\r\n"
				   "          Ctrl-A h  this help\r\n"
				   "          Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

	(void)chr_write(&t->output.chr, text, sizeof(text) - 1);
}

void terminal_say(struct terminal *t, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *out = g_strjoinv("\r\n", lines);

	(void)chr_write(&t->output.chr, "\r\n", 2);
	(void)chr_write(&t->output.chr, out, strlen(out));
}

static void take_keys(struct terminal *t, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (terminal_key(&t->escaped, data[i])) {
		case TERMINAL_KEY_DATA:
			terminal_keep(t, &data[i], 1);
			break;
		case TERMINAL_KEY_LEAVE:
			t->ops->leave(t->opaque);
			break;
		case TERMINAL_KEY_INFO:
			t->ops->info(t->opaque);
			break;
		case TERMINAL_KEY_BREAK:
			t->ops->send_break(t->opaque);
			break;
		case TERMINAL_KEY_HELP:
			help(t);
			break;
		case TERMINAL_KEY_NONE:
			break;
		}
	}
}

/* Bytes that may be read now; 0: none before there is room. */
static size_t terminal_room(struct terminal *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->input.max - t->input.len;
	t->full = n == 0;
	t->taken = false;
	pthread_mutex_unlock(&t->lock);
	return n;
}

static gboolean on_stall(void *arg)
{
	struct terminal *t = arg;
	bool taken;

	pthread_mutex_lock(&t->lock);
	taken = t->taken;
	t->taken = false;
	pthread_mutex_unlock(&t->lock);
	if (taken)
		return G_SOURCE_CONTINUE;
	loop_unwatch(g_steal_pointer(&t->stall));
	t->drop = true;
	g_warning(
		"terminal: the guest reads no input: it is discarded from now on, but for Ctrl-A x");
	if (t->watch)
		loop_watch_events(t->watch, G_IO_IN);
	return G_SOURCE_REMOVE;
}

/* Until there is room, or the user has been at rest for too long. */
static void pause_input(struct terminal *t)
{
	loop_watch_events(t->watch, 0);
	if (!t->tty)
		return;
	t->stall = g_timeout_source_new(STALL_MS);
	g_source_set_callback(t->stall, on_stall, t, NULL);
	g_source_attach(t->stall, loop_context(t->main));
}

void terminal_has_room(void *terminal)
{
	struct terminal *t = terminal;

	loop_unwatch(g_steal_pointer(&t->stall));
	t->drop = false;
	if (t->watch)
		loop_watch_events(t->watch, G_IO_IN);
}

static void on_input(void *arg, GIOCondition revents)
{
	struct terminal *t = arg;
	uint8_t buf[512];
	size_t want = t->drop ? sizeof(buf) : MIN(sizeof(buf), terminal_room(t));
	ssize_t n;

	(void)revents;
	if (!want) {
		pause_input(t);
		return;
	}
	n = read(STDIN_FILENO, buf, want);
	if (n > 0 && t->tty)
		take_keys(t, buf, (size_t)n);
	else if (n > 0)
		terminal_keep(t, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		g_clear_pointer(&t->watch, loop_unwatch);
}

struct terminal *terminal_new(struct loop *main, struct terminal_mode *mode,
			      const struct terminal_ops *ops, void *opaque)
{
	struct terminal *t = g_new0(struct terminal, 1);

	t->main = main;
	t->mode = mode;
	t->ops = ops;
	t->opaque = opaque;
	t->tty = isatty(STDIN_FILENO);
	chr_fifo_init(&t->input, t->tty ? TTY_AHEAD : PIPE_AHEAD);
	pthread_mutex_init(&t->lock, NULL);
	t->input_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->input_fd < 0)
		g_error("eventfd: %s", g_strerror(errno));
	terminal_streams_init(t);
	return t;
}

void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	terminal_restore(t->mode);
	loop_unwatch(t->watch);
	loop_unwatch(t->stall);
	chr_fifo_free(&t->input);
	terminal_streams_clear(t);
	close(t->input_fd);
	pthread_mutex_destroy(&t->lock);
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
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_start(struct terminal *t)
{
	/* In the background of a shell reading would stop us, and the mode is somebody else's. */
	if (t->tty && tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	if (t->tty)
		set_raw(t);
	if (!t->watch)
		t->watch = loop_watch(t->main, STDIN_FILENO, G_IO_IN, on_input, t);
}
