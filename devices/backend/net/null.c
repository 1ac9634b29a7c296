/*
 * No network: what the guest transmits is dropped. With generate=BYTES there are frames for the
 * guest, on each channel, as fast as it takes them: a driver, or a data path, under load.
 *
 * A frame of these is a broadcast with an EtherType for local experiments, and its number on the
 * channel from byte 14 on (four bytes, big-endian): whoever receives them can tell what is missing.
 * None is made while there is no room: a guest that is slow sees them all.
 */
#include <arpa/inet.h>
#include <string.h>

#include "devices/backend/net/net.h"

#define TURN      256u /* frames of a channel, then others of the loop have theirs */
#define AHEAD     16u  /* frames that are numbered together */
#define ETHERTYPE 0x88b5u
#define NUMBER_AT NET_ETH_HEADER

struct net_null {
	struct net_backend be;
	GSource *source; /* on the loop: it makes frames; NULL: none are wanted */
	size_t len;
	uint8_t *frames; /* AHEAD of them, one behind the other */
	struct {
		bool on; /* delivers */
		uint32_t number;
	} channel[NET_CHANNELS_MAX];
};

static void net_null_unhook(void *arg)
{
	loop_unwatch(((struct net_null *)arg)->source);
}

static void net_null_close(struct net_backend *be)
{
	struct net_null *n = (struct net_null *)be;

	loop_call(be->loop, net_null_unhook, n);
	g_free(n->frames);
	g_free(n);
}

static int net_null_send(struct net_backend *be, unsigned channel, const struct iovec *iov,
			 unsigned n, const struct net_offload *off)
{
	(void)be;
	(void)channel;
	(void)iov;
	(void)n;
	(void)off;
	return 0;
}

/* Makes the channel's next frames, some together: to copy what was written just now takes as long
 * as everything that was written before it, and that is the guest's buffers. */
static void net_null_number(struct net_null *n, uint32_t first)
{
	for (uint32_t i = 0; i < AHEAD; i++) {
		uint32_t number = htonl(first + i);

		memcpy(n->frames + i * n->len + NUMBER_AT, &number, sizeof(number));
	}
}

static void net_null_generate(struct net_null *n, unsigned channel)
{
	static const struct net_offload nothing;

	for (unsigned i = 0; i < TURN && n->channel[channel].on; i++) {
		if (i % AHEAD == 0)
			net_null_number(n, n->channel[channel].number);
		if (n->be.events->frame(n->be.opaque, channel, n->frames + i % AHEAD * n->len,
					n->len, &nothing))
			n->channel[channel].number++;
		else
			n->channel[channel].on = false;
	}
	n->be.events->batch_end(n->be.opaque, channel);
}

static gboolean net_null_turn(GSource *source, GSourceFunc fn, gpointer arg)
{
	struct net_null *n = arg;
	bool any = false;

	(void)fn;
	for (unsigned i = 0; i < n->be.n_channels; i++)
		if (n->channel[i].on)
			net_null_generate(n, i);
	for (unsigned i = 0; i < n->be.n_channels; i++)
		any |= n->channel[i].on;
	g_source_set_ready_time(source, any ? 0 : -1);
	return G_SOURCE_CONTINUE;
}

static void net_null_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct net_null *n = (struct net_null *)be;

	if (!n->source)
		return;
	n->channel[channel].on = on;
	if (on)
		g_source_set_ready_time(n->source, 0);
}

static int net_null_set_channels(struct net_backend *be, unsigned n)
{
	(void)be;
	(void)n;
	return 0;
}

static const struct net_backend_ops net_null_ops = {
	.close = net_null_close,
	.send = net_null_send,
	.receive = net_null_receive,
	.set_channels = net_null_set_channels,
};

static void net_null_hook(void *arg)
{
	struct net_null *n = arg;
	static GSourceFuncs funcs = { .dispatch = net_null_turn };

	n->source = g_source_new(&funcs, sizeof(GSource));
	/* GLib wants a callback to hand on. */
	g_source_set_callback(n->source, G_SOURCE_FUNC(net_null_turn), n, NULL);
	g_source_attach(n->source, loop_context(n->be.loop));
}

struct net_backend *net_null_open(const struct net_options *opt, const struct net_backend *common,
				  GError **err)
{
	struct net_null *n = g_new0(struct net_null, 1);
	uint8_t header[NET_ETH_HEADER] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,           0x52,
		0x54, 0,    0,    0,    1,    ETHERTYPE >> 8, ETHERTYPE & 0xff
	};

	(void)err;
	n->be = *common;
	n->be.ops = &net_null_ops;
	n->be.n_channels = opt->n_channels;
	n->len = opt->generate;
	if (!n->len)
		return &n->be;
	n->frames = g_malloc0(AHEAD * n->len);
	for (unsigned i = 0; i < AHEAD; i++)
		memcpy(n->frames + i * n->len, header, sizeof(header));
	loop_call(n->be.loop, net_null_hook, n);
	return &n->be;
}
