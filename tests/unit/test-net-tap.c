/* Taps: frames both ways, work left undone on them, several queues. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "devices/net/header.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-own.h"

#define OUR_ADDRESS 0xc0000201u /* 192.0.2.1, for documentation */
#define GUEST       0xc0000202u

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_main();
	return own_network() ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void open_tap(struct rec *r, const char *name, unsigned channels)
{
	g_autofree char *ifname = g_strdup(name);
	struct net_options opt = { .kind = NET_TAP, .n_channels = channels, .ifname = ifname };
	GError *err = NULL;

	if (!rec_open(r, &opt, loop, &err))
		fail_msg("%s", err->message);
	tap_up(name);
}

/* The kernel talks by itself (IPv6); only frames of our own kind count. */
static unsigned experimental(struct rec *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->frame[i].data[12] == 0x88 && r->frame[i].data[13] == 0xb5)
			r->frame[n++] = r->frame[i];
		else
			g_free(r->frame[i].data);
	r->n = n;
	return n;
}

static void await_experimental(struct rec *r, unsigned n)
{
	for (unsigned tries = 0; experimental(r) < n; tries++) {
		assert_in_range(tries, 0, 100);
		rec_wait_idle(r);
	}
}

/*
 * Frames.
 */
static void frames_cross_both_ways(void **state)
{
	uint8_t frame[1500], got[2000];
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	fd = tap_host_end("rs0");
	assert_string_equal(r.be->name, "rs0");
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < 3; i++) {
		frame_plain(frame, mac_guest, 100 + i, (uint8_t)i);
		assert_int_equal(write(fd, frame, 100 + i), 100 + i);
	}
	await_experimental(&r, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(r.frame[i].len, 100 + i);
		assert_true(frame_is_plain(r.frame[i].data, 100 + i, (uint8_t)i));
	}
	assert_int_equal(rec_send(&r, frame, frame_plain(frame, mac_broadcast, 1400, 5)), 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 1400);
	assert_true(frame_is_plain(got, 1400, 5));
	close(fd);
	rec_close(&r);
	tap_remove("rs0", 0);
}

static void a_full_guest_pauses_the_reading(void **state)
{
	uint8_t frame[100];
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	fd = tap_host_end("rs0");
	r.refuse = true;
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 100, (uint8_t)i)),
				 100);
	rec_await_refused(&r, 1);
	rec_wait_idle(&r);
	assert_int_equal(r.refused, 1); /* and is not asked again */
	r.refuse = false;
	r.be->ops->receive(r.be, 0, true);
	await_experimental(&r, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_true(frame_is_plain(r.frame[i].data, 100, (uint8_t)i));
	r.be->ops->receive(r.be, 0, false);
	rec_forget(&r);
	assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 100, 0)), 100);
	rec_wait_idle(&r);
	assert_int_equal(r.n, 0);
	close(fd);
	rec_close(&r);
	tap_remove("rs0", 0);
}

/* Even of a queue that the operator made longer than usual, which takes several turns. */
static void what_waits_can_be_discarded(void **state)
{
	struct ifreq ifr = { .ifr_name = "rs0", .ifr_qlen = 5000 };
	uint8_t frame[100];
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", 0);
	assert_int_equal(net_control(SIOCSIFTXQLEN, &ifr), 0);
	open_tap(&r, "rs0", 1);
	fd = tap_host_end("rs0");
	r.refuse = true;
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 100, 1)), 100);
		if (i == 0)
			rec_await_refused(&r, 1); /* and we hold it */
	}
	r.be->ops->receive(r.be, 0, false);
	r.be->ops->discard(r.be, 0);
	r.refuse = false;
	r.be->ops->receive(r.be, 0, true);
	/* What is sent before the last of them was dropped is dropped with them. */
	for (unsigned tries = 0; experimental(&r) == 0; tries++) {
		assert_in_range(tries, 0, 1000);
		assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 100, 2)), 100);
		rec_wait_idle(&r);
	}
	for (unsigned i = 0; i < r.n; i++)
		assert_true(frame_is_plain(r.frame[i].data, 100, 2));
	close(fd);
	rec_close(&r);
	tap_remove("rs0", 0);
}

