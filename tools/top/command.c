#include "tools/top/command.h"

#include <errno.h>

#include "devices/base/error.h"
#include "devices/base/json-string.h"
#include "tools/top/screen.h"
#include "vmm/control/json.h"

#define ONCE_WIDTH 200

static const char help[] =
	"ringside top [OPTION...] PATH\n"
	"\n"
	"What the queues of a machine do, as its control socket PATH (ringside run\n"
	"--control unix:PATH) tells it: a line a queue, drawn again each second.\n"
	"\n"
	"  --once                     one look at one interval, as lines, and no more\n"
	"  --json                     an object a line: a look each interval; with --once one\n"
	"  --interval SECONDS         0.1 to 60; 1\n"
	"  --sort ORDER               device kicks interrupts chains bytes depth latency\n"
	"  -h, --help                 this help\n"
	"\n"
	"KICKS/s   notifications that reached the device\n"
	"IRQS/s    batches of used buffers with an interrupt; SUPPR: the part without\n"
	"CHAINS/s  requests that the device took; BATCH: given back together on average\n"
	"DEPTH     of them the device has now; SIZE: of the ring\n"
	"READ/s    bytes that the driver sent; WRITE/s: that the device wrote to it\n"
	"p50 ...   of the time from when the device took a request until it gave it back;\n"
	"          measured while somebody looks\n"
	"BROKEN    how often the driver broke a rule of the specification (--check)\n";

struct top_options {
	gboolean once, json, help;
	double interval;
	char *sort, **paths;
};

static bool command_parse(char ***argv, struct top_options *ret, GError **err)
{
	const GOptionEntry entries[] = {
		{ "once", 0, 0, G_OPTION_ARG_NONE, &ret->once, NULL, NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &ret->json, NULL, NULL },
		{ "interval", 0, 0, G_OPTION_ARG_DOUBLE, &ret->interval, NULL, NULL },
		{ "sort", 0, 0, G_OPTION_ARG_STRING, &ret->sort, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &ret->help, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &ret->paths, NULL, NULL },
		{ 0 },
	};

	return ringside_entries(entries, argv, "ringside top --help lists all", err);
}

static bool command_check(const struct top_options *o, GError **err)
{
	if (!o->paths || o->paths[1])
		return ringside_usage(err, "top: one PATH of a control socket is wanted; ringside "
					   "top --help tells more");
	if (!(o->interval >= 0.1 && o->interval <= 60))
		return ringside_usage(err, "top: --interval is from 0.1 to 60 seconds");
	if (o->sort && top_sort_find(o->sort) == N_TOP_SORTS)
		return ringside_usage(err,
				      "top: --sort '%s': it is one of device kicks interrupts "
				      "chains bytes depth latency",
				      o->sort);
	return true;
}

/*
 * Output that is no terminal's.
 */
static void command_put_number(FILE *out, const char *name, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	fprintf(out, ",\"%s\":%s", name, g_ascii_formatd(text, sizeof(text), "%.3f", value));
}

static void command_put_row(FILE *out, const struct top_row *row)
{
	const struct top_queue *queue = row->queue;

	fputs("{\"device\":", out);
	json_put_string(out, queue->device);
	fprintf(out, ",\"queue\":%u,\"type\":", queue->q);
	json_put_string(out, queue->type);
	fputs(",\"transport\":", out);
	json_put_string(out, queue->transport);
	fprintf(out, ",\"size\":%u,\"started\":%s,\"depth\":%u", queue->size,
		queue->started ? "true" : "false", queue->in_flight);
	if (queue->fault) {
		fputs(",\"fault\":", out);
		json_put_string(out, queue->fault);
	}
	command_put_number(out, "kicks", row->rate[TOP_KICKS]);
	command_put_number(out, "interrupts", row->rate[TOP_INTERRUPTS]);
	command_put_number(out, "suppressed", row->rate[TOP_SUPPRESSED]);
	command_put_number(out, "chains", row->rate[TOP_CHAINS]);
	command_put_number(out, "bytes-read", row->rate[TOP_BYTES_READ]);
	command_put_number(out, "bytes-written", row->rate[TOP_BYTES_WRITTEN]);
	command_put_number(out, "batch", row->batch);
	fprintf(out, ",\"measured\":%" G_GUINT64_FORMAT, row->measured);
	if (row->measured) {
		command_put_number(out, "p50-ns", row->p50);
		command_put_number(out, "p90-ns", row->p90);
		command_put_number(out, "p99-ns", row->p99);
		command_put_number(out, "p99.9-ns", row->p999);
	}
	if (row->checked)
		fprintf(out, ",\"violations\":%" G_GUINT64_FORMAT, queue->violations);
	fputc('}', out);
}

