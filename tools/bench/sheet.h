/*
 * What a benchmark has measured, as table, CSV or JSON: rows with a value of each axis and a figure
 * in each column.
 */
#pragma once

#include <glib.h>
#include <stdio.h>

#include "tools/bench/matrix.h"

#define BENCH_COLUMNS_MAX 8u

struct sheet_column {
	const char *key, *head, *what; /* JSON's and CSV's name; heading; said below the table */
	int decimals;
	bool charted; /* on the page; the first column with its quartiles */
};

struct sheet_row {
	unsigned at[N_AXES];              /* the value of each axis */
	unsigned source;                  /* which was measured */
	double figure[BENCH_COLUMNS_MAX]; /* below 0: not known */
	double low, high;                 /* quartiles of the first of them */
};

struct bench_sheet {
	const struct bench_axis_info *axes;
	unsigned n_axes;
	const struct sheet_column *columns;
	unsigned n_columns;
	const GArray *rows;         /* of struct sheet_row */
	const char *const *sources; /* sockets that were measured; NULL: there is one of them */
	unsigned n_sources;
	const char *command, *cpu;
	double ghz; /* of the time stamp counter; 0: it has nothing to do with it */
	unsigned rounds, time_ms;
	const char *note; /* what is to be said of them besides, or "" */
};

/* How the value @at of an axis is called; a number is text in @buf. */
const char *bench_axis_value(const struct bench_axis_info *axis, unsigned at, char buf[16]);

/* As a page with charts (sheet-html.c), under a title. */
void bench_sheet_write_html(FILE *page, const struct bench_sheet *sheet, const char *title);

/* In the form that the command line asks for. */
struct bench_limits;
void bench_sheet_write(FILE *out, const struct bench_sheet *sheet, const struct bench_limits *l);
