/* The block device (5.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "tests/conformance/conform.h"
#include "tests/support/blk-driver.h"
#include "tests/support/blk-spy.h"

#define BLK_F_LIFETIME     15
#define BLK_F_SECURE_ERASE 16
#define BLK_F_ZONED        17

#define FIELD(bits, field) rig_config##bits(r, offsetof(struct blk_config, field))
#define WRITEBACK          offsetof(struct blk_config, writeback)

/*
 * Features and configuration space.
 */

static void flush_is_offered(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), BLK_F_FLUSH));
}

static void config_wce_is_offered_with_flush(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), BLK_F_FLUSH));
	assert_true(vfeatures_has(rig_offered(r), BLK_F_CONFIG_WCE));
}

static void config_wce_is_not_offered_without_flush(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), BLK_F_FLUSH));
	assert_false(vfeatures_has(rig_offered(r), BLK_F_CONFIG_WCE));
}

static void writeback_starts_as_0_without_flush(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(FIELD(8, writeback), 1);
	rig_start(r, rig_all_but(BLK_F_FLUSH));
	assert_true(rig_has(r, BLK_F_CONFIG_WCE));
	assert_int_equal(FIELD(8, writeback), 0);
}

static void padding_reads_0(struct rig *r)
{
	const uint32_t scribble = UINT32_MAX;

	for (unsigned pass = 0; pass < 2; pass++) {
		rig_start(r, RIG_ALL);
		assert_int_equal(FIELD(8, unused0), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(FIELD(8, unused1[i]), 0);
		rig_config_write(r, WRITEBACK & ~3u, &scribble, 4); /* and once more */
		rig_config_write(r, offsetof(struct blk_config, write_zeroes_may_unmap), &scribble,
				 4);
	}
}

static void zoned_is_not_offered(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), BLK_F_ZONED));
}

/* The structure's 24 bytes begin where ours ends. */
static void zoned_fields_read_0(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (size_t at = 0; at < 24; at++)
		assert_int_equal(rig_config8(r, sizeof(struct blk_config) + at), 0);
}

static void lifetime_is_not_offered(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), BLK_F_LIFETIME));
}

/* So that uncovered.tsv tells the truth. */
static void nothing_is_offered_whose_clauses_have_no_test(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), BLK_F_SECURE_ERASE));
	assert_false(vfeatures_has(rig_offered(r), BLK_F_ZONED));
}

static void zone_requests_are_unsupported(struct rig *r)
{
	static const uint32_t types[] = { 15, 16, 18, 20, 22, 24, 26 };

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		assert_int_equal(bd_request(r, types[i], 0, rig_alloc(r, BLK_SECTOR)),
				 BLK_S_UNSUPP);
}

/*
 * Read-only disks.
 */

static void a_read_only_disk_stays_as_it_is(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 2 * BLK_SECTOR, 1);

	assert_true(vfeatures_has(rig_offered(r), BLK_F_RO));
	for (unsigned pass = 0; pass < 2; pass++) {
		rig_start(r, pass ? RIG_ALL : rig_all_but(BLK_F_RO));
		assert_int_equal(bd_request(r, BLK_T_OUT, 8, data), BLK_S_IOERR);
		assert_int_equal(bd_request(r, BLK_T_OUT, UINT64_MAX, data), BLK_S_IOERR);
		assert_int_equal(bd_request(r, BLK_T_OUT, 8, rig_part(data, 0, 100)), BLK_S_IOERR);
		assert_int_not_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 8, 2, 0), BLK_S_OK);
		assert_int_not_equal(bd_range_request(r, BLK_T_DISCARD, 8, 2, 0), BLK_S_OK);
	}
	for (uint32_t sector = 7; sector < 11; sector++)
		bd_expect_untouched(r, sector);
}

/*
 * Discard, write zeroes.
 */

