/*
 * Benchmarks of what is behind a vhost-user socket, or behind two in turn: their command line,
 * their rounds, their report. A benchmark is its axes, its columns, and one measurement.
 *
 * Each measurement is a connection of its own, so that a back-end that serves one front-end at a
 * time can be measured, too. Each round takes every variant once, and each variant all sockets in
 * turn, so that whatever else the machine does hits all of them alike.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "devices/base/latencies.h"
#include "tools/bench/sheet.h"

/* What its columns are about. */
enum socket_column {
	SOCKET_RATE,   /* thousand a second: median over the rounds */
	SOCKET_SPREAD, /* distance of its quartiles in percent */
	SOCKET_DATA,   /* MiB a second */
	SOCKET_P50,    /* microseconds; of all rounds */
	SOCKET_P99,
	SOCKET_P999,
	SOCKET_RATIO, /* of the rates: the first socket's to this one's */
	N_SOCKET_COLUMNS,
};

struct socket_bench {
	const char *command;      /* "ringside bench NAME" */
	const char *title;        /* of its page */
	const char *help;         /* its first paragraphs */
	const char *const *takes; /* what the command line says of each axis's values */
	const struct bench_axis_info *axes;
	unsigned n_axes;
	struct sheet_column columns[N_SOCKET_COLUMNS];
	double (*bytes)(const unsigned *at); /* of one, in the variant with these values */
	/* One connection, for @time_ms and until what was begun is there: how many a second.
	 * Latencies, if there are any, are added to @l. False with an error. */
	bool (*run)(const char *path, const unsigned *at, unsigned time_ms, struct latencies *l,
		    double *ret_rate, GError **err);
};

/* `ringside bench NAME`, as bench.h has it. */
bool bench_sockets_command(const struct socket_bench *bench, char *const *argv, FILE *out,
			   FILE *progress, GError **err);
