/*
 * Rounds and runs: see measure.h.
 *
 * A measurement opens its variant, moves some chains to warm up (which also tells how many fill the
 * time), then as many as are measured. The clock is the time stamp counter, which is the same on
 * both processors; sides that wait on each other also meet at the start by polling, for a thread
 * that wakes up late would be measured.
 *
 * When the kernel gives a side's processor to somebody else meanwhile, the other side waits in
 * vain, and the figure says nothing about rings. The kernel counts these switches: such a
 * measurement is made again, up to RETRIES times. So measurements should be shorter than its time
 * slices.
 */
#include "tools/bench/measure.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "devices/base/error.h"
#include "tools/bench/ends.h"
#include "tools/bench/progress.h"

#define WARM_UP    4096u /* chains */
#define RUNS       2u    /* of a measurement: warming up, measured */
#define RETRIES    4u
#define ROUNDS_MIN 3u

#define COLUMN(key, head, what, decimals)                                   \
	{                                                                   \
#key, head, what, offsetof(struct bench_row, key), decimals \
	}

const struct bench_column bench_columns[BENCH_COLUMNS] = {
	COLUMN(million, "M/s", "million chains a second", 2),
	COLUMN(spread, "+-%", "distance of the quartiles in percent of the median", 0),
	COLUMN(best, "best", "million chains a second in the best round", 2),
	COLUMN(driver_ns, "driver", "driver's ns a chain, less its waiting", 1),
	COLUMN(device_ns, "device", "device's ns a chain, less its waiting", 1),
	COLUMN(cycles, "cycles", "both sides' cycles a chain, less their waiting", 0),
	COLUMN(kicks, "kicks", "kicks a chain", 3),
	COLUMN(interrupts, "irqs", "interrupts a chain", 3),
	COLUMN(limit, "limit%", "percent of the bare ring's rate", 0),
};

double bench_figure(const struct bench_row *row, const struct bench_column *column)
{
	double value;

	memcpy(&value, (const char *)row + column->offset, sizeof(value));
	return value;
}

void bench_cpus(int ret_cpus[2])
{
	cpu_set_t set;
	unsigned found = 0;

	ret_cpus[0] = ret_cpus[1] = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			ret_cpus[found++] = cpu;
	if (found == 1)
		ret_cpus[1] = ret_cpus[0];
}

bool bench_has_cpu(int cpu)
{
	cpu_set_t set;

	return cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       CPU_ISSET(cpu, &set);
}

/*
 * Samples.
 */
enum { RATE, DRIVER, DEVICE, KICKS, INTERRUPTS, N_SAMPLES };

struct job {
	const struct bench_settings *settings;
	const GArray *plan;
	unsigned rounds; /* that were made */
	double *samples; /* by variant, what, round */
	double *expect;  /* by variant: chains per tick */
	double ghz;      /* ticks per ns */
	void *memory;
	struct bench_ends *ends;
	int pin_error;             /* of the device's thread: errno */
	unsigned taken, disturbed; /* measurements; those with somebody else on a processor */
	long switches[2];          /* driver's and device's, in the last run */
	atomic_uint met;
};

static double *samples_of(const struct job *job, guint variant, unsigned what)
{
	size_t series = (size_t)variant * N_SAMPLES + what;

	return &job->samples[series * job->settings->rounds];
}

static bool pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return true;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* Returns when both sides are here, for the @nth time. */
static void measure_meet(struct job *job, unsigned nth)
{
	unsigned polls = 0;

	atomic_fetch_add(&job->met, 1);
	while (atomic_load_explicit(&job->met, memory_order_acquire) < 2 * nth)
		bench_relax(&polls);
}

