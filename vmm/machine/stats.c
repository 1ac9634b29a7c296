/*
 * What --stats prints: one row for each vCPU, one for each queue, one for each device, words
 * separated by blanks and the first word the row's name, so that awk and a person both can read it.
 *
 * What queues do their owners count, always (struct vq_stats). What only --stats wants to know an
 * observer counts, that is there for it.
 */
#include <string.h>

#include "devices/core/observe.h"
#include "vmm/kvm/stats.h"
#include "vmm/machine/machine-int.h"

void machine_cpu_stats(struct machine *m, unsigned cpu, struct machine_cpu_stats *ret)
{
	uint64_t count[N_VCPU_EXITS];
	struct kvm_stats kvm = { 0 };

	G_STATIC_ASSERT(N_VCPU_EXITS <= G_N_ELEMENTS(ret->count));
	*ret = (struct machine_cpu_stats){ .n = N_VCPU_EXITS };
	vcpus_exits(m->cpus, cpu, count);
	for (unsigned i = 0; i < N_VCPU_EXITS; i++) {
		ret->reason[i] = vcpu_exit_name((enum vcpu_exit)i);
		ret->count[i] = count[i];
		ret->to_process += count[i];
	}
	ret->kvm_known = kvm_stats_read(vcpus_stats_fd(m->cpus, cpu), &kvm);
	ret->all = kvm.exits;
	ret->halts = kvm.halts;
	ret->irq_injections = kvm.irq_injections;
}

/* Returns how many of its exits came to this process. */
static uint64_t print_cpu(struct machine *m, unsigned cpu, FILE *to)
{
	struct machine_cpu_stats s;

	machine_cpu_stats(m, cpu, &s);
	fprintf(to, "vcpu%-4u %12" G_GUINT64_FORMAT, cpu, s.to_process);
	if (s.kvm_known)
		fprintf(to, " %12" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT,
			s.all, s.halts, s.irq_injections);
	else
		fprintf(to, " %12s %10s %10s", "-", "-", "-");
	for (unsigned i = 0; i < s.n; i++)
		if (s.count[i])
			fprintf(to, " %s=%" G_GUINT64_FORMAT, s.reason[i], s.count[i]);
	fputc('\n', to);
	return s.to_process;
}

/* The owner counts on; a little lag is fine. */
static uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void print_queues(struct vdev *dev, const char *transport, void *opaque)
{
	FILE *to = opaque;

	for (unsigned q = 0; q < dev->n_queues; q++) {
		const struct vq_stats *s = vq_stats(dev->queue[q].vq);
		g_autofree char *name = g_strdup_printf("%s/%u", dev->id, q);

		if (!counter_read(&s->kicks) && !counter_read(&s->chains))
			continue;
		fprintf(to,
			"%-12s %-4s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT
			" %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT
			" %14" G_GUINT64_FORMAT " %6" G_GUINT64_FORMAT "\n",
			name, transport, counter_read(&s->kicks), counter_read(&s->interrupts),
			counter_read(&s->suppressed), counter_read(&s->chains),
			counter_read(&s->bytes_read), counter_read(&s->bytes_written),
			counter_read(&s->faults));
	}
}

/*
 * Devices.
 */

/* Counted by vCPUs, two at a time maybe, and by owners. */
struct device_stats {
	struct vdev_observer base;
	_Atomic uint64_t reads, writes; /* of registers, that trapped */
	_Atomic uint64_t resets, config_interrupts, rules;
};

static void count_access(struct vdev_observer *o, struct vdev *dev, const struct vdev_access *a)
{
	struct device_stats *s = (struct device_stats *)o;

	(void)dev;
	atomic_fetch_add_explicit(a->write ? &s->writes : &s->reads, 1, memory_order_relaxed);
}

static void count_status(struct vdev_observer *o, struct vdev *dev, uint32_t before, uint32_t after)
{
	struct device_stats *s = (struct device_stats *)o;

	(void)dev;
	atomic_fetch_add_explicit(&s->resets, before && !after, memory_order_relaxed);
}

