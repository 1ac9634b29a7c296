/*
 * Measuring a plan, round by round: each round takes every variant once, so that whatever else the
 * machine does meanwhile hits all of them alike.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "tools/bench/matrix.h"
#include "tools/bench/stats.h"

#define BENCH_ROUNDS_MAX 1000u

struct bench_settings {
	unsigned rounds;
	unsigned time_ms; /* of one measurement */
	unsigned limit_s; /* after which no further round begins */
	int cpus[2];      /* the driver's and the device's; -1: not pinned */
	FILE *progress;   /* NULL: silent */
};

/* Medians over the rounds. */
struct bench_row {
	struct bench_variant v;
	double million;   /* chains a second, driver to device and back */
	double spread;    /* distance of its quartiles in percent */
	double best;      /* round, in million a second */
	double driver_ns; /* a chain, without what the side waited for the other */
	double device_ns;
	double cycles;     /* of both, a chain: the same times in ticks of the time stamp counter */
	double kicks;      /* a chain */
	double interrupts; /* a chain */
	double limit;      /* million, in percent of the bare ring's */
};

/* The figures of a row, for whoever writes them out. */
struct bench_column {
	const char *key, *head, *what;
	size_t offset; /* of the double in struct bench_row */
	int decimals;
};

#define BENCH_COLUMNS 9u
extern const struct bench_column bench_columns[BENCH_COLUMNS];

double bench_figure(const struct bench_row *row, const struct bench_column *column);

/* The two processors a plan should run on if nobody says: the first ones we may use (the same one
 * twice if that is all). */
void bench_cpus(int ret_cpus[2]);
bool bench_has_cpu(int cpu); /* may we use it? */

/* Under what conditions. */
struct bench_machine {
	double ghz;       /* of the time stamp counter */
	unsigned rounds;  /* made */
	double disturbed; /* percent of the measurements that another process got into */
};

/* Measures a plan. Returns a GArray of struct bench_row in its order, or NULL with an error. */
GArray *bench_measure(const GArray *plan, const struct bench_settings *settings,
		      struct bench_machine *ret_machine, GError **err);
