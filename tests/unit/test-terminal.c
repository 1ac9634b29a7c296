/* The terminal: the keys that are ours, the mode on the way out, and that no byte is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/console/serial.h"
#include "vmm/console/terminal.h"
#include "vmm/machine/bus.h"
#include "vmm/x86/layout.h"

#define CTRL_A      "\x01"
#define PATIENCE_MS 30000 /* a child's silence for so long is a failure */

/* What the guest gets of @typed; "<x>" where it leaves, "<h>" for help. */
static char *keys(const char *typed)
{
	GString *out = g_string_new(NULL);
	bool escaped = false;

	for (; *typed; typed++) {
		unsigned char byte = (unsigned char)*typed;

		switch (terminal_key(&escaped, byte)) {
		case TERMINAL_KEY_DATA:
			g_string_append_c(out, (char)byte);
			break;
		case TERMINAL_KEY_LEAVE:
			g_string_append(out, "<x>");
			break;
		case TERMINAL_KEY_INFO:
			g_string_append(out, "<i>");
			break;
		case TERMINAL_KEY_BREAK:
			g_string_append(out, "<b>");
			break;
		case TERMINAL_KEY_HELP:
			g_string_append(out, "<h>");
			break;
		case TERMINAL_KEY_NONE:
			break;
		}
	}
	return g_string_free(out, FALSE);
}

static void ctrl_a_introduces_our_keys(void **state)
{
	static const struct {
		const char *typed, *got;
	} cases[] = {
		{ "plain \x03\x1a", "plain \x03\x1a" },
		{ "a" CTRL_A "xb", "a<x>b" },
		{ "a" CTRL_A "bb" CTRL_A "B", "a<b>b<b>" },
		{ CTRL_A "X", "<x>" },
		{ CTRL_A "h" CTRL_A "?", "<h><h>" },
		{ CTRL_A "i" CTRL_A "I", "<i><i>" },
		{ CTRL_A CTRL_A "x", CTRL_A "x" },
		{ CTRL_A "qx", "x" },
		{ CTRL_A, "" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = keys(cases[i].typed);

		assert_string_equal(got, cases[i].got);
	}
}

/*
 * A child process with standard input and output of our making: the terminal is theirs. It echoes
 * what it is given, ends at '!' or Ctrl-A x with the number of bytes it got as its exit status.
 */
struct echo {
	struct loop *main;
	struct terminal *terminal;
	struct chr *chr;
	unsigned n;
	bool end, left;
};

static void echo_readable(void *arg)
{
	struct echo *e = arg;
	char buf[64];
	size_t n = chr_read(e->chr, buf, sizeof(buf));

	e->n += (unsigned)n;
	e->end |= memchr(buf, '!', n) != NULL;
	while (n && chr_write(e->chr, buf, n) == 0)
		;
}

static void echo_leave(void *opaque)
{
	struct echo *e = opaque;

	e->end = e->left = true;
}

static void echo_info(void *opaque)
{
	struct echo *e = opaque;

	terminal_say(e->terminal, "one\ntwo\n");
}

static void echo_break(void *opaque)
{
	struct echo *e = opaque;

	terminal_say(e->terminal, "break\n");
}

static const struct terminal_ops echo_ops = {
	.leave = echo_leave,
	.info = echo_info,
	.send_break = echo_break,
};

static const struct chr_user echo_user = { .readable = echo_readable };

static int echo_child(void)
{
	static struct terminal_mode mode;
	struct echo e = { .main = loop_main() };
	struct terminal *t = terminal_new(e.main, &mode, &echo_ops, &e);

	e.terminal = t;
	e.chr = chr_open("stdio", terminal_chr(t), "test", NULL);
	chr_attach(e.chr, e.main, &echo_user, &e);
	terminal_start(t);
	(void)chr_write(terminal_output(t), "ready\n", 6);
	chr_want(e.chr, true, false);
	while (!e.end)
		g_main_context_iteration(NULL, TRUE);
	chr_detach(e.chr);
	chr_close(e.chr);
	terminal_free(t);
	loop_free(e.main);
	return (int)(e.left ? 200 + e.n : e.n);
}

static int status_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void read_until(int fd, const char *what)
{
	g_autoptr(GString) got = g_string_new(NULL);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte = '\0';

	while (!strstr(got->str, what)) {
		if (poll(&p, 1, PATIENCE_MS) != 1 || read(fd, &byte, 1) != 1)
			fail_msg("got '%s', then nothing; want '%s'", got->str, what);
		g_string_append_c(got, byte);
	}
}

/* Runs the child on a pty, as its session's leader, types, and returns its exit status. */
static int on_a_pty(const char *typed, const char *expect)
{
	struct termios raw, after;
	int fd, slave, status;
	char name[64];
	pid_t child = forkpty(&fd, name, NULL, NULL);

	assert_true(child >= 0);
	if (child == 0)
		_exit(echo_child());
	slave = open(name, O_RDWR | O_NOCTTY); /* so that it outlives the child */
	assert_true(slave >= 0);
	read_until(fd, "ready");
	assert_int_equal(tcgetattr(slave, &raw), 0);
	assert_false(raw.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG));
	assert_int_equal(write(fd, typed, strlen(typed)), (ssize_t)strlen(typed));
	read_until(fd, expect);
	status = status_of(child);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_true(after.c_lflag & ICANON);
	assert_true(after.c_lflag & ECHO);
	assert_true(after.c_lflag & ISIG);
	assert_true(after.c_oflag & OPOST);
	close(slave);
	close(fd);
	return status;
}

