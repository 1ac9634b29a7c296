/*
 * `ringside bench guest`: split against packed from inside a KVM guest, over pci and mmio.
 *
 * The guest is guest-fw (guest-fw/bench.c): requests to a block device that cost the device next to
 * nothing, made at privilege level 3, where every KVM runs code at native speed, with ioeventfds
 * for kicks and irqfds for interrupts. The device has a thread of its own.
 *
 * Each measurement is a guest of its own, as long as --time says; each round takes every variant
 * once, so that whatever else the machine does hits all of them alike. A short run of each variant
 * comes first: it tells how many requests make a measurement, and what setting up costs in exits,
 * which is taken off.
 */
#include "tools/bench/guest.h"

#include <string.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "tools/bench/command.h"
#include "tools/bench/ends.h"
#include "tools/bench/guest-impl.h"
#include "tools/bench/progress.h"
#include "tools/bench/report.h"
#include "tools/bench/sheet.h"
#include "tools/bench/stats.h"

#define ROUNDS_MAX  1000
#define ROUNDS_MIN  3u /* whatever --limit says */
#define TIME_MAX_MS 10000
#define FIRST       1000u /* requests in a variant's first run */

const struct bench_axis_info guest_axes[N_GUEST_AXES] = {
	[GUEST_TRANSPORT] = { "transport", "transport", "how the driver reaches the device",
			      .names = { "pci", "mmio" }, .all = { 0, 1 }, .n_all = 2 },
	[GUEST_WAIT] = { "wait", "wait", "looking at the ring, or asleep for an interrupt",
			 .names = { "poll", "irq" }, .all = { 0, 1 }, .n_all = 2 },
	[GUEST_RING] = { "ring", "ring", "layout of the ring", .names = { "split", "packed" },
			 .all = { 0, 1 }, .n_all = 2 },
	[GUEST_BATCH] = { "batch", "batch", "requests made and awaited together",
			  .all = { 1, 16, 64 }, .n_all = 3, .min = 1, .max = 128 },
};

enum column {
	COLUMN_RATE,
	COLUMN_SPREAD,
	COLUMN_BEST,
	COLUMN_NS,
	COLUMN_EXITS, /* of all kinds; not every KVM tells */
	COLUMN_TO_PROCESS,
	COLUMN_KICKS,
	COLUMN_INTERRUPTS,
	N_COLUMNS,
};

static const struct sheet_column columns[N_COLUMNS] = {
	[COLUMN_RATE] = { "thousand", "k/s", "thousand requests a second", 1 },
	[COLUMN_SPREAD] = { "spread", "+-%", "distance of its quartiles, in percent", 0 },
	[COLUMN_BEST] = { "best", "best", "round, in thousand requests a second", 1 },
	[COLUMN_NS] = { "ns", "ns", "a request", 0 },
	[COLUMN_EXITS] = { "exits", "exits",
			   "a request, of all kinds, most of them KVM's own business", 3 },
	[COLUMN_TO_PROCESS] = { "to_process", "process", "exits to the process, a request", 3 },
	[COLUMN_KICKS] = { "kicks", "kicks", "a request", 3 },
	[COLUMN_INTERRUPTS] = { "interrupts", "irqs", "a request", 3 },
};

struct request {
	struct bench_choice choices[N_GUEST_AXES];
	struct bench_choosing choosing;
	struct bench_limits limits;
	gboolean help;
	char *firmware;
};

/* A variant, and what was counted of it. */
struct measured {
	struct guest_variant v;
	struct guest_counts first;
	struct guest_counts *round; /* of all of them */
};

struct job {
	const struct request *r;
	struct guest_files files;
	struct progress progress;
	struct measured *list;
	unsigned n, rounds;
	double ghz;
};

/*
 * The command line.
 */
