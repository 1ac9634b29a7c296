/*
 * From the network to the guest.
 *
 * A frame is copied behind its header into one chain, or with mergeable buffers into as many as it
 * takes, all of them used together (5.1.6.4). Chains are taken before anything is written; when
 * there are not enough they go back to the ring untouched, the backend keeps the frame, and the
 * next kick of the queue asks for it again.
 */
#include "devices/net/layout.h"
#include "devices/net/net.h"

#define VLAN_TAG 4u

/* How a frame fared when buffers were sought for it. */
enum rx_room { RX_FITS, RX_WAIT, RX_NEVER };

static void net_rx_give_back(struct net *net, unsigned n)
{
	while (n-- > 0)
		vq_unpop(net->merged[n]->vq, net->merged[n]);
}

/* Takes buffers for @bytes into net->merged. Keeps them only if it answers RX_FITS. */
static enum rx_room net_rx_find_room(struct net *net, unsigned q, size_t bytes, unsigned *ret_n)
{
	const struct vq *vq = net->dev.queue[q].vq;
	unsigned slots = 0, most = net->merge ? NET_MERGE_MAX : 1;
	size_t room = 0;

	for (unsigned n = 0; n < most;) {
		struct vq_chain *c = vdev_take(&net->dev, q);

		if (!c) {
			net_rx_give_back(net, n);
			/* With the whole ring in hand, waiting for more is in vain. */
			return slots >= vq_size(vq) ? RX_NEVER : RX_WAIT;
		}
		net->merged[n++] = c;
		slots += c->n_slots;
		room += c->wr.left;
		if (n == 1 && net->merge && room < NET_HEADER_BYTES) {
			net_rx_give_back(net, n);
			vdev_guest_bug(&net->dev,
				       "receive buffer of %zu bytes has no room for the "
				       "header (VIRTIO 1.4, 5.1.6.3.1)",
				       room);
			return RX_NEVER;
		}
		if (room >= bytes) {
			*ret_n = n;
			return RX_FITS;
		}
		if (n == most)
			net_rx_give_back(net, n);
	}
	return RX_NEVER;
}

/* Writes header and frame into net->merged[0..n). */
static void net_rx_fill(struct net *net, unsigned n, const struct net_header *h,
			const uint8_t *data, size_t len)
{
	(void)vq_put(net->merged[0], h, net->header);
	for (unsigned i = 0; i < n; i++) {
		size_t put = vq_put_some(net->merged[i], data, len);

		data += put;
		len -= put;
		vq_push(net->merged[i]->vq, net->merged[i]);
	}
}

/* For this guest, and no longer than it agreed to? */
static bool net_rx_wanted(struct net *net, const uint8_t *data, size_t len,
			  const struct net_offload *off)
{
	size_t tag = len > NET_ETH_HEADER && data[12] == 0x81 && data[13] == 0 ? VLAN_TAG : 0;

	net_take_mac(net);
	if (!net_filter_pass(&net->filter, data, len)) {
		net->drops.filtered++;
		return false;
	}
	if (net->mtu && off->segment == NET_SEG_NONE && len > net->mtu + NET_ETH_HEADER + tag) {
		net->drops.too_long++; /* DEV-NET-CFG-05 */
		return false;
	}
	return true;
}

/* @h is for one buffer. */
static bool net_rx_deliver(struct net *net, unsigned pair, struct net_header *h,
			   const uint8_t *data, size_t len)
{
	unsigned n;

	switch (net_rx_find_room(net, 2 * pair, net->header + len, &n)) {
	case RX_WAIT:
		net->pair[pair].rx_waits = true;
		return false;
	case RX_NEVER:
		net->drops.too_long++;
		return true;
	case RX_FITS:
		break;
	}
	if (n > 1) /* a copy of what was written just now waits, see net_header_write() */
		h->num_buffers = cpu_le16((uint16_t)n);
	net_rx_fill(net, n, h, data, len);
	net->pair[pair].rx_dirty = true;
	return true;
}

/* The receive queue for frames of @channel: its own, or while that is reset another that runs
 * (DEV-NET-MQ-03). NET_CHANNELS_MAX: none in use does. */
static unsigned net_rx_target_of(const struct net *net, unsigned channel)
{
	for (unsigned i = 0; i < net->pairs; i++) {
		unsigned pair = (channel + i) % net->pairs;

		if (net->pair[pair].rx_on)
			return pair;
	}
	return NET_CHANNELS_MAX;
}

