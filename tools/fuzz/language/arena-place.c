/*
 * Where in the guest's memory a driver puts things. The addresses are the same in-process and in a
 * guest (guest-fw/fuzz-arena.c), so that an input means the same in both.
 */
#include "tools/fuzz/language/arena.h"

#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"

/* Up to the border between the middle and the high region: for buffers that cross it. */
#define CROSSING 0x1000u

/* File-scope for the same reason as the arena itself: bytes handed out of the low and the middle
 * region. */
static struct {
	uint64_t low, mid;
} used;

void arena_place_anew(void)
{
	used.low = ARENA_FIRST;
	used.mid = 0;
}

/* Room for @len bytes among the first @room, of which *@n are taken: its offset, or @room. */
static uint64_t arena_take(uint64_t *n, uint64_t room, size_t len, size_t align)
{
	uint64_t at = (*n + align - 1) / align * align;

	if (at > room || len > room - at)
		return room;
	*n = at + len;
	return at;
}

static uint64_t take_low(size_t len, size_t align)
{
	uint64_t at = arena_take(&used.low, ARENA_LOW_LEN, len, align);

	return at < ARENA_LOW_LEN ? at : 0;
}

uint64_t arena_ring(size_t len, size_t align)
{
	return take_low(len, align);
}

/* Eight bytes apart, the sanitizer's grain, plus eight forbidden ones. */
uint64_t arena_buffer(size_t len)
{
	uint64_t room = ARENA_MID_LEN - CROSSING, at = arena_take(&used.mid, room, len + 8, 8);

	return at < room ? ARENA_MID_GPA + at : take_low(len + 8, 8);
}

uint64_t arena_crossing(size_t len)
{
	uint64_t half = len / 2;

	return half && half < CROSSING && len - half <= ARENA_HIGH_LEN ? ARENA_HIGH_GPA - half : 0;
}

uint64_t arena_gpa(uint32_t off)
{
	off %= ARENA_LEN;
	return off < ARENA_LOW_LEN ? off : ARENA_MID_GPA + (off - ARENA_LOW_LEN);
}

void arena_poke(struct input *in)
{
	uint64_t gpa = arena_gpa(in16(in) * 2u);

	arena_wild();
	trace("driver: pokes %zu bytes at %#lx", in_left(in), gpa);
	(void)gmem_write(arena_mem(), gpa, in->at, in_left(in));
}
