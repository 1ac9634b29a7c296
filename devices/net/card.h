/*
 * A network card, for whoever manages the machine: what it is.
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
};

/* What the card @dev is. From any thread. */
void net_card(const struct vdev *dev, struct net_card *ret);
