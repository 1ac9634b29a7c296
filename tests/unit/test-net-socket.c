/* The link between two monitors: either end first, frames whole and in order, backpressure, and
 * peers that come, go, or talk nonsense. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "devices/base/error.h"
#include "tests/support/net-frames.h"

static char *dir, *path;
static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("ringside-net-XXXXXX", NULL);
	path = g_build_filename(dir, "peer", NULL);
	loop = loop_main();
	return dir ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	(void)g_unlink(path);
	(void)g_rmdir(dir);
	g_free(path);
	g_free(dir);
	loop_free(loop);
	return 0;
}

static void open_end(struct rec *r, bool listen)
{
	struct net_options opt = {
		.kind = NET_SOCKET, .n_channels = 1, .path = path, .listen = listen
	};
	GError *err = NULL;

	assert_true(rec_open(r, &opt, loop, &err));
	assert_null(err);
}

static void open_both(struct rec *a, struct rec *b)
{
	open_end(a, true);
	open_end(b, false);
	rec_await_link(a, true);
	rec_await_link(b, true);
	a->be->ops->receive(a->be, 0, true);
	b->be->ops->receive(b->be, 0, true);
}

static void frames_cross_both_ways(void **state)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct rec a, b;

	(void)state;
	open_both(&a, &b);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			rec_send(&a, frame, frame_plain(frame, mac_host, 60 + i, (uint8_t)i)), 0);
	rec_await(&b, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(b.frame[i].len, 60 + i);
		assert_true(frame_is_plain(b.frame[i].data, b.frame[i].len, (uint8_t)i));
	}
	assert_true(b.batches > 0);
	/* The largest there is takes several turns. */
	assert_int_equal(rec_send(&b, frame, frame_plain(frame, mac_host, NET_FRAME_MAX, 9)), 0);
	rec_await(&a, 1);
	assert_int_equal(a.frame[0].len, NET_FRAME_MAX);
	assert_true(frame_is_plain(a.frame[0].data, NET_FRAME_MAX, 9));
	rec_close(&a);
	rec_close(&b);
}

static void the_connecting_end_may_be_first(void **state)
{
	struct rec a, b;

	(void)state;
	open_end(&b, false);
	assert_false(b.up);
	open_end(&a, true);
	rec_await_link(&b, true);
	rec_await_link(&a, true);
	rec_close(&a);
	rec_close(&b);
}

static void the_link_falls_and_rises_with_the_peer(void **state)
{
	uint8_t frame[100];
	struct rec a, b;

	(void)state;
	open_both(&a, &b);
	rec_close(&b);
	rec_await_link(&a, false);
	assert_int_equal(rec_send(&a, frame, frame_plain(frame, mac_host, 100, 0)), -ENOTCONN);
	open_end(&b, false);
	rec_await_link(&a, true);
	rec_close(&a); /* now the listening one goes; the other tries until it is back */
	rec_await_link(&b, false);
	open_end(&a, true);
	rec_await_link(&b, true);
	rec_close(&a);
	rec_close(&b);
}

static void a_full_guest_stops_the_sender_and_loses_nothing(void **state)
{
	static uint8_t frame[1500];
	unsigned sent = 0, seen = 0;
	struct rec a, b;
	int ret = 0;

	(void)state;
	open_both(&a, &b);
	b.refuse = true;
	for (; sent < 5000; sent++) {
		ret = rec_send(&a, frame,
			       frame_plain(frame, mac_host, sizeof(frame), (uint8_t)sent));
		if (ret < 0)
			break;
		g_main_context_iteration(NULL, FALSE);
	}
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(b.refused, 1); /* paused, not asked again and again */
	b.refuse = false;
	b.be->ops->receive(b.be, 0, true);
	while (seen < sent) {
		rec_await(&b, 1);
		for (unsigned i = 0; i < b.n; i++, seen++)
			assert_true(frame_is_plain(b.frame[i].data, b.frame[i].len, (uint8_t)seen));
		rec_forget(&b);
		/* The recorder holds only so many at a time. */
		b.be->ops->receive(b.be, 0, true);
	}
	assert_true(a.writable > 0);
	rec_close(&a);
	rec_close(&b);
}

static void without_a_receive_queue_frames_are_dropped(void **state)
{
	static uint8_t frame[1500];
	struct rec a, b;

	(void)state;
	open_both(&a, &b);
	b.be->ops->receive(b.be, 0, false);
	for (unsigned i = 0; i < 2000; i++) {
		while (rec_send(&a, frame, frame_plain(frame, mac_host, sizeof(frame), 0)) ==
		       -EAGAIN)
			g_main_context_iteration(NULL, TRUE);
	}
	rec_wait_idle(&b);
	assert_int_equal(b.n, 0);
	b.be->ops->receive(b.be, 0, true);
	while (rec_send(&a, frame, frame_plain(frame, mac_host, 77, 7)) == -EAGAIN)
		g_main_context_iteration(NULL, TRUE);
	rec_await(&b, 1);
	assert_int_equal(b.frame[b.n - 1].len, 77);
	rec_close(&a);
	rec_close(&b);
}