static void command_put_json(FILE *out, const struct top_sample *s, const GArray *rows)
{
	const char *comma = "";

	fputs("{\"name\":", out);
	json_put_string(out, s->name);
	fputs(",\"status\":", out);
	json_put_string(out, s->status);
	fputs(",\"queues\":[", out);
	for (guint i = 0; i < rows->len; i++, comma = ",") {
		fputs(comma, out);
		command_put_row(out, &g_array_index(rows, struct top_row, i));
	}
	fputs("]}\n", out);
}

static void command_put_lines(FILE *out, const struct top_sample *s, const GArray *rows)
{
	g_autofree char *title = top_title(s, rows, ONCE_WIDTH), *heading = top_heading(ONCE_WIDTH);

	fprintf(out, "%s\n%s\n", title, heading);
	for (guint i = 0; i < rows->len; i++) {
		const struct top_row *row = &g_array_index(rows, struct top_row, i);
		g_autofree char *line = top_line(row, ONCE_WIDTH);

		if (top_row_is_shown(row))
			fprintf(out, "%s\n", line);
	}
}

/* Looks, waits, looks again, and prints what happened in between. */
static bool command_print(struct top_client *c, const struct top_options *o, enum top_sort sort,
			  FILE *out, GError **err)
{
	struct top_sample *before = top_sample_new(c, err), *after;

	do {
		GArray *rows;

		g_usleep((gulong)(o->interval * G_USEC_PER_SEC));
		after = before ? top_sample_new(c, err) : NULL;
		if (!after)
			break;
		rows = top_rows_new(before, after);
		top_sort_rows(rows, sort);
		(o->json ? command_put_json : command_put_lines)(out, after, rows);
		g_array_unref(rows);
		top_sample_free(before);
		before = after;
	} while (!o->once && fflush(out) == 0);
	top_sample_free(before);
	return after;
}

static bool command_run(const struct top_options *o, FILE *out, GError **err)
{
	enum top_sort sort = o->sort ? top_sort_find(o->sort) : TOP_SORT_DEVICE;
	g_autoptr(GError) failed = NULL;
	struct top_client *c;
	bool ok;

	if (!control_json_load(err))
		return false;
	c = top_connect(o->paths[0], err);
	if (!c)
		return false;
	if (o->once || o->json)
		ok = command_print(c, o, sort, out, &failed);
	else
		ok = top_screen(c, sort, o->interval, &failed);
	top_disconnect(c);
	if (ok)
		return true;
	if (g_error_matches(failed, TOP_ERROR, TOP_CLOSED) && !o->once) {
		g_message("top: the machine has ended"); /* which is no mistake */
		return true;
	}
	g_propagate_error(err, g_steal_pointer(&failed));
	return false;
}

bool top_command(char **argv, FILE *out, GError **err)
{
	g_auto(GStrv) words = g_strdupv(argv);
	struct top_options o = { .interval = 1 };
	bool ok = command_parse(&words, &o, err);

	if (ok && o.help)
		fputs(help, out);
	else
		ok = ok && command_check(&o, err) && command_run(&o, out, err);
	if (ok && fflush(out) != 0)
		ok = ringside_error_errno(err, errno, "standard output");
	g_free(o.sort);
	g_strfreev(o.paths);
	return ok;
}
