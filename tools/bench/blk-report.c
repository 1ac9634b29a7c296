/* Table, CSV and JSON: loops over the axes and the columns. */
#include <stddef.h>

#include "tools/bench/blk-impl.h"
#include "tools/bench/report.h"

#define WIDTH 10

static const char letters[] = "AB"; /* for the sockets */

static const struct {
	const char *key, *head, *what;
	size_t offset;
	int decimals;
} columns[] = {
	{ "thousand", "k/s", "thousand requests a second", offsetof(struct blk_row, thousand), 1 },
	{ "spread", "+-%", "distance of its quartiles, in percent",
	  offsetof(struct blk_row, spread), 0 },
	{ "mib", "MiB/s", "data", offsetof(struct blk_row, mib), 0 },
	{ "p50", "p50 us", "half of the requests took no longer", offsetof(struct blk_row, p50),
	  1 },
	{ "p99", "p99 us", "99 %", offsetof(struct blk_row, p99), 1 },
	{ "p999", "p99.9 us", "99.9 %", offsetof(struct blk_row, p999), 1 },
	{ "ratio", "A:B", "of their rates", offsetof(struct blk_row, ratio), 2 },
};

static double report_figure(const struct blk_row *row, size_t column)
{
	return *(const double *)(const void *)((const char *)row + columns[column].offset);
}

/* The last column is for two. */
static size_t report_columns(const struct blk_report *report)
{
	return G_N_ELEMENTS(columns) - (report->n_sockets == 1);
}

static const struct blk_row *report_row(const struct blk_report *report, guint at)
{
	return &g_array_index(report->rows, struct blk_row, at);
}

static void table_row(FILE *out, const struct blk_report *report, const struct blk_row *row)
{
	char buf[16];

	fprintf(out, "%c   ", letters[row->socket]);
	for (unsigned i = 0; i < N_BLK_AXES; i++)
		fprintf(out, "%-*s", WIDTH, blk_value(&row->v, i, buf));
	for (size_t i = 0; i < report_columns(report); i++)
		if (i + 1 == G_N_ELEMENTS(columns) && !row->socket)
			continue;
		else
			fprintf(out, "%*.*f", WIDTH, columns[i].decimals, report_figure(row, i));
	fputc('\n', out);
}

void blk_write_table(FILE *out, const struct blk_report *report)
{
	fprintf(out, "%-4s", "");
	for (unsigned i = 0; i < N_BLK_AXES; i++)
		fprintf(out, "%-*s", WIDTH, blk_axes[i].head);
	for (size_t i = 0; i < report_columns(report); i++)
		fprintf(out, "%*s", WIDTH, columns[i].head);
	fputc('\n', out);
	for (guint r = 0; r < report->rows->len; r++)
		table_row(out, report, report_row(report, r));
	fputc('\n', out);
	for (unsigned s = 0; s < report->n_sockets; s++)
		fprintf(out, "%c is %s\n", letters[s], report->sockets[s]);
	fprintf(out, "Rates are medians of %u rounds of %u ms, latencies are of all of them; %s.\n",
		report->rounds, report->time_ms, report->cpu);
	for (size_t i = 0; i < report_columns(report); i++)
		fprintf(out, "  %-8s %s\n", columns[i].head, columns[i].what);
}

void blk_write_csv(FILE *out, const struct blk_report *report)
{
	char buf[16];

	fputs("socket", out);
	for (unsigned i = 0; i < N_BLK_AXES; i++)
		fprintf(out, ",%s", blk_axes[i].option);
	for (size_t i = 0; i < report_columns(report); i++)
		fprintf(out, ",%s", columns[i].key);
	fputc('\n', out);
	for (guint r = 0; r < report->rows->len; r++) {
		const struct blk_row *row = report_row(report, r);

		fputs(report->sockets[row->socket], out);
		for (unsigned i = 0; i < N_BLK_AXES; i++)
			fprintf(out, ",%s", blk_value(&row->v, i, buf));
		for (size_t i = 0; i < report_columns(report); i++)
			fprintf(out, ",%.6g", report_figure(row, i));
		fputc('\n', out);
	}
}

static void json_row(FILE *out, const struct blk_report *report, const struct blk_row *row)
{
	char buf[16];

	fputs("{ \"socket\": ", out);
	bench_json_string(out, report->sockets[row->socket]);
	for (unsigned i = 0; i < N_BLK_AXES; i++) {
		const char *value = blk_value(&row->v, i, buf);

		fprintf(out, ", \"%s\": ", blk_axes[i].option);
		if (blk_axes[i].names[0])
			bench_json_string(out, value);
		else
			fputs(value, out);
	}
	for (size_t i = 0; i < report_columns(report); i++)
		fprintf(out, ", \"%s\": %.6g", columns[i].key, report_figure(row, i));
	fputs(" }", out);
}

void blk_write_json(FILE *out, const struct blk_report *report)
{
	fputs("{\n  \"command\": ", out);
	bench_json_string(out, report->command);
	fputs(",\n  \"cpu\": ", out);
	bench_json_string(out, report->cpu);
	fprintf(out, ",\n  \"rounds\": %u,\n  \"time_ms\": %u,\n  \"rows\": [\n", report->rounds,
		report->time_ms);
	for (guint r = 0; r < report->rows->len; r++) {
		fputs("    ", out);
		json_row(out, report, report_row(report, r));
		fputs(r + 1 < report->rows->len ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}
