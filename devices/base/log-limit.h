/*
 * How many lines the program prints about a guest that gives it cause. Devices limit their own
 * messages (vdev.c), but they are not the only ones to speak: libraries do, backends do. This one
 * is for all lines together, so it is wide: what an operator reads is not cut.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_LINES  200u /* at once; */
#define LOG_LIMIT_PERIOD 50   /* then one in so many milliseconds */

struct log_limit {
	int64_t time; /* of the last look, microseconds */
	unsigned tokens;
	bool began;
	unsigned dropped; /* since the last line that passed */
};

/* May a line be printed at @now (microseconds, monotonic)? *ret_dropped: how many lines before it
 * were not. */
bool log_limit_pass(struct log_limit *l, int64_t now, unsigned *ret_dropped);
