/* What state.c (a struct) and parts.c (a record of bytes) share. */
#pragma once

#include "devices/base/pack.h"
#include "devices/core/state.h"

/* What the class and the transport wrote into a record; NULL: there is none. */
struct vdev_state_blobs {
	struct unpack *class, *transport;
};

/* vdev_state_set() with those. */
bool vdev_state_install(struct vdev *dev, const struct vdev_state *state,
			const struct vdev_state_blobs *blobs, GError **err);
