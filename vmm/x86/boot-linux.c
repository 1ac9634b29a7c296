/*
 * How Linux is entered (Documentation/arch/x86/boot.rst): the "zero page" and the processor's
 * state, by the 64-bit and the 32-bit boot protocol. A bzImage (boot-bzimage.c) says itself which
 * it takes; an ELF file of 64 bits that offers nothing else is entered by the 64-bit one, as a
 * vmlinux can be.
 *
 * 64-bit: long mode, flat segments, the first 4 GiB mapped one to one, rsi pointing to the zero
 * page. 32-bit: protected mode without paging, esi pointing there. The page is our half of the
 * conversation: the setup header with our answers filled in, the memory map and the address of the
 * ACPI tables.
 */
#include <string.h>

#include "vmm/x86/boot-int.h"
#include "vmm/x86/layout.h"

/* Offsets into the zero page. */
enum {
	ACPI_RSDP_ADDR = 0x070,
	E820_ENTRIES = 0x1e8,
	BOOT_FLAG = 0x1fe,
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	E820_TABLE = 0x2d0,
};

enum {
	E820_ENTRY = 20, /* bytes: base, length, type */
	LOADED_HIGH = 0x01,
	XLF_KERNEL_64 = 0x01,
	LOADER_UNDEFINED = 0xff,
};

static void linux_put(uint8_t *page, unsigned at, uint64_t value, unsigned bytes)
{
	memcpy(page + at, &value, bytes);
}

static void linux_put_memory_map(const struct boot_job *job, uint8_t *page)
{
	struct boot_map_entry map[BOOT_MAP_MAX];
	unsigned n = boot_map(job, map);

	G_STATIC_ASSERT(E820_TABLE + BOOT_MAP_MAX * E820_ENTRY <= LAYOUT_PAGE);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = E820_TABLE + i * E820_ENTRY;

		linux_put(page, at, map[i].base, 8);
		linux_put(page, at + 8, map[i].len, 8);
		linux_put(page, at + 16, map[i].type, 4);
	}
	linux_put(page, E820_ENTRIES, n, 1);
}

void boot_linux_zero_page(const struct boot_job *job, const void *header, size_t len)
{
	uint8_t *page = gmem_at(job->mem, LAYOUT_ZERO_PAGE, LAYOUT_PAGE);

	memset(page, 0, LAYOUT_PAGE);
	memcpy(page + BOOT_LINUX_HEADER, header, len);
	linux_put(page, TYPE_OF_LOADER, LOADER_UNDEFINED, 1);
	linux_put(page, CMD_LINE_PTR, LAYOUT_CMDLINE, 4);
	linux_put(page, RAMDISK_IMAGE, job->initrd, 4);
	linux_put(page, RAMDISK_SIZE, job->initrd_len, 4);
	linux_put(page, ACPI_RSDP_ADDR, job->p->rsdp, 8);
	linux_put_memory_map(job, page);
}

/* Four page directories of 2 MiB pages: every processor can, unlike 1 GiB pages. */
static void linux_put_page_tables(const struct boot_job *job)
{
	enum { PRESENT = 0x1, WRITE = 0x2, LARGE = 0x80 };
	const size_t gibs = 4, entries = LAYOUT_PAGE / sizeof(uint64_t);
	uint64_t *t = gmem_at(job->mem, LAYOUT_PAGE_TABLES, (2 + gibs) * LAYOUT_PAGE);
	uint64_t *top = t, *dirs = t + entries, *pages = t + 2 * entries;

	memset(t, 0, 2ul * LAYOUT_PAGE);
	top[0] = (LAYOUT_PAGE_TABLES + LAYOUT_PAGE) | PRESENT | WRITE;
	for (size_t i = 0; i < gibs; i++)
		dirs[i] = (LAYOUT_PAGE_TABLES + (2 + i) * LAYOUT_PAGE) | PRESENT | WRITE;
	for (uint64_t i = 0; i < gibs * entries; i++)
		pages[i] = i << 21 | PRESENT | WRITE | LARGE;
}

