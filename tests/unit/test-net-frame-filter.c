/* Which frames libslirp gets to see, and that they stay right. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/backend/net/user/frame-filter.h"

#define SECOND INT64_C(1000000)
#define UDP    17u
#define TCP    6u
#define MORE   0x2000u

struct frame {
	uint8_t bytes[90];
};

static struct net_packet packet; /* what was last judged */

static bool pass(struct net_frame_filter *g, int64_t now, uint8_t *bytes, size_t len)
{
	uint8_t *frame = bytes;
	bool ok = net_frame_filter_pass(g, now, &frame, &len, &packet);

	assert_true(!ok || frame == bytes); /* of those that are whole */
	return ok;
}

static struct frame ip(unsigned fragment, uint8_t protocol)
{
	struct frame f = { { 0 } };

	f.bytes[12] = 8;
	f.bytes[14] = 0x45;
	f.bytes[17] = sizeof(f.bytes) - 14;
	f.bytes[20] = (uint8_t)(fragment >> 8);
	f.bytes[21] = (uint8_t)fragment;
	f.bytes[23] = protocol;
	if (protocol == TCP)
		f.bytes[46] = 0x50;
	return f;
}

static struct frame ip6(uint8_t protocol)
{
	struct frame f = { { 0 } };

	f.bytes[12] = 0x86;
	f.bytes[13] = 0xdd;
	f.bytes[14] = 0x60;
	f.bytes[19] = sizeof(f.bytes) - 54;
	f.bytes[20] = protocol;
	if (protocol == TCP)
		f.bytes[66] = 0x50;
	return f;
}

/*
 * Whole packets.
 */
static void whole_packets_pass(void **state)
{
	struct frame frames[] = { ip(0, UDP), ip(0x4000, UDP), ip(0, TCP), ip(0, 47),
				  ip6(UDP),   ip6(TCP),        ip6(44) };
	struct frame arp = ip(0x2000, UDP);
	struct net_frame_filter g = { 0 };

	(void)state;
	arp.bytes[13] = 6;
	assert_true(pass(&g, 1, arp.bytes, sizeof(arp.bytes)));
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		assert_true(pass(&g, 1, frames[i].bytes, sizeof(frames[i].bytes)));
}

static void lengths_that_contradict_each_other_do_not_pass(void **state)
{
	struct net_frame_filter g = { 0 };
	struct frame f;

	(void)state;
	for (size_t at = 0; at < 3; at++) {
		static const struct {
			size_t at;
			uint8_t value;
		} wrong[] = { { 17, 77 }, { 14, 0x44 }, { 46, 0x40 } };

		f = ip(0, TCP);
		f.bytes[wrong[at].at] = wrong[at].value;
		assert_false(pass(&g, 1, f.bytes, sizeof(f.bytes)));
	}
	f = ip6(TCP);
	f.bytes[19]++;
	assert_false(pass(&g, 1, f.bytes, sizeof(f.bytes)));
}

/* libslirp's TCP over IPv6 takes for data whatever the frame has. */
static void padding_is_cut_off(void **state)
{
	struct frame f = ip6(TCP);
	uint8_t *frame = f.bytes;
	size_t len = sizeof(f.bytes);
	struct net_frame_filter g = { 0 };

	(void)state;
	f.bytes[19] -= 3;
	assert_true(net_frame_filter_pass(&g, 1, &frame, &len, &packet));
	assert_int_equal(len, sizeof(f.bytes) - 3);
	assert_int_equal(packet.len, sizeof(f.bytes) - 3 - 74);
}

/*
 * Fragments.
 */

/* @len bytes of the payload from @at on, all of the value of the unit they are in. True if it made
 * a whole one. */
