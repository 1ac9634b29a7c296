/* Streams of bytes on the host: what is kept, what waits, what is refused. Those on sockets:
 * test-chr-unix.c. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/chr/fifo.h"
#include "devices/base/error.h"
#include "tests/support/chr-user.h"

/*
 * The queue of bytes.
 */
static void a_fifo_takes_what_it_has_room_for(void **state)
{
	struct chr_fifo f;
	size_t len;

	(void)state;
	chr_fifo_init(&f, 8);
	chr_fifo_peek(&f, &len);
	assert_int_equal(len, 0);
	assert_int_equal(chr_fifo_put(&f, "abcdef", 6), 6);
	chr_fifo_drop(&f, 4);
	assert_int_equal(chr_fifo_put(&f, "ghijklmn", 8), 6);
	assert_int_equal(chr_fifo_put(&f, "x", 1), 0);
	assert_memory_equal(chr_fifo_peek(&f, &len), "efgh", 4);
	assert_int_equal(len, 4);
	chr_fifo_drop(&f, len);
	assert_memory_equal(chr_fifo_peek(&f, &len), "ijkl", 4);
	assert_int_equal(len, 4);
	chr_fifo_free(&f);
}

static void a_forced_fifo_keeps_the_newest(void **state)
{
	struct chr_fifo f;
	size_t len;

	(void)state;
	chr_fifo_init(&f, 4);
	chr_fifo_force(&f, "ab", 2);
	chr_fifo_force(&f, "cde", 3);
	assert_int_equal(f.len, 4);
	assert_int_equal(chr_fifo_peek(&f, &len)[0], 'b');
	chr_fifo_force(&f, "0123456789", 10);
	assert_int_equal(f.len, 4);
	assert_memory_equal(chr_fifo_peek(&f, &len), "6789", len);
	chr_fifo_free(&f);
}

/*
 * What the operator can get wrong.
 */
static void a_bad_spec_is_refused_in_one_line(void **state)
{
	g_autofree char *longest = g_strnfill(200, 'x');
	g_autofree char *too_long = g_strdup_printf("unix:/tmp/%s", longest);

	(void)state;
	chr_refused("", "none of");
	chr_refused("unix", "none of");
	chr_refused("unix:", "none of");
	chr_refused("file:", "none of");
	chr_refused("null:x", "none of");
	chr_refused("telnet:localhost", "none of");
	chr_refused("stdio", "no terminal");
	chr_refused(too_long, "characters");
	chr_refused("file:/tmp", "directory");
	chr_refused("file:/nonexistent/a", "No such file");
	chr_refused("append:/nonexistent/a", "No such file");
	chr_refused("unix:/nonexistent/a", "No such file");
	chr_refused("pty:/nonexistent/a", "No such file");
}

static void a_terminal_can_be_taken_once(void **state)
{
	g_autoptr(GError) err = NULL;
	struct chr *terminal = chr_open("null", NULL, "--test", NULL); /* any stream will do */
	struct chr *a;

	(void)state;
	terminal->taken = false;
	a = chr_open("stdio", terminal, "--test", NULL);
	assert_ptr_equal(a, terminal);
	assert_null(chr_open("stdio", terminal, "--test", &err));
	assert_non_null(strstr(err->message, "another device"));
	chr_close(a);
}

/*
 * Files.
 */
static void a_file_is_emptied_and_append_is_not(void **state)
{
	struct user *u = user_new();
	g_autofree char *text = NULL;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		user_open(u, i < 2 ? "file" : "append");
		user_send(u, "line\n", 5);
		user_shut(u);
	}
	assert_true(g_file_get_contents(u->path, &text, NULL, NULL));
	assert_string_equal(text, "line\nline\n");
	user_free(u);
}

static void a_full_disk_is_reported_once_and_hangs_nobody(void **state)
{
	struct user *u = user_new();

	(void)state;
	user_open_spec(u, "file:/dev/full");
	user_send(u, "a", 1);
	user_send(u, "b", 1);
	user_wait_idle();
	assert_int_equal(u->out->len, 0);
	assert_int_equal(u->troubles, 1);
	user_free(u);
}

