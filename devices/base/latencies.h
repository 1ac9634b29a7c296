/*
 * Latencies, in buckets that are a thirty-second of their value wide.
 */
#pragma once

#include <stdint.h>

#define LATENCY_BUCKETS 1920u

/* One thread adds; others may read each number meanwhile, atomically (latencies_copy()). */
struct latencies {
	uint64_t n, in[LATENCY_BUCKETS];
};

void latencies_add(struct latencies *l, uint64_t ns);

/* Of those that another thread still adds to; the sum is that of the buckets. */
void latencies_copy(struct latencies *ret, const struct latencies *l);

/* The upper end of bucket @at, in ns; the last has none: UINT64_MAX. */
uint64_t latencies_end(unsigned at);

/* The bucket that @ns falls into. */
unsigned latencies_bucket(uint64_t ns);

/* Below which @part of them are (0 to 1); a bucket's upper end. 0: there are none. */
double latencies_ns(const struct latencies *l, double part);
