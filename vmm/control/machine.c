#include "vmm/control/machine.h"

#include "vmm/kvm/registers.h"

static const char *control_status(void *opaque)
{
	static const char *const names[] = {
		[MACHINE_STATUS_RUNNING] = "running",
		[MACHINE_STATUS_PAUSED] = "paused",
		[MACHINE_STATUS_IO_ERROR] = "io-error",
		[MACHINE_STATUS_SHUTDOWN] = "shutdown",
	};

	return names[machine_status(opaque)];
}

static const char *control_name(void *opaque)
{
	return machine_name(opaque);
}

static void control_quit(void *opaque)
{
	machine_quit(opaque);
}

static void control_powerdown(void *opaque)
{
	machine_powerdown(opaque);
}

static void control_reset(void *opaque)
{
	machine_reset(opaque);
}

static void control_stop(void *opaque)
{
	machine_stop(opaque);
}

static void control_cont(void *opaque)
{
	machine_cont(opaque);
}

static int control_while_paused(void *opaque, void (*fn)(void *arg), void *arg)
{
	return machine_while_paused(opaque, fn, arg);
}

static bool control_send_break(void *opaque)
{
	return machine_send_break(opaque);
}

static void for_each_device(void *opaque, control_device_fn fn, void *arg)
{
	machine_for_each_device(opaque, fn, arg);
}

static void for_each_stat(void *opaque, control_stat_fn fn, void *arg)
{
	struct machine *m = opaque;

	for (unsigned cpu = 0; cpu < machine_cpus(m); cpu++) {
		g_autofree char *object = g_strdup_printf("vcpu%u", cpu);
		struct machine_cpu_stats s;

		machine_cpu_stats(m, cpu, &s);
		for (unsigned i = 0; i < s.n; i++) {
			g_autofree char *name = g_strdup_printf("exits-%s", s.reason[i]);

			fn(object, name, s.count[i], arg);
		}
		fn(object, "exits-to-process", s.to_process, arg);
		if (!s.kvm_known)
			continue;
		fn(object, "exits", s.all, arg);
		fn(object, "halts", s.halts, arg);
		fn(object, "irq-injections", s.irq_injections, arg);
	}
}

static bool for_each_finding(void *opaque, check_finding_fn fn, void *arg)
{
	struct checker *c = machine_checker(opaque);

	if (c)
		checker_for_each(c, fn, arg);
	return c;
}

static void for_each_unanswered(void *opaque, control_unanswered_fn fn, void *arg)
{
	machine_for_each_unanswered(opaque, fn, arg);
}

static int for_each_latency(void *opaque, control_latency_fn fn, void *arg)
{
	return machine_for_each_latency(opaque, fn, arg);
}

static int for_each_vcpu(void *opaque, control_registers_fn fn, void *arg)
{
	for (unsigned cpu = 0; cpu < machine_cpus(opaque); cpu++) {
		g_autofree char *where = NULL;
		struct vcpu_registers r;
		int ret = machine_registers(opaque, cpu, &r, &where);

		if (ret < 0)
			return ret;
		fn(cpu, &r, where, arg);
	}
	return 0;
}

static unsigned control_n_vcpus(void *opaque)
{
	return machine_cpus(opaque);
}

static gint64 control_vcpu_thread(void *opaque, unsigned cpu)
{
	return machine_cpu_thread(opaque, cpu);
}

static const struct control_ops ops = {
	.status = control_status,
	.name = control_name,
	.quit = control_quit,
	.powerdown = control_powerdown,
	.reset = control_reset,
	.stop = control_stop,
	.cont = control_cont,
	.while_paused = control_while_paused,
	.send_break = control_send_break,
	.for_each_device = for_each_device,
	.for_each_stat = for_each_stat,
	.for_each_latency = for_each_latency,
	.for_each_vcpu = for_each_vcpu,
	.n_vcpus = control_n_vcpus,
	.vcpu_thread = control_vcpu_thread,
	.for_each_unanswered = for_each_unanswered,
	.for_each_finding = for_each_finding,
};

struct control *control_machine_new(const char *spec, struct machine *m, GError **err)
{
	struct control *ctl = control_new(spec, &ops, m, err);

	if (!ctl)
		return NULL;
	machine_observe(m, control_event, ctl);
	machine_observe_io_errors(m, control_io_error, ctl);
	machine_observe_violations(m, control_violation, ctl);
	return ctl;
}

void control_machine_free(struct control *ctl, struct machine *m)
{
	if (!ctl)
		return;
	machine_unobserve(m, control_event, ctl);
	machine_observe_io_errors(m, NULL, NULL);
	machine_observe_violations(m, NULL, NULL);
	control_free(ctl);
}
