/*
 * What the benchmarks' command lines share: an option for each axis, how long and how often is
 * measured, and how results are written.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "tools/bench/matrix.h"

/* @n axes, what is said of their values in help, and what the command line says of each. */
struct bench_choosing {
	const struct bench_axis_info *axes;
	unsigned n;
	const char *const *takes;
	struct bench_choice *choices;
};

/* The options of all axes, then (@axes_first) or before them those of @rest, which ends with a
 * zeroed one. @c outlives it. */
GOptionContext *bench_options(const struct bench_choosing *c, const GOptionEntry *rest,
			      bool axes_first);

/* @head, then the options. */
void bench_print_help(FILE *out, GOptionContext *context, const char *head);

struct bench_limits {
	int rounds, time_ms, limit_s;
	gboolean json, csv;
};

/* False with a usage error. @rounds_max, @time_max_ms: the most that may be asked for. */
bool bench_check_limits(const struct bench_limits *l, int rounds_max, int time_max_ms,
			GError **err);

/* Goes on to the next combination of @count[i] < @n[i], of @axes; the last one is the fastest.
 * False: that was the last. */
bool bench_next_combination(unsigned *count, const unsigned *n, unsigned axes);

/* All of @out was written. */
bool bench_written(FILE *out, GError **err);
