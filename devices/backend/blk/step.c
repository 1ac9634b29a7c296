/*
 * What a request to a file needs next: one system call at a time, decided here for the synchronous
 * and the io_uring channel alike.
 *
 * A read or write goes through its iovecs in slices, because the kernel takes 1024 iovecs at most
 * and may do less than it was asked, and because one huge request must not hold up its loop. The
 * iovecs themselves are never changed: a position in them is kept (struct blk_progress), and what
 * is left of a partly done one is named by at.one.
 *
 * Zeroing tries the cheap ways first (phases below) and remembers what the host refused.
 *
 * With O_DIRECT, what the host cannot take as it is goes through the channel's bounce buffer:
 * buffers that do not lie as it wants them, and requests of parts of its blocks, whose rest is read
 * before the whole is written. Drivers hardly ever have such, so this is the worker's, even on an
 * io_uring channel. The rest of a block must not change meanwhile: see claim.c.
 */
#include "devices/backend/blk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	PHASE_RW,
	PHASE_BOUNCE,
	PHASE_PUNCH, /* give the space back, reads as zeroes */
	PHASE_RANGE, /* keep the space, reads as zeroes */
	PHASE_ZEROES,
	PHASE_SYNC,
	PHASE_BLKDISCARD,
};

/* Moves io's position on by @n bytes, to a byte that exists unless that was the last. */
static void blk_step_advance(struct blk_io *io, uint64_t n)
{
	io->at.bytes += n;
	n += io->at.skip;
	while (io->at.iov < io->n_iov && n >= io->iov[io->at.iov].iov_len)
		n -= io->iov[io->at.iov++].iov_len;
	io->at.skip = n;
}

static bool blk_step_aligned(const struct blk_file *f, const struct blk_io *io)
{
	for (unsigned i = 0; i < io->n_iov; i++)
		if ((uintptr_t)io->iov[i].iov_base % f->mem_align ||
		    io->iov[i].iov_len % f->dio_align)
			return false;
	return io->offset % f->dio_align == 0;
}

static unsigned blk_step_first_phase(const struct blk_file *f, const struct blk_io *io)
{
	switch (io->op) {
	case BLK_READ:
	case BLK_WRITE:
		return f->direct && !blk_step_aligned(f, io) ? PHASE_BOUNCE : PHASE_RW;
	case BLK_DISCARD:
		return f->no_punch ? PHASE_BLKDISCARD : PHASE_PUNCH;
	case BLK_ZERO:
		if (io->flags & BLK_IO_UNMAP && f->base.info.discard && !f->no_punch)
			return PHASE_PUNCH;
		return f->no_zero_range ? PHASE_ZEROES : PHASE_RANGE;
	case BLK_FLUSH:
		break;
	}
	return PHASE_SYNC;
}

bool blk_step_begin(struct blk_file *f, struct blk_io *io, int *ret_result)
{
	io->at = (struct blk_progress){ 0 };
	if (io->op == BLK_FLUSH && f->flush_error) {
		*ret_result = f->flush_error;
		return true;
	}
	if ((io->op != BLK_FLUSH && io->len == 0) ||
	    (io->op == BLK_DISCARD && (!f->base.info.discard || (f->no_punch && !f->is_bdev)))) {
		*ret_result = 0;
		return true;
	}
	io->at.phase = blk_step_first_phase(f, io);
	if (io->at.phase == PHASE_RW || io->at.phase == PHASE_BOUNCE)
		blk_step_advance(io, 0);
	return false;
}

static void blk_step_next_rw(struct blk_io *io, struct blk_step *s)
{
	const struct iovec *v = &io->iov[io->at.iov];
	unsigned left = io->n_iov - io->at.iov;

	if (io->at.skip || v->iov_len > BLK_SLICE_BYTES) {
		io->at.one.iov_base = (uint8_t *)v->iov_base + io->at.skip;
		io->at.one.iov_len = MIN(v->iov_len - io->at.skip, BLK_SLICE_BYTES);
		s->iov = &io->at.one;
		s->n_iov = 1;
		s->len = io->at.one.iov_len;
		return;
	}
	s->iov = v;
	while (s->n_iov < MIN(left, BLK_SLICE_IOVS) &&
	       v[s->n_iov].iov_len <= BLK_SLICE_BYTES - s->len)
		s->len += v[s->n_iov++].iov_len;
}

/* As much as the bounce buffer takes, with the rest of the first block before it. */
static void blk_step_next_bounce(const struct blk_file *f, struct blk_step *s)
{
	s->kind = STEP_BOUNCE;
	s->len = MIN(s->len, BLK_BOUNCE - s->offset % f->dio_align);
}

