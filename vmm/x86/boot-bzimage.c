/*
 * Linux bzImage, 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 * The kernel is put where it prefers to run, so that it need not move itself first, and is entered
 * 0x200 behind that in long mode: flat segments, the first 4 GiB mapped one to one, rsi pointing
 * to the "zero page". That page is our half of the conversation: the setup header out of the file
 * with our answers filled in, the memory map and the address of the ACPI tables.
 */
#include "vmm/x86/boot-int.h"

#include <string.h>

#include "devices/base/error.h"
#include "vmm/x86/layout.h"

/* Offsets into the file's first sectors and into the zero page alike. */
enum {
	ACPI_RSDP_ADDR = 0x070,
	E820_ENTRIES = 0x1e8,
	SETUP_HEADER = 0x1f1,
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	JUMP_LEN = 0x201, /* the header ends this many bytes behind 0x202 */
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_MIN = 0x264, /* up to here in every version we take */
	HEADER_MAX = 0x290, /* the zero page has other things behind */
	E820_TABLE = 0x2d0,
};

enum {
	E820_ENTRY = 20, /* bytes: base, length, type */
	LOADED_HIGH = 0x01,
	XLF_KERNEL_64 = 0x01,
	VERSION_MIN = 0x20c, /* Linux 3.8 */
	LOADER_UNDEFINED = 0xff,
	ENTRY_64 = 0x200,
	DEFAULT_SETUP_SECTS = 4,
};

/* The header's fields that decide, copied once out of the file. */
struct setup {
	uint64_t offset; /* of the part that runs in protected mode, in the file */
	uint64_t len;    /* of that part */
	uint64_t load;   /* where to put it */
	uint64_t end;    /* of the memory it needs while it starts */
	uint64_t cmdline_max;
	uint64_t initrd_limit;
	size_t header_len;
};

static uint64_t bzimage_get(const struct boot_job *job, unsigned at, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, job->head + at, bytes);
	return v;
}

bool boot_is_bzimage(const struct boot_job *job)
{
	return job->head_len >= HEADER_MIN && bzimage_get(job, BOOT_FLAG, 2) == 0xaa55 &&
	       memcmp(job->head + MAGIC, "HdrS", 4) == 0;
}

static bool check_kind(const struct boot_job *job, GError **err)
{
	unsigned version = (unsigned)bzimage_get(job, VERSION, 2);

	if (version < VERSION_MIN)
		return ringside_usage(err,
				      "--kernel: '%s' has boot protocol %u.%02u; it must be "
				      "2.12 or later (Linux 3.8)",
				      job->p->kernel, version >> 8, version & 0xff);
	if (!(bzimage_get(job, XLOADFLAGS, 2) & XLF_KERNEL_64) ||
	    !(bzimage_get(job, LOADFLAGS, 1) & LOADED_HIGH))
		return ringside_usage(err, "--kernel: '%s' is a 32-bit kernel; give an x86-64 one",
				      job->p->kernel);
	return true;
}

static bool bzimage_parse(const struct boot_job *job, struct setup *ret_setup, GError **err)
{
	uint64_t sects = bzimage_get(job, SETUP_SECTS, 1);
	struct setup s = {
		.offset = ((sects ? sects : DEFAULT_SETUP_SECTS) + 1) * 512,
		.len = bzimage_get(job, SYSSIZE, 4) * 16,
		.load = bzimage_get(job, PREF_ADDRESS, 8),
		.cmdline_max = bzimage_get(job, CMDLINE_SIZE, 4),
		.initrd_limit = bzimage_get(job, INITRD_ADDR_MAX, 4) + 1,
		.header_len = MAGIC + bzimage_get(job, JUMP_LEN, 1) - SETUP_HEADER,
	};
	uint64_t rest = job->file_size > s.offset ? job->file_size - s.offset : 0;
	uint64_t room = MAX(s.len, bzimage_get(job, INIT_SIZE, 4));

	if (rest + 15 < s.len || s.len <= ENTRY_64)
		return ringside_usage(
			err,
			"--kernel: '%s' is truncated: %lu bytes of %lu; give a complete bzImage",
			job->p->kernel, job->file_size, s.offset + s.len);
	s.len = MIN(s.len, rest);
	if (s.load < LAYOUT_KERNEL || s.load >= LAYOUT_HOLE)
		return ringside_usage(
			err, "--kernel: '%s' loads at %#lx; a kernel must lie between %#x and %#x",
			job->p->kernel, s.load, LAYOUT_KERNEL, LAYOUT_HOLE);
	s.end = s.load + room;
	s.header_len = MIN(s.header_len, (size_t)HEADER_MAX - SETUP_HEADER);
	*ret_setup = s;
	return boot_need(job, s.end, err);
}

