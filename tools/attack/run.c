#include "tools/attack/run.h"

#include <sched.h>
#include <string.h>

#include "devices/base/error.h"

#define PROBE_EVERY    256u /* inputs */
#define TRIES          5u   /* to have a finding again */
#define PAUSE_US       10000
#define FIRST_PROBE_US 1000000u

/* Devices that look at their rings without being told have so long to see what is new. */
static void run_wait(struct attack_run *run, uint64_t us)
{
	uint64_t until = peer_now_ns() + us * 1000;

	while (!attack_all_used(run->rings) && peer_now_ns() < until)
		sched_yield();
}

static bool run_answered(const struct attack_run *run)
{
	for (unsigned r = 0; r < run->input.kind->n_rings; r++)
		if (attack_used(run->rings, r))
			return true;
	return false;
}

/* False with an error. */
static bool run_lost(struct attack_run *run, enum attack_verdict *ret, GError **err)
{
	static const enum attack_verdict verdicts[] = {
		[LOST_CONNECTION] = ATTACK_CLOSED,
		[LOST_PROCESS] = ATTACK_DIED,
		[LOST_TIME] = ATTACK_HUNG,
	};
	enum attack_lost lost;
	bool ok = back_end_recover(run->back_end, &lost, run->rings->told, ATTACK_TOLD, err);

	*ret = verdicts[lost];
	return ok;
}

/* For features or rings that the connection does not have. */
static bool run_connect(struct attack_run *run, const struct attack_input *in, GError **err)
{
	struct attack_back_end *b = run->back_end;

	if (b->connected && b->n_rings == in->kind->n_rings && b->features == in->features)
		return true;
	return back_end_connect(b, in->features, in->kind->n_rings, err);
}

static bool run_play(struct attack_run *run, const struct attack_input *in, uint64_t wait_us,
		     enum attack_verdict *ret, GError **err)
{
	struct attack_back_end *b = run->back_end;

	*ret = ATTACK_FINE;
	if (!run_connect(run, in, NULL)) /* what came before may have been too much for it */
		return run_lost(run, ret, err);
	attack_place(run->rings, in);
	if (!back_end_run(b, run->reset))
		return run_lost(run, ret, err);
	run_wait(run, wait_us);
	if (!back_end_halt(b))
		return run_lost(run, ret, err);
	run->reset = !attack_all_used(run->rings);
	*ret = attack_judge(run->rings);
	return true;
}

/* With messages of a hostile front-end, after which nothing is said of the memory: the device may
 * have been told to write anywhere. It has to take the next connection. */
static bool run_play_session(struct attack_run *run, enum attack_verdict *ret, GError **err)
{
	const struct attack_input *in = &run->input;
	struct attack_back_end *b = run->back_end;

	*ret = ATTACK_FINE;
	if (!run_connect(run, in, NULL))
		return run_lost(run, ret, err);
	attack_place(run->rings, in);
	if (!back_end_run(b, false))
		return run_lost(run, ret, err);
	run->taken += attack_session(&run->files, b, in);
	run->reset = false;
	if (back_end_connect(b, in->features, in->kind->n_rings, NULL))
		return true;
	return run_lost(run, ret, err);
}

bool attack_play(struct attack_run *run, enum attack_verdict *ret, GError **err)
{
	if (run->input.n_messages)
		return run_play_session(run, ret, err);
	return run_play(run, &run->input, run->plan->wait_us, ret, err);
}

/* A sound request has to be served whatever came before it. */
static bool run_probe(struct attack_run *run, uint64_t wait_us, enum attack_verdict *ret,
		      GError **err)
{
	struct attack_input in;

	*ret = ATTACK_FINE;
	if (!attack_make_probe(&in, &run->source, run->back_end->features))
		return true;
	if (!run_play(run, &in, wait_us, ret, err))
		return false;
	if (*ret == ATTACK_FINE && !attack_all_used(run->rings)) {
		*ret = ATTACK_DEAF;
		g_strlcpy(run->rings->told, "a sound request is not served any more", ATTACK_TOLD);
	}
	return true;
}

/*
 * Findings.
 */

/* Is it there again when the device had time to be done with what came before? */
static bool run_repeats(struct attack_run *run, enum attack_verdict v, bool *ret, GError **err)
{
	enum attack_verdict again = ATTACK_FINE;
	char told[ATTACK_TOLD];

	g_strlcpy(told, run->rings->told, sizeof(told));
	for (unsigned i = 0; i < TRIES && again != v; i++) {
		g_usleep(PAUSE_US);
		if (!attack_play(run, &again, err))
			return false;
	}
	*ret = again == v;
	if (!*ret)
		g_snprintf(run->rings->told, ATTACK_TOLD, "%.*s; not again", (int)sizeof(told) - 20,
			   told);
	return true;
}

/* What is wrong once only is taken for the work of the input before, whose ring was stopped; a byte
 * that was written only where that one had a buffer. */
static bool run_confirm(struct attack_run *run, enum attack_verdict *v, bool *ret_again,
			GError **err)
{
	bool late = *v > ATTACK_LATE && (*v != ATTACK_WROTE || run->rings->late);

	*ret_again = false;
	if (*v == ATTACK_DEAF)
		return back_end_restart(run->back_end, err);
	if (*v < ATTACK_FIRST_FAULT || run->over)
		return true;
	if (!run_repeats(run, *v, ret_again, err))
		return false;
	if (!*ret_again && late)
		*v = ATTACK_LATE;
	return true;
}