/* A range that is right but for its flags, among others that are right or wrong in another way. */
static void flags_are_unsupported(struct rig *r, uint32_t type, uint32_t flags)
{
	const struct blk_range good = { cpu_le64(0), cpu_le32(8), cpu_le32(0) };
	const struct blk_range outside = { cpu_le64(BD_SECTORS), cpu_le32(8), cpu_le32(0) };
	const struct blk_range flagged = { cpu_le64(0), cpu_le32(8), cpu_le32(flags) };
	struct blk_range wire[BLK_RANGES_MAX + 1];
	struct rig_buf all;

	assert_int_equal(bd_range_request(r, type, 0, 8, flags), BLK_S_UNSUPP);
	assert_int_equal(bd_range_request(r, type, UINT64_MAX, 8, flags), BLK_S_UNSUPP);
	assert_int_equal(bd_range_request(r, type, 0, UINT32_MAX, flags), BLK_S_UNSUPP);
	assert_int_equal(
		bd_request(r, type, 0, bd_ranges(r, (struct blk_range[]){ good, flagged }, 2)),
		BLK_S_UNSUPP);
	assert_int_equal(
		bd_request(r, type, 0, bd_ranges(r, (struct blk_range[]){ flagged, outside }, 2)),
		BLK_S_UNSUPP);
	for (unsigned i = 0; i <= BLK_RANGES_MAX; i++)
		wire[i] = i ? good : flagged;
	all = bd_ranges(r, wire, BLK_RANGES_MAX + 1); /* one too many */
	assert_int_equal(bd_request(r, type, 0, all), BLK_S_UNSUPP);
	assert_int_equal(bd_request(r, type, 0, rig_part(all, 0, 17)), BLK_S_UNSUPP);
	assert_int_equal(bd_request(r, type, 0, rig_part(all, 0, 31)), BLK_S_UNSUPP);
}

static void unknown_flags_are_unsupported(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (unsigned bit = 1; bit < 32; bit += 6) {
		flags_are_unsupported(r, BLK_T_DISCARD, 1u << bit);
		flags_are_unsupported(r, BLK_T_WRITE_ZEROES, 1u << bit);
		flags_are_unsupported(r, BLK_T_WRITE_ZEROES, 1u << bit | BLK_RANGE_UNMAP);
	}
	for (unsigned bit = 1; bit < 32; bit++)
		assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 0, 8, 1u << bit),
				 BLK_S_UNSUPP);
	for (uint32_t sector = 0; sector < 8; sector++)
		bd_expect_untouched(r, sector);
}

static void discard_with_unmap_is_unsupported(struct rig *r)
{
	rig_start(r, RIG_ALL);
	flags_are_unsupported(r, BLK_T_DISCARD, BLK_RANGE_UNMAP);
	for (uint32_t sector = 0; sector < 8; sector++)
		bd_expect_untouched(r, sector);
}

static blkcnt_t blocks_of(struct rig *r)
{
	struct stat st;
	int fd = bd_open_disk(r);

	assert_int_equal(fdatasync(fd), 0); /* or space may not be accounted for yet */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, BD_BYTES);
	close(fd);
	return st.st_blocks;
}

static bool deallocates(struct rig *r, uint32_t type, uint64_t sector, uint32_t flags)
{
	blkcnt_t before = blocks_of(r);

	assert_int_equal(bd_range_request(r, type, sector, 512, flags), BLK_S_OK);
	bd_expect_untouched(r, (uint32_t)sector - 1);
	bd_expect_untouched(r, (uint32_t)sector + 512);
	return blocks_of(r) <= before - 512 + 64;
}

static void discarded_space_is_given_back(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_true(deallocates(r, BLK_T_DISCARD, 256, 0));
}

static void zeroes_read_back(struct rig *r, uint64_t sector, uint32_t n)
{
	struct rig_buf data = bd_filled(r, n * BLK_SECTOR, 2);

	assert_int_equal(bd_request(r, BLK_T_IN, sector, data), BLK_S_OK);
	assert_true(bd_all_are(data.p, 0, data.len));
}

