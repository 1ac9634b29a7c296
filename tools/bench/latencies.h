/*
 * Latencies, in buckets that are a thirty-second of their value wide.
 */
#pragma once

#include <stdint.h>

#define LATENCY_BUCKETS 1920u

struct latencies {
	uint64_t n, in[LATENCY_BUCKETS];
};

void latencies_add(struct latencies *l, uint64_t ns);

/* Below which @part of them are (0 to 1); a bucket's upper end. 0: there are none. */
double latencies_ns(const struct latencies *l, double part);
