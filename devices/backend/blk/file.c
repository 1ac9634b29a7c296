/*
 * Opening a raw image file or a block device: all that can be wrong with it is found here, before
 * the guest starts, and said in one line that begins with the option.
 *
 * Two writers on one disk destroy it, so a lock on the open file (F_OFD_SETLK: it holds between two
 * devices of one process as well as between two processes) admits one writer or any number of
 * readers; a block device that something on the host has mounted is refused too (O_EXCL).
 */
#include "devices/backend/blk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static const uint8_t zero_block[BLK_ZERO_BYTES] __attribute__((aligned(4096)));

static bool blk_file_wants_uring(const struct blk_file *f)
{
	return f->aio == BLK_AIO_URING || (f->aio == BLK_AIO_AUTO && !f->in_memory);
}

static void blk_file_say_no_ring(const struct blk_file *f, int errnum)
{
	g_log("ringside", G_LOG_LEVEL_MESSAGE,
	      "%s: the host refuses io_uring (%s): pread and pwrite instead", f->path,
	      g_strerror(errnum));
}

static struct blk_channel *blk_file_channel_new(struct blk_backend *be,
						const struct blk_owner *owner)
{
	struct blk_file *f = (struct blk_file *)be;
	struct blk_channel *ch;
	int errnum;

	if (!blk_file_wants_uring(f))
		return blk_sync_channel_new(f, owner);
	ch = blk_uring_channel_new(f, owner, &errnum);
	if (ch)
		return ch;
	if (!atomic_exchange(&f->fell_back, true))
		blk_file_say_no_ring(f, errnum);
	return blk_sync_channel_new(f, owner);
}

static void blk_file_close(struct blk_backend *be)
{
	struct blk_file *f = (struct blk_file *)be;

	blk_worker_free(f->worker);
	blk_uring_close(f);
	pthread_mutex_destroy(&f->claims.lock);
	if (f->fd >= 0)
		close(f->fd);
	g_free(f->path);
	g_free(f);
}

/* Is there anything that would hold up a channel's loop? With a ring, what rings do not know. */
static bool blk_file_needs_worker(const struct blk_file *f)
{
	return f->rings ? f->is_bdev || f->direct : !f->in_memory;
}

/* How much is discarded or zeroed in one system call: whole units of discarding, and less where a
 * channel's loop makes it. */
static void blk_file_set_range(struct blk_file *f)
{
	uint64_t most = f->worker || blk_file_wants_uring(f) ? BLK_RANGE_BYTES : BLK_RANGE_QUICK;
	uint64_t unit = f->base.info.discard_align;

	f->range = (most + unit - 1) / unit * unit;
}

static int blk_file_prepare(struct blk_backend *be, unsigned n)
{
	struct blk_file *f = (struct blk_file *)be;
	int r = blk_file_wants_uring(f) ? blk_uring_prepare(f, n) : 0;
	struct loop *loop;

	if (r < 0 && f->aio == BLK_AIO_URING)
		return r;
	if (r < 0) {
		f->aio = BLK_AIO_SYNC;
		blk_file_say_no_ring(f, -r);
	}
	loop = f->new_worker && blk_file_needs_worker(f) ? f->new_worker(f->opaque) : NULL;
	if (loop)
		f->worker = blk_worker_new(loop);
	blk_file_set_range(f);
	return 0;
}

static const struct syscall_use file_syscalls[] = {
	{ .name = "pread64" },
	{ .name = "preadv" },
	{ .name = "preadv2" },
	{ .name = "pwritev2" },
	{ .name = "fallocate" },
	{ .name = "fdatasync" },
	{ SYSCALL_IOCTL(BLKDISCARD) },
	{ .name = "io_uring_enter" },
	/* blk_file_resize(), on the main thread: */
	{ .name = "ftruncate", .closing = true },
	{ SYSCALL_IOCTL(BLKGETSIZE64), .closing = true },
	{ .name = NULL },
};

static bool blk_file_resize_bdev(struct blk_file *f, uint64_t size, GError **err)
{
	uint64_t now;

	if (ioctl(f->fd, BLKGETSIZE64, &now) < 0)
		return ringside_error_errno(err, errno, "%s", f->path);
	if (size && size != now)
		return ringside_usage(err,
				      "%s is a block device of %" G_GUINT64_FORMAT
				      " bytes: the host gives it its size, which 0 stands for",
				      f->path, now);
	f->base.info.size = now;
	return true;
}

