/*
 * The machine as its ACPI tables describe it (ACPI 6.3, 5.2), and its interrupt controllers where
 * every PC has them.
 *
 * AML is not interpreted. Of the DSDT two things are wanted, and found by what they look like: the
 * package \_S5, and device blocks that contain "LNRO0005", in whose resources base and line stand
 * as constants. Monitors write them so.
 */
#include "guest-fw/fw.h"

#define APIC   0xfee00000u
#define IOAPIC 0xfec00000u

enum { APIC_EOI = 0xb0, APIC_SPURIOUS = 0xf0, APIC_LVT_TIMER = 0x320, APIC_LVT_LINT0 = 0x350 };
enum { APIC_TIMER_COUNT = 0x380, APIC_TIMER_DIVIDE = 0x3e0 };
enum { LVT_MASKED = 0x10000, LVT_PERIODIC = 0x20000, ROUTE_LEVEL = 0x8000 };
enum { VECTOR_TIMER = 0xe0, VECTOR_SPURIOUS = 0xff }; /* the first: start.S has it too */

/* The second at KVM's 1 GHz; elsewhere something like it. */
#define TIMER_COUNT 1000000000u

struct start_info { /* PVH */
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t n_memmap;
};

struct memmap { /* an entry */
	uint64_t at, len;
	uint32_t type, reserved;
};
enum { MEMMAP_RAM = 1 };

struct __attribute__((packed)) table {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
};

#define CMDLINE_MAX 1024u

/* Offsets in the FADT and the MCFG. */
enum { FADT_DSDT = 40, FADT_RESET = 116, FADT_RESET_VALUE = 128, FADT_SLEEP = 244 };
enum { GAS_ADDRESS = 4, MCFG_BASE = 44 };

static const uint8_t *fw_machine_at(uint64_t address)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): all memory is where it is */
	return (const uint8_t *)(uintptr_t)address;
}

static uint64_t fw_machine_number(const uint8_t *from, unsigned bytes)
{
	uint64_t n = 0;

	for (unsigned i = bytes; i; i--)
		n = n << 8 | from[i - 1];
	return n;
}

/*
 * Tables.
 */
static const uint8_t *find_table(const char *signature)
{
	const uint8_t *xsdt =
		fw_machine_at(fw.rsdp ? fw_machine_number(fw_machine_at(fw.rsdp) + 24, 8) : 0);
	size_t end = xsdt ? fw_machine_number(xsdt + 4, 4) : 0;

	for (size_t i = sizeof(struct table); i + 8 <= end; i += 8) {
		const uint8_t *table = fw_machine_at(fw_machine_number(xsdt + i, 8));

		if (fw_same(table, signature, 4))
			return table;
	}
	return NULL;
}

/* @n bytes in the DSDT, at or after @from; NULL at its end. */
static const uint8_t *find_in_dsdt(const uint8_t *from, const char *bytes, size_t n)
{
	const uint8_t *fadt = find_table("FACP");
	const uint8_t *dsdt = fadt ? fw_machine_at(fw_machine_number(fadt + FADT_DSDT, 4)) : NULL;
	const uint8_t *end = dsdt ? dsdt + fw_machine_number(dsdt + 4, 4) : NULL;

	if (!from)
		from = dsdt;
	for (; from && from + n <= end; from++)
		if (fw_same(from, bytes, n))
			return from;
	return NULL;
}

/* The end of a block whose length stands here (20.2.4). */
static const uint8_t *block_end(const uint8_t *length)
{
	unsigned more = length[0] >> 6;

	if (more == 0)
		return length + (length[0] & 0x3f);
	return length + ((length[0] & 0xf) | fw_machine_number(length + 1, more) << 4);
}

static void read_memmap(const struct start_info *info)
{
	const struct memmap *m = (const void *)fw_machine_at(info->memmap);

	for (uint32_t i = 0; info->version && i < info->n_memmap; i++) {
		uint64_t end = m[i].at + m[i].len, *most = &fw.memory_end[end > 1ull << 32];

		if (m[i].type == MEMMAP_RAM && end > *most)
			*most = end;
	}
}