static void blk_step_next_zeroes(const struct blk_file *f, struct blk_io *io, struct blk_step *s)
{
	uint64_t before = s->offset % f->dio_align, left = s->len - s->len % f->dio_align;

	s->kind = STEP_WRITE;
	if (before || !left) { /* a part of a block */
		s->kind = STEP_BOUNCE;
		s->len = MIN(s->len, f->dio_align - before);
		return;
	}
	if (left < BLK_ZERO_BYTES) {
		io->at.one = (struct iovec){ f->zeroes[0].iov_base, left };
		s->iov = &io->at.one;
		s->n_iov = 1;
		s->len = left;
		return;
	}
	s->iov = f->zeroes;
	s->n_iov = MIN(left / BLK_ZERO_BYTES, BLK_ZERO_IOVS);
	s->len = (uint64_t)s->n_iov * BLK_ZERO_BYTES;
}

/* To the next multiple of the largest piece, so that no unit of discarding is cut. */
static void blk_step_next_range(const struct blk_file *f, struct blk_step *s)
{
	s->len = MIN(s->len, f->range - s->offset % f->range);
}

void blk_step_next(const struct blk_file *f, struct blk_io *io, struct blk_step *s)
{
	*s = (struct blk_step){ .offset = io->offset + io->at.bytes,
				.len = io->len - io->at.bytes };
	switch (io->at.phase) {
	case PHASE_RW:
		s->kind = io->op == BLK_WRITE ? STEP_WRITE : STEP_READ;
		s->len = 0;
		blk_step_next_rw(io, s);
		break;
	case PHASE_BOUNCE:
		blk_step_next_bounce(f, s);
		break;
	case PHASE_ZEROES:
		blk_step_next_zeroes(f, io, s);
		break;
	case PHASE_PUNCH:
		s->kind = STEP_FALLOCATE;
		s->flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
		blk_step_next_range(f, s);
		break;
	case PHASE_RANGE:
		s->kind = STEP_FALLOCATE;
		s->flags = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
		blk_step_next_range(f, s);
		break;
	case PHASE_BLKDISCARD:
		s->kind = STEP_BLKDISCARD;
		blk_step_next_range(f, s);
		break;
	default:
		s->kind = STEP_SYNC;
		break;
	}
	if (io->op == BLK_WRITE && io->flags & BLK_IO_STABLE)
		s->flags = RWF_DSYNC;
}

static bool blk_step_not_supported(int64_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENOTTY;
}

/* The end of a request that went well, but for making it stable. */
static bool blk_step_finished(struct blk_io *io, int *ret_result)
{
	if (io->op == BLK_ZERO && io->flags & BLK_IO_STABLE && io->at.phase != PHASE_SYNC) {
		io->at.phase = PHASE_SYNC;
		return false;
	}
	*ret_result = 0;
	return true;
}

static bool blk_step_failed(struct blk_file *f, struct blk_io *io, int64_t result, int *ret_result)
{
	/* The kernel tells of a failed write-back once and then forgets the data: from here on a
	 * flush that succeeds would be a lie. */
	if (io->at.phase == PHASE_SYNC || (io->flags & BLK_IO_STABLE && result == -EIO))
		f->flush_error = (int)result;
	*ret_result = (int)result;
	return true;
}

/* A way of zeroing or discarding was refused: on to the next, with what is left. */
static bool blk_step_next_way(struct blk_file *f, struct blk_io *io, bool for_good, int *ret_result)
{
	if (io->at.phase == PHASE_PUNCH) {
		if (for_good)
			f->no_punch = true;
		if (io->op == BLK_DISCARD && !f->is_bdev)
			return blk_step_finished(io, ret_result);
		io->at.phase = io->op == BLK_DISCARD ? PHASE_BLKDISCARD
			       : f->no_zero_range    ? PHASE_ZEROES
						     : PHASE_RANGE;
		return false;
	}
	if (io->at.phase == PHASE_RANGE) {
		if (for_good)
			f->no_zero_range = true;
		io->at.phase = PHASE_ZEROES;
		return false;
	}
	return blk_step_finished(io, ret_result); /* BLKDISCARD: it was but a hint */
}

bool blk_step_done(struct blk_file *f, struct blk_io *io, const struct blk_step *step,
		   int64_t result, int *ret_result)
{
	bool ways = step->kind == STEP_FALLOCATE || step->kind == STEP_BLKDISCARD;

	blk_claim_end(f, io);
	if (result == -EINTR || result == -ECANCELED)
		return false;
	if (ways && result < 0 && (blk_step_not_supported(result) || result == -EINVAL))
		return blk_step_next_way(f, io, blk_step_not_supported(result), ret_result);
	if (result < 0)
		return blk_step_failed(f, io, result, ret_result);
	if (step->kind == STEP_SYNC)
		return blk_step_finished(io, ret_result);
	if (ways)
		result = (int64_t)step->len;
	if (result == 0) /* somebody made the file shorter */
		return blk_step_failed(f, io, -EIO, ret_result);
	if (ways || io->op == BLK_ZERO)
		io->at.bytes += (uint64_t)result;
	else
		blk_step_advance(io, (uint64_t)result);
	return io->at.bytes >= io->len && blk_step_finished(io, ret_result);
}

