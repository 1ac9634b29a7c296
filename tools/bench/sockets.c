#include "tools/bench/sockets.h"

#include <string.h>

#include "devices/base/error.h"
#include "tools/bench/command.h"
#include "tools/bench/page.h"
#include "tools/bench/progress.h"
#include "tools/bench/report.h"
#include "tools/bench/stats.h"

#define ROUNDS_MAX  1000
#define ROUNDS_MIN  3u /* whatever --limit says */
#define TIME_MAX_MS 100000
#define SOCKETS_MAX 2u

struct request {
	const struct socket_bench *bench;
	struct bench_choice choices[N_AXES];
	struct bench_choosing choosing;
	struct bench_limits limits;
	gboolean help;
	char *html;
	char *socket[SOCKETS_MAX];
	unsigned n_sockets;
};

/* A variant of one socket's. */
struct measured {
	unsigned at[N_AXES];
	unsigned socket;
	double *rate; /* of each round */
	struct latencies *latencies;
};

struct job {
	const struct request *r;
	struct progress progress;
	GArray *list; /* of struct measured */
	unsigned rounds;
};

/*
 * The command line.
 */
static GOptionContext *make_context(struct request *r)
{
	const GOptionEntry rest[] = {
		{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &r->socket[0],
		  "of the back-end, which listens there", "PATH" },
		{ "vs", 0, 0, G_OPTION_ARG_FILENAME, &r->socket[1],
		  "of another, to be compared with it in turn", "PATH" },
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &r->limits.rounds,
		  "times that all is measured [7]", "N" },
		{ "time", 0, 0, G_OPTION_ARG_INT, &r->limits.time_ms, "of one measurement [500]",
		  "MS" },
		{ "limit", 0, 0, G_OPTION_ARG_INT, &r->limits.limit_s,
		  "of all: no further round after that [60]", "SECONDS" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &r->limits.json, "JSON instead of a table",
		  NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &r->limits.csv, "CSV instead of a table", NULL },
		{ "html", 0, 0, G_OPTION_ARG_FILENAME, &r->html, "a page with charts, besides",
		  "FILE" },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};

	r->choosing = (struct bench_choosing){ r->bench->axes, r->bench->n_axes, r->bench->takes,
					       r->choices };
	return bench_options(&r->choosing, rest, false);
}

/* Options in @args, which begins with the command. */
static bool sockets_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);
	g_autofree char *more = g_strdup_printf("%s --help", r->bench->command);

	if (!ringside_options(context, args, more, err))
		return false;
	if (r->help) {
		bench_print_help(out, context, r->bench->help);
		return true;
	}
	r->n_sockets = r->socket[1] ? 2 : 1;
	if (!r->socket[0])
		return ringside_usage(err, "--socket PATH: is missing, the back-end's socket");
	return bench_check_limits(&r->limits, ROUNDS_MAX, TIME_MAX_MS, err);
}

/*
 * Plan and rounds.
 */
static void plan_variant(struct job *job, const unsigned *at)
{
	for (unsigned s = 0; s < job->r->n_sockets; s++) {
		struct measured m = { .socket = s };

		memcpy(m.at, at, sizeof(m.at));
		m.rate = g_new0(double, (gsize)job->r->limits.rounds);
		m.latencies = g_new0(struct latencies, 1);
		g_array_append_val(job->list, m);
	}
}

static void make_plan(struct job *job)
{
	const struct socket_bench *bench = job->r->bench;
	const struct bench_choice *choices = job->r->choices;
	unsigned count[N_AXES] = { 0 }, n[N_AXES];

	for (unsigned axis = 0; axis < bench->n_axes; axis++)
		n[axis] = choices[axis].n ? choices[axis].n : bench->axes[axis].n_defaults;
	do {
		unsigned at[N_AXES] = { 0 };

		for (unsigned axis = 0; axis < bench->n_axes; axis++)
			at[axis] = choices[axis].n ? choices[axis].value[count[axis]]
						   : bench->axes[axis].defaults[count[axis]];
		plan_variant(job, at);
	} while (bench_next_combination(count, n, bench->n_axes));
}

static void show_progress(struct job *job, unsigned m)
{
	double rounds = job->rounds + (double)m / job->list->len;
	double done = progress_of_rounds(progress_seconds(&job->progress), rounds, ROUNDS_MIN,
					 (unsigned)job->r->limits.rounds, job->r->limits.limit_s);

	progress_show(&job->progress, done, "round %u, %u of %u", job->rounds + 1, m + 1,
		      job->list->len);
}

