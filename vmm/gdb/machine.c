#include "vmm/gdb/machine.h"

#include <linux/kvm.h>
#include <string.h>

#include "vmm/gdb/arch.h"
#include "vmm/gdb/breaks.h"
#include "vmm/gdb/gdb.h"
#include "vmm/kvm/sys.h"

#define PAGE 4096u

struct gdb_machine {
	struct machine *m;
	struct gdb *gdb;
	struct gdb_breaks breaks;
};

static int gdb_vcpu_fd(const struct gdb_machine *gm, unsigned cpu)
{
	return vcpus_fd(machine_vcpus(gm->m), cpu);
}

/*
 * Stopping and going on.
 */
static unsigned gdb_cpus(void *opaque)
{
	const struct gdb_machine *gm = opaque;

	return machine_cpus(gm->m);
}

static bool gdb_is_stopped(void *opaque)
{
	const struct gdb_machine *gm = opaque;

	return machine_status(gm->m) == MACHINE_STATUS_PAUSED;
}

static bool gdb_stopped_at(struct vcpu_stop *ret, void *opaque)
{
	const struct gdb_machine *gm = opaque;

	return machine_stopped_at(gm->m, ret);
}

static void gdb_stop(void *opaque)
{
	const struct gdb_machine *gm = opaque;

	machine_stop(gm->m);
}

static bool gdb_resume(const enum vcpu_run *how, void *opaque)
{
	const struct gdb_machine *gm = opaque;
	struct vcpus *cpus = machine_vcpus(gm->m);

	for (unsigned i = 0; i < machine_cpus(gm->m); i++)
		if (vcpus_set_run(cpus, i, how[i]) < 0)
			return false;
	machine_cont(gm->m);
	return true;
}

/*
 * Registers and memory.
 */
static bool gdb_read_regs(unsigned cpu, uint8_t *regs, void *opaque)
{
	return gdb_regs_read(gdb_vcpu_fd(opaque, cpu), regs) == 0;
}

static bool gdb_write_regs(unsigned cpu, const uint8_t *regs, void *opaque)
{
	return gdb_regs_write(gdb_vcpu_fd(opaque, cpu), regs) == 0;
}

static bool gdb_translate(const struct gdb_machine *gm, unsigned cpu, uint64_t addr,
			  uint64_t *ret_gpa)
{
	struct kvm_translation tr = { .linear_address = addr };

	if (kvm_ioctl(gdb_vcpu_fd(gm, cpu), KVM_TRANSLATE, &tr) < 0 || !tr.valid)
		return false;
	*ret_gpa = tr.physical_address;
	return gmem_has(machine_memory(gm->m), *ret_gpa, 1);
}

/* Copies page by page: reads into @dst, or writes from @src. */
static bool gdb_copy(const struct gdb_machine *gm, unsigned cpu, uint64_t addr, uint8_t *dst,
		     const uint8_t *src, size_t len)
{
	const struct gmem *mem = machine_memory(gm->m);

	while (len) {
		size_t n = MIN(len, PAGE - addr % PAGE);
		uint64_t gpa;

		if (!gdb_translate(gm, cpu, addr, &gpa) ||
		    !(dst ? gmem_read(mem, gpa, dst, n) : gmem_write(mem, gpa, src, n)))
			return false;
		addr += n;
		len -= n;
		if (dst)
			dst += n;
		else
			src += n;
	}
	return true;
}

static bool gdb_read_memory(unsigned cpu, uint64_t addr, void *dst, size_t len, void *opaque)
{
	return gdb_copy(opaque, cpu, addr, dst, NULL, len);
}

static bool gdb_write_memory(unsigned cpu, uint64_t addr, const void *src, size_t len, void *opaque)
{
	return gdb_copy(opaque, cpu, addr, NULL, src, len);
}

/*
 * Breakpoints.
 */
