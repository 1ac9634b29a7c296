#include "tools/bench/latencies.h"

#include <glib.h>

/* 32 buckets to each power of two. */
#define SUB_BITS 5u
#define SUBS     (1u << SUB_BITS)

void latencies_add(struct latencies *l, uint64_t ns)
{
	unsigned shift = ns < SUBS ? 0 : 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;
	unsigned at = shift * SUBS + (unsigned)(ns >> shift);

	l->in[MIN(at, LATENCY_BUCKETS - 1)]++;
	l->n++;
}

double latencies_ns(const struct latencies *l, double part)
{
	double below = 0;

	for (unsigned at = 0; at < LATENCY_BUCKETS; at++) {
		unsigned shift = at < 2 * SUBS ? 0 : at / SUBS - 1;

		below += (double)l->in[at];
		if (below > 0 && below >= part * (double)l->n)
			return (double)(at - shift * SUBS + 1) * (double)(1ull << shift);
	}
	return 0;
}
