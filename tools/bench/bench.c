/*
 * The benchmarks' command line: options to a plan, the plan's rows to what was asked for.
 *
 * The options that select are the axes of the matrix: a new axis is a new option.
 */
#include "tools/bench/bench.h"

#include <errno.h>
#include <string.h>

#include "devices/base/error.h"
#include "tools/bench/blk.h"
#include "tools/bench/command.h"
#include "tools/bench/guest.h"
#include "tools/bench/matrix.h"
#include "tools/bench/measure.h"
#include "tools/bench/model.h"
#include "tools/bench/net.h"
#include "tools/bench/page.h"
#include "tools/bench/replay.h"
#include "tools/bench/report.h"

#define TIME_MAX_MS 10000

struct request {
	struct bench_choice choices[N_AXES];
	struct bench_choosing choosing;
	struct bench_limits limits;
	gboolean full, single, model, help;
	char *cpus, *html;
};

static GOptionContext *make_context(struct request *r)
{
	static const char *const takes[N_AXES] = {
		[AXIS_MODE] = "poll,sleep,single", [AXIS_LENGTH] = "N,...",
		[AXIS_DESC] = "direct,indirect",   [AXIS_EVENT] = "on,off",
		[AXIS_ORDER] = "on,off",           [AXIS_SIZE] = "N,...",
		[AXIS_RING] = "split,packed",      [AXIS_BATCH] = "N,...",
	};
	const GOptionEntry rest[] = {
		{ "single", 0, 0, G_OPTION_ARG_NONE, &r->single, "short for --mode single", NULL },
		{ "full", 0, 0, G_OPTION_ARG_NONE, &r->full,
		  "all values of every axis that is not given", NULL },
		{ "model", 0, 0, G_OPTION_ARG_NONE, &r->model, "count what travels, don't measure",
		  NULL },
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &r->limits.rounds,
		  "times that all is measured [51]", "N" },
		{ "time", 0, 0, G_OPTION_ARG_INT, &r->limits.time_ms, "of one measurement [3]",
		  "MS" },
		{ "limit", 0, 0, G_OPTION_ARG_INT, &r->limits.limit_s,
		  "of all: no further round after that [40]", "SECONDS" },
		{ "cpus", 0, 0, G_OPTION_ARG_STRING, &r->cpus,
		  "processors to run on, or none [first two]", "DRIVER,DEVICE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &r->limits.json, "JSON instead of a table",
		  NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &r->limits.csv, "CSV instead of a table", NULL },
		{ "html", 0, 0, G_OPTION_ARG_FILENAME, &r->html, "write a page with charts, too",
		  "FILE" },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};

	r->choosing = (struct bench_choosing){ bench_axes, N_AXES, takes, r->choices };
	return bench_options(&r->choosing, rest, true);
}

static const char help[] =
	"ringside bench rings [OPTION...]: what the rings cost.\n"
	"\n"
	"The reference driver and the device engine on two threads, or alternating on one\n"
	"(--single). Without options, the effect of each axis by itself; else all\n"
	"combinations of what is given, with the usual values of the rest.";

/*
 * Settings.
 */
static bool parse_cpus(const char *text, int ret_cpus[2], GError **err)
{
	char rest;

	if (!text) {
		bench_cpus(ret_cpus);
		return true;
	}
	ret_cpus[0] = ret_cpus[1] = -1;
	if (strcmp(text, "none") == 0)
		return true;
	/* NOLINTNEXTLINE(cert-err34-c): what does not fit is not a processor */
	if (sscanf(text, "%d,%d%c", &ret_cpus[0], &ret_cpus[1], &rest) != 2)
		return ringside_usage(err, "--cpus %s: it takes two numbers, as 0,1, or none",
				      text);
	for (unsigned i = 0; i < 2; i++)
		if (!bench_has_cpu(ret_cpus[i]))
			return ringside_usage(err,
					      "--cpus %s: there is no processor %d, or we may not "
					      "use it",
					      text, ret_cpus[i]);
	return true;
}

static bool has_two_threads(const GArray *plan)
{
	for (guint i = 0; i < plan->len; i++)
		if (g_array_index(plan, struct bench_variant, i).at[AXIS_MODE] != MODE_SINGLE)
			return true;
	return false;
}

static bool make_settings(const struct request *r, const GArray *plan, FILE *progress,
			  struct bench_settings *ret, GError **err)
{
	if (!parse_cpus(r->cpus, ret->cpus, err))
		return false;
	if (has_two_threads(plan) && ret->cpus[0] == ret->cpus[1] && ret->cpus[0] >= 0)
		return ringside_usage(err,
				      "--mode: two threads need two processors; with one there "
				      "is --single");
	ret->rounds = (unsigned)r->limits.rounds;
	ret->time_ms = (unsigned)r->limits.time_ms;
	ret->limit_s = (unsigned)r->limits.limit_s;
	ret->progress = progress;
	return true;
}