static void a_pipe_without_a_reader_is_refused(void **state)
{
	struct user *u = user_new();
	g_autofree char *spec = g_strdup_printf("file:%s", u->path);
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_int_equal(mkfifo(u->path, 0600), 0);
	assert_null(chr_open(spec, NULL, "--test", &err));
	assert_non_null(err);
	user_free(u);
}

/* A file may be another program's terminal, which can end: that loses output, and that is all. */
static void a_terminal_given_as_a_file_that_hangs_up_loses_output(void **state)
{
	struct user *u = user_new();
	g_autofree char *spec = NULL;
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char full[4096] = { 0 };

	(void)state;
	assert_true(master >= 0);
	assert_int_equal(unlockpt(master), 0);
	spec = g_strdup_printf("file:%s", ptsname(master));
	user_open_spec(u, spec);
	for (unsigned i = 0; i < 100 && !u->out->len; i++)
		user_send(u, full, sizeof(full)); /* until it waits */
	assert_true(u->out->len > 0);
	user_wait_idle();
	close(master);
	UNTIL(!u->out->len);
	user_send(u, "more", 4);
	user_wait_idle();
	assert_int_equal(u->out->len, 0);
	assert_int_equal(u->troubles, 1);
	assert_false(g_main_context_iteration(NULL, FALSE));
	user_free(u);
}

/*
 * Pseudo terminals.
 */
static void a_pty_keeps_early_output_and_is_raw(void **state)
{
	struct user *u = user_new();
	char buf[16];
	int fd;

	(void)state;
	user_open(u, "pty");
	assert_true(g_str_has_prefix(u->chr->where, "/dev/pts/"));
	user_send(u, "early\n\x01\x03", 8);
	user_wait_idle();
	for (unsigned i = 0; i < 2; i++) {             /* it can be left and opened again */
		fd = open(u->path, O_RDWR | O_NOCTTY); /* through the link */
		assert_true(fd >= 0);
		UNTIL(u->arrivals == i + 1);
		user_wait_idle();
		assert_int_equal(read(fd, buf, sizeof(buf)), 8);
		assert_memory_equal(buf, "early\n\x01\x03", 8);
		assert_int_equal(write(fd, "a\x03\r", 3), 3);
		UNTIL(u->got->len == 3);
		assert_memory_equal(u->got->data, "a\x03\r", 3);
		g_byte_array_set_size(u->got, 0);
		close(fd);
		UNTIL(u->departures == i + 1);
		user_send(u, "early\n\x01\x03", 8);
	}
	user_shut(u);
	assert_false(g_file_test(u->path, G_FILE_TEST_IS_SYMLINK));
	user_free(u);
}

static void a_pty_link_replaces_no_file(void **state)
{
	struct user *u = user_new();
	g_autofree char *spec = g_strdup_printf("pty:%s", u->path);

	(void)state;
	assert_true(g_file_set_contents(u->path, "precious", -1, NULL));
	chr_refused(spec, "file of that name");
	user_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fifo_takes_what_it_has_room_for),
		cmocka_unit_test(a_forced_fifo_keeps_the_newest),
		cmocka_unit_test(a_bad_spec_is_refused_in_one_line),
		cmocka_unit_test(a_terminal_can_be_taken_once),
		cmocka_unit_test(a_file_is_emptied_and_append_is_not),
		cmocka_unit_test(a_full_disk_is_reported_once_and_hangs_nobody),
		cmocka_unit_test(a_pipe_without_a_reader_is_refused),
		cmocka_unit_test(a_terminal_given_as_a_file_that_hangs_up_loses_output),
		cmocka_unit_test(a_pty_keeps_early_output_and_is_raw),
		cmocka_unit_test(a_pty_link_replaces_no_file),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
