#include "tests/blk-spy.h"

#include "devices/blk/blk.h"

struct spy_channel {
	struct blk_channel base;
	struct spy *spy;
	struct blk_channel *next;
};

static void spy_submit(struct blk_channel *base, struct blk_io *io)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	ch->spy->n[io->op]++;
	ch->spy->flags = io->flags;
	if (ch->spy->hold)
		g_ptr_array_add(ch->spy->held, io);
	else
		ch->next->ops->submit(ch->next, io);
}

static void spy_flush(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	ch->next->ops->flush(ch->next);
}

/* Last held, first submitted: nobody was promised an order. */
static void spy_drain(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	while (ch->spy->held->len) {
		guint last = ch->spy->held->len - 1;

		ch->next->ops->submit(ch->next, g_ptr_array_steal_index(ch->spy->held, last));
		ch->next->ops->drain(ch->next);
	}
	ch->next->ops->drain(ch->next);
}

static void spy_free(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	ch->next->ops->free(ch->next);
	g_free(ch);
}

static const struct blk_channel_ops spy_channel_ops = { spy_submit, spy_flush, spy_drain,
							spy_free };

static struct blk_channel *spy_channel_new(struct blk_backend *be, struct loop *loop,
					   void (*batch_done)(void *arg), void *arg)
{
	struct spy_channel *ch = g_new0(struct spy_channel, 1);

	ch->base.ops = &spy_channel_ops;
	ch->spy = (struct spy *)be;
	ch->next = ch->spy->next->ops->channel_new(ch->spy->next, loop, batch_done, arg);
	return &ch->base;
}

static void spy_close(struct blk_backend *be)
{
	struct spy *spy = (struct spy *)be;

	spy->next->ops->close(spy->next);
	g_ptr_array_unref(spy->held);
	g_free(spy);
}

static const struct blk_backend_ops spy_ops = { .channel_new = spy_channel_new,
						.close = spy_close };

struct spy *spy_on(struct rig *r)
{
	struct blk *blk = (struct blk *)rig_dev(r);
	struct spy *spy = g_new0(struct spy, 1);

	spy->base.ops = &spy_ops;
	spy->base.info = blk->backend->info;
	spy->next = blk->backend;
	spy->held = g_ptr_array_new();
	blk->backend = &spy->base;
	return spy;
}
