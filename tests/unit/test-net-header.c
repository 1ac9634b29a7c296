/* The header before each frame: judged when it comes from a driver, made when it goes to one; and
 * the checksums that are completed in software. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "devices/net/header.h"
#include "tests/support/net-frames.h"

#define ALL_WORK                                                                           \
	(NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN | NET_DO_UFO | NET_DO_USO4 | \
	 NET_DO_USO6)
#define LEN 1000u

static struct net_header segment(uint8_t type)
{
	return (struct net_header){
		.flags = NET_HDR_F_NEEDS_CSUM,
		.gso_type = type,
		.hdr_len = cpu_le16(54),
		.gso_size = cpu_le16(500),
		.csum_start = cpu_le16(34),
		.csum_offset = cpu_le16(16),
	};
}

static void a_plain_header_means_nothing_to_do(void **state)
{
	/* All other fields are garbage that must not be looked at. */
	struct net_header h = { .hdr_len = 0xffff,
				.gso_size = 0xffff,
				.csum_start = 0xffff,
				.csum_offset = 0xffff,
				.num_buffers = 0xffff };
	struct net_offload off;

	(void)state;
	assert_null(net_header_parse(&h, LEN, 0, &off));
	assert_false(off.need_csum);
	assert_int_equal(off.segment, NET_SEG_NONE);
	assert_int_equal(off.csum_start, 0);
}

static void unknown_flags_are_ignored(void **state)
{
	struct net_header h = { .flags = 0xfe };
	struct net_offload off;

	(void)state;
	assert_null(net_header_parse(&h, LEN, 0, &off));
	assert_false(off.need_csum);
	assert_false(off.csum_valid);
}

static void checksum_offsets_must_lie_in_the_frame(void **state)
{
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM };
	struct net_offload off;

	(void)state;
	h.csum_start = cpu_le16(LEN - 18);
	h.csum_offset = cpu_le16(16);
	assert_null(net_header_parse(&h, LEN, ALL_WORK, &off));
	assert_int_equal(off.csum_start, LEN - 18);
	h.csum_offset = cpu_le16(17);
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off));
	h.csum_start = cpu_le16(0xffff);
	h.csum_offset = cpu_le16(0xffff);
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off));
}

static void work_that_was_not_negotiated_is_refused(void **state)
{
	static const struct {
		uint8_t type;
		unsigned needs;
	} rows[] = {
		{ NET_SEG_TCP4, NET_DO_TSO4 },
		{ NET_SEG_TCP6, NET_DO_TSO6 },
		{ NET_SEG_UDP, NET_DO_UFO },
		{ NET_SEG_UDP_L4, NET_DO_USO4 | NET_DO_USO6 },
		{ NET_SEG_TCP4 | NET_SEG_ECN, NET_DO_ECN },
	};
	struct net_offload off;
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM };

	(void)state;
	assert_non_null(net_header_parse(&h, LEN, 0, &off));
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		h = segment(rows[i].type);
		assert_null(net_header_parse(&h, LEN, ALL_WORK, &off));
		assert_int_equal(off.segment, rows[i].type);
		assert_int_equal(off.seg_size, 500);
		assert_non_null(net_header_parse(&h, LEN, ALL_WORK & ~rows[i].needs, &off));
	}
}

static void a_segment_must_make_sense(void **state)
{
	struct net_offload off;
	struct net_header h = segment(2);

	(void)state;
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off)); /* unknown type */
	h = segment(NET_SEG_ECN);
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off)); /* ECN of nothing */
	h = segment(NET_SEG_TCP4);
	h.gso_size = 0;
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off));
	h = segment(NET_SEG_TCP4);
	h.flags = 0;
	assert_non_null(net_header_parse(&h, LEN, ALL_WORK, &off));
}

static void a_wrong_hdr_len_is_tolerated(void **state)
{
	struct net_offload off;
	struct net_header h = segment(NET_SEG_TCP4);

	(void)state;
	h.hdr_len = 0xffff;
	assert_null(net_header_parse(&h, LEN, ALL_WORK, &off));
	assert_int_equal(off.hdr_len, LEN);
}