/* Off and on again, without: nothing is lost. */
static void what_waits_is_kept(void **state)
{
	uint8_t frame[100];
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	fd = tap_host_end("rs0");
	r.refuse = true;
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 100, (uint8_t)i)),
				 100);
	rec_await_refused(&r, 1);
	r.be->ops->receive(r.be, 0, false);
	r.refuse = false;
	rec_wait_idle(&r);
	assert_int_equal(r.n, 0);
	r.be->ops->receive(r.be, 0, true);
	await_experimental(&r, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(frame_is_plain(r.frame[i].data, 100, (uint8_t)i));
	close(fd);
	rec_close(&r);
	tap_remove("rs0", 0);
}

static void set_address(const char *name)
{
	struct sockaddr_in *sin;
	struct ifreq ifr = { 0 };
	struct arpreq arp = { .arp_flags = ATF_PERM | ATF_COM };

	g_strlcpy(ifr.ifr_name, name, IFNAMSIZ);
	sin = (struct sockaddr_in *)&ifr.ifr_addr;
	*sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(OUR_ADDRESS) };
	assert_int_equal(net_control(SIOCSIFADDR, &ifr), 0);
	sin = (struct sockaddr_in *)&arp.arp_pa;
	*sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(GUEST) };
	memcpy(arp.arp_ha.sa_data, mac_guest, 6);
	g_strlcpy(arp.arp_dev, name, sizeof(arp.arp_dev));
	assert_int_equal(net_control(SIOCSARP, &arp), 0);
}

/* A datagram of the host's to the guest, as it arrives. */
static const struct rec_frame *datagram(struct rec *r)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(GUEST),
				  .sin_port = htons(9) };
	uint8_t payload[501] = { 1, 2, 3 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	rec_forget(r);
	assert_int_equal(
		sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(payload));
	close(fd);
	for (unsigned i = 0;; i++) {
		const struct rec_frame *f;

		rec_await(r, i + 1);
		f = &r->frame[i];
		if (f->data[12] == 8 && f->data[13] == 0 && f->data[23] == 17)
			return f;
	}
}

static void checksums_are_left_undone_only_if_allowed(void **state)
{
	const struct rec_frame *f;
	struct rec r;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	assert_int_equal(r.be->rx_offloads & (NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6),
			 NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6);
	set_address("rs0");
	r.be->ops->receive(r.be, 0, true);
	f = datagram(&r);
	assert_false(f->off.need_csum);
	assert_true(frame_is_right(f->data, f->len));
	assert_int_equal(r.be->ops->set_offloads(r.be, r.be->rx_offloads), 0);
	f = datagram(&r);
	assert_true(f->off.need_csum);
	assert_false(frame_is_right(f->data, f->len));
	assert_true(net_complete(f->data, f->len, &f->off));
	assert_true(frame_is_right(f->data, f->len));
	assert_int_equal(r.be->ops->set_offloads(r.be, 0), 0);
	f = datagram(&r);
	assert_false(f->off.need_csum);
	rec_close(&r);
	tap_remove("rs0", 0);
}

