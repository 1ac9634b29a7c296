#include "tools/trace/command.h"

#include <errno.h>

#include "devices/base/error.h"
#include "tools/trace/filter.h"
#include "tools/trace/sink.h"
#include "tools/trace/summary.h"

#define LOOK_AGAIN 100000 /* us: a file that grows */

static const char help[] =
	"ringside trace [OPTION...] FILE\n"
	"ringside trace --summary FILE [FILE]\n"
	"\n"
	"What a record (ringside run --record FILE) says, a line an event: seconds since\n"
	"its begin, thread, device and queue, what happened.\n"
	"\n"
	"  --device ID                of this device alone\n"
	"  --queue N, --head N        of queues with this number, of chains with this head\n"
	"  --type NAME,...            events of these types: see below\n"
	"  --time FROM..TO            in these seconds; either may be left out\n"
	"  -x                         payloads, too, if they were recorded\n"
	"  -f, --follow               wait for more, until the record ends\n"
	"  --json                     an object a line instead\n"
	"  --pcapng                   for Wireshark, on standard output: frames of net devices,\n"
	"                             events by tools/trace/ringside.lua\n"
	"  --perfetto                 for ui.perfetto.dev, on standard output: tracks of requests\n"
	"  --html                     a page, on standard output: timeline, latencies\n"
	"  --summary                  what it adds up to, queue by queue; of two, beside each\n"
	"                             other\n"
	"  -h, --help                 this help\n"
	"\n"
	"Types: device thread lost read write status features config-read config-write\n"
	"config-interrupt rule queue-start queue-stop kick popped unpopped pushed interrupt\n"
	"suppressed fault payload digest end options offer\n";

struct trace_options {
	struct trace_words words;
	gboolean bytes, follow, json, pcapng, perfetto, html, summary, help;
	char **files;
};

static bool trace_parse(char ***argv, struct trace_options *ret, GError **err)
{
	struct trace_words *w = &ret->words;
	const GOptionEntry entries[] = {
		{ "device", 0, 0, G_OPTION_ARG_STRING, &w->device, NULL, NULL },
		{ "queue", 0, 0, G_OPTION_ARG_STRING, &w->queue, NULL, NULL },
		{ "head", 0, 0, G_OPTION_ARG_STRING, &w->head, NULL, NULL },
		{ "type", 0, 0, G_OPTION_ARG_STRING, &w->types, NULL, NULL },
		{ "time", 0, 0, G_OPTION_ARG_STRING, &w->time, NULL, NULL },
		{ "bytes", 'x', 0, G_OPTION_ARG_NONE, &ret->bytes, NULL, NULL },
		{ "follow", 'f', 0, G_OPTION_ARG_NONE, &ret->follow, NULL, NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &ret->json, NULL, NULL },
		{ "pcapng", 0, 0, G_OPTION_ARG_NONE, &ret->pcapng, NULL, NULL },
		{ "perfetto", 0, 0, G_OPTION_ARG_NONE, &ret->perfetto, NULL, NULL },
		{ "html", 0, 0, G_OPTION_ARG_NONE, &ret->html, NULL, NULL },
		{ "summary", 0, 0, G_OPTION_ARG_NONE, &ret->summary, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &ret->help, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &ret->files, NULL, NULL },
		{ 0 },
	};

	return ringside_entries(entries, argv, "ringside trace --help lists all", err);
}

static void trace_options_clear(struct trace_options *o)
{
	g_free(o->words.device);
	g_free(o->words.queue);
	g_free(o->words.head);
	g_free(o->words.types);
	g_free(o->words.time);
	g_strfreev(o->files);
}

/* What a reader ought to know who takes it for the whole. */
static void trace_tell_missing(const struct trace_reader *t, const char *file)
{
	struct trace_account a = trace_account(t);

	if (a.lost)
		g_message("trace %s: %" G_GUINT64_FORMAT " events are lost: the recorder could "
			  "not keep up",
			  file, a.lost);
	if (a.skipped || a.bad)
		g_message("trace %s: %" G_GUINT64_FORMAT
			  " bytes are no whole block, %" G_GUINT64_FORMAT " blocks make no sense",
			  file, a.skipped, a.bad);
	if (a.missing)
		g_message("trace %s: %" G_GUINT64_FORMAT " blocks are missing", file, a.missing);
	if (!a.whole)
		g_message("trace %s: the record does not end as its writer ends one: it was "
			  "killed, or still writes",
			  file);
}

