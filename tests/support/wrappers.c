#include "tests/support/wrappers.h"

#include <errno.h>

#include "devices/backend/chr/wrap.h"
#include "devices/backend/net/wrap.h"

/*
 * drop.
 */
struct drop_options {
	uint32_t every;
};

static const struct prop drop_props[] = {
	{ "every", PROP_U32, offsetof(struct drop_options, every), "2", .min = 1, .max = UINT32_MAX,
	  .help = "this one of so many" },
	{ 0 },
};

struct drop_net {
	struct net_wrap wrap;
	uint32_t every;
	uint64_t sent, received;
};

static int drop_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct drop_net *d = (struct drop_net *)be;

	if (++d->sent % d->every == 0)
		return 0;
	return net_wrap_ops.send(be, channel, iov, n, off);
}

static bool drop_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		       const struct net_offload *off)
{
	struct drop_net *d = opaque;

	if (++d->received % d->every == 0)
		return true;
	if (net_wrap_events.frame(opaque, channel, data, len, off))
		return true;
	d->received--; /* it comes again */
	return false;
}

static struct net_backend *drop_before_net(struct net_backend *next, const void *options)
{
	static struct net_backend_ops ops;
	static struct net_events events;
	struct drop_net *d = g_new0(struct drop_net, 1);

	ops = net_wrap_ops;
	ops.send = drop_send;
	events = net_wrap_events;
	events.frame = drop_frame;
	d->every = ((const struct drop_options *)options)->every;
	net_wrap_init(&d->wrap, next, &ops, &events);
	return &d->wrap.base;
}

struct drop_chr {
	struct chr_wrap wrap;
	uint32_t every;
	uint64_t written;
};

static size_t drop_write(struct chr *chr, const void *buf, size_t len)
{
	struct drop_chr *d = (struct drop_chr *)chr;
	const uint8_t *p = buf;
	size_t n;

	for (n = 0; n < len; n++) {
		bool lost = (d->written + 1) % d->every == 0;

		if (!lost && !chr_wrap_ops.write(chr, p + n, 1))
			break;
		d->written++;
	}
	return n;
}

static struct chr *drop_before_chr(struct chr *next, const void *options)
{
	static struct chr_ops ops;
	struct drop_chr *d = g_new0(struct drop_chr, 1);

	ops = chr_wrap_ops;
	ops.write = drop_write;
	d->every = ((const struct drop_options *)options)->every;
	chr_wrap_init(&d->wrap, next, &ops, &chr_wrap_user);
	return &d->wrap.base;
}

static const struct backend_wrapper drop_wrapper = {
	.name = "drop",
	.help = "every Nth frame or byte is lost",
	.size = sizeof(struct drop_options),
	.props = drop_props,
	.net = drop_before_net,
	.chr = drop_before_chr,
};

/*
 * slow.
 */
static GSource *wrappers_timer(struct loop *loop, GSourceFunc fn, void *arg)
{
	GSource *source = g_timeout_source_new(1);

	g_source_set_callback(source, fn, arg, NULL);
	g_source_attach(source, loop_context(loop));
	return source;
}

struct slow_net {
	struct net_wrap wrap;
	GSource *timer;
	bool refused_send, refused_frame; /* the next one passes */
	bool on[NET_CHANNELS_MAX];
};

static gboolean slow_net_again(gpointer arg)
{
	struct slow_net *s = arg;
	struct net_wrap *w = &s->wrap;

	loop_unwatch(g_steal_pointer(&s->timer));
	for (unsigned i = 0; i < w->base.n_channels; i++) {
		w->base.events->writable(w->base.opaque, i);
		if (s->on[i])
			w->next->ops->receive(w->next, i, true);
	}
	return G_SOURCE_REMOVE;
}

static bool put_off(struct slow_net *s, bool *refused)
{
	*refused = !*refused;
	if (*refused && !s->timer)
		s->timer = wrappers_timer(s->wrap.base.loop, slow_net_again, s);
	return *refused;
}

static int slow_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct slow_net *s = (struct slow_net *)be;

	return put_off(s, &s->refused_send) ? -EAGAIN : net_wrap_ops.send(be, channel, iov, n, off);
}

static bool slow_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		       const struct net_offload *off)
{
	struct slow_net *s = opaque;

	return !put_off(s, &s->refused_frame) &&
	       net_wrap_events.frame(opaque, channel, data, len, off);
}

static void slow_receive(struct net_backend *be, unsigned channel, bool on)
{
	((struct slow_net *)be)->on[channel] = on;
	net_wrap_ops.receive(be, channel, on);
}

static void slow_net_unhook(void *arg)
{
	loop_unwatch(g_steal_pointer(&((struct slow_net *)arg)->timer));
}

static void slow_net_close(struct net_backend *be)
{
	loop_call(be->loop, slow_net_unhook, be);
	net_wrap_ops.close(be);
}

static struct net_backend *slow_before_net(struct net_backend *next, const void *options)
{
	static struct net_backend_ops ops;
	static struct net_events events;
	struct slow_net *s = g_new0(struct slow_net, 1);

	(void)options;
	ops = net_wrap_ops;
	ops.send = slow_send;
	ops.receive = slow_receive;
	ops.close = slow_net_close;
	events = net_wrap_events;
	events.frame = slow_frame;
	net_wrap_init(&s->wrap, next, &ops, &events);
	return &s->wrap.base;
}

struct slow_chr {
	struct chr_wrap wrap;
	GSource *timer; /* until then it takes nothing */
	bool readable, writable;
};

static gboolean slow_chr_again(gpointer arg)
{
	struct slow_chr *s = arg;
	struct chr *chr = &s->wrap.base;

	loop_unwatch(g_steal_pointer(&s->timer));
	chr_wrap_ops.want(chr, s->readable, s->writable);
	if (s->writable && chr->user->writable)
		chr->user->writable(chr->arg);
	return G_SOURCE_REMOVE;
}

static size_t slow_write(struct chr *chr, const void *buf, size_t len)
{
	struct slow_chr *s = (struct slow_chr *)chr;
	size_t n;

	if (s->timer || len == 0)
		return 0;
	n = chr_wrap_ops.write(chr, buf, 1);
	if (n)
		s->timer = wrappers_timer(chr->loop, slow_chr_again, s);
	return n;
}

static void slow_want(struct chr *chr, bool readable, bool writable)
{
	struct slow_chr *s = (struct slow_chr *)chr;

	s->readable = readable;
	s->writable = writable;
	chr_wrap_ops.want(chr, readable, writable && !s->timer);
}

static void slow_detach(struct chr *chr)
{
	loop_unwatch(g_steal_pointer(&((struct slow_chr *)chr)->timer));
	chr_wrap_ops.detach(chr);
}

static struct chr *slow_before_chr(struct chr *next, const void *options)
{
	static struct chr_ops ops;
	struct slow_chr *s = g_new0(struct slow_chr, 1);

	(void)options;
	ops = chr_wrap_ops;
	ops.write = slow_write;
	ops.want = slow_want;
	ops.detach = slow_detach;
	chr_wrap_init(&s->wrap, next, &ops, &chr_wrap_user);
	return &s->wrap.base;
}

static const struct prop no_props[] = { { 0 } };

static const struct backend_wrapper slow_wrapper = {
	.name = "slow",
	.help = "half of it has to wait",
	.size = 1,
	.props = no_props,
	.net = slow_before_net,
	.chr = slow_before_chr,
};

const struct backend_wrapper *const test_wrappers[] = { &drop_wrapper, &slow_wrapper, NULL };
