/* Medians and quartiles: see stats.h. */
#include "tools/bench/stats.h"

#include <stdlib.h>

static int stats_compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value @part of the way from the first to the last. */
static double quantile(const double *sorted, unsigned n, double part)
{
	double at = part * (n - 1);
	unsigned below = (unsigned)at;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

struct bench_stats bench_stats(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), stats_compare);
	return (struct bench_stats){
		.min = values[0],
		.q1 = quantile(values, n, 0.25),
		.median = quantile(values, n, 0.5),
		.q3 = quantile(values, n, 0.75),
		.max = values[n - 1],
	};
}

double bench_spread(const struct bench_stats *s)
{
	return s->median > 0 ? (s->q3 - s->q1) / s->median * 100 : 0;
}