/* Copies @len bytes between io's buffers, from its position on, and @flat. */
static void blk_step_copy(const struct blk_io *io, uint8_t *flat, size_t len, bool from_io)
{
	size_t skip = io->at.skip;

	for (unsigned i = io->at.iov; len > 0; i++) {
		uint8_t *part = (uint8_t *)io->iov[i].iov_base + skip;
		size_t n = MIN(len, io->iov[i].iov_len - skip);

		memcpy(from_io ? flat : part, from_io ? part : flat, n);
		flat += n;
		len -= n;
		skip = 0;
	}
}

/* The blocks around a part of them, in the bounce buffer. */
struct window {
	uint8_t *p;
	uint64_t start;
	size_t len, head, tail; /* @head and @tail: what lies around the part */
};

static int64_t blk_step_read_block(const struct blk_file *f, const struct window *w, size_t at)
{
	const struct iovec v = { w->p + at, f->dio_align };
	ssize_t n = preadv2(f->fd, &v, 1, (off_t)(w->start + at), 0);

	return n == (ssize_t)f->dio_align ? 0 : n < 0 ? n : -EIO;
}

static int64_t blk_step_write_window(const struct blk_file *f, const struct blk_io *io,
				     const struct blk_step *s, const struct window *w)
{
	const struct iovec v = { w->p, w->len };
	size_t last = w->len - f->dio_align;
	int64_t r = w->head ? blk_step_read_block(f, w, 0) : 0;

	if (r == 0 && w->tail && (last || !w->head))
		r = blk_step_read_block(f, w, last);
	if (r)
		return r;
	if (io->op == BLK_ZERO)
		memset(w->p + w->head, 0, s->len);
	else
		blk_step_copy(io, w->p + w->head, s->len, true);
	return pwritev2(f->fd, &v, 1, (off_t)w->start, s->flags);
}

static int64_t blk_step_bounce(struct blk_file_channel *ch, const struct blk_io *io,
			       const struct blk_step *s)
{
	uint64_t align = ch->file->dio_align, end = s->offset + s->len;
	struct window w = { .head = s->offset % align, .tail = (align - end % align) % align };
	struct iovec v;
	int64_t n;

	if (!ch->bounce && posix_memalign(&ch->bounce, 4096, BLK_BOUNCE) != 0)
		return -ENOMEM;
	w.p = ch->bounce;
	w.start = s->offset - w.head;
	w.len = w.head + s->len + w.tail;
	v = (struct iovec){ w.p, w.len };
	n = io->op == BLK_READ ? preadv2(ch->file->fd, &v, 1, (off_t)w.start, 0)
			       : blk_step_write_window(ch->file, io, s, &w);
	if (n < 0)
		return n;
	n = CLAMP(n - (int64_t)w.head, 0, (int64_t)s->len);
	if (io->op == BLK_READ)
		blk_step_copy(io, w.p + w.head, (size_t)n, false);
	return n;
}

static int64_t blk_step_system_call(struct blk_file_channel *ch, const struct blk_io *io,
				    const struct blk_step *s)
{
	int fd = ch->file->fd;
	off_t offset = (off_t)s->offset;
	uint64_t range[2] = { s->offset, s->len };

	switch (s->kind) {
	case STEP_READ:
		return s->n_iov == 1 ? pread(fd, s->iov->iov_base, s->iov->iov_len, offset)
				     : preadv(fd, s->iov, (int)s->n_iov, offset);
	case STEP_WRITE:
		return pwritev2(fd, s->iov, (int)s->n_iov, offset, s->flags);
	case STEP_FALLOCATE:
		return fallocate(fd, s->flags, offset, (off_t)s->len);
	case STEP_SYNC:
		return fdatasync(fd);
	case STEP_BLKDISCARD:
		return ioctl(fd, BLKDISCARD, range);
	case STEP_BOUNCE:
		break;
	}
	return blk_step_bounce(ch, io, s);
}

int64_t blk_step_run(struct blk_file_channel *ch, const struct blk_io *io, const struct blk_step *s)
{
	int64_t n = blk_step_system_call(ch, io, s);

	return n == -1 ? -errno : n;
}