static void a_terminal_is_raw_meanwhile_and_put_back(void **state)
{
	(void)state;
	assert_int_equal(on_a_pty("ab\x03!", "ab\x03!"), 4);
}

static void ctrl_a_x_leaves_and_ctrl_a_h_helps(void **state)
{
	(void)state;
	assert_true(on_a_pty("ab" CTRL_A "h" CTRL_A "x", "Ctrl-A x") >= 200);
}

/* In raw mode a line feed alone does not return to the first column. */
static void ctrl_a_i_asks_for_registers(void **state)
{
	(void)state;
	assert_int_equal(on_a_pty("ab" CTRL_A "i!", "\r\none\r\ntwo\r\n"), 3);
}

/* Runs the child with a pipe on both sides, which is no terminal: all bytes are the guest's. */
static void a_pipe_is_read_as_it_is(void **state)
{
	static const char typed[] = "a" CTRL_A "x" CTRL_A "h";
	static char big[20000];
	int in[2], out[2];
	pid_t child;

	(void)state;
	memset(big, 'b', sizeof(big));
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		_exit(echo_child());
	}
	close(in[0]);
	close(out[1]);
	read_until(out[0], "ready\n");
	assert_int_equal(write(in[1], typed, strlen(typed)), (ssize_t)strlen(typed));
	read_until(out[0], typed);
	/* Far more than the buffer holds: whoever writes waits, nothing is dropped. */
	assert_int_equal(write(in[1], big, sizeof(big)), sizeof(big));
	assert_int_equal(write(in[1], "!", 1), 1);
	read_until(out[0], "b!");
	assert_int_equal(status_of(child), (strlen(typed) + sizeof(big) + 1) & 0xff);
	close(in[1]);
	close(out[0]);
}

/*
 * A child that does not echo: it takes @chunk bytes in each turn of its loop (0: none, ever), and
 * tells at the end how many and their sum.
 */
struct reader {
	struct chr *chr;
	size_t chunk;
	uint64_t n, sum;
	bool end, left;
};

static void reader_readable(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[4096];
	size_t n = chr_read(r->chr, buf, r->chunk);

	for (size_t i = 0; i < n; i++) {
		r->end = buf[i] == '!';
		if (r->end)
			break;
		r->n++;
		r->sum = r->sum * 31 + buf[i];
	}
}

static void reader_leave(void *opaque)
{
	struct reader *r = opaque;

	r->end = r->left = true;
}

static const struct terminal_ops reader_ops = { .leave = reader_leave };

