/* The block device and its disk, over every link: discard and zeroing, what is stable when, the
 * host's errors, and requests in flight. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "tests/support/blk-driver.h"
#include "tests/support/blk-spy.h"

/*
 * Discard, write zeroes.
 */

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

static void discard_gives_space_back(struct rig *r)
{
	blkcnt_t before = blocks_of(r);

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, BLK_F_DISCARD));
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, 256, 1024, 0), BLK_S_OK);
	assert_true(blocks_of(r) <= before - 1024 + 64);
	bd_expect_untouched(r, 255);
	bd_expect_untouched(r, 256 + 1024);
}

static void discard_refuses_what_the_specification_says(struct rig *r)
{
	blkcnt_t before = blocks_of(r);

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, 0, 8, 1), BLK_S_UNSUPP);
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, 0, 8, 2), BLK_S_UNSUPP);
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, BD_SECTORS - 1, 2, 0), BLK_S_IOERR);
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, UINT64_MAX, 2, 0), BLK_S_IOERR);
	assert_int_equal(bd_request(r, BLK_T_DISCARD, 0, rig_alloc(r, 15)), BLK_S_IOERR);
	assert_int_equal(bd_request(r, BLK_T_DISCARD, 0, bd_no_data), BLK_S_IOERR);
	assert_int_equal(bd_request(r, BLK_T_DISCARD, 0, rig_alloc(r, 16 * (BLK_RANGES_MAX + 1))),
			 BLK_S_IOERR);
	assert_int_equal(blocks_of(r), before);
	rig_start(r, rig_all_but(BLK_F_DISCARD));
	assert_int_equal(bd_range_request(r, BLK_T_DISCARD, 0, 8, 0), BLK_S_UNSUPP);
}

static void zeroed_sectors_read_as_zeroes(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 10 * BLK_SECTOR, 11);

	rig_start(r, RIG_ALL);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		uint32_t at = 100 + 100 * unmap;

		assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, at, 10, unmap), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_IN, at, data), BLK_S_OK);
		assert_true(bd_all_are(data.p, 0, data.len));
		bd_expect_untouched(r, at - 1);
		bd_expect_untouched(r, at + 10);
	}
	assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 0, 8, 4), BLK_S_UNSUPP);
	assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, BD_SECTORS, 1, 0), BLK_S_IOERR);
	bd_expect_untouched(r, 0);
}

static void several_ranges_are_zeroed_each(struct rig *r)
{
	struct blk_range wire[BLK_RANGES_MAX];
	uint8_t zero[BLK_SECTOR] = { 0 };

	rig_start(r, RIG_ALL);
	for (uint64_t i = 0; i < BLK_RANGES_MAX; i++)
		wire[i] = (struct blk_range){ cpu_le64(i * 20), cpu_le32(1),
					      cpu_le32((uint32_t)i % 2) };
	assert_int_equal(bd_request(r, BLK_T_WRITE_ZEROES, 0, bd_ranges(r, wire, BLK_RANGES_MAX)),
			 BLK_S_OK);
	for (uint64_t i = 0; i < BLK_RANGES_MAX; i++) {
		bd_expect_on_host(r, i * 20, zero, BLK_SECTOR);
		bd_expect_untouched(r, (uint32_t)(i * 20 + 1));
	}
	wire[1].flags = cpu_le32(8); /* one bad range and nothing is done */
	wire[0].sector = cpu_le64(700);
	assert_int_equal(bd_request(r, BLK_T_WRITE_ZEROES, 0, bd_ranges(r, wire, 2)), BLK_S_UNSUPP);
	bd_expect_untouched(r, 700);
}

/*
 * Cache.
 */

static unsigned write_flags(struct rig *r, const struct spy *spy)
{
	assert_int_equal(bd_request(r, BLK_T_OUT, 0, bd_filled(r, BLK_SECTOR, 12)), BLK_S_OK);
	return spy->flags;
}

static struct vfeatures all_but_two(unsigned a, unsigned b)
{
	struct vfeatures f = rig_all_but(a);

