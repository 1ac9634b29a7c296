/*
 * ACPI tables: how the guest learns what the machine has. Built once, before the guest starts,
 * straight into its memory at LAYOUT_ACPI.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/gmem.h"

/* A virtio-mmio device: its register region and its edge-triggered interrupt. Several may have the
 * same one. */
struct acpi_mmio {
	uint32_t base, len;
	uint32_t gsi;
};

struct acpi_params {
	unsigned n_cpus; /* APIC ids 0 to n_cpus - 1 */
	bool serial;
	bool pit; /* its interrupt is a pin of another number than on the 8259s */
	bool rtc;
	bool pci;           /* whether there is a PCI host bridge at all */
	uint32_t pci_slots; /* bit i: slot i of bus 0 may use INTx */
	uint64_t mem_size;  /* decides where the 64-bit PCI window is */
	bool firmware; /* places BARs: there is one more PCI window; and hardware is not reduced */
	const struct acpi_mmio *mmio;
	unsigned n_mmio;
};

/*
 * Writes the tables and returns the address of the RSDP, the first of them. 0 with @err if they do
 * not fit.
 */
uint64_t acpi_build(const struct acpi_params *p, const struct gmem *mem, GError **err);

/*
 * The same for firmware that finds places for them: two files, and a third one that says what to do
 * with them (vmm/acpi/loader.c). Free each with g_byte_array_unref().
 */
struct acpi_files {
	GByteArray *rsdp, *tables, *loader;
};
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"
#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_LOADER_FILE "etc/table-loader"

void acpi_build_files(const struct acpi_params *p, struct acpi_files *ret);

/* What a Linux kernel with this command line will miss, since the tables describe nothing in place
 * of what it is told to leave alone: one line for the operator, or NULL. */
const char *acpi_will_miss(const char *cmdline);
