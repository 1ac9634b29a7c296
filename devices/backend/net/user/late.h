/*
 * Frames that came before there was room for them: a bounded first-in, first-out store in one piece
 * of memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_late {
	uint8_t *data; /* the user's, @size bytes: a 32-bit length and a frame, and so on */
	size_t size, start, end;
};

/* False if there is no room. */
bool net_late_add(struct net_late *late, const void *frame, size_t len);

/* The oldest, or NULL; it stays until net_late_drop(). */
uint8_t *net_late_first(const struct net_late *late, size_t *ret_len);
void net_late_drop(struct net_late *late);
void net_late_clear(struct net_late *late);
