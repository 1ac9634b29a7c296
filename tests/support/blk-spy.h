/*
 * A filter on the block seam (devices/backend/blk/blk.h) between a device and its disk: notes what
 * passes, and keeps it back while told to.
 */
#pragma once

#include "devices/backend/blk/blk.h"
#include "tests/support/rig.h"

struct spy {
	struct blk_backend base;
	struct blk_backend *next;
	unsigned n[BLK_ZERO + 1]; /* requests of each kind */
	unsigned flags;           /* of the last one */
	bool hold;                /* what is submitted: as if it was not begun, */
	bool in_hand;             /* or as if the host had it in hand: to be waited for */
	GPtrArray *held;
	GPtrArray *channels; /* that there are just now */
	unsigned stopped;    /* channels that were asked to stop so far */
	struct loop *loop;   /* the owner's, set by who uses spy_let_go_once_asked() */
};

/* Puts one before the disk of the rig's device; before rig_start(). Ends with the device. */
struct spy *spy_on(struct rig *r);

/* On the owner's thread: what is held goes on to the disk, last held first: nobody was promised an
 * order. */
void spy_let_go(struct spy *spy);

/* On spy->loop, the owner's: the same as soon as a channel was asked to stop. Of a struct spy. */
void spy_let_go_once_asked(void *spy);
