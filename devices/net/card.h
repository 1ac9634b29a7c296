/*
 * A network card, for whoever manages the machine: what it is, and its link.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vdev;

/* True if @dev is a network card. */
bool net_is(const struct vdev *dev);

struct net_card {
	const char *backend; /* as backend= has it, the device's own */
	uint8_t mac[6];      /* the card's own; what its driver made of it is not in here */
	bool up;             /* the link, as its driver sees it */
};

/* What the card @dev is. From any thread. */
void net_card(struct vdev *dev, struct net_card *ret);

/*
 * Takes the link of the card @dev down, whatever the backend says, or leaves it to the backend
 * again. While it is down frames are lost either way. A driver that runs is told by a configuration
 * change (VIRTIO 1.4, 5.1.4.2), if it accepted VIRTIO_NET_F_STATUS. It stays so over resets. From
 * any thread but the owner's.
 */
void net_set_link(struct vdev *dev, bool up);
