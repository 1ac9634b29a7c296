/*
 * From power-on to the guest's first instruction. Runs once for each start of the guest.
 */
#include <errno.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/kvm/arch.h"
#include "vmm/machine/machine-int.h"

/* As Linux's virtio_mmio takes them (Documentation/admin-guide/kernel-parameters.txt). */
static char *with_mmio_devices(const char *cmdline, const struct transport_place *places, guint n)
{
	GString *all = g_string_new(cmdline);

	for (guint i = 0; i < n; i++)
		if (places[i].has_page)
			g_string_append_printf(all,
					       " virtio_mmio.device=4K@%#" G_GINT64_MODIFIER "x:%u",
					       places[i].page.base, places[i].page.gsi);
	return g_string_free(all, FALSE);
}

bool machine_load(struct machine *m, GError **err)
{
	g_autofree char *cmdline = NULL;
	g_autofree struct transport_place *places = g_new0(struct transport_place,
							   m->devices->len + CHECK_PAGES);
	struct arch_load load = {
		.mem = &m->ram.memory.mem,
		.mem_size = m->ram.size,
		.cpus = m->cpus,
		.platform = m->platform,
		.n_cpus = m->cfg->cpus,
		.pc = &m->cfg->pc,
		.serial = m->serial != NULL,
		.pci = m->pci != NULL,
		.places = places,
		.firmware = m->firmware.image,
		.firmware_size = m->firmware.size,
		.files = &m->files,
		.protocol = m->cfg->protocol,
		.cmdline = m->cfg->append,
		.used = m->loaded,
	};

	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		d->transport->place(d->handle, &places[i]);
	}
	load.n_places = m->devices->len;
	for (unsigned n = 0; n < CHECK_PAGES && m->bait[n]; n++)
		places[load.n_places++] = (struct transport_place){ .has_page = true,
								    .page = m->bait_page[n] };
	if (m->cfg->mmio_cmdline) {
		cmdline = with_mmio_devices(m->cfg->append, places, load.n_places);
		load.cmdline = cmdline;
	}
	m->loaded = true;
	return arch_load(&load, err);
}

/*
 * Power-on is the state of a machine that was just made, so one is made and copied. That costs a
 * few milliseconds at a reset and nothing at all before the first.
 */
bool machine_power_on(struct machine *m, GError **err)
{
	struct kvm fresh = m->kvm; /* another machine of the same /dev/kvm */
	struct vcpus_config cfg = {
		.kvm = &fresh,
		.bus = m->bus,
		.mem = &m->ram.memory.mem,
		.n = m->cfg->cpus,
		.model = m->model,
	};
	struct vcpus *cpus = NULL;
	int ret = -EIO;

	fresh.vm = -1;
	if (kvm_create_machine(&fresh, err))
		cpus = vcpus_new(&cfg, err);
	if (cpus) {
		ret = kvm_copy_irqchips(&m->kvm, &fresh);
		if (ret == 0)
			ret = vcpus_copy_state(m->cpus, cpus);
		if (ret < 0)
			ringside_error_errno(err, -ret, "/dev/kvm: resetting the machine");
	}
	vcpus_free(cpus);
	if (fresh.vm >= 0)
		close(fresh.vm);
	return ret == 0;
}
