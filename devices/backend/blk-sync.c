/*
 * The synchronous channel: an ordinary request is over when submit() returns. For hosts that permit
 * no io_uring, and for files that lie in memory, where a system call of one's own costs less than a
 * ring and never waits for a disk.
 *
 * Once the turn's budget is used up, what is left waits for the next.
 */
#include "devices/backend/blk-file.h"

/* Goes on with @io while the budget lasts. */
static void go_on(struct blk_file_channel *ch, struct blk_io *io)
{
	struct blk_step step;
	int result;

	do {
		if (blk_channel_spent(ch)) {
			blk_channel_append(ch, io);
			return; /* flush() comes */
		}
		blk_step_next(ch->file, io, &step);
		if (!blk_claim(ch, io, &step))
			return;
		blk_channel_spend(ch, &step);
	} while (!blk_step_done(ch->file, io, &step, blk_step_run(ch, io, &step), &result));
	io->done(io, result);
}

static void sync_submit(struct blk_channel *base, struct blk_io *io)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;
	int result;

	if (blk_step_begin(ch->file, io, &result))
		io->done(io, result);
	else
		go_on(ch, io);
}

/* The end of a batch, and another turn for what is left of the last one. */
static void sync_flush(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;

	blk_channel_new_turn(ch);
	while (ch->first && !blk_channel_spent(ch))
		go_on(ch, blk_channel_take(ch));
	if (ch->first)
		blk_channel_again(ch);
}

static void sync_drain(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;

	while (ch->first)
		sync_flush(base);
}

static void sync_free(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;

	blk_channel_fini(ch);
	g_free(ch);
}

static const struct blk_channel_ops sync_ops = {
	.submit = sync_submit,
	.flush = sync_flush,
	.drain = sync_drain,
	.free = sync_free,
};

struct blk_channel *blk_sync_channel_new(struct blk_file *f, const struct blk_owner *owner)
{
	struct blk_file_channel *ch = g_new0(struct blk_file_channel, 1);

	blk_channel_init(ch, &sync_ops, f, owner);
	return &ch->base;
}