void machine_init(const void *start_info)
{
	const struct start_info *info = start_info;

	static char cmdline[CMDLINE_MAX]; /* where it is, a device may write when we fuzz */
	const char *from = (const char *)fw_machine_at(info->cmdline);

	for (size_t i = 0; from && from[i] && i < sizeof(cmdline) - 1; i++)
		cmdline[i] = from[i];
	fw.cmdline = cmdline;
	fw.rsdp = info->rsdp;
	read_memmap(info);
	reg_write32(APIC + APIC_LVT_LINT0, LVT_MASKED); /* the 8259 is nobody's */
	reg_write32(APIC + APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
	reg_write32(APIC + APIC_TIMER_DIVIDE, 0xb); /* by one */
	reg_write32(APIC + APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	reg_write32(APIC + APIC_TIMER_COUNT, TIMER_COUNT);
}

/* Writes to a register in I/O space that the FADT names, and that ends us. */
static _Noreturn void write_last(unsigned offset, uint8_t value)
{
	const uint8_t *fadt = find_table("FACP");
	static const volatile uint32_t none;

	if (fadt)
		fw_out((uint16_t)fw_machine_number(fadt + offset + GAS_ADDRESS, 2), &value, 1);
	for (;;)
		fw_wait(&none, 0);
}

void machine_power_off(void)
{
	/* The name, then a package: its length, four elements, the first of them a byte. */
	const uint8_t *s5 = find_in_dsdt(NULL, "_S5_\x12", 5);
	uint8_t type = s5 && s5[7] == 0x0a ? s5[8] : 5;

	write_last(FADT_SLEEP, 0x20 | type << 2);
}

void machine_reset(void)
{
	const uint8_t *fadt = find_table("FACP");

	write_last(FADT_RESET, fadt ? fadt[FADT_RESET_VALUE] : 0);
}

uintptr_t machine_ecam(void)
{
	const uint8_t *mcfg = find_table("MCFG");

	return mcfg ? fw_machine_number(mcfg + MCFG_BASE, 8) : 0;
}

/* The resources of a device: Memory32Fixed (6.4.3.4) and extended interrupt (6.4.3.6). */
static bool read_resources(const uint8_t *from, const uint8_t *end, struct machine_mmio *ret)
{
	bool memory = false, interrupt = false;

	for (; from + 9 <= end; from++) { /* the shorter one's length */
		if (!memory && from[0] == 0x86 && fw_machine_number(from + 1, 2) == 9) {
			ret->base = fw_machine_number(from + 4, 4);
			memory = true;
		} else if (memory && from[0] == 0x89 && fw_machine_number(from + 1, 2) >= 6) {
			ret->gsi = (uint32_t)fw_machine_number(from + 5, 4);
			ret->level = !(from[3] & 2);
			interrupt = true;
			break;
		}
	}
	return memory && interrupt;
}

bool machine_mmio(unsigned n, struct machine_mmio *ret)
{
	const uint8_t *device = NULL, *end;

	while ((device = find_in_dsdt(device, "\x5b\x82", 2))) {
		device += 2;
		end = block_end(device);
		for (const uint8_t *p = device; p + 8 <= end; p++)
			if (fw_same(p, "LNRO0005", 8)) {
				if (n-- == 0)
					return read_resources(p, end, ret);
				break;
			}
	}
	return false;
}

/*
 * Interrupts.
 */
static void ioapic_write(unsigned reg, uint32_t value)
{
	reg_write32(IOAPIC, reg);
	reg_write32(IOAPIC + 0x10, value);
}

void irq_route(uint32_t gsi, unsigned vector, bool level)
{
	ioapic_write(0x11 + 2 * gsi, 0);
	ioapic_write(0x10 + 2 * gsi, vector | (level ? ROUTE_LEVEL : 0));
}

void irq_unroute(uint32_t gsi)
{
	ioapic_write(0x10 + 2 * gsi, LVT_MASKED);
}

void irq_end(void)
{
	reg_write32(APIC + APIC_EOI, 0);
}

uint32_t irq_clock(void)
{
	return fw_irqs[VECTOR_TIMER];
}