static int raw_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void nonsense_hangs_up_and_the_next_peer_is_served(void **state)
{
	static const uint32_t lengths[] = { 0, NET_FRAME_MAX + 1, UINT32_MAX };
	uint8_t frame[64];
	struct rec a;

	(void)state;
	open_end(&a, true);
	a.be->ops->receive(a.be, 0, true);
	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		uint32_t prefix = htonl(lengths[i]);
		int fd = raw_connect();

		rec_await_link(&a, true);
		assert_int_equal(write(fd, &prefix, 4), 4);
		rec_await_link(&a, false);
		assert_int_equal(a.troubles, i + 1);
		close(fd);
	}
	/* One that talks sense, a byte at a time; its runt is dropped. */
	{
		uint32_t prefix = htonl(60), runt = htonl(5);
		int fd = raw_connect();

		frame_plain(frame, mac_host, 60, 3);
		assert_int_equal(write(fd, &runt, 4), 4);
		assert_int_equal(write(fd, frame, 5), 5);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(write(fd, (uint8_t *)&prefix + i, 1), 1);
			rec_wait_idle(&a);
		}
		assert_int_equal(write(fd, frame, 60), 60);
		rec_await(&a, 1);
		assert_true(frame_is_plain(a.frame[0].data, 60, 3));
		close(fd);
	}
	rec_close(&a);
}

static void a_second_listener_is_refused_and_a_dead_one_replaced(void **state)
{
	struct net_options opt = {
		.kind = NET_SOCKET, .n_channels = 1, .path = path, .listen = true
	};
	g_autoptr(GError) err = NULL;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct rec a, b;
	int fd;

	(void)state;
	open_end(&a, true);
	assert_false(rec_open(&b, &opt, loop, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_non_null(strstr(err->message, "in use"));
	rec_close(&a);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	open_end(&a, true);
	rec_close(&a);
}

static void a_file_in_the_way_is_left_alone(void **state)
{
	struct net_options opt = { .kind = NET_SOCKET, .n_channels = 1, .path = path };
	struct rec r;

	(void)state;
	assert_true(g_file_set_contents(path, "precious", -1, NULL));
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(GError) err = NULL;

		opt.listen = i;
		assert_false(rec_open(&r, &opt, loop, &err));
		assert_non_null(strstr(err->message, i ? "there is a file" : "not a socket"));
	}
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_int_equal(g_unlink(path), 0);
}

static void bad_paths_are_refused(void **state)
{
	g_autofree char *longer = g_strnfill(120, 'x');
	char nowhere[] = "/nonexistent/peer";
	char *const paths[] = { longer, nowhere };
	struct rec r;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct net_options opt = {
			.kind = NET_SOCKET, .n_channels = 1, .path = paths[i / 2], .listen = i % 2
		};
		g_autoptr(GError) err = NULL;

		assert_false(rec_open(&r, &opt, loop, &err));
		assert_non_null(strstr(err->message, paths[i / 2]));
	}
	{
		struct net_options opt = { .kind = NET_SOCKET, .n_channels = 1 };
		g_autoptr(GError) err = NULL;

		assert_false(rec_open(&r, &opt, loop, &err));
		assert_non_null(strstr(err->message, "path="));
	}
}

/* A peer that cannot be accepted stays where it is, and so does the loop. */
static void without_descriptors_the_listening_end_waits(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct rlimit old, few;
	unsigned turns = 0;
	struct rec r;
	gint64 end;
	int fd;

	(void)state;
	open_end(&r, true);
	g_strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ 3, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (end = g_get_monotonic_time() + G_USEC_PER_SEC / 2; g_get_monotonic_time() < end;)
		if (g_main_context_iteration(NULL, FALSE))
			turns++;
		else
			g_usleep(1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_in_range(turns, 1, 100); /* not as many as there is time for */
	rec_await_link(&r, true);
	close(fd);
	rec_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_cross_both_ways),
		cmocka_unit_test(the_connecting_end_may_be_first),
		cmocka_unit_test(the_link_falls_and_rises_with_the_peer),
		cmocka_unit_test(a_full_guest_stops_the_sender_and_loses_nothing),
		cmocka_unit_test(without_a_receive_queue_frames_are_dropped),
		cmocka_unit_test(nonsense_hangs_up_and_the_next_peer_is_served),
		cmocka_unit_test(without_descriptors_the_listening_end_waits),
		cmocka_unit_test(a_second_listener_is_refused_and_a_dead_one_replaced),
		cmocka_unit_test(a_file_in_the_way_is_left_alone),
		cmocka_unit_test(bad_paths_are_refused),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
