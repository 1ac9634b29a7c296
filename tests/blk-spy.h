/*
 * A filter on the block seam (devices/backend/blk.h) between a device and its disk: notes what
 * passes, and keeps it back while told to.
 */
#pragma once

#include "devices/backend/blk.h"
#include "tests/rig.h"

struct spy {
	struct blk_backend base;
	struct blk_backend *next;
	unsigned n[BLK_ZERO + 1]; /* requests of each kind */
	unsigned flags;           /* of the last one */
	bool hold;
	GPtrArray *held;
};

/* Puts one before the disk of the rig's device; before rig_start(). Ends with the device. */
struct spy *spy_on(struct rig *r);
