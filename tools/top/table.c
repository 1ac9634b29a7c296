#include "tools/top/table.h"

#include <string.h>

/*
 * Figures in few columns.
 */
static void table_put_count(char *out, size_t size, double value)
{
	static const char units[] = " kMGT";
	unsigned unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof(units) - 1) {
		value /= 1000;
		unit++;
	}
	if (!unit)
		(void)g_snprintf(out, size, value > 0 && value < 9.95 ? "%.1f" : "%.0f", value);
	else
		(void)g_snprintf(out, size, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void table_put_time(char *out, size_t size, double ns)
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	unsigned i = 0;

	if (ns <= 0) {
		(void)g_strlcpy(out, "-", size);
		return;
	}
	while (ns < units[i].ns && i + 1 < G_N_ELEMENTS(units))
		i++;
	ns /= units[i].ns;
	(void)g_snprintf(out, size, ns < 9.95 ? "%.1f%s" : "%.0f%s", ns, units[i].unit);
}

/*
 * Columns. Those of the highest rank are shown first where not all have room.
 */
struct table_cell {
	char text[32];
};

typedef void (*table_fn)(const struct top_row *row, struct table_cell *ret);

static void cell_device(const struct top_row *row, struct table_cell *ret)
{
	(void)g_strlcpy(ret->text, row->queue->device, sizeof(ret->text));
}

static void cell_queue(const struct top_row *row, struct table_cell *ret)
{
	(void)g_snprintf(ret->text, sizeof(ret->text), "%u", row->queue->q);
}

static void cell_type(const struct top_row *row, struct table_cell *ret)
{
	(void)g_snprintf(ret->text, sizeof(ret->text), "%s", row->queue->type);
}

static void cell_transport(const struct top_row *row, struct table_cell *ret)
{
	(void)g_snprintf(ret->text, sizeof(ret->text), "%s", row->queue->transport);
}

#define RATE_CELL(name, figure)                                                    \
	static void cell_##name(const struct top_row *row, struct table_cell *ret) \
	{                                                                          \
		table_put_count(ret->text, sizeof(ret->text), row->rate[figure]);  \
	}
RATE_CELL(kicks, TOP_KICKS)
RATE_CELL(interrupts, TOP_INTERRUPTS)
RATE_CELL(chains, TOP_CHAINS)
RATE_CELL(read, TOP_BYTES_READ)
RATE_CELL(written, TOP_BYTES_WRITTEN)

static void cell_batch(const struct top_row *row, struct table_cell *ret)
{
	if (row->batch > 0)
		table_put_count(ret->text, sizeof(ret->text), row->batch);
}

static void cell_suppressed(const struct top_row *row, struct table_cell *ret)
{
	if (row->batch > 0)
		(void)g_snprintf(ret->text, sizeof(ret->text), "%.0f%%", row->suppressed * 100);
}

static void cell_depth(const struct top_row *row, struct table_cell *ret)
{
	(void)g_snprintf(ret->text, sizeof(ret->text), "%u", row->queue->in_flight);
}

static void cell_size(const struct top_row *row, struct table_cell *ret)
{
	(void)g_snprintf(ret->text, sizeof(ret->text), "%u", row->queue->size);
}

#define TIME_CELL(part)                                                            \
	static void cell_##part(const struct top_row *row, struct table_cell *ret) \
	{                                                                          \
		table_put_time(ret->text, sizeof(ret->text), row->part);           \
	}
TIME_CELL(p50)
TIME_CELL(p90)
TIME_CELL(p99)
TIME_CELL(p999)

static void cell_violations(const struct top_row *row, struct table_cell *ret)
{
	if (row->checked)
		table_put_count(ret->text, sizeof(ret->text), (double)row->queue->violations);
}

static void cell_state(const struct top_row *row, struct table_cell *ret)
{
	const struct top_queue *queue = row->queue;

	(void)g_strlcpy(ret->text,
			queue->fault     ? queue->fault
			: queue->started ? "runs"
			: queue->enabled ? "enabled"
					 : "-",
			sizeof(ret->text));
}

static const struct table_column {
	const char *name;
	unsigned width, rank; /* the lowest rank first; width without the blank before it */
	bool left;
	table_fn fn;
} columns[] = {
	{ "DEVICE", 12, 0, true, cell_device },    { "Q", 3, 0, false, cell_queue },
	{ "TYPE", 10, 5, true, cell_type },        { "ON", 5, 6, true, cell_transport },
	{ "KICKS/s", 7, 0, false, cell_kicks },    { "IRQS/s", 7, 0, false, cell_interrupts },
	{ "SUPPR", 6, 2, false, cell_suppressed }, { "CHAINS/s", 8, 0, false, cell_chains },
	{ "BATCH", 6, 0, false, cell_batch },      { "DEPTH", 5, 0, false, cell_depth },
	{ "SIZE", 6, 4, false, cell_size },        { "READ/s", 7, 1, false, cell_read },
	{ "WRITE/s", 7, 1, false, cell_written },  { "p50", 6, 0, false, cell_p50 },
	{ "p90", 6, 3, false, cell_p90 },          { "p99", 6, 0, false, cell_p99 },
	{ "p99.9", 6, 3, false, cell_p999 },       { "BROKEN", 6, 0, false, cell_violations },
	{ "STATE", 16, 4, true, cell_state },
};