	vfeatures_set(&f, b, false);
	return f;
}

#define WRITEBACK offsetof(struct blk_config, writeback)

static void writes_are_stable_when_the_driver_cannot_flush(struct rig *r)
{
	struct spy *spy = spy_on(r);

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config8(r, WRITEBACK), 1);
	assert_int_equal(write_flags(r, spy), 0);
	rig_start(r, rig_all_but(BLK_F_CONFIG_WCE));
	assert_int_equal(write_flags(r, spy), 0);
	rig_start(r, all_but_two(BLK_F_CONFIG_WCE, BLK_F_FLUSH));
	assert_int_equal(write_flags(r, spy), BLK_IO_STABLE);
	rig_start(r, rig_all_but(BLK_F_FLUSH));
	/* DEV-BLK-INIT-03, DEV-BLK-LEGINIT-03 */
	assert_int_equal(rig_config8(r, WRITEBACK), rig_is_legacy(r));
	assert_int_equal(write_flags(r, spy), BLK_IO_STABLE);
	assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 0, 8, 0), BLK_S_OK);
	assert_int_equal(spy->flags, BLK_IO_STABLE);
}

static void the_driver_switches_the_cache(struct rig *r)
{
	struct spy *spy = spy_on(r);
	uint8_t mode = 0;

	rig_start(r, RIG_ALL);
	rig_config_write(r, WRITEBACK, &mode, 1);
	assert_int_equal(rig_config8(r, WRITEBACK), 0);
	assert_int_equal(write_flags(r, spy), BLK_IO_STABLE);
	mode = 1;
	rig_config_write(r, WRITEBACK, &mode, 1);
	assert_int_equal(write_flags(r, spy), 0);
	mode = 0;
	rig_config_write(r, WRITEBACK, &mode, 1);
	rig_start(r, RIG_ALL); /* a reset forgets it */
	assert_int_equal(rig_config8(r, WRITEBACK), 1);
	assert_int_equal(write_flags(r, spy), 0);
	rig_start(r, rig_all_but(BLK_F_CONFIG_WCE));
	rig_config_write(r, WRITEBACK, &mode, 1);
	assert_int_equal(write_flags(r, spy), 0);
}

static void writethrough_is_how_it_starts(struct rig *r)
{
	struct spy *spy = spy_on(r);
	uint8_t mode = 1;

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config8(r, WRITEBACK), 0);
	assert_int_equal(write_flags(r, spy), BLK_IO_STABLE);
	rig_config_write(r, WRITEBACK, &mode, 1);
	assert_int_equal(write_flags(r, spy), 0);
}

static void flush_reaches_the_backend(struct rig *r)
{
	struct spy *spy = spy_on(r);

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(spy->n[BLK_FLUSH], 1);
	rig_start(r, RIG_NONE);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(spy->n[BLK_FLUSH], 2);
}

/*
 * The host's errors.
 */

static void the_hosts_error_is_the_guests(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4 * BLK_SECTOR, 13);
	int fd = bd_open_disk(r);

	rig_start(r, RIG_ALL);
	assert_int_equal(ftruncate(fd, BD_BYTES / 2), 0);
	close(fd);
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS / 2 - 2, data), BLK_S_IOERR);
	assert_true(bd_all_are(data.p, 0, data.len));
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS - 4, data), BLK_S_IOERR);
	assert_true(rig_logged(r, "host: read at") > 0);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, data), BLK_S_OK);
	assert_int_equal(rig_status(r) & VIRTIO_S_NEEDS_RESET, 0);
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_loses_nothing_acknowledged(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14);
	struct rlimit old, limit;
	uint8_t first, second;

	rig_start(r, RIG_ALL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 8192;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	first = bd_request(r, BLK_T_OUT, 0, data);
	second = bd_request(r, BLK_T_OUT, 16, data);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(first, BLK_S_OK);
	assert_int_equal(second, BLK_S_IOERR);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	bd_expect_on_host(r, 0, data.p, data.len);
	bd_expect_untouched(r, 16);
}

/*
 * Requests in flight.
 */