static void may_unmap_tells_the_truth(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(FIELD(8, write_zeroes_may_unmap), 1);
	assert_true(deallocates(r, BLK_T_WRITE_ZEROES, 256, BLK_RANGE_UNMAP));
	zeroes_read_back(r, 256, 512);
}

static void without_discard_nothing_is_deallocated(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(FIELD(8, write_zeroes_may_unmap), 0);
	for (unsigned flags = 0; flags < 2; flags++) {
		blkcnt_t before = blocks_of(r);

		assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 256, 512, flags),
				 BLK_S_OK);
		assert_true(blocks_of(r) >= before);
		zeroes_read_back(r, 256, 512);
	}
}

static void zeroed_ranges_read_as_zeroes(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (uint32_t unmap = 0; unmap < 2; unmap++)
		for (uint32_t n = 1; n < 40; n += 13) {
			uint32_t at = 101 + 200 * unmap + 50 * (n / 13);

			assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, at, n, unmap),
					 BLK_S_OK);
			zeroes_read_back(r, at, n);
			bd_expect_untouched(r, at - 1);
			bd_expect_untouched(r, at + n);
		}
}

/*
 * Cache.
 */

/* Are a write and a zeroing stable when they are complete? They must be alike. */
static bool stable_when_complete(struct rig *r, const struct spy *spy)
{
	bool stable;

	assert_int_equal(bd_request(r, BLK_T_OUT, 0, bd_filled(r, BLK_SECTOR, 3)), BLK_S_OK);
	stable = spy->flags & BLK_IO_STABLE;
	assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 0, 8, 0), BLK_S_OK);
	assert_int_equal(!!(spy->flags & BLK_IO_STABLE), stable);
	return stable;
}

static void set_writeback(struct rig *r, uint8_t mode)
{
	rig_config_write(r, WRITEBACK, &mode, 1);
	assert_int_equal(FIELD(8, writeback), mode);
}

static void expect_flush_reaches_the_disk(struct rig *r, const struct spy *spy)
{
	unsigned before = spy->n[BLK_FLUSH];

	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(spy->n[BLK_FLUSH], before + 1);
}

/* Cases 1, 2 and 3 of "a write becomes stable". */
static void stable_writes_are_on_the_disk(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct vfeatures neither = rig_all_but(BLK_F_FLUSH);

	vfeatures_set(&neither, BLK_F_CONFIG_WCE, false);
	rig_start(r, neither);
	assert_true(stable_when_complete(r, spy));
	rig_start(r, RIG_ALL);
	set_writeback(r, 0);
	assert_true(stable_when_complete(r, spy));
	set_writeback(r, 1);
	assert_false(stable_when_complete(r, spy));
	expect_flush_reaches_the_disk(r, spy);
	rig_start(r, rig_all_but(BLK_F_FLUSH)); /* writeback starts as 0 */
	assert_true(stable_when_complete(r, spy));
	rig_start(r, rig_all_but(BLK_F_CONFIG_WCE));
	expect_flush_reaches_the_disk(r, spy);
}

/* The last system call that the backend makes for a request. */
static struct blk_step last_step(struct rig *r, struct blk_io io)
{
	struct blk_file *f = (struct blk_file *)((struct blk *)rig_dev(r))->backend;
	struct iovec v = { rig_alloc(r, BLK_SECTOR).p, BLK_SECTOR };
	struct blk_step s;
	int result;

	io.iov = &v;
	io.n_iov = io.op == BLK_WRITE;
	io.len = io.op == BLK_FLUSH ? 0 : BLK_SECTOR;
	assert_false(blk_step_begin(f, &io, &result));
	do
		blk_step_next(f, &io, &s);
	while (!blk_step_done(f, &io, &s, (int64_t)s.len, &result));
	assert_int_equal(result, 0);
	return s;
}

