#include "devices/net/card.h"

#include <string.h>

#include "devices/net/net.h"

bool net_is(const struct vdev *dev)
{
	return dev->class == &net_class;
}

void net_card(const struct vdev *dev, struct net_card *ret)
{
	const struct net *net = (const struct net *)dev;

	*ret = (struct net_card){ .backend = net->spec };
	memcpy(ret->mac, net->opt_mac, sizeof(ret->mac));
}
