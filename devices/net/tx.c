/*
 * From the guest to the network.
 *
 * The driver's header is copied and judged before anything else; a frame with a wrong one is
 * dropped, so that no backend ever sees an offset that points outside. The frame itself goes to the
 * backend in place, unless it must be altered (a checksum that we complete) or is in too many
 * pieces: then it is gathered first. A frame that the backend has no room for waits in its chain,
 * and those behind it, so order is kept and the ring fills up, which is how the driver learns of
 * it.
 */
#include "devices/net/net.h"

#include <errno.h>

static void net_tx_done(struct vq_chain *c)
{
	vq_push(c->vq, c);
}

/* Takes the header off and judges it. */
static bool net_tx_judge(struct net *net, struct vq_chain *c, struct net_offload *off)
{
	struct net_header h = { 0 };
	const char *wrong = NULL;

	if (!vq_pull(c, &h, net->header))
		wrong = "no room for the header";
	else if (c->rd.left < NET_FRAME_MIN)
		wrong = "shorter than an Ethernet header";
	else if (c->rd.left > NET_FRAME_MAX)
		wrong = "longer than any frame";
	else
		wrong = net_header_parse(&h, c->rd.left, net->tx_offloads, off);
	if (!wrong)
		return true;
	net->drops.tx_bad++;
	vdev_guest_note(&net->dev, "transmitted frame dropped: %s", wrong);
	return false;
}

/* 0, or -errno as the backend's send(). Consumes nothing, so it can be repeated. */
static int net_tx_try_send(struct net *net, unsigned channel, struct vq_chain *c)
{
	const struct net_tx *tx = vq_chain_request(c);
	bool complete = tx->off.need_csum && !(net->be->tx_offloads & NET_DO_CSUM);
	struct net_offload off = tx->off;
	struct iovec whole;

	if (!complete && c->rd.n <= NET_IOV_MAX)
		return net->be->ops->send(net->be, channel, c->rd.iov, c->rd.n, &off);
	whole = (struct iovec){ net->frame, net_gather(net->frame, c->rd.iov, c->rd.n) };
	if (complete) {
		if (!net_complete(net->frame, whole.iov_len, &off))
			return -EBADMSG;
		off = (struct net_offload){ .csum_valid = true };
	}
	return net->be->ops->send(net->be, channel, &whole, 1, &off);
}

/* False: it has to wait. */
static bool net_tx_send_chain(struct net *net, unsigned channel, struct vq_chain *c)
{
	int ret = net->link_down ? -ENETDOWN : net_tx_try_send(net, channel, c);

	if (ret == -EAGAIN)
		return false;
	if (ret == -EBADMSG) {
		net->drops.tx_bad++;
		vdev_guest_note(&net->dev,
				"transmitted segment dropped: its headers are not TCP's");
	} else if (ret < 0) {
		net->drops.tx_lost++; /* a link or an interface that is down: nothing new */
	}
	net_tx_done(c);
	return true;
}

static void net_tx_enqueue(struct net_pair *pair, struct vq_chain *c)
{
	struct net_tx *tx = vq_chain_request(c);

	tx->next = NULL;
	if (pair->first)
		((struct net_tx *)vq_chain_request(pair->last))->next = c;
	else
		pair->first = c;
	pair->last = c;
}

/* Queues beyond those in use have no channel of their own; a driver has no business there. */
static unsigned net_tx_channel_of(const struct net *net, unsigned pair)
{
	return pair < net->pairs ? pair : 0;
}

void net_tx_handle(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	struct net *net = (struct net *)dev;
	struct net_pair *pair = &net->pair[q / 2];
	struct net_tx *tx = vq_chain_request(c);

	if (!net_tx_judge(net, c, &tx->off))
		net_tx_done(c);
	else if (pair->first || !net_tx_send_chain(net, net_tx_channel_of(net, q / 2), c))
		net_tx_enqueue(pair, c);
}

static void net_tx_send_waiting(struct net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];

	if (!pair->first || !pair->tx_on)
		return;
	while (pair->first) {
		struct vq_chain *c = pair->first;
		struct vq_chain *next = ((struct net_tx *)vq_chain_request(c))->next;

		if (!net_tx_send_chain(net, net_tx_channel_of(net, index), c))
			break;
		pair->first = next;
	}
	vdev_flush(&net->dev, 2 * index + 1);
}

void net_tx_retry(void *opaque, unsigned channel)
{
	struct net *net = opaque;

	for (unsigned i = 0; i < net->max_pairs; i++)
		if (net_tx_channel_of(net, i) == channel)
			net_tx_send_waiting(net, i);
}

void net_tx_start(struct net *net, unsigned index)
{
	net->pair[index].tx_on = true;
	net_tx_send_waiting(net, index); /* since before a pause */
}

void net_tx_stop(struct net *net, unsigned index, enum vdev_stop why)
{
	struct net_pair *pair = &net->pair[index];

	pair->tx_on = false;
	if (why == VDEV_STOP_PAUSE)
		return;
	for (struct vq_chain *c = pair->first; c; c = ((struct net_tx *)vq_chain_request(c))->next)
		net->drops.tx_lost++;
	pair->first = NULL;
}

/* Nothing was popped or pushed after the first that waits, so they go back as they came, last
 * first. */
void net_tx_give_back(struct net *net, unsigned index)
{
	struct net_pair *pair = &net->pair[index];
	struct vq_chain *c = g_steal_pointer(&pair->first), *last = NULL;

	while (c) { /* turns the list round */
		struct net_tx *tx = vq_chain_request(c);
		struct vq_chain *next = tx->next;

		tx->next = last;
		last = c;
		c = next;
	}
	for (c = last; c; c = last) {
		last = ((struct net_tx *)vq_chain_request(c))->next;
		vq_unpop(c->vq, c);
	}
}
