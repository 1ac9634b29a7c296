/*
 * A queue of the harness's driver: the reference driver (virtqueue/driver/drv.h) on the guest's
 * memory, with chains of made-up shapes, and a way to corrupt one field of what it wrote.
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

#define REFDRV_BUFS   32u /* in a chain, at most */
#define REFDRV_SIZE   64u /* entries of a ring, at most; fuzz.mk sets DRV_QUEUE_MAX to it */
#define REFDRV_QUEUES 8u

struct refdrv_chain {
	struct drv_buf buf[REFDRV_BUFS];
	uint8_t n_rd, n;
	bool shared; /* its buffers may be those of another chain, too */
};

struct refdrv {
	struct drv_vq vq;
	unsigned index; /* the queue's number */
	bool made;
	bool lies;         /* what the ring says is not what the reference driver thinks */
	int last;          /* head or id of the last chain added, -1: none */
	uint16_t last_pos; /* packed: where it begins */
	struct refdrv_chain chain[REFDRV_SIZE];
};

struct refdrv_kind {
	bool packed, event_idx, indirect, in_order;
	uint32_t legacy_align; /* 0, or as drv_config has it */
};

/* Lays a ring out. False if there is no room, or no such ring. */
bool refdrv_make(struct refdrv *t, unsigned index, unsigned size, struct refdrv_kind kind);

enum {
	SHAPE_STATUS = 1, /* the last writable buffer has one byte */
	SHAPE_CROSS =
		2,      /* the first writable (or else readable) buffer crosses a region's border */
	SHAPE_SAME = 4, /* all writable buffers are one and the same */
	SHAPE_PUBLISH = 8,  /* make it available */
	SHAPE_KICK = 16,    /* and tell the device, whether it wants it or not */
	SHAPE_NO_KICK = 32, /* or do not, even if it wants it */
	SHAPE_RUN = 64,     /* and let it work */
};

/*
 * A chain: @n_rd readable buffers among which @payload and @extra zero bytes are divided, @n_wr
 * writable ones of @wr_len bytes each. False if there is no room in the ring or in memory.
 */
struct refdrv_shape {
	unsigned n_rd, n_wr, flags;
	uint32_t wr_len, extra;
	struct input payload;
};
bool refdrv_add(struct refdrv *t, const struct refdrv_shape *shape);

/* The shape as a record spells it: counts, flags, lengths; what is left of it is the payload. */
struct refdrv_shape refdrv_shape_read(struct input *in);

/* Adds the chain that a record spells, and returns its flags. 0, and nothing added, if @t is NULL.
 */
unsigned refdrv_add_read(struct refdrv *t, struct input *in);

/* Corrupts @field of the last chain added (or of the ring): see refdrv.c. */
void refdrv_corrupt(struct refdrv *t, unsigned field, unsigned index, uint64_t value);

/* Makes what was added available; true if the device wants a kick. */
bool refdrv_publish(struct refdrv *t);

/* Takes back all that the device has used. */
void refdrv_collect(struct refdrv *t);

/* The same, and then as a record spells it: interrupts are wanted, or not. NULL is fine. */
void refdrv_collect_read(struct refdrv *t, struct input *in);
