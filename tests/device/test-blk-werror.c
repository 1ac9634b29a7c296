/* Writes that the host cannot carry out, and werror=, over every link. A limit on the size of files
 * stands for a full disk. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/disk.h"
#include "devices/core/state.h"
#include "tests/support/blk-driver.h"

/* What was told, on the queues' owner. */
static struct told {
	unsigned n;
	struct vdev_io_error last;
} told;

static void on_io_error(void *opaque, const struct vdev *dev, const struct vdev_io_error *error)
{
	(void)opaque;
	(void)dev;
	told.last = *error;
	told.n++;
}

static void copy_told(void *arg)
{
	*(struct told *)arg = told;
}

static struct told what_was_told(struct rig *r)
{
	struct told t;

	rig_on_owner(r, copy_told, &t);
	return t;
}

static void listen_to(struct rig *r)
{
	told = (struct told){ 0 };
	rig_dev(r)->io_error = on_io_error;
}

/* Nothing can be written from byte @limit on, or anywhere again. */
static void disk_is_full_at(rlim_t limit)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = limit ? limit : l.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void expect_held(struct rig *r, const struct bd_request *rq, int errnum)
{
	struct blk_disk disk;

	RIG_UNTIL(r, what_was_told(r).n);
	rig_wait_idle(r);
	assert_false(rq->req->done);
	assert_int_equal(what_was_told(r).n, 1);
	assert_true(told.last.write);
	assert_int_equal(told.last.action, VDEV_ERROR_STOP);
	assert_int_equal(told.last.errnum, errnum);
	blk_disk(rig_dev(r), &disk);
	assert_int_equal(disk.held_for, errnum);
}

static void expect_done(struct rig *r, const struct bd_request *rq, uint8_t status)
{
	assert_int_equal(rig_wait(r, rq->req), 1);
	assert_int_equal(*rq->status, status);
}

static void go_on(struct rig *r)
{
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
}

/* The driver starts, and a write of it is kept, for the disk is full there. */
static struct bd_request start_and_fail(struct rig *r, struct rig_buf data)
{
	struct bd_request rq;

	listen_to(r);
	rig_start(r, RIG_ALL);
	disk_is_full_at(8192);
	rq = bd_start(r, 0, BLK_T_OUT, 16, data);
	expect_held(r, &rq, EFBIG);
	return rq;
}

/* As the machine does: it pauses the device, and when there is room again it lets it go on. */
static void what_failed_is_tried_again(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14);
	struct blk_disk disk;
	struct bd_request rq;

	rq = start_and_fail(r, data);
	go_on(r); /* too early */
	RIG_UNTIL(r, what_was_told(r).n == 2);
	rig_wait_idle(r);
	assert_false(rq.req->done);
	vdev_pause(rig_dev(r));
	disk_is_full_at(0);
	vdev_resume(rig_dev(r));
	expect_done(r, &rq, BLK_S_OK);
	bd_expect_on_host(r, 16, data.p, data.len);
	assert_int_equal(what_was_told(r).n, 2);
	blk_disk(rig_dev(r), &disk);
	assert_true(disk.stops);
	assert_int_equal(disk.held_for, 0);
}

/* Many fail, one is told of; reads go on, and so does what the host can write. */
static void many_failures_are_one_stop(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 1), back = rig_alloc(r, BLK_SECTOR);
	struct bd_request rq[8];

	listen_to(r);
	rig_start(r, RIG_ALL);
	disk_is_full_at(8192);
	for (uint64_t i = 0; i < 8; i++)
		rq[i] = bd_start(r, 0, BLK_T_OUT, 16 + 8 * i, data);
	expect_held(r, &rq[0], EFBIG);
	if (!rig_has(r, VIRTIO_F_IN_ORDER)) { /* or they are used after what is kept */
		assert_int_equal(bd_request(r, BLK_T_IN, 0, back), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_OUT, 0, data), BLK_S_OK);
	}
	vdev_pause(rig_dev(r));
	disk_is_full_at(0);
	vdev_resume(rig_dev(r));
	for (unsigned i = 0; i < 8; i++)
		expect_done(r, &rq[i], BLK_S_OK);
	assert_int_equal(what_was_told(r).n, 1);
}

static void a_reset_forgets_what_failed(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14);

	for (unsigned pass = 0; pass < 2; pass++) { /* running, and paused */
		(void)start_and_fail(r, data);
		if (pass)
			vdev_pause(rig_dev(r));
		rig_reset(r);
		disk_is_full_at(0);
		rig_start(r, RIG_ALL);
		assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
		bd_expect_untouched(r, 16);
	}
}

