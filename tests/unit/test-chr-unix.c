/* Streams on unix sockets: clients that are late, slow, gone, or one too many. */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/chr-user.h"

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

		user_wait_idle();
		assert_true(g_get_monotonic_time() < end);
		if (n <= 0)
			continue;
		assert_memory_equal(buf, bytes, (size_t)n);
		bytes += n;
		len -= (size_t)n;
	}
}

static void early_output_waits_for_a_late_client(void **state)
{
	struct user *u = user_new();
	int fd;

	(void)state;
	user_open(u, "unix");
	user_send(u, "early", 5);
	assert_int_equal(u->out->len, 0);
	user_wait_idle();
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
		user_want(u);
		user_wait_idle();
		sent += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	u->reading = true;
	user_want(u);
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
	user_wait_idle();
	assert_int_equal(u->arrivals, 1);
	assert_int_equal(u->departures, 0);
	user_send(u, "kept", 4); /* for the next one; and nobody waits for it */
	assert_int_equal(u->out->len, 0);
	u->reading = true;
	user_want(u);
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
	user_wait_idle();
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
	user_wait_idle();
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
	user_wait_idle();
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
	chr_refused(spec, "in use");
	user_shut(u);
	assert_false(g_file_test(u->path, G_FILE_TEST_EXISTS));
	assert_true(g_file_set_contents(u->path, "precious", -1, NULL));
	chr_refused(spec, "file of that name");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
