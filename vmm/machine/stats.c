/*
 * What --stats prints: one row for each vCPU, one for each queue, words separated by blanks and the
 * first word the row's name, so that awk and a person both can read it.
 */
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
static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void print_queues(struct vdev *dev, const char *transport, void *opaque)
{
	FILE *to = opaque;

	for (unsigned q = 0; q < dev->n_queues; q++) {
		const struct vq_stats *s = vq_stats(dev->queue[q].vq);
		g_autofree char *name = g_strdup_printf("%s/%u", dev->id, q);

		if (!look(&s->kicks) && !look(&s->chains))
			continue;
		fprintf(to,
			"%-12s %-4s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT
			" %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT
			" %14" G_GUINT64_FORMAT " %6" G_GUINT64_FORMAT "\n",
			name, transport, look(&s->kicks), look(&s->interrupts),
			look(&s->suppressed), look(&s->chains), look(&s->bytes_read),
			look(&s->bytes_written), look(&s->faults));
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
	if (!m->devices->len)
		return;
	fprintf(to, "%-12s %-4s %10s %10s %10s %10s %14s %14s %6s\n", "# queue", "on", "kicks",
		"interrupts", "suppressed", "chains", "bytes-read", "bytes-written", "faults");
	machine_for_each_device(m, print_queues, to);
}