static void bzimage_put(uint8_t *page, unsigned at, uint64_t value, unsigned bytes)
{
	memcpy(page + at, &value, bytes);
}

static void put_memory_map(const struct boot_job *job, uint8_t *page)
{
	struct boot_map_entry map[BOOT_MAP_MAX];
	unsigned n = boot_map(job, map);

	G_STATIC_ASSERT(E820_TABLE + BOOT_MAP_MAX * E820_ENTRY <= LAYOUT_PAGE);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = E820_TABLE + i * E820_ENTRY;

		bzimage_put(page, at, map[i].base, 8);
		bzimage_put(page, at + 8, map[i].len, 8);
		bzimage_put(page, at + 16, map[i].type, 4);
	}
	bzimage_put(page, E820_ENTRIES, n, 1);
}

static void put_zero_page(const struct boot_job *job, const struct setup *s)
{
	uint8_t *page = gmem_at(job->mem, LAYOUT_ZERO_PAGE, LAYOUT_PAGE);

	memset(page, 0, LAYOUT_PAGE);
	memcpy(page + SETUP_HEADER, job->head + SETUP_HEADER, s->header_len);
	bzimage_put(page, TYPE_OF_LOADER, LOADER_UNDEFINED, 1);
	bzimage_put(page, CMD_LINE_PTR, LAYOUT_CMDLINE, 4);
	bzimage_put(page, RAMDISK_IMAGE, job->initrd, 4);
	bzimage_put(page, RAMDISK_SIZE, job->initrd_len, 4);
	bzimage_put(page, ACPI_RSDP_ADDR, job->p->rsdp, 8);
	put_memory_map(job, page);
}

/* Four page directories of 2 MiB pages: every processor can, unlike 1 GiB pages. */
static void put_page_tables(const struct boot_job *job)
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

/* The protocol wants these two selectors to be loadable, not only loaded. */
static void put_gdt(const struct boot_job *job)
{
	static const uint64_t gdt[] = {
		0, 0, 0x00af9b000000ffff /* 0x10: code, long */, 0x00cf93000000ffff /* 0x18: data */
	};

	G_STATIC_ASSERT(sizeof(gdt) == 32);
	memcpy(gmem_at(job->mem, LAYOUT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

static const struct boot_entry long_mode = {
	.mode = BOOT_LONG_64,
	.rsp = LAYOUT_STACK_END,
	.rsi = LAYOUT_ZERO_PAGE,
	.rflags = 0x2,
	.cr0 = 0x80050033, /* PG, AM, WP, NE, ET, MP, PE */
	.cr3 = LAYOUT_PAGE_TABLES,
	.cr4 = 0x20,   /* PAE */
	.efer = 0x500, /* LMA, LME */
	.gdt_base = LAYOUT_GDT,
	.gdt_limit = 31,
	.code = { .limit = 0xffffffff,
		  .selector = 0x10,
		  .type = 0xb,
		  .lng = true,
		  .granularity = true },
	.data = { .limit = 0xffffffff,
		  .selector = 0x18,
		  .type = 0x3,
		  .wide = true,
		  .granularity = true },
	.task = { .limit = 0xffff, .type = 0xb, .system = true },
};

bool boot_load_bzimage(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	struct setup s = { 0 };

	if (!check_kind(job, err) || !bzimage_parse(job, &s, err))
		return false;
	job->kernel_end = s.end;
	if (!boot_load_cmdline(job, s.cmdline_max, err) ||
	    !boot_load_initrd(job, s.initrd_limit, err) ||
	    !boot_read(job, job->fd, &(struct boot_range){ s.offset, s.len }, s.load, err))
		return false;
	put_zero_page(job, &s);
	put_page_tables(job);
	put_gdt(job);
	*ret_entry = long_mode;
	ret_entry->rip = s.load + ENTRY_64;
	return true;
}
