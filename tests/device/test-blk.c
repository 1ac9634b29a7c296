/* The block device over every link (VIRTIO 1.4, 5.2): requests however they are framed, what it
 * refuses, and its configuration space. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/blk/command.h"
#include "tests/support/blk-driver.h"

/*
 * Reading and writing.
 */

static void reads_what_the_file_holds(struct rig *r)
{
	struct rig_buf data = rig_alloc(r, 8 * BLK_SECTOR);
	uint8_t want[BLK_SECTOR];

	rig_start(r, RIG_ALL);
	for (uint32_t at = 0; at < BD_SECTORS; at += 233) {
		uint32_t n = MIN(8, BD_SECTORS - at);
		struct rig_buf part = rig_part(data, 0, n * BLK_SECTOR);

		assert_int_equal(bd_request(r, BLK_T_IN, at, part), BLK_S_OK);
		for (size_t i = 0; i < n; i++) {
			bd_sector_pattern((uint32_t)(at + i), want);
			assert_memory_equal((uint8_t *)data.p + i * BLK_SECTOR, want, BLK_SECTOR);
		}
	}
}

static void writes_reach_the_file(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 8 * 4096, 1), back = rig_alloc(r, 8 * 4096);

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_OUT, 64, data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	bd_expect_on_host(r, 64, data.p, data.len);
	bd_expect_untouched(r, 63);
	bd_expect_untouched(r, 64 + 64);
	assert_int_equal(bd_request(r, BLK_T_IN, 64, back), BLK_S_OK);
	assert_memory_equal(back.p, data.p, data.len);
}

/* A disk that keeps nothing safe has no flush (DEV-BLK-OP-13). */
static void writes_reach_the_file_unsafe(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 1);

	rig_start(r, RIG_ALL);
	assert_false(rig_has(r, BLK_F_FLUSH));
	assert_int_equal(bd_request(r, BLK_T_OUT, 64, data), BLK_S_OK);
	bd_expect_on_host(r, 64, data.p, data.len);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_UNSUPP);
}

static void works_with_no_feature_accepted(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 2), back = rig_alloc(r, 4096);

	rig_start(r, RIG_NONE);
	assert_int_equal(bd_request(r, BLK_T_OUT, 8, data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_IN, 8, back), BLK_S_OK);
	assert_memory_equal(back.p, data.p, data.len);
}

/* More than one system call takes, in buffers of several sizes. */
static void large_requests_are_whole(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 900 * 1024, 3), back = rig_alloc(r, 900 * 1024);
	struct rig_buf bufs[40] = { bd_header(r, BLK_T_IN, 16) };
	unsigned n = 1;

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_OUT, 16, data), BLK_S_OK);
	for (uint32_t at = 0, len = 4096; at < back.len; at += len, len += 4096) {
		len = MIN(len, back.len - at);
		bufs[n++] = rig_part(back, at, len);
	}
	bufs[n++] = rig_alloc(r, 1);
	assert_int_equal(rig_do(r, 0, bufs, 1, n - 1), back.len + 1);
	assert_int_equal(*(uint8_t *)bufs[n - 1].p, BLK_S_OK);
	assert_memory_equal(back.p, data.p, data.len);
}

/* Header and data in one buffer cut in two, anywhere: framing means nothing (2.7.4.1). */
static void a_write_may_be_cut_anywhere(struct rig *r)
{
	enum { LEN = sizeof(struct blk_header) + BLK_SECTOR };
	struct rig_buf flat = bd_filled(r, LEN, 4), status = rig_alloc(r, 1);
	struct blk_header h = { .type = cpu_le32(BLK_T_OUT) };

	rig_start(r, RIG_ALL);
	for (uint32_t at = 0; at <= LEN; at++) {
		struct rig_buf bufs[3];
		unsigned n = bd_cut(flat, at, bufs);

		h.sector = cpu_le64(at);
		memcpy(flat.p, &h, sizeof(h));
		((uint8_t *)flat.p)[sizeof(h)] = (uint8_t)at;
		bufs[n] = status;
		*(uint8_t *)status.p = 0xee;
		assert_int_equal(rig_do(r, 0, bufs, n, 1), 1);
		assert_int_equal(*(uint8_t *)status.p, BLK_S_OK);
		bd_expect_on_host(r, at, (uint8_t *)flat.p + sizeof(h), BLK_SECTOR);
	}
}

