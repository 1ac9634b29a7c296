/* vmm/machine/arch.h for x86-64: a PC without a PC's past. */
#include "vmm/machine/arch.h"

#include "devices/base/error.h"
#include "vmm/acpi/acpi.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/firmware.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/mptable.h"
#include "vmm/x86/platform.h"
#include "vmm/x86/pm.h"

unsigned arch_ram(uint64_t size, struct arch_range ret[ARCH_RAM_MAX])
{
	ret[0] = (struct arch_range){ 0, layout_low_len(size) };
	ret[1] = (struct arch_range){ LAYOUT_HIGH, layout_high_len(size) };
	return ret[1].len ? 2 : 1;
}

const uint64_t arch_firmware_max = LAYOUT_FIRMWARE_MAX;

uint64_t arch_firmware_place(uint64_t size)
{
	return size <= LAYOUT_FIRMWARE_MAX ? LAYOUT_FIRMWARE_END - size : 0;
}

const struct arch_places arch_places = {
	.serial_port = LAYOUT_SERIAL_PORT,
	.serial_gsi = LAYOUT_GSI_SERIAL,
	.pci_ecam = { LAYOUT_ECAM, LAYOUT_ECAM_LEN },
	.pci_mem = { LAYOUT_PCI32, LAYOUT_PCI32_LEN },
	.pci_io = { LAYOUT_PCI_IO, LAYOUT_PCI_IO_LEN },
	.n_mmio = LAYOUT_MMIO_MAX,
};

struct transport_page arch_mmio_page(unsigned n)
{
	return (struct transport_page){ .base = layout_mmio_region(n), .gsi = layout_mmio_gsi(n) };
}

struct cpu_model *arch_cpu_model(const char *text, GError **err)
{
	g_autofree struct cpu_model *model = g_new0(struct cpu_model, 1);

	return cpuid_parse_model(text, model, err) ? g_steal_pointer(&model) : NULL;
}

void arch_print_cpu_help(FILE *out)
{
	cpuid_print_help(out);
}

/*
 * Loading.
 */
static void describe(const struct arch_load *p, struct acpi_mmio mmio[LAYOUT_MMIO_MAX],
		     struct acpi_params *ret)
{
	*ret = (struct acpi_params){
		.n_cpus = p->n_cpus,
		.pit = p->pc->pit,
		.rtc = p->pc->rtc,
		.serial = p->serial,
		.pci = p->pci,
		.mem_size = p->mem_size,
		.firmware = p->firmware,
		.mmio = mmio,
	};

	for (unsigned i = 0; i < p->n_places; i++) {
		const struct transport_place *place = &p->places[i];

		if (place->has_page)
			mmio[ret->n_mmio++] =
				(struct acpi_mmio){ .base = (uint32_t)place->page.base,
						    .len = LAYOUT_MMIO_STRIDE,
						    .gsi = place->page.gsi };
		if (place->pci_slot)
			ret->pci_slots |= 1u << place->pci_slot;
	}
}

static uint64_t build_tables(const struct acpi_params *params, const struct gmem *mem, GError **err)
{
	if (!mptable_write(params, mem)) {
		ringside_usage(err, "--cpus %u: too many for the MP table", params->n_cpus);
		return 0;
	}
	return acpi_build(params, mem, err);
}

/*
 * The place where a processor starts after reset holds firmware on a PC. Ours asks for a reset: a
 * kernel that finds hardware-reduced ACPI and no EFI ends up jumping there to reboot (Linux does:
 * it prefers EFI's reset then, and the BIOS when there is none).
 */
static bool write_reset_vector(const struct gmem *mem, GError **err)
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

	return gmem_write(mem, LAYOUT_RESET_VECTOR, code, sizeof(code)) ||
	       ringside_usage(err, "--memory: too small; it takes 2M or more");
}

static bool load_kernel(const struct arch_load *p, const struct acpi_params *tables, GError **err)
{
	static const struct boot_range ecam = { LAYOUT_ECAM, LAYOUT_ECAM_LEN };
	struct boot_params params = {
		.files = p->files,
		.protocol = p->protocol,
		.cmdline = p->cmdline,
		.mem_size = p->mem_size,
		.rsdp = build_tables(tables, p->mem, err),
		.reserved = &ecam,
		.n_reserved = p->pci ? 1 : 0,
		.used = p->used,
	};
	struct boot_entry entry;
	const char *what;
	int ret;

	if (!params.rsdp || !write_reset_vector(p->mem, err) ||
	    !boot_load(&params, p->mem, &entry, err))
		return false;
	ret = vcpus_enter(p->cpus, &entry, &what);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: %s of vCPU 0", what);
	return true;
}

/* The vCPUs are after power-on as after a reset: they start in the firmware. */
bool arch_load(const struct arch_load *p, GError **err)
{
	struct acpi_mmio mmio[LAYOUT_MMIO_MAX];
	struct acpi_params tables;

	describe(p, mmio, &tables);
	if (p->firmware)
		return firmware_load(p, &tables, platform_fw_cfg(p->platform), err);
	return load_kernel(p, &tables, err);
}

const char *const *const arch_protocols = boot_protocols;

const char *arch_will_miss(const char *cmdline)
{
	return acpi_will_miss(cmdline);
}
