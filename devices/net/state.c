/*
 * What a network card keeps: what its driver said on the control queue (VIRTIO 1.4, 5.1.6.5), and
 * whether the operator has its link down. The rest follows from the features.
 */
#include <string.h>

#include "devices/base/pack.h"
#include "devices/net/net.h"

#define MODES_MAX 0xffu

static unsigned modes_of(const struct net_filter *f)
{
	return f->promisc | f->allmulti << 1 | f->alluni << 2 | f->nomulti << 3 | f->nouni << 4 |
	       f->nobcast << 5 | f->many_uni << 6 | f->many_multi << 7;
}

static void set_modes(struct net_filter *f, unsigned modes)
{
	f->promisc = modes & 1;
	f->allmulti = modes >> 1 & 1;
	f->alluni = modes >> 2 & 1;
	f->nomulti = modes >> 3 & 1;
	f->nouni = modes >> 4 & 1;
	f->nobcast = modes >> 5 & 1;
	f->many_uni = modes >> 6 & 1;
	f->many_multi = modes >> 7 & 1;
}

void net_save(struct vdev *dev, GByteArray *out)
{
	struct net *net = (struct net *)dev;
	const struct net_filter *f = &net->filter;

	net_take_mac(net); /* queues are stopped: nobody else looks */
	pack_u16(out, (uint16_t)net->pairs);
	pack_u32(out, net->rx_offloads);
	pack_u8(out, (uint8_t)modes_of(f));
	pack_u8(out, f->has_mac);
	pack_bytes(out, f->mac, sizeof(f->mac));
	pack_u16(out, (uint16_t)f->n_macs);
	pack_bytes(out, f->macs, f->n_macs * sizeof(f->macs[0]));
	pack_bytes(out, f->vlans, sizeof(f->vlans));
	pack_u8(out, net->link_down);
}

struct load {
	struct net *net;
	struct net_filter filter;
	unsigned pairs, offloads;
	bool link_down;
	int ret;
};

static void load_on_owner(void *arg)
{
	struct load *l = arg;
	struct net *net = l->net;

	net->filter = l->filter;
	net->stale = false; /* what arrives is its driver's */
	net_set_link_down(net, l->link_down);
	l->ret = net_set_rx_offloads(net, l->offloads);
	if (l->ret == 0)
		l->ret = net_set_pairs(net, l->pairs);
}

bool net_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct net *net = (struct net *)dev;
	struct load l = { .net = net, .filter = net->filter };
	struct net_filter *f = &l.filter;

	l.pairs = unpack_u16(in);
	l.offloads = unpack_u32(in);
	set_modes(f, unpack_u8(in));
	f->has_mac = unpack_u8(in);
	unpack_bytes(in, f->mac, sizeof(f->mac));
	f->n_macs = unpack_u16(in);
	if (f->n_macs > NET_FILTER_MACS)
		return ringside_usage(err, "%s: state: more addresses than there may be",
				      vdev_name(dev));
	unpack_bytes(in, f->macs, f->n_macs * sizeof(f->macs[0]));
	unpack_bytes(in, f->vlans, sizeof(f->vlans));
	l.link_down = unpack_u8(in);
	if (l.pairs < 1 || l.pairs > net->max_pairs)
		return ringside_usage(err, "%s: state: queue pairs in use that are not there",
				      vdev_name(dev));
	if (l.offloads & ~net_rx_offloads(dev->accepted))
		return ringside_usage(err, "%s: state: offloads that were not negotiated",
				      vdev_name(dev));
	loop_call(dev->loop, load_on_owner, &l);
	if (l.ret < 0)
		return ringside_error_errno(err, -l.ret, "%s: state: the backend", vdev_name(dev));
	if (f->has_mac && vdev_accepted(dev, NET_F_MAC))
		vdev_config_set(dev, offsetof(struct net_config, mac), f->mac, sizeof(f->mac),
				false);
	return true;
}