static bool fragment(struct net_frame_filter *g, int64_t now, uint16_t id, unsigned at,
		     unsigned len, bool more, size_t *ret_len)
{
	static uint8_t bytes[65600];
	uint8_t *frame = bytes;
	struct frame head = ip((more ? MORE : 0) | at / 8, UDP);
	size_t total = 34 + len;

	memcpy(bytes, head.bytes, 34);
	bytes[16] = (uint8_t)((20 + len) >> 8);
	bytes[17] = (uint8_t)(20 + len);
	bytes[18] = (uint8_t)(id >> 8);
	bytes[19] = (uint8_t)id;
	for (unsigned i = 0; i < len; i++)
		bytes[34 + i] = (uint8_t)((at + i) / 8);
	if (!net_frame_filter_pass(g, now, &frame, &total, &packet))
		return false;
	assert_ptr_not_equal(frame, bytes);
	assert_false(packet.fragment);
	assert_int_equal(frame[20] | frame[21], 0);
	assert_int_equal(frame[16] << 8 | frame[17], total - 14);
	for (size_t i = 34; i < total; i++)
		assert_int_equal(frame[i], (uint8_t)((i - 34) / 8));
	*ret_len = total - 34;
	return true;
}

static void fragments_become_whole_in_any_order(void **state)
{
	static const unsigned order[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct net_frame_filter g = { 0 };
	size_t len = 0;

	(void)state;
	for (uint16_t i = 0; i < 6; i++)
		for (unsigned n = 0; n < 3; n++) {
			unsigned at = order[i][n] * 1480;

			assert_int_equal(
				fragment(&g, 1, i, at, at == 2960 ? 99 : 1480, at != 2960, &len),
				n == 2);
		}
	assert_int_equal(len, 2960 + 99);
	net_frame_filter_clear(&g);
}

static void fragments_that_overlap_are_dropped(void **state)
{
	struct net_frame_filter g = { 0 };
	size_t len;

	(void)state;
	assert_false(fragment(&g, 1, 7, 0, 80, true, &len));
	assert_false(fragment(&g, 1, 7, 0, 80, true, &len));
	assert_false(fragment(&g, 1, 7, 72, 80, true, &len));
	assert_false(fragment(&g, 1, 7, 8, 8, false, &len)); /* the end in the middle */
	assert_false(fragment(&g, 1, 7, 88, 9, false, &len));
	assert_false(fragment(&g, 1, 7, 96, 8, true, &len)); /* beyond the end */
	assert_false(fragment(&g, 1, 7, 80, 7, true, &len)); /* not a multiple of 8 */
	assert_true(fragment(&g, 1, 7, 80, 8, true, &len));
	assert_int_equal(len, 97);
	net_frame_filter_clear(&g);
}

static void the_largest_packet_has_65535_bytes(void **state)
{
	struct net_frame_filter g = { 0 };
	size_t len = 0;

	(void)state;
	assert_false(fragment(&g, 1, 1, 0, 65504, true, &len));
	assert_false(fragment(&g, 1, 1, 65504, 12, false, &len));
	assert_true(fragment(&g, 1, 1, 65504, 11, false, &len));
	assert_int_equal(len, 65515);
	assert_false(fragment(&g, 1, 1, 65528, 8, true, &len));
	net_frame_filter_clear(&g);
}

static void of_what_is_incomplete_the_oldest_goes(void **state)
{
	struct net_frame_filter g = { 0 };
	size_t len;

	(void)state;
	for (uint16_t id = 0; id <= NET_REASSEMBLY_PACKETS; id++)
		assert_false(fragment(&g, 1 + id, id, 0, 8, true, &len));
	for (uint16_t id = 1; id <= NET_REASSEMBLY_PACKETS; id++)
		assert_true(fragment(&g, 100, id, 8, 1, false, &len));
	assert_false(fragment(&g, 100, 0, 8, 1, false, &len));
	net_frame_filter_clear(&g);
}

static void what_stays_incomplete_is_forgotten(void **state)
{
	struct net_frame_filter g = { 0 };
	size_t len;

	(void)state;
	assert_false(fragment(&g, SECOND, 1, 0, 8, true, &len));
	assert_false(fragment(&g, SECOND, 2, 0, 8, true, &len));
	assert_true(fragment(&g, 31 * SECOND, 1, 8, 8, false, &len));
	assert_false(fragment(&g, 31 * SECOND + 1, 2, 8, 8, false, &len));
	net_frame_filter_clear(&g);
}

/* A header cut in two would hide its flags. */
static void tcp_in_fragments_does_not_pass(void **state)
{
	struct frame first = ip(0x2000, TCP), last = ip(0x0001, TCP);
	struct net_frame_filter g = { 0 };

	(void)state;
	assert_false(pass(&g, 1, first.bytes, sizeof(first.bytes)));
	assert_false(pass(&g, 1, last.bytes, sizeof(last.bytes)));
	assert_null(g.reassembly.partial[0]);
}

/*
 * Urgent data.
 */

/* Sum of the segment's words, its checksum among them: all ones if that is right. (The pseudo
 * header is left out: nothing in it changes.) */
static unsigned sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i < len; i += 2)
		s += (uint32_t)p[i] << 8 | (i + 1 < len ? p[i + 1] : 0);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void check_urgent(struct frame *f, size_t at)
{
	uint8_t *tcp = f->bytes + at;
	size_t len = sizeof(f->bytes) - at;
	struct net_frame_filter g = { 0 };
	struct frame before;
	unsigned s;

	for (size_t i = 0; i < len; i++)
		tcp[i] = (uint8_t)rand();
	tcp[12] = 0x50 | (tcp[12] & 0xf);
	tcp[16] = tcp[17] = 0;
	tcp[13] |= 0x20;
	s = ~sum(tcp, len) & 0xffff;
	tcp[16] = (uint8_t)(s >> 8);
	tcp[17] = (uint8_t)s;
	before = *f;
	assert_true(pass(&g, 1, f->bytes, sizeof(f->bytes)));
	assert_int_equal(packet.flags, before.bytes[at + 13] & ~0x20);
	assert_int_equal(tcp[13], before.bytes[at + 13] & ~0x20);
	assert_int_equal(tcp[18] | tcp[19], 0);
	assert_int_equal(sum(tcp, len), 0xffff);
	memcpy(before.bytes + at + 12, tcp + 12, 8); /* and nothing else has changed */
	assert_memory_equal(before.bytes, f->bytes, sizeof(before.bytes));
}

