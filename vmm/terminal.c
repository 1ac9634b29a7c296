/*
 * Standard input is watched on the main thread, always, so that Ctrl-A x works whatever its user
 * does; the user's loop may be another. Between them are a small buffer and an eventfd that is
 * readable exactly while the buffer is not empty.
 */
#include "vmm/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/terminal-int.h"

#define CTRL_A 0x01

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

/* What does not fit is lost: that is a person typing to a guest that does not read. */
static void keep(struct terminal *t, const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&t->lock);
	len = MIN(len, TERMINAL_INPUT_MAX - t->n_input);
	memcpy(t->input + t->n_input, data, len);
	if (len && !t->n_input)
		terminal_set_event(t, true);
	t->n_input += len;
	pthread_mutex_unlock(&t->lock);
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
		switch (terminal_key(&t->escaped, data[i])) {
		case TERMINAL_KEY_DATA:
			keep(t, &data[i], 1);
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

	pthread_mutex_lock(&t->lock);
	n = TERMINAL_INPUT_MAX - t->n_input;
	t->full = n == 0 && !t->tty;
	pthread_mutex_unlock(&t->lock);
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

struct terminal *terminal_new(struct loop *main, struct terminal_mode *mode,
			      void (*leave)(void *opaque), void *opaque)
{
	struct terminal *t = g_new0(struct terminal, 1);

	t->main = main;
	t->mode = mode;
	t->leave = leave;
	t->opaque = opaque;
	t->tty = isatty(STDIN_FILENO);
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