/* The record has no place for a request that the host cannot carry out. */
static void a_state_with_a_failure_is_not_saved(struct rig *r)
{
	g_autoptr(GByteArray) record = g_byte_array_new();
	struct rig_buf data = bd_filled(r, 4096, 14);
	g_autoptr(GError) err = NULL;
	struct bd_request rq;

	rq = start_and_fail(r, data);
	vdev_pause(rig_dev(r));
	assert_false(vdev_state_save(rig_dev(r), record, &err));
	assert_non_null(strstr(err->message, "in flight"));
	disk_is_full_at(0);
	assert_true(vdev_state_save(rig_dev(r), record, NULL)); /* which carries it out */
	vdev_resume(rig_dev(r));
	expect_done(r, &rq, BLK_S_OK);
	bd_expect_on_host(r, 16, data.p, data.len);
}

/* Of a full disk alone; other errors are the driver's. */
static void enospc_is_another_matter(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14);

	listen_to(r);
	rig_start(r, RIG_ALL);
	disk_is_full_at(8192);
	assert_int_equal(bd_request(r, BLK_T_OUT, 16, data), BLK_S_IOERR);
	disk_is_full_at(0);
	assert_int_equal(what_was_told(r).n, 1);
	assert_int_equal(told.last.action, VDEV_ERROR_REPORT);
	assert_int_equal(told.last.errnum, EFBIG);
}

/* Every second request fails as if there were no space: a read is the driver's, a write is not. */
static void no_space_stops_writes(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14), back = rig_alloc(r, 4096);
	struct bd_request rq;

	listen_to(r);
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, back), BLK_S_OK);
	rq = bd_start(r, 0, BLK_T_OUT, 16, data);
	expect_held(r, &rq, ENOSPC);
	go_on(r);
	expect_done(r, &rq, BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, back), BLK_S_IOERR);
	bd_expect_on_host(r, 16, data.p, data.len);
}

static void ranges_are_tried_again_too(struct rig *r)
{
	const struct blk_range wire[] = {
		{ cpu_le64(8), cpu_le32(8), 0 },
		{ cpu_le64(24), cpu_le32(8), 0 },
		{ cpu_le64(40), cpu_le32(8), 0 },
	};
	uint8_t zeroes[4096] = { 0 };
	struct bd_request rq;

	listen_to(r);
	rig_start(r, RIG_ALL);
	rq = bd_start(r, 0, BLK_T_WRITE_ZEROES, 0, bd_ranges(r, wire, 3));
	expect_held(r, &rq, ENOSPC); /* after the first range; and then the third: */
	go_on(r);
	RIG_UNTIL(r, what_was_told(r).n == 2);
	go_on(r);
	expect_done(r, &rq, BLK_S_OK);
	for (unsigned i = 0; i < 3; i++)
		bd_expect_on_host(r, 8 + 16 * i, zeroes, sizeof(zeroes));
	bd_expect_untouched(r, 16);
}

/* By itself: the driver is told, and so is who listens, but not for each of many. */
static void the_usual_is_to_report(struct rig *r)
{
	struct rig_buf data = bd_filled(r, 4096, 14);
	struct told t;

	listen_to(r);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(bd_request(r, BLK_T_OUT, 16, data), BLK_S_IOERR);
	t = what_was_told(r);
	assert_in_range(t.n, 1, 19);
	assert_int_equal(t.last.action, VDEV_ERROR_REPORT);
	assert_int_equal(t.last.errnum, EIO);
}

#define FAULTY(fn, fault, opts)                                                    \
	{                                                                          \
		.name = #fn " (" fault ")",                                        \
		.spec = "blk,backend=fault:" fault ",file:@/disk" opts, .run = fn, \
		.setup = bd_make_disk,                                             \
	}

static const struct rig_case cases[] = {
	BD_WITH(what_failed_is_tried_again, "werror=stop,aio=uring"),
	BD_WITH(what_failed_is_tried_again, "werror=stop,aio=sync"),
	BD_WITH(many_failures_are_one_stop, "werror=stop,aio=uring"),
	BD_WITH(many_failures_are_one_stop, "werror=stop,aio=sync"),
	BD_WITH(a_reset_forgets_what_failed, "werror=stop"),
	BD_WITH(a_state_with_a_failure_is_not_saved, "werror=stop"),
	BD_WITH(enospc_is_another_matter, "werror=enospc"),
	FAULTY(no_space_stops_writes, "every=2:error=ENOSPC", ",werror=enospc"),
	FAULTY(ranges_are_tried_again_too, "every=2:error=ENOSPC", ",werror=stop"),
	FAULTY(the_usual_is_to_report, "every=1", ""),
};

int main(void)
{
	return rig_run_copied("blk-werror", cases, G_N_ELEMENTS(cases));
}
