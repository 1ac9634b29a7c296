#include "tests/support/blk-spy.h"

#include "devices/blk/blk.h"

struct spy_channel {
	struct blk_channel base;
	struct spy *spy;
	struct blk_owner owner;
	struct blk_channel *next;
	bool stopping; /* and waits for what is in hand */
};

static void spy_submit(struct blk_channel *base, struct blk_io *io)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	ch->spy->n[io->op] += !ch->stopping;
	ch->spy->flags = io->flags;
	if (ch->spy->hold || ch->stopping)
		g_ptr_array_add(ch->spy->held, io);
	else
		ch->next->ops->submit(ch->next, io);
}

static void spy_flush(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	ch->next->ops->flush(ch->next);
}

static bool spy_stop(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;
	struct spy *spy = ch->spy;

	spy->stopped++;
	ch->stopping = spy->in_hand && spy->held->len;
	return !ch->stopping && ch->next->ops->stop(ch->next);
}

static void spy_stopped(void *arg)
{
	const struct spy_channel *ch = arg;

	ch->owner.stopped(ch->owner.arg);
}

static void spy_batch_done(void *arg)
{
	const struct spy_channel *ch = arg;

	ch->owner.batch_done(ch->owner.arg);
}

static struct blk_io *spy_undone(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;
	GPtrArray *held = ch->spy->held;
	struct blk_io *first = ch->next->ops->undone(ch->next), **last = &first;

	while (*last)
		last = &(*last)->next;
	for (guint i = 0; i < held->len; i++) {
		*last = g_ptr_array_index(held, i);
		last = &(*last)->next;
	}
	*last = NULL;
	g_ptr_array_set_size(held, 0);
	return first;
}

/* What their ends lead to is held again while the channel stops. */
void spy_let_go(struct spy *spy)
{
	struct spy_channel *ch = g_ptr_array_index(spy->channels, 0);

	for (guint n = spy->held->len; n > 0; n--) {
		ch->next->ops->submit(ch->next, g_ptr_array_steal_index(spy->held, n - 1));
		ch->next->ops->flush(ch->next);
	}
	spy_batch_done(ch);
	if (ch->stopping && ch->next->ops->stop(ch->next))
		spy_stopped(ch);
}

void spy_let_go_once_asked(void *arg)
{
	struct spy *spy = arg;

	if (!spy->stopped)
		loop_post(spy->loop, spy_let_go_once_asked, spy);
	else
		spy_let_go(spy);
}

static void spy_free(struct blk_channel *base)
{
	struct spy_channel *ch = (struct spy_channel *)base;

	g_ptr_array_remove(ch->spy->channels, ch);
	ch->next->ops->free(ch->next);
	g_free(ch);
}

static const struct blk_channel_ops spy_channel_ops = { spy_submit, spy_flush, spy_stop, spy_undone,
							spy_free };

static struct blk_channel *spy_channel_new(struct blk_backend *be, const struct blk_owner *owner)
{
	struct spy_channel *ch = g_new0(struct spy_channel, 1);
	const struct blk_owner ours = { owner->loop, spy_batch_done, spy_stopped, ch };

	ch->base.ops = &spy_channel_ops;
	ch->spy = (struct spy *)be;
	ch->owner = *owner;
	ch->next = ch->spy->next->ops->channel_new(ch->spy->next, &ours);
	g_ptr_array_add(ch->spy->channels, ch);
	return &ch->base;
}

static void spy_close(struct blk_backend *be)
{
	struct spy *spy = (struct spy *)be;

	spy->next->ops->close(spy->next);
	g_ptr_array_unref(spy->held);
	g_ptr_array_unref(spy->channels);
	g_free(spy);
}

static bool spy_resize(struct blk_backend *be, uint64_t size, GError **err)
{
	struct spy *spy = (struct spy *)be;
	bool ok = blk_backend_resize(spy->next, size, err);

	be->info.size = spy->next->info.size;
	return ok;
}

static const struct blk_backend_ops spy_ops = { .channel_new = spy_channel_new,
						.close = spy_close,
						.resize = spy_resize };

struct spy *spy_on(struct rig *r)
{
	struct blk *blk = (struct blk *)rig_dev(r);
	struct spy *spy = g_new0(struct spy, 1);

	spy->base.ops = &spy_ops;
	spy->base.info = blk->backend->info;
	spy->next = blk->backend;
	spy->held = g_ptr_array_new();
	spy->channels = g_ptr_array_new();
	blk->backend = &spy->base;
	return spy;
}
