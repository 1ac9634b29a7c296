/*
 * On a PC the last 128 KiB of the flash memory are seen below 1 MiB, too, until the chipset puts
 * RAM there, into which the firmware copies itself. Here RAM is there from the start, and has the
 * copy: as much of the image's end as fits between 0xc0000 and 1 MiB, since SeaBIOS in its larger
 * form begins below 0xe0000. It can be written, and is made anew at each reset.
 *
 * SeaBIOS takes the machine for QEMU's by the host bridge's subsystem (1af4:1100) and asks fw_cfg
 * for the rest. It knows no chipset here, so it leaves interrupts, power management and RAM's
 * windows alone; ACPI and PCI interrupt lines are ours.
 */
#include "vmm/x86/firmware.h"

#include <string.h>

#include "devices/base/error.h"
#include "vmm/x86/layout.h"

enum { E820_RAM = 1, E820_RESERVED = 2 };

struct __attribute__((packed)) e820 {
	uint64_t base, len;
	uint32_t type;
};

static bool copy_image(const struct arch_load *p, GError **err)
{
	uint64_t len = MIN(p->firmware_size, LAYOUT_FIRMWARE_LOW);
	const uint8_t *end = (const uint8_t *)p->firmware + p->firmware_size;

	return gmem_write(p->mem, LAYOUT_KERNEL - len, end - len, len) ||
	       ringside_usage(err, "--memory: too small; it takes 2M or more");
}

static void add_word(struct fw_cfg *cfg, uint16_t key, unsigned value)
{
	const uint16_t word = GUINT16_TO_LE((uint16_t)value);

	fw_cfg_add(cfg, key, &word, sizeof(word));
}

/* RAM, and what is reserved beside the firmware's own. */
static void add_map(const struct arch_load *p, struct fw_cfg *cfg)
{
	const struct e820 map[] = {
		{ 0, layout_low_len(p->mem_size), E820_RAM },
		{ LAYOUT_ECAM, LAYOUT_ECAM_LEN, E820_RESERVED },
		{ LAYOUT_KVM_IDENTITY, LAYOUT_KVM_LEN, E820_RESERVED },
		{ LAYOUT_HIGH, layout_high_len(p->mem_size), E820_RAM },
	};
	size_t n = G_N_ELEMENTS(map) - (layout_high_len(p->mem_size) ? 0 : 1);

	fw_cfg_add_file(cfg, "etc/e820", map, n * sizeof(map[0]));
}

static void add_acpi(const struct acpi_params *params, struct fw_cfg *cfg)
{
	struct acpi_files files;

	acpi_build_files(params, &files);
	fw_cfg_add_file(cfg, ACPI_RSDP_FILE, files.rsdp->data, files.rsdp->len);
	fw_cfg_add_file(cfg, ACPI_TABLES_FILE, files.tables->data, files.tables->len);
	fw_cfg_add_file(cfg, ACPI_LOADER_FILE, files.loader->data, files.loader->len);
	g_byte_array_unref(files.rsdp);
	g_byte_array_unref(files.tables);
	g_byte_array_unref(files.loader);
}

bool firmware_load(const struct arch_load *p, const struct acpi_params *params, struct fw_cfg *cfg,
		   GError **err)
{
	static const char off[] = "off";
	const uint8_t irq0_override = p->pc->pit;

	fw_cfg_reset(cfg);
	add_word(cfg, FW_CFG_NOGRAPHIC, p->serial);
	add_word(cfg, FW_CFG_CPUS, p->n_cpus);
	add_word(cfg, FW_CFG_MAX_CPUS, p->n_cpus);
	fw_cfg_add(cfg, FW_CFG_IRQ0_OVERRIDE, &irq0_override, sizeof(irq0_override));
	add_map(p, cfg);
	add_acpi(params, cfg);
	/* BARs stay below 4 GiB, where the DSDT has a window for them, however large RAM is. */
	fw_cfg_add_file(cfg, "opt/org.seabios/pci64", off, strlen(off));
	return copy_image(p, err);
}