static unsigned table_width(unsigned rank)
{
	unsigned width = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		width += columns[i].rank <= rank ? columns[i].width + 1 : 0;
	return width - 1;
}

/* Columns up to which rank have room? */
static unsigned table_rank(unsigned width)
{
	unsigned rank = 6;

	while (rank && table_width(rank) > width)
		rank--;
	return rank;
}

static void table_put_cell(GString *out, const struct table_column *c, const char *text)
{
	g_autofree char *cut = g_strndup(text, c->width);

	if (out->len)
		g_string_append_c(out, ' ');
	g_string_append_printf(out, c->left ? "%-*s" : "%*s", (int)c->width, cut);
}

static char *table_cut(GString *out, unsigned width)
{
	while (out->len && out->str[out->len - 1] == ' ')
		g_string_truncate(out, out->len - 1);
	if (out->len > width)
		g_string_truncate(out, width);
	return g_string_free(out, FALSE);
}

char *top_heading(unsigned width)
{
	unsigned rank = table_rank(width);
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++)
		if (columns[i].rank <= rank)
			table_put_cell(out, &columns[i], columns[i].name);
	return table_cut(out, width);
}

char *top_line(const struct top_row *row, unsigned width)
{
	unsigned rank = table_rank(width);
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(columns); i++) {
		struct table_cell cell = { "-" };

		if (columns[i].rank > rank)
			continue;
		columns[i].fn(row, &cell);
		table_put_cell(out, &columns[i], cell.text);
	}
	return table_cut(out, width);
}

bool top_row_is_shown(const struct top_row *row)
{
	return row->queue->enabled || row->queue->started || row->queue->figure[TOP_CHAINS] ||
	       row->queue->violations;
}

char *top_title(const struct top_sample *s, const GArray *rows, unsigned width)
{
	GString *out = g_string_new("ringside top");
	double chains = 0, interrupts = 0;
	uint64_t violations = 0;
	char text[32];

	for (guint i = 0; i < rows->len; i++) {
		const struct top_row *row = &g_array_index(rows, struct top_row, i);

		chains += row->rate[TOP_CHAINS];
		interrupts += row->rate[TOP_INTERRUPTS];
		violations += row->queue->violations;
	}
	if (*s->name)
		g_string_append_printf(out, " - %s", s->name);
	g_string_append_printf(out, " - %s", s->status);
	table_put_count(text, sizeof(text), chains);
	g_string_append_printf(out, ", %s chains/s", text);
	table_put_count(text, sizeof(text), interrupts);
	g_string_append_printf(out, ", %s interrupts/s", text);
	if (s->checked)
		g_string_append_printf(out, ", rules broken %" G_GUINT64_FORMAT " times",
				       violations);
	return table_cut(out, width);
}

/*
 * Orders.
 */
static const char *const sorts[N_TOP_SORTS] = {
	[TOP_SORT_DEVICE] = "device",         [TOP_SORT_KICKS] = "kicks",
	[TOP_SORT_INTERRUPTS] = "interrupts", [TOP_SORT_CHAINS] = "chains",
	[TOP_SORT_BYTES] = "bytes",           [TOP_SORT_DEPTH] = "depth",
	[TOP_SORT_LATENCY] = "latency",
};

const char *top_sort_name(enum top_sort sort)
{
	return sorts[sort];
}

enum top_sort top_sort_find(const char *name)
{
	enum top_sort i = TOP_SORT_DEVICE;

	while (i < N_TOP_SORTS && strcmp(sorts[i], name) != 0)
		i++;
	return i;
}

static double table_weight(const struct top_row *row, enum top_sort sort)
{
	switch (sort) {
	case TOP_SORT_KICKS:
		return row->rate[TOP_KICKS];
	case TOP_SORT_INTERRUPTS:
		return row->rate[TOP_INTERRUPTS];
	case TOP_SORT_CHAINS:
		return row->rate[TOP_CHAINS];
	case TOP_SORT_BYTES:
		return row->rate[TOP_BYTES_READ] + row->rate[TOP_BYTES_WRITTEN];
	case TOP_SORT_DEPTH:
		return row->queue->in_flight;
	case TOP_SORT_LATENCY:
		return row->p99;
	default:
		return 0;
	}
}

static gint table_compare(gconstpointer a, gconstpointer b, gpointer sort)
{
	double left = table_weight(a, *(enum top_sort *)sort);
	double right = table_weight(b, *(enum top_sort *)sort);

	return (left < right) - (left > right);
}

void top_sort_rows(GArray *rows, enum top_sort sort)
{
	g_array_sort_with_data(rows, table_compare, &sort); /* stable */
}
