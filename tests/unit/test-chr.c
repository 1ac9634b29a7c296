/* Streams of bytes on the host: what is kept, what waits, who counts as being there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/backend/chr-fifo.h"
#include "devices/backend/chr.h"
#include "devices/error.h"

/* A user that keeps what it reads and sends what it is given. */
struct user {
	struct loop *loop;
	struct chr *chr;
	char *dir, *path;
	GByteArray *got;
	GByteArray *out; /* not yet taken by the stream */
	bool reading;
	unsigned arrivals, departures, troubles;
};

static void want(struct user *u)
{
	chr_want(u->chr, u->reading, u->out->len > 0);
}

static void on_readable(void *arg)
{
	struct user *u = arg;
	uint8_t buf[1000];
	size_t n;

	while ((n = chr_read(u->chr, buf, sizeof(buf))) > 0)
		g_byte_array_append(u->got, buf, (guint)n);
}

static void on_writable(void *arg)
{
	struct user *u = arg;

	while (u->out->len > 0) {
		size_t n = chr_write(u->chr, u->out->data, u->out->len);

		if (n == 0)
			break;
		g_byte_array_remove_range(u->out, 0, (guint)n);
	}
	want(u);
}

static void on_connected(void *arg, bool on)
{
	struct user *u = arg;

	if (on)
		u->arrivals++;
	else
		u->departures++;
}

static void on_trouble(void *arg, const char *what, int errnum)
{
	struct user *u = arg;

	assert_non_null(what);
	assert_true(errnum > 0);
	u->troubles++;
}

static const struct chr_user callbacks = {
	.readable = on_readable,
	.writable = on_writable,
	.connected = on_connected,
	.trouble = on_trouble,
};

static struct user *user_new(void)
{
	struct user *u = g_new0(struct user, 1);

	u->loop = loop_main();
	u->dir = g_dir_make_tmp("ringside-chr-XXXXXX", NULL);
	u->path = g_build_filename(u->dir, "end", NULL);
	u->got = g_byte_array_new();
	u->out = g_byte_array_new();
	u->reading = true;
	return u;
}

static void user_open(struct user *u, const char *kind)
{
	g_autofree char *spec = g_strdup_printf("%s:%s", kind, u->path);
	g_autoptr(GError) err = NULL;

	u->chr = chr_open(spec, NULL, "--test", &err);
	assert_null(err);
	assert_non_null(u->chr);
	chr_attach(u->chr, u->loop, &callbacks, u);
	want(u);
}

static void user_shut(struct user *u)
{
	chr_detach(u->chr);
	chr_close(g_steal_pointer(&u->chr));
}

static void user_free(struct user *u)
{
	if (u->chr)
		user_shut(u);
	loop_free(u->loop);
	g_unlink(u->path);
	assert_int_equal(g_rmdir(u->dir), 0);
	g_byte_array_unref(u->got);
	g_byte_array_unref(u->out);
	g_free(u->path);
	g_free(u->dir);
	g_free(u);
}

static void user_send(struct user *u, const void *bytes, size_t len)
{
	g_byte_array_append(u->out, bytes, (guint)len);
	on_writable(u);
}

#define UNTIL(cond)                                                             \
	do {                                                                    \
		gint64 end_ = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND; \
		while (!(cond)) {                                               \
			assert_true(g_get_monotonic_time() < end_);             \
			if (!g_main_context_iteration(NULL, FALSE))             \
				g_usleep(500);                                  \
		}                                                               \
	} while (0)

/* Lets the loop do whatever it has to do. */
static void settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		while (g_main_context_iteration(NULL, FALSE))
			;
}

static int try_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int client_of(struct user *u)
{
	int fd = try_connect(u->path);

	assert_true(fd >= 0);
	return fd;
}

