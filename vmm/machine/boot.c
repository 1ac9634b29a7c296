/*
 * From power-on to the guest's first instruction: the tables that describe this machine, the
 * kernel, and the first vCPU's registers. Runs once for each start of the guest.
 */
#include <errno.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/acpi/acpi.h"
#include "vmm/machine/machine-int.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"

/* Where the guest finds its devices: register pages in @mmio, slots of PCI. */
static void list_places(struct machine *m, struct acpi_mmio *mmio, struct acpi_params *p)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);
		struct transport_place place;

		d->transport->place(d->handle, &place);
		if (place.has_page)
			mmio[p->n_mmio++] = (struct acpi_mmio){ .base = (uint32_t)place.page.base,
								.len = LAYOUT_MMIO_STRIDE,
								.gsi = place.page.gsi };
		if (place.pci_slot)
			p->pci_slots |= 1u << place.pci_slot;
	}
}

static uint64_t build_tables(struct machine *m, GError **err)
{
	struct acpi_mmio mmio[LAYOUT_MMIO_MAX];
	struct acpi_params p = {
		.n_cpus = m->cfg->cpus,
		.serial = m->serial != NULL,
		.pci = m->pci != NULL,
		.mem_size = m->ram.size,
		.mmio = mmio,
	};

	list_places(m, mmio, &p);
	return acpi_build(&p, &m->ram.mem, err);
}

/*
 * The place where a processor starts after reset holds firmware on a PC. Ours asks for a reset: a
 * kernel that finds hardware-reduced ACPI and no EFI ends up jumping there to reboot (Linux does:
 * it prefers EFI's reset then, and the BIOS when there is none).
 */
static bool write_reset_vector(struct machine *m, GError **err)
{
	enum { PORT = LAYOUT_PM_PORT + PM_RESET };
	/* clang-format off */
	static const uint8_t code[] = {
		0xb0, PM_RESET_VALUE,		/* mov al, PM_RESET_VALUE */
		0xba, PORT & 0xff, PORT >> 8,	/* mov dx, PORT */
		0xee,				/* out dx, al */
		0xf4, 0xeb, 0xfd,		/* hlt, again and again */
	};
	/* clang-format on */

	return gmem_write(&m->ram.mem, LAYOUT_RESET_VECTOR, code, sizeof(code)) ||
	       ringside_usage(err, "--memory: too small; it takes 2M or more");
}

bool machine_load(struct machine *m, GError **err)
{
	static const struct boot_range ecam = { LAYOUT_ECAM, LAYOUT_ECAM_LEN };
	struct boot_params p = {
		.files = &m->files,
		.kernel = m->cfg->kernel,
		.initrd = m->cfg->initrd,
		.cmdline = m->cfg->append,
		.mem_size = m->ram.size,
		.rsdp = build_tables(m, err),
		.reserved = &ecam,
		.n_reserved = m->pci ? 1 : 0,
		.used = m->loaded,
	};
	struct boot_entry entry;
	int ret;

	if (!p.rsdp || !write_reset_vector(m, err))
		return false;
	m->loaded = true;
	if (!boot_load(&p, &m->ram.mem, &entry, err))
		return false;
	ret = vcpus_enter(m->cpus, &entry);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: registers of the first vCPU");
	return true;
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
		.mem = &m->ram.mem,
		.n = m->cfg->cpus,
		.model = &m->model,
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
