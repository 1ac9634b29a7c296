#include "guest-fw/fuzz.h"
#include "tools/fuzz/fixture/arena.h"

enum { PCI_COMMAND = 0x04, PCI_BAR0 = 0x10, PCI_CAPS = 0x34 };
enum { COMMAND_ON = 0x406 }; /* memory, bus master, no INTx */
enum { CAP_VENDOR = 0x09, CAP_TYPE = 3, TYPE_ACCESS = 5, MSIX_CONTROL = 2 };
enum { ACCESS_BAR = 4, ACCESS_OFFSET = 8, ACCESS_LENGTH = 12, ACCESS_DATA = 16 };
enum { C_CONFIG_VECTOR = 0x10, C_QUEUE_SELECT = 0x16, C_QUEUE_RESET = 0x3a };
enum { R_QUEUE_SEL = 0x30, R_QUEUE_NOTIFY = 0x50, R_CONFIG = 0x100, R_QUEUE_RESET = 0xc0 };

#define BAR_BYTES  0x4000u
#define MMIO_BYTES 0x1000u
#define TABLE_PAGE 0x1000u /* of the MSI-X table */

/* Below and in the program, and where the loader's tables are. */
#define NOT_BELOW 0x80000u
#define LOW_END   0x100000u
#define MARGIN    0x100000u
#define ELSEWHERE 0x40000000u /* memory that nobody uses */

#define AT_END 64ul /* so near to the end of memory that it is meant */

static bool is_pci(const struct fuzzed *f)
{
	return f->v->function != 0;
}

static uintptr_t bar(const struct fuzzed *f)
{
	return f->bar[0] & ~0xful;
}

/*
 * Self-defence.
 */
static bool is_near(uint64_t value, uint64_t end)
{
	return value - (end - AT_END) < 2 * AT_END;
}

uint64_t fuzz_value(uint64_t value)
{
	const uint64_t low_end = ARENA_LOW_LEN, high_end = ARENA_HIGH_GPA + ARENA_HIGH_LEN;
	uintptr_t program = (uintptr_t)VECTORS - MARGIN;
	uint32_t low;

	if (is_near(value, low_end))
		value += fw.memory_end[0] - low_end;
	else if (is_near(value, high_end) && fw.memory_end[1])
		value += fw.memory_end[1] - high_end;
	low = (uint32_t)value;
	if (low - NOT_BELOW < LOW_END - NOT_BELOW || low - program < (uintptr_t)fw_end - program)
		value ^= ELSEWHERE;
	return value;
}

/* An MSI-X entry's data: a vector that is for devices, and delivered as an interrupt (not as one
 * that resets the processor, say). */
static uint64_t spare_processor(uint32_t off, unsigned len, uint64_t value)
{
	uint32_t vector = IRQ_VECTOR + (uint32_t)value % 0xb0;

	if (off - TABLE_PAGE >= TABLE_PAGE || off % 16 != 8 || len < 4)
		return value;
	return (value & ~0x7ffull) | (value & 0x100) | vector;
}

/*
 * Registers.
 */
static uint64_t read_at(uintptr_t at, unsigned len)
{
	switch (len) {
	case 1:
		return reg_read8(at);
	case 2:
		return reg_read16(at);
	case 4:
		return reg_read32(at);
	default:
		return reg_read64(at);
	}
}

static void write_at(uintptr_t at, unsigned len, uint64_t value)
{
	switch (len) {
	case 1:
		reg_write8(at, (uint8_t)value);
		break;
	case 2:
		reg_write16(at, (uint16_t)value);
		break;
	case 4:
		reg_write32(at, (uint32_t)value);
		break;
	default:
		reg_write64(at, value);
		break;
	}
}

/* Points the capability at a place in the BAR. */
static void aim(const struct fuzzed *f, uint32_t off, unsigned len)
{
	uintptr_t cap = f->v->function + f->access;

	reg_write8(cap + ACCESS_BAR, 0);
	reg_write32(cap + ACCESS_OFFSET, off);
	reg_write32(cap + ACCESS_LENGTH, len);
}

static uint64_t read_bar(const struct fuzzed *f, uint32_t off, unsigned len)
{
	if (!f->by_access)
		return read_at(bar(f) + off, len);
	aim(f, off, len);
	return read_at(f->v->function + f->access + ACCESS_DATA, len <= 4 ? len : 4);
}

