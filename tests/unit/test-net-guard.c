/* Which frames libslirp gets to see, and how many of them; and that they stay right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/backend/net-guard.h"

#define SECOND INT64_C(1000000)
#define UDP    17u
#define TCP    6u

struct frame {
	uint8_t bytes[90];
};

static struct frame ip(unsigned fragment, uint8_t protocol)
{
	struct frame f = { { 0 } };

	f.bytes[12] = 8;
	f.bytes[14] = 0x45;
	f.bytes[20] = (uint8_t)(fragment >> 8);
	f.bytes[21] = (uint8_t)fragment;
	f.bytes[23] = protocol;
	return f;
}

static unsigned passed(struct net_guard *g, int64_t now, struct frame *frame, unsigned n)
{
	unsigned passed = 0;

	while (n--)
		passed += net_guard_pass(g, now, frame->bytes, sizeof(frame->bytes));
	return passed;
}

/*
 * Fragments.
 */
static void whole_packets_and_other_protocols_always_pass(void **state)
{
	struct frame whole = ip(0, UDP), dont = ip(0x4000, UDP), arp = ip(0x2000, UDP),
		     v6 = ip(0x2000, UDP);
	struct net_guard g = { 0 };

	(void)state;
	arp.bytes[13] = 6;
	v6.bytes[12] = 0x86;
	v6.bytes[13] = 0xdd;
	assert_int_equal(passed(&g, 1, &whole, 100000), 100000);
	assert_int_equal(passed(&g, 1, &dont, 100000), 100000);
	assert_int_equal(passed(&g, 1, &arp, 100000), 100000);
	assert_int_equal(passed(&g, 1, &v6, 100000), 100000);
	for (size_t len = 0; len < 34; len++) /* too short to be any */
		assert_true(net_guard_pass(&g, 1, ip(0x2000, TCP).bytes, len));
}

static void first_middle_and_last_fragments_count(void **state)
{
	struct frame first = ip(0x2000, UDP), middle = ip(0x2001, UDP), last = ip(0x0001, UDP);
	struct net_guard g = { 0 };

	(void)state;
	assert_int_equal(passed(&g, 1, &first, 1), 1);
	assert_int_equal(passed(&g, 1, &middle, 1), 1);
	assert_int_equal(passed(&g, 1, &last, 1), 1);
	assert_int_equal(g.left, NET_GUARD_BURST - 3);
}

static void a_flood_is_cut_to_so_many_a_second(void **state)
{
	struct frame first = ip(0x2000, UDP), whole = ip(0, UDP);
	struct net_guard g = { 0 };
	unsigned all = 0;

	(void)state;
	for (int64_t now = 1; now <= 30 * SECOND; now += SECOND / 100)
		all += passed(&g, now, &first, 1000);
	assert_in_range(all, NET_GUARD_BURST + 29 * NET_GUARD_SECOND,
			NET_GUARD_BURST + 30 * NET_GUARD_SECOND + 1);
	assert_int_equal(passed(&g, 30 * SECOND, &whole, 1), 1);
}

static void after_a_silence_a_burst_passes_again(void **state)
{
	struct frame first = ip(0x2000, UDP);
	struct net_guard g = { 0 };

	(void)state;
	assert_int_equal(passed(&g, 1, &first, 10000), NET_GUARD_BURST);
	assert_int_equal(passed(&g, 3600 * SECOND, &first, 10000), NET_GUARD_BURST);
}

/* A header cut in two would hide its flags. */
static void tcp_in_fragments_does_not_pass(void **state)
{
	struct frame first = ip(0x2000, TCP), last = ip(0x0001, TCP);
	struct net_guard g = { 0 };

	(void)state;
	assert_int_equal(passed(&g, 1, &first, 10), 0);
	assert_int_equal(passed(&g, 1, &last, 10), 0);
}

/*
 * Urgent data.
 */

/* Sum of the segment's words, its checksum among them: all ones if that is right. (The pseudo header is
 * left out: nothing in it changes.) */
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
	struct net_guard g = { 0 };
	struct frame before;
	unsigned s;

	for (size_t i = 0; i < len; i++)
		tcp[i] = (uint8_t)rand();
	tcp[16] = tcp[17] = 0;
	tcp[13] |= 0x20;
	s = ~sum(tcp, len) & 0xffff;
	tcp[16] = (uint8_t)(s >> 8);
	tcp[17] = (uint8_t)s;
	before = *f;
	assert_true(net_guard_pass(&g, 1, f->bytes, sizeof(f->bytes)));
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
		struct frame v4 = ip(0, TCP), options = ip(0, TCP), v6 = { { 0 } };

		options.bytes[14] = 0x4a;
		v6.bytes[12] = 0x86;
		v6.bytes[13] = 0xdd;
		v6.bytes[20] = TCP;
		check_urgent(&v4, 34);
		check_urgent(&options, 54);
		check_urgent(&v6, 54);
	}
}

static void all_else_stays_as_it_is(void **state)
{
	struct net_guard g = { 0 };

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
		assert_true(net_guard_pass(&g, 1, f.bytes, sizeof(f.bytes)));
		assert_memory_equal(&before, &f, sizeof(f));
	}
}

static void short_frames_are_not_read_beyond(void **state)
{
	struct net_guard g = { 0 };

	(void)state;
	for (size_t len = 0; len <= sizeof(struct frame); len++) {
		uint8_t *exact = malloc(len ? len : 1); /* the address sanitizer looks on */
		struct frame f = ip(0, TCP);

		memset(f.bytes + 34, 0xff, sizeof(f.bytes) - 34);
		memcpy(exact, f.bytes, len);
		assert_true(net_guard_pass(&g, 1, exact, len));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_packets_and_other_protocols_always_pass),
		cmocka_unit_test(first_middle_and_last_fragments_count),
		cmocka_unit_test(a_flood_is_cut_to_so_many_a_second),
		cmocka_unit_test(after_a_silence_a_burst_passes_again),
		cmocka_unit_test(tcp_in_fragments_does_not_pass),
		cmocka_unit_test(the_urgent_mark_is_taken_off),
		cmocka_unit_test(all_else_stays_as_it_is),
		cmocka_unit_test(short_frames_are_not_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