#define FLIGHT 40u

static void submit_reads(struct rig *r, unsigned q, struct bd_request *rq, struct rig_buf *data)
{
	for (uint64_t i = 0; i < FLIGHT; i++) {
		data[i] = rig_alloc(r, 4096);
		rq[i] = bd_start(r, q, BLK_T_IN, i * 8, data[i]);
	}
}

static void expect_reads(struct rig *r, struct bd_request *rq, struct rig_buf *data)
{
	uint8_t want[BLK_SECTOR];

	for (unsigned i = 0; i < FLIGHT; i++) {
		assert_int_equal(rig_wait(r, rq[i].req), 4097);
		assert_int_equal(*rq[i].status, BLK_S_OK);
		bd_sector_pattern(i * 8, want);
		assert_memory_equal(data[i].p, want, BLK_SECTOR);
	}
}

static void expect_buffers_left_alone(struct rig *r, struct bd_request *rq, struct rig_buf *data)
{
	for (unsigned i = 0; i < FLIGHT; i++) {
		memset(data[i].p, 0x77, 4096);
		*rq[i].status = 0x77;
	}
	rig_wait_idle(r);
	for (unsigned i = 0; i < FLIGHT; i++) {
		assert_true(bd_all_are(data[i].p, 0x77, 4096));
		assert_int_equal(*rq[i].status, 0x77);
	}
}

static void several_queues_work_side_by_side(struct rig *r)
{
	struct bd_request rq[3][FLIGHT];
	struct rig_buf data[3][FLIGHT];

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, BLK_F_MQ));
	assert_int_equal(rig_n_queues(r), 3);
	assert_int_equal(rig_config16(r, offsetof(struct blk_config, num_queues)), 3);
	for (unsigned q = 0; q < 3; q++)
		submit_reads(r, q, rq[q], data[q]);
	for (unsigned q = 3; q-- > 0;)
		expect_reads(r, rq[q], data[q]);
}

static void after_a_reset_no_buffer_is_touched(struct rig *r)
{
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	for (unsigned pass = 0; pass < 5; pass++) {
		rig_start(r, RIG_ALL);
		submit_reads(r, 0, rq, data);
		rig_reset(r);
		expect_buffers_left_alone(r, rq, data);
	}
	rig_start(r, RIG_ALL);
	submit_reads(r, 0, rq, data);
	expect_reads(r, rq, data);
}

/* FLIGHT reads that the host has in hand until the queue is asked to stop. */
static void hold_in_hand(struct rig *r, struct spy *spy, struct bd_request *rq,
			 struct rig_buf *data)
{
	spy->hold = spy->in_hand = true;
	rig_start(r, RIG_ALL);
	submit_reads(r, 0, rq, data);
	rig_wait_idle(r);
	assert_int_equal(spy->held->len, FLIGHT);
	spy->stopped = 0;
	spy->loop = rig_dev(r)->loop;
	loop_post(spy->loop, spy_let_go_once_asked, spy);
}

