/* Table, CSV and JSON: see report.h. All three are loops over the axes and the columns. */
#include "tools/bench/report.h"

#include <string.h>

#include "devices/base/json-string.h"

#define WIDTH 10

const char *bench_cell(const struct bench_variant *v, enum bench_axis axis, char buf[16])
{
	bool bare = v->at[AXIS_RING] == RING_BARE;

	if (bare && axis != AXIS_RING && axis != AXIS_MODE && axis != AXIS_SIZE &&
	    axis != AXIS_BATCH)
		return "-";
	return bench_value_name(axis, v->at[axis], buf);
}

const struct bench_row *bench_find(const GArray *rows, const struct bench_variant *v)
{
	for (guint i = 0; i < rows->len; i++) {
		const struct bench_row *row = &g_array_index(rows, struct bench_row, i);

		if (memcmp(&row->v, v, sizeof(*v)) == 0)
			return row;
	}
	return NULL;
}

/*
 * The table. An empty line wherever something but ring and batch changes.
 */
static bool same_group(const struct bench_variant *a, const struct bench_variant *b)
{
	for (unsigned i = 0; i < N_AXES; i++)
		if (i != AXIS_RING && i != AXIS_BATCH && a->at[i] != b->at[i])
			return false;
	return true;
}

static void table_row(FILE *out, const struct bench_row *row)
{
	char buf[16];

	for (unsigned i = 0; i < N_AXES; i++)
		fprintf(out, "%-*s", WIDTH, bench_cell(&row->v, i, buf));
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "%*.*f", WIDTH - 1, bench_columns[i].decimals,
			bench_figure(row, &bench_columns[i]));
	fputc('\n', out);
}

void bench_write_table(FILE *out, const struct bench_report *report)
{
	const struct bench_row *last = NULL;

	for (unsigned i = 0; i < N_AXES; i++)
		fprintf(out, "%-*s", WIDTH, bench_axes[i].head);
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "%*s", WIDTH - 1, bench_columns[i].head);
	fputc('\n', out);
	for (guint i = 0; i < report->rows->len; i++) {
		const struct bench_row *row = &g_array_index(report->rows, struct bench_row, i);

		if (last && !same_group(&last->v, &row->v))
			fputc('\n', out);
		table_row(out, row);
		last = row;
	}
	fprintf(out,
		"\nMedians of %u rounds of %u ms; %s, time stamp counter %.2f GHz.\n"
		"Other processes got into %.0f%% of the measurements; such are made again if possible.\n",
		report->machine.rounds, report->settings->time_ms, report->cpu, report->machine.ghz,
		report->machine.disturbed);
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "  %-8s %s\n", bench_columns[i].head, bench_columns[i].what);
}

/*
 * CSV: one header, one line a variant.
 */
void bench_write_csv(FILE *out, const struct bench_report *report)
{
	for (unsigned i = 0; i < N_AXES; i++)
		fprintf(out, "%s,", bench_axes[i].head);
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "%s%c", bench_columns[i].key, i + 1 < BENCH_COLUMNS ? ',' : '\n');
	for (guint row = 0; row < report->rows->len; row++) {
		const struct bench_row *r = &g_array_index(report->rows, struct bench_row, row);
		char buf[16];

		for (unsigned i = 0; i < N_AXES; i++)
			fprintf(out, "%s,", bench_cell(&r->v, i, buf));
		for (unsigned i = 0; i < BENCH_COLUMNS; i++)
			fprintf(out, "%.6g%c", bench_figure(r, &bench_columns[i]),
				i + 1 < BENCH_COLUMNS ? ',' : '\n');
	}
}

/*
 * JSON: named values as strings, numbers as numbers, what a bare ring has not as null.
 */
static void json_row(FILE *out, const struct bench_row *row)
{
	for (unsigned i = 0; i < N_AXES; i++) {
		char buf[16];
		const char *cell = bench_cell(&row->v, i, buf);

		fprintf(out, "%s\"%s\": ", i ? ", " : "{ ", bench_axes[i].head);
		if (strcmp(cell, "-") == 0)
			fputs("null", out);
		else if (bench_axes[i].names[0])
			json_put_string(out, cell);
		else
			fputs(cell, out);
	}
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, ", \"%s\": %.6g", bench_columns[i].key,
			bench_figure(row, &bench_columns[i]));
	fputs(" }", out);
}

void bench_write_json(FILE *out, const struct bench_report *report)
{
	fputs("{\n  \"command\": ", out);
	json_put_string(out, report->command);
	fputs(",\n  \"cpu\": ", out);
	json_put_string(out, report->cpu);
	fprintf(out, ",\n  \"tsc_ghz\": %.4g,\n  \"rounds\": %u,\n  \"time_ms\": %u,\n",
		report->machine.ghz, report->machine.rounds, report->settings->time_ms);
	fprintf(out, "  \"disturbed_percent\": %.3g,\n", report->machine.disturbed);
	fputs("  \"rows\": [\n", out);
	for (guint i = 0; i < report->rows->len; i++) {
		fputs("    ", out);
		json_row(out, &g_array_index(report->rows, struct bench_row, i));
		fputs(i + 1 < report->rows->len ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}
