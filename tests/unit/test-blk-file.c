/*
 * Disks that are files: every case on the synchronous and on the io_uring channel, in a file on
 * disk and in one in memory (file systems refuse different things), through the page cache and past
 * it; and on threads for what would wait, as in the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/blk-disk.h"

static const struct disk_variant variants[] = {
	{ "sync", BLK_AIO_SYNC, false, false, NULL, false },
	{ "uring", BLK_AIO_URING, false, false, NULL, false },
	{ "auto", BLK_AIO_AUTO, false, false, NULL, false },
	{ "sync, direct", BLK_AIO_SYNC, true, false, NULL, false },
	{ "uring, direct", BLK_AIO_URING, true, false, NULL, false },
	{ "sync, in memory", BLK_AIO_SYNC, false, true, NULL, false },
	{ "uring, in memory", BLK_AIO_URING, false, true, NULL, false },
	{ "auto, in memory", BLK_AIO_AUTO, false, true, NULL, false },
	{ "sync, worker", BLK_AIO_SYNC, false, false, NULL, true },
	{ "sync, direct, worker", BLK_AIO_SYNC, true, false, NULL, true },
	{ "uring, direct, worker", BLK_AIO_URING, true, false, NULL, true },
};

/* The cases. Each gets a fresh disk for each variant. */

static void odd_iovecs_come_back_whole(const struct disk_variant *v)
{
	const size_t len = 65536;
	struct disk *d = disk_open(v, MIB);
	uint8_t *out = disk_buffer(len + 1), *in = disk_buffer(len + 1);
	struct iovec *iov = g_new0(struct iovec, len);
	unsigned n;

	disk_pattern(out + 1, len, 1);
	n = disk_cut(out + 1, len, 57, iov);
	assert_true(n > 1024); /* more than one system call takes */
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_WRITE,
						      .iov = iov,
						      .n_iov = n,
						      .offset = 8192,
						      .len = len }),
			 0);
	assert_int_equal(pread(d->fd, in, len, 8192), len);
	assert_memory_equal(in, out + 1, len);
	memset(in, 0, len + 1);
	n = disk_cut(in + 1, len, 91, iov);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_READ,
						      .iov = iov,
						      .n_iov = n,
						      .offset = 8192,
						      .len = len }),
			 0);
	assert_memory_equal(in + 1, out + 1, len);
	assert_int_equal(in[0], 0);
	g_free(iov);
	free(out);
	free(in);
	disk_close(d);
}

static void large_requests_go_in_slices(const struct disk_variant *v)
{
	const size_t len = 2ul * BLK_SLICE_BYTES + 12288;
	struct disk *d = disk_open(v, 16 * MIB);
	uint8_t *out = disk_buffer(len), *in = disk_buffer(len);
	struct iovec two[2] = { { in, 4096 }, { in + 4096, len - 4096 } };

	disk_pattern(out, len, 2);
	assert_int_equal(disk_rw(d, BLK_WRITE, 4096, out, len), 0);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_READ,
						      .iov = two,
						      .n_iov = 2,
						      .offset = 4096,
						      .len = len }),
			 0);
	assert_memory_equal(in, out, len);
	free(out);
	free(in);
	disk_close(d);
}

/* The same buffer named again and again: a guest's way to ask for more than it has memory. */
static void a_huge_request_leaves_the_loop_its_turns(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, 64 * MIB);
	uint8_t *buf = disk_buffer(4 * MIB);
	struct iovec iov[16];

	for (unsigned i = 0; i < 16; i++)
		iov[i] = (struct iovec){ buf, 4 * MIB };
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_READ,
						      .iov = iov,
						      .n_iov = 16,
						      .len = 64 * MIB }),
			 0);
	assert_true(d->batches >= 3);
	free(buf);
	disk_close(d);
}

static void empty_requests_are_done_at_once(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);

	assert_int_equal(disk_rw(d, BLK_READ, 0, NULL, 0), 0);
	assert_int_equal(disk_rw(d, BLK_WRITE, MIB, NULL, 0), 0);
	assert_int_equal(disk_range(d, BLK_ZERO, 0, MIB, 0), 0);
	disk_close(d);
}

