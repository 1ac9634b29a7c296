#include "devices/net/card.h"

#include <string.h>

#include "devices/net/net.h"

bool net_is(const struct vdev *dev)
{
	return dev->class == &net_class;
}

void net_card(struct vdev *dev, struct net_card *ret)
{
	const struct net *net = (const struct net *)dev;
	le16 status;

	vdev_config_get(dev, offsetof(struct net_config, status), &status, sizeof(status));
	*ret = (struct net_card){ .backend = net->spec, .up = le16_cpu(status) & NET_S_LINK_UP };
	memcpy(ret->mac, net->opt_mac, sizeof(ret->mac));
}

/*
 * The link.
 */
void net_tell_link(struct net *net)
{
	le16 status = cpu_le16(net->carrier && !net->link_down ? NET_S_LINK_UP : 0);

	vdev_config_set(&net->dev, offsetof(struct net_config, status), &status, sizeof(status),
			true);
}

/* What waits, on either side, is lost with it, as what comes later. */
void net_set_link_down(struct net *net, bool down)
{
	if (net->link_down && !down)
		net_vhost_discard(net);
	net->link_down = down;
	net_tell_link(net);
	net_vhost_update(net);
	for (unsigned i = 0; down && !net->vhost && i < net->max_pairs; i++) {
		net_tx_retry(net, i);
		net_rx_kick(net, i);
	}
}

struct set_link {
	struct net *net;
	bool down;
};

static void set_link_on_owner(void *arg)
{
	const struct set_link *s = arg;

	net_set_link_down(s->net, s->down);
}

void net_set_link(struct vdev *dev, bool up)
{
	struct set_link s = { (struct net *)dev, !up };

	loop_call(dev->loop, set_link_on_owner, &s);
}