static const struct chr_user reader_user = { .readable = reader_readable };

static int reader_child(size_t chunk)
{
	static struct terminal_mode mode;
	struct reader r = { .chunk = chunk };
	struct loop *main = loop_main();
	struct terminal *t = terminal_new(main, &mode, &reader_ops, &r);
	g_autofree char *told = NULL;

	r.chr = chr_open("stdio", terminal_chr(t), "test", NULL);
	chr_attach(r.chr, main, &reader_user, &r);
	terminal_start(t);
	(void)chr_write(terminal_output(t), "ready\n", 6);
	chr_want(r.chr, chunk > 0, false);
	while (!r.end)
		g_main_context_iteration(NULL, TRUE);
	told = g_strdup_printf("%s, %" G_GUINT64_FORMAT " bytes, sum %" G_GUINT64_FORMAT ".\n",
			       r.left ? "left" : "read", r.n, r.sum);
	(void)chr_write(terminal_output(t), told, strlen(told));
	chr_detach(r.chr);
	chr_close(r.chr);
	terminal_free(t);
	loop_free(main);
	return 0;
}

/*
 * A child that is a machine as far as the serial port goes: the guest is a thread that takes what
 * its FIFO holds now and then, and tells on the port what the child above tells.
 */
#define PORT(reg) (LAYOUT_SERIAL_PORT + (reg))

struct guest {
	struct bus *bus;
	_Atomic bool end;
};

static void *slow_guest(void *arg)
{
	struct guest *g = arg;
	struct reader r = { 0 };
	g_autofree char *told = NULL;

	bus_write(g->bus, true, PORT(2), 1, 0x07); /* FIFOs */
	bus_write(g->bus, true, PORT(4), 1, 0x0b);
	bus_write(g->bus, true, PORT(1), 1, 0x01);
	while (!r.end) {
		(void)usleep(100);
		while (!r.end && bus_read(g->bus, true, PORT(5), 1) & 1) {
			uint8_t byte = (uint8_t)bus_read(g->bus, true, PORT(0), 1);

			r.end = byte == '!';
			r.n += !r.end;
			r.sum = r.end ? r.sum : r.sum * 31 + byte;
		}
	}
	told = g_strdup_printf("read, %" G_GUINT64_FORMAT " bytes, sum %" G_GUINT64_FORMAT ".\n",
			       r.n, r.sum);
	for (const char *at = told; *at; at++)
		bus_write(g->bus, true, PORT(0), 1, (uint8_t)*at);
	g->end = true;
	return NULL;
}

static void no_irq(void *opaque, bool level)
{
	(void)opaque;
	(void)level;
}

static void not_watched(void *opaque, const uint8_t *data, size_t len)
{
	(void)opaque;
	(void)data;
	(void)len;
}

static int serial_child(size_t chunk)
{
	static const struct serial_ops ops = { .irq = no_irq, .printed = not_watched };
	static struct terminal_mode mode;
	struct loop *main = loop_main();
	struct reader left = { 0 };
	struct terminal *t = terminal_new(main, &mode, &reader_ops, &left);
	struct guest g = { .bus = bus_new() };
	struct serial *s = serial_new(chr_open("stdio", terminal_chr(t), "test", NULL), main, &ops,
				      NULL, NULL);
	GThread *thread;

	(void)chunk;
	if (serial_plug(s, g.bus, LAYOUT_SERIAL_PORT) < 0)
		return 1;
	terminal_start(t);
	thread = g_thread_new("guest", slow_guest, &g);
	(void)chr_write(terminal_output(t), "ready\n", 6);
	while (!g.end)
		if (!g_main_context_iteration(NULL, FALSE))
			(void)usleep(100);
	g_thread_join(thread);
	serial_free(s);
	bus_free(g.bus);
	terminal_free(t);
	loop_free(main);
	return 0;
}

/* Pastes @n bytes and then what is @typed into the terminal of a child that takes @chunk bytes at a
 * time and waits until it tells that it has read them all, or that it was told to leave. */
