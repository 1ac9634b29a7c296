/* Feature bits: what they need of each other, and which follow from what the backend can do. */
#include "devices/net/net.h"

/* The subsection "Feature bit requirements" of VIRTIO 1.4, 5.1.3: a bit, and the bits of which it
 * needs one. A bit that needs several has several rows. 255 ends a list early. */
static const struct {
	unsigned char bit, one_of[2];
} requirements[] = {
	{ NET_F_GUEST_TSO4, { NET_F_GUEST_CSUM, 255 } },
	{ NET_F_GUEST_TSO6, { NET_F_GUEST_CSUM, 255 } },
	{ NET_F_GUEST_ECN, { NET_F_GUEST_TSO4, NET_F_GUEST_TSO6 } },
	{ NET_F_GUEST_UFO, { NET_F_GUEST_CSUM, 255 } },
	{ NET_F_GUEST_USO4, { NET_F_GUEST_CSUM, 255 } },
	{ NET_F_GUEST_USO6, { NET_F_GUEST_CSUM, 255 } },
	{ NET_F_HOST_TSO4, { NET_F_CSUM, 255 } },
	{ NET_F_HOST_TSO6, { NET_F_CSUM, 255 } },
	{ NET_F_HOST_ECN, { NET_F_HOST_TSO4, NET_F_HOST_TSO6 } },
	{ NET_F_HOST_UFO, { NET_F_CSUM, 255 } },
	{ NET_F_HOST_USO, { NET_F_CSUM, 255 } },
	{ NET_F_CTRL_RX, { NET_F_CTRL_VQ, 255 } },
	{ NET_F_CTRL_VLAN, { NET_F_CTRL_VQ, 255 } },
	{ NET_F_MQ, { NET_F_CTRL_VQ, 255 } },
	{ NET_F_CTRL_MAC_ADDR, { NET_F_CTRL_VQ, 255 } },
};

bool net_features_ok(struct vdev *dev, struct vfeatures accepted)
{
	(void)dev;
	for (size_t i = 0; i < G_N_ELEMENTS(requirements); i++)
		if (vfeatures_has(accepted, requirements[i].bit) &&
		    !vfeatures_has(accepted, requirements[i].one_of[0]) &&
		    !vfeatures_has(accepted, requirements[i].one_of[1]))
			return false;
	return true;
}

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

unsigned net_takes(struct vfeatures f)
{
	unsigned work = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(offloads); i++)
		if (vfeatures_has(f, offloads[i].host))
			work |= offloads[i].work;
	return work;
}

unsigned net_gives(struct vfeatures f)
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
		vdev_offer(dev, offloads[i].host, be->takes & offloads[i].work);
		vdev_offer(dev, offloads[i].guest, be->gives & offloads[i].work);
	}
	/* Where the backend completes no checksum, we do. A backend whose frames are known to be
	 * right lets the driver skip its own check. */
	vdev_offer(dev, NET_F_CSUM, true);
	if (be->checked)
		vdev_offer(dev, NET_F_GUEST_CSUM, true);
	vdev_offer(dev, NET_F_CTRL_GUEST_OFFLOADS, be->gives || be->checked);
	vdev_offer(dev, NET_F_MTU, net->opt.mtu);
	vdev_offer(dev, NET_F_MQ, net->max_pairs > 1);
}