static bool one_round(struct job *job, GError **err)
{
	for (unsigned i = 0; i < job->list->len; i++) {
		struct measured *m = &g_array_index(job->list, struct measured, i);

		show_progress(job, i);
		if (!job->r->bench->run(job->r->socket[m->socket], m->at,
					(unsigned)job->r->limits.time_ms, m->latencies,
					&m->rate[job->rounds], err))
			return false;
	}
	job->rounds++;
	return true;
}

static bool all_rounds(struct job *job, GError **err)
{
	while (job->rounds < (unsigned)job->r->limits.rounds &&
	       (job->rounds < ROUNDS_MIN ||
		progress_seconds(&job->progress) < job->r->limits.limit_s))
		if (!one_round(job, err))
			return false;
	return true;
}

/*
 * Results.
 */
static double microseconds(const struct measured *m, double part)
{
	return m->latencies->n ? latencies_ns(m->latencies, part) / 1e3 : -1;
}

static struct sheet_row row_of(const struct job *job, const struct measured *m)
{
	struct bench_stats s = bench_stats(m->rate, job->rounds);
	struct sheet_row row = { .source = m->socket };

	memcpy(row.at, m->at, sizeof(row.at));
	row.figure[SOCKET_RATE] = s.median / 1e3;
	row.low = s.q1 / 1e3;
	row.high = s.q3 / 1e3;
	row.figure[SOCKET_SPREAD] = bench_spread(&s);
	row.figure[SOCKET_DATA] = s.median * job->r->bench->bytes(m->at) / (1 << 20);
	row.figure[SOCKET_P50] = microseconds(m, 0.5);
	row.figure[SOCKET_P99] = microseconds(m, 0.99);
	row.figure[SOCKET_P999] = microseconds(m, 0.999);
	row.figure[SOCKET_RATIO] = -1;
	return row;
}

static GArray *rows_of(const struct job *job)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct sheet_row));

	for (guint i = 0; i < job->list->len; i++) {
		struct sheet_row row = row_of(job, &g_array_index(job->list, struct measured, i));

		if (row.source && row.figure[SOCKET_RATE] > 0)
			row.figure[SOCKET_RATIO] =
				g_array_index(rows, struct sheet_row, i - 1).figure[SOCKET_RATE] /
				row.figure[SOCKET_RATE];
		g_array_append_val(rows, row);
	}
	return rows;
}

static bool write_report(const struct job *job, const char *command, FILE *out, FILE *page,
			 GError **err)
{
	const struct request *r = job->r;
	g_autoptr(GArray) rows = rows_of(job);
	g_autofree char *cpu = bench_cpu_model();
	struct bench_sheet sheet = {
		.axes = r->bench->axes,
		.n_axes = r->bench->n_axes,
		.columns = r->bench->columns,
		.n_columns = N_SOCKET_COLUMNS - (r->n_sockets == 1), /* the last one is for two */
		.rows = rows,
		.sources = (const char *const *)r->socket,
		.n_sources = r->n_sockets,
		.command = command,
		.cpu = cpu,
		.rounds = job->rounds,
		.time_ms = (unsigned)r->limits.time_ms,
		.note = ", latencies of all of them",
	};

	bench_sheet_write(out, &sheet, &r->limits);
	if (page)
		bench_sheet_write_html(page, &sheet, r->bench->title);
	return bench_written(out, err);
}

static bool sockets_measure(const struct request *r, const char *command, FILE *out, FILE *progress,
			    GError **err)
{
	struct job job = { .r = r, .list = g_array_new(FALSE, FALSE, sizeof(struct measured)) };
	FILE *page = NULL;
	bool ok;

	if (r->html && !page_open(r->html, &page, err)) {
		g_array_unref(job.list);
		return false;
	}
	make_plan(&job);
	progress_begin(&job.progress, progress);
	ok = all_rounds(&job, err);
	progress_end(&job.progress);
	ok = ok && write_report(&job, command, out, page, err);
	if (page)
		ok = page_close(r->html, page, ok ? err : NULL) && ok;
	for (guint i = 0; i < job.list->len; i++) {
		struct measured *m = &g_array_index(job.list, struct measured, i);

		g_free(m->rate);
		g_free(m->latencies);
	}
	g_array_unref(job.list);
	return ok;
}

bool bench_sockets_command(const struct socket_bench *bench, char *const *argv, FILE *out,
			   FILE *progress, GError **err)
{
	struct request r = { .bench = bench,
			     .limits = { .rounds = 7, .time_ms = 500, .limit_s = 60 } };
	g_autofree char *command = g_strjoinv(" ", (char **)argv);
	g_auto(GStrv) args = g_strdupv((char **)&argv[1]);
	bool ok;

	ok = sockets_parse(&r, &args, out, err) &&
	     (r.help || sockets_measure(&r, command, out, progress, err));
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		g_free(r.socket[i]);
	g_free(r.html);
	return ok;
}