/* Data and status in one buffer cut in two, anywhere. */
static void a_read_may_be_cut_anywhere(struct rig *r)
{
	struct rig_buf hdr = bd_header(r, BLK_T_IN, 5), flat = rig_alloc(r, BLK_SECTOR + 1);
	uint8_t want[BLK_SECTOR];

	rig_start(r, RIG_ALL);
	bd_sector_pattern(5, want);
	for (uint32_t at = 0; at <= flat.len; at++) {
		struct rig_buf bufs[3] = { hdr };
		unsigned n = bd_cut(flat, at, bufs + 1);

		memset(flat.p, 0xee, flat.len);
		assert_int_equal(rig_do(r, 0, bufs, 1, n), flat.len);
		assert_memory_equal(flat.p, want, BLK_SECTOR);
		assert_int_equal(((uint8_t *)flat.p)[BLK_SECTOR], BLK_S_OK);
	}
}

static void a_request_may_be_in_crumbs(struct rig *r)
{
	struct rig_buf hdr = bd_header(r, BLK_T_IN, 6), flat = rig_alloc(r, BLK_SECTOR + 1);
	struct rig_buf bufs[16 + 60];
	uint8_t want[BLK_SECTOR];
	unsigned n = 0;

	rig_start(r, RIG_ALL);
	for (uint32_t i = 0; i < hdr.len; i++)
		bufs[n++] = rig_part(hdr, i, 1);
	for (uint32_t at = 0; at < flat.len; at += 9)
		bufs[n++] = rig_part(flat, at, MIN(9, flat.len - at));
	assert_int_equal(rig_do(r, 0, bufs, 16, n - 16), flat.len);
	bd_sector_pattern(6, want);
	assert_memory_equal(flat.p, want, BLK_SECTOR);
	assert_int_equal(((uint8_t *)flat.p)[BLK_SECTOR], BLK_S_OK);
}

/*
 * Refusals.
 */

static void expect_refused(struct rig *r, uint32_t type, uint64_t sector, uint32_t len)
{
	struct rig_buf data = bd_filled(r, len, 5);

	assert_int_equal(bd_request(r, type, sector, data), BLK_S_IOERR);
	if (type == BLK_T_IN) /* the used length covers it, so it was written */
		assert_true(bd_all_are(data.p, 0, len));
}

static void requests_past_the_end_are_errors(struct rig *r)
{
	static const uint64_t sectors[] = { BD_SECTORS, BD_SECTORS - 1,   BD_SECTORS + 1,
					    UINT64_MAX, UINT64_MAX / 512, UINT64_MAX / 512 + 1,
					    1ull << 55 /* times 512 is 2^64 */ };

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(sectors); i++) {
		expect_refused(r, BLK_T_IN, sectors[i], 2 * BLK_SECTOR);
		expect_refused(r, BLK_T_OUT, sectors[i], 2 * BLK_SECTOR);
	}
	bd_expect_untouched(r, 0);
	bd_expect_untouched(r, BD_SECTORS - 1);
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS - 1, rig_alloc(r, BLK_SECTOR)),
			 BLK_S_OK);
}

static void data_must_be_whole_sectors(struct rig *r)
{
	rig_start(r, RIG_ALL);
	expect_refused(r, BLK_T_IN, 0, BLK_SECTOR - 1);
	expect_refused(r, BLK_T_IN, 0, BLK_SECTOR + 1);
	expect_refused(r, BLK_T_OUT, 0, BLK_SECTOR + 1);
	expect_refused(r, BLK_T_OUT, 0, 1);
	bd_expect_untouched(r, 0);
}

static void unknown_types_are_unsupported(struct rig *r)
{
	static const uint32_t types[] = { 2,  3,  5,  7,  9,  10,   12,
					  14, 15, 16, 18, 26, 1000, UINT32_MAX };

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		assert_int_equal(bd_request(r, types[i], 0, rig_alloc(r, 64)),
				 types[i] == BLK_T_FLUSH_OUT && rig_is_legacy(r) ? BLK_S_OK
										 : BLK_S_UNSUPP);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static void a_short_header_is_an_error(struct rig *r)
{
	struct rig_buf hdr = bd_header(r, BLK_T_FLUSH, 0), status = rig_alloc(r, 1);

	rig_start(r, RIG_ALL);
	for (uint32_t n = 1; n < hdr.len; n++) {
		*(uint8_t *)status.p = 0xee;
		assert_int_equal(
			rig_do(r, 0, (struct rig_buf[]){ rig_part(hdr, 0, n), status }, 1, 1), 1);
		assert_int_equal(*(uint8_t *)status.p, BLK_S_IOERR);
	}
	*(uint8_t *)status.p = 0xee; /* none at all */
	assert_int_equal(rig_do(r, 0, &status, 0, 1), 1);
	assert_int_equal(*(uint8_t *)status.p, BLK_S_IOERR);
}

static void without_room_for_a_status_the_device_needs_a_reset(struct rig *r)
{
	struct rig_buf hdr = bd_header(r, BLK_T_FLUSH, 0);

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, &hdr, 1, 0);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "no room for its status"), 1);
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static void a_write_with_more_room_than_a_status_gets_it_zeroed(struct rig *r)
{
	struct rig_buf bufs[] = { bd_header(r, BLK_T_OUT, 9), bd_filled(r, BLK_SECTOR, 6),
				  bd_filled(r, 100, 7) };

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, 0, bufs, 2, 1), 100);
	assert_true(bd_all_are(bufs[2].p, 0, 99));
	assert_int_equal(((uint8_t *)bufs[2].p)[99], BLK_S_OK);
	bd_expect_on_host(r, 9, bufs[1].p, BLK_SECTOR);
}

