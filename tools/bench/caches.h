/*
 * Two processors' caches over one piece of memory, as far as lines that travel go: MESI, caches
 * without end, lines of 64 bytes.
 *
 * A processor that reads a line it does not have gets it from the other (both share it then); one
 * that writes gets it alone. If it has it already but shares it, no data travels, but it waits for
 * the other one's answer all the same: that is a claim.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64u

enum cache_side { CACHE_DRIVER, CACHE_DEVICE };

enum cache_trip {
	CACHE_HIT,
	CACHE_LINE_MOVED,   /* the line came from the other processor */
	CACHE_LINE_CLAIMED, /* it was here, and became this processor's alone */
};

struct caches {
	uint8_t *lines; /* who has it, and whether alone */
};

/* For @len bytes of memory, in nobody's cache. Aborts without memory. */
void caches_open(struct caches *c, size_t len);
void caches_close(struct caches *c);

/* @side reads a line, or (@write) writes to it, or fetches it to write to it. */
enum cache_trip caches_access(struct caches *c, enum cache_side side, size_t line, bool write);