static void count_rule(struct vdev_observer *o, struct vdev *dev, enum vdev_rule rule,
		       const char *where)
{
	struct device_stats *s = (struct device_stats *)o;

	(void)dev, (void)rule, (void)where;
	atomic_fetch_add_explicit(&s->rules, 1, memory_order_relaxed);
}

static void count_config_interrupt(struct vdev_observer *o, struct vdev *dev)
{
	struct device_stats *s = (struct device_stats *)o;

	(void)dev;
	atomic_fetch_add_explicit(&s->config_interrupts, 1, memory_order_relaxed);
}

static const struct vdev_observer_ops device_stats_ops = {
	.access = count_access,
	.status = count_status,
	.rule = count_rule,
	.config_interrupt = count_config_interrupt,
};

void machine_stats_begin(struct device *d)
{
	d->stats = g_new0(struct device_stats, 1);
	d->stats->base.ops = &device_stats_ops;
	vdev_observe(d->dev, &d->stats->base);
}

/* What a driver finds the device on (docs/legacy.md). */
static char *print_transport(const struct device *d)
{
	bool both = d->dev->opt_legacy == VDEV_LEGACY_ON && strcmp(d->transport->name, "pci") == 0;

	if (d->dev->opt_legacy == VDEV_LEGACY_OFF)
		return g_strdup(d->transport->name);
	return g_strdup_printf("%s-%s", d->transport->name, both ? "transitional" : "legacy");
}

static void print_device(const struct device *d, FILE *to)
{
	const struct device_stats *s = d->stats;
	g_autofree char *transport = print_transport(d);

	fprintf(to,
		"%-12s %-4s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT
		" %10" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT "\n",
		d->dev->id, transport, s->reads, s->writes, s->resets, s->config_interrupts,
		s->rules);
}

/* Threads that may look again before they sleep (devices/base/poller.h). */
static void print_polling(struct machine *m, FILE *to)
{
	bool headed = false;

	for (guint i = 0; i < m->iothreads->len; i++) {
		const struct iothread *t = g_ptr_array_index(m->iothreads, i);
		struct poller p = loop_poll_stats(t->loop);

		if (!t->name || t->private || !p.max_ns)
			continue;
		if (!headed)
			fprintf(to, "%-12s %10s %10s %10s %10s\n", "# iothread", "found", "slept",
				"looked-ms", "window-us");
		headed = true;
		fprintf(to,
			"%-12s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT
			" %10" G_GUINT64_FORMAT "\n",
			t->name, p.found, p.slept, p.looked_ns / 1000000, p.window_ns / 1000);
	}
}

void machine_stats_print(struct machine *m, FILE *to)
{
	uint64_t to_process = 0;

	fprintf(to, "%-8s %12s %12s %10s %10s %s\n", "# vcpu", "to-process", "exits-in-all",
		"halts", "irqs", "to the process, by reason");
	for (unsigned i = 0; i < m->cfg->cpus; i++)
		to_process += print_cpu(m, i, to);
	fprintf(to, "exits to the process in all: %" G_GUINT64_FORMAT "\n", to_process);
	machine_print_unanswered(m, to);
	if (!m->devices->len)
		return;
	fprintf(to, "%-12s %-4s %10s %10s %10s %10s %14s %14s %6s\n", "# queue", "on", "kicks",
		"interrupts", "suppressed", "chains", "bytes-read", "bytes-written", "faults");
	machine_for_each_device(m, print_queues, to);
	if (!m->cfg->stats)
		return;
	fprintf(to, "%-12s %-4s %10s %10s %10s %10s %12s\n", "# device", "on", "reads", "writes",
		"resets", "config-irqs", "rules-broken");
	for (guint i = 0; i < m->devices->len; i++)
		print_device(g_ptr_array_index(m->devices, i), to);
	print_polling(m, to);
}