/* The same megabyte named many times over: clearing all that would hold up the loop. */
static void a_huge_refused_read_is_not_cleared_at_length(struct rig *r)
{
	struct rig_buf hdr = bd_header(r, BLK_T_IN, UINT64_MAX), page = bd_filled(r, 1 << 20, 8);
	struct rig_buf bufs[64] = { hdr };

	rig_start(r, RIG_ALL);
	for (unsigned i = 1; i < 63; i++)
		bufs[i] = page;
	bufs[63] = rig_alloc(r, 1);
	*(uint8_t *)bufs[63].p = 0xee;
	assert_int_equal(rig_do(r, 0, bufs, 1, 63), 0);
	assert_int_equal(*(uint8_t *)bufs[63].p, BLK_S_IOERR);
	assert_true(((uint8_t *)page.p)[0] != 0);
}

static void a_read_only_disk_stays_as_it_is(struct rig *r)
{
	struct rig_buf data = bd_filled(r, BLK_SECTOR, 9);

	assert_true(vfeatures_has(rig_offered(r), BLK_F_RO));
	assert_false(vfeatures_has(rig_offered(r), BLK_F_DISCARD));
	assert_false(vfeatures_has(rig_offered(r), BLK_F_WRITE_ZEROES));
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_OUT, 0, data), BLK_S_IOERR);
	bd_expect_untouched(r, 0);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	rig_start(r, rig_all_but(BLK_F_RO)); /* not to know is no excuse */
	assert_int_equal(bd_request(r, BLK_T_OUT, 0, data), BLK_S_IOERR);
}

/*
 * Serial.
 */

static void expect_id(struct rig *r, uint32_t room, const char *want)
{
	struct rig_buf data = bd_filled(r, room, 10);
	char id[64] = { 0 };

	assert_true(room <= sizeof(id));
	strncpy(id, want, sizeof(id) - 1);
	assert_int_equal(bd_request(r, BLK_T_GET_ID, 0, data), BLK_S_OK);
	assert_memory_equal(data.p, id, room);
}

static void the_serial_is_20_bytes_without_a_terminator(struct rig *r)
{
	rig_start(r, RIG_ALL);
	expect_id(r, BLK_ID_BYTES, "ABCDEFGHIJKLMNOPQRST");
	expect_id(r, 10, "ABCDEFGHIJ");
	expect_id(r, 33, "ABCDEFGHIJKLMNOPQRST");
}

static void the_id_is_the_serial_when_there_is_none(struct rig *r)
{
	rig_start(r, RIG_ALL);
	expect_id(r, BLK_ID_BYTES, vdev_name(rig_dev(r)));
}

/*
 * Configuration space.
 */

#define FIELD(bits, field) rig_config##bits(r, offsetof(struct blk_config, field))

static void the_configuration_tells_the_truth(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(FIELD(64, capacity), BD_SECTORS);
	assert_int_equal(FIELD(32, seg_max), 62);
	assert_int_equal(FIELD(32, blk_size), 1024);
	assert_int_equal(FIELD(8, physical_block_exp), 3);
	assert_int_equal(FIELD(8, alignment_offset), 0);
	assert_int_equal(FIELD(16, min_io_size), 16);
	assert_int_equal(FIELD(32, opt_io_size), 64);
	assert_true(FIELD(32, max_discard_sectors) > 0);
	assert_int_equal(FIELD(32, max_discard_seg), BLK_RANGES_MAX);
	assert_true(FIELD(32, discard_sector_alignment) >= 2);
	assert_true(FIELD(32, max_write_zeroes_sectors) > 0);
	assert_int_equal(FIELD(32, max_write_zeroes_seg), BLK_RANGES_MAX);
	assert_int_equal(FIELD(8, write_zeroes_may_unmap), 1);
	assert_int_equal(FIELD(8, unused0), 0); /* DEV-BLK-INIT-04 */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(FIELD(8, unused1[i]), 0);
	assert_int_equal(bd_request(r, BLK_T_IN, 1, rig_alloc(r, BLK_SECTOR)), BLK_S_OK); /* half */
	assert_int_equal(bd_request(r, BLK_T_IN, 2, rig_alloc(r, 1024)), BLK_S_OK);
}

