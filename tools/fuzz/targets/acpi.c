/*
 * ACPI tables of made-up machines. What a compiler (iasl) says of them is asked by
 * tools/fuzz/scripts/acpi; here it is what takes no process: checksums, lengths, and that every
 * table is found.
 */
#include <string.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/acpi-out.h"
#include "vmm/acpi/acpi.h"
#include "vmm/x86/layout.h"

#define RAM (1u << 20)

static struct acpi_mmio mmio[LAYOUT_MMIO_MAX];

static void parse(struct input *in, struct acpi_params *p)
{
	struct input args;
	uint8_t op, how;

	while (in_record(in, &op, &args)) {
		switch (op % N_ACPI_OPS) {
		case ACPI_CPUS:
			p->n_cpus = in16(&args) % 300 + 1;
			p->serial = in8(&args) & 1;
			p->pit = in8(&args) & 1;
			p->rtc = in8(&args) & 1;
			break;
		case ACPI_PCI:
			how = in8(&args);
			p->pci = how & 1;
			p->firmware = how & 2;
			p->pci_slots = in32(&args);
			break;
		case ACPI_MEMORY:
			p->mem_size = in64(&args) % (1ull << 40) & ~0xfffull;
			break;
		default:
			for (unsigned n = in8(&args); n && p->n_mmio < LAYOUT_MMIO_MAX; n--) {
				unsigned i = p->n_mmio++;

				mmio[i] = (struct acpi_mmio){ (uint32_t)layout_mmio_region(i),
							      LAYOUT_MMIO_STRIDE,
							      layout_mmio_gsi(i) };
			}
			break;
		}
	}
}

static uint64_t get(const uint8_t *at, unsigned n)
{
	struct input in = { at, at + n };

	return in64(&in);
}

static void check_sum(const uint8_t *at, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + at[i]);
	if (sum)
		fuzz_bug("a checksum is wrong");
}

static const uint8_t *table_at(const uint8_t *ram, uint64_t at, const char *signature)
{
	uint64_t len;

	if (at < LAYOUT_ACPI || at > LAYOUT_ACPI + LAYOUT_ACPI_LEN - 36)
		fuzz_bug("a table at %#lx", at);
	len = get(ram + at + 4, 4);
	if (len < 36 || len > LAYOUT_ACPI + LAYOUT_ACPI_LEN - at)
		fuzz_bug("a table of %lu bytes at %#lx", len, at);
	check_sum(ram + at, len);
	if (signature && memcmp(ram + at, signature, 4) != 0)
		fuzz_bug("no %s at %#lx", signature, at);
	trace("table %.4s: %lu bytes", (const char *)ram + at, len);
	acpi_out(ram + at, len);
	return ram + at;
}

static void check_tables(const uint8_t *ram, uint64_t rsdp, const struct acpi_params *p)
{
	const uint8_t *xsdt;
	uint64_t n;

	check_sum(ram + rsdp, 20);
	check_sum(ram + rsdp, 36);
	xsdt = table_at(ram, get(ram + rsdp + 24, 8), "XSDT");
	n = (get(xsdt + 4, 4) - 36) / 8;
	if (n != 2u + p->pci)
		fuzz_bug("%lu tables", n);
	for (uint64_t i = 0; i < n; i++)
		table_at(ram, get(xsdt + 36 + 8 * i, 8), NULL);
	table_at(ram, get(table_at(ram, get(xsdt + 36, 8), "FACP") + 140, 8), "DSDT");
}

void fuzz_acpi_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct acpi_params p = { .n_cpus = 1, .mem_size = 64u << 20, .mmio = mmio };
	struct input in = { data, data + size };
	struct gmem mem = { 0 };
	static uint8_t *ram;
	GError *err = NULL;
	uint64_t rsdp;

	(void)t;
	if (!ram)
		ram = g_malloc0(RAM);
	parse(&in, &p);
	(void)gmem_add(&mem, 0, RAM, ram);
	memset(ram + LAYOUT_ACPI, 0, LAYOUT_ACPI_LEN);
	rsdp = acpi_build(&p, &mem, &err);
	trace("%u processors, %u devices on mmio, slots %#x: %s", p.n_cpus, p.n_mmio, p.pci_slots,
	      rsdp ? "fits" : err->message);
	if (!rsdp != (err != NULL))
		fuzz_bug("an answer and its opposite");
	if (rsdp)
		check_tables(ram, rsdp, &p);
	g_clear_error(&err);
}