static void the_urgent_mark_is_taken_off(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < 10000; i++) {
		struct frame v4 = ip(0, TCP), options = ip(0, TCP), v6 = ip6(TCP);

		options.bytes[14] = 0x4a;
		check_urgent(&v4, 34);
		check_urgent(&options, 54);
		check_urgent(&v6, 54);
	}
}

static void all_else_stays_as_it_is(void **state)
{
	struct net_frame_filter g = { 0 };

	(void)state;
	srand(2);
	for (unsigned i = 0; i < 100000; i++) {
		struct frame f = ip(0, (uint8_t)(i % 2 ? UDP : TCP)), before;

		for (size_t k = 34; k < sizeof(f.bytes); k++)
			f.bytes[k] = (uint8_t)rand();
		f.bytes[14] = (uint8_t)rand();
		if (f.bytes[23] == TCP) /* wherever its header would be */
			for (size_t k = 34; k < sizeof(f.bytes); k++)
				f.bytes[k] &= (uint8_t)~0x20u;
		before = f;
		(void)pass(&g, 1, f.bytes, sizeof(f.bytes));
		assert_memory_equal(&before, &f, sizeof(f));
	}
}

static void short_frames_are_not_read_beyond(void **state)
{
	struct net_frame_filter g = { 0 };

	(void)state;
	for (size_t len = 0; len <= sizeof(struct frame); len++)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			uint8_t *exact = malloc(len ? len : 1); /* the address sanitizer looks on */
			struct frame f = v6 ? ip6(TCP) : ip(0, TCP);

			memset(f.bytes + (v6 ? 54 : 34), 0xff, sizeof(f.bytes) - (v6 ? 54 : 34));
			memcpy(exact, f.bytes, len);
			(void)pass(&g, 1, exact, len);
			free(exact);
		}
}

/*
 * DHCP.
 */
#define DHCP_LEN (42u + 240u)