static void a_reset_waits_for_the_host(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_in_hand(r, spy, rq, data);
	rig_reset(r);
	assert_int_equal(spy->held->len, 0);
	expect_buffers_left_alone(r, rq, data);
	spy->hold = false;
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static void a_queue_reset_waits_for_the_host(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_in_hand(r, spy, rq, data);
	rig_queue_reset(r, 0);
	assert_int_equal(spy->held->len, 0);
	expect_buffers_left_alone(r, rq, data);
	spy->hold = false;
	rig_queue_start(r, 0, 0);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static void a_pause_completes_what_is_in_hand(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT], late;
	struct rig_buf data[FLIGHT];

	hold_in_hand(r, spy, rq, data);
	vdev_pause(rig_dev(r));
	assert_int_equal(spy->held->len, 0);
	spy->hold = false;
	late = bd_start(r, 0, BLK_T_FLUSH, 0, bd_no_data);
	rig_wait_idle(r);
	assert_false(late.req->done);
	vdev_resume(rig_dev(r));
	expect_reads(r, rq, data);
	assert_int_equal(rig_wait(r, late.req), 1);
	assert_int_equal(*late.status, BLK_S_OK);
}

/* FLIGHT writes that the host has not begun. */
static void hold_writes(struct rig *r, struct spy *spy, struct bd_request *rq, struct rig_buf *data)
{
	spy->hold = true;
	rig_start(r, RIG_ALL);
	for (uint64_t i = 0; i < FLIGHT; i++) {
		data[i] = bd_filled(r, BLK_SECTOR, (unsigned)i);
		rq[i] = bd_start(r, 0, BLK_T_OUT, i, data[i]);
	}
	rig_wait_idle(r);
	assert_int_equal(spy->held->len, FLIGHT);
}

static void a_pause_keeps_what_was_not_begun(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_writes(r, spy, rq, data);
	for (unsigned pass = 1; pass < 4; pass++) {
		vdev_pause(rig_dev(r));
		rig_wait_idle(r);
		for (uint32_t i = 0; i < FLIGHT; i++) {
			assert_false(rq[i].req->done);
			bd_expect_untouched(r, i);
		}
		assert_int_equal(spy->n[BLK_WRITE], pass * FLIGHT);
		spy->hold = pass < 3;
		vdev_resume(rig_dev(r));
		rig_wait_idle(r);
	}
	assert_int_equal(spy->n[BLK_WRITE], 4 * FLIGHT);
	for (uint32_t i = 0; i < FLIGHT; i++) {
		assert_int_equal(rig_wait(r, rq[i].req), 1);
		assert_int_equal(*rq[i].status, BLK_S_OK);
		bd_expect_on_host(r, i, data[i].p, BLK_SECTOR);
	}
}

/* The ranges of one request are carried out one after the other: it goes on with the one it was
 * at. */
static void a_pause_falls_between_two_ranges(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct blk_range wire[2] = { { cpu_le64(8), cpu_le32(1), cpu_le32(0) },
				     { cpu_le64(16), cpu_le32(1), cpu_le32(0) } };
	uint8_t zero[BLK_SECTOR] = { 0 };
	struct bd_request rq;

	spy->hold = true;
	rig_start(r, RIG_ALL);
	rq = bd_start(r, 0, BLK_T_WRITE_ZEROES, 0, bd_ranges(r, wire, 2));
	rig_wait_idle(r);
	spy->in_hand = true; /* the first is, and its end submits the second */
	spy->stopped = 0;
	spy->loop = rig_dev(r)->loop;
	loop_post(spy->loop, spy_let_go_once_asked, spy);
	vdev_pause(rig_dev(r));
	rig_wait_idle(r);
	assert_false(rq.req->done);
	bd_expect_untouched(r, 16);
	spy->hold = false;
	vdev_resume(rig_dev(r));
	assert_int_equal(rig_wait(r, rq.req), 1);
	assert_int_equal(*rq.status, BLK_S_OK);
	bd_expect_on_host(r, 8, zero, BLK_SECTOR);
	bd_expect_on_host(r, 16, zero, BLK_SECTOR);
}

static void expect_dropped(struct rig *r, struct spy *spy, struct bd_request *rq)
{
	rig_wait_idle(r);
	assert_int_equal(spy->n[BLK_WRITE], FLIGHT);
	for (uint32_t i = 0; i < FLIGHT; i++) {
		assert_false(rq[i].req->done);
		bd_expect_untouched(r, i);
	}
	spy->hold = false;
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(spy->n[BLK_WRITE], FLIGHT);
}

static void a_reset_drops_what_was_not_begun(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_writes(r, spy, rq, data);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	expect_dropped(r, spy, rq);
}

static void a_queue_reset_drops_what_was_not_begun(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_writes(r, spy, rq, data);
	rig_queue_reset(r, 0);
	rig_queue_start(r, 0, 0);
	expect_dropped(r, spy, rq);
}

static void a_reset_while_paused_drops_what_was_kept(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];
	struct rig_buf data[FLIGHT];

	hold_writes(r, spy, rq, data);
	vdev_pause(rig_dev(r));
	vdev_set_status(rig_dev(r), 0);
	vdev_resume(rig_dev(r));
	rig_start(r, RIG_ALL);
	expect_dropped(r, spy, rq);
}

