#include "devices/base/latencies.h"

#include <glib.h>

/* 32 buckets to each power of two. */
#define SUB_BITS 5u
#define SUBS     (1u << SUB_BITS)

unsigned latencies_bucket(uint64_t ns)
{
	unsigned shift = ns < SUBS ? 0 : 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;
	unsigned at = shift * SUBS + (unsigned)(ns >> shift);

	return MIN(at, LATENCY_BUCKETS - 1);
}

static void latencies_count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

void latencies_add(struct latencies *l, uint64_t ns)
{
	latencies_count(&l->in[latencies_bucket(ns)]);
	latencies_count(&l->n);
}

void latencies_copy(struct latencies *ret, const struct latencies *l)
{
	ret->n = 0;
	for (unsigned at = 0; at < LATENCY_BUCKETS; at++) {
		ret->in[at] = __atomic_load_n(&l->in[at], __ATOMIC_RELAXED);
		ret->n += ret->in[at];
	}
}

uint64_t latencies_end(unsigned at)
{
	unsigned shift = at < 2 * SUBS ? 0 : at / SUBS - 1;

	if (at + 1 >= LATENCY_BUCKETS)
		return UINT64_MAX;
	return (uint64_t)(at - shift * SUBS + 1) << shift;
}

double latencies_ns(const struct latencies *l, double part)
{
	double below = 0;

	for (unsigned at = 0; at < LATENCY_BUCKETS; at++) {
		below += (double)l->in[at];
		if (below > 0 && below >= part * (double)l->n)
			return (double)latencies_end(at);
	}
	return 0;
}
