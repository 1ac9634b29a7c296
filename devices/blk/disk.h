/*
 * A disk, for whoever manages the machine: what it is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

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
};

/* What the disk @dev is now. From any thread. */
void blk_disk(const struct vdev *dev, struct blk_disk *ret);