/* Not the spy's word for it: a write behind more reads than a few turns of the loop can hold is not
 * carried out. */
static void a_reset_carries_out_nothing_more(struct rig *r)
{
	struct rig_buf data = rig_alloc(r, BD_BYTES), small = bd_filled(r, BLK_SECTOR, 15);
	struct rig_buf read[] = { bd_header(r, BLK_T_IN, 0), data, rig_alloc(r, 1) };
	struct rig_buf write[] = { bd_header(r, BLK_T_OUT, 7), small, rig_alloc(r, 1) };
	struct rig_req *first = NULL, *last = NULL;
	int64_t deadline = rig_deadline();

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < FLIGHT; i++) {
		last = rig_add(r, 0, read, 1, 2);
		first = first ? first : last;
	}
	(void)rig_add(r, 0, write, 2, 1);
	rig_publish(r, 0);
	while (!first->done)
		rig_turn(r, deadline);
	assert_false(last->done);
	rig_reset(r);
	rig_wait_idle(r);
	bd_expect_untouched(r, 7);
}

static void let_go(void *arg)
{
	spy_let_go(arg);
}

/* One sector of each block that the host takes at a time, from both queues in turn. */
#define PARTS 32u

static void submit_parts(struct rig *r, struct bd_request *rq, struct rig_buf *data, unsigned seed)
{
	for (unsigned i = 0; i < PARTS; i++) {
		data[i] = bd_filled(r, BLK_SECTOR, seed + i);
		rq[i] = bd_start(r, i % 2, BLK_T_OUT, 16 + i % 16, data[i]);
	}
}

/* Those of the same sector were submitted to the same queue, and either may have come last. */
static void expect_parts(struct rig *r, struct bd_request *rq, struct rig_buf *data)
{
	struct rig_buf back = rig_alloc(r, 16 * BLK_SECTOR);

	for (unsigned i = 0; i < PARTS; i++) {
		assert_int_equal(rig_wait(r, rq[i].req), 1);
		assert_int_equal(*rq[i].status, BLK_S_OK);
	}
	assert_int_equal(bd_request(r, BLK_T_IN, 16, back), BLK_S_OK);
	for (size_t i = 0; i < 16; i++) {
		const uint8_t *got = (uint8_t *)back.p + i * BLK_SECTOR;

		assert_true(memcmp(got, data[i].p, BLK_SECTOR) == 0 ||
			    memcmp(got, data[i + 16].p, BLK_SECTOR) == 0);
	}
	bd_expect_untouched(r, 15);
	bd_expect_untouched(r, 32);
}

/* On a host that takes blocks of 4096 bytes: those that wait for a block that another request
 * changes are kept on a pause like all others, and dropped on a reset. */
static void parts_of_blocks_go_on_after_a_stop(struct rig *r)
{
	struct blk_file *f = (struct blk_file *)((struct blk *)rig_dev(r))->backend;
	struct rig_buf data[PARTS];
	struct bd_request rq[PARTS];

	f->dio_align = 4096;
	for (unsigned pass = 0; pass < 10; pass++) {
		rig_start(r, RIG_ALL);
		submit_parts(r, rq, data, 100 * pass);
		vdev_pause(rig_dev(r));
		vdev_resume(rig_dev(r));
		expect_parts(r, rq, data);
		submit_parts(r, rq, data, 100 * pass + 50);
		rig_reset(r);
	}
	rig_start(r, RIG_ALL);
	submit_parts(r, rq, data, 7);
	expect_parts(r, rq, data);
}

/* A request that needs no disk overtakes those that wait for it; its driver may not see that if it
 * was promised order. And the disk's last answer may come first (spy_let_go() does so). */
