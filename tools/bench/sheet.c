#include "tools/bench/sheet.h"

#include "devices/base/json-string.h"
#include "tools/bench/command.h"
#include "tools/bench/report.h"

#define WIDTH 10

/* For a source. */
static int sheet_letter(unsigned source)
{
	return 'A' + (int)source;
}

const char *bench_axis_value(const struct bench_axis_info *axis, unsigned at, char buf[16])
{
	if (axis->names[0])
		return axis->names[at];
	(void)g_snprintf(buf, 16, "%u", at);
	return buf;
}

static const struct sheet_row *sheet_row_at(const struct bench_sheet *sheet, guint at)
{
	return &g_array_index(sheet->rows, struct sheet_row, at);
}

/* @unknown stands for what is not known. */
static void sheet_number(FILE *out, double figure, const char *unknown)
{
	if (figure < 0)
		fputs(unknown, out);
	else
		fprintf(out, "%.6g", figure);
}

/*
 * The table.
 */
static void table_head(FILE *out, const struct bench_sheet *sheet)
{
	if (sheet->sources)
		fprintf(out, "%-4s", "");
	for (unsigned i = 0; i < sheet->n_axes; i++)
		fprintf(out, "%-*s", WIDTH, sheet->axes[i].head);
	for (unsigned i = 0; i < sheet->n_columns; i++)
		fprintf(out, "%*s", WIDTH, sheet->columns[i].head);
	fputc('\n', out);
}

static void table_row(FILE *out, const struct bench_sheet *sheet, const struct sheet_row *row)
{
	char buf[16];

	if (sheet->sources)
		fprintf(out, "%c   ", sheet_letter(row->source));
	for (unsigned i = 0; i < sheet->n_axes; i++)
		fprintf(out, "%-*s", WIDTH, bench_axis_value(&sheet->axes[i], row->at[i], buf));
	for (unsigned i = 0; i < sheet->n_columns; i++)
		if (row->figure[i] < 0)
			fprintf(out, "%*s", WIDTH, "-");
		else
			fprintf(out, "%*.*f", WIDTH, sheet->columns[i].decimals, row->figure[i]);
	fputc('\n', out);
}

static void sheet_write_table(FILE *out, const struct bench_sheet *sheet)
{
	table_head(out, sheet);
	for (guint r = 0; r < sheet->rows->len; r++)
		table_row(out, sheet, sheet_row_at(sheet, r));
	fputc('\n', out);
	for (unsigned s = 0; s < sheet->n_sources; s++)
		fprintf(out, "%c is %s\n", sheet_letter(s), sheet->sources[s]);
	fprintf(out, "Medians of %u rounds of %u ms%s; %s", sheet->rounds, sheet->time_ms,
		sheet->note, sheet->cpu);
	if (sheet->ghz > 0)
		fprintf(out, ", time stamp counter %.2f GHz", sheet->ghz);
	fputs(".\n", out);
	for (unsigned i = 0; i < sheet->n_columns; i++)
		fprintf(out, "  %-8s %s\n", sheet->columns[i].head, sheet->columns[i].what);
}

/*
 * For programs.
 */
static void sheet_write_csv(FILE *out, const struct bench_sheet *sheet)
{
	const char *comma = sheet->sources ? "," : "";
	char buf[16];

	fputs(sheet->sources ? "socket" : "", out);
	for (unsigned i = 0; i < sheet->n_axes; i++)
		fprintf(out, "%s%s", i ? "," : comma, sheet->axes[i].option);
	for (unsigned i = 0; i < sheet->n_columns; i++)
		fprintf(out, ",%s", sheet->columns[i].key);
	fputc('\n', out);
	for (guint r = 0; r < sheet->rows->len; r++) {
		const struct sheet_row *row = sheet_row_at(sheet, r);

		fputs(sheet->sources ? sheet->sources[row->source] : "", out);
		for (unsigned i = 0; i < sheet->n_axes; i++)
			fprintf(out, "%s%s", i ? "," : comma,
				bench_axis_value(&sheet->axes[i], row->at[i], buf));
		for (unsigned i = 0; i < sheet->n_columns; i++) {
			fputc(',', out);
			sheet_number(out, row->figure[i], "");
		}
		fputc('\n', out);
	}
}

static void json_row(FILE *out, const struct bench_sheet *sheet, const struct sheet_row *row)
{
	const char *comma = "";
	char buf[16];

	fputs("{ ", out);
	if (sheet->sources) {
		fputs("\"socket\": ", out);
		json_put_string(out, sheet->sources[row->source]);
		comma = ", ";
	}
	for (unsigned i = 0; i < sheet->n_axes; i++) {
		const char *value = bench_axis_value(&sheet->axes[i], row->at[i], buf);

		fprintf(out, "%s\"%s\": ", i ? ", " : comma, sheet->axes[i].option);
		if (sheet->axes[i].names[0])
			json_put_string(out, value);
		else
			fputs(value, out);
	}
	for (unsigned i = 0; i < sheet->n_columns; i++) {
		fprintf(out, ", \"%s\": ", sheet->columns[i].key);
		sheet_number(out, row->figure[i], "null");
	}
	fputs(" }", out);
}

static void sheet_write_json(FILE *out, const struct bench_sheet *sheet)
{
	fputs("{\n  \"command\": ", out);
	json_put_string(out, sheet->command);
	fputs(",\n  \"cpu\": ", out);
	json_put_string(out, sheet->cpu);
	if (sheet->ghz > 0)
		fprintf(out, ",\n  \"tsc_ghz\": %.4g", sheet->ghz);
	fprintf(out, ",\n  \"rounds\": %u,\n  \"time_ms\": %u,\n  \"rows\": [\n", sheet->rounds,
		sheet->time_ms);
	for (guint r = 0; r < sheet->rows->len; r++) {
		fputs("    ", out);
		json_row(out, sheet, sheet_row_at(sheet, r));
		fputs(r + 1 < sheet->rows->len ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}

void bench_sheet_write(FILE *out, const struct bench_sheet *sheet, const struct bench_limits *l)
{
	if (l->json)
		sheet_write_json(out, sheet);
	else if (l->csv)
		sheet_write_csv(out, sheet);
	else
		sheet_write_table(out, sheet);
}
