/*
 * A network that was recorded: what the driver sends goes nowhere, and the frames that it got come
 * again, put together of the chains that they were in.
 */
#include <string.h>

#include "devices/backend/net/wrap.h"
#include "devices/net/net.h"
#include "tools/replay/outside.h"

struct recorded_frame {
	GByteArray *bytes;
	struct net_offload off;
};

struct recorded_net {
	struct net_wrap wrap;
	bool on[NET_CHANNELS_MAX];
	GQueue frames[NET_CHANNELS_MAX]; /* of struct recorded_frame, until the device takes them */
};

static void recorded_frame_free(void *frame)
{
	g_byte_array_unref(((struct recorded_frame *)frame)->bytes);
	g_free(frame);
}

static void recorded_deliver(struct recorded_net *r, unsigned channel)
{
	struct net_backend *be = &r->wrap.base;
	struct recorded_frame *f;

	while (r->on[channel] && (f = g_queue_peek_head(&r->frames[channel]))) {
		if (!be->events->frame(be->opaque, channel, f->bytes->data, f->bytes->len,
				       &f->off)) {
			r->on[channel] = false;
			break;
		}
		recorded_frame_free(g_queue_pop_head(&r->frames[channel]));
	}
	be->events->batch_end(be->opaque, channel);
}

static void recorded_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct recorded_net *r = (struct recorded_net *)be;

	r->on[channel] = on;
	recorded_deliver(r, channel);
}

static void recorded_discard(struct net_backend *be, unsigned channel)
{
	struct recorded_net *r = (struct recorded_net *)be;

	g_queue_clear_full(&r->frames[channel], recorded_frame_free);
}

static void recorded_close(struct net_backend *be)
{
	for (unsigned i = 0; i < NET_CHANNELS_MAX; i++)
		recorded_discard(be, i);
	net_wrap_ops.close(be);
}

struct net_backend *outside_wrap_net(struct net_backend *next, const void *options)
{
	static struct net_backend_ops ops;
	struct outside *o = outside_opening;
	struct vfeatures offered = { { replay_device(o->script, o->number)->offered[0],
				       replay_device(o->script, o->number)->offered[1] } };
	struct recorded_net *r = g_new0(struct recorded_net, 1);

	(void)options;
	ops = net_wrap_ops;
	ops.receive = recorded_receive;
	ops.discard = recorded_discard;
	ops.close = recorded_close;
	net_wrap_init(&r->wrap, next, &ops, &net_wrap_events);
	r->wrap.base.tx_offloads = net_tx_offloads(offered);
	r->wrap.base.rx_offloads = net_rx_offloads(offered);
	for (unsigned i = 0; i < NET_CHANNELS_MAX; i++)
		g_queue_init(&r->frames[i]);
	o->net = r;
	if (!(outside_config(o, offsetof(struct net_config, status), 2) & NET_S_LINK_UP))
		r->wrap.base.events->link(r->wrap.base.opaque, false);
	return &r->wrap.base;
}

static bool outside_net_options(struct outside *o, GPtrArray *pairs, const char **ret_why)
{
	uint8_t mac[6];

	if (prop_has(pairs, "vhost")) {
		*ret_why = "the kernel served its queues";
		return false;
	}
	for (unsigned i = 0; i < sizeof(mac); i++)
		mac[i] = (uint8_t)outside_config(o, offsetof(struct net_config, mac) + i, 1);
	prop_add(pairs, "backend", "recorded:null");
	outside_option(pairs, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		       mac[3], mac[4], mac[5]);
	if (outside_offered(o, NET_F_MTU))
		outside_option(pairs, "mtu", "%u",
			       (unsigned)outside_config(o, offsetof(struct net_config, mtu), 2));
	return true;
}

/* Bytes of the header, as the driver agreed to it (5.1.6.1). */
static size_t outside_net_header(const struct outside *o)
{
	bool merges = o->accepted >> NET_F_MRG_RXBUF & 1;

	return merges || o->accepted >> VIRTIO_F_VERSION_1 & 1 ? NET_HEADER_BYTES
							       : NET_HEADER_BYTES_LEGACY;
}

static bool outside_net_more(const struct outside *o, struct replay_chain *const *chains,
			     unsigned n)
{
	struct net_header h;

	if (!(o->accepted >> NET_F_MRG_RXBUF & 1) || chains[0]->written->len < sizeof(h))
		return false;
	memcpy(&h, chains[0]->written->data, sizeof(h));
	return n < le16_cpu(h.num_buffers);
}

static void outside_net_give(struct outside *o, struct vdev *dev, unsigned q,
			     struct replay_chain *const *chains, unsigned n)
{
	size_t header = outside_net_header(o);
	struct recorded_frame *f;
	struct net_header h = { 0 };

	(void)dev;
	if (chains[0]->written->len < header || q / 2 >= NET_CHANNELS_MAX)
		return;
	memcpy(&h, chains[0]->written->data, header);
	f = g_new0(struct recorded_frame, 1);
	f->bytes = g_byte_array_new();
	for (unsigned i = 0; i < n; i++) {
		size_t skip = i ? 0 : header;

		g_byte_array_append(f->bytes, chains[i]->written->data + skip,
				    (guint)(chains[i]->written->len - skip));
	}
	if (net_header_parse(&h, f->bytes->len, UINT_MAX, &f->off) ||
	    f->bytes->len < NET_FRAME_MIN || f->bytes->len > NET_FRAME_MAX) {
		recorded_frame_free(f); /* what no backend would hand on */
		return;
	}
	f->off.csum_valid = h.flags & NET_HDR_F_DATA_VALID; /* which no driver may say */
	g_queue_push_tail(&o->net->frames[q / 2], f);
	recorded_deliver(o->net, q / 2);
}

static void outside_net_configured(struct outside *o, struct vdev *dev, const uint8_t *bytes)
{
	const struct net_backend *be = &o->net->wrap.base;

	(void)dev;
	be->events->link(be->opaque, bytes[0] & NET_S_LINK_UP);
}

const struct outside_class outside_net = {
	.name = "net",
	.drop = " backend mac mtu hostfwd net dns hostname restrict ifname fd path listen generate ",
	.options = outside_net_options,
	.more = outside_net_more,
	.give = outside_net_give,
	.field = offsetof(struct net_config, status),
	.field_len = sizeof(le16),
	.configured = outside_net_configured,
};