static void in_order_nothing_is_seen_to_overtake(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct rig_buf id = rig_alloc(r, BLK_ID_BYTES);

	for (unsigned ordered = 0; ordered < 2; ordered++) {
		struct bd_request rq[FLIGHT], quick;
		struct rig_buf data[FLIGHT];
		unsigned before;

		spy->hold = true;
		rig_start(r, ordered ? RIG_ALL : rig_all_but(VIRTIO_F_IN_ORDER));
		before = rig_interrupts(r, 0);
		submit_reads(r, 0, rq, data);
		quick = bd_start(r, 0, BLK_T_GET_ID, 0, id);
		rig_wait_idle(r);
		assert_int_equal(spy->held->len, FLIGHT);
		assert_int_equal(quick.req->done, !ordered);
		assert_int_equal(rig_interrupts(r, 0) - before, !ordered);
		spy->hold = false;
		rig_on_owner(r, let_go, spy);
		expect_reads(r, rq, data);
		assert_int_equal(rig_wait(r, quick.req), BLK_ID_BYTES + 1);
		assert_int_equal(*quick.status, BLK_S_OK);
	}
}

/* The loop is the test's own: it turns when the test says so. */
/* A front-end of vhost-user stops its rings before it resets, and nothing is left to be dropped. */
#define BD_RESET(fn)                                                                        \
	{                                                                                   \
#fn " (aio=uring)", "blk,path=@/disk,aio=uring", fn, .setup = bd_make_disk, \
								     .links = RIG_STAYS     \
	}
#define ONE_LOOP "direct mmio mmio-cached pci pci-intx"

static const struct rig_case cases[] = {
	BD_BOTH(discard_gives_space_back),
	BD_CASE(discard_refuses_what_the_specification_says),
	BD_BOTH(zeroed_sectors_read_as_zeroes),
	BD_BOTH(several_ranges_are_zeroed_each),
	BD_CASE(writes_are_stable_when_the_driver_cannot_flush),
	BD_CASE(the_driver_switches_the_cache),
	BD_WITH(writethrough_is_how_it_starts, "cache=writethrough"),
	BD_BOTH(flush_reaches_the_backend),
	BD_BOTH(the_hosts_error_is_the_guests),
	BD_BOTH(a_full_disk_loses_nothing_acknowledged),
	BD_ON("uring", several_queues_work_side_by_side, "aio=uring,queues=3"),
	BD_ON("sync", several_queues_work_side_by_side, "aio=sync,queues=3"),
	BD_BOTH(after_a_reset_no_buffer_is_touched),
	BD_WITH(after_a_reset_no_buffer_is_touched, "direct=on"),
	BD_WITH(a_reset_waits_for_the_host, "aio=uring"),
	BD_WITH(a_queue_reset_waits_for_the_host, "aio=uring"),
	BD_WITH(a_pause_completes_what_is_in_hand, "aio=uring"),
	BD_BOTH(a_pause_keeps_what_was_not_begun),
	BD_WITH(a_pause_falls_between_two_ranges, "aio=uring"),
	BD_RESET(a_reset_drops_what_was_not_begun),
	BD_RESET(a_queue_reset_drops_what_was_not_begun),
	BD_RESET(a_reset_while_paused_drops_what_was_kept),
	{ "a_reset_carries_out_nothing_more (uring)", "blk,path=@/disk,aio=uring",
	  a_reset_carries_out_nothing_more, bd_make_disk, .links = ONE_LOOP },
	{ "a_reset_carries_out_nothing_more (sync)", "blk,path=@/disk,aio=sync",
	  a_reset_carries_out_nothing_more, bd_make_disk, .links = ONE_LOOP },
	BD_WITH(parts_of_blocks_go_on_after_a_stop, "direct=on,queues=2,aio=uring"),
	BD_WITH(parts_of_blocks_go_on_after_a_stop, "direct=on,queues=2,aio=sync"),
	BD_WITH(in_order_nothing_is_seen_to_overtake, "ring=split,features=+in_order"),
	BD_WITH(in_order_nothing_is_seen_to_overtake, "ring=packed,features=+in_order"),
};

int main(void)
{
	return rig_run("blk-host", cases, G_N_ELEMENTS(cases));
}
