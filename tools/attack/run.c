#include "tools/attack/run.h"

#include <sched.h>

/* Devices that look at their rings without being told have so long to see what is new. */
static void run_wait(struct attack_run *run)
{
	uint64_t until = peer_now_ns() + run->plan->wait_us * 1000ull;

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

/* One that a new connection is needed for first. */
static bool run_connect(struct attack_run *run, GError **err)
{
	struct attack_back_end *b = run->back_end;
	unsigned n_rings = run->input.kind->n_rings;

	if (b->connected && b->n_rings == n_rings && b->features == run->input.features)
		return true;
	return back_end_connect(b, run->input.features, n_rings, err);
}

static bool run_input(struct attack_run *run, enum attack_verdict *ret, GError **err)
{
	struct attack_back_end *b = run->back_end;

	if (!run_connect(run, err))
		return false;
	attack_place(run->rings, &run->input);
	if (!back_end_run(b))
		return run_lost(run, ret, err);
	run_wait(run);
	if (!back_end_halt(b))
		return run_lost(run, ret, err);
	run->answered += run_answered(run);
	*ret = attack_judge(run->rings);
	return true;
}

/*
 * Findings.
 */
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

static bool run_note(struct attack_run *run, enum attack_verdict v, GError **err)
{
	struct attack_finding f = { .verdict = v, .number = run->input.number };

	run->done++;
	if (run->count[v]++ >= ATTACK_KEPT || v < ATTACK_FIRST_FAULT)
		return true;
	g_strlcpy(f.told, run->rings->told, sizeof(f.told));
	if (run->plan->save && !(f.file = run_save(run, &f, err)))
		return false;
	g_array_append_val(run->findings, f);
	return true;
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

	return run->done < plan->inputs && attack_faults(run) < plan->enough &&
	       (plan->seconds <= 0 || progress_seconds(&run->progress) < plan->seconds);
}

static void run_choose(struct attack_run *run)
{
	const struct attack_plan *plan = run->plan;

	if (plan->replay)
		run->input = *plan->replay;
	else
		attack_make(&run->input, plan->kind, plan->seed, plan->from + run->done,
			    run->offered);
}

/* False with an error: nothing is known of this input. */
static bool run_one(struct attack_run *run, GError **err)
{
	enum attack_verdict v = ATTACK_FINE;
	g_autoptr(GError) over = NULL;

	run_choose(run);
	if (!run_input(run, &v, &over) && v == ATTACK_FINE) {
		g_propagate_error(err, g_steal_pointer(&over));
		return false;
	}
	if (over) /* but it was the last one */
		run->over = g_strdup(over->message);
	return run_note(run, v, err);
}

bool attack_run(struct attack_run *run, GError **err)
{
	run->findings = g_array_new(FALSE, FALSE, sizeof(struct attack_finding));
	run->rings->peer = &run->back_end->peer;
	if (!back_end_offered(run->back_end, &run->offered, err))
		return false;
	while (!run->over && run_goes_on(run)) {
		if (!run_one(run, err))
			return false;
		run_show(run);
	}
	run->seconds = progress_seconds(&run->progress);
	return true;
}
