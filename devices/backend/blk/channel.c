/*
 * What the two kinds of channel to a file share: the list of requests that wait, a budget, and an
 * end.
 *
 * The page cache serves gigabytes without ever making us wait, and a guest can ask for gigabytes in
 * one request by naming the same page again and again. So that its loop gets on with other things,
 * a channel moves only so many bytes in one turn of it and goes on in the next.
 */
#include "devices/backend/blk/file.h"

#include <stdlib.h>

#ifndef BLK_TURN_BYTES            /* the fuzzers' is smaller */
#define BLK_TURN_BYTES (2u << 20) /* less than a millisecond from the page cache */
#endif

struct again {
	GSource source;
	struct blk_file_channel *ch;
};

static gboolean blk_channel_again_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct blk_file_channel *ch = ((struct again *)source)->ch;

	(void)callback;
	(void)data;
	g_source_set_ready_time(source, -1);
	ch->base.ops->flush(&ch->base);
	ch->owner.batch_done(ch->owner.arg);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs again_funcs = { .dispatch = blk_channel_again_dispatch };

bool blk_backend_resize(struct blk_backend *be, uint64_t size, GError **err)
{
	if (be->ops->resize)
		return be->ops->resize(be, size, err);
	return ringside_usage(err, "what stands behind it cannot be resized");
}

void blk_channel_init(struct blk_file_channel *ch, const struct blk_channel_ops *ops,
		      struct blk_file *f, const struct blk_owner *owner)
{
	ch->base.ops = ops;
	ch->file = f;
	ch->owner = *owner;
	ch->last = &ch->first;
	ch->again = g_source_new(&again_funcs, sizeof(struct again));
	((struct again *)ch->again)->ch = ch;
	g_source_attach(ch->again, loop_context(owner->loop));
}

void blk_channel_fini(struct blk_file_channel *ch)
{
	g_assert(ch->state == BLK_STOPPED && !ch->first);
	blk_claim_forget(ch);
	g_source_destroy(ch->again);
	g_source_unref(ch->again);
	free(ch->bounce);
}

void blk_channel_append(struct blk_file_channel *ch, struct blk_io *io)
{
	io->next = NULL;
	*ch->last = io;
	ch->last = &io->next;
}

void blk_channel_put_back(struct blk_file_channel *ch, struct blk_io *io)
{
	io->next = ch->first;
	if (!ch->first)
		ch->last = &io->next;
	ch->first = io;
}

struct blk_io *blk_channel_take(struct blk_file_channel *ch)
{
	struct blk_io *io = ch->first;

	ch->first = io->next;
	if (!ch->first)
		ch->last = &ch->first;
	return io;
}

void blk_channel_new_turn(struct blk_file_channel *ch)
{
	ch->spent = 0;
	ch->blocked = false;
}

void blk_channel_spend(struct blk_file_channel *ch, const struct blk_step *step)
{
	if (step->kind == STEP_READ || step->kind == STEP_WRITE || step->kind == STEP_BOUNCE)
		ch->spent += step->len;
}

bool blk_channel_spent(const struct blk_file_channel *ch)
{
	return ch->blocked || ch->spent >= BLK_TURN_BYTES;
}

void blk_channel_again(struct blk_file_channel *ch)
{
	if (!ch->blocked) /* or else the turn comes with what it waits for */
		g_source_set_ready_time(ch->again, 0);
}

/*
 * The end. What is in hand is counted; what waits is in the list, in any order.
 */
static bool blk_channel_in_hand(const struct blk_file_channel *ch)
{
	return ch->in_ring || ch->at_worker;
}

bool blk_channel_stop(struct blk_file_channel *ch)
{
	g_source_set_ready_time(ch->again, -1);
	blk_worker_take_back(ch);
	ch->state = blk_channel_in_hand(ch) ? BLK_STOPS : BLK_STOPPED;
	return ch->state == BLK_STOPPED;
}

void blk_channel_maybe_stopped(struct blk_file_channel *ch)
{
	if (ch->state != BLK_STOPS || blk_channel_in_hand(ch))
		return;
	ch->state = BLK_STOPPED;
	ch->owner.stopped(ch->owner.arg);
}

static gint blk_channel_by_seq(gconstpointer a, gconstpointer b)
{
	const struct blk_io *const *x = a, *const *y = b;

	return (*x)->at.seq < (*y)->at.seq ? -1 : 1;
}

struct blk_io *blk_channel_undone(struct blk_channel *base)
{
	struct blk_file_channel *ch = (struct blk_file_channel *)base;
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	struct blk_io *first = NULL;

	g_assert(ch->state == BLK_STOPPED);
	while (ch->first)
		g_ptr_array_add(all, blk_channel_take(ch));
	g_ptr_array_sort(all, blk_channel_by_seq);
	for (guint i = all->len; i > 0; i--) {
		struct blk_io *io = g_ptr_array_index(all, i - 1);

		io->next = first;
		first = io;
	}
	return first;
}