/* And what the backend makes of that. */
static void the_host_is_asked_for_stable_writes(struct rig *r)
{
	struct blk_step write = last_step(r, (struct blk_io){ .op = BLK_WRITE }),
			stable = last_step(
				r, (struct blk_io){ .op = BLK_WRITE, .flags = BLK_IO_STABLE }),
			zero = last_step(r,
					 (struct blk_io){ .op = BLK_ZERO, .flags = BLK_IO_STABLE }),
			flush = last_step(r, (struct blk_io){ .op = BLK_FLUSH });

	assert_int_equal(write.flags, 0);
	assert_int_equal(stable.kind, STEP_WRITE);
	assert_int_equal(stable.flags, RWF_DSYNC);
	assert_int_equal(zero.kind, STEP_SYNC);
	assert_int_equal(flush.kind, STEP_SYNC);
}

static void without_flush_writes_are_committed_early(struct rig *r)
{
	struct spy *spy = spy_on(r);

	rig_start(r, RIG_ALL);
	assert_true(stable_when_complete(r, spy));
}

/* A disk that keeps nothing safe does not say that it has a cache to be flushed; and the flush of a
 * driver that sends one all the same is no success. */
static void an_unsafe_disk_promises_nothing(struct rig *r)
{
	struct spy *spy = spy_on(r);

	assert_false(vfeatures_has(rig_offered(r), BLK_F_FLUSH));
	assert_false(vfeatures_has(rig_offered(r), BLK_F_CONFIG_WCE));
	rig_start(r, RIG_ALL);
	assert_false(stable_when_complete(r, spy));
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_UNSUPP);
}

/*
 * Where the text leaves a choice.
 */

/* 5.2.5: the block size does not affect the units of the protocol. */
static void the_unit_is_the_sector(struct rig *r)
{
	struct rig_buf one = bd_filled(r, BLK_SECTOR, 4), back = rig_alloc(r, BLK_SECTOR);

	for (unsigned pass = 0; pass < 2; pass++) {
		uint32_t at = 17 + 100 * pass;

		rig_start(r, pass ? RIG_ALL : rig_all_but(BLK_F_BLK_SIZE));
		assert_int_equal(bd_request(r, BLK_T_OUT, at, one), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_IN, at, back), BLK_S_OK);
		assert_memory_equal(back.p, one.p, BLK_SECTOR);
		assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, at + 2, 3, 0), BLK_S_OK);
		zeroes_read_back(r, at + 2, 3);
		assert_int_equal(bd_range_request(r, BLK_T_DISCARD, at + 7, 1, 0), BLK_S_OK);
		bd_expect_untouched(r, at - 1);
		bd_expect_untouched(r, at + 1);
		bd_expect_untouched(r, at + 5);
		bd_expect_untouched(r, at + 6);
		bd_expect_untouched(r, at + 8);
	}
}

/* A topology is in blocks, and a driver that is told of no block size takes a sector for one. */
static void topology_is_in_blocks_that_are_told(struct rig *r)
{
	bool told = vfeatures_has(rig_offered(r), BLK_F_BLK_SIZE);

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, BLK_F_TOPOLOGY));
	assert_int_equal(FIELD(8, physical_block_exp), told ? 2 : 5);
	assert_int_equal(FIELD(16, min_io_size), told ? 4 : 32);
	assert_int_equal(FIELD(32, opt_io_size), told ? 8 : 64);
}

#define DISK(ids, promise, fn, options)                                                        \
	{                                                                                      \
		.clauses = ids, .says = promise, .run = fn, .spec = "blk,path=@/disk" options, \
		.setup = bd_make_disk,                                                         \
	}
#define BLOCKS ",block-size=4K,physical-block-size=16K,min-io=16K,opt-io=32K"