/* A frame that found no room must wait with the backend until the queue that its channel is for has
 * some; one that goes to another queue is dropped. */
static bool net_rx_deliver_to(struct net *net, unsigned target, unsigned channel,
			      struct net_header *h, const uint8_t *data, size_t len)
{
	if (target == channel)
		return net_rx_deliver(net, channel, h, data, len);
	if (!net_rx_deliver(net, target, h, data, len))
		net->drops.no_queue++;
	net_rx_flush(net, target);
	return true;
}

/* Completes what a backend says of a frame. Where headers end it says of segments at best, and the
 * driver is to be told of every frame (DEV-NET-RX-31); and that checksums were checked is not to be
 * had of a fragment, which has none that could be (DEV-NET-RX-33). */
static void net_rx_look(const struct net *net, const uint8_t *data, size_t len,
			struct net_offload *off)
{
	struct net_layout layout;

	if (!net->hdr_len)
		off->hdr_len = 0;
	if (!net->hdr_len && !(off->csum_valid && net->rx_offloads & NET_DO_CSUM))
		return;
	layout = net_layout(data, len);
	if (net->hdr_len)
		off->hdr_len = MAX(off->hdr_len, layout.headers);
	if (layout.fragment)
		off->csum_valid = false;
}

bool net_rx_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		  const struct net_offload *off)
{
	struct net *net = opaque;
	struct net_offload todo = *off;
	unsigned target = net_rx_target_of(net, channel);
	struct net_header h;

	if (net->link_down) {
		net->drops.no_link++;
		return true;
	}
	if (target == NET_CHANNELS_MAX) { /* DEV-NET-MQ-04 */
		net->drops.no_queue++;
		return true;
	}
	if (!net_rx_wanted(net, data, len, off))
		return true;
	/* Left over from before the driver, or its predecessor, said what it can do. */
	if (todo.need_csum && todo.segment == NET_SEG_NONE && !(net->rx_offloads & NET_DO_CSUM) &&
	    net_complete(data, len, &todo))
		todo.need_csum = false;
	net_rx_look(net, data, len, &todo);
	if (!net_header_make(&todo, len, net->rx_offloads, 1, &h)) {
		net->drops.unusable++;
		return true;
	}
	return net_rx_deliver_to(net, target, channel, &h, data, len);
}

void net_rx_flush(void *opaque, unsigned channel)
{
	struct net *net = opaque;

	if (!net->pair[channel].rx_dirty)
		return;
	net->pair[channel].rx_dirty = false;
	vdev_flush(&net->dev, 2 * channel);
}

void net_rx_discard(struct net *net, unsigned channel)
{
	if (net->be->ops->discard)
		net->be->ops->discard(net->be, channel);
}

void net_rx_listen(struct net *net)
{
	bool on = net_rx_target_of(net, 0) < NET_CHANNELS_MAX;

	if (on == net->listens)
		return;
	net->listens = on;
	for (unsigned i = 0; i < net->pairs; i++) {
		if (on && net->stale)
			net_rx_discard(net, i);
		net->be->ops->receive(net->be, i, on);
	}
	net->stale &= !on;
}

void net_rx_start(struct net *net, unsigned pair)
{
	net->pair[pair].rx_on = true;
	net->pair[pair].rx_waits = false;
	net_rx_listen(net);
}

void net_rx_stop(struct net *net, unsigned pair, enum vdev_stop why)
{
	bool waits = net->pair[pair].rx_waits;

	net_rx_flush(net, pair);
	net->pair[pair].rx_on = false;
	net_rx_listen(net);
	if (why == VDEV_STOP_PAUSE) /* a reset that may follow asks whether it waits */
		return;
	net->pair[pair].rx_waits = false;
	net->stale |= !net->listens;
	/* The backend may hold a frame until there are buffers here: another queue's turn. */
	if (waits && net->listens && pair < net->pairs)
		net->be->ops->receive(net->be, pair, true);
}

void net_rx_kick(struct net *net, unsigned pair)
{
	if (!net->pair[pair].rx_waits)
		return;
	net->pair[pair].rx_waits = false;
	if (pair < net->pairs)
		net->be->ops->receive(net->be, pair, true);
}