static void dhcp(uint8_t *bytes, unsigned mac, bool reply, uint32_t address)
{
	struct frame head = ip(0, UDP);

	memset(bytes, 0, DHCP_LEN);
	memcpy(bytes, head.bytes, 34);
	bytes[16] = (DHCP_LEN - 14) >> 8;
	bytes[17] = (DHCP_LEN - 14) & 0xff;
	memset(bytes + 30, 0xff, 4);
	bytes[35] = reply ? 67 : 68;
	bytes[37] = reply ? 68 : 67;
	for (unsigned i = 0; i < 4; i++)
		bytes[42 + 16 + i] = (uint8_t)(address >> (24 - 8 * i));
	bytes[42 + 28 + 5] = (uint8_t)mac;
}

static void who_cannot_be_given_an_address_is_not_heard(void **state)
{
	struct net_frame_filter g = { .host.s_addr = htonl(0x0a000202),
				      .first.s_addr = htonl(0x0a00020f) };
	uint8_t bytes[DHCP_LEN];

	(void)state;
	for (unsigned i = 0; i < NET_FRAME_FILTER_LEASES; i++) {
		dhcp(bytes, 100, false, 0);
		assert_true(pass(&g, 1, bytes, DHCP_LEN));
		dhcp(bytes, i, true, 0xffffffff); /* a refusal */
		assert_true(net_packet_parse(bytes, DHCP_LEN, &packet));
		net_frame_filter_sent(&g, bytes, &packet);
		for (unsigned again = 0; again < 2; again++) {
			dhcp(bytes, i, true, 0x0a00020f + i);
			net_frame_filter_sent(&g, bytes, &packet);
		}
	}
	dhcp(bytes, 100, false, 0);
	assert_false(pass(&g, 1, bytes, DHCP_LEN));
	dhcp(bytes, 3, false, 0);
	assert_true(pass(&g, 1, bytes, DHCP_LEN));
	bytes[17] -= 5;
	assert_false(pass(&g, 1, bytes, DHCP_LEN)); /* too short to tell */
}

/*
 * Neighbors.
 */
static void libslirp_is_told_once_who_is_where(void **state)
{
	static const uint8_t a[16] = { 10, 0, 2, 15 }, b[16] = { 10, 0, 2, 16 }, mac[6] = { 2 };
	struct frame arp = ip(0, UDP), nd = ip6(58);
	uint8_t bytes[NET_FRAME_FILTER_NEIGHBOR];
	struct net_frame_filter g = { 0 };

	(void)state;
	arp.bytes[13] = 6;
	nd.bytes[54] = 135;
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 4, a, mac), 42);
	assert_memory_equal(bytes + 28, a, 4); /* of ARP: the sender, */
	assert_memory_equal(bytes + 38, a, 4); /* and the target */
	assert_memory_equal(bytes + 22, mac, 6);
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 4, a, mac), 0);
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 4, b, mac), 42);
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 4, a, mac), 42);
	assert_true(pass(&g, 1, arp.bytes, sizeof(arp.bytes))); /* it may have forgotten */
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 4, a, mac), 42);
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 6, a, mac), 78);
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 6, a, mac), 0);
	assert_true(pass(&g, 1, nd.bytes, sizeof(nd.bytes)));
	assert_int_equal(net_frame_filter_neighbor(&g, bytes, 6, a, mac), 78);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_packets_pass),
		cmocka_unit_test(lengths_that_contradict_each_other_do_not_pass),
		cmocka_unit_test(padding_is_cut_off),
		cmocka_unit_test(fragments_become_whole_in_any_order),
		cmocka_unit_test(fragments_that_overlap_are_dropped),
		cmocka_unit_test(the_largest_packet_has_65535_bytes),
		cmocka_unit_test(of_what_is_incomplete_the_oldest_goes),
		cmocka_unit_test(what_stays_incomplete_is_forgotten),
		cmocka_unit_test(tcp_in_fragments_does_not_pass),
		cmocka_unit_test(the_urgent_mark_is_taken_off),
		cmocka_unit_test(all_else_stays_as_it_is),
		cmocka_unit_test(short_frames_are_not_read_beyond),
		cmocka_unit_test(who_cannot_be_given_an_address_is_not_heard),
		cmocka_unit_test(libslirp_is_told_once_who_is_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