static const struct conform_case cases[] = {
	DISK("DEV-BLK-INIT-01", "FLUSH is offered", flush_is_offered, ""),
	DISK("DEV-BLK-INIT-01", "FLUSH is offered", flush_is_offered, ",cache=writethrough"),
	DISK("DEV-BLK-INIT-01", "FLUSH is offered", flush_is_offered, ",ro=on"),
	DISK("DEV-BLK-INIT-02", "CONFIG_WCE comes with FLUSH", config_wce_is_offered_with_flush,
	     ""),
	DISK("DEV-BLK-INIT-02", "CONFIG_WCE goes with FLUSH",
	     config_wce_is_not_offered_without_flush, ",features=-flush"),
	DISK("DEV-BLK-INIT-02", "CONFIG_WCE goes with FLUSH",
	     config_wce_is_not_offered_without_flush, ",cache=unsafe"),
	DISK("DEV-BLK-INIT-03", "writeback starts as 0 without FLUSH",
	     writeback_starts_as_0_without_flush, ""),
	DISK("DEV-BLK-INIT-04", "padding reads 0", padding_reads_0, ""),
	DISK("DEV-BLK-INIT-04", "padding reads 0", padding_reads_0, ",discard=off,features=-flush"),
	DISK("DEV-BLK-INIT-05", "ZONED is not offered", zoned_is_not_offered, ""),
	DISK("DEV-BLK-INIT-07", "zoned fields read 0", zoned_fields_read_0, ""),
	DISK("uncovered.tsv", "nothing is offered whose clauses have no test",
	     nothing_is_offered_whose_clauses_have_no_test, ""),
	DISK("DEV-BLK-OP-03 DEV-BLK-OP-04", "a read-only disk stays as it is",
	     a_read_only_disk_stays_as_it_is, ",ro=on"),
	DISK("DEV-BLK-OP-05", "unknown flags are unsupported", unknown_flags_are_unsupported, ""),
	DISK("DEV-BLK-OP-06", "discard with unmap is unsupported",
	     discard_with_unmap_is_unsupported, ""),
	DISK("DEV-BLK-OP-07", "discarded space is given back", discarded_space_is_given_back, ""),
	DISK("DEV-BLK-OP-08 DEV-BLK-OP-10", "write_zeroes_may_unmap tells the truth",
	     may_unmap_tells_the_truth, ""),
	DISK("DEV-BLK-OP-10", "without discard nothing is deallocated",
	     without_discard_nothing_is_deallocated, ",discard=off"),
	DISK("DEV-BLK-OP-09", "zeroed ranges read as zeroes", zeroed_ranges_read_as_zeroes, ""),
	DISK("DEV-BLK-OP-09", "zeroed ranges read as zeroes", zeroed_ranges_read_as_zeroes,
	     ",direct=on"),
	DISK("DEV-BLK-OP-13", "stable writes are on the disk", stable_writes_are_on_the_disk, ""),
	{ "DEV-BLK-OP-13", "the host is asked for stable writes",
	  the_host_is_asked_for_stable_writes, .spec = "blk,path=@/disk", .setup = bd_make_disk,
	  .links = "direct" },
	DISK("DEV-BLK-OP-13", "an unsafe disk promises nothing", an_unsafe_disk_promises_nothing,
	     ",cache=unsafe"),
	DISK("DEV-BLK-OP-14", "without FLUSH writes are committed early",
	     without_flush_writes_are_committed_early, ",features=-flush"),
	DISK("DEV-BLK-OP-16", "LIFETIME is not offered", lifetime_is_not_offered, ""),
	DISK("DEV-BLK-OP-18", "zone requests are unsupported", zone_requests_are_unsupported, ""),
	DISK("CHOICE-BLK-UNITS", "the unit is the sector", the_unit_is_the_sector,
	     ",block-size=4K"),
	DISK("CHOICE-BLK-UNITS", "the unit is the sector", the_unit_is_the_sector,
	     ",block-size=4K,direct=on"),
	DISK("CHOICE-BLK-TOPOLOGY", "a topology is in blocks that are told",
	     topology_is_in_blocks_that_are_told, BLOCKS),
	DISK("CHOICE-BLK-TOPOLOGY", "a topology is in blocks that are told",
	     topology_is_in_blocks_that_are_told, BLOCKS ",features=-blk_size"),
};

int main(void)
{
	return conform_run("blk", cases, G_N_ELEMENTS(cases));
}
