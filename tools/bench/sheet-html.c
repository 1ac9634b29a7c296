/*
 * The page of a sheet: a chart for each column that is to have one, its groups the variants, its
 * series the sockets, or, of one, the layouts of the ring. And all figures.
 */
#include <math.h>
#include <string.h>

#include "tools/bench/chart.h"
#include "tools/bench/page.h"
#include "tools/bench/sheet.h"

#define GROUPS 6u /* of a chart: there is room for their names */

static const struct sheet_row *row_at(const struct bench_sheet *sheet, guint i)
{
	return &g_array_index(sheet->rows, struct sheet_row, i);
}

/* The axis whose values are series; n_axes: the sockets are. */
static unsigned series_axis(const struct bench_sheet *sheet)
{
	for (unsigned i = 0; i < sheet->n_axes && sheet->n_sources < 2; i++)
		if (strcmp(sheet->axes[i].option, "ring") == 0)
			return i;
	return sheet->n_axes;
}

static unsigned series_of(const struct bench_sheet *sheet, const struct sheet_row *row)
{
	unsigned axis = series_axis(sheet);

	return axis < sheet->n_axes ? row->at[axis] : row->source;
}

/* Are they of one group? */
static bool row_beside(const struct bench_sheet *sheet, const struct sheet_row *a,
		       const struct sheet_row *b)
{
	unsigned axis = series_axis(sheet);

	for (unsigned i = 0; i < sheet->n_axes; i++)
		if (i != axis && a->at[i] != b->at[i])
			return false;
	return true;
}

static bool axis_varies(const struct bench_sheet *sheet, unsigned axis)
{
	for (guint r = 1; r < sheet->rows->len; r++)
		if (row_at(sheet, r)->at[axis] != row_at(sheet, 0)->at[axis])
			return true;
	return false;
}

/* The group of row @r, in @c: one that is there, or a new one. False: there are enough. */
static bool chart_group(struct chart *c, const struct bench_sheet *sheet, guint *first, guint r,
			unsigned *ret)
{
	for (*ret = 0; *ret < c->n; ++*ret)
		if (row_beside(sheet, row_at(sheet, first[*ret]), row_at(sheet, r)))
			return true;
	if (c->n == GROUPS)
		return false;
	for (unsigned s = 0; s < CHART_SERIES; s++)
		c->value[s][c->n] = NAN;
	first[c->n++] = r;
	return true;
}

static void chart_label(struct chart *c, const struct bench_sheet *sheet, unsigned group, guint r)
{
	unsigned series = series_axis(sheet);
	char buf[16];

	c->label[group][0] = '\0';
	for (unsigned i = 0; i < sheet->n_axes; i++) {
		if (i == series || !axis_varies(sheet, i))
			continue;
		if (c->label[group][0])
			(void)g_strlcat(c->label[group], " ", sizeof(c->label[0]));
		(void)g_strlcat(c->label[group],
				bench_axis_value(&sheet->axes[i], row_at(sheet, r)->at[i], buf),
				sizeof(c->label[0]));
	}
}

static void chart_put(struct chart *c, unsigned group, unsigned series, unsigned column,
		      const struct sheet_row *row)
{
	if (row->figure[column] < 0)
		return;
	c->value[series][group] = row->figure[column];
	if (column == 0) {
		c->low[series][group] = row->low;
		c->high[series][group] = row->high;
	}
}

static void chart_names(struct chart *c, const struct bench_sheet *sheet, char *axis, size_t size)
{
	unsigned series = series_axis(sheet);

	for (unsigned s = 0; s < CHART_SERIES; s++)
		if (series < sheet->n_axes)
			c->series[s] = axis_varies(sheet, series) ||
						       row_at(sheet, 0)->at[series] == s
					       ? sheet->axes[series].names[s]
					       : NULL;
		else
			c->series[s] = s ? "B" : "A";
	if (!c->series[0]) /* packed alone */
		c->series[0] = "-";
	for (unsigned i = 0; i < sheet->n_axes; i++)
		if (i != series && axis_varies(sheet, i)) {
			(void)g_strlcat(axis, *axis ? ", " : "", size);
			(void)g_strlcat(axis, sheet->axes[i].head, size);
		}
	c->axis = axis;
}

/* Those from row @from on that fit; where the next ones begin. */
static guint chart_some(FILE *page, const struct bench_sheet *sheet, unsigned column, guint from)
{
	struct chart c = { .title = sheet->columns[column].head,
			   .note = sheet->columns[column].what };
	char axis[100] = "";
	guint first[GROUPS] = { 0 }, r;
	unsigned group;

	chart_names(&c, sheet, axis, sizeof(axis));
	for (r = from; r < sheet->rows->len; r++) {
		if (!chart_group(&c, sheet, first, r, &group))
			break;
		chart_put(&c, group, series_of(sheet, row_at(sheet, r)), column, row_at(sheet, r));
	}
	for (group = 0; group < c.n; group++)
		chart_label(&c, sheet, group, first[group]);
	chart_columns(page, &c);
	return r;
}

static bool column_known(const struct bench_sheet *sheet, unsigned column)
{
	for (guint r = 0; r < sheet->rows->len; r++)
		if (row_at(sheet, r)->figure[column] >= 0)
			return true;
	return false;
}

static void page_figures(FILE *page, const struct bench_sheet *sheet)
{
	char buf[16];

	fputs("<h2>All figures</h2>\n<div class=\"scroll\"><table>\n<tr>", page);
	if (sheet->sources)
		fputs("<th class=\"name\"></th>", page);
	for (unsigned i = 0; i < sheet->n_axes; i++)
		fprintf(page, "<th class=\"name\">%s</th>", sheet->axes[i].head);
	for (unsigned i = 0; i < sheet->n_columns; i++)
		fprintf(page, "<th title=\"%s\">%s</th>", sheet->columns[i].what,
			sheet->columns[i].head);
	fputs("</tr>\n", page);
	for (guint r = 0; r < sheet->rows->len; r++) {
		const struct sheet_row *row = row_at(sheet, r);

		fputs("<tr>", page);
		if (sheet->sources)
			fprintf(page, "<td class=\"name\">%c</td>", 'A' + (int)row->source);
		for (unsigned i = 0; i < sheet->n_axes; i++)
			fprintf(page, "<td class=\"name\">%s</td>",
				bench_axis_value(&sheet->axes[i], row->at[i], buf));
		for (unsigned i = 0; i < sheet->n_columns; i++)
			if (row->figure[i] < 0)
				fputs("<td>-</td>", page);
			else
				fprintf(page, "<td>%.*f</td>", sheet->columns[i].decimals,
					row->figure[i]);
		fputs("</tr>\n", page);
	}
	fputs("</table></div>\n", page);
}

void bench_sheet_write_html(FILE *page, const struct bench_sheet *sheet, const char *title)
{
	page_begin(page, title, sheet->command, sheet->cpu);
	fprintf(page,
		". Medians of %u rounds of %u ms%s; whiskers reach from quartile to quartile.</p>\n",
		sheet->rounds, sheet->time_ms, sheet->note);
	for (unsigned i = 0; i < sheet->n_columns; i++) {
		if (!sheet->columns[i].charted || !column_known(sheet, i))
			continue;
		fputs("<div class=\"charts\">\n", page);
		for (guint from = 0; from < sheet->rows->len;)
			from = chart_some(page, sheet, i, from);
		fputs("</div>\n", page);
	}
	page_figures(page, sheet);
	page_end(page);
}
