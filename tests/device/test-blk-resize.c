/* A disk that becomes larger or smaller under its driver, over every link. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/disk.h"
#include "tests/support/blk-driver.h"
#include "tests/support/blk-spy.h"

static uint64_t capacity(struct rig *r)
{
	return rig_config64(r, offsetof(struct blk_config, capacity));
}

static off_t file_size(struct rig *r)
{
	int fd = bd_open_disk(r);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_size;
}

static void resize(struct rig *r, uint64_t sectors)
{
	g_autoptr(GError) err = NULL;

	if (!blk_resize(rig_dev(r), sectors * BLK_SECTOR, &err))
		fail_msg("%s", err->message);
}

/* The driver learns of it by an interrupt, and by a generation that has moved on. */
static void resize_is_told(struct rig *r, uint64_t sectors)
{
	unsigned interrupts = rig_config_interrupts(r);
	uint32_t generation = rig_config_generation(r);

	resize(r, sectors);
	RIG_UNTIL(r, rig_config_interrupts(r) > interrupts);
	assert_int_equal(capacity(r), sectors);
	if (rig_has_generation(r))
		assert_int_not_equal(rig_config_generation(r), generation);
	assert_int_equal(file_size(r), sectors * BLK_SECTOR);
}

static void a_larger_disk_is_seen_and_used(struct rig *r)
{
	struct rig_buf data = bd_filled(r, BLK_SECTOR, 3), back = rig_alloc(r, BLK_SECTOR);

	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS, back), BLK_S_IOERR);
	resize_is_told(r, 2 * BD_SECTORS);
	assert_int_equal(bd_request(r, BLK_T_OUT, 2 * BD_SECTORS - 1, data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_IN, 2 * BD_SECTORS - 1, back), BLK_S_OK);
	assert_memory_equal(back.p, data.p, BLK_SECTOR);
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS, back), BLK_S_OK);
	assert_true(bd_all_are(back.p, 0, BLK_SECTOR));
	bd_expect_untouched(r, BD_SECTORS - 1);
}

static void a_smaller_disk_ends_earlier(struct rig *r)
{
	struct rig_buf data = bd_filled(r, BLK_SECTOR, 3);

	rig_start(r, RIG_ALL);
	resize_is_told(r, BD_SECTORS / 2);
	assert_int_equal(bd_request(r, BLK_T_OUT, BD_SECTORS / 2, data), BLK_S_IOERR);
	assert_int_equal(bd_request(r, BLK_T_OUT, BD_SECTORS / 2 - 1, data), BLK_S_OK);
	assert_int_equal(file_size(r), BD_BYTES / 2);
	resize_is_told(r, BD_SECTORS);
	assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS - 1, data), BLK_S_OK);
	assert_true(bd_all_are(data.p, 0, BLK_SECTOR));
}

static void the_next_driver_sees_it_too(struct rig *r)
{
	resize(r, 3 * BD_SECTORS);
	rig_start(r, RIG_ALL);
	assert_int_equal(capacity(r), 3 * BD_SECTORS);
	resize(r, 4 * BD_SECTORS);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	assert_int_equal(capacity(r), 4 * BD_SECTORS);
}

static void of_one_size_nothing_is_told(struct rig *r)
{
	unsigned interrupts;

	rig_start(r, RIG_ALL);
	interrupts = rig_config_interrupts(r);
	resize(r, BD_SECTORS);
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), interrupts);
}

/*
 * What is under way.
 */
#define FLIGHT 8u

static void start_writes(struct rig *r, struct bd_request *rq)
{
	for (uint64_t i = 0; i < FLIGHT; i++)
		rq[i] = bd_start(r, 0, BLK_T_OUT, BD_SECTORS - FLIGHT + i,
				 bd_filled(r, BLK_SECTOR, (unsigned)i));
	rig_wait_idle(r);
}

/* Half of them end behind the new end, which the file keeps. */
static void what_was_not_begun_is_judged_again(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];

	spy->hold = true;
	rig_start(r, RIG_ALL);
	start_writes(r, rq);
	assert_int_equal(spy->held->len, FLIGHT);
	vdev_pause(rig_dev(r));
	spy->hold = false;
	resize(r, BD_SECTORS - FLIGHT / 2);
	vdev_resume(rig_dev(r));
	for (unsigned i = 0; i < FLIGHT; i++) {
		rig_wait(r, rq[i].req);
		assert_int_equal(*rq[i].status, i < FLIGHT / 2 ? BLK_S_OK : BLK_S_IOERR);
	}
	assert_int_equal(file_size(r), (BD_SECTORS - FLIGHT / 2) * BLK_SECTOR);
}

/* A write that the host makes late, behind the new end, would make the file longer again. What it
 * had done before is done; what it gives back is judged again. */
