/*
 * Channels to a file that stop (devices/backend/blk/blk.h): nothing more is begun, what the host
 * has in hand is cancelled or waited for, the rest is given back in order and can be carried out
 * later. And what may take long for the host does not hold up a channel's loop.
 *
 * The host is as slow as a case wants it: fdatasync() and fallocate() are this program's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/blk-disk.h"

static const struct disk_variant variants[] = {
	{ "sync", BLK_AIO_SYNC, false, false, NULL, false },
	{ "sync, worker", BLK_AIO_SYNC, false, false, NULL, true },
	{ "sync, direct, worker", BLK_AIO_SYNC, true, false, NULL, true },
	{ "sync, in memory", BLK_AIO_SYNC, false, true, NULL, false },
	{ "uring", BLK_AIO_URING, false, false, NULL, false },
	{ "uring, direct, worker", BLK_AIO_URING, true, false, NULL, true },
	{ "uring, in memory", BLK_AIO_URING, false, true, NULL, false },
};
static const struct disk_variant *const sync_worker = &variants[1], *const uring = &variants[4];

/*
 * The host.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool slow;       /* an fdatasync() waits until it no longer is */
	unsigned inside; /* of fdatasync() */
	pthread_t last;  /* who came */
	unsigned calls;  /* of fallocate(), */
	off_t longest, sum;
} host = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

int fdatasync(int fd)
{
	pthread_mutex_lock(&host.lock);
	host.last = pthread_self();
	host.inside++;
	pthread_cond_broadcast(&host.changed);
	while (host.slow)
		pthread_cond_wait(&host.changed, &host.lock);
	host.inside--;
	pthread_mutex_unlock(&host.lock);
	return (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	pthread_mutex_lock(&host.lock);
	host.last = pthread_self();
	host.calls++;
	host.longest = MAX(host.longest, len);
	host.sum += len;
	pthread_mutex_unlock(&host.lock);
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

static void host_is_slow(bool slow)
{
	pthread_mutex_lock(&host.lock);
	host.slow = slow;
	pthread_cond_broadcast(&host.changed);
	pthread_mutex_unlock(&host.lock);
}

static void wait_inside(void)
{
	pthread_mutex_lock(&host.lock);
	while (!host.inside)
		pthread_cond_wait(&host.changed, &host.lock);
	pthread_mutex_unlock(&host.lock);
}

/*
 * Requests: each a MiB of its own.
 */
#define N 40u

struct batch {
	struct disk_request r[N];
	struct iovec iov[N];
	uint8_t *buf;
};

static struct batch *batch_new(enum blk_op op)
{
	struct batch *b = g_new0(struct batch, 1);

	b->buf = disk_buffer(N * MIB);
	for (size_t i = 0; i < N; i++) {
		if (op == BLK_WRITE)
			disk_pattern(b->buf + i * MIB, MIB, (unsigned)i);
		b->iov[i] = (struct iovec){ b->buf + i * MIB, MIB };
		b->r[i].io = (struct blk_io){
			.op = op, .iov = &b->iov[i], .n_iov = 1, .offset = i * MIB, .len = MIB
		};
	}
	return b;
}

static void batch_free(struct batch *b)
{
	free(b->buf);
	g_free(b);
}

/* Each is done once, or is in the list once, which is in order. Returns how many are. */
static unsigned expect_given_back(struct batch *b, struct blk_io *undone)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++)
		if (undone == &b->r[i].io) {
			assert_int_equal(b->r[i].n_done, 0);
			undone = undone->next;
			n++;
		} else {
			assert_int_equal(b->r[i].n_done, 1);
			assert_int_equal(b->r[i].result, 0);
		}
	assert_null(undone);
	return n;
}

static void expect_on_disk(const struct disk *d, unsigned i, const uint8_t *want)
{
	g_autofree uint8_t *have = g_malloc(MIB);

	assert_int_equal(pread(d->fd, have, MIB, (off_t)(i * MIB)), MIB);
	assert_memory_equal(have, want, MIB);
}

static void go_on(struct disk *d, struct blk_io *undone)
{
	struct blk_io *next;

	d->ch->ops->free(d->ch);
	d->ch = disk_channel(d);
	for (; undone; undone = next) {
		next = undone->next;
		disk_submit(d, (struct disk_request *)undone);
	}
}

/*
 * The cases for each variant.
 */