/* The processor's name as the kernel has it. */
char *bench_cpu_model(void)
{
	g_autofree char *text = NULL;
	const char *at;

	if (!g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL))
		return g_strdup("unknown processor");
	at = strstr(text, "model name");
	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return g_strdup("unknown processor");
	return g_strstrip(g_strndup(at + 1, strcspn(at + 1, "\n")));
}

/*
 * The whole.
 */
static bool write_report(const struct request *r, FILE *out, const struct bench_report *report,
			 GError **err)
{
	if (r->limits.json)
		bench_write_json(out, report);
	else if (r->limits.csv)
		bench_write_csv(out, report);
	else
		bench_write_table(out, report);
	return bench_written(out, err);
}

static bool rings(const struct request *r, const char *command, FILE *out, FILE *progress,
		  GError **err)
{
	g_autoptr(GArray) plan = bench_plan(r->choices, r->full, err);
	g_autoptr(GArray) rows = NULL;
	g_autofree char *cpu = bench_cpu_model();
	struct bench_settings settings;
	struct bench_report report = { .settings = &settings, .command = command, .cpu = cpu };
	FILE *page = NULL;
	bool ok;

	if (!plan || !make_settings(r, plan, progress, &settings, err))
		return false;
	if (r->html && !page_open(r->html, &page, err))
		return false;
	report.rows = rows = bench_measure(plan, &settings, &report.machine, err);
	ok = rows && write_report(r, out, &report, err);
	if (page && ok)
		bench_write_html(page, &report);
	if (page)
		ok = page_close(r->html, page, ok ? err : NULL) && ok;
	return ok;
}

/* --model: nothing is timed, so what is about time says nothing. */
static bool model(const struct request *r, const char *command, FILE *out, GError **err)
{
	g_autoptr(GArray) plan = bench_plan(r->choices, r->full, err);
	g_autoptr(GArray) rows = NULL;

	if (!plan)
		return false;
	if (r->html)
		return ringside_usage(err, "--html: not together with --model");
	rows = bench_model(plan, err);
	if (!rows)
		return false;
	if (rows->len == 0)
		return ringside_usage(err, "--single: --model counts what travels between two "
					   "processors");
	if (r->limits.json)
		model_write_json(out, rows, command);
	else if (r->limits.csv)
		model_write_csv(out, rows);
	else
		model_write_table(out, rows);
	return bench_written(out, err);
}

/* Options in @args, which begins with the command. */
static bool bench_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);

	if (!ringside_options(context, args, "ringside bench rings --help", err) ||
	    !bench_check_limits(&r->limits, BENCH_ROUNDS_MAX, TIME_MAX_MS, err))
		return false;
	if (r->help)
		bench_print_help(out, context, help);
	if (r->single)
		r->choices[AXIS_MODE] = (struct bench_choice){ .n = 1, .value = { MODE_SINGLE } };
	return true;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

bool bench_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	static const char commands[] =
		"ringside bench rings [OPTION...]   what the rings cost\n"
		"ringside bench guest [OPTION...]   the same from inside a guest\n"
		"ringside bench blk [OPTION...]     a disk behind a vhost-user socket, anybody's\n"
		"ringside bench net [OPTION...]     a network card behind one\n"
		"ringside bench replay FILE         a record's traffic, played again\n"
		"Each has --help.\n";
	struct request r = { .limits = { .rounds = 51, .time_ms = 3, .limit_s = 40 } };
	g_autofree char *command = g_strjoinv(" ", (char **)argv);
	g_auto(GStrv) args = NULL;
	bool ok;

	if (argc == 2 && is_help(argv[1])) {
		fputs(commands, out);
		return true;
	}
	if (argc > 1 && strcmp(argv[1], "guest") == 0)
		return bench_guest_command(argc, argv, out, progress, err);
	if (argc > 1 && strcmp(argv[1], "blk") == 0)
		return bench_blk_command(argc, argv, out, progress, err);
	if (argc > 1 && strcmp(argv[1], "net") == 0)
		return bench_net_command(argc, argv, out, progress, err);
	if (argc > 1 && strcmp(argv[1], "replay") == 0)
		return bench_replay_command(argc, argv, out, progress, err);
	if (argc < 2 || strcmp(argv[1], "rings") != 0)
		return ringside_usage(err, "bench: it takes rings, guest, blk, net or replay, and "
					   "then options (ringside bench rings --help)");
	args = g_strdupv((char **)&argv[1]);
	ok = bench_parse(&r, &args, out, err) &&
	     (r.help ||
	      (r.model ? model(&r, command, out, err) : rings(&r, command, out, progress, err)));
	g_free(r.cpus);
	g_free(r.html);
	return ok;
}
