/* The guest's own network: the addresses, names and connections a guest finds on it. The guest is a
 * few frames made by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "tests/support/net-frames.h"

#define HOST  0x0a000202u
#define GUEST 0x0a00020fu
#define SYN   2u
#define ACK   16u
#define PSH   8u

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

static void open_net(struct rec *r, GPtrArray *hostfwd)
{
	char name[] = "ringside-guest";
	struct net_options opt = {
		.kind = NET_USER, .n_channels = 1, .hostfwd = hostfwd, .hostname = name
	};
	GError *err = NULL;

	assert_true(rec_open(r, &opt, loop, &err));
	assert_null(err);
	r->be->ops->receive(r->be, 0, true);
}

/* The first recorded frame for which @match is true, waiting for it. IPv6 talks by itself, so
 * others are passed over. */
static const struct rec_frame *await_match(struct rec *r, bool (*match)(const struct rec_frame *f))
{
	for (unsigned i = 0;; i++) {
		rec_await(r, i + 1);
		if (match(&r->frame[i]))
			return &r->frame[i];
	}
}

static bool is_arp(const struct rec_frame *f)
{
	return f->data[12] == 8 && f->data[13] == 6;
}

static size_t arp(uint8_t *frame, uint8_t operation, uint32_t target)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0 };
	uint32_t from = htonl(GUEST), to = htonl(target);

	memset(frame, 0, 60);
	memcpy(frame, mac_broadcast, 6);
	memcpy(frame + 6, mac_guest, 6);
	memcpy(frame + 12, head, sizeof(head));
	frame[21] = operation;
	memcpy(frame + 22, mac_guest, 6);
	memcpy(frame + 28, &from, 4);
	memcpy(frame + 38, &to, 4);
	return 60;
}

static void the_host_answers_arp(void **state)
{
	const struct rec_frame *f;
	uint8_t frame[60];
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	assert_int_equal(rec_send(&r, frame, arp(frame, 1, HOST)), 0);
	f = await_match(&r, is_arp);
	assert_memory_equal(f->data, mac_guest, 6);
	assert_int_equal(f->data[21], 2);
	assert_true(f->off.csum_valid);
	rec_close(&r);
}

static bool is_dhcp(const struct rec_frame *f)
{
	return f->data[12] == 8 && f->data[13] == 0 && f->data[23] == 17 && f->data[37] == 68;
}

/* The value of option @code in the DHCP packet of @f. */
static const uint8_t *dhcp_option(const struct rec_frame *f, uint8_t code)
{
	for (size_t at = 42 + 240; at + 1 < f->len && f->data[at] != 255;
	     at += 2u + f->data[at + 1])
		if (f->data[at] == code)
			return f->data + at + 2;
	fail_msg("DHCP option %u is missing", code);
	return NULL;
}

static void dhcp_gives_the_first_address(void **state)
{
	uint8_t frame[700], request[300] = { 1, 1, 6 };
	static const uint8_t discover[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
	struct packet p = { .version = 4,
			    .protocol = 17,
			    .dst = 0xffffffff,
			    .sport = 68,
			    .dport = 67,
			    .payload = request,
			    .len = sizeof(request) };
	uint32_t address = htonl(GUEST), dns = htonl(HOST + 1);
	const struct rec_frame *f;
	struct rec r;

	(void)state;
	memcpy(request + 28, mac_guest, 6);
	memcpy(request + 236, discover, sizeof(discover));
	open_net(&r, NULL);
	assert_int_equal(rec_send(&r, frame, frame_packet(frame, &p)), 0);
	f = await_match(&r, is_dhcp);
	assert_memory_equal(f->data + 42 + 16, &address, 4);
	assert_int_equal(*dhcp_option(f, 53), 2); /* an offer */
	assert_memory_equal(dhcp_option(f, 6), &dns, 4);
	assert_memory_equal(dhcp_option(f, 12), "ringside-guest", 14);
	rec_close(&r);
}

static void frames_wait_while_the_guest_has_no_room(void **state)
{
	uint8_t frame[60];
	struct rec r;
	unsigned n = 0;

	(void)state;
	open_net(&r, NULL);
	r.refuse = true;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rec_send(&r, frame, arp(frame, 1, HOST)), 0);
	rec_wait_idle(&r);
	assert_int_equal(r.n, 0);
	r.refuse = false;
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < r.n; i++)
		n += is_arp(&r.frame[i]);
	assert_int_equal(n, 5);
	r.be->ops->receive(r.be, 0, false);
	rec_forget(&r);
	assert_int_equal(rec_send(&r, frame, arp(frame, 1, HOST)), 0);
	rec_wait_idle(&r);
	assert_int_equal(r.n, 0);
	rec_close(&r);
}

static bool is_tcp(const struct rec_frame *f)
{
	return f->data[12] == 8 && f->data[13] == 0 && f->data[23] == 6;
}

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*ret_port = ntohs(sin.sin_port);
	return fd;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The guest connects to a server on the host and sends one segment far larger than the MTU, as a
 * driver with TSO does. */
