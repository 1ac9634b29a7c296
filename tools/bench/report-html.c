/*
 * The page about rings: charts, then all figures.
 *
 * Charts by batch size show, for each mode, the rows nearest to the defaults of the other axes. The
 * chart of changes compares all pairs of rows that differ in one axis alone.
 */
#include "tools/bench/report.h"

#include <math.h>
#include <string.h>

#include "tools/bench/chart.h"
#include "tools/bench/page.h"

static const struct bench_row *row_at(const struct bench_report *report, guint i)
{
	return &g_array_index(report->rows, struct bench_row, i);
}

/*
 * By batch size.
 */
static unsigned html_distance(const struct bench_variant *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_AXES; i++)
		if (i != AXIS_MODE && i != AXIS_RING && i != AXIS_BATCH)
			n += v->at[i] != bench_axes[i].defaults[0];
	return n;
}

/* Of a mode's rows, one nearest to the defaults; NULL if the mode was not measured. */
static const struct bench_row *nearest(const struct bench_report *report, unsigned mode)
{
	const struct bench_row *best = NULL;

	for (guint i = 0; i < report->rows->len; i++) {
		const struct bench_row *row = row_at(report, i);

		if (row->v.at[AXIS_MODE] == mode && row->v.at[AXIS_RING] != RING_BARE &&
		    (!best || html_distance(&row->v) < html_distance(&best->v)))
			best = row;
	}
	return best;
}

static double figure_at(const struct bench_report *report, struct bench_variant v, unsigned ring,
			size_t offset)
{
	const struct bench_column column = { .offset = offset };
	const struct bench_row *row;

	v.at[AXIS_RING] = ring;
	row = bench_find(report->rows, &v);
	return row ? bench_figure(row, &column) : NAN;
}

/* Groups of the figure at @offset, split beside packed, for each batch size beside row @near. */
static void fill_by_batch(struct chart *c, const struct bench_report *report,
			  const struct bench_row *near, size_t offset)
{
	c->axis = "chains in a batch";
	c->series[0] = "split";
	c->series[1] = "packed";
	for (unsigned batch = 1; batch <= bench_axes[AXIS_BATCH].max && c->n < CHART_GROUPS;
	     batch++) {
		struct bench_variant v = near->v;

		v.at[AXIS_BATCH] = batch;
		c->value[0][c->n] = figure_at(report, v, RING_SPLIT, offset);
		c->value[1][c->n] = figure_at(report, v, RING_PACKED, offset);
		if (isnan(c->value[0][c->n]) && isnan(c->value[1][c->n]))
			continue;
		(void)g_snprintf(c->label[c->n++], sizeof(c->label[0]), "%u", batch);
	}
}

static void charts_of_mode(FILE *out, const struct bench_report *report, unsigned mode)
{
	static const struct {
		size_t offset;
		const char *title, *note;
	} charts[] = {
		{ offsetof(struct bench_row, million), "Million chains a second",
		  "more is better" },
		{ offsetof(struct bench_row, device_ns), "Device, ns a chain",
		  "its own work, less is better" },
		{ offsetof(struct bench_row, driver_ns), "Driver, ns a chain",
		  "its own work, less is better" },
		{ offsetof(struct bench_row, limit), "Percent of the machine's limit",
		  "a bare ring of 16-byte entries with the same batches" },
	};
	const struct bench_row *near = nearest(report, mode);
	char buf[16];

	if (!near)
		return;
	fprintf(out, "<h2>%s</h2>\n<p>",
		mode == MODE_POLL    ? "Two threads, polling"
		: mode == MODE_SLEEP ? "Two threads, sleeping"
				     : "One thread");
	for (unsigned i = 0; i < N_AXES; i++)
		if (i != AXIS_MODE && i != AXIS_RING && i != AXIS_BATCH)
			fprintf(out, "%s %s. ", bench_axes[i].head, bench_cell(&near->v, i, buf));
	fputs("</p>\n<div class=\"charts\">\n", out);
	for (size_t i = 0; i < G_N_ELEMENTS(charts); i++) {
		struct chart c = { .title = charts[i].title, .note = charts[i].note };

		fill_by_batch(&c, report, near, charts[i].offset);
		chart_columns(out, &c);
	}
	fputs("</div>\n", out);
}

/*
 * By feature.
 */