static void flushes_and_stable_writes_succeed(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	uint8_t *buf = disk_buffer(4096);
	struct iovec iov = { buf, 4096 };

	disk_pattern(buf, 4096, 3);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_WRITE,
						      .flags = BLK_IO_STABLE,
						      .iov = &iov,
						      .n_iov = 1,
						      .len = 4096 }),
			 0);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_FLUSH }), 0);
	free(buf);
	disk_close(d);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void zeroed_ranges_read_as_zeroes(const struct disk_variant *v)
{
	static const unsigned flags[] = { 0, BLK_IO_UNMAP, BLK_IO_STABLE,
					  BLK_IO_STABLE | BLK_IO_UNMAP };
	struct disk *d = disk_open(v, 4 * MIB);
	uint8_t *out = disk_buffer(4 * MIB), *in = disk_buffer(4 * MIB);
	const size_t from = 12288, len = 2 * MIB + 4096; /* more than one write of zeroes */

	disk_pattern(out, 4 * MIB, 4);
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		assert_int_equal(disk_rw(d, BLK_WRITE, 0, out, 4 * MIB), 0);
		assert_int_equal(disk_range(d, BLK_ZERO, flags[i], from, len), 0);
		assert_int_equal(disk_rw(d, BLK_READ, 0, in, 4 * MIB), 0);
		assert_memory_equal(in, out, from);
		assert_true(all_zero(in + from, len));
		assert_memory_equal(in + from + len, out + from + len, 4 * MIB - from - len);
	}
	free(out);
	free(in);
	disk_close(d);
}

/* A last piece smaller than the block of zeroes, when zeroes have to be written. */
static void zeroes_can_be_written_to_the_sector(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	const size_t sector = 512;
	uint8_t *out = disk_buffer(MIB), *in = disk_buffer(MIB);
	const size_t len = BLK_ZERO_BYTES + sector;

	((struct blk_file *)d->be)->no_zero_range = true;
	disk_pattern(out, MIB, 5);
	assert_int_equal(disk_rw(d, BLK_WRITE, 0, out, MIB), 0);
	assert_int_equal(disk_range(d, BLK_ZERO, 0, sector, len), 0);
	assert_int_equal(disk_rw(d, BLK_READ, 0, in, MIB), 0);
	assert_memory_equal(in, out, sector);
	assert_true(all_zero(in + sector, len));
	assert_memory_equal(in + sector + len, out + sector + len, MIB - sector - len);
	free(out);
	free(in);
	disk_close(d);
}

static size_t blocks_of(const struct disk *d)
{
	struct stat st;

	assert_int_equal(fstat(d->fd, &st), 0);
	return (size_t)st.st_blocks;
}

static void discard_gives_space_back(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	uint8_t *buf = disk_buffer(MIB);
	struct stat st;

	assert_true(d->be->info.discard);
	disk_pattern(buf, MIB, 6);
	assert_int_equal(disk_rw(d, BLK_WRITE, 0, buf, MIB), 0);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_FLUSH }), 0);
	assert_true(blocks_of(d) >= MIB / 512);
	assert_int_equal(disk_range(d, BLK_DISCARD, 0, 0, MIB), 0);
	assert_true(blocks_of(d) < MIB / 512 / 4);
	assert_int_equal(fstat(d->fd, &st), 0);
	assert_int_equal(st.st_size, MIB);
	free(buf);
	disk_close(d);
}

static void zeroing_without_unmap_keeps_space(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	uint8_t *buf = disk_buffer(MIB);

	disk_pattern(buf, MIB, 7);
	assert_int_equal(disk_rw(d, BLK_WRITE, 0, buf, MIB), 0);
	assert_int_equal(disk_range(d, BLK_ZERO, BLK_IO_STABLE, 0, MIB), 0);
	assert_true(blocks_of(d) >= MIB / 512);
	free(buf);
	disk_close(d);
}

static void a_file_made_shorter_is_an_io_error(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	uint8_t *buf = disk_buffer(8192);

	assert_int_equal(ftruncate(d->fd, MIB / 2), 0);
	assert_int_equal(disk_rw(d, BLK_READ, MIB / 2 - 4096, buf, 8192), -EIO);
	assert_int_equal(disk_rw(d, BLK_READ, MIB / 2, buf, 4096), -EIO);
	assert_int_equal(disk_rw(d, BLK_READ, 0, buf, 4096), 0);
	free(buf);
	disk_close(d);
}

/* A limit on the size of files stands for a full disk: it, too, refuses a write half-way. */
static void a_refused_write_is_reported_and_harms_no_other(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, 0x3000);
	uint8_t *out = disk_buffer(8192), *in = disk_buffer(8192);
	struct rlimit old, limit;

	disk_pattern(out, 8192, 8);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(disk_rw(d, BLK_WRITE, 0, out, 8192), -EFBIG);
	assert_int_equal(disk_rw(d, BLK_WRITE, 0, out, 4096), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_FLUSH }), 0);
	assert_int_equal(disk_rw(d, BLK_READ, 0, in, 4096), 0);
	assert_memory_equal(in, out, 4096);
	free(out);
	free(in);
	disk_close(d);
}

static void after_a_failed_flush_none_succeeds(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	struct blk_file *f = (struct blk_file *)d->be;
	int real = f->fd, ends[2];

	assert_int_equal(pipe(ends), 0);
	f->fd = ends[0]; /* cannot be flushed */
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_FLUSH }), -EINVAL);
	f->fd = real;
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_FLUSH }), -EINVAL);
	close(ends[0]);
	close(ends[1]);
	disk_close(d);
}

