#include "devices/backend/net/wrap.h"

static struct net_backend *net_wrap_next(struct net_backend *be)
{
	return ((struct net_wrap *)be)->next;
}

static void net_wrap_close(struct net_backend *be)
{
	net_backend_close(net_wrap_next(be));
	g_free(be);
}

static int net_wrap_send(struct net_backend *be, unsigned channel, const struct iovec *iov,
			 unsigned n, const struct net_offload *off)
{
	struct net_backend *next = net_wrap_next(be);

	return next->ops->send(next, channel, iov, n, off);
}

static void net_wrap_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct net_backend *next = net_wrap_next(be);

	next->ops->receive(next, channel, on);
}

static void net_wrap_discard(struct net_backend *be, unsigned channel)
{
	struct net_backend *next = net_wrap_next(be);

	if (next->ops->discard)
		next->ops->discard(next, channel);
}

static int net_wrap_set_offloads(struct net_backend *be, unsigned work)
{
	struct net_backend *next = net_wrap_next(be);

	return next->ops->set_offloads ? next->ops->set_offloads(next, work) : 0;
}

static int net_wrap_set_channels(struct net_backend *be, unsigned n)
{
	struct net_backend *next = net_wrap_next(be);

	return next->ops->set_channels ? next->ops->set_channels(next, n) : 0;
}

static void net_wrap_restart(struct net_backend *be)
{
	struct net_backend *next = net_wrap_next(be);

	if (next->ops->restart)
		next->ops->restart(next);
}

const struct net_backend_ops net_wrap_ops = {
	.close = net_wrap_close,
	.send = net_wrap_send,
	.receive = net_wrap_receive,
	.discard = net_wrap_discard,
	.set_offloads = net_wrap_set_offloads,
	.set_channels = net_wrap_set_channels,
	.restart = net_wrap_restart,
};

static bool net_wrap_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
			   const struct net_offload *off)
{
	const struct net_wrap *w = opaque;

	return w->base.events->frame(w->base.opaque, channel, data, len, off);
}

static void net_wrap_batch_end(void *opaque, unsigned channel)
{
	const struct net_wrap *w = opaque;

	w->base.events->batch_end(w->base.opaque, channel);
}

static void net_wrap_writable(void *opaque, unsigned channel)
{
	const struct net_wrap *w = opaque;

	w->base.events->writable(w->base.opaque, channel);
}

static void net_wrap_link(void *opaque, bool up)
{
	const struct net_wrap *w = opaque;

	w->base.events->link(w->base.opaque, up);
}

static void net_wrap_trouble(void *opaque, bool guest, const char *text)
{
	const struct net_wrap *w = opaque;

	w->base.events->trouble(w->base.opaque, guest, text);
}

const struct net_events net_wrap_events = {
	.frame = net_wrap_frame,
	.batch_end = net_wrap_batch_end,
	.writable = net_wrap_writable,
	.link = net_wrap_link,
	.trouble = net_wrap_trouble,
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
