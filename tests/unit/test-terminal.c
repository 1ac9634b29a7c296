/* The terminal: the keys that are ours, the mode on the way out, and that no byte is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/terminal.h"

#define CTRL_A "\x01"

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
		{ CTRL_A "X", "<x>" },
		{ CTRL_A "h" CTRL_A "?", "<h><h>" },
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

static const struct chr_user echo_user = { .readable = echo_readable };

static int echo_child(void)
{
	static struct terminal_mode mode;
	struct echo e = { .main = loop_main() };
	struct terminal *t = terminal_new(e.main, &mode, echo_leave, &e);

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
	char byte;

	while (!strstr(got->str, what)) {
		if (read(fd, &byte, 1) != 1)
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

/* How many of the last hundred turns of the loop served something, after standard input ended with more in it than is
 * kept for a guest that does not read. */
static int idle_child(void)
{
	static struct terminal_mode mode;
	struct echo e = { .main = loop_main() };
	struct terminal *t = terminal_new(e.main, &mode, echo_leave, &e);
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
		cmocka_unit_test(a_pipe_is_read_as_it_is),
		cmocka_unit_test(a_pipe_that_ends_unread_is_no_work),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