static GOptionContext *make_context(struct request *r)
{
	static const char *const takes[N_GUEST_AXES] = { "pci,mmio", "poll,irq", "split,packed",
							 "N,..." };
	const GOptionEntry rest[] = {
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &r->limits.rounds,
		  "times that all is measured [7]", "N" },
		{ "time", 0, 0, G_OPTION_ARG_INT, &r->limits.time_ms, "of one measurement [100]",
		  "MS" },
		{ "limit", 0, 0, G_OPTION_ARG_INT, &r->limits.limit_s,
		  "of all: no further round after that [60]", "SECONDS" },
		{ "firmware", 0, 0, G_OPTION_ARG_FILENAME, &r->firmware,
		  "the guest, where it is not beside ringside", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &r->limits.json, "JSON instead of a table",
		  NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &r->limits.csv, "CSV instead of a table", NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};

	r->choosing = (struct bench_choosing){ guest_axes, N_GUEST_AXES, takes, r->choices };
	return bench_options(&r->choosing, rest, true);
}

static const char help[] =
	"ringside bench guest [OPTION...]: what the rings cost from inside a guest.\n"
	"\n"
	"Needs a /dev/kvm that runs guests. Without options, all combinations.";

/* Options in @args, which begins with the command. */
static bool guest_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);

	if (!ringside_options(context, args, "ringside bench guest --help", err) ||
	    !bench_check_limits(&r->limits, ROUNDS_MAX, TIME_MAX_MS, err))
		return false;
	if (r->help)
		bench_print_help(out, context, help);
	return true;
}

/*
 * Plan and rounds.
 */