static void only_writeback_can_be_written(struct rig *r)
{
	uint8_t before[sizeof(struct blk_config)], after[sizeof(struct blk_config)];
	const uint32_t scribble = 0xa5a5a5a5;

	rig_start(r, RIG_ALL);
	rig_config(r, 0, before, sizeof(before));
	for (size_t off = 0; off < sizeof(before); off += 4)
		rig_config_write(r, off, &scribble, 4);
	rig_config(r, 0, after, sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
}

static void features_switched_off_are_not_offered(struct rig *r)
{
	struct vfeatures f = rig_offered(r);

	assert_false(vfeatures_has(f, BLK_F_DISCARD));
	assert_false(vfeatures_has(f, BLK_F_WRITE_ZEROES));
	assert_false(vfeatures_has(f, BLK_F_MQ));
	assert_false(vfeatures_has(f, BLK_F_RO));
	assert_true(vfeatures_has(f, BLK_F_FLUSH));
	for (unsigned bit = 15; bit <= 17; bit++) /* LIFETIME, SECURE_ERASE, ZONED */
		assert_false(vfeatures_has(f, bit));
}

/* Buffers as no driver aligns them, past the page cache. */
static void direct_io_takes_any_buffer(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 3 * 4096 + 5, 15), back = rig_alloc(r, 3 * 4096 + 7);
	struct rig_buf odd = rig_part(data, 5, 3 * 4096);
	struct rig_buf bufs[4] = { bd_header(r, BLK_T_IN, 64) };
	unsigned n = 1 + bd_cut(rig_part(back, 7, 3 * 4096), 1001, bufs + 1);

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_OUT, 64, odd), BLK_S_OK);
	bd_expect_on_host(r, 64, odd.p, odd.len);
	bufs[n++] = rig_alloc(r, 1);
	assert_int_equal(rig_do(r, 0, bufs, 1, n - 1), odd.len + 1);
	assert_memory_equal((uint8_t *)back.p + 7, odd.p, odd.len);
}

static const struct rig_case cases[] = {
	BD_BOTH(reads_what_the_file_holds),
	BD_BOTH(writes_reach_the_file),
	BD_WITH(writes_reach_the_file, "direct=on"),
	BD_WITH(writes_reach_the_file, "direct=on,aio=sync"),
	BD_WITH(writes_reach_the_file_unsafe, "cache=unsafe"),
	BD_WITH(writes_reach_the_file, "cache=writethrough"),
	BD_BOTH(works_with_no_feature_accepted),
	BD_BOTH(large_requests_are_whole),
	BD_WITH(a_write_may_be_cut_anywhere, "aio=uring"),
	BD_BOTH(a_read_may_be_cut_anywhere),
	BD_BOTH(a_request_may_be_in_crumbs),
	BD_CASE(requests_past_the_end_are_errors),
	BD_CASE(data_must_be_whole_sectors),
	BD_CASE(unknown_types_are_unsupported),
	BD_CASE(a_short_header_is_an_error),
	BD_CASE(without_room_for_a_status_the_device_needs_a_reset),
	BD_CASE(a_write_with_more_room_than_a_status_gets_it_zeroed),
	{ .name = "a_huge_refused_read_is_not_cleared_at_length (any)",
	  .spec = "blk,path=@/disk",
	  .run = a_huge_refused_read_is_not_cleared_at_length,
	  .setup = bd_make_disk,
	  .links = RIG_NOT_COPIED }, /* it is larger than what there is to copy to */
	BD_WITH(a_read_only_disk_stays_as_it_is, "ro=on"),
	BD_WITH(the_serial_is_20_bytes_without_a_terminator, "serial=ABCDEFGHIJKLMNOPQRST"),
	BD_CASE(the_id_is_the_serial_when_there_is_none),
	BD_WITH(the_configuration_tells_the_truth,
		"queue-size=64,block-size=1K,physical-block-size=8K,min-io=16K,opt-io=64K"),
	BD_CASE(only_writeback_can_be_written),
	BD_WITH(features_switched_off_are_not_offered, "discard=off,write-zeroes=off,queues=1"),
	BD_WITH(direct_io_takes_any_buffer, "direct=on"),
	BD_WITH(direct_io_takes_any_buffer, "direct=on,aio=sync"),
};

int main(void)
{
	return rig_run_copied("blk", cases, G_N_ELEMENTS(cases));
}