/* The host completes what the guest left undone: its UDP receives only what is right. */
static void the_host_completes_checksums(void **state)
{
	static const char text[] = "a checksum to be completed";
	struct packet p = { .version = 4,
			    .protocol = 17,
			    .src = GUEST,
			    .dst = OUR_ADDRESS,
			    .sport = 9,
			    .dport = 4000,
			    .payload = text,
			    .len = sizeof(text) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(4000) };
	struct net_offload off = { 0 };
	uint8_t frame[200], got[100];
	struct ifreq ifr = { .ifr_name = "rs0" };
	struct iovec iov = { frame, 0 };
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	set_address("rs0");
	assert_int_equal(net_control(SIOCGIFHWADDR, &ifr), 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	iov.iov_len = frame_packet(frame, &p);
	memcpy(frame, ifr.ifr_hwaddr.sa_data, 6);
	frame_leave_csum(frame, iov.iov_len, &off);
	assert_int_equal(r.be->ops->send(r.be, 0, &iov, 1, &off), 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
	close(fd);
	rec_close(&r);
	tap_remove("rs0", 0);
}

/*
 * Queues.
 */
static void queues_come_and_go(void **state)
{
	uint8_t frame[100];
	struct rec r;
	int fd;

	(void)state;
	tap_make("rs0", IFF_MULTI_QUEUE);
	open_tap(&r, "rs0", 4);
	fd = tap_host_end("rs0");
	assert_int_equal(r.be->n_channels, 4);
	r.be->ops->receive(r.be, 0, true);
	r.be->ops->receive(r.be, 3, true); /* not in use yet: silent, not broken */
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(write(fd, frame, frame_plain(frame, mac_guest, 60 + i, 0)),
				 60 + i);
	await_experimental(&r, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(r.frame[i].channel, 0);
	for (unsigned round = 0; round < 3; round++) {
		static const struct net_offload nothing;
		struct iovec iov = { frame, frame_plain(frame, mac_broadcast, 100, 0) };

		assert_int_equal(r.be->ops->set_channels(r.be, 4), 0);
		assert_int_equal(r.be->ops->send(r.be, 3, &iov, 1, &nothing), 0);
		assert_int_equal(r.be->ops->set_channels(r.be, 1), 0);
		assert_int_equal(r.be->ops->send(r.be, 0, &iov, 1, &nothing), 0);
	}
	rec_wait_idle(&r);
	assert_int_equal(r.troubles, 0);
	close(fd);
	rec_close(&r);
	tap_remove("rs0", IFF_MULTI_QUEUE);
}

static void one_channel_of_a_multiqueue_tap_serves(void **state)
{
	struct rec r;

	(void)state;
	tap_make("rs0", IFF_MULTI_QUEUE);
	open_tap(&r, "rs0", 1);
	assert_int_equal(r.be->n_channels, 1);
	rec_close(&r);
	tap_remove("rs0", IFF_MULTI_QUEUE);
}

/*
 * By descriptor.
 */
static void descriptors_are_taken_over(void **state)
{
	static const int flags[] = { 0, IFF_VNET_HDR };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		g_autoptr(GPtrArray) fds = g_ptr_array_new_with_free_func(g_free);
		struct net_options opt = { .kind = NET_TAP, .n_channels = 1, .fds = fds };
		uint8_t frame[100], got[100];
		struct rec r;
		int fd;

		tap_make("rs0", flags[i]);
		g_ptr_array_add(fds, g_strdup_printf("%d", tap_open("rs0", flags[i])));
		assert_true(rec_open(&r, &opt, loop, NULL));
		tap_up("rs0");
		fd = tap_host_end("rs0");
		assert_int_equal(!!r.be->tx_offloads,
				 !!flags[i]); /* no header: no work left undone */
		assert_int_equal(rec_send(&r, frame, frame_plain(frame, mac_broadcast, 100, 5)), 0);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 100);
		assert_true(frame_is_plain(got, 100, 5));
		close(fd);
		rec_close(&r);
		tap_remove("rs0", flags[i]);
	}
}

/* As `ip link del`. */
static void delete_link(const char *name)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_DELLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.info = { .ifi_index = (int)if_nametoindex(name) },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	assert_true(recv(fd, &answer, sizeof(answer), 0) > 0);
	assert_int_equal(answer.error.error, 0);
	close(fd);
}

static void a_tap_that_goes_away_pulls_the_link(void **state)
{
	struct rec r;

	(void)state;
	tap_make("rs0", 0);
	open_tap(&r, "rs0", 1);
	r.be->ops->receive(r.be, 0, true);
	delete_link("rs0");
	rec_await_link(&r, false);
	assert_int_equal(r.troubles, 1);
	rec_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_cross_both_ways),
		cmocka_unit_test(a_full_guest_pauses_the_reading),
		cmocka_unit_test(what_waits_can_be_discarded),
		cmocka_unit_test(what_waits_is_kept),
		cmocka_unit_test(checksums_are_left_undone_only_if_allowed),
		cmocka_unit_test(the_host_completes_checksums),
		cmocka_unit_test(queues_come_and_go),
		cmocka_unit_test(one_channel_of_a_multiqueue_tap_serves),
		cmocka_unit_test(descriptors_are_taken_over),
		cmocka_unit_test(a_tap_that_goes_away_pulls_the_link),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
