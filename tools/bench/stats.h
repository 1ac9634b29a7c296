/*
 * What a handful of measurements says. On a machine with other work, medians and quartiles mean
 * something; means do not.
 */
#pragma once

struct bench_stats {
	double min, q1, median, q3, max;
};

/* Of @n values, at least one, which it sorts. Quartiles lie between values where they have to. */
struct bench_stats bench_stats(double *values, unsigned n);

/* Distance of the quartiles as a percentage of the median; 0 if that is 0. */
double bench_spread(const struct bench_stats *s);
