/* Table, CSV and JSON: loops over the axes and the columns. */
#include <stddef.h>

#include "tools/bench/guest-impl.h"
#include "tools/bench/report.h"

#define WIDTH 11

static const struct {
	const char *key, *head, *what;
	size_t offset;
	int decimals;
} columns[] = {
	{ "thousand", "k/s", "thousand requests a second", offsetof(struct guest_row, thousand),
	  1 },
	{ "spread", "+-%", "distance of its quartiles, in percent",
	  offsetof(struct guest_row, spread), 0 },
	{ "best", "best", "round, in thousand requests a second", offsetof(struct guest_row, best),
	  1 },
	{ "ns", "ns", "a request", offsetof(struct guest_row, ns), 0 },
	{ "exits", "exits", "a request, of all kinds, most of them KVM's own business",
	  offsetof(struct guest_row, exits), 3 },
	{ "to_process", "process", "exits to the process, a request",
	  offsetof(struct guest_row, to_process), 3 },
	{ "kicks", "kicks", "a request", offsetof(struct guest_row, kicks), 3 },
	{ "interrupts", "irqs", "a request", offsetof(struct guest_row, interrupts), 3 },
};

static double report_figure(const struct guest_row *row, size_t column)
{
	return *(const double *)(const void *)((const char *)row + columns[column].offset);
}

/* "-", or null, stands for what KVM does not tell. */
static void report_number(FILE *out, const struct guest_row *row, size_t column,
			  const char *unknown)
{
	if (report_figure(row, column) < 0)
		fputs(unknown, out);
	else
		fprintf(out, "%.6g", report_figure(row, column));
}

void guest_write_table(FILE *out, const struct guest_report *report)
{
	char buf[16];

	for (unsigned i = 0; i < N_GUEST_AXES; i++)
		fprintf(out, "%-*s", WIDTH, guest_axes[i].head);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "%*s", WIDTH - 2, columns[i].head);
	fputc('\n', out);
	for (guint r = 0; r < report->rows->len; r++) {
		const struct guest_row *row = &g_array_index(report->rows, struct guest_row, r);

		if (r && row->v.at[GUEST_WAIT] != row[-1].v.at[GUEST_WAIT])
			fputc('\n', out);
		for (unsigned i = 0; i < N_GUEST_AXES; i++)
			fprintf(out, "%-*s", WIDTH, guest_value(&row->v, i, buf));
		for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
			if (report_figure(row, i) < 0)
				fprintf(out, "%*s", WIDTH - 2, "-");
			else
				fprintf(out, "%*.*f", WIDTH - 2, columns[i].decimals,
					report_figure(row, i));
		fputc('\n', out);
	}
	fprintf(out, "\nMedians of %u rounds of %u ms; %s, time stamp counter %.2f GHz.\n",
		report->rounds, report->time_ms, report->cpu, report->ghz);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "  %-8s %s\n", columns[i].head, columns[i].what);
}

void guest_write_csv(FILE *out, const struct guest_report *report)
{
	char buf[16];

	for (unsigned i = 0; i < N_GUEST_AXES; i++)
		fprintf(out, "%s,", guest_axes[i].head);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "%s%c", columns[i].key, i + 1 < G_N_ELEMENTS(columns) ? ',' : '\n');
	for (guint r = 0; r < report->rows->len; r++) {
		const struct guest_row *row = &g_array_index(report->rows, struct guest_row, r);

		for (unsigned i = 0; i < N_GUEST_AXES; i++)
			fprintf(out, "%s,", guest_value(&row->v, i, buf));
		for (size_t i = 0; i < G_N_ELEMENTS(columns); i++) {
			report_number(out, row, i, "");
			fputc(i + 1 < G_N_ELEMENTS(columns) ? ',' : '\n', out);
		}
	}
}

static void json_row(FILE *out, const struct guest_row *row)
{
	char buf[16];

	for (unsigned i = 0; i < N_GUEST_AXES; i++) {
		const char *value = guest_value(&row->v, i, buf);

		fprintf(out, "%s\"%s\": ", i ? ", " : "{ ", guest_axes[i].head);
		if (guest_axes[i].names[0])
			bench_json_string(out, value);
		else
			fputs(value, out);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++) {
		fprintf(out, ", \"%s\": ", columns[i].key);
		report_number(out, row, i, "null");
	}
	fputs(" }", out);
}

void guest_write_json(FILE *out, const struct guest_report *report)
{
	fputs("{\n  \"command\": ", out);
	bench_json_string(out, report->command);
	fputs(",\n  \"cpu\": ", out);
	bench_json_string(out, report->cpu);
	fprintf(out,
		",\n  \"tsc_ghz\": %.4g,\n  \"rounds\": %u,\n  \"time_ms\": %u,\n  \"rows\": [\n",
		report->ghz, report->rounds, report->time_ms);
	for (guint r = 0; r < report->rows->len; r++) {
		fputs("    ", out);
		json_row(out, &g_array_index(report->rows, struct guest_row, r));
		fputs(r + 1 < report->rows->len ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}