static void make_plan(struct job *job)
{
	unsigned count[N_GUEST_AXES] = { 0 }, n[N_GUEST_AXES];
	const struct bench_choice *choices = job->r->choices;

	job->n = 1;
	for (unsigned axis = 0; axis < N_GUEST_AXES; axis++) {
		n[axis] = choices[axis].n ? choices[axis].n : guest_axes[axis].n_all;
		job->n *= n[axis];
	}
	job->list = g_new0(struct measured, job->n);
	for (unsigned m = 0; m < job->n; m++) {
		job->list[m].round = g_new0(struct guest_counts, (gsize)job->r->limits.rounds);
		for (unsigned axis = 0; axis < N_GUEST_AXES; axis++)
			job->list[m].v.at[axis] = choices[axis].n
							  ? choices[axis].value[count[axis]]
							  : guest_axes[axis].all[count[axis]];
		bench_next_combination(count, n, N_GUEST_AXES);
	}
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The @m-th run of round @round comes next; round 0 are the first runs, which tell nothing of the
 * others. */
static void show_progress(struct job *job, unsigned round, unsigned m)
{
	double rounds = round ? round - 1 + (double)m / job->n : 0;

	double done = progress_of_rounds(progress_seconds(&job->progress), rounds, ROUNDS_MIN,
					 (unsigned)job->r->limits.rounds, job->r->limits.limit_s);

	if (round == 0)
		progress_show(&job->progress, 0, "first runs, %u of %u", m + 1, job->n);
	else
		progress_show(&job->progress, done, "round %u, %u of %u", round, m + 1, job->n);
}

/* Four times the first run at least, so that what setting up costs can be told. */
static uint64_t requests_for(const struct measured *m, double ghz, unsigned time_ms)
{
	double ns = (double)m->first.ticks / ghz / (double)m->first.requests;

	return MAX((uint64_t)(time_ms * 1e6 / ns), 4 * m->first.requests);
}

static bool first_runs(struct job *job, GError **err)
{
	double since = now_s();
	uint64_t ticks = bench_ticks();

	for (unsigned i = 0; i < job->n; i++) {
		struct measured *m = &job->list[i];

		show_progress(job, 0, i);
		if (!guest_run(&job->files, &m->v, FIRST, &m->first, err))
			return false;
	}
	job->ghz = (double)(bench_ticks() - ticks) / (now_s() - since) / 1e9;
	return true;
}

static bool all_rounds(struct job *job, GError **err)
{
	double since = now_s();

	if (!first_runs(job, err))
		return false;
	progress_begin(&job->progress, job->progress.to);
	while (job->rounds < (unsigned)job->r->limits.rounds &&
	       (job->rounds < ROUNDS_MIN || now_s() - since < job->r->limits.limit_s)) {
		for (unsigned i = 0; i < job->n; i++) {
			struct measured *m = &job->list[i];
			uint64_t n = requests_for(m, job->ghz, (unsigned)job->r->limits.time_ms);

			show_progress(job, job->rounds + 1, i);
			if (!guest_run(&job->files, &m->v, n, &m->round[job->rounds], err))
				return false;
		}
		job->rounds++;
	}
	return true;
}

/*
 * Results.
 */
enum figure { RATE, EXITS, TO_PROCESS, KICKS, INTERRUPTS, N_FIGURES };

static void figures(const struct guest_counts *c, const struct guest_counts *first, double ghz,
		    double ret[N_FIGURES])
{
	double more = (double)(c->requests - first->requests);

	ret[RATE] = (double)c->requests * ghz * 1e6 / (double)c->ticks;
	ret[EXITS] = ((double)c->exits - (double)first->exits) / more;
	ret[TO_PROCESS] = ((double)c->to_process - (double)first->to_process) / more;
	ret[KICKS] = (double)c->kicks / (double)c->requests;
	ret[INTERRUPTS] = (double)c->interrupts / (double)c->requests;
}

static struct sheet_row row_of(const struct job *job, const struct measured *m)
{
	g_autofree double *values = g_new(double, (gsize)N_FIGURES * job->rounds);
	struct bench_stats s[N_FIGURES];
	struct sheet_row row = { .source = 0 };

	for (unsigned r = 0; r < job->rounds; r++) {
		double one[N_FIGURES];

		figures(&m->round[r], &m->first, job->ghz, one);
		for (unsigned f = 0; f < N_FIGURES; f++)
			values[f * job->rounds + r] = one[f];
	}
	for (unsigned f = 0; f < N_FIGURES; f++)
		s[f] = bench_stats(values + (gsize)f * job->rounds, job->rounds);
	memcpy(row.at, m->v.at, sizeof(m->v.at));
	row.figure[COLUMN_RATE] = s[RATE].median;
	row.figure[COLUMN_SPREAD] = bench_spread(&s[RATE]);
	row.figure[COLUMN_BEST] = s[RATE].max;
	row.figure[COLUMN_NS] = 1e6 / s[RATE].median;
	row.figure[COLUMN_EXITS] = m->first.exits_known ? MAX(s[EXITS].median, 0) : -1;
	row.figure[COLUMN_TO_PROCESS] = MAX(s[TO_PROCESS].median, 0);
	row.figure[COLUMN_KICKS] = s[KICKS].median;
	row.figure[COLUMN_INTERRUPTS] = s[INTERRUPTS].median;
	return row;
}

static bool write_report(const struct job *job, const char *command, FILE *out, GError **err)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct sheet_row));
	g_autofree char *cpu = bench_cpu_model();
	struct bench_sheet sheet = {
		.axes = guest_axes,
		.n_axes = N_GUEST_AXES,
		.columns = columns,
		.n_columns = N_COLUMNS,
		.rows = rows,
		.command = command,
		.cpu = cpu,
		.ghz = job->ghz,
		.rounds = job->rounds,
		.time_ms = (unsigned)job->r->limits.time_ms,
		.note = "",
	};

	for (unsigned i = 0; i < job->n; i++) {
		struct sheet_row row = row_of(job, &job->list[i]);

		g_array_append_val(rows, row);
	}
	bench_sheet_write(out, &sheet, &job->r->limits);
	return bench_written(out, err);
}

static bool guest_measure(const struct request *r, const char *command, FILE *out, FILE *progress,
			  GError **err)
{
	struct job job = { .r = r };
	bool ok = guest_files_find(&job.files, r->firmware, err);

	make_plan(&job);
	progress_begin(&job.progress, progress);
	ok = ok && all_rounds(&job, err);
	progress_end(&job.progress);
	ok = ok && write_report(&job, command, out, err);
	for (unsigned i = 0; i < job.n; i++)
		g_free(job.list[i].round);
	g_free(job.list);
	guest_files_drop(&job.files);
	return ok;
}

bool bench_guest_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	struct request r = { .limits = { .rounds = 7, .time_ms = 100, .limit_s = 60 } };
	g_autofree char *command = g_strjoinv(" ", (char **)argv);
	g_auto(GStrv) args = g_strdupv((char **)&argv[1]);
	bool ok;

	(void)argc;
	ok = guest_parse(&r, &args, out, err) &&
	     (r.help || guest_measure(&r, command, out, progress, err));
	g_free(r.firmware);
	return ok;
}
