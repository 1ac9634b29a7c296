/*
 * What the parts of `ringside bench blk` share: what is varied (blk.c), and one measurement
 * (blk-run.c).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "tools/bench/sockets.h"

enum blk_axis {
	BLK_OP,    /* randread, read, randwrite, write */
	BLK_SIZE,  /* KiB of a request */
	BLK_DEPTH, /* requests in flight */
	BLK_RING,  /* split, packed */
	BLK_WAIT,  /* irq: asleep until there is something; poll */
	N_BLK_AXES,
};

/* Values of BLK_OP. */
enum blk_op { BLK_RANDREAD, BLK_READ, BLK_RANDWRITE, BLK_WRITE };

#define BLK_SIZE_MAX  1024u
#define BLK_DEPTH_MAX 256u

/* struct socket_bench's run(). */
bool blk_run(const char *path, const unsigned *at, unsigned time_ms, struct latencies *l,
	     double *ret_rate, GError **err);