/* How the rate changes when @axis goes from its default to @value, all else being equal: the
 * geometric mean over all such pairs of rows, in percent. NAN if there is none. */
static double html_change(const struct bench_report *report, unsigned ring, enum bench_axis axis,
			  unsigned value)
{
	double logs = 0;
	unsigned n = 0;

	for (guint i = 0; i < report->rows->len; i++) {
		const struct bench_row *row = row_at(report, i), *other;
		struct bench_variant v = row->v;

		if (v.at[AXIS_RING] != ring || v.at[axis] != value)
			continue;
		v.at[axis] = bench_axes[axis].defaults[0];
		other = bench_find(report->rows, &v);
		if (other && other->million > 0 && row->million > 0) {
			logs += log(row->million / other->million);
			n++;
		}
	}
	return n ? (exp(logs / n) - 1) * 100 : NAN;
}

static void add_change(struct chart *c, const struct bench_report *report, enum bench_axis axis,
		       unsigned value)
{
	char buf[16];

	for (unsigned ring = RING_SPLIT; ring <= RING_PACKED; ring++)
		c->value[ring][c->n] = html_change(report, ring, axis, value);
	if (isnan(c->value[0][c->n]) && isnan(c->value[1][c->n]))
		return;
	(void)g_snprintf(c->label[c->n++], sizeof(c->label[0]), "%s %s", bench_axes[axis].head,
			 bench_value_name(axis, value, buf));
}

static void chart_of_features(FILE *out, const struct bench_report *report)
{
	struct chart c = {
		.title = "Effect of each feature on the rate",
		.note = "against event_idx on, in_order off, direct descriptors, 1 buffer a chain, "
			"256 entries; all else equal, mean over what was measured",
		.series = { "split", "packed" },
	};

	for (unsigned axis = 0; axis < N_AXES; axis++) {
		const struct bench_axis_info *info = &bench_axes[axis];

		if (axis == AXIS_MODE || axis == AXIS_RING || axis == AXIS_BATCH)
			continue;
		for (unsigned i = 0; i < info->n_all && c.n < CHART_GROUPS; i++)
			if (info->all[i] != info->defaults[0])
				add_change(&c, report, axis, info->all[i]);
	}
	if (c.n == 0)
		return;
	fputs("<h2>Features</h2>\n<div class=\"charts\">\n", out);
	chart_changes(out, &c);
	fputs("</div>\n", out);
}

/*
 * All figures.
 */
static void table(FILE *out, const struct bench_report *report)
{
	fputs("<h2>All figures</h2>\n<p>", out);
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "%s: %s.%s", bench_columns[i].head, bench_columns[i].what,
			i + 1 < BENCH_COLUMNS ? "<br>\n" : "</p>\n");
	fputs("<div class=\"scroll\"><table>\n<tr>", out);
	for (unsigned i = 0; i < N_AXES; i++)
		fprintf(out, "<th class=\"name\">%s</th>", bench_axes[i].head);
	for (unsigned i = 0; i < BENCH_COLUMNS; i++)
		fprintf(out, "<th title=\"%s\">%s</th>", bench_columns[i].what,
			bench_columns[i].head);
	fputs("</tr>\n", out);
	for (guint r = 0; r < report->rows->len; r++) {
		char buf[16];

		fputs("<tr>", out);
		for (unsigned i = 0; i < N_AXES; i++)
			fprintf(out, "<td class=\"name\">%s</td>",
				bench_cell(&row_at(report, r)->v, i, buf));
		for (unsigned i = 0; i < BENCH_COLUMNS; i++)
			fprintf(out, "<td>%.*f</td>", bench_columns[i].decimals,
				bench_figure(row_at(report, r), &bench_columns[i]));
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

void bench_write_html(FILE *out, const struct bench_report *report)
{
	page_begin(out, "Rings, split and packed", report->command, report->cpu);
	fprintf(out,
		", time stamp counter %.2f GHz. Medians of %u rounds of %u ms, all variants taking "
		"turns; other processes got into %.0f%% of the measurements.</p>\n",
		report->machine.ghz, report->machine.rounds, report->settings->time_ms,
		report->machine.disturbed);
	for (unsigned mode = MODE_POLL; mode <= MODE_SINGLE; mode++)
		charts_of_mode(out, report, mode);
	chart_of_features(out, report);
	table(out, report);
	page_end(out);
}