static void what_was_not_begun_is_given_back_and_done_later(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, N * MIB);
	struct batch *b = batch_new(BLK_WRITE);
	g_autofree uint8_t *hole = g_malloc0(MIB);
	struct blk_io *undone;

	for (unsigned i = 0; i < N; i++)
		disk_submit(d, &b->r[i]);
	d->ch->ops->flush(d->ch);
	undone = disk_stop(d);
	assert_true(expect_given_back(b, undone) >= N / 2);
	for (unsigned i = N / 2; i < N; i++)
		expect_on_disk(d, i, hole);
	go_on(d, undone);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(disk_wait(d, &b->r[i]), 0);
	for (unsigned i = 0; i < N; i++)
		expect_on_disk(d, i, b->buf + i * MIB);
	batch_free(b);
	disk_close(d);
}

/* 16 MiB in one request: it stops between two pieces. */
static void a_large_request_stops_half_way(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, N * MIB);
	struct batch *b = batch_new(BLK_WRITE);
	g_autofree uint8_t *hole = g_malloc0(MIB);
	struct disk_request r = {
		.io = { .op = BLK_WRITE, .iov = b->iov, .n_iov = N, .len = N * MIB }
	};

	disk_submit(d, &r);
	d->ch->ops->flush(d->ch);
	assert_ptr_equal(disk_stop(d), &r.io);
	assert_int_equal(r.n_done, 0);
	for (unsigned i = N / 2; i < N; i++)
		expect_on_disk(d, i, hole);
	go_on(d, &r.io);
	assert_int_equal(disk_wait(d, &r), 0);
	for (unsigned i = 0; i < N; i++)
		expect_on_disk(d, i, b->buf + i * MIB);
	batch_free(b);
	disk_close(d);
}

/* What a request's end leads to is not begun, either. */
static void what_done_submits_is_given_back(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, N * MIB);
	struct batch *b = batch_new(BLK_READ);
	struct blk_io *undone;
	unsigned n = 0;

	for (unsigned i = 0; i < N / 2; i++) {
		b->r[i].then = &b->r[N / 2 + i];
		disk_submit(d, &b->r[i]);
	}
	d->ch->ops->flush(d->ch);
	undone = disk_stop(d);
	for (struct blk_io *io = undone; io; io = io->next)
		n++;
	for (unsigned i = 0; i < N; i++)
		n += b->r[i].n_done;
	for (unsigned i = 0; i < N / 2; i++)
		n += !b->r[i].n_done; /* then the other was not submitted */
	assert_int_equal(n, N);
	go_on(d, undone);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(disk_wait(d, &b->r[i]), 0);
	batch_free(b);
	disk_close(d);
}

static void an_idle_channel_stops_at_once(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);

	assert_true(d->ch->ops->stop(d->ch));
	assert_null(d->ch->ops->undone(d->ch));
	d->ch->ops->free(d->ch);
	d->ch = NULL;
	assert_int_equal(d->stopped, 0);
	disk_close(d);
}

/*
 * The cases of one kind of channel.
 */

/* An empty pipe is a disk that never answers. */
static void a_ring_cancels_what_it_waits_for(void **state)
{
	struct disk *d = disk_open(uring, N * MIB);
	struct blk_file *f = (struct blk_file *)d->be;
	struct batch *b = batch_new(BLK_READ);
	int real = f->fd, ends[2];
	struct blk_io *undone;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	f->fd = ends[0];
	for (unsigned i = 0; i < 2; i++) {
		disk_submit(d, &b->r[i]);
		d->ch->ops->flush(d->ch);
	}
	g_main_context_iteration(loop_context(d->loop), FALSE);
	assert_int_equal(b->r[0].n_done + b->r[1].n_done, 0);
	undone = disk_stop(d);
	f->fd = real;
	assert_ptr_equal(undone, &b->r[0].io);
	assert_ptr_equal(undone->next, &b->r[1].io);
	assert_null(undone->next->next);
	go_on(d, undone);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(disk_wait(d, &b->r[i]), 0);
	close(ends[0]);
	close(ends[1]);
	batch_free(b);
	disk_close(d);
}

static void a_slow_flush_holds_up_no_loop(void **state)
{
	struct disk *d = disk_open(sync_worker, MIB);
	struct disk_request r = { .io = { .op = BLK_FLUSH } };

	(void)state;
	host_is_slow(true);
	disk_submit(d, &r);
	d->ch->ops->flush(d->ch);
	wait_inside();
	while (g_main_context_iteration(loop_context(d->loop), FALSE))
		;
	assert_int_equal(r.n_done, 0);
	assert_false(pthread_equal(host.last, pthread_self()));
	host_is_slow(false);
	assert_int_equal(disk_wait(d, &r), 0);
	disk_close(d);
}

