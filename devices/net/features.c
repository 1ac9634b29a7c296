/* Feature bits: what they need of each other, and which follow from what the backend can do. */
#include "devices/net/net.h"

#define NEEDS(bit) (1ull << NET_F_##bit)

/* What needs what: the subsection "Feature bit requirements" of VIRTIO 1.4, 5.1.3. */
const struct vdev_feature net_features[] = {
	{ "csum", NET_F_CSUM, 0 },
	{ "guest_csum", NET_F_GUEST_CSUM, 0 },
	{ "ctrl_guest_offloads", NET_F_CTRL_GUEST_OFFLOADS, 0 },
	{ "mtu", NET_F_MTU, 0 },
	{ "mac", NET_F_MAC, 0 },
	{ "guest_tso4", NET_F_GUEST_TSO4, NEEDS(GUEST_CSUM) },
	{ "guest_tso6", NET_F_GUEST_TSO6, NEEDS(GUEST_CSUM) },
	{ "guest_ecn", NET_F_GUEST_ECN, NEEDS(GUEST_TSO4) | NEEDS(GUEST_TSO6) },
	{ "guest_ufo", NET_F_GUEST_UFO, NEEDS(GUEST_CSUM) },
	{ "host_tso4", NET_F_HOST_TSO4, NEEDS(CSUM) },
	{ "host_tso6", NET_F_HOST_TSO6, NEEDS(CSUM) },
	{ "host_ecn", NET_F_HOST_ECN, NEEDS(HOST_TSO4) | NEEDS(HOST_TSO6) },
	{ "host_ufo", NET_F_HOST_UFO, NEEDS(CSUM) },
	{ "mrg_rxbuf", NET_F_MRG_RXBUF, 0 },
	{ "status", NET_F_STATUS, 0 },
	{ "ctrl_vq", NET_F_CTRL_VQ, 0 },
	{ "ctrl_rx", NET_F_CTRL_RX, NEEDS(CTRL_VQ) },
	{ "ctrl_vlan", NET_F_CTRL_VLAN, NEEDS(CTRL_VQ) },
	{ "ctrl_rx_extra", NET_F_CTRL_RX_EXTRA, 0 },
	{ "mq", NET_F_MQ, NEEDS(CTRL_VQ) },
	{ "ctrl_mac_addr", NET_F_CTRL_MAC_ADDR, NEEDS(CTRL_VQ) },
	{ "guest_uso4", NET_F_GUEST_USO4, NEEDS(GUEST_CSUM) },
	{ "guest_uso6", NET_F_GUEST_USO6, NEEDS(GUEST_CSUM) },
	{ "host_uso", NET_F_HOST_USO, NEEDS(CSUM) },
	{ 0 },
};

/* Work and the feature bits that leave it to us (host) or to the driver (guest). */
static const struct {
	unsigned work;
	unsigned char host, guest;
} offloads[] = {
	{ NET_DO_CSUM, NET_F_CSUM, NET_F_GUEST_CSUM },
	{ NET_DO_TSO4, NET_F_HOST_TSO4, NET_F_GUEST_TSO4 },
	{ NET_DO_TSO6, NET_F_HOST_TSO6, NET_F_GUEST_TSO6 },
	{ NET_DO_ECN, NET_F_HOST_ECN, NET_F_GUEST_ECN },
	{ NET_DO_UFO, NET_F_HOST_UFO, NET_F_GUEST_UFO },
	{ NET_DO_USO4, NET_F_HOST_USO, NET_F_GUEST_USO4 },
	{ NET_DO_USO6, NET_F_HOST_USO, NET_F_GUEST_USO6 },
};

unsigned net_tx_offloads(struct vfeatures f)
{
	unsigned work = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++)
		if (vfeatures_has(f, offloads[i].host))
			work |= offloads[i].work;
	return work;
}

unsigned net_rx_offloads(struct vfeatures f)
{
	unsigned work = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++)
		if (vfeatures_has(f, offloads[i].guest))
			work |= offloads[i].work;
	return work;
}

void net_offer_features(struct net *net)
{
	struct vdev *dev = &net->dev;
	const struct net_backend *be = net->be;

	for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++) {
		vdev_offer(dev, offloads[i].host, be->tx_offloads & offloads[i].work);
		vdev_offer(dev, offloads[i].guest, be->rx_offloads & offloads[i].work);
	}
	/* Where the backend completes no checksum, we do. A backend whose frames are known to be
	 * right lets the driver skip its own check. */
	vdev_offer(dev, NET_F_CSUM, true);
	if (be->checked)
		vdev_offer(dev, NET_F_GUEST_CSUM, true);
	/* They go without a control queue (5.1.4), though a driver may accept them so. */
	vdev_offer(dev, NET_F_CTRL_RX_EXTRA, vfeatures_has(dev->offered, NET_F_CTRL_VQ));
	vdev_offer(dev, NET_F_CTRL_GUEST_OFFLOADS,
		   (be->rx_offloads || be->checked) && vfeatures_has(dev->offered, NET_F_CTRL_VQ));
	vdev_offer(dev, NET_F_MTU, net->opt.mtu);
	vdev_offer(dev, NET_F_MQ, net->max_pairs > 1);
}
