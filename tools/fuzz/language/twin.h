/*
 * A queue of the harness's driver: our driver's twin (virtqueue/driver/drv.h) on the guest's memory, with
 * chains of made-up shapes, and a way to bend one field of what the twin wrote so well.
 *
 * It opens to the device what a driver hands it and shuts it when it comes back (arena.h), and it
 * is a judge: a device that answers a sound driver with what no device may answer is a bug.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/fuzz/language/input.h"
#include "virtqueue/driver/drv.h"

#define TWIN_BUFS   32u /* in a chain, at most */
#define TWIN_SIZE   64u /* entries of a ring, at most; fuzz.mk gives DRV_QUEUE_MAX the same value */
#define TWIN_QUEUES 8u

struct twin_chain {
	struct drv_buf buf[TWIN_BUFS];
	uint8_t n_rd, n;
	bool shared; /* its buffers may be those of another chain, too */
};

struct twin {
	struct drv_vq vq;
	unsigned index; /* the queue's number */
	bool made;
	bool lies;         /* what the ring says is not what the twin thinks */
	int last;          /* head or id of the last chain added, -1: none */
	uint16_t last_pos; /* packed: where it begins */
	struct twin_chain chain[TWIN_SIZE];
};

struct twin_kind {
	bool packed, event_idx, indirect, in_order;
};

/* Lays a ring out. False if there is no room, or no such ring. */
bool twin_make(struct twin *t, unsigned index, unsigned size, struct twin_kind kind);

enum {
	SHAPE_STATUS = 1, /* the last writable buffer has one byte */
	SHAPE_CROSS =
		2,      /* the first writable (or else readable) buffer crosses a region's border */
	SHAPE_SAME = 4, /* all writable buffers are one and the same */
	SHAPE_PUBLISH = 8, /* make it available */
	SHAPE_KICK = 16,   /* and tell the device, whether it wants it or not */
	SHAPE_HUSH = 32,   /* or do not, even if it wants it */
	SHAPE_RUN = 64,    /* and let it work */
};

/*
 * A chain: @n_rd readable buffers among which @payload and @extra zero bytes are divided, @n_wr
 * writable ones of @wr_len bytes each. False if there is no room in the ring or in memory.
 */
struct twin_shape {
	unsigned n_rd, n_wr, flags;
	uint32_t wr_len, extra;
	struct input payload;
};
bool twin_add(struct twin *t, const struct twin_shape *shape);

/* The shape as a record spells it: counts, flags, lengths; what is left of it is the payload. */
struct twin_shape twin_shape_read(struct input *in);

/* Bends @field of the last chain added (or of the ring): see twin.c. */
void twin_bend(struct twin *t, unsigned field, unsigned index, uint64_t value);

/* Makes what was added available; true if the device wants a kick. */
bool twin_publish(struct twin *t);

/* Takes back all that the device has used. */
void twin_collect(struct twin *t);
