/*
 * vhost=on: the kernel moves the frames between a tap and the queues (devices/vhost/vhost.h), and
 * none comes by here. Each pair has a device of the kernel's, /dev/vhost-net; the control queue is
 * served here, as ever.
 *
 * So the features that are left are those that tap and kernel keep without us: no frame is
 * filtered, by address or VLAN, none is measured against an MTU, and a checksum that the tap does
 * not complete is the driver's.
 *
 * A pair that is not in use (VIRTIO_NET_F_MQ) gives the tap's queue up before that is detached, as
 * does each while the operator has the link down.
 */
#include <errno.h>

#include "devices/net/net.h"
#include "devices/vhost/vhost.h"

#define CONTEXT "--device net,vhost=on"

#define BIT(name) (1ull << NET_F_##name)

struct net_vhost {
	struct vhost vhost; /* first */
	struct net *net;
	unsigned pair;
};

/* What arrived for a queue that nobody had set up is nobody's (DEV-NET-MQ-04). */
static bool net_vhost_run(struct vhost *v, unsigned ring, bool on)
{
	struct net_vhost *nv = (struct net_vhost *)v;
	struct net_backend *be = nv->net->be;
	struct vhost_vring_file file = { .index = ring, .fd = VHOST_FILE_UNBIND };

	if (on && ring == 0 && !v->dev->queue[v->first].ran)
		net_rx_discard(nv->net, nv->pair);
	if (on)
		file.fd = be->ops->kernel_fd(be, nv->pair);
	return vhost_call(v, VHOST_NET_SET_BACKEND, &file);
}

/* Receive queues tell how many pairs are in use, where nobody else does. */
static void net_vhost_changed(struct vhost *v, unsigned ring)
{
	struct net_vhost *nv = (struct net_vhost *)v;
	bool on = v->ring[ring].wanted;

	if (ring)
		return;
	nv->net->pair[nv->pair].rx_on = on;
	net_follow_queues(nv->net, on ? nv->net->pairs : 1);
}

static const struct vhost_kind net_vhost_kind = {
	.path = "/dev/vhost-net",
	.module = "vhost_net",
	.run = net_vhost_run,
	.changed = net_vhost_changed,
};

/*
 * Opening.
 */
static void net_vhost_withhold(struct net *net)
{
	static const unsigned char ours[] = { NET_F_CTRL_RX, NET_F_CTRL_RX_EXTRA, NET_F_CTRL_VLAN };

	for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
		vdev_offer(&net->dev, ours[i], false);
	vdev_offer(&net->dev, NET_F_CSUM, net->be->tx_offloads & NET_DO_CSUM);
}

static bool net_vhost_open_pair(struct net *net, unsigned pair, GError **err)
{
	struct net_vhost *nv = &net->vhost[pair];

	nv->net = net;
	nv->pair = pair;
	if (!vhost_open(&nv->vhost, &net_vhost_kind, &net->dev, 2 * pair, CONTEXT, err) ||
	    !vhost_offer(&nv->vhost, BIT(MRG_RXBUF), CONTEXT, err))
		return false;
	nv->vhost.held = pair >= net->pairs;
	if (!net->be->kernel_header) /* the kernel makes the queue's, and takes it off */
		nv->vhost.own = 1ull << VHOST_NET_F_VIRTIO_NET_HDR;
	return true;
}

static const struct syscall_use net_vhost_syscalls[] = {
	{ SYSCALL_IOCTL(VHOST_NET_SET_BACKEND) },
	{ .name = NULL },
};

bool net_vhost_open(struct net *net, GError **err)
{
	if (!net->be->ops->kernel_fd)
		return ringside_usage(err, CONTEXT ": the kernel serves a tap: backend=tap, with "
						   "no wrapper before it");
	if (net->opt.mtu)
		return ringside_usage(err,
				      CONTEXT ",mtu=%u: the kernel does not keep to it; set "
					      "the tap's own (ip link set dev %s mtu %u)",
				      net->opt.mtu, net->be->name, net->opt.mtu);
	net_vhost_withhold(net);
	net->vhost = g_new0(struct net_vhost, net->max_pairs);
	for (unsigned i = 0; i < net->max_pairs; i++)
		if (!net_vhost_open_pair(net, i, err))
			return false;
	vdev_add_syscalls(&net->dev, net_vhost_syscalls);
	return true;
}

void net_vhost_close(struct net *net)
{
	for (unsigned i = 0; net->vhost && i < net->max_pairs; i++)
		vhost_close(&net->vhost[i].vhost);
	g_free(net->vhost);
}

/*
 * Life.
 */
void net_vhost_negotiated(struct net *net)
{
	struct net_backend *be = net->be;
	int ret = be->kernel_header ? be->ops->set_header(be, net->header) : 0;

	if (ret < 0)
		vdev_host_error(&net->dev, "the tap refuses a header of %zu bytes: %s", net->header,
				g_strerror(-ret));
	for (unsigned q = 0; q < net->dev.n_queues; q++)
		vdev_queue_choose_engine(&net->dev, q,
					 q < net->ctrl_queue && q < 2 * net->max_pairs
						 ? &vhost_engine
						 : &vdev_engine_here);
}

void net_vhost_discard(struct net *net)
{
	for (unsigned i = 0; net->vhost && i < net->max_pairs; i++)
		net_rx_discard(net, i);
}

void net_vhost_update(struct net *net)
{
	for (unsigned i = 0; net->vhost && i < net->max_pairs; i++)
		vhost_hold(&net->vhost[i].vhost, net->link_down || i >= net->pairs);
}
