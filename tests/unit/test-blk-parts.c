/*
 * A host that takes blocks of 4096 bytes past its page cache, pretended: statx() says so, and
 * system calls that do not heed it fail as they do there. (The rings' do not go through here;
 * tests/system/test-direct.c has a device that is so.)
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "devices/registry.h"
#include "tests/support/blk-parts.h"

/*
 * In the C library's place.
 */

#define MEM_ALIGN 512u

static bool heeds(int fd, const struct iovec *iov, int n, off_t offset)
{
	if (!(fcntl(fd, F_GETFL) & O_DIRECT))
		return true;
	for (int i = 0; i < n; i++)
		if ((uintptr_t)iov[i].iov_base % MEM_ALIGN || iov[i].iov_len % PARTS_BLOCK)
			return false;
	return offset % (off_t)PARTS_BLOCK == 0;
}

int statx(int fd, const char *path, int flags, unsigned mask, struct statx *sx)
{
	int r = (int)syscall(SYS_statx, fd, path, flags, mask, sx);

	if (r == 0 && mask & STATX_DIOALIGN) {
		sx->stx_mask |= STATX_DIOALIGN;
		sx->stx_dio_mem_align = MEM_ALIGN;
		sx->stx_dio_offset_align = PARTS_BLOCK;
	}
	return r;
}

ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	if (heeds(fd, iov, n, offset))
		return syscall(SYS_preadv2, fd, iov, n, offset, 0, flags);
	errno = EINVAL;
	return -1;
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	if (heeds(fd, iov, n, offset))
		return syscall(SYS_pwritev2, fd, iov, n, offset, 0, flags);
	errno = EINVAL;
	return -1;
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return preadv2(fd, iov, n, offset, 0);
}

ssize_t pread(int fd, void *p, size_t len, off_t offset)
{
	return preadv2(fd, &(struct iovec){ p, len }, 1, offset, 0);
}

/*
 * The pretence holds, and what is opened on it.
 */

static void the_host_takes_whole_blocks_only(void **state)
{
	g_autofree char *path = disk_new_file(false, PARTS_BYTES);
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	uint8_t *buf = disk_buffer(PARTS_BLOCK);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(pread(fd, buf, PARTS_BLOCK, 512), -1);
	assert_int_equal(pread(fd, buf, PARTS_BLOCK, PARTS_BLOCK), PARTS_BLOCK);
	close(fd);
	unlink(path);
	free(buf);
}

static struct blk *open_blk(const char *path, const char *options, GError **err)
{
	g_autofree char *spec = g_strdup_printf("blk,path=%s,direct=on%s", path, options);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct gmem mem = { 0 };
	struct vdev_env env = { .mem = &mem, .main_loop = loop_main(), .n_cpus = 1 };
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, err);

	loop_free(env.main_loop);
	return (struct blk *)dev;
}

/* A disk with partitions in sectors of 512 bytes has them still. */
static void the_guest_is_told_of_sectors(void **state)
{
	static const struct {
		const char *options;
		uint32_t block;
		uint8_t exponent; /* of the physical block, which is the host's */
	} rows[] = { { "", 512, 3 },
		     { ",block-size=512", 512, 3 },
		     { ",block-size=1K", 1024, 2 },
		     { ",block-size=4K", 4096, 0 } };
	g_autofree char *path = disk_new_file(false, PARTS_BYTES);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		GError *err = NULL;
		struct blk *blk = open_blk(path, rows[i].options, &err);

		if (!blk) {
			fail_msg("%s: %s", rows[i].options, err->message);
			return; /* it does not come here, but does not say so either */
		}
		assert_int_equal(le32_cpu(blk->config.blk_size), rows[i].block);
		assert_int_equal(blk->config.physical_block_exp, rows[i].exponent);
		assert_true(le32_cpu(blk->config.discard_sector_alignment) >= 8);
		vdev_free(&blk->vdev);
	}
	unlink(path);
}

static void a_disk_ends_with_a_whole_block(void **state)
{
	g_autofree char *path = disk_new_file(false, PARTS_BYTES + 512);
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_null(open_blk(path, "", &err));
	assert_int_equal(err->code, RINGSIDE_ERROR_USAGE);
	assert_non_null(
		strstr(err->message, "not a multiple of 4096 bytes, as direct=on needs here"));
	unlink(path);
}