/* Until the record's end, or what there is of it now. */
static bool trace_read_all(struct trace_reader *t, const struct trace_options *o,
			   const struct trace_filter *filter, struct trace_sink *sink, FILE *out,
			   GError **err)
{
	g_autoptr(GError) failed = NULL;
	struct trace_event e;

	for (;;) {
		while (trace_next(t, &e, &failed))
			if (trace_filter_pass(filter, t, &e))
				sink->event(sink, t, &e);
		if (failed) {
			g_propagate_error(err, g_steal_pointer(&failed));
			return false;
		}
		if (!o->follow || trace_account(t).whole || fflush(out) != 0)
			break;
		g_usleep(LOOK_AGAIN);
	}
	sink->end(sink, t);
	return true;
}

/* All of @file into @sink. */
static bool trace_read_file(const struct trace_options *o, const char *file,
			    struct trace_sink *sink, FILE *out, GError **err)
{
	struct trace_filter filter;
	struct trace_reader *t;
	bool ok;

	if (!trace_filter_parse(&o->words, &filter, err))
		return false;
	t = trace_open(file, err);
	if (!t)
		return false;
	ok = trace_read_all(t, o, &filter, sink, out, err);
	if (ok)
		trace_tell_missing(t, file);
	trace_close(t);
	return ok;
}

static struct trace_sink *trace_choose_sink(const struct trace_options *o, FILE *out)
{
	if (o->json)
		return trace_json_new(out);
	if (o->pcapng)
		return trace_pcapng_new(out);
	if (o->perfetto)
		return trace_perfetto_new(out);
	if (o->html)
		return trace_html_new(out);
	return trace_text_new(out, o->bytes);
}

static bool trace_show(const struct trace_options *o, FILE *out, GError **err)
{
	struct trace_sink *sink;
	bool ok;

	if (o->json + o->pcapng + o->perfetto + o->html > 1)
		return ringside_usage(err, "trace: one of --json, --pcapng, --perfetto, --html");
	sink = trace_choose_sink(o, out);
	if (o->files[1])
		ok = ringside_usage(err, "trace: one FILE, or two for --summary");
	else
		ok = trace_read_file(o, o->files[0], sink, out, err);
	sink->free(sink);
	return ok;
}

static bool trace_summarize(const struct trace_options *o, FILE *out, GError **err)
{
	struct trace_summary *s[2] = { trace_summary_new(), trace_summary_new() };
	bool two = o->files[1];
	bool ok = trace_read_file(o, o->files[0], trace_summary_sink(s[0]), out, err) &&
		  (!two || trace_read_file(o, o->files[1], trace_summary_sink(s[1]), out, err));

	if (ok && two && o->files[2])
		ok = ringside_usage(err, "trace --summary: one FILE or two");
	if (ok && two)
		trace_summary_compare(s[0], s[1], out);
	else if (ok)
		trace_summary_print(s[0], out);
	for (unsigned i = 0; i < 2; i++)
		trace_summary_sink(s[i])->free(trace_summary_sink(s[i]));
	return ok;
}

bool trace_command(char *const *argv, FILE *out, GError **err)
{
	g_auto(GStrv) args = g_strdupv((char **)argv);
	struct trace_options o = { 0 };
	bool ok = trace_parse(&args, &o, err);

	if (ok && (o.help || !o.files))
		fputs(help, out);
	else if (ok)
		ok = o.summary ? trace_summarize(&o, out, err) : trace_show(&o, out, err);
	if (ok && fflush(out) != 0)
		ok = ringside_error_errno(err, errno, "standard output");
	trace_options_clear(&o);
	return ok;
}