/* The protocols want these two selectors to be loadable, not only loaded. */
static void linux_put_gdt(const struct boot_job *job, bool lng)
{
	const uint64_t gdt[] = { 0, 0,
				 lng ? 0x00af9b000000ffff : 0x00cf9b000000ffff, /* 0x10: code */
				 0x00cf93000000ffff /* 0x18: data */ };

	G_STATIC_ASSERT(sizeof(gdt) == 32);
	memcpy(gmem_at(job->mem, LAYOUT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

static const struct boot_entry long_mode = {
	.mode = BOOT_LONG_64,
	.rsp = LAYOUT_STACK_END,
	.rflags = 0x2,
	.cr0 = 0x80050033, /* PG, AM, WP, NE, ET, MP, PE */
	.cr3 = LAYOUT_PAGE_TABLES,
	.cr4 = 0x20,   /* PAE */
	.efer = 0x500, /* LMA, LME */
	.code = { .limit = 0xffffffff, .type = 0xb, .lng = true, .granularity = true },
	.data = { .limit = 0xffffffff, .type = 0x3, .wide = true, .granularity = true },
	.task = { .limit = 0xffff, .type = 0xb, .system = true },
};

struct boot_entry boot_linux_enter(const struct boot_job *job, enum boot_mode mode, uint64_t rip)
{
	struct boot_entry e = mode == BOOT_LONG_64 ? long_mode : boot_enter_protected(rip);

	if (mode == BOOT_LONG_64)
		linux_put_page_tables(job);
	linux_put_gdt(job, mode == BOOT_LONG_64);
	e.rip = rip;
	e.rsi = LAYOUT_ZERO_PAGE;
	e.gdt_base = LAYOUT_GDT;
	e.gdt_limit = 31;
	e.code.selector = 0x10;
	e.data.selector = 0x18;
	return e;
}

/*
 * ELF files.
 */
static bool linux_elf_offered(const struct boot_job *job)
{
	return job->is_elf && job->elf.is_64 && job->elf.entry;
}

/* There is no setup header in the file; this is one. */
static void linux_elf_zero_page(const struct boot_job *job)
{
	uint8_t page[BOOT_LINUX_HEADER + BOOT_LINUX_HEADER_MAX] = { 0 };

	linux_put(page, BOOT_FLAG, 0xaa55, 2);
	linux_put(page, MAGIC, 0x53726448, 4); /* "HdrS" */
	linux_put(page, VERSION, 0x20f, 2);
	linux_put(page, LOADFLAGS, LOADED_HIGH, 1);
	linux_put(page, INITRD_ADDR_MAX, LAYOUT_HOLE - 1, 4);
	linux_put(page, KERNEL_ALIGNMENT, 0x1000000, 4);
	linux_put(page, XLOADFLAGS, XLF_KERNEL_64, 2);
	linux_put(page, CMDLINE_SIZE, LAYOUT_CMDLINE_MAX - 1, 4);
	boot_linux_zero_page(job, page + BOOT_LINUX_HEADER, BOOT_LINUX_HEADER_MAX);
}

static bool linux_elf_load(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	uint64_t entry;

	if (!boot_elf_place(job, err))
		return false;
	entry = boot_elf_entry(&job->elf, job->elf.entry);
	if (!entry)
		return boot_broken(job, "its entry lies in no segment", err);
	if (!boot_load_cmdline(job, UINT64_MAX, err) || !boot_load_initrd(job, LAYOUT_HOLE, err) ||
	    !boot_elf_load(job, err))
		return false;
	linux_elf_zero_page(job);
	*ret_entry = boot_linux_enter(job, BOOT_LONG_64, entry);
	return true;
}

const struct boot_protocol boot_linux_elf = {
	.name = "linux",
	.file = "a 64-bit ELF file (entered as Linux is)",
	.offered = linux_elf_offered,
	.load = linux_elf_load,
};
