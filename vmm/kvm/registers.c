#include "vmm/kvm/registers.h"

#include "vmm/kvm/vcpu-int.h"

#define COLUMNS 4u /* registers in a line */

int vcpus_registers(struct vcpus *all, unsigned cpu, struct vcpu_registers *ret)
{
	return vcpu_get_registers(all->vcpu[cpu].fd, all->mem, ret);
}

char *vcpu_registers_text(unsigned cpu, const struct vcpu_registers *r, const char *where)
{
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "vCPU %u: %s at %016" G_GINT64_MODIFIER "x%s%s\n", cpu,
			       r->off      ? "off"
			       : r->halted ? "halted"
					   : "running",
			       r->pc, where ? " " : "", where ? where : "");
	for (unsigned i = 0; i < r->n; i++)
		g_string_append_printf(out, "%8s %0*" G_GINT64_MODIFIER "x%*s%s", r->reg[i].name,
				       (int)r->reg[i].bits / 4, r->reg[i].value,
				       16 - (int)r->reg[i].bits / 4, "",
				       i % COLUMNS == COLUMNS - 1 || i == r->n - 1 ? "\n" : "");
	g_string_append(out, r->n_code ? "    code" : "    code is not in memory");
	for (unsigned i = 0; i < r->n_code; i++)
		g_string_append_printf(out, " %02x", r->code[i]);
	g_string_append_c(out, '\n');
	return g_string_free(out, FALSE);
}