static void write_bar(const struct fuzzed *f, uint32_t off, unsigned len, uint64_t value)
{
	value = spare_processor(off, len, value);
	if (!f->by_access) {
		write_at(bar(f) + off, len, value);
		return;
	}
	aim(f, off, len);
	write_at(f->v->function + f->access + ACCESS_DATA, len <= 4 ? len : 4, value);
}

/* A write to the access capability's data is one to the BAR. */
static void write_pci(const struct fuzzed *f, uint32_t off, unsigned len, uint64_t value)
{
	uint32_t data = f->access + ACCESS_DATA;

	if (f->access && off < data + 4 && data < off + len) {
		uint32_t to = reg_read32(f->v->function + f->access + ACCESS_OFFSET);

		value = spare_processor(to, 4, value);
	}
	write_at(f->v->function + off, len, value);
}

/* Where in the BAR (or, on mmio, the region) an area is. */
static uint32_t place(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len)
{
	uint32_t bytes = is_pci(f) ? BAR_BYTES : MMIO_BYTES;

	if (area == LINK_REGISTERS && is_pci(f))
		off += (uint32_t)(f->v->base - bar(f));
	else if (area == LINK_CONFIG)
		off += is_pci(f) ? (uint32_t)(f->v->config - bar(f)) : R_CONFIG;
	off %= bytes;
	return off > bytes - len ? bytes - len : off; /* beyond is someone else's */
}

uint64_t fuzz_read(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len)
{
	if (!is_pci(f))
		return area <= LINK_CONFIG ? read_at(f->v->base + place(f, area, off, len), len)
					   : 0;
	if (area == LINK_PCI)
		return read_at(f->v->function + off % (4096 - len + 1), len);
	return read_bar(f, place(f, area, off, len), len);
}

void fuzz_write(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len,
		uint64_t value)
{
	if (is_pci(f) && area == LINK_PCI)
		write_pci(f, off % (4096 - len + 1), len, value);
	else if (is_pci(f))
		write_bar(f, place(f, area, off, len), len, value);
	else if (area <= LINK_CONFIG)
		write_at(f->v->base + place(f, area, off, len), len, value);
}

void fuzz_kick(const struct fuzzed *f, unsigned q, uint32_t value)
{
	bool wide = f->accepted >> VIRTIO_F_NOTIFICATION_DATA & 1;

	if (is_pci(f))
		fuzz_write(f, LINK_BAR, (uint32_t)(f->v->notify - bar(f)) + q * f->v->notify_each,
			   wide ? 4 : 2, value);
	else
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_NOTIFY, 4, value);
}

void fuzz_reset_queue(const struct fuzzed *f, unsigned q)
{
	if (is_pci(f)) {
		fuzz_write(f, LINK_REGISTERS, C_QUEUE_SELECT, 2, q);
		fuzz_write(f, LINK_REGISTERS, C_QUEUE_RESET, 2, 1);
	} else {
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_SEL, 4, q);
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_RESET, 4, 1);
	}
}

/*
 * There and back.
 */
void fuzz_find(struct fuzzed *f)
{
	uintptr_t function = f->v->function;
	uint8_t cap;

	if (!is_pci(f) || f->access)
		return;
	f->bar[0] = reg_read32(function + PCI_BAR0);
	f->bar[1] = reg_read32(function + PCI_BAR0 + 4);
	cap = reg_read8(function + PCI_CAPS);
	for (unsigned i = 0; cap && i < 48; i++, cap = reg_read8(function + cap + 1))
		if (reg_read8(function + cap) == CAP_VENDOR &&
		    reg_read8(function + cap + CAP_TYPE) == TYPE_ACCESS)
			f->access = cap;
}

void fuzz_leave_bus(const struct fuzzed *f)
{
	if (is_pci(f))
		reg_write16(f->v->function + PCI_COMMAND, 0);
}

void fuzz_bring_home(const struct fuzzed *f)
{
	uintptr_t function = f->v->function;

	if (!is_pci(f))
		return;
	reg_write32(function + PCI_BAR0, f->bar[0]);
	reg_write32(function + PCI_BAR0 + 4, f->bar[1]);
	if (f->v->msix_cap)
		reg_write16(function + f->v->msix_cap + MSIX_CONTROL, 0);
	reg_write16(function + PCI_COMMAND, COMMAND_ON);
}