static void paste(int (*run)(size_t chunk), size_t chunk, size_t n, const char *typed, bool left)
{
	g_autofree char *pattern = g_strnfill(n, 'a'), *text = NULL, *want = NULL;
	uint64_t sum = 0;
	pid_t child, writer;
	int fd;

	for (size_t i = 0; i < n; i++) {
		pattern[i] = (char)('a' + i % 23);
		sum = sum * 31 + (uint8_t)pattern[i];
	}
	text = g_strconcat(pattern, typed, NULL);
	child = forkpty(&fd, NULL, NULL, NULL);
	assert_true(child >= 0);
	if (child == 0)
		_exit(run(chunk));
	read_until(fd, "ready");
	writer = fork(); /* may have to wait */
	assert_true(writer >= 0);
	if (writer == 0) {
		for (size_t at = 0, len = strlen(text); at < len;) {
			ssize_t some = write(fd, text + at, len - at);

			if (some < 0)
				_exit(1);
			at += (size_t)some;
		}
		_exit(0);
	}
	want = left ? g_strdup("left, ")
		    : g_strdup_printf("read, %zu bytes, sum %" G_GUINT64_FORMAT ".", n, sum);
	read_until(fd, want);
	assert_int_equal(status_of(writer), 0);
	assert_int_equal(status_of(child), 0);
	close(fd);
}

static void a_paste_reaches_a_slow_reader_whole(void **state)
{
	(void)state;
	paste(reader_child, 16, 20000, "!", false);
}

static void a_paste_reaches_a_slow_serial_port_whole(void **state)
{
	(void)state;
	paste(serial_child, 0, 20000, "!", false);
}

static void a_paste_of_more_than_is_kept_waits(void **state)
{
	(void)state;
	paste(reader_child, 100, 3 << 20, "!", false);
}

static void ctrl_a_x_is_heard_behind_a_paste_that_nobody_reads(void **state)
{
	(void)state;
	paste(reader_child, 0, 20000, CTRL_A "x", true);
}

static void ctrl_a_x_is_heard_behind_more_than_is_kept(void **state)
{
	(void)state;
	paste(reader_child, 0, 3 << 20, CTRL_A "x", true);
}

/* How many of the last hundred turns of the loop served something, after standard input ended with
 * more in it than is kept for a guest that does not read. */
static int idle_child(void)
{
	static struct terminal_mode mode;
	struct echo e = { .main = loop_main() };
	struct terminal *t = terminal_new(e.main, &mode, &echo_ops, &e);
	e.terminal = t;
	int busy = 0;

	terminal_start(t);
	for (unsigned i = 0; i < 1000; i++)
		g_main_context_iteration(NULL, FALSE);
	for (unsigned i = 0; i < 100; i++)
		busy += g_main_context_iteration(NULL, FALSE);
	terminal_free(t);
	loop_free(e.main);
	return busy;
}

static void a_pipe_that_ends_unread_is_no_work(void **state)
{
	static char big[32 * 1024];
	int in[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(write(in[1], big, sizeof(big)), sizeof(big));
	close(in[1]);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		_exit(idle_child());
	}
	close(in[0]);
	assert_int_equal(status_of(child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ctrl_a_introduces_our_keys),
		cmocka_unit_test(a_terminal_is_raw_meanwhile_and_put_back),
		cmocka_unit_test(ctrl_a_x_leaves_and_ctrl_a_h_helps),
		cmocka_unit_test(ctrl_a_i_asks_for_registers),
		cmocka_unit_test(a_pipe_is_read_as_it_is),
		cmocka_unit_test(a_pipe_that_ends_unread_is_no_work),
		cmocka_unit_test(a_paste_reaches_a_slow_reader_whole),
		cmocka_unit_test(a_paste_reaches_a_slow_serial_port_whole),
		cmocka_unit_test(a_paste_of_more_than_is_kept_waits),
		cmocka_unit_test(ctrl_a_x_is_heard_behind_a_paste_that_nobody_reads),
		cmocka_unit_test(ctrl_a_x_is_heard_behind_more_than_is_kept),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
