/*
 * Writing down what was measured: for people (table, page with charts), for programs (JSON, CSV).
 */
#pragma once

#include <glib.h>
#include <stdio.h>

#include "tools/bench/measure.h"

struct bench_report {
	const GArray *rows; /* of struct bench_row */
	const struct bench_settings *settings;
	const char *command; /* as it was given */
	const char *cpu;     /* its model's name */
	struct bench_machine machine;
};

void bench_write_table(FILE *out, const struct bench_report *report);
void bench_write_csv(FILE *out, const struct bench_report *report);
void bench_write_json(FILE *out, const struct bench_report *report);
void bench_write_html(FILE *out, const struct bench_report *report);

/* A variant's value as the reports show it: "-" where the bare ring has none. */
const char *bench_cell(const struct bench_variant *v, enum bench_axis axis, char buf[16]);

/* The row of a variant, or NULL. */
const struct bench_row *bench_find(const GArray *rows, const struct bench_variant *v);

/* The processor's name as the kernel has it; free with g_free(). */
char *bench_cpu_model(void);