static bool blk_file_resize(struct blk_backend *be, uint64_t size, GError **err)
{
	struct blk_file *f = (struct blk_file *)be;
	uint64_t unit = MAX(BLK_UNIT, f->dio_align);

	if (f->is_bdev)
		return blk_file_resize_bdev(f, size, err);
	if (be->info.ro)
		return ringside_usage(err, "%s is open for reading alone", f->path);
	if (!size || size % unit || size > INT64_MAX)
		return ringside_usage(err, "a size is a multiple of %" G_GUINT64_FORMAT " bytes",
				      unit);
	if (ftruncate(f->fd, (off_t)size) < 0)
		return ringside_error_errno(err, errno, "%s", f->path);
	be->info.size = size;
	return true;
}

static const struct blk_backend_ops file_ops = {
	.prepare = blk_file_prepare,
	.channel_new = blk_file_channel_new,
	.close = blk_file_close,
	.resize = blk_file_resize,
};

static bool blk_file_open_fd(struct blk_file *f, const struct blk_file_options *o, GError **err)
{
	int flags = O_CLOEXEC | O_NOCTTY | (o->ro ? O_RDONLY : O_RDWR) | (o->direct ? O_DIRECT : 0);
	struct stat st;

	/* Judged before it is opened: opening alone can hang (a FIFO) or do things (a tape). */
	if (stat(o->path, &st) < 0)
		return ringside_error_errno(err, errno, "%s", o->what);
	if (S_ISDIR(st.st_mode))
		return ringside_usage(err, "%s: is a directory; give an image file or block device",
				      o->what);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return ringside_usage(err, "%s: is neither a file nor a block device", o->what);
	f->is_bdev = S_ISBLK(st.st_mode);
	if (f->is_bdev && !o->ro)
		flags |= O_EXCL;
	f->fd = open(o->path, flags);
	if (f->fd >= 0)
		return true;
	if (errno == EINVAL && o->direct)
		return ringside_usage(err, "%s: direct=on: its file system has no direct I/O",
				      o->what);
	if (errno == EBUSY && f->is_bdev)
		return ringside_usage(err, "%s: already in use (mounted?); give ro=on to read it",
				      o->what);
	if ((errno == EACCES || errno == EROFS || errno == EPERM) && !o->ro)
		return ringside_error_errno(err, errno,
					    "%s: cannot be opened for writing (ro=on opens it "
					    "for reading)",
					    o->what);
	return ringside_error_errno(err, errno, "%s", o->what);
}

/* A process that was killed has the file as long as the kernel carries out requests of its, which
 * an io_uring outlives it for; until then they could overwrite what we write. */
static bool blk_file_set_lock(const struct blk_file *f, struct flock *l)
{
	for (unsigned waited = 0;; waited += BLK_LOCK_STEP_MS) {
		if (fcntl(f->fd, F_OFD_SETLK, l) == 0)
			return true;
		if ((errno != EAGAIN && errno != EACCES) || waited >= BLK_LOCK_WAIT_MS)
			return false;
		g_usleep(BLK_LOCK_STEP_MS * 1000ul);
	}
}

static bool blk_file_lock(const struct blk_file *f, const struct blk_file_options *o, GError **err)
{
	struct flock l = { .l_type = o->ro ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (o->unlocked || blk_file_set_lock(f, &l))
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return ringside_usage(err,
				      "%s: already in use by another ringside or device; give "
				      "ro=on to both to share it",
				      o->what);
	g_log("ringside", G_LOG_LEVEL_INFO, "%s: cannot be locked (%s)", o->what,
	      g_strerror(errno));
	return true;
}

/* A number out of /sys/dev/block/M:N/queue/NAME, or of the disk above a partition; 0 if unknown. */
static uint64_t blk_file_queue_limit(dev_t dev, const char *name)
{
	static const char *const above[] = { "", "../" };
	uint64_t value = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(above) && !value; i++) {
		g_autofree char *path = g_strdup_printf("/sys/dev/block/%u:%u/%squeue/%s",
							major(dev), minor(dev), above[i], name);
		g_autofree char *text = NULL;

		if (g_file_get_contents(path, &text, NULL, NULL))
			value = g_ascii_strtoull(text, NULL, 10);
	}
	return value;
}

static bool blk_file_measure_bdev(struct blk_file *f, const struct stat *st)
{
	struct blk_info *info = &f->base.info;
	unsigned io_min = 0, io_opt = 0, phys = 0;
	int sector = 512, offset = 0;

	if (ioctl(f->fd, BLKGETSIZE64, &info->size) < 0 || ioctl(f->fd, BLKSSZGET, &sector) < 0)
		return false;
	ioctl(f->fd, BLKPBSZGET, &phys); /* hints: unknown is an answer */
	ioctl(f->fd, BLKIOMIN, &io_min);
	ioctl(f->fd, BLKIOOPT, &io_opt);
	ioctl(f->fd, BLKALIGNOFF, &offset);
	info->block_size = (uint32_t)sector;
	info->block_phys = phys;
	info->align_offset = offset > 0 ? (uint32_t)offset : 0;
	info->io_min = io_min;
	info->io_opt = io_opt;
	info->discard_align = (uint32_t)blk_file_queue_limit(st->st_rdev, "discard_granularity");
	info->discard = blk_file_queue_limit(st->st_rdev, "discard_max_bytes") != 0;
	return true;
}