/* How often this thread lost its processor so far. */
static long switches(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static void *device_thread(void *arg)
{
	struct job *job = arg;
	long before;

	if (!pin(job->settings->cpus[1]))
		job->pin_error = errno;
	for (unsigned run = 0; run < RUNS; run++) {
		measure_meet(job, 2 * run + 1);
		before = switches();
		job->ends->work->device(job->ends);
		job->switches[1] = switches() - before;
		measure_meet(job, 2 * run + 2);
	}
	return NULL;
}

/* Moves @chains; returns ticks. */
static uint64_t measure_run(struct job *job, unsigned nth, uint64_t chains, bool alone)
{
	struct bench_ends *e = job->ends;
	uint64_t begin, ticks;
	long before;

	job->switches[1] = 0;
	e->chains = chains;
	e->driver.idle = e->driver.notifications = 0;
	e->device.idle = e->device.notifications = 0;
	if (!alone)
		measure_meet(job, 2 * nth + 1);
	before = switches();
	begin = bench_ticks();
	(alone ? e->work->both : e->work->driver)(e);
	ticks = bench_ticks() - begin;
	job->switches[0] = switches() - before;
	if (!alone)
		measure_meet(job, 2 * nth + 2);
	return ticks ? ticks : 1;
}

/* How many chains take the time of a measurement, going by what earlier ones took. */
static uint64_t chains_for(struct job *job, guint variant, uint64_t warm_up_ticks)
{
	double rate = WARM_UP / (double)warm_up_ticks;
	double n;

	if (rate < job->expect[variant])
		rate = job->expect[variant];
	job->expect[variant] = rate;
	n = rate * job->ghz * 1e6 * job->settings->time_ms;
	return n < 64 ? 64 : (uint64_t)n;
}

static void measure_row(struct job *job, guint variant, unsigned round, bool alone)
{
	const struct bench_ends *e = job->ends;
	uint64_t ticks = measure_run(job, 0, WARM_UP, alone);
	uint64_t chains = chains_for(job, variant, ticks);
	double ns;

	ticks = measure_run(job, 1, chains, alone);
	ns = job->ghz * (double)chains; /* ticks / this: ns a chain */
	if (chains / (double)ticks > job->expect[variant])
		job->expect[variant] = chains / (double)ticks;
	samples_of(job, variant, RATE)[round] = 1e3 / (ticks / ns);
	samples_of(job, variant, DRIVER)[round] = (ticks - e->driver.idle) / ns;
	samples_of(job, variant, DEVICE)[round] = (ticks - e->device.idle) / ns;
	samples_of(job, variant, KICKS)[round] = e->driver.notifications / (double)chains;
	samples_of(job, variant, INTERRUPTS)[round] = e->device.notifications / (double)chains;
}

/* One measurement; *ret_clean is false if somebody else had a processor meanwhile. */
static bool take_sample(struct job *job, guint variant, unsigned round, bool *ret_clean,
			GError **err)
{
	const struct bench_variant *v = &g_array_index(job->plan, struct bench_variant, variant);
	bool alone = v->at[AXIS_MODE] == MODE_SINGLE;
	pthread_t thread;
	int ret = 0;

	if (!bench_ends_open(job->ends, v, job->memory))
		return ringside_error_errno(err, errno, "bench: cannot set a ring up");
	atomic_store(&job->met, 0);
	if (!alone)
		ret = pthread_create(&thread, NULL, device_thread, job);
	if (ret == 0) {
		measure_row(job, variant, round, alone);
		if (!alone)
			pthread_join(thread, NULL);
	}
	bench_ends_close(job->ends);
	if (ret)
		return ringside_error_errno(err, ret, "bench: cannot start a thread");
	if (job->pin_error)
		return ringside_error_errno(err, job->pin_error, "--cpus: processor %d",
					    job->settings->cpus[1]);
	if (job->ends->failed) {
		g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST, "bench: the ring broke: %s",
			    job->ends->failed);
		return false;
	}
	*ret_clean = job->switches[0] + job->switches[1] == 0;
	return true;
}

static bool take_clean_sample(struct job *job, guint variant, unsigned round, GError **err)
{
	bool clean = false;

	for (unsigned i = 0; !clean && i <= RETRIES; i++) {
		if (!take_sample(job, variant, round, &clean, err))
			return false;
		job->taken++;
		job->disturbed += !clean;
	}
	return true;
}

/*
 * The whole.
 */
static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double measure_ghz(void)
{
	double from = now_ns();
	uint64_t ticks = bench_ticks();

	g_usleep(50000);
	return (double)(bench_ticks() - ticks) / (now_ns() - from);
}

/* A busy machine makes fewer rounds. */
static bool enough(const struct job *job, unsigned round, double seconds)
{
	return round == job->settings->rounds ||
	       (round >= ROUNDS_MIN && seconds > job->settings->limit_s);
}