/* A flush that the host has in hand is waited for; writes that wait behind it are not begun. */
static void what_a_worker_has_in_hand_is_waited_for(void **state)
{
	struct disk *d = disk_open(sync_worker, N * MIB);
	struct batch *b = batch_new(BLK_WRITE);
	struct disk_request r = { .io = { .op = BLK_FLUSH } };
	g_autofree uint8_t *hole = g_malloc0(MIB);
	struct blk_io *undone;

	(void)state;
	host_is_slow(true);
	disk_submit(d, &r);
	d->ch->ops->flush(d->ch);
	wait_inside();
	for (unsigned i = 0; i < N; i++)
		disk_submit(d, &b->r[i]);
	d->ch->ops->flush(d->ch);
	assert_false(d->ch->ops->stop(d->ch));
	while (g_main_context_iteration(loop_context(d->loop), FALSE))
		;
	assert_int_equal(d->stopped, 0);
	host_is_slow(false);
	while (!d->stopped)
		g_main_context_iteration(loop_context(d->loop), TRUE);
	assert_int_equal(r.n_done, 1);
	assert_int_equal(r.result, 0);
	undone = d->ch->ops->undone(d->ch);
	assert_int_equal(expect_given_back(b, undone), N);
	for (unsigned i = 0; i < N; i++)
		expect_on_disk(d, i, hole);
	go_on(d, undone);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(disk_wait(d, &b->r[i]), 0);
	batch_free(b);
	disk_close(d);
}

/* Two channels share a worker: one stops, the other's requests go on. */
static void a_channel_stops_alone(void **state)
{
	struct disk *d = disk_open(sync_worker, N * MIB);
	struct batch *b = batch_new(BLK_WRITE);
	struct disk_request r = { .io = { .op = BLK_FLUSH } };
	struct blk_channel *first = d->ch, *second = disk_channel(d);

	(void)state;
	host_is_slow(true);
	disk_submit(d, &r);
	wait_inside();
	disk_submit(d, &b->r[0]);
	d->ch = second;
	disk_submit(d, &b->r[1]);
	d->ch = first;
	disk_submit(d, &b->r[2]);
	d->ch = second;
	assert_true(d->ch->ops->stop(d->ch));
	assert_ptr_equal(d->ch->ops->undone(d->ch), &b->r[1].io);
	d->ch->ops->free(d->ch);
	d->ch = first;
	host_is_slow(false);
	assert_int_equal(disk_wait(d, &r), 0);
	assert_int_equal(disk_wait(d, &b->r[0]), 0);
	assert_int_equal(disk_wait(d, &b->r[2]), 0);
	assert_int_equal(b->r[1].n_done, 0);
	batch_free(b);
	disk_close(d);
}

#define LARGE ((uint64_t)1 << 30)

static void expect_in_pieces(const struct disk_variant *v, off_t longest, bool here)
{
	struct disk *d = disk_open(v, LARGE);

	host.calls = 0;
	host.longest = host.sum = 0;
	assert_int_equal(disk_range(d, BLK_DISCARD, 0, MIB / 2, LARGE - MIB), 0);
	assert_true(host.longest <= longest);
	assert_true(host.calls >= (unsigned)(LARGE / (uint64_t)longest));
	assert_int_equal(host.sum, LARGE - MIB);
	assert_int_equal(pthread_equal(host.last, pthread_self()) != 0, here);
	disk_close(d);
}

static void large_ranges_go_in_pieces(void **state)
{
	(void)state;
	expect_in_pieces(&variants[3], BLK_RANGE_QUICK, true);
	expect_in_pieces(sync_worker, BLK_RANGE_BYTES, false);
}

/* Cases times variants. */
static const struct each {
	const char *name;
	void (*run)(const struct disk_variant *v);
} cases[] = {
#define CASE(fn)        \
	{               \
#fn, fn \
	}
	CASE(what_was_not_begun_is_given_back_and_done_later),
	CASE(a_large_request_stops_half_way),
	CASE(what_done_submits_is_given_back),
	CASE(an_idle_channel_stops_at_once),
};

static void each_variant(void **state)
{
	const struct each *each = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
		print_message("# %s\n", variants[i].name);
		each->run(&variants[i]);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		{ "", each_variant, NULL, NULL, NULL },
		{ "", each_variant, NULL, NULL, NULL },
		{ "", each_variant, NULL, NULL, NULL },
		{ "", each_variant, NULL, NULL, NULL },
		cmocka_unit_test(a_ring_cancels_what_it_waits_for),
		cmocka_unit_test(a_slow_flush_holds_up_no_loop),
		cmocka_unit_test(what_a_worker_has_in_hand_is_waited_for),
		cmocka_unit_test(a_channel_stops_alone),
		cmocka_unit_test(large_ranges_go_in_pieces),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		tests[i].name = cases[i].name;
		tests[i].initial_state = (void *)&cases[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
