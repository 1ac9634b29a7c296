/*
 * Frames that came before there was room for them: a bounded first-in, first-out store in one piece
 * of memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_frame_queue {
	uint8_t *data; /* the user's, @size bytes: a 32-bit length and a frame, and so on */
	size_t size, start, end;
};

/* False if there is no room. */
bool net_frame_queue_add(struct net_frame_queue *queue, const void *frame, size_t len);

/* The oldest, or NULL; it stays until net_frame_queue_drop(). */
uint8_t *net_frame_queue_first(const struct net_frame_queue *queue, size_t *ret_len);
void net_frame_queue_drop(struct net_frame_queue *queue);
void net_frame_queue_clear(struct net_frame_queue *queue);
