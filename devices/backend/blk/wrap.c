#include "devices/backend/blk/wrap.h"

void blk_wrap_submit(struct blk_channel *base, struct blk_io *io)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;

	ch->next->ops->submit(ch->next, io);
}

void blk_wrap_flush(struct blk_channel *base)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;

	ch->next->ops->flush(ch->next);
}

bool blk_wrap_stop(struct blk_channel *base)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;

	ch->stopped = true;
	return ch->next->ops->stop(ch->next);
}

struct blk_io *blk_wrap_undone(struct blk_channel *base)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;

	return ch->next->ops->undone(ch->next);
}

void blk_wrap_free(struct blk_channel *base)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;

	ch->next->ops->free(ch->next);
	g_free(ch);
}

static struct blk_channel *blk_wrap_channel_new(struct blk_backend *be,
						const struct blk_owner *owner)
{
	struct blk_wrap *w = (struct blk_wrap *)be;
	struct blk_wrap_channel *ch = g_new0(struct blk_wrap_channel, 1);

	ch->base.ops = w->channel_ops;
	ch->wrap = w;
	ch->next = w->next->ops->channel_new(w->next, owner);
	return &ch->base;
}

static int blk_wrap_prepare(struct blk_backend *be, unsigned n)
{
	struct blk_backend *next = ((struct blk_wrap *)be)->next;

	return next->ops->prepare ? next->ops->prepare(next, n) : 0;
}

static bool blk_wrap_resize(struct blk_backend *be, uint64_t size, GError **err)
{
	struct blk_backend *next = ((struct blk_wrap *)be)->next;
	bool ok = blk_backend_resize(next, size, err);

	be->info.size = next->info.size;
	return ok;
}

static void blk_wrap_close(struct blk_backend *be)
{
	struct blk_wrap *w = (struct blk_wrap *)be;

	w->next->ops->close(w->next);
	g_free(w);
}

static const struct blk_backend_ops blk_wrap_ops = {
	.channel_new = blk_wrap_channel_new,
	.prepare = blk_wrap_prepare,
	.close = blk_wrap_close,
	.resize = blk_wrap_resize,
};

void blk_wrap_init(struct blk_wrap *w, struct blk_backend *next, const struct blk_channel_ops *ops)
{
	w->base = *next;
	w->base.ops = &blk_wrap_ops;
	w->next = next;
	w->channel_ops = ops;
}
