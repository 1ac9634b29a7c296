/*
 * The guest's memory: three small regions, the last two adjoining for the guest and apart for us, so
 * that a buffer can cross from one into the other.
 *
 * Under the address sanitizer all of it is forbidden ground at first, and a driver opens what it
 * hands to the device, byte by byte: rings, tables, buffers. A device that touches anything else is
 * caught on the spot, though a guest's memory is one big mapping. A driver that writes nonsense of
 * which nobody can say what a device may make of it has to open everything ("wild"); after a reset
 * all is forbidden again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtqueue/gmem.h"

#define ARENA_FIRST    64u /* the first to be given out: 0 is for those who forget to set one */
#define ARENA_LOW_LEN  0x14000u
#define ARENA_MID_GPA  (4ull << 30)
#define ARENA_MID_LEN  0x10000u
#define ARENA_HIGH_GPA (ARENA_MID_GPA + ARENA_MID_LEN)
#define ARENA_HIGH_LEN 0x4000u
#define ARENA_LEN      (ARENA_LOW_LEN + ARENA_MID_LEN + ARENA_HIGH_LEN)

/* There is one. NULL regions before arena_init(). */
void arena_init(void);
const struct gmem *arena_mem(void);

/* Zeroes what was used, forbids all. Costs what was used. */
void arena_begin(void);

/* Forbids all; what is in it stays. After a device's reset. */
void arena_close(void);

/* Opens @len bytes at @gpa, as far as they are memory. */
void arena_open(uint64_t gpa, uint64_t len);
void arena_shut(uint64_t gpa, uint64_t len);

/* What is open stays open until arena_close(): a driver gave the device other bytes than it meant. */
void arena_keep(void);

/* Opens what a bent descriptor names. That may be a ring, and then the device may spoil it. */
void arena_open_bent(uint64_t gpa, uint64_t len);

/* From now until arena_close() the device may be made to touch anything. */
void arena_wild(void);

/* Rings are as driver and device have written them: whoever breaks a rule there is to blame. */
bool arena_is_sound(void);

/* All room is free again. */
void arena_place_anew(void);

/* Room for a ring (16-aligned, from the low region) or a buffer; 0 if there is none. Not opened. */
uint64_t arena_ring(size_t len);
uint64_t arena_buffer(size_t len);
/* A buffer of @len bytes that crosses from the middle into the high region. Not exclusive. */
uint64_t arena_crossing(size_t len);

/* For our own reading and writing of what is open: NULL unless all of it is in one region. */
void *arena_at(uint64_t gpa, size_t len);

/* Byte @off of all regions one behind the other, for pokes: its guest address. */
uint64_t arena_gpa(uint32_t off);

/* Is this address of ours inside the guest's memory? */
bool arena_holds(const void *p);
