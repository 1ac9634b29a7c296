/* A mutation: a wrap counter that is flipped late, if the ring's end is reached exactly. */
#pragma once

#include <stdbool.h>

#include "virtqueue/vring.h"

static inline uint16_t late_advance(uint16_t pos, unsigned n, unsigned size)
{
	bool late = vring_pos_off(pos) + n == size;

	return vring_pos_advance(pos, n, size) ^ (late ? VRING_POS_WRAP : 0);
}

#define vring_pos_advance late_advance
