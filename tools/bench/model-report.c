/* What was counted, as a table, CSV or JSON. The table shows the axes that differ between its rows;
 * what they have in common is in a line below. */
#include "tools/bench/model.h"

#include <string.h>

#include "devices/base/json-string.h"
#include "tools/bench/report.h"

#define AXIS_WIDTH   10
#define COLUMN_WIDTH 8

#define COLUMN(key, head, what)                                   \
	{                                                         \
#key, head, what, offsetof(struct model_row, key) \
	}

static const struct {
	const char *key, *head, *what;
	size_t offset;
} columns[] = {
	COLUMN(desc, "desc", "lines of the descriptor table, or of the packed ring"),
	COLUMN(avail, "avail", "lines of the available ring and its index"),
	COLUMN(used, "used", "lines of the used ring and its index"),
	COLUMN(suppression, "suppr", "lines for notification suppression alone"),
	COLUMN(tables, "tables", "lines of indirect tables"),
	COLUMN(lines, "lines", "cache lines that travelled between the processors: all of these"),
	COLUMN(claims, "claims", "lines that were there, and had to be had alone"),
	COLUMN(kicks, "kicks", "available buffer notifications"),
	COLUMN(interrupts, "irqs", "used buffer notifications"),
	COLUMN(reads, "reads", "PCIe: read requests of a device in hardware"),
	COLUMN(writes, "writes", "PCIe: its posted writes, without MSI-X messages"),
	COLUMN(bytes, "bytes", "PCIe: over the link, both ways, all of these"),
	COLUMN(told_reads, "reads+", "PCIe: read requests with VIRTIO_F_NOTIFICATION_DATA"),
	COLUMN(told_bytes, "bytes+", "PCIe: bytes with VIRTIO_F_NOTIFICATION_DATA"),
};

static double figure_of(const struct model_row *row, size_t column)
{
	double value;

	memcpy(&value, (const char *)row + columns[column].offset, sizeof(value));
	return value;
}

static const struct model_row *row_at(const GArray *rows, guint i)
{
	return &g_array_index(rows, struct model_row, i);
}

static bool axis_varies(const GArray *rows, enum bench_axis axis)
{
	for (guint i = 1; i < rows->len; i++)
		if (row_at(rows, i)->v.at[axis] != row_at(rows, 0)->v.at[axis])
			return true;
	return false;
}

static void write_cells(FILE *out, const GArray *rows, const struct model_row *row)
{
	char buf[16];

	for (unsigned axis = 0; axis < N_AXES; axis++)
		if (axis_varies(rows, axis))
			fprintf(out, "%-*s", AXIS_WIDTH,
				bench_value_name(axis, row->v.at[axis], buf));
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "%*.*f", COLUMN_WIDTH, figure_of(row, i) < 100 ? 3 : 1,
			figure_of(row, i));
	fputc('\n', out);
}

static void write_common(FILE *out, const GArray *rows)
{
	char buf[16];

	fputs("\nFor one chain. In all rows:", out);
	for (unsigned axis = 0; axis < N_AXES; axis++)
		if (!axis_varies(rows, axis))
			fprintf(out, " %s %s", bench_axes[axis].head,
				bench_value_name(axis, row_at(rows, 0)->v.at[axis], buf));
	fputs(".\n", out);
}

void model_write_table(FILE *out, const GArray *rows)
{
	for (unsigned axis = 0; axis < N_AXES; axis++)
		if (axis_varies(rows, axis))
			fprintf(out, "%-*s", AXIS_WIDTH, bench_axes[axis].head);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "%*s", COLUMN_WIDTH, columns[i].head);
	fputc('\n', out);
	for (guint i = 0; i < rows->len; i++)
		write_cells(out, rows, row_at(rows, i));
	write_common(out, rows);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "  %-8s %s\n", columns[i].head, columns[i].what);
}

void model_write_csv(FILE *out, const GArray *rows)
{
	char buf[16];

	for (unsigned axis = 0; axis < N_AXES; axis++)
		fprintf(out, "%s,", bench_axes[axis].head);
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, "%s%c", columns[i].key, i + 1 < G_N_ELEMENTS(columns) ? ',' : '\n');
	for (guint row = 0; row < rows->len; row++) {
		for (unsigned axis = 0; axis < N_AXES; axis++)
			fprintf(out, "%s,",
				bench_value_name(axis, row_at(rows, row)->v.at[axis], buf));
		for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
			fprintf(out, "%.6g%c", figure_of(row_at(rows, row), i),
				i + 1 < G_N_ELEMENTS(columns) ? ',' : '\n');
	}
}

static void json_row(FILE *out, const struct model_row *row)
{
	char buf[16];

	for (unsigned axis = 0; axis < N_AXES; axis++) {
		const char *value = bench_value_name(axis, row->v.at[axis], buf);

		fprintf(out, "%s\"%s\": ", axis ? ", " : "{ ", bench_axes[axis].head);
		if (bench_axes[axis].names[0])
			json_put_string(out, value);
		else
			fputs(value, out);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		fprintf(out, ", \"%s\": %.6g", columns[i].key, figure_of(row, i));
	fputs(" }", out);
}

void model_write_json(FILE *out, const GArray *rows, const char *command)
{
	fputs("{\n  \"command\": ", out);
	json_put_string(out, command);
	fputs(",\n  \"rows\": [\n", out);
	for (guint i = 0; i < rows->len; i++) {
		fputs("    ", out);
		json_row(out, row_at(rows, i));
		fputs(i + 1 < rows->len ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}