#define MANY ((size_t)300) /* several times what a ring holds */

static void many_requests_at_once_are_each_done_once(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MANY * 4096);
	uint8_t *buf = disk_buffer(2 * MANY * 4096);
	struct disk_request *r = g_new0(struct disk_request, MANY);
	struct iovec *iov = g_new0(struct iovec, MANY);

	disk_pattern(buf, MANY * 4096, 9);
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < MANY; i++) {
			iov[i] = (struct iovec){ buf + (pass * MANY + i) * 4096, 4096 };
			r[i] = (struct disk_request){ .io = { .op = pass ? BLK_READ : BLK_WRITE,
							      .iov = &iov[i],
							      .n_iov = 1,
							      .offset = i * 4096,
							      .len = 4096 } };
			disk_submit(d, &r[i]);
		}
		for (size_t i = 0; i < MANY; i++)
			assert_int_equal(disk_wait(d, &r[i]), 0);
	}
	assert_memory_equal(buf, buf + MANY * 4096, MANY * 4096);
	g_free(iov);
	g_free(r);
	free(buf);
	disk_close(d);
}

static void done_may_submit(const struct disk_variant *v)
{
	struct disk *d = disk_open(v, MIB);
	uint8_t *buf = disk_buffer(8192);
	struct iovec iov[2] = { { buf, 4096 }, { buf + 4096, 4096 } };
	struct disk_request second = { .io = {
					       .op = BLK_READ,
					       .iov = &iov[1],
					       .n_iov = 1,
					       .len = 4096,
				       } };
	struct disk_request first = {
		.then = &second, .io = { .op = BLK_READ, .iov = &iov[0], .n_iov = 1, .len = 4096 }
	};

	disk_pattern(buf, 8192, 11);
	assert_int_equal(pwrite(d->fd, buf, 4096, 0), 4096);
	disk_submit(d, &first);
	assert_int_equal(disk_wait(d, &first), 0);
	assert_int_equal(disk_wait(d, &second), 0);
	assert_memory_equal(buf, buf + 4096, 4096);
	free(buf);
	disk_close(d);
}

/* Misaligned one way or the other: what the bounce buffer is for with O_DIRECT. */
static void misaligned_buffers_are_served(const struct disk_variant *v)
{
	const size_t len = BLK_BOUNCE + 8192;
	struct disk *d = disk_open(v, MIB);
	uint8_t *out = disk_buffer(len + 3), *in = disk_buffer(len + 3);
	struct iovec iov[2] = { { in + 3, 5 }, { in + 8, len - 5 } };

	disk_pattern(out + 3, len, 12);
	assert_int_equal(disk_rw(d, BLK_WRITE, 4096, out + 3, len), 0);
	assert_int_equal(disk_run(d, (struct blk_io){ .op = BLK_READ,
						      .iov = iov,
						      .n_iov = 2,
						      .offset = 4096,
						      .len = len }),
			 0);
	assert_memory_equal(in + 3, out + 3, len);
	free(out);
	free(in);
	disk_close(d);
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
	CASE(odd_iovecs_come_back_whole),
	CASE(large_requests_go_in_slices),
	CASE(a_huge_request_leaves_the_loop_its_turns),
	CASE(empty_requests_are_done_at_once),
	CASE(flushes_and_stable_writes_succeed),
	CASE(zeroed_ranges_read_as_zeroes),
	CASE(zeroes_can_be_written_to_the_sector),
	CASE(discard_gives_space_back),
	CASE(zeroing_without_unmap_keeps_space),
	CASE(a_file_made_shorter_is_an_io_error),
	CASE(a_refused_write_is_reported_and_harms_no_other),
	CASE(after_a_failed_flush_none_succeeds),
	CASE(many_requests_at_once_are_each_done_once),
	CASE(done_may_submit),
	CASE(misaligned_buffers_are_served),
};

#define N_EACH (G_N_ELEMENTS(cases) * G_N_ELEMENTS(variants))

struct pairing {
	const struct each *each;
	const struct disk_variant *variant;
};

static void run_pairing(void **state)
{
	const struct pairing *p = *state;

	p->each->run(p->variant);
}

int main(void)
{
	struct CMUnitTest tests[N_EACH];
	char names[N_EACH][80];
	struct pairing pairs[N_EACH];

	for (size_t i = 0; i < N_EACH; i++) {
		pairs[i].each = &cases[i / G_N_ELEMENTS(variants)];
		pairs[i].variant = &variants[i % G_N_ELEMENTS(variants)];
		snprintf(names[i], sizeof(names[i]), "%s [%s]", pairs[i].each->name,
			 pairs[i].variant->name);
		tests[i] = (struct CMUnitTest){ names[i], run_pairing, NULL, NULL, &pairs[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
