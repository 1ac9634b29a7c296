#include "guest-fw/fuzz.h"
#include "tools/fuzz/language/arena.h"
#include "transport/mmio/regs.h"

#define BAR_BYTES  0x4000u
#define MMIO_BYTES 0x1000u
#define TABLE_PAGE 0x1000u /* of the MSI-X table */

/* Below and in the program, and where the loader's tables are. */
#define NOT_BELOW 0x80000u
#define LOW_END   0x100000u
#define MARGIN    0x100000u
#define ELSEWHERE 0x40000000u /* memory that nobody uses */

#define AT_END 64ul /* so near to the end of memory that it is meant */

static const struct virtio_pci *fuzz_link_pci(const struct fuzzed *f)
{
	return &f->v->dev.pci;
}

static uint32_t access_data(const struct fuzzed *f)
{
	return fuzz_link_pci(f)->access_cap + VPCI_CAP_EXTRA;
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
static uint64_t read_bar(const struct fuzzed *f, uint32_t off, unsigned len)
{
	if (f->by_access)
		return virtio_pci_access_read(&f->v->dev, 0, off, len);
	return fw_io.read(NULL, fuzz_link_pci(f)->bar[0] + off, len);
}

static void write_bar(const struct fuzzed *f, uint32_t off, unsigned len, uint64_t value)
{
	value = spare_processor(off, len, value);
	if (f->by_access)
		virtio_pci_access_write(&f->v->dev, 0, off, len, (uint32_t)value);
	else
		fw_io.write(NULL, fuzz_link_pci(f)->bar[0] + off, len, value);
}

/* A write to the access capability's data is one to the BAR. */
static void write_pci(const struct fuzzed *f, uint32_t off, unsigned len, uint64_t value)
{
	uint32_t data = access_data(f);

	if (fuzz_link_pci(f)->access_cap && off < data + 4 && data < off + len) {
		uint32_t to = fw_io.pci_read(NULL, fuzz_link_pci(f)->function,
					     fuzz_link_pci(f)->access_cap + VPCI_CAP_OFFSET, 4);

		value = spare_processor(to, 4, value);
	}
	fw_io.write(NULL, fuzz_link_pci(f)->function + off, len, value);
}

/* Where in the BAR (or, on mmio, the region) an area is. */
static uint32_t fuzz_link_place(const struct fuzzed *f, enum link_area area, uint32_t off,
				unsigned len)
{
	uint32_t bytes = virtio_on_pci(f->v) ? BAR_BYTES : MMIO_BYTES;

	if (area == LINK_REGISTERS && virtio_on_pci(f->v))
		off += fuzz_link_pci(f)->common.offset;
	else if (area == LINK_CONFIG)
		off += virtio_on_pci(f->v) ? fuzz_link_pci(f)->config.offset : R_CONFIG;
	off %= bytes;
	return off > bytes - len ? bytes - len : off; /* beyond is someone else's */
}

uint64_t fuzz_read(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len)
{
	if (!virtio_on_pci(f->v))
		return area <= LINK_CONFIG
			       ? fw_io.read(NULL,
					    f->v->dev.mmio + fuzz_link_place(f, area, off, len),
					    len)
			       : 0;
	if (area == LINK_PCI)
		return fw_io.read(NULL, fuzz_link_pci(f)->function + off % (4096 - len + 1), len);
	return read_bar(f, fuzz_link_place(f, area, off, len), len);
}

void fuzz_write(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len,
		uint64_t value)
{
	if (virtio_on_pci(f->v) && area == LINK_PCI)
		write_pci(f, off % (4096 - len + 1), len, value);
	else if (virtio_on_pci(f->v))
		write_bar(f, fuzz_link_place(f, area, off, len), len, value);
	else if (area <= LINK_CONFIG)
		fw_io.write(NULL, f->v->dev.mmio + fuzz_link_place(f, area, off, len), len, value);
}

void fuzz_kick(const struct fuzzed *f, unsigned q, uint32_t value)
{
	bool wide = f->accepted >> VIRTIO_F_NOTIFICATION_DATA & 1;

	if (virtio_on_pci(f->v))
		fuzz_write(f, LINK_BAR,
			   fuzz_link_pci(f)->notify.offset +
				   q * fuzz_link_pci(f)->notify_multiplier,
			   wide ? 4 : 2, value);
	else
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_NOTIFY, 4, value);
}

void fuzz_reset_queue(const struct fuzzed *f, unsigned q)
{
	if (virtio_on_pci(f->v)) {
		fuzz_write(f, LINK_REGISTERS, VPCI_QUEUE_SELECT, 2, q);
		fuzz_write(f, LINK_REGISTERS, VPCI_QUEUE_RESET, 2, 1);
	} else {
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_SEL, 4, q);
		fuzz_write(f, LINK_REGISTERS, R_QUEUE_RESET, 4, 1);
	}
}

/*
 * There and back.
 */
void fuzz_leave_bus(const struct fuzzed *f)
{
	if (virtio_on_pci(f->v))
		virtio_pci_command(&f->v->dev, 0);
}

void fuzz_restore_bus(const struct fuzzed *f)
{
	if (!virtio_on_pci(f->v))
		return;
	virtio_pci_restore_bars(&f->v->dev);
	virtio_pci_msix(&f->v->dev, 0);
	virtio_command(f->v, false);
}
