/*
 * A disk, for whoever manages the machine: what it is, and making it larger or smaller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/base/error.h"

struct vdev;

/* True if @dev is a block device. */
bool blk_is(const struct vdev *dev);

struct blk_disk {
	const char *file; /* path= or backend=, the device's own */
	uint64_t size;    /* bytes */
	bool ro;
	bool direct;    /* past the host's page cache */
	bool writeback; /* a write is done before it is on persistent storage */
	bool no_flush;  /* and nothing ever has to be: cache=unsafe */
	bool discard;   /* what is discarded is given back to the host */
	bool stops;     /* werror= is not report: the machine stops for errors; */
	int held_for;   /* why it did, or is about to; 0: there is no such error */
};

/* What the disk @dev is now. From any thread. */
void blk_disk(const struct vdev *dev, struct blk_disk *ret);

/*
 * Makes the disk @dev @size bytes, and its file; a block device has a size of its own, which @size
 * is to be, or 0. A driver that runs is told (VIRTIO 1.4, 5.2.5.2). What was asked for beyond a new
 * end and is not done fails as an I/O error. On the main thread, while no call of the driver is
 * under way; waits for what the host has in hand, and serves the loop meanwhile. False with @err,
 * which names the device, and nothing has changed.
 */
bool blk_resize(struct vdev *dev, uint64_t size, GError **err);
