/*
 * `ringside bench blk`: what a block device behind a vhost-user socket is capable of, and by how
 * much it differs from another one's.
 *
 * Each measurement is a connection of its own, so that a back-end that serves one front-end at a
 * time can be measured, too. Each round takes every variant once, and each variant all sockets in
 * turn, so that whatever else the machine does hits all of them alike.
 */
#include "tools/bench/blk.h"

#include "devices/base/error.h"
#include "tools/bench/blk-impl.h"
#include "tools/bench/command.h"
#include "tools/bench/progress.h"
#include "tools/bench/report.h"
#include "tools/bench/stats.h"

#define ROUNDS_MAX  1000
#define ROUNDS_MIN  3u /* whatever --limit says */
#define TIME_MAX_MS 100000
#define SOCKETS_MAX 2u

const struct bench_axis_info blk_axes[N_BLK_AXES] = {
	[BLK_OP] = { "op", "op", "randread, read, randwrite, write [randread]",
		     .names = { "randread", "read", "randwrite", "write" },
		     .all = { BLK_RANDREAD, BLK_READ, BLK_RANDWRITE, BLK_WRITE }, .n_all = 4,
		     .n_defaults = 1, .defaults = { BLK_RANDREAD } },
	[BLK_SIZE] = { "size", "KiB", "KiB of a request [4]", .n_defaults = 1, .defaults = { 4 },
		       .min = 1, .max = BLK_SIZE_MAX },
	[BLK_DEPTH] = { "depth", "depth", "requests in flight [1,32]", .n_defaults = 2,
			.defaults = { 1, 32 }, .min = 1, .max = BLK_DEPTH_MAX },
	[BLK_RING] = { "ring", "ring", "layout of the ring [split]", .names = { "split", "packed" },
		       .all = { 0, 1 }, .n_all = 2, .n_defaults = 1, .defaults = { 0 } },
	[BLK_WAIT] = { "wait", "wait", "asleep for an interrupt, or looking at the ring [irq]",
		       .names = { "irq", "poll" }, .all = { 0, 1 }, .n_all = 2, .n_defaults = 1,
		       .defaults = { 0 } },
};

const char *blk_value(const struct blk_variant *v, enum blk_axis axis, char buf[16])
{
	if (blk_axes[axis].names[0])
		return blk_axes[axis].names[v->at[axis]];
	(void)g_snprintf(buf, 16, "%u", v->at[axis]);
	return buf;
}

struct request {
	struct bench_choice choices[N_BLK_AXES];
	struct bench_choosing choosing;
	struct bench_limits limits;
	gboolean help;
	char *socket[SOCKETS_MAX];
	unsigned n_sockets;
};

/* A variant of one socket's. */
struct measured {
	struct blk_variant v;
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
	static const char *const takes[N_BLK_AXES] = { "NAME,...", "N,...", "N,...", "split,packed",
						       "irq,poll" };
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
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};

	r->choosing = (struct bench_choosing){ blk_axes, N_BLK_AXES, takes, r->choices };
	return bench_options(&r->choosing, rest, false);
}

static const char help[] =
	"ringside bench blk --socket PATH [OPTION...]: a block device behind vhost-user.\n"
	"\n"
	"The reference driver as front-end of any back-end: ringside serve,\n"
	"qemu-storage-daemon, ... Requests a second and latencies, for all combinations\n"
	"of what is given. What is written destroys the disk's content.";

/* Options in @args, which begins with the command. */
static bool blk_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);

	if (!ringside_options(context, args, "ringside bench blk --help", err))
		return false;
	if (r->help) {
		bench_print_help(out, context, help);
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
static void plan_variant(struct job *job, const struct blk_variant *v)
{
	for (unsigned s = 0; s < job->r->n_sockets; s++) {
		struct measured m = { .v = *v, .socket = s };

		m.rate = g_new0(double, (gsize)job->r->limits.rounds);
		m.latencies = g_new0(struct latencies, 1);
		g_array_append_val(job->list, m);
	}
}

static void make_plan(struct job *job)
{
	const struct bench_choice *choices = job->r->choices;
	unsigned count[N_BLK_AXES] = { 0 }, n[N_BLK_AXES];

	for (unsigned axis = 0; axis < N_BLK_AXES; axis++)
		n[axis] = choices[axis].n ? choices[axis].n : blk_axes[axis].n_defaults;
	do {
		struct blk_variant v;

		for (unsigned axis = 0; axis < N_BLK_AXES; axis++)
			v.at[axis] = choices[axis].n ? choices[axis].value[count[axis]]
						     : blk_axes[axis].defaults[count[axis]];
		plan_variant(job, &v);
	} while (bench_next_combination(count, n, N_BLK_AXES));
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
		if (!blk_run(job->r->socket[m->socket], &m->v, (unsigned)job->r->limits.time_ms,
			     m->latencies, &m->rate[job->rounds], err))
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
static struct blk_row row_of(const struct job *job, const struct measured *m)
{
	struct bench_stats s = bench_stats(m->rate, job->rounds);

	return (struct blk_row){
		.v = m->v,
		.socket = m->socket,
		.thousand = s.median / 1e3,
		.spread = bench_spread(&s),
		.mib = s.median * m->v.at[BLK_SIZE] / 1024,
		.p50 = latencies_ns(m->latencies, 0.5) / 1e3,
		.p99 = latencies_ns(m->latencies, 0.99) / 1e3,
		.p999 = latencies_ns(m->latencies, 0.999) / 1e3,
	};
}

static bool write_report(const struct job *job, const char *command, FILE *out, GError **err)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct blk_row));
	g_autofree char *cpu = bench_cpu_model();
	struct blk_report report = {
		.rows = rows,
		.sockets = (const char *const *)job->r->socket,
		.n_sockets = job->r->n_sockets,
		.command = command,
		.cpu = cpu,
		.rounds = job->rounds,
		.time_ms = (unsigned)job->r->limits.time_ms,
	};

	for (guint i = 0; i < job->list->len; i++) {
		struct blk_row row = row_of(job, &g_array_index(job->list, struct measured, i));

		if (row.socket)
			row.ratio = g_array_index(rows, struct blk_row, i - 1).thousand /
				    row.thousand;
		g_array_append_val(rows, row);
	}
	if (job->r->limits.json)
		blk_write_json(out, &report);
	else if (job->r->limits.csv)
		blk_write_csv(out, &report);
	else
		blk_write_table(out, &report);
	return bench_written(out, err);
}

static bool blk_measure(const struct request *r, const char *command, FILE *out, FILE *progress,
			GError **err)
{
	struct job job = { .r = r, .list = g_array_new(FALSE, FALSE, sizeof(struct measured)) };
	bool ok;

	make_plan(&job);
	progress_begin(&job.progress, progress);
	ok = all_rounds(&job, err);
	progress_end(&job.progress);
	ok = ok && write_report(&job, command, out, err);
	for (guint i = 0; i < job.list->len; i++) {
		struct measured *m = &g_array_index(job.list, struct measured, i);

		g_free(m->rate);
		g_free(m->latencies);
	}
	g_array_unref(job.list);
	return ok;
}

bool bench_blk_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	struct request r = { .limits = { .rounds = 7, .time_ms = 500, .limit_s = 60 } };
	g_autofree char *command = g_strjoinv(" ", (char **)argv);
	g_auto(GStrv) args = g_strdupv((char **)&argv[1]);
	bool ok;

	(void)argc;
	ok = blk_parse(&r, &args, out, err) &&
	     (r.help || blk_measure(&r, command, out, progress, err));
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		g_free(r.socket[i]);
	return ok;
}
