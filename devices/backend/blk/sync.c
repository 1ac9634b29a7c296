/*
 * The synchronous channel: system calls of one's own. For hosts that permit no io_uring, and for
 * files that lie in memory, where such a call costs less than a ring and never waits for a disk.
 *
 * A step that may wait for a disk is the worker's (worker.c). What the page cache can do at once is
 * tried here before, with RWF_NOWAIT. Once the turn's budget is used up, what is left waits for the
 * next.
 */
#include "devices/backend/blk/file.h"

#include <errno.h>
#include <sys/uio.h>

/* Does what of a read or write takes no wait. False: nothing. */
static bool blk_sync_at_once(struct blk_file *f, const struct blk_step *s, int64_t *ret_n)
{
	bool write = s->kind == STEP_WRITE;
	_Atomic bool *waits = write ? &f->write_waits : &f->read_waits;
	ssize_t n;

	if ((!write && s->kind != STEP_READ) || f->direct || s->flags || *waits)
		return false;
	n = write ? pwritev2(f->fd, s->iov, (int)s->n_iov, (off_t)s->offset, RWF_NOWAIT)
		  : preadv2(f->fd, s->iov, (int)s->n_iov, (off_t)s->offset, RWF_NOWAIT);
	if (n < 0 && errno == EOPNOTSUPP)
		*waits = true;
	*ret_n = n;
	return n > 0;
}

/* Takes the step here; false if that is the worker's. */
static bool blk_sync_take_step(struct blk_file_channel *ch, const struct blk_io *io,
			       const struct blk_step *s, int64_t *ret_n)
{
	if (ch->file->worker)
		return blk_sync_at_once(ch->file, s, ret_n);
	if (s->kind == STEP_FALLOCATE)
		ch->spent += s->len; /* of pages to be given back */
	*ret_n = blk_step_run(ch, io, s);
	return true;
}

/* Goes on with @io while the budget lasts. */
static void blk_sync_go_on(struct blk_file_channel *ch, struct blk_io *io)
{
	struct blk_step step;
	int64_t n;
	int result;

	do {
		if (blk_channel_spent(ch) || ch->state != BLK_RUNS) {
			blk_channel_append(ch, io);
			return; /* flush() comes, or undone() */
		}
		blk_step_next(ch->file, io, &step);
		if (!blk_claim(ch, io, &step))
			return;
		blk_channel_spend(ch, &step);
		if (!blk_sync_take_step(ch, io, &step, &n)) {
			blk_worker_hand(ch, io);
			return;
		}
	} while (!blk_step_done(ch->file, io, &step, n, &result));
	io->done(io, result);
}

static void blk_sync_submit(struct blk_channel *base, struct blk_io *io)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;
	int result;

	if (blk_step_begin(ch->file, io, &result)) {
		io->done(io, result);
		return;
	}
	blk_channel_number(ch, io);
	blk_sync_go_on(ch, io);
}

/* The end of a batch, and another turn for what is left of the last one. */
static void blk_sync_flush(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;

	blk_channel_new_turn(ch);
	while (ch->first && !blk_channel_spent(ch) && ch->state == BLK_RUNS)
		blk_sync_go_on(ch, blk_channel_take(ch));
	if (ch->first && ch->state == BLK_RUNS)
		blk_channel_again(ch);
}

static bool blk_sync_stop(struct blk_channel *base)
{
	return blk_channel_stop((struct blk_file_channel *)base);
}

static void blk_sync_free(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;

	blk_channel_fini(ch);
	g_free(ch);
}

static const struct blk_channel_ops sync_ops = {
	.submit = blk_sync_submit,
	.flush = blk_sync_flush,
	.stop = blk_sync_stop,
	.undone = blk_channel_undone,
	.free = blk_sync_free,
};

struct blk_channel *blk_sync_channel_new(struct blk_file *f, const struct blk_owner *owner)
{
	struct blk_file_channel *ch = g_new0(struct blk_file_channel, 1);

	blk_channel_init(ch, &sync_ops, f, owner);
	return &ch->base;
}
