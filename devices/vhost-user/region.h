/*
 * A region of memory that is shared with one back-end, and room in it (memory=bounce).
 *
 * It lies in a memfd that nobody can make longer, or shorter (a SIGBUS for whoever looks at it),
 * and is there for one connection: a back-end that lost its own, and still has the region mapped,
 * cannot reach what its successor is told. All that lies in it the back-end may change at any time,
 * so nothing that this process goes by is kept there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/base/syscalls.h"
#include "virtqueue/gmem.h"

/* What bounce_region_open() asks of the kernel; ends with an empty row. */
extern const struct syscall_use bounce_region_syscalls[];

/* Where the back-end has it: its own addresses, which tell nothing of this process. */
#define BOUNCE_GPA 0x40000000ull

struct bounce_region {
	int fd; /* -1: there is none */
	uint8_t *p;
	uint64_t len;
	struct gmem mem; /* the region alone */
};

void bounce_region_init(struct bounce_region *r); /* there is none */

/* @len bytes, a multiple of 4096, all zero. False: errno says why. */
bool bounce_region_open(struct bounce_region *r, uint64_t len);
void bounce_region_close(struct bounce_region *r); /* closed already is fine */

static inline uint64_t bounce_region_address(uint64_t offset)
{
	return BOUNCE_GPA + offset;
}

/*
 * Room in [offset, offset + len) of a region, for one queue: pieces of any size, each in one. The
 * lowest that is free is taken, so as little memory is touched as there is in use.
 */
#define BOUNCE_ROOM_UNIT 1024ull

struct bounce_room {
	uint64_t offset;
	uint32_t units, n_used;
	uint64_t *used; /* a bit for each unit */
};

/* @len: at least one unit. */
void bounce_room_open(struct bounce_room *room, uint64_t offset, uint64_t len);
void bounce_room_close(struct bounce_room *room); /* zeroed is fine */

/* The longest piece that there could be, with nothing in use. */
static inline uint64_t bounce_room_max(const struct bounce_room *room)
{
	return (uint64_t)room->units * BOUNCE_ROOM_UNIT;
}

/* Takes @len bytes, 1 to bounce_room_max(): sets *ret_offset, of the region. False: there are not
 * so many in a row now. */
bool bounce_room_take(struct bounce_room *room, uint64_t len, uint64_t *ret_offset);

/* Gives back what was taken with the same @len; and all that was taken. */
void bounce_room_give(struct bounce_room *room, uint64_t offset, uint64_t len);
void bounce_room_give_all(struct bounce_room *room);
