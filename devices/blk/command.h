/*
 * What a driver asked for, checked. The parser is pure: it looks at the chain and at the limits,
 * has no disk and does nothing, so it can be tested and fuzzed alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/chain.h"

#define BLK_RANGES_MAX 16u

/* What requests are judged against. */
struct blk_limits {
	_Atomic uint64_t capacity;        /* sectors; another thread may change it */
	uint32_t max_discard, max_zeroes; /* sectors in a range */
	bool ro;
	bool no_flush;              /* there is nothing that a flush could make safe */
	bool discard, write_zeroes; /* negotiated */
	bool legacy;                /* there is FLUSH_OUT, too */
};

struct blk_command {
	uint32_t type;        /* BLK_T_*, one of those we know */
	uint64_t offset, len; /* IN, OUT: bytes, inside the disk */
	unsigned n_ranges;    /* DISCARD, WRITE_ZEROES, inside the disk */
	struct blk_command_range {
		uint64_t sector;
		uint32_t n_sectors;
		bool unmap;
	} range[BLK_RANGES_MAX];
};

/*
 * Reads the request out of @c, whose status byte has been set aside already (so what is left of
 * c->wr is data). Returns BLK_S_OK and fills in *ret_cmd; c->rd (OUT) or c->wr (IN, GET_ID) are
 * then at the data. Otherwise returns the status that the driver shall see.
 */
uint8_t blk_parse(struct vq_chain *c, const struct blk_limits *limits, struct blk_command *ret_cmd);