static void the_guest_reaches_the_host_with_large_segments(void **state)
{
	static uint8_t frame[NET_FRAME_MAX], data[30000], got[sizeof(data)];
	struct packet p = { .version = 4,
			    .protocol = 6,
			    .src = GUEST,
			    .dst = HOST,
			    .sport = 1000,
			    .tcp_flags = SYN,
			    .seq = 100 };
	const struct rec_frame *f;
	size_t done = 0;
	struct rec r;
	int server = listener(&p.dport), fd;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 9));
	open_net(&r, NULL);
	assert_true(r.be->tx_offloads & NET_DO_TSO4);
	assert_int_equal(rec_send(&r, frame, frame_packet(frame, &p)), 0);
	rec_wait_idle(&r);
	assert_int_equal(rec_send(&r, frame, arp(frame, 2, HOST)), 0); /* who we are */
	f = await_match(&r, is_tcp);
	assert_true(frame_is_right(f->data, f->len));
	assert_int_equal(f->data[47] & (SYN | ACK), SYN | ACK);
	fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	p.tcp_flags = ACK | PSH;
	p.seq = 101;
	p.ack = get32(f->data + 38) + 1;
	p.payload = data;
	p.len = sizeof(data);
	assert_int_equal(rec_send(&r, frame, frame_packet(frame, &p)), 0);
	while (done < sizeof(got)) {
		ssize_t n;

		g_main_context_iteration(NULL, FALSE);
		n = recv(fd, got + done, sizeof(got) - done, MSG_DONTWAIT);
		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(got, data, sizeof(data));
	close(fd);
	close(server);
	rec_close(&r);
}

static bool is_syn(const struct rec_frame *f)
{
	return is_tcp(f) && (f->data[47] & (SYN | ACK)) == SYN;
}

static void a_forwarded_port_leads_to_the_guest(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct rec_frame *f;
	uint8_t frame[60];
	uint16_t port;
	struct rec r;
	int fd = listener(&port); /* finds a port that is free, */

	(void)state;
	close(fd);
	g_ptr_array_add(list, g_strdup_printf("tcp:127.0.0.1:%u-:22", port));
	open_net(&r, list);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	sin.sin_port = htons(port);
	(void)connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	f = await_match(&r, is_arp); /* it looks for the guest */
	assert_int_equal(f->data[21], 1);
	assert_int_equal(rec_send(&r, frame, arp(frame, 2, HOST)), 0);
	f = await_match(&r, is_syn);
	assert_true(frame_is_right(f->data, f->len));
	assert_int_equal(get32(f->data + 30), GUEST);
	assert_int_equal(f->data[36] << 8 | f->data[37], 22);
	close(fd);
	rec_close(&r);
}

static void a_port_in_use_is_told(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	struct net_options opt = { .kind = NET_USER, .n_channels = 1, .hostfwd = list };
	g_autoptr(GError) err = NULL;
	uint16_t port;
	struct rec r;
	int fd = listener(&port);

	(void)state;
	g_ptr_array_add(list, g_strdup_printf("tcp:127.0.0.1:%u-:22", port));
	assert_false(rec_open(&r, &opt, loop, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_non_null(strstr(err->message, list->pdata[0]));
	assert_non_null(strstr(err->message, "in use"));
	close(fd);
}

static void garbage_does_no_harm(void **state)
{
	static uint8_t frame[2000], zeroes[100];
	struct net_options opt = { .kind = NET_USER, .n_channels = 1, .restricted = true };
	uint32_t random = 1;
	struct rec r;

	(void)state;
	assert_true(rec_open(&r, &opt, loop, NULL)); /* none of it leaves this machine */
	r.be->ops->receive(r.be, 0, true);
	for (unsigned i = 0; i < 3000; i++) {
		struct packet p = { .version = i & 1 ? 4 : 6,
				    .protocol = i & 2 ? 6 : 17,
				    .src = GUEST,
				    .dst = HOST,
				    .payload = zeroes,
				    .len = i % 100 };
		size_t len = i % 3 ? frame_packet(frame, &p) : arp(frame, (uint8_t)i, HOST);

		for (unsigned k = 0; k < 3; k++) {
			random = random * 1664525 + 1013904223;
			frame[12 + (random >> 8) % (len - 12)] = (uint8_t)(random >> 24);
		}
		assert_int_equal(rec_send(&r, frame, MAX(NET_FRAME_MIN, len - random % 20)), 0);
	}
	rec_wait_idle(&r);
	rec_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_answers_arp),
		cmocka_unit_test(dhcp_gives_the_first_address),
		cmocka_unit_test(frames_wait_while_the_guest_has_no_room),
		cmocka_unit_test(the_guest_reaches_the_host_with_large_segments),
		cmocka_unit_test(a_forwarded_port_leads_to_the_guest),
		cmocka_unit_test(a_port_in_use_is_told),
		cmocka_unit_test(garbage_does_no_harm),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