static void blk_file_measure_file(struct blk_file *f, const struct stat *st)
{
	struct blk_info *info = &f->base.info;
	bool pages = st->st_blksize % 4096 == 0 && st->st_size % 4096 == 0;
	struct statfs fs;

	info->size = (uint64_t)st->st_size;
	info->block_size = BLK_UNIT;
	info->block_phys = pages ? 4096 : 512; /* what the host's file system works with */
	info->discard_align = (uint32_t)CLAMP(st->st_blksize, 512, 1 << 20);
	/* A hole beyond the end changes nothing, and tells whether holes can be had at all. */
	info->discard = !info->ro && fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       st->st_size, 4096) == 0;
	f->in_memory = fstatfs(f->fd, &fs) == 0 &&
		       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* The smallest power of two from 512 on at which direct reads succeed; 0: none. */
static uint32_t blk_file_probe_direct(int fd)
{
	uint32_t found = 0;
	void *buf;

	if (posix_memalign(&buf, 4096, 4096) != 0)
		return 0;
	for (uint32_t n = 512; n <= 4096 && !found; n *= 2)
		if (pread(fd, buf, n, (off_t)n) >= 0)
			found = n;
	free(buf);
	return found;
}

static bool blk_file_measure_direct(struct blk_file *f, const struct blk_file_options *o,
				    GError **err)
{
	uint32_t align = 0;

	f->mem_align = 4096;
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    sx.stx_mask & STATX_DIOALIGN && sx.stx_dio_mem_align) {
		f->mem_align = sx.stx_dio_mem_align;
		align = sx.stx_dio_offset_align;
	}
#endif
	if (!align)
		align = blk_file_probe_direct(f->fd);
	if (!align || align > 4096 || f->mem_align > 4096)
		return ringside_usage(err, "%s: direct=on: its file system has no direct I/O",
				      o->what);
	f->dio_align = MAX(align, f->is_bdev ? f->base.info.block_size : BLK_UNIT);
	return true;
}

static bool blk_file_measure(struct blk_file *f, const struct blk_file_options *o, GError **err)
{
	struct blk_info *info = &f->base.info;
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return ringside_error_errno(err, errno, "%s", o->what);
	info->ro = o->ro;
	if (!f->is_bdev)
		blk_file_measure_file(f, &st);
	else if (!blk_file_measure_bdev(f, &st))
		return ringside_error_errno(err, errno, "%s", o->what);
	if (o->direct && !blk_file_measure_direct(f, o, err))
		return false;
	if (info->size == 0)
		return ringside_usage(err, "%s: is empty; make it as large as the disk shall be",
				      o->what);
	info->block_phys = MAX(info->block_phys, MAX(info->block_size, f->dio_align));
	info->discard_align = MAX(info->discard_align, MAX(BLK_UNIT, f->dio_align));
	info->discard &= !info->ro;
	if (info->size % MAX(BLK_UNIT, f->dio_align))
		return ringside_usage(
			err, "%s: its size, %" G_GUINT64_FORMAT ", is not a multiple of %u bytes%s",
			o->what, info->size, MAX(BLK_UNIT, f->dio_align),
			info->size % BLK_UNIT ? "" : ", as direct=on needs here");
	blk_file_set_range(f);
	return true;
}

struct blk_backend *blk_file_open(const struct blk_file_options *o, GError **err)
{
	struct blk_file *f = g_new0(struct blk_file, 1);
	int r;

	f->base.ops = &file_ops;
	f->base.syscalls = file_syscalls;
	f->fd = -1;
	f->aio = o->aio;
	f->direct = o->direct;
	f->dio_align = 1;
	pthread_mutex_init(&f->claims.lock, NULL);
	f->path = g_strdup(o->path);
	f->new_worker = o->worker;
	f->opaque = o->opaque;
	for (unsigned i = 0; i < BLK_ZERO_IOVS; i++)
		f->zeroes[i] = (struct iovec){ (void *)zero_block, BLK_ZERO_BYTES };
	if (blk_file_open_fd(f, o, err) && blk_file_lock(f, o, err) &&
	    blk_file_measure(f, o, err)) {
		r = o->aio == BLK_AIO_URING ? blk_uring_probe() : 0;
		if (r == 0)
			return &f->base;
		ringside_error_errno(err, -r, "%s: aio=uring (aio=auto works without it)", o->what);
	}
	blk_file_close(&f->base);
	return NULL;
}
