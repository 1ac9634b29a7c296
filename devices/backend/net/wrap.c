#include "devices/backend/net/wrap.h"

static struct net_backend *next_of(struct net_backend *be)
{
	return ((struct net_wrap *)be)->next;
}

static void wrap_close(struct net_backend *be)
{
	net_backend_close(next_of(be));
	g_free(be);
}

static int wrap_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct net_backend *next = next_of(be);

	return next->ops->send(next, channel, iov, n, off);
}

static void wrap_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct net_backend *next = next_of(be);

	next->ops->receive(next, channel, on);
}

static void wrap_discard(struct net_backend *be, unsigned channel)
{
	struct net_backend *next = next_of(be);

	if (next->ops->discard)
		next->ops->discard(next, channel);
}

static int wrap_set_offloads(struct net_backend *be, unsigned work)
{
	struct net_backend *next = next_of(be);

	return next->ops->set_offloads ? next->ops->set_offloads(next, work) : 0;
}

static int wrap_set_channels(struct net_backend *be, unsigned n)
{
	struct net_backend *next = next_of(be);

	return next->ops->set_channels ? next->ops->set_channels(next, n) : 0;
}

static void wrap_restart(struct net_backend *be)
{
	struct net_backend *next = next_of(be);

	if (next->ops->restart)
		next->ops->restart(next);
}

const struct net_backend_ops net_wrap_ops = {
	.close = wrap_close,
	.send = wrap_send,
	.receive = wrap_receive,
	.discard = wrap_discard,
	.set_offloads = wrap_set_offloads,
	.set_channels = wrap_set_channels,
	.restart = wrap_restart,
};

static bool wrap_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		       const struct net_offload *off)
{
	const struct net_wrap *w = opaque;

	return w->base.events->frame(w->base.opaque, channel, data, len, off);
}

static void wrap_batch_end(void *opaque, unsigned channel)
{
	const struct net_wrap *w = opaque;

	w->base.events->batch_end(w->base.opaque, channel);
}

static void wrap_writable(void *opaque, unsigned channel)
{
	const struct net_wrap *w = opaque;

	w->base.events->writable(w->base.opaque, channel);
}

static void wrap_link(void *opaque, bool up)
{
	const struct net_wrap *w = opaque;

	w->base.events->link(w->base.opaque, up);
}

static void wrap_trouble(void *opaque, bool guest, const char *text)
{
	const struct net_wrap *w = opaque;

	w->base.events->trouble(w->base.opaque, guest, text);
}

const struct net_events net_wrap_events = {
	.frame = wrap_frame,
	.batch_end = wrap_batch_end,
	.writable = wrap_writable,
	.link = wrap_link,
	.trouble = wrap_trouble,
};

void net_wrap_init(struct net_wrap *w, struct net_backend *next, const struct net_backend_ops *ops,
		   const struct net_events *events)
{
	w->base = *next;
	w->base.ops = ops;
	w->next = next;
	next->events = events;
	next->opaque = w;
}