/*
 * What rings are given.
 */

static void steps_are_whole_blocks(void **state)
{
	const struct disk_variant v = { .name = "sync", .aio = BLK_AIO_SYNC, .direct = true };
	struct disk *d = disk_open(&v, PARTS_BYTES);
	struct blk_file *f = (struct blk_file *)d->be;
	uint8_t *buf = disk_buffer(PARTS_BYTES);

	(void)state;
	f->no_zero_range = true;
	for (unsigned op = 0; op < 3; op++)
		for (size_t at = 0; at < 2 * PARTS_BLOCK; at += 512)
			for (size_t len = 512; len < 12 * PARTS_BLOCK; len += 512) {
				struct iovec iov = { buf, len };
				struct blk_io io = { .op = (enum blk_op[]){ BLK_READ, BLK_WRITE,
									    BLK_ZERO }[op],
						     .iov = &iov,
						     .n_iov = 1,
						     .offset = at,
						     .len = len };
				struct blk_step s;
				int result;

				assert_false(blk_step_begin(f, &io, &result));
				do {
					blk_step_next(f, &io, &s);
					assert_true(s.len > 0);
					if (s.kind == STEP_READ || s.kind == STEP_WRITE)
						assert_int_equal((s.offset | s.len) % PARTS_BLOCK,
								 0);
				} while (!blk_step_done(f, &io, &s, (int64_t)s.len, &result));
				assert_int_equal(io.at.bytes, len);
			}
	free(buf);
	disk_close(d);
}

/* Of a block device that punches no holes, down to its own way of discarding; and what that cannot
 * do. */
static void a_discard_goes_its_ways(void **state)
{
	const struct disk_variant v = { .name = "sync", .aio = BLK_AIO_SYNC, .direct = true };
	struct disk *d = disk_open(&v, PARTS_BYTES);
	struct blk_file *f = (struct blk_file *)d->be;
	struct blk_io io = { .op = BLK_DISCARD, .offset = 512, .len = 2 * PARTS_BLOCK };
	struct blk_step s;
	int result = 1;

	(void)state;
	f->is_bdev = true;
	assert_false(blk_step_begin(f, &io, &result));
	blk_step_next(f, &io, &s);
	assert_int_equal(s.kind, STEP_FALLOCATE);
	assert_false(blk_step_done(f, &io, &s, -EOPNOTSUPP, &result));
	blk_step_next(f, &io, &s);
	assert_int_equal(s.kind, STEP_BLKDISCARD);
	assert_int_equal(s.offset, 512);
	assert_true(blk_step_done(f, &io, &s, -EINVAL, &result));
	assert_int_equal(result, 0); /* it was but a hint */
	disk_close(d);
}

/*
 * The cases.
 */

struct run {
	const struct parts_case *c;
	const struct disk_variant *v;
};

static void run_case(void **state)
{
	const struct run *run = *state;

	run->c->run(run->v);
}

int main(void)
{
	static const struct disk_variant variants[] = {
		{ .name = "sync", .aio = BLK_AIO_SYNC, .direct = true },
		{ .name = "uring", .aio = BLK_AIO_URING, .direct = true },
		{ .name = "sync, worker", .aio = BLK_AIO_SYNC, .direct = true, .worker = true },
		{ .name = "uring, worker", .aio = BLK_AIO_URING, .direct = true, .worker = true },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_takes_whole_blocks_only),
		cmocka_unit_test(the_guest_is_told_of_sectors),
		cmocka_unit_test(a_disk_ends_with_a_whole_block),
		cmocka_unit_test(steps_are_whole_blocks),
		cmocka_unit_test(a_discard_goes_its_ways),
	};
	int failed = cmocka_run_group_tests_name("blk-parts", tests, NULL, NULL);

	for (const struct parts_case *c = parts_cases; c->name; c++)
		for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
			g_autofree char *name = g_strdup_printf("%s (%s)", c->name,
								variants[i].name);
			struct run run = { c, &variants[i] };
			const struct CMUnitTest test = { .name = name,
							 .test_func = run_case,
							 .initial_state = &run };

			failed += _cmocka_run_group_tests(name, &test, 1, NULL, NULL);
		}
	return failed;
}
