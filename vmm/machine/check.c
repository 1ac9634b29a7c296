/*
 * --check: what a driver broke is told on the main thread, once for each device and rule, and ends
 * the run with --check=fatal.
 *
 * The checker finds it on any thread, and its device may be gone when the main thread comes to it,
 * so what it says is copied.
 */
#include "vmm/machine/machine-int.h"

static void violation_free(void *p)
{
	struct check_violation *v = p;

	g_free((char *)v->device);
	g_free((char *)v->seen);
	g_free(v);
}

static struct check_violation *violation_take(struct machine *m)
{
	struct check_violation *v;

	pthread_mutex_lock(&m->lock);
	v = g_queue_pop_head(&m->violations);
	pthread_mutex_unlock(&m->lock);
	return v;
}

static void tell_violations(void *opaque)
{
	struct machine *m = opaque;
	struct check_violation *v;

	while ((v = violation_take(m))) {
		if (m->violation_fn)
			m->violation_fn(v, m->violation_opaque);
		if (m->cfg->check.fatal && !v->advice)
			machine_finish(m, MACHINE_VIOLATION,
				       g_strdup("the guest's driver broke a rule"));
		violation_free(v);
	}
}

static void on_violation(const struct check_violation *found, void *opaque)
{
	struct check_violation *v = g_memdup2(found, sizeof(*found));
	struct machine *m = opaque;

	v->device = g_strdup(found->device);
	v->seen = g_strdup(found->seen);
	pthread_mutex_lock(&m->lock);
	g_queue_push_tail(&m->violations, v);
	pthread_mutex_unlock(&m->lock);
	loop_post(m->main, tell_violations, m);
}

bool machine_open_checker(struct machine *m, GError **err)
{
	if (!m->cfg->check.on)
		return true;
	m->checker = checker_new(&m->cfg->check, err);
	if (m->checker)
		checker_on_first(m->checker, on_violation, m);
	return m->checker;
}

struct checker *machine_checker(struct machine *m)
{
	return m->checker;
}

void machine_observe_violations(struct machine *m, machine_violation_fn fn, void *opaque)
{
	m->violation_fn = fn;
	m->violation_opaque = opaque;
}

void machine_forget_violations(struct machine *m)
{
	g_queue_clear_full(&m->violations, violation_free);
}