/* The @v-th measurement of round @r (from 0) comes next. */
static void show_progress(const struct job *job, struct progress *p, unsigned r, guint v)
{
	const struct bench_settings *set = job->settings;
	double rounds = r + (double)v / job->plan->len;

	progress_show(p,
		      progress_of_rounds(progress_seconds(p), rounds, ROUNDS_MIN, set->rounds,
					 set->limit_s),
		      "round %u, %u of %u", r + 1, v + 1, job->plan->len);
}

static bool take_samples(struct job *job, GError **err)
{
	struct progress progress;
	double since = now_ns();
	bool ok = true;

	progress_begin(&progress, job->settings->progress);
	for (unsigned r = 0; ok && !enough(job, r, (now_ns() - since) / 1e9); r++) {
		for (guint v = 0; ok && v < job->plan->len; v++) {
			show_progress(job, &progress, r, v);
			ok = take_clean_sample(job, v, r, err);
		}
		job->rounds = r + 1;
	}
	progress_end(&progress);
	return ok;
}

static struct bench_row row_of(const struct job *job, guint variant)
{
	struct bench_stats s[N_SAMPLES];

	for (unsigned i = 0; i < N_SAMPLES; i++)
		s[i] = bench_stats(samples_of(job, variant, i), job->rounds);
	return (struct bench_row){
		.v = g_array_index(job->plan, struct bench_variant, variant),
		.million = s[RATE].median,
		.spread = bench_spread(&s[RATE]),
		.best = s[RATE].max,
		.driver_ns = s[DRIVER].median,
		.device_ns = s[DEVICE].median,
		.cycles = (s[DRIVER].median + s[DEVICE].median) * job->ghz,
		.kicks = s[KICKS].median,
		.interrupts = s[INTERRUPTS].median,
	};
}

/* The bare ring's rate beside @v, or 0 if the plan has none. */
static double limit_of(const GArray *rows, const struct bench_variant *v)
{
	struct bench_variant bare = bench_bare_beside(v);

	for (guint i = 0; i < rows->len; i++) {
		const struct bench_row *row = &g_array_index(rows, struct bench_row, i);

		if (memcmp(&row->v, &bare, sizeof(bare)) == 0)
			return row->million;
	}
	return 0;
}

static GArray *summarize(const struct job *job)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct bench_row));

	for (guint i = 0; i < job->plan->len; i++) {
		struct bench_row row = row_of(job, i);

		g_array_append_val(rows, row);
	}
	for (guint i = 0; i < rows->len; i++) {
		struct bench_row *row = &g_array_index(rows, struct bench_row, i);
		double limit = limit_of(rows, &row->v);

		row->limit = limit > 0 ? row->million / limit * 100 : 0;
	}
	return rows;
}

GArray *bench_measure(const GArray *plan, const struct bench_settings *settings,
		      struct bench_machine *ret_machine, GError **err)
{
	struct job job = { .settings = settings, .plan = plan, .ghz = measure_ghz() };
	GArray *rows = NULL;
	cpu_set_t before;

	job.memory = mmap(NULL, BENCH_MEMORY, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (job.memory == MAP_FAILED) {
		ringside_error_errno(err, errno, "bench: %u bytes of memory", BENCH_MEMORY);
		return NULL;
	}
	job.ends = g_aligned_alloc0(1, sizeof(*job.ends), _Alignof(struct bench_ends));
	job.samples = g_new0(double, (gsize)plan->len *N_SAMPLES * settings->rounds);
	job.expect = g_new0(double, plan->len);
	if (sched_getaffinity(0, sizeof(before), &before) < 0 || !pin(settings->cpus[0])) {
		ringside_error_errno(err, errno, "--cpus: processor %d", settings->cpus[0]);
	} else {
		if (take_samples(&job, err))
			rows = summarize(&job);
		(void)sched_setaffinity(0, sizeof(before), &before);
	}
	*ret_machine = (struct bench_machine){
		.ghz = job.ghz,
		.rounds = job.rounds,
		.disturbed = job.taken ? 100.0 * job.disturbed / job.taken : 0,
	};
	g_free(job.expect);
	g_free(job.samples);
	g_aligned_free(job.ends);
	munmap(job.memory, BENCH_MEMORY);
	return rows;
}