static char *run_save(const struct attack_run *run, const struct attack_finding *f, GError **err)
{
	g_autofree char *path = g_strdup_printf("%s/%s-%" G_GUINT64_FORMAT, run->plan->save,
						attack_verdict_name(f->verdict), f->number);
	FILE *out = attack_file_open("--save", path, err);

	if (!out)
		return NULL;
	attack_write_text(out, &run->input);
	fprintf(out, "# %s: %s\n", attack_verdict_name(f->verdict), f->told);
	if (!attack_file_close(out, "--save", path, err))
		return NULL;
	return g_steal_pointer(&path);
}

static bool run_find(struct attack_run *run, enum attack_verdict v, bool again, GError **err)
{
	struct attack_finding f = { .verdict = v, .number = run->input.number };

	g_strlcpy(f.told, run->rings->told, sizeof(f.told));
	if (run->plan->minimise && again && run->count[v] <= ATTACK_MINIMISED &&
	    !attack_minimise(run, v, err))
		return false;
	if (run->plan->save && !(f.file = run_save(run, &f, err)))
		return false;
	g_array_append_val(run->findings, f);
	return true;
}

static bool run_note(struct attack_run *run, enum attack_verdict v, GError **err)
{
	g_autoptr(GError) over = NULL;
	bool again;

	run->done++;
	if (!run_confirm(run, &v, &again, &over)) {
		run->over = g_strdup(over->message);
		again = false;
	}
	if (run->count[v]++ >= ATTACK_KEPT || v < ATTACK_FIRST_FAULT)
		return true;
	return run_find(run, v, again, err);
}

uint64_t attack_faults(const struct attack_run *run)
{
	uint64_t n = 0;

	for (unsigned v = ATTACK_FIRST_FAULT; v < ATTACK_N_VERDICTS; v++)
		n += run->count[v];
	return n;
}

void attack_run_free(struct attack_run *run)
{
	for (guint i = 0; run->findings && i < run->findings->len; i++)
		g_free(g_array_index(run->findings, struct attack_finding, i).file);
	if (run->findings)
		g_array_unref(run->findings);
	run->findings = NULL;
	attack_files_close(&run->files);
	g_clear_pointer(&run->over, g_free);
}

/*
 * All of it.
 */
static void run_show(struct attack_run *run)
{
	const struct attack_plan *plan = run->plan;
	double done = (double)run->done / (double)plan->inputs;

	if (run->done % 256)
		return;
	run->seconds = progress_seconds(&run->progress);
	if (plan->seconds > 0)
		done = MAX(done, run->seconds / plan->seconds);
	progress_show(&run->progress, done,
		      "%" G_GUINT64_FORMAT " inputs, %" G_GUINT64_FORMAT " findings", run->done,
		      attack_faults(run));
}

static bool run_goes_on(const struct attack_run *run)
{
	const struct attack_plan *plan = run->plan;

	return run->done < plan->inputs && attack_faults(run) < plan->enough && !run->over &&
	       (plan->seconds <= 0 || progress_seconds(&run->progress) < plan->seconds);
}

static void run_choose(struct attack_run *run)
{
	const struct attack_plan *plan = run->plan;

	if (plan->replay)
		run->input = *plan->replay;
	else
		attack_make(&run->input, &run->source, plan->from + run->done);
}

/* An input, and now and then whether the device is there still. */
static bool run_attack(struct attack_run *run, enum attack_verdict *ret, GError **err)
{
	if (!attack_play(run, ret, err))
		return false;
	run->answered += *ret == ATTACK_FINE && !run->input.n_messages && run_answered(run);
	if (*ret != ATTACK_FINE || !run->probes || (run->done + 1) % PROBE_EVERY)
		return true;
	return run_probe(run, run->back_end->patience_ms * 1000ull, ret, err);
}

/* False with an error: nothing is known of this input. */
static bool run_one(struct attack_run *run, GError **err)
{
	enum attack_verdict v;
	g_autoptr(GError) over = NULL;

	run_choose(run);
	if (!run_attack(run, &v, &over) && v == ATTACK_FINE) {
		g_propagate_error(err, g_steal_pointer(&over));
		return false;
	}
	if (over) /* but it was the last one */
		run->over = g_strdup(over->message);
	return run_note(run, v, err);
}

/* Whether sound requests are served by this device, which nobody has attacked yet; and whether they
 * are when rings are set up again with few words. */
static bool run_try_probes(struct attack_run *run, GError **err)
{
	enum attack_verdict v = ATTACK_FINE;

	for (int brief = 1; brief >= 0 && run->source.kind->probe && !run->probes; brief--) {
		run->back_end->brief = brief;
		for (unsigned i = 0; i < TRIES && v == ATTACK_FINE; i++)
			if (!run_probe(run, FIRST_PROBE_US, &v, err))
				return false;
		run->probes = v == ATTACK_FINE;
		v = ATTACK_FINE;
	}
	return true;
}

static bool run_begin(struct attack_run *run, GError **err)
{
	uint64_t offered;

	if (!back_end_offered(run->back_end, &offered, err))
		return false;
	run->source = run->plan->source;
	run->source.offered = offered & ~run->plan->forbidden;
	if (run->source.required & ~offered)
		return ringside_usage(err, "--ring packed: the back-end does not offer them");
	run_choose(run);
	return run_connect(run, &run->input, err) && run_try_probes(run, err);
}

bool attack_run(struct attack_run *run, GError **err)
{
	run->findings = g_array_new(FALSE, FALSE, sizeof(struct attack_finding));
	run->rings->peer = &run->back_end->peer;
	attack_files_init(&run->files);
	if (!attack_files_open(&run->files, err) || !run_begin(run, err))
		return false;
	while (run_goes_on(run)) {
		if (!run_one(run, err))
			return false;
		run_show(run);
	}
	run->seconds = progress_seconds(&run->progress);
	return true;
}
