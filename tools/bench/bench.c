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
#include "tools/bench/guest.h"
#include "tools/bench/matrix.h"
#include "tools/bench/measure.h"
#include "tools/bench/report.h"

#define TIME_MAX_MS 10000

struct request {
	struct bench_choice choices[N_AXES];
	gboolean full, single, json, csv, help;
	int rounds, time_ms, limit_s;
	char *cpus, *html;
};

static gboolean on_axis(const char *name, const char *value, gpointer data, GError **err)
{
	struct request *r = data;

	for (unsigned i = 0; i < N_AXES; i++)
		if (strcmp(bench_axes[i].option, name + 2) == 0)
			return bench_choice_parse(&bench_axes[i], value, &r->choices[i], err);
	return ringside_usage(err, "%s: unknown option", name);
}

static const char *axis_help(unsigned axis)
{
	static const char *const takes[N_AXES] = {
		[AXIS_MODE] = "poll,sleep,single", [AXIS_LENGTH] = "N,...",
		[AXIS_DESC] = "direct,indirect",   [AXIS_EVENT] = "on,off",
		[AXIS_ORDER] = "on,off",           [AXIS_SIZE] = "N,...",
		[AXIS_RING] = "split,packed",      [AXIS_BATCH] = "N,...",
	};

	return takes[axis];
}

static GOptionContext *make_context(struct request *r)
{
	const GOptionEntry rest[] = {
		{ "single", 0, 0, G_OPTION_ARG_NONE, &r->single, "short for --mode single", NULL },
		{ "full", 0, 0, G_OPTION_ARG_NONE, &r->full,
		  "all values of every axis that is not given", NULL },
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &r->rounds, "times that all is measured [51]",
		  "N" },
		{ "time", 0, 0, G_OPTION_ARG_INT, &r->time_ms, "of one measurement [3]", "MS" },
		{ "limit", 0, 0, G_OPTION_ARG_INT, &r->limit_s,
		  "of all: no further round after that [40]", "SECONDS" },
		{ "cpus", 0, 0, G_OPTION_ARG_STRING, &r->cpus,
		  "processors to run on, or none [first two]", "DRIVER,DEVICE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &r->json, "JSON instead of a table", NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &r->csv, "CSV instead of a table", NULL },
		{ "html", 0, 0, G_OPTION_ARG_FILENAME, &r->html, "write a page with charts, too",
		  "FILE" },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};
	GOptionEntry entries[N_AXES + 1] = { 0 };
	GOptionContext *context = g_option_context_new(NULL);
	GOptionGroup *group = g_option_group_new("bench", NULL, NULL, r, NULL);

	for (unsigned i = 0; i < N_AXES; i++)
		entries[i] = (GOptionEntry){
			.long_name = bench_axes[i].option,
			.arg = G_OPTION_ARG_CALLBACK,
			.arg_data = (gpointer)on_axis,
			.description = bench_axes[i].help,
			.arg_description = axis_help(i),
		};
	g_option_group_add_entries(group, entries); /* copies them */
	g_option_group_add_entries(group, rest);
	g_option_context_set_main_group(context, group);
	g_option_context_set_help_enabled(context, FALSE);
	return context;
}

static void print_help(FILE *out, GOptionContext *context)
{
	g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
	const char *options = strstr(text, "\n\n");

	fprintf(out,
		"ringside bench rings [OPTION...]: what the rings cost.\n"
		"\n"
		"The reference driver and the device engine on two threads, or alternating on one\n"
		"(--single). Without options, the effect of each axis by itself; else all\n"
		"combinations of what is given, with the usual values of the rest.\n%s",
		options ? options + 1 : "");
}

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
	if (r->rounds < 1 || r->rounds > (int)BENCH_ROUNDS_MAX)
		return ringside_usage(err, "--rounds %d: it takes 1 to %u", r->rounds,
				      BENCH_ROUNDS_MAX);
	if (r->time_ms < 1 || r->time_ms > TIME_MAX_MS)
		return ringside_usage(err, "--time %d: it takes 1 to %d ms", r->time_ms,
				      TIME_MAX_MS);
	if (r->limit_s < 1)
		return ringside_usage(err, "--limit %d: it takes a number of seconds", r->limit_s);
	if (!parse_cpus(r->cpus, ret->cpus, err))
		return false;
	if (has_two_threads(plan) && ret->cpus[0] == ret->cpus[1] && ret->cpus[0] >= 0)
		return ringside_usage(err,
				      "--mode: two threads need two processors; with one there "
				      "is --single");
	ret->rounds = (unsigned)r->rounds;
	ret->time_ms = (unsigned)r->time_ms;
	ret->limit_s = (unsigned)r->limit_s;
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
static bool open_page(const char *path, FILE **ret_page, GError **err)
{
	*ret_page = fopen(path, "we");
	return *ret_page || ringside_error_errno(err, errno, "--html %s", path);
}

static bool write_page(const char *path, FILE *page, const struct bench_report *report,
		       GError **err)
{
	bench_write_html(page, report);
	if (fflush(page) != 0 || ferror(page))
		return ringside_error_errno(err, errno, "--html %s", path);
	return true;
}

static bool write_report(const struct request *r, FILE *out, FILE *page,
			 const struct bench_report *report, GError **err)
{
	if (r->json)
		bench_write_json(out, report);
	else if (r->csv)
		bench_write_csv(out, report);
	else
		bench_write_table(out, report);
	if (fflush(out) != 0 || ferror(out))
		return ringside_error_errno(err, errno, "bench: writing the results");
	return !page || write_page(r->html, page, report, err);
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
	/* A page that cannot be written is known before a minute of measuring, not after it. */
	if (r->html && !open_page(r->html, &page, err))
		return false;
	report.rows = rows = bench_measure(plan, &settings, &report.machine, err);
	ok = rows && write_report(r, out, page, &report, err);
	if (page && fclose(page) != 0 && ok)
		return ringside_error_errno(err, errno, "--html %s", r->html);
	return ok;
}

/* Options in @args, which begins with the command. */
static bool bench_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);

	if (!ringside_options(context, args, "ringside bench rings --help", err))
		return false;
	if (r->json && r->csv)
		return ringside_usage(err, "--csv: not together with --json");
	if (r->help)
		print_help(out, context);
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
		"Each has --help.\n";
	struct request r = { .rounds = 51, .time_ms = 3, .limit_s = 40 };
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
	if (argc < 2 || strcmp(argv[1], "rings") != 0)
		return ringside_usage(err, "bench: it takes rings, guest or blk, and then options "
					   "(ringside bench rings --help)");
	args = g_strdupv((char **)&argv[1]);
	ok = bench_parse(&r, &args, out, err) && (r.help || rings(&r, command, out, progress, err));
	g_free(r.cpus);
	g_free(r.html);
	return ok;
}