static void a_header_says_only_what_the_driver_agreed_to(void **state)
{
	struct net_offload off = { .need_csum = true,
				   .csum_start = 34,
				   .csum_offset = 16,
				   .segment = NET_SEG_TCP6,
				   .seg_size = 1440,
				   .hdr_len = 74 };
	struct net_offload valid = { .csum_valid = true };
	struct net_header h;

	(void)state;
	assert_true(net_header_make(&off, LEN, NET_DO_CSUM | NET_DO_TSO6, 3, &h));
	assert_int_equal(h.flags, NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h.gso_type, NET_SEG_TCP6);
	assert_int_equal(le16_cpu(h.gso_size), 1440);
	assert_int_equal(le16_cpu(h.num_buffers), 3);
	assert_false(net_header_make(&off, LEN, NET_DO_CSUM | NET_DO_TSO4, 1, &h));
	assert_false(net_header_make(&off, LEN, NET_DO_TSO6, 1, &h));
	assert_false(net_header_make(&off, 40, ALL_WORK, 1, &h)); /* offsets outside */

	assert_true(net_header_make(&valid, LEN, NET_DO_CSUM, 1, &h));
	assert_int_equal(h.flags, NET_HDR_F_DATA_VALID);
	assert_true(net_header_make(&valid, LEN, 0, 1, &h)); /* DEV-NET-RX-05 */
	assert_int_equal(h.flags, 0);
}

static void checksums_are_completed(void **state)
{
	static uint8_t frame[2000], payload[1400];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + (i >> 8));
	for (unsigned i = 0; i < 16; i++) {
		struct packet p = {
			.version = i & 1 ? 4 : 6,
			.protocol = i & 2 ? 6 : 17,
			.vlan = i & 4,
			.src = 0x0a00020f,
			.dst = 0x0a000202,
			.sport = 1234,
			.dport = 80,
			.payload = payload,
			.len = i & 8 ? 1399 : 1400,
		};
		struct net_offload off = { 0 };
		size_t len = frame_packet(frame, &p);

		assert_true(frame_is_right(frame, len));
		frame_leave_csum(frame, len, &off);
		assert_false(frame_is_right(frame, len));
		assert_true(net_complete(frame, len, &off));
		assert_true(frame_is_right(frame, len));
	}
}

static void a_udp_checksum_is_never_zero(void **state)
{
	uint8_t frame[64] = { 0 };
	struct net_offload off = { .need_csum = true, .csum_start = 14, .csum_offset = 6 };

	(void)state;
	memset(frame + 14, 0xff, 2); /* the sum is 0xffff, its complement 0 */
	assert_true(net_complete(frame, sizeof(frame), &off));
	assert_int_equal(frame[20], 0xff);
	assert_int_equal(frame[21], 0xff);
}

static void a_segment_becomes_one_right_packet(void **state)
{
	static uint8_t frame[NET_FRAME_MAX], payload[60000];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct packet p = {
			.version = i & 1 ? 4 : 6,
			.protocol = 6,
			.vlan = i & 2,
			.src = 1,
			.dst = 2,
			.payload = payload,
			.len = sizeof(payload),
		};
		struct net_offload off = { .segment = i & 1 ? NET_SEG_TCP4 : NET_SEG_TCP6,
					   .seg_size = 1400 };
		size_t len = frame_packet(frame, &p);

		frame_leave_csum(frame, len, &off);
		memset(frame + frame_ip(frame) + (i & 1 ? 2 : 4), 0, 2); /* and no length */
		assert_true(net_complete(frame, len, &off));
		assert_true(frame_is_right(frame, len));
	}
}

static void a_segment_that_is_none_is_refused(void **state)
{
	uint8_t frame[200];
	struct packet p = { .version = 4, .protocol = 6, .payload = frame, .len = 10 };
	struct net_offload off = { .segment = NET_SEG_TCP4, .seg_size = 1400, .need_csum = true };
	size_t len = frame_packet(frame, &p);
	uint8_t good[200];

	(void)state;
	memcpy(good, frame, len);
	off.segment = NET_SEG_TCP6; /* not IPv6 */
	assert_false(net_complete(frame, len, &off));
	off.segment = NET_SEG_UDP_L4; /* nothing we can do */
	assert_false(net_complete(frame, len, &off));
	off.segment = NET_SEG_TCP4;
	for (size_t n = 0; n < 54; n++) /* cut off within the headers */
		assert_false(net_complete(memcpy(frame, good, n), n, &off));
	memcpy(frame, good, len);
	frame[14] = 0x4f; /* an IP header that leaves no room for TCP's */
	assert_false(net_complete(frame, len, &off));
	memcpy(frame, good, len);
	frame[23] = 17;
	assert_false(net_complete(frame, len, &off));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_header_means_nothing_to_do),
		cmocka_unit_test(unknown_flags_are_ignored),
		cmocka_unit_test(checksum_offsets_must_lie_in_the_frame),
		cmocka_unit_test(work_that_was_not_negotiated_is_refused),
		cmocka_unit_test(a_segment_must_make_sense),
		cmocka_unit_test(a_wrong_hdr_len_is_tolerated),
		cmocka_unit_test(a_header_says_only_what_the_driver_agreed_to),
		cmocka_unit_test(checksums_are_completed),
		cmocka_unit_test(a_udp_checksum_is_never_zero),
		cmocka_unit_test(a_segment_becomes_one_right_packet),
		cmocka_unit_test(a_segment_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
