/* Options of the network backends, and the store for frames that came too early. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "devices/backend/net/user/frame-queue.h"
#include "devices/backend/net/user/user.h"
#include "devices/base/error.h"
#include "tests/support/net-frames.h"

#define HOST  0x0a000202u
#define GUEST 0x0a00020fu

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_main();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void networks(void **state)
{
	static const char *const bad[] = {
		"10.0.2.0",  "10.0.2.1/24",   "10.0.2.0/28", "10.0.2.0/7",
		"x/24",      "10.0.2.0/24/1", "/24",         "",
		"0.0.0.0/8", "127.0.0.0/24",  "224.0.0.0/8", "240.0.0.0/24"
	};
	struct user_net net;

	(void)state;
	assert_true(user_parse_net(NULL, NULL, &net, NULL));
	assert_int_equal(ntohl(net.host.s_addr), HOST);
	assert_int_equal(ntohl(net.guest.s_addr), GUEST);
	assert_int_equal(ntohl(net.dns.s_addr), HOST + 1);
	assert_true(user_parse_net("192.168.64.0/20", "192.168.70.1", &net, NULL));
	assert_int_equal(ntohl(net.mask.s_addr), 0xfffff000);
	assert_int_equal(ntohl(net.dns.s_addr), 0xc0a84601);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) err = NULL;

		assert_false(user_parse_net(bad[i], NULL, &net, &err));
		assert_non_null(strstr(err->message, "net="));
	}
	for (unsigned i = 0; i < 4; i++) {
		static const char *const dns[] = { "10.0.3.3", "10.0.2.2", "10.0.2.15", "name" };
		g_autoptr(GError) err = NULL;

		assert_false(user_parse_net(NULL, dns[i], &net, &err));
		assert_non_null(strstr(err->message, "dns="));
	}
}

static void forwards(void **state)
{
	static const char *const bad[] = {
		"",
		"tcp",
		"tcp:",
		"tcp::80",
		"tcp::80-",
		"tcp::80-:",
		"tcp::0-:22",
		"tcp::65536-:22",
		"tcp::80-:22-:1",
		"icmp::80-:22",
		"tcp:host:80-:22",
		"tcp::80-10.0.2.999:22",
		"tcp:::80-:22",
		"tcp::-1-:22",
		"tcp::80 -:22",
	};
	struct user_forward f;

	(void)state;
	assert_true(user_parse_forward("tcp::2222-:22", &f, NULL));
	assert_false(f.udp);
	assert_int_equal(f.host_addr.s_addr, 0);
	assert_int_equal(f.host_port, 2222);
	assert_int_equal(f.guest_port, 22);
	assert_true(user_parse_forward("udp:127.0.0.1:53-10.0.2.16:5353", &f, NULL));
	assert_true(f.udp);
	assert_int_equal(ntohl(f.host_addr.s_addr), 0x7f000001);
	assert_int_equal(ntohl(f.guest_addr.s_addr), GUEST + 1);
	assert_true(user_parse_forward("::2222-:22", &f, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) err = NULL;

		assert_false(user_parse_forward(bad[i], &f, &err));
		assert_non_null(strstr(err->message, "hostfwd="));
	}
}

static void a_forward_leads_into_the_guests_network(void **state)
{
	g_autoptr(GError) err = NULL;
	struct user_forward f;
	struct user_net net;

	(void)state;
	assert_true(user_parse_net(NULL, NULL, &net, NULL));
	assert_true(user_parse_forward("tcp::2222-:22", &f, NULL));
	assert_true(user_check_forward("", &f, &net, NULL));
	assert_true(user_parse_forward("tcp::2222-10.0.2.16:22", &f, NULL));
	assert_true(user_check_forward("", &f, &net, NULL));
	assert_true(user_parse_forward("tcp::2222-10.0.3.16:22", &f, NULL));
	assert_false(user_check_forward("tcp::2222-10.0.3.16:22", &f, &net, &err));
	assert_non_null(strstr(err->message, "hostfwd=tcp::2222-10.0.3.16:22: "));
}

static void options_of_another_backend_are_refused(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	char word[] = "word";
	const struct net_options rows[] = {
		{ .kind = NET_USER, .ifname = word },
		{ .kind = NET_USER, .fds = list },
		{ .kind = NET_USER, .path = word },
		{ .kind = NET_USER, .listen = true },
		{ .kind = NET_USER, .n_channels = 2 },
		{ .kind = NET_TAP, .hostfwd = list },
		{ .kind = NET_TAP, .net = word },
		{ .kind = NET_SOCKET, .dns = word },
		{ .kind = NET_SOCKET, .hostname = word },
		{ .kind = NET_SOCKET, .restricted = true },
		{ .kind = NET_SOCKET, .generate = 64 },
		{ .kind = NET_NULL, .path = word },
	};
	struct rec r;

	(void)state;
	g_ptr_array_add(list, word);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) err = NULL;

		assert_false(rec_open(&r, &rows[i], loop, &err));
		assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
		assert_non_null(strstr(err->message, "is for backend="));
	}
}

static void late_frames_keep_their_order_within_a_bound(void **state)
{
	uint8_t room[1000], frame[100];
	struct net_frame_queue late = { .data = room, .size = sizeof(room) };
	unsigned in = 0, out = 0;
	size_t len;

	(void)state;
	assert_null(net_frame_queue_first(&late, &len));
	for (unsigned round = 0; round < 50; round++) {
		while (net_frame_queue_add(
			&late,
			frame_plain(frame, mac_guest, 20 + in % 80, (uint8_t)in) ? frame : NULL,
			20 + in % 80))
			in++;
		for (unsigned i = 0; i <= round % 9; i++, out++) {
			uint8_t *first = net_frame_queue_first(&late, &len);

			if (!first)
				break;
			assert_int_equal(len, 20 + out % 80);
			assert_true(frame_is_plain(first, len, (uint8_t)out));
			net_frame_queue_drop(&late);
		}
	}
	assert_true(out > 100);
	net_frame_queue_clear(&late);
	assert_null(net_frame_queue_first(&late, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(forwards),
		cmocka_unit_test(a_forward_leads_into_the_guests_network),
		cmocka_unit_test(options_of_another_backend_are_refused),
		cmocka_unit_test(late_frames_keep_their_order_within_a_bound),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