static bool breaks_apply(struct gdb_machine *gm)
{
	return vcpus_debug(machine_vcpus(gm->m), &gm->breaks.debug) == 0;
}

static bool gdb_insert(unsigned cpu, const struct vcpu_hw_break *b, void *opaque)
{
	struct gdb_machine *gm = opaque;
	uint64_t gpa;
	bool mapped = gdb_translate(gm, cpu, b->addr, &gpa);

	return gdb_breaks_add(&gm->breaks, b, machine_memory(gm->m), mapped ? &gpa : NULL) &&
	       breaks_apply(gm);
}

static bool gdb_remove(const struct vcpu_hw_break *b, void *opaque)
{
	struct gdb_machine *gm = opaque;

	return gdb_breaks_del(&gm->breaks, b, machine_memory(gm->m)) && breaks_apply(gm);
}

static void gdb_remove_all(void *opaque)
{
	struct gdb_machine *gm = opaque;

	gdb_breaks_del_all(&gm->breaks, machine_memory(gm->m));
	(void)breaks_apply(gm);
}

static char *gdb_describe(unsigned cpu, void *opaque)
{
	struct kvm_mp_state mp;

	if (kvm_ioctl(gdb_vcpu_fd(opaque, cpu), KVM_GET_MP_STATE, &mp) < 0)
		return g_strdup_printf("vCPU %u", cpu);
	return g_strdup_printf("vCPU %u: %s", cpu,
			       mp.mp_state == KVM_MP_STATE_RUNNABLE ? "running"
			       : mp.mp_state == KVM_MP_STATE_HALTED ? "halted"
								    : "not started");
}

/*
 * The operator's words.
 */
static void gdb_reset(void *opaque)
{
	machine_reset(((struct gdb_machine *)opaque)->m);
}

static void gdb_powerdown(void *opaque)
{
	machine_powerdown(((struct gdb_machine *)opaque)->m);
}

static void gdb_quit(void *opaque)
{
	machine_quit(((struct gdb_machine *)opaque)->m);
}

static const struct gdb_ops ops = {
	.cpus = gdb_cpus,
	.stopped = gdb_is_stopped,
	.stopped_at = gdb_stopped_at,
	.stop = gdb_stop,
	.resume = gdb_resume,
	.read_regs = gdb_read_regs,
	.write_regs = gdb_write_regs,
	.read_memory = gdb_read_memory,
	.write_memory = gdb_write_memory,
	.insert = gdb_insert,
	.remove = gdb_remove,
	.remove_all = gdb_remove_all,
	.describe = gdb_describe,
	.reset = gdb_reset,
	.powerdown = gdb_powerdown,
	.quit = gdb_quit,
};

static void on_event(const char *event, bool guest, void *opaque)
{
	struct gdb_machine *gm = opaque;

	(void)guest;
	if (strcmp(event, "STOP") == 0)
		gdb_stopped(gm->gdb);
	else if (strcmp(event, "RESET") == 0)
		gdb_breaks_reloaded(&gm->breaks, machine_memory(gm->m));
	else if (strcmp(event, "SHUTDOWN") == 0)
		gdb_ended(gm->gdb);
}

struct gdb_machine *gdb_machine_new(const char *spec, struct machine *m, GError **err)
{
	struct gdb_machine *gm = g_new0(struct gdb_machine, 1);

	gm->m = m;
	gdb_breaks_init(&gm->breaks);
	gm->gdb = gdb_new(spec, &ops, gm, err);
	if (!gm->gdb) {
		gdb_breaks_free(&gm->breaks);
		g_free(gm);
		return NULL;
	}
	machine_observe(m, on_event, gm);
	return gm;
}

void gdb_machine_free(struct gdb_machine *gm)
{
	if (!gm)
		return;
	machine_unobserve(gm->m, on_event, gm);
	gdb_free(gm->gdb);
	gdb_breaks_free(&gm->breaks);
	g_free(gm);
}