static void what_is_in_hand_comes_to_its_end_before(struct rig *r)
{
	struct spy *spy = spy_on(r);
	struct bd_request rq[FLIGHT];

	spy->hold = spy->in_hand = true;
	rig_start(r, RIG_ALL);
	start_writes(r, rq);
	assert_int_equal(spy->held->len, FLIGHT);
	spy->stopped = 0;
	spy->loop = rig_dev(r)->loop;
	loop_post(spy->loop, spy_let_go_once_asked, spy);
	resize(r, BD_SECTORS / 2);
	assert_int_equal(file_size(r), BD_BYTES / 2);
	for (unsigned i = 0; i < FLIGHT; i++) {
		rig_wait(r, rq[i].req);
		assert_true(*rq[i].status == BLK_S_OK || *rq[i].status == BLK_S_IOERR);
	}
	assert_int_equal(spy->held->len, 0);
	assert_int_equal(file_size(r), BD_BYTES / 2);
}

static void a_range_behind_the_new_end_fails(struct rig *r)
{
	struct spy *spy = spy_on(r);
	const struct blk_range wire[] = {
		{ cpu_le64(8), cpu_le32(1), 0 },
		{ cpu_le64(BD_SECTORS - 1), cpu_le32(1), 0 },
	};
	struct bd_request rq;

	spy->hold = true;
	rig_start(r, RIG_ALL);
	rq = bd_start(r, 0, BLK_T_WRITE_ZEROES, 0, bd_ranges(r, wire, 2));
	rig_wait_idle(r);
	vdev_pause(rig_dev(r));
	spy->hold = false;
	resize(r, BD_SECTORS - 1);
	vdev_resume(rig_dev(r));
	rig_wait(r, rq.req);
	assert_int_equal(*rq.status, BLK_S_IOERR);
	assert_int_equal(file_size(r), (BD_SECTORS - 1) * BLK_SECTOR);
}

static void a_paused_device_stays_paused(struct rig *r)
{
	struct rig_buf data = rig_alloc(r, BLK_SECTOR);
	struct bd_request rq;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	resize(r, 2 * BD_SECTORS);
	rq = bd_start(r, 0, BLK_T_IN, 2 * BD_SECTORS - 1, data);
	rig_wait_idle(r);
	assert_false(rq.req->done);
	vdev_resume(rig_dev(r));
	rig_wait(r, rq.req);
	assert_int_equal(*rq.status, BLK_S_OK);
}

/*
 * What cannot be.
 */
static void refused(struct rig *r, uint64_t bytes, const char *why)
{
	g_autoptr(GError) err = NULL;

	assert_false(blk_resize(rig_dev(r), bytes, &err));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
	assert_int_equal(capacity(r), BD_SECTORS);
	assert_int_equal(file_size(r), BD_BYTES);
}

static void a_size_of_no_whole_blocks_is_refused(struct rig *r)
{
	rig_start(r, RIG_ALL);
	refused(r, BD_BYTES + 512, "multiple of its block size, 4096 bytes");
	refused(r, 0, "multiple of");
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static void a_read_only_disk_stays_as_it_is(struct rig *r)
{
	rig_start(r, RIG_ALL);
	refused(r, 2 * BD_BYTES, "read-only");
}

/* More than a file may have: the host's refusal is told, and nothing has changed. */
static void the_hosts_refusal_is_told(struct rig *r)
{
	rig_start(r, RIG_ALL);
	refused(r, INT64_MAX - 511, g_strerror(EFBIG));
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

static const struct rig_case cases[] = {
	BD_BOTH(a_larger_disk_is_seen_and_used),
	BD_WITH(a_larger_disk_is_seen_and_used, "direct=on"),
	BD_BOTH(a_smaller_disk_ends_earlier),
	{ .name = "a_larger_disk_is_seen_and_used (behind a wrapper)",
	  .spec = "blk,backend=fault:every=100000,file:@/disk",
	  .run = a_larger_disk_is_seen_and_used,
	  .setup = bd_make_disk },
	BD_CASE(the_next_driver_sees_it_too),
	BD_CASE(of_one_size_nothing_is_told),
	BD_CASE(what_was_not_begun_is_judged_again),
	BD_BOTH(what_is_in_hand_comes_to_its_end_before),
	BD_CASE(a_range_behind_the_new_end_fails),
	BD_CASE(a_paused_device_stays_paused),
	BD_WITH(a_size_of_no_whole_blocks_is_refused, "block-size=4096"),
	BD_WITH(a_read_only_disk_stays_as_it_is, "ro=on"),
	BD_CASE(the_hosts_refusal_is_told),
};

int main(void)
{
	return rig_run("blk-resize", cases, G_N_ELEMENTS(cases));
}