static void fill_pattern(uint8_t *bytes, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/* Reads what @fd gives until @len bytes have come, the loop turning meanwhile. */
static void expect_bytes(int fd, const uint8_t *bytes, size_t len)
{
	gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
	uint8_t buf[3000];

	while (len) {
		ssize_t n = recv(fd, buf, MIN(sizeof(buf), len), MSG_DONTWAIT);

		settle();
		assert_true(g_get_monotonic_time() < end);
		if (n <= 0)
			continue;
		assert_memory_equal(buf, bytes, (size_t)n);
		bytes += n;
		len -= (size_t)n;
	}
}

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
static void refused(const char *spec, const char *why)
{
	g_autoptr(GError) err = NULL;

	assert_null(chr_open(spec, NULL, "--device console", &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_true(g_str_has_prefix(err->message, "--device console: "));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
	assert_null(strchr(err->message, '\n'));
}

static void a_bad_spec_is_refused_in_one_line(void **state)
{
	g_autofree char *longest = g_strnfill(200, 'x');
	g_autofree char *too_long = g_strdup_printf("unix:/tmp/%s", longest);

	(void)state;
	refused("", "none of");
	refused("unix", "none of");
	refused("unix:", "none of");
	refused("file:", "none of");
	refused("null:x", "none of");
	refused("telnet:localhost", "none of");
	refused("stdio", "no terminal");
	refused(too_long, "characters");
	refused("file:/tmp", "directory");
	refused("file:/nonexistent/a", "No such file");
	refused("append:/nonexistent/a", "No such file");
	refused("unix:/nonexistent/a", "No such file");
	refused("pty:/nonexistent/a", "No such file");
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
	u->chr = chr_open("file:/dev/full", NULL, "--test", NULL);
	assert_non_null(u->chr);
	chr_attach(u->chr, u->loop, &callbacks, u);
	user_send(u, "a", 1);
	user_send(u, "b", 1);
	settle();
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

/*
 * Unix sockets.
 */
static void early_output_waits_for_a_late_client(void **state)
{
	struct user *u = user_new();
	int fd;

	(void)state;
	user_open(u, "unix");
	user_send(u, "early", 5);
	assert_int_equal(u->out->len, 0);
	settle();
	fd = client_of(u);
	expect_bytes(fd, (const uint8_t *)"early", 5);
	assert_int_equal(u->arrivals, 1);
	close(fd);
	UNTIL(u->departures == 1);
	user_free(u);
}

static void without_a_client_the_newest_output_is_kept(void **state)
{
	struct user *u = user_new();
	size_t len = 3 * CHR_BACKLOG + 77;
	g_autofree uint8_t *bytes = g_malloc(len);
	int fd;

	(void)state;
	fill_pattern(bytes, len, 1);
	user_open(u, "unix");
	for (size_t i = 0; i < len; i += 1000)
		user_send(u, bytes + i, MIN(1000, len - i));
	assert_int_equal(u->out->len, 0);
	fd = client_of(u);
	expect_bytes(fd, bytes + len - CHR_BACKLOG, CHR_BACKLOG);
	close(fd);
	user_free(u);
}

static void a_slow_client_loses_nothing(void **state)
{
	struct user *u = user_new();
	size_t len = 1u << 20;
	g_autofree uint8_t *bytes = g_malloc(len);
	int fd;

	(void)state;
	fill_pattern(bytes, len, 2);
	user_open(u, "unix");
	fd = client_of(u);
	UNTIL(u->arrivals == 1);
	user_send(u, bytes, len);
	assert_true(u->out->len > 0); /* it cannot all have been taken */
	expect_bytes(fd, bytes, len);
	assert_int_equal(u->out->len, 0);
	close(fd);
	user_free(u);
}

static void a_slow_user_loses_nothing(void **state)
{
	struct user *u = user_new();
	size_t len = 1u << 20, sent = 0;
	g_autofree uint8_t *bytes = g_malloc(len);
	int fd;

	(void)state;
	fill_pattern(bytes, len, 3);
	user_open(u, "unix");
	fd = client_of(u);
	while (sent < len) {
		ssize_t n = send(fd, bytes + sent, len - sent, MSG_DONTWAIT);

		u->reading = !u->reading; /* now it listens, now it does not */
		want(u);
		settle();
		sent += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	u->reading = true;
	want(u);
	UNTIL(u->departures == 1);
	assert_int_equal(u->got->len, len);
	assert_memory_equal(u->got->data, bytes, len);
	user_free(u);
}

static void input_of_a_client_that_left_is_not_lost(void **state)
{
	struct user *u = user_new();
	int fd;

	(void)state;
	u->reading = false;
	user_open(u, "unix");
	fd = client_of(u);
	assert_int_equal(send(fd, "bye", 3, 0), 3);
	close(fd);
	settle();
	assert_int_equal(u->arrivals, 1);
	assert_int_equal(u->departures, 0);
	user_send(u, "kept", 4); /* for the next one; and nobody waits for it */
	assert_int_equal(u->out->len, 0);
	u->reading = true;
	want(u);
	UNTIL(u->departures == 1);
	assert_int_equal(u->got->len, 3);
	assert_memory_equal(u->got->data, "bye", 3);
	fd = client_of(u);
	expect_bytes(fd, (const uint8_t *)"kept", 4);
	close(fd);
	user_free(u);
}

static void a_client_that_leaves_unheard_leaves(void **state)
{
	struct user *u = user_new();
	int fd;

	(void)state;
	u->reading = false;
	user_open(u, "unix");
	fd = client_of(u);
	UNTIL(u->arrivals == 1);
	close(fd);
	UNTIL(u->departures == 1);
	user_free(u);
}

static void a_client_that_leaves_frees_a_blocked_writer(void **state)
{
	struct user *u = user_new();
	g_autofree uint8_t *bytes = g_malloc(1u << 20);
	int fd;

	(void)state;
	fill_pattern(bytes, 1u << 20, 4);
	u->reading = false;
	user_open(u, "unix");
	fd = client_of(u);
	UNTIL(u->arrivals == 1);
	assert_int_equal(send(fd, "unread", 6, 0), 6);
	user_send(u, bytes, 1u << 20);
	settle();
	assert_true(u->out->len > 0);
	close(fd);
	UNTIL(u->out->len == 0);
	user_free(u);
}

static void a_client_that_is_done_sending_still_listens(void **state)
{
	struct user *u = user_new();
	int fd;

	(void)state;
	user_open(u, "unix");
	fd = client_of(u);
	assert_int_equal(send(fd, "question", 8, 0), 8);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	UNTIL(u->got->len == 8);
	settle();
	assert_int_equal(u->departures, 0);
	user_send(u, "answer", 6);
	expect_bytes(fd, (const uint8_t *)"answer", 6);
	close(fd);
	UNTIL(u->departures == 1);
	user_free(u);
}

static void the_next_client_waits_its_turn(void **state)
{
	struct user *u = user_new();
	int a, b;

	(void)state;
	user_open(u, "unix");
	a = client_of(u);
	b = client_of(u);
	assert_int_equal(send(b, "second", 6, 0), 6);
	settle();
	assert_int_equal(u->arrivals, 1);
	assert_int_equal(u->got->len, 0);
	close(a);
	UNTIL(u->got->len == 6);
	assert_int_equal(u->arrivals, 2);
	close(b);
	user_free(u);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct user *u = user_new();
	g_autofree char *spec = g_strdup_printf("unix:%s", u->path);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	g_strlcpy(addr.sun_path, u->path, sizeof(addr.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd); /* its file stays */
	user_open(u, "unix");
	refused(spec, "in use");
	user_shut(u);
	assert_false(g_file_test(u->path, G_FILE_TEST_EXISTS));
	assert_true(g_file_set_contents(u->path, "precious", -1, NULL));
	refused(spec, "file of that name");
	assert_true(g_file_test(u->path, G_FILE_TEST_IS_REGULAR));
	user_free(u);
}

static void a_socket_is_its_owners_alone(void **state)
{
	struct user *u = user_new();
	struct stat st;

	(void)state;
	user_open(u, "unix");
	assert_int_equal(stat(u->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
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
	settle();
	for (unsigned i = 0; i < 2; i++) {             /* it can be left and opened again */
		fd = open(u->path, O_RDWR | O_NOCTTY); /* through the link */
		assert_true(fd >= 0);
		UNTIL(u->arrivals == i + 1);
		settle();
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
	refused(spec, "file of that name");
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
		cmocka_unit_test(early_output_waits_for_a_late_client),
		cmocka_unit_test(without_a_client_the_newest_output_is_kept),
		cmocka_unit_test(a_slow_client_loses_nothing),
		cmocka_unit_test(a_slow_user_loses_nothing),
		cmocka_unit_test(input_of_a_client_that_left_is_not_lost),
		cmocka_unit_test(a_client_that_leaves_unheard_leaves),
		cmocka_unit_test(a_client_that_leaves_frees_a_blocked_writer),
		cmocka_unit_test(a_client_that_is_done_sending_still_listens),
		cmocka_unit_test(the_next_client_waits_its_turn),
		cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_socket_is_its_owners_alone),
		cmocka_unit_test(a_pty_keeps_early_output_and_is_raw),
		cmocka_unit_test(a_pty_link_replaces_no_file),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
