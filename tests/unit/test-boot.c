/*
 * The kernel loader: small made-up kernels of both kinds, and everything that can be wrong with a
 * file. Each message must name its option.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "devices/base/error.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"

#define MIB ((uint64_t)1 << 20)
#define RAM (64 * MIB)

struct rig {
	struct gmem mem;
	uint8_t *ram;
	char *dir, *kernel, *initrd;
	const char *take;       /* as kernel */
	struct boot_initrd one; /* what --initrd gives, if it has a path */
	GPtrArray *initrds;
	struct boot_params p;
	struct boot_entry entry;
};

static int setup(void **state)
{
	struct rig *r = g_new0(struct rig, 1);

	r->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r->ram, MAP_FAILED);
	assert_int_equal(gmem_add(&r->mem, 0, RAM, r->ram), 0);
	r->dir = g_dir_make_tmp("ringside-boot-XXXXXX", NULL);
	r->kernel = g_build_filename(r->dir, "kernel", NULL);
	r->initrd = g_build_filename(r->dir, "initrd", NULL);
	r->take = r->kernel;
	r->initrds = g_ptr_array_new();
	r->p = (struct boot_params){ .cmdline = "quiet", .mem_size = RAM, .rsdp = LAYOUT_ACPI };
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	g_unlink(r->kernel);
	g_unlink(r->initrd);
	g_rmdir(r->dir);
	g_ptr_array_unref(r->initrds);
	g_free(r->kernel);
	g_free(r->initrd);
	g_free(r->dir);
	munmap(r->ram, RAM);
	g_free(r);
	return 0;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	memcpy(at, &value, bytes);
}

static uint64_t get(const struct rig *r, uint64_t gpa, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, r->ram + gpa, bytes);
	return v;
}

static void save(const char *path, const void *data, size_t len)
{
	assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
}

static void add_initrd(struct rig *r, char *path)
{
	r->one.path = path;
	g_ptr_array_set_size(r->initrds, 0);
	g_ptr_array_add(r->initrds, &r->one);
}

static bool open_and_load(struct rig *r, GError **err)
{
	struct boot_files files;
	bool ok;

	if (!boot_files_open(&files, r->take, r->initrds, r->p.mem_size, err))
		return false;
	r->p.files = &files;
	ok = boot_load(&r->p, &r->mem, &r->entry, err);
	boot_files_close(&files);
	return ok;
}

/* Loads, and expects it to work. */
static void load(struct rig *r)
{
	GError *err = NULL;

	if (!open_and_load(r, &err))
		fail_msg("%s", err->message);
}

/* Loads, and expects one line that contains @says. */
static void load_fails(struct rig *r, const char *says)
{
	g_autoptr(GError) err = NULL;

	assert_false(open_and_load(r, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_null(strchr(err->message, '\n'));
	if (!strstr(err->message, says))
		fail_msg("no '%s' in: %s", says, err->message);
}

/* ---- bzImage ---- */

#define SECTS     3ul
#define PAYLOAD   4096ul
#define SETUP_LEN ((SECTS + 1) * 512)
#define BZ_LEN    (SETUP_LEN + PAYLOAD)

/* The least that is a 64-bit bzImage; a test spoils what it likes before saving it. */
static void bzimage(uint8_t k[BZ_LEN])
{
	memset(k, 0, BZ_LEN);
	k[0x1f1] = SECTS;
	put(k + 0x1f4, PAYLOAD / 16, 4);
	put(k + 0x1fe, 0xaa55, 2);
	put(k + 0x200, 0x66eb, 2);     /* jump over 0x66 bytes: the header ends at 0x268 */
	put(k + 0x202, 0x53726448, 4); /* "HdrS" */
	put(k + 0x206, 0x20f, 2);
	k[0x211] = 1;
	put(k + 0x22c, 0x7fffffff, 4);
	put(k + 0x236, 0x3, 2);
	put(k + 0x238, 2047, 4);
	put(k + 0x258, 16 * MIB, 8);
	put(k + 0x260, 8 * MIB, 4);
	memset(k + SETUP_LEN, 0x5a, PAYLOAD);
}

static void save_bzimage(struct rig *r, unsigned at, uint64_t value, unsigned bytes)
{
	uint8_t k[BZ_LEN];

	bzimage(k);
	put(k + at, value, bytes);
	save(r->kernel, k, BZ_LEN);
}

static void save_good_bzimage(struct rig *r)
{
	save_bzimage(r, 0, 0, 1);
}

static void bzimage_is_entered_in_long_mode(void **state)
{
	struct rig *r = *state;

	save_good_bzimage(r);
	load(r);
	assert_int_equal(r->entry.mode, BOOT_LONG_64);
	assert_int_equal(r->entry.rip, 16 * MIB + 0x200);
	assert_int_equal(r->entry.rsi, LAYOUT_ZERO_PAGE);
	assert_int_equal(r->entry.rsp, LAYOUT_STACK_END);
	assert_int_equal(r->ram[16 * MIB], 0x5a);
	assert_int_equal(r->ram[16 * MIB + PAYLOAD - 1], 0x5a);
	assert_int_equal(r->ram[16 * MIB + PAYLOAD], 0);
	assert_true(r->entry.code.lng);
	assert_int_equal(r->entry.code.selector, 0x10);
	assert_int_equal(r->entry.efer, 0x500);
}

static void zero_page_answers_the_header(void **state)
{
	const uint64_t zp = LAYOUT_ZERO_PAGE;
	struct rig *r = *state;

	save_good_bzimage(r);
	memset(r->ram + zp, 0xff, LAYOUT_PAGE); /* an earlier run's */
	load(r);
	assert_memory_equal(r->ram + zp + 0x202, "HdrS", 4);
	assert_int_equal(get(r, zp + 0x210, 1), 0xff);
	assert_int_equal(get(r, zp + 0x070, 8), LAYOUT_ACPI);
	assert_int_equal(get(r, zp + 0x218, 8), 0);
	assert_string_equal((char *)r->ram + get(r, zp + 0x228, 4), "quiet");
	assert_int_equal(get(r, zp + 0x268, 8), 0); /* behind the header */
}

static void memory_map_leaves_the_holes_out(void **state)
{
	static const struct boot_range ecam = { LAYOUT_ECAM, LAYOUT_ECAM_LEN };
	static const uint64_t wanted[][3] = {
		{ 0, 0xa0000, 1 },
		{ LAYOUT_ACPI, LAYOUT_KERNEL - LAYOUT_ACPI, 2 },
		{ MIB, 0xc0000000 - MIB, 1 },
		{ 1ull << 32, 1ull << 30, 1 },
		{ LAYOUT_ECAM, LAYOUT_ECAM_LEN, 2 },
	};
	struct rig *r = *state;

	save_good_bzimage(r);
	r->p.mem_size = 4ull << 30;
	r->p.reserved = &ecam;
	r->p.n_reserved = 1;
	load(r);
	assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x1e8, 1), G_N_ELEMENTS(wanted));
	for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
		uint64_t at = LAYOUT_ZERO_PAGE + 0x2d0 + 20ul * i;

		assert_int_equal(get(r, at, 8), wanted[i][0]);
		assert_int_equal(get(r, at + 8, 8), wanted[i][1]);
		assert_int_equal(get(r, at + 16, 4), wanted[i][2]);
	}
}

/* Walks the tables as a processor would; 2 MiB pages. */
static uint64_t translate(const struct rig *r, uint64_t va)
{
	uint64_t e = get(r, r->entry.cr3 + (va >> 39 & 511) * 8, 8);

	assert_true(e & 1);
	e = get(r, (e & ~0xfffull) + (va >> 30 & 511) * 8, 8);
	assert_true(e & 1);
	e = get(r, (e & ~0xfffull) + (va >> 21 & 511) * 8, 8);
	assert_int_equal(e & 0x81, 0x81);
	return (e & ~0x1fffffull) + (va & 0x1fffff);
}

static void first_4_gib_are_mapped_one_to_one(void **state)
{
	static const uint64_t cases[] = { 0, 0x2000, 16 * MIB + 0x200, 0x7fffffff,
					  0xfffffffff >> 4 };
	struct rig *r = *state;

	save_good_bzimage(r);
	load(r);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_int_equal(translate(r, cases[i]), cases[i]);
	assert_int_equal(get(r, r->entry.gdt_base + 0x10, 8), 0x00af9b000000ffff);
}

static void initrd_goes_to_the_top(void **state)
{
	struct rig *r = *state;
	uint64_t at;

	save_good_bzimage(r);
	save(r->initrd, "0707 an archive", 15);
	add_initrd(r, r->initrd);
	load(r);
	at = get(r, LAYOUT_ZERO_PAGE + 0x218, 4);
	assert_int_equal(at, RAM - LAYOUT_PAGE);
	assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x21c, 4), 15);
	assert_memory_equal(r->ram + at, "0707 an archive", 15);
	save_bzimage(r, 0x22c, 32 * MIB - 1, 4); /* the kernel's own limit */
	load(r);
	assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x218, 4), 32 * MIB - LAYOUT_PAGE);
}

/* As cpio archives are to be: each at a multiple of four, with zeros between. */
static void initrds_lie_one_behind_the_other(void **state)
{
	g_autofree char *other = NULL;
	struct boot_initrd second = { 0 };
	struct rig *r = *state;
	uint64_t at;

	other = g_build_filename(r->dir, "other", NULL);
	second.path = other;
	save_good_bzimage(r);
	save(r->initrd, "0707 an archive", 13);
	save(other, "0707 another", 12);
	add_initrd(r, r->initrd);
	g_ptr_array_add(r->initrds, &second);
	g_ptr_array_add(r->initrds, &r->one);
	memset(r->ram + RAM - LAYOUT_PAGE, 0xee, LAYOUT_PAGE);
	r->p.used = true;
	load(r);
	at = get(r, LAYOUT_ZERO_PAGE + 0x218, 4);
	assert_int_equal(at, RAM - LAYOUT_PAGE);
	assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x21c, 4), 16 + 12 + 13);
	assert_memory_equal(r->ram + at,
			    "0707 an archi\0\0\0"
			    "0707 another"
			    "0707 an archi",
			    41);
	assert_int_equal(truncate(other, 64 * MIB), 0);
	load_fails(r, "initrd + ");
	load_fails(r, "other + ");
	g_unlink(other);
}

static void bad_initrds_are_refused(void **state)
{
	struct rig *r = *state;

	save_good_bzimage(r);
	add_initrd(r, r->initrd);
	load_fails(r, "--initrd: '");
	save(r->initrd, "", 0);
	load_fails(r, "is empty; give an initramfs image");
	assert_int_equal(truncate(r->initrd, 40 * MIB + 1), 0);
	load_fails(r, "has 41 MiB and does not fit beside the kernel in 64 MiB; "
		      "give --memory at least 65M");
	assert_int_equal(truncate(r->initrd, 5ll << 30), 0);
	load_fails(r, "has 5120 MiB; this kernel accepts at most 2024 MiB");
	add_initrd(r, r->dir);
	load_fails(r, "is a directory; give an initramfs image");
}

static void command_line_has_a_limit(void **state)
{
	g_autofree char *fits = g_strnfill(2047, 'x'), *too_long = g_strnfill(2048, 'x');
	struct rig *r = *state;

	save_good_bzimage(r);
	r->p.cmdline = fits;
	load(r);
	r->p.cmdline = too_long;
	load_fails(r, "--append: the command line has 2048 bytes;");
	r->p.cmdline = NULL;
	load(r);
	assert_int_equal(r->ram[LAYOUT_CMDLINE], 0);
}

static void too_little_memory_says_how_much_is_needed(void **state)
{
	struct rig *r = *state;

	save_good_bzimage(r);
	r->p.mem_size = 20 * MIB;
	load_fails(r, "--memory: 20 MiB are too little for '");
	load_fails(r, "it needs at least 24M");
	r->p.mem_size = 4096;
	load_fails(r, "--memory: 0 MiB are too little");
}

static void bad_bzimages_are_refused(void **state)
{
	static const struct {
		unsigned at, bytes;
		uint64_t value;
		const char *says;
	} cases[] = {
		{ 0x206, 2, 0x205, "has boot protocol 2.05; it must be 2.06" },
		{ 0x211, 1, 0, "is a zImage, made to be loaded below 1 MiB" },
		{ 0x1f4, 4, PAYLOAD / 16 + 1, "is truncated: 6144 bytes of 6160" },
		{ 0x1f4, 4, UINT32_MAX, "is truncated" },
		{ 0x1f4, 4, 0, "is truncated" },
		{ 0x1f1, 1, 255, "is truncated" },
		{ 0x258, 8, 0, "has no entry in protected mode (code32_start is 0)" },
		{ 0x258, 8, 0x8000, "loads at 0x8000" },
		{ 0x258, 8, UINT64_MAX, "loads at 0xffffffffffffffff" },
		{ 0x260, 4, UINT32_MAX, "loads up to" },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		save_bzimage(r, cases[i].at, cases[i].value, cases[i].bytes);
		load_fails(r, cases[i].says);
	}
}

/* By Linux's 32-bit protocol. */
static void expect_linux_32(const struct rig *r, uint64_t rip)
{
	assert_int_equal(r->entry.mode, BOOT_PROTECTED_32);
	assert_int_equal(r->entry.rip, rip);
	assert_int_equal(r->entry.rsi, LAYOUT_ZERO_PAGE);
	assert_int_equal(r->entry.rbx, 0);
	assert_int_equal(r->entry.cr0, 0x11);
	assert_int_equal(r->entry.efer, 0);
	assert_false(r->entry.code.lng);
	assert_int_equal(r->entry.code.selector, 0x10);
	assert_int_equal(r->entry.data.selector, 0x18);
	assert_int_equal(get(r, r->entry.gdt_base + 0x10, 8), 0x00cf9b000000ffff);
	assert_string_equal((char *)r->ram + get(r, LAYOUT_ZERO_PAGE + 0x228, 4), "quiet");
}

static void a_32_bit_bzimage_is_entered_at_its_beginning(void **state)
{
	struct rig *r = *state;

	save_bzimage(r, 0x236, 0, 2);
	load(r);
	expect_linux_32(r, 16 * MIB);
	assert_int_equal(r->ram[16 * MIB], 0x5a);
}

/* The fields that a header of this version has not yet are not looked at. */
static void an_older_bzimage_lies_where_it_says(void **state)
{
	struct rig *r = *state;
	uint8_t k[BZ_LEN];

	bzimage(k);
	put(k + 0x206, 0x206, 2);
	put(k + 0x214, MIB, 4);
	memset(k + 0x258, 0xff, 12);
	save(r->kernel, k, BZ_LEN);
	load(r);
	expect_linux_32(r, MIB);
	assert_int_equal(r->ram[MIB], 0x5a);
	put(k + 0x214, 0x10000, 4);
	save(r->kernel, k, BZ_LEN);
	load_fails(r, "loads at 0x10000");
}

static void every_truncation_of_a_bzimage_is_refused(void **state)
{
	struct rig *r = *state;
	uint8_t k[BZ_LEN];

	bzimage(k);
	for (size_t len = 1; len < BZ_LEN - 15; len += 61) {
		save(r->kernel, k, len);
		load_fails(r, "--kernel: '");
	}
}

/* ---- ELF ---- */

struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	struct {
		Elf64_Nhdr nh;
		char name[4];
		uint32_t entry;
	} note, other;
	uint8_t text[64];
};

static struct elf elf(void)
{
	struct elf e = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = offsetof(struct elf, ph),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3 },
		.other = { { 4, 4, 1 }, "GNU", 7 },
		.note = { { 4, 4, 18 }, "Xen", 0x200010 },
	};

	memset(e.text, 0x5a, sizeof(e.text));
	e.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_offset = offsetof(struct elf, text),
				.p_paddr = 0x200000,
				.p_vaddr = 0xffffffff80200000,
				.p_filesz = sizeof(e.text),
				.p_memsz = 0x10000 };
	e.ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_offset = offsetof(struct elf, text) + 32,
				.p_paddr = 0x300000,
				.p_filesz = 32,
				.p_memsz = 32 };
	e.ph[2] = (Elf64_Phdr){ .p_type = PT_NOTE,
				.p_offset = offsetof(struct elf, note),
				.p_filesz = sizeof(e.note) + sizeof(e.other) };
	return e;
}

static void save_elf(struct rig *r, const struct elf *e)
{
	save(r->kernel, e, sizeof(*e));
}

/* The same with 32-bit headers. */
struct elf32 {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[3];
	struct elf wide;
};

static struct elf32 elf32(const struct elf *e)
{
	struct elf32 n = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_entry = (uint32_t)e->eh.e_entry,
			.e_phoff = offsetof(struct elf32, ph),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 3 },
		.wide = *e,
	};

	for (unsigned i = 0; i < 3; i++)
		n.ph[i] = (Elf32_Phdr){
			.p_type = e->ph[i].p_type,
			.p_offset = (uint32_t)(e->ph[i].p_offset + offsetof(struct elf32, wide)),
			.p_vaddr = (uint32_t)e->ph[i].p_vaddr,
			.p_paddr = (uint32_t)e->ph[i].p_paddr,
			.p_filesz = (uint32_t)e->ph[i].p_filesz,
			.p_memsz = (uint32_t)e->ph[i].p_memsz,
		};
	return n;
}

static void elf_is_entered_in_protected_mode(void **state)
{
	const uint64_t si = LAYOUT_START_INFO;
	struct rig *r = *state;
	struct elf e = elf();

	save_elf(r, &e);
	save(r->initrd, "0707", 4);
	add_initrd(r, r->initrd);
	load(r);
	assert_int_equal(r->entry.mode, BOOT_PROTECTED_32);
	assert_int_equal(r->entry.rip, 0x200010);
	assert_int_equal(r->entry.rbx, si);
	assert_int_equal(r->entry.rsp, LAYOUT_STACK_END);
	assert_int_equal(r->ram[0x200000 + 63], 0x5a);
	assert_int_equal(r->ram[0x30001f], 0x5a);
	assert_int_equal(r->ram[0x300020], 0);
	assert_int_equal(get(r, si, 4), 0x336ec578);
	assert_int_equal(get(r, si + 4, 4), 1);
	assert_int_equal(get(r, si + 12, 4), 1);
	assert_int_equal(get(r, get(r, si + 16, 8), 8), RAM - LAYOUT_PAGE);
	assert_int_equal(get(r, get(r, si + 16, 8) + 8, 8), 4);
	assert_string_equal((char *)r->ram + get(r, si + 24, 8), "quiet");
	assert_int_equal(get(r, si + 32, 8), LAYOUT_ACPI);
	assert_int_equal(get(r, si + 48, 4), 3);
	assert_int_equal(get(r, get(r, si + 40, 8) + 24 + 16, 4), 2);
}

static void a_32_bit_elf_is_entered_alike(void **state)
{
	struct rig *r = *state;
	const struct elf wide = elf();
	struct elf32 e = elf32(&wide);

	save(r->kernel, &e, sizeof(e));
	load(r);
	assert_int_equal(r->entry.mode, BOOT_PROTECTED_32);
	assert_int_equal(r->entry.rip, 0x200010);
	assert_int_equal(r->entry.rbx, LAYOUT_START_INFO);
	assert_int_equal(r->ram[0x200000 + 63], 0x5a);
	assert_int_equal(r->ram[0x30001f], 0x5a);
	e.ph[0].p_memsz = UINT32_MAX;
	save(r->kernel, &e, sizeof(e));
	load_fails(r, "loads up to 0x1001fffff; a kernel must lie below 0xc0000000");
	e.ph[0].p_offset = UINT32_MAX;
	save(r->kernel, &e, sizeof(e));
	load_fails(r, "a segment lies outside");
	e = elf32(&wide);
	e.ph[2].p_type = PT_NULL;
	save(r->kernel, &e, sizeof(e));
	load_fails(r,
		   "is an ELF file with no entry that is known here; give, for x86, a bzImage, ");
	for (size_t len = sizeof(e.eh); len < sizeof(e); len += 3) {
		e = elf32(&wide);
		save(r->kernel, &e, len);
		load_fails(r, "--kernel: '");
	}
}

static struct elf linux_elf(uint64_t entry)
{
	struct elf e = elf();

	e.ph[2].p_type = PT_NULL;
	e.eh.e_entry = entry;
	return e;
}

static void an_elf_without_a_note_is_entered_as_linux_is(void **state)
{
	/* where it runs, and where it is linked */
	static const uint64_t entries[] = { 0x200020, 0xffffffff80200020 };
	struct rig *r = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
		struct elf e = linux_elf(entries[i]);

		save_elf(r, &e);
		load(r);
		assert_int_equal(r->entry.mode, BOOT_LONG_64);
		assert_int_equal(r->entry.rip, 0x200020);
		assert_int_equal(r->entry.rsi, LAYOUT_ZERO_PAGE);
		assert_int_equal(r->entry.rsp, LAYOUT_STACK_END);
		assert_int_equal(translate(r, 0x200020), 0x200020);
		assert_memory_equal(r->ram + LAYOUT_ZERO_PAGE + 0x202, "HdrS", 4);
		assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x210, 1), 0xff);
		assert_int_equal(get(r, LAYOUT_ZERO_PAGE + 0x1e8, 1), 3);
		assert_string_equal((char *)r->ram + get(r, LAYOUT_ZERO_PAGE + 0x228, 4), "quiet");
	}
}

static void bss_is_cleared_when_memory_was_used(void **state)
{
	struct rig *r = *state;
	struct elf e = elf();

	save_elf(r, &e);
	memset(r->ram + 0x200000, 0xee, 0x20000);
	load(r);
	assert_int_equal(r->ram[0x20ffff], 0xee);
	r->p.used = true;
	load(r);
	assert_int_equal(r->ram[0x200040], 0);
	assert_int_equal(r->ram[0x20ffff], 0);
	assert_int_equal(r->ram[0x210000], 0xee);
}

/* Megabytes of zeros in a file need not be stored; they must be zeros in memory all the same. */
static void holes_in_the_file_are_zeros(void **state)
{
	struct rig *r = *state;
	struct elf e = elf();
	const uint64_t at = sizeof(e), len = 3 * MIB;

	e.ph[0].p_filesz = e.ph[0].p_memsz = at + len - e.ph[0].p_offset;
	e.ph[1].p_type = PT_NULL;
	save_elf(r, &e);
	assert_int_equal(truncate(r->kernel, (off_t)(at + len)), 0);
	load(r);
	assert_int_equal(r->ram[0x200000 + 63], 0x5a);
	assert_int_equal(get(r, 0x200000 + 64, 8), 0);
	memset(r->ram + 0x200000, 0xee, 4 * MIB);
	r->p.used = true;
	load(r);
	assert_int_equal(r->ram[0x200000 + 63], 0x5a);
	assert_int_equal(get(r, 0x200000 + len / 2, 8), 0);
	assert_int_equal(get(r, 0x200000 + len, 8), 0);
	assert_int_equal(r->ram[0x200000 + e.ph[0].p_filesz], 0xee);
}

static void bad_elfs_are_refused(void **state)
{
	struct rig *r = *state;
	const struct elf good = elf();
	struct elf e;

#define BAD(change, says)            \
	do {                         \
		e = good;            \
		change;              \
		save_elf(r, &e);     \
		load_fails(r, says); \
	} while (0)

	BAD(e.eh.e_machine = EM_AARCH64, "is for aarch64; give one for x86-64, or for i386");
	BAD(e.eh.e_machine = EM_386, "its ELF class does not go with its machine");
	BAD(e.eh.e_ident[EI_CLASS] = 3, "its ELF class does not go with its machine");
	BAD(e.eh.e_ident[EI_CLASS] = ELFCLASS32, "no usable program headers");
	BAD(e.eh.e_machine = 0x9999, "is for ELF machine 39321");
	BAD((e.eh.e_ident[EI_DATA] = ELFDATA2MSB, e.eh.e_machine = GUINT16_TO_BE(EM_S390)),
	    "is for s390");
	BAD(e.eh.e_type = ET_REL, "is an object file");
	BAD(e.eh.e_phnum = 0, "no usable program headers");
	BAD(e.eh.e_phnum = 0xffff, "no usable program headers");
	BAD(e.eh.e_phentsize = 1, "no usable program headers");
	BAD(e.eh.e_phoff = UINT64_MAX - 8, "its program headers lie outside");
	BAD(e.ph[0].p_offset = UINT64_MAX - 8, "a segment lies outside");
	BAD(e.ph[0].p_filesz = 0x8000, "a segment lies outside");
	BAD(e.ph[0].p_memsz = 1, "a segment lies outside");
	BAD(e.ph[0].p_paddr = 0x1000, "has a segment at 0x1000; it must be linked at 0x100000");
	BAD(e.ph[0].p_paddr = 0x9000, "has a segment at 0x9000; it must be linked at 0x100000");
	BAD(e.ph[0].p_memsz = UINT64_MAX, "has a segment at 0x200000");
	BAD(e.ph[0].p_memsz = 100 * MIB, "--memory: 64 MiB are too little");
	BAD((e.ph[0].p_memsz = 100 * MIB, e.ph[1].p_paddr = 200 * MIB), "it needs at least 201M");
	BAD(e.ph[0].p_paddr = 0xbfffff00, "loads up to 0xc000ff00");
	BAD(e.ph[2].p_offset = UINT64_MAX, "its notes lie outside");
	BAD(e.ph[2].p_type = PT_NULL, "is an ELF file with no entry that is known here");
	BAD(e.note.name[0] = 'Y', "no entry that is known here");
	BAD(e.note.nh.n_descsz = UINT32_MAX, "no entry that is known here");
	BAD((e.note.nh.n_namesz = UINT32_MAX), "no entry that is known here");
	BAD((e = linux_elf(0x210000)), "its entry lies in no segment");
	BAD((e = linux_elf(UINT64_MAX)), "its entry lies in no segment");
	BAD((e = linux_elf(0x200000), e.ph[0].p_type = e.ph[1].p_type = PT_NULL),
	    "no segment is to be loaded");
	BAD(e.note.entry = 0x8000, "its PVH entry lies outside");
	BAD(e.note.entry = 0x80000000, "its PVH entry lies outside");
#undef BAD
}

static void every_truncation_of_an_elf_is_refused(void **state)
{
	struct rig *r = *state;
	struct elf e = elf();

	for (size_t len = 1; len < sizeof(e); len += 3) {
		save(r->kernel, &e, len);
		load_fails(r, "--kernel: '");
	}
}

/* ---- multiboot ---- */

#define FLAT_LEN  4096u
#define FLAT_AT   64u /* of the header */
#define FLAT_LOAD (4 * MIB)

/* A file that is no ELF file, with a multiboot header with addresses. */
static void flat(uint8_t k[FLAT_LEN])
{
	memset(k, 0x5a, FLAT_LEN);
	put(k + FLAT_AT, 0x1badb002, 4);
	put(k + FLAT_AT + 4, 0x10003, 4);
	put(k + FLAT_AT + 12, FLAT_LOAD + FLAT_AT - 16, 4); /* 16 bytes are not loaded */
	put(k + FLAT_AT + 16, FLAT_LOAD - 16 + 16, 4);
	put(k + FLAT_AT + 20, 0, 4);
	put(k + FLAT_AT + 24, FLAT_LOAD + 2ul * FLAT_LEN, 4);
	put(k + FLAT_AT + 28, FLAT_LOAD + 256, 4);
}

static void flat_sum(uint8_t *k)
{
	uint32_t flags;

	memcpy(&flags, k + FLAT_AT + 4, sizeof(flags));
	put(k + FLAT_AT + 8, -(0x1badb002u + flags), 4);
}

/* One of four bytes of the header is @value. */
static void save_flat(struct rig *r, unsigned at, uint32_t value)
{
	uint8_t k[FLAT_LEN];

	flat(k);
	if (at)
		put(k + FLAT_AT + at, value, 4);
	flat_sum(k);
	save(r->kernel, k, FLAT_LEN);
}

static const char *text(const struct rig *r, uint64_t gpa)
{
	assert_true(gpa < RAM);
	return (const char *)r->ram + gpa;
}

/* Two modules of the same file, one with words. */
static void add_modules(struct rig *r)
{
	static struct boot_initrd told;

	save(r->initrd, "a module", 8);
	add_initrd(r, r->initrd);
	told = (struct boot_initrd){ .path = r->initrd, .words = (char *)"root vga=1" };
	g_ptr_array_add(r->initrds, &told);
}

static void expect_multiboot(struct rig *r, uint64_t rip, uint64_t end)
{
	uint64_t info = r->entry.rbx, map, mods;
	g_autofree char *name = NULL;

	assert_int_equal(r->entry.mode, BOOT_PROTECTED_32);
	assert_int_equal(r->entry.rip, rip);
	assert_int_equal(r->entry.rax, 0x2badb002);
	assert_int_equal(r->entry.cr0, 0x11);
	assert_int_equal(r->entry.rsp, LAYOUT_STACK_END);
	assert_int_equal(get(r, info, 4), 0x24d);
	assert_int_equal(get(r, info + 4, 4), 640);
	assert_int_equal(get(r, info + 8, 4), RAM / 1024 - 1024);
	assert_int_equal(get(r, LAYOUT_BDA, 2), LAYOUT_SERIAL_PORT);
	assert_int_equal(get(r, LAYOUT_BDA + 0x13, 2), 640);
	assert_string_equal(text(r, get(r, info + 16, 4)), "kernel quiet");
	assert_string_equal(text(r, get(r, info + 64, 4)), "ringside");
	map = get(r, info + 48, 4);
	assert_int_equal(get(r, info + 44, 4), 3 * 24);
	assert_int_equal(get(r, map, 4), 20);
	assert_int_equal(get(r, map + 24 + 4, 8), LAYOUT_ACPI);
	assert_int_equal(get(r, map + 24 + 20, 4), 2);
	assert_int_equal(get(r, info + 20, 4), 2);
	mods = get(r, info + 24, 4);
	assert_int_equal(get(r, mods, 4), end);
	assert_int_equal(get(r, mods + 4, 4), end + 8);
	assert_string_equal(text(r, get(r, mods + 8, 4)), r->initrd);
	assert_int_equal(get(r, mods + 16, 4), end + LAYOUT_PAGE);
	assert_string_equal(text(r, get(r, mods + 24, 4)), "root vga=1");
	assert_memory_equal(r->ram + end, "a module", 8);
	assert_memory_equal(r->ram + end + LAYOUT_PAGE, "a module", 8);
}

/* As boot loaders do that are multiboot kernels themselves (GRUB's image for coreboot: 0x9000). */
static void a_multiboot_kernel_may_lie_low(void **state)
{
	static const struct {
		uint32_t load, end;
		bool fits;
	} cases[] = {
		{ LAYOUT_LOW_KERNEL, 0x10000, true },
		{ 0x9000, LAYOUT_MULTIBOOT, true },
		{ LAYOUT_LOW_KERNEL - 1, 0x10000, false },
		{ 0x9000, LAYOUT_MULTIBOOT + 1, false },
		{ LAYOUT_MULTIBOOT, LAYOUT_MULTIBOOT + FLAT_LEN, false },
		{ LAYOUT_KERNEL - 1, LAYOUT_KERNEL + FLAT_LEN, false },
	};
	struct rig *r = *state;
	uint8_t k[FLAT_LEN];

	add_modules(r);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		flat(k);
		put(k + FLAT_AT + 12, cases[i].load + FLAT_AT, 4);
		put(k + FLAT_AT + 16, cases[i].load, 4);
		put(k + FLAT_AT + 24, cases[i].end, 4);
		put(k + FLAT_AT + 28, cases[i].load + 256, 4);
		flat_sum(k);
		save(r->kernel, k, FLAT_LEN);
		if (!cases[i].fits) {
			load_fails(r, "it must be linked at 0x100000 or above");
			continue;
		}
		load(r);
		expect_multiboot(r, cases[i].load + 256, LAYOUT_KERNEL);
		assert_int_equal(get(r, cases[i].load + FLAT_AT, 4), 0x1badb002);
		assert_int_equal(r->ram[cases[i].load + FLAT_LEN - 1], 0x5a);
	}
}

static void multiboot_loads_a_file_by_addresses(void **state)
{
	struct rig *r = *state;

	save_flat(r, 0, 0);
	add_modules(r);
	memset(r->ram + FLAT_LOAD - 16, 0xee, 3ul * FLAT_LEN);
	r->p.used = true;
	load(r);
	expect_multiboot(r, FLAT_LOAD + 256, FLAT_LOAD + 2ul * FLAT_LEN);
	assert_int_equal(r->ram[FLAT_LOAD - 1], 0xee);
	assert_int_equal(get(r, FLAT_LOAD + FLAT_AT - 16, 4), 0x1badb002);
	assert_int_equal(r->ram[FLAT_LOAD + FLAT_LEN - 17], 0x5a);
	assert_int_equal(r->ram[FLAT_LOAD + FLAT_LEN - 16], 0); /* bss */
	assert_int_equal(r->ram[FLAT_LOAD + 2ul * FLAT_LEN - 1], 0);
}

/* With a header of this protocol at the beginning of its text. */
static struct elf with_header(struct elf e, unsigned version, uint32_t flags)
{
	static const uint32_t two[] = { 0xe85250d6, 0, 24, -(0xe85250d6u + 24), 0, 8 };
	uint32_t one[] = { 0x1badb002, flags, -(0x1badb002u + flags) };

	if (version == 2)
		memcpy(e.text, two, sizeof(two));
	else
		memcpy(e.text + 24, one, sizeof(one));
	return e;
}

static void multiboot_loads_an_elf_file(void **state)
{
	struct rig *r = *state;
	struct elf wide = with_header(linux_elf(0x200030), 1, 3);
	struct elf32 e;

	wide.ph[0].p_offset = offsetof(struct elf, text);
	e = elf32(&wide);
	save(r->kernel, &e, sizeof(e));
	add_modules(r);
	load(r);
	expect_multiboot(r, 0x200030, 0x301000);
	r->p.protocol = "multiboot";
	save_elf(r, &wide); /* of 64 bits: on request */
	load(r);
	expect_multiboot(r, 0x200030, 0x301000);
}

/* The tag of this type, and its size. */
static uint64_t tag(const struct rig *r, uint32_t type, uint32_t *ret_size)
{
	uint64_t at = r->entry.rbx + 8, end = r->entry.rbx + get(r, r->entry.rbx, 4);

	while (at < end) {
		assert_int_equal(at % 8, 0);
		*ret_size = (uint32_t)get(r, at + 4, 4);
		if (get(r, at, 4) == type)
			return at;
		at += (*ret_size + 7) & ~7u;
	}
	fail_msg("no tag %u", type);
	return 0;
}

static void multiboot_2_gives_tags(void **state)
{
	struct rig *r = *state;
	struct elf wide = with_header(linux_elf(0x200030), 2, 0);
	struct elf32 e = elf32(&wide);
	uint32_t size = 0;
	uint64_t at;

	/* where a header may lie */
	assert_int_equal((offsetof(struct elf32, wide) + offsetof(struct elf, text)) % 8, 0);
	save(r->kernel, &e, sizeof(e));
	add_modules(r);
	memcpy(r->ram + LAYOUT_ACPI, "RSD PTR ", 8);
	load(r);
	assert_int_equal(r->entry.mode, BOOT_PROTECTED_32);
	assert_int_equal(r->entry.rip, 0x200030);
	assert_int_equal(r->entry.rax, 0x36d76289);
	at = tag(r, 1, &size);
	assert_string_equal(text(r, at + 8), "kernel quiet");
	assert_int_equal(size, 8 + 13);
	assert_string_equal(text(r, tag(r, 2, &size) + 8), "ringside");
	at = tag(r, 3, &size);
	assert_int_equal(get(r, at + 8, 4), 0x301000);
	assert_int_equal(get(r, at + 12, 4), 0x301008);
	assert_string_equal(text(r, at + 16), r->initrd);
	at += (size + 7) & ~7u;
	assert_int_equal(get(r, at + 8, 4), 0x302000);
	assert_string_equal(text(r, at + 16), "root vga=1");
	at = tag(r, 4, &size);
	assert_int_equal(get(r, at + 8, 4), 640);
	at = tag(r, 6, &size);
	assert_int_equal(size, 16 + 3 * 24);
	assert_int_equal(get(r, at + 8, 4), 24);
	assert_int_equal(get(r, at + 16 + 24, 8), LAYOUT_ACPI);
	assert_memory_equal(r->ram + tag(r, 15, &size) + 8, "RSD PTR ", 8);
	assert_int_equal(size, 8 + 36);
	(void)tag(r, 0, &size);
}

static void bad_multiboot_headers_are_refused(void **state)
{
	static const struct {
		unsigned at;
		uint32_t value;
		const char *says;
	} cases[] = {
		{ 4, 0x10008, "wants features 0x8 of a multiboot loader; known are 0x7" },
		{ 4, 3, "a multiboot header without addresses, and no ELF file" },
		{ 12, 0, "gives addresses before the file" },
		{ 16, FLAT_LOAD - 4096, "gives addresses before the file" },
		{ 20, FLAT_LOAD - 1, "gives addresses behind the file" },
		{ 20, FLAT_LOAD + FLAT_LEN, "gives addresses behind the file" },
		{ 20, UINT32_MAX, "gives addresses behind the file" },
		{ 24, UINT32_MAX, "loads up to 0xffffffff; a kernel must lie below" },
		{ 24, 128 * MIB, "--memory: 64 MiB are too little" },
		{ 28, 0, "its entry lies outside" },
		{ 28, UINT32_MAX, "its entry lies outside" },
	};
	struct rig *r = *state;
	uint8_t k[FLAT_LEN];

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		save_flat(r, cases[i].at, cases[i].value);
		load_fails(r, cases[i].says);
	}
	flat(k);
	put(k + FLAT_AT + 12, 0x10000 + FLAT_AT, 4);
	put(k + FLAT_AT + 16, 0x10000, 4);
	flat_sum(k);
	save(r->kernel, k, FLAT_LEN);
	load_fails(r, "is to be loaded at 0x10000; it must be linked at 0x100000 or above");
	k[FLAT_AT + 8]++; /* the sum is wrong: no header */
	save(r->kernel, k, FLAT_LEN);
	load_fails(r, "is not a kernel");
	flat(k);
	flat_sum(k);
	for (size_t len = 1; len < FLAT_AT + 32; len++) {
		save(r->kernel, k, len);
		load_fails(r, "--kernel: '");
	}
}

static void bad_multiboot_2_headers_are_refused(void **state)
{
	static const struct {
		uint32_t words[12]; /* behind magic and machine: length, sum, tags */
		const char *says;
	} cases[] = {
		{ { 64, 0, 11, 8 }, "wants feature 11 of a multiboot 2 loader" },
		{ { 64, 0, 1, 16, 6, 22 }, "wants information 22 of a multiboot 2 loader" },
		{ { 64, 0, 1, 7 }, "a tag of its multiboot header ends outside" },
		{ { 64, 0, 1, UINT32_MAX }, "a tag of its multiboot header ends outside" },
		{ { 64, 0, 1, 64 }, "a tag of its multiboot header ends outside" },
		{ { 64, 0, 0, 8 }, "a multiboot header without addresses, and no ELF file" },
		{ { 64, 0, 1 << 16 | 11, 8 }, "without addresses, and no ELF" }, /* optional */
		{ { 64, 0, 2, 24, FLAT_LOAD, FLAT_LOAD, 0, 0, 0, 8 }, "but without an entry" },
		{ { 64, 0, 2, 24, FLAT_LOAD + 1, FLAT_LOAD, 0, 0, 3, 16, FLAT_LOAD },
		  "gives addresses before the file" },
		{ { 64, 0, 2, 24, FLAT_LOAD, FLAT_LOAD, 0, 0, 3, 16, 5 }, "entry lies outside" },
	};
	struct rig *r = *state;
	uint8_t k[FLAT_LEN];

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		memset(k, 0, sizeof(k));
		put(k, 0xe85250d6, 4);
		memcpy(k + 8, cases[i].words, sizeof(cases[i].words));
		put(k + 12, -(0xe85250d6u + cases[i].words[0]), 4);
		save(r->kernel, k, FLAT_LEN);
		load_fails(r, cases[i].says);
	}
}

static void bad_modules_are_refused(void **state)
{
	g_autofree char *words = g_strnfill(70000, 'x');
	struct rig *r = *state;

	save_flat(r, 0, 0);
	add_modules(r);
	assert_int_equal(truncate(r->initrd, 60 * MIB), 0);
	load_fails(r, "does not fit behind the kernel; give a larger --memory");
	assert_int_equal(truncate(r->initrd, 8), 0);
	r->p.cmdline = words;
	load_fails(r, "--append, --initrd: what they tell a multiboot kernel takes ");
}

/* A file that offers several: which one is taken, and that the operator can choose. */
static void the_operator_chooses_a_protocol(void **state)
{
	struct rig *r = *state;
	struct elf wide = with_header(elf(), 1, 0);
	struct elf32 e = elf32(&wide);

	save(r->kernel, &e, sizeof(e)); /* as Xen's hypervisor is */
	load(r);
	assert_int_equal(r->entry.rax, 0x2badb002);
	r->p.protocol = "pvh";
	load(r);
	assert_int_equal(r->entry.rax, 0);
	assert_int_equal(r->entry.rbx, LAYOUT_START_INFO);
	r->p.protocol = "multiboot2";
	load_fails(r, "--protocol multiboot2: '");
	load_fails(r, "does not offer it; it offers pvh, multiboot");
	r->p.protocol = NULL;
	wide.eh.e_entry = 0x200000;
	save_elf(r, &wide);
	load(r);
	assert_int_equal(r->entry.rbx, LAYOUT_START_INFO);
	r->p.protocol = "linux";
	load(r);
	assert_int_equal(r->entry.mode, BOOT_LONG_64);
	assert_int_equal(r->entry.rip, 0x200000);
	for (unsigned i = 0; boot_protocols[i]; i++) {
		r->p.protocol = boot_protocols[i];
		save(r->kernel, "nothing", 7);
		load_fails(r, "does not offer it; it offers none");
	}
}

/* ---- compressed ---- */

/* What @command, which may begin with a pipe, makes of the kernel takes its place. */
static void compress(struct rig *r, const char *command)
{
	g_autofree char *line = g_strdup_printf("(%s) <kernel >packed && mv packed kernel",
						command);
	const char *argv[] = { "/bin/sh", "-ec", line, NULL };
	GError *err = NULL;
	int status;

	if (!g_spawn_sync(r->dir, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
			  &status, &err))
		fail_msg("%s", err->message);
	assert_int_equal(status, 0);
}

static const char *const compressors[] = {
	"gzip -c",  "bzip2 -c", "xz -c", "zstd -qc", "xz -c --check=none --block-size=2K",
	"gzip -1c", "bzip2 -1c"
};

/* 3 MiB, half of them zeros, and not as easy to compress as that. */
static struct elf save_large_elf(struct rig *r)
{
	struct elf e = elf();
	g_autofree uint8_t *file = g_malloc0(3 * MIB);
	uint32_t x = 1;

	e.ph[0].p_filesz = e.ph[0].p_memsz = 3 * MIB - e.ph[0].p_offset;
	e.ph[1].p_type = PT_NULL;
	for (size_t i = sizeof(e); i < 3 * MIB; i++) {
		x = x * 1664525 + 1013904223;
		if (i / (512 << 10) % 2)
			file[i] = (uint8_t)(x >> (x >> 29) >> 3);
	}
	memcpy(file, &e, sizeof(e));
	save(r->kernel, file, 3 * MIB);
	return e;
}

static void compressed_kernels_are_unpacked(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(compressors); i++) {
		struct elf e = save_large_elf(r);
		g_autofree char *plain = NULL;
		gsize len;

		assert_true(g_file_get_contents(r->kernel, &plain, &len, NULL));
		compress(r, compressors[i]);
		memset(r->ram + 0x200000, 0, 4 * MIB);
		load(r);
		assert_int_equal(r->entry.rip, 0x200010);
		assert_memory_equal(r->ram + 0x200000, plain + e.ph[0].p_offset,
				    3 * MIB - e.ph[0].p_offset);
		save_good_bzimage(r);
		compress(r, compressors[i]);
		load(r);
		assert_int_equal(r->entry.rip, 16 * MIB + 0x200);
	}
}

/* Streams one behind the other are one file; what else follows is passed over. */
static void what_follows_a_stream(void **state)
{
	struct rig *r = *state;
	static const char *const more[] = {
		"head -c 2000 kernel | %s && tail -c +2001 kernel | %s",
		"%s && printf '\\1\\2\\3\\4'",
	};

	for (unsigned m = 0; m < G_N_ELEMENTS(more); m++)
		for (unsigned i = 0; i < 4; i++) {
			g_auto(GStrv) parts = g_strsplit(more[m], "%s", -1);
			g_autofree char *command = g_strjoinv(compressors[i], parts);

			save_good_bzimage(r);
			compress(r, command);
			load(r);
			assert_int_equal(r->entry.rip, 16 * MIB + 0x200);
			assert_int_equal(r->ram[16 * MIB + PAYLOAD - 1], 0x5a);
		}
}

static void damaged_streams_are_refused(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 4; i++) {
		g_autofree char *bytes = NULL;
		gsize len;

		save_good_bzimage(r);
		compress(r, compressors[i]);
		assert_true(g_file_get_contents(r->kernel, &bytes, &len, NULL));
		for (size_t n = len > 40 ? len - 40 : 7; n < len; n++) {
			save(r->kernel, bytes, n);
			load_fails(r, "give a complete one");
		}
		save(r->kernel, bytes, 7);
		load_fails(r, "is truncated; give a complete one");
		memset(bytes + len / 2, 0xff, 5);
		save(r->kernel, bytes, len);
		load_fails(r, "is damaged; give a complete one");
	}
}

static void a_bomb_is_refused(void **state)
{
	static const char *const bombs[] = { "head -c 80M /dev/zero | gzip -c",
					     "head -c 80M /dev/zero | bzip2 -c",
					     "head -c 80M /dev/zero | xz -1c",
					     "head -c 80M /dev/zero | zstd -qc" };
	struct rig *r = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(bombs); i++) {
		save(r->kernel, "", 0);
		compress(r, bombs[i]);
		load_fails(r, "unpacks to more than 64 MiB; give a larger --memory");
	}
	save_good_bzimage(r);
	compress(r, "gzip -c | xz -c");
	load_fails(r, "is compressed twice");
	save_good_bzimage(r);
	compress(r, "xz --lzma2=dict=1GiB -c");
	load_fails(r, "compressed by xz, wants more memory than an unpacker gets");
	save_good_bzimage(r);
	compress(r, "zstd -q -c --ultra --long=31");
	load_fails(r, "compressed by zstd, wants more memory than an unpacker gets");
}

/* ---- files that are no kernels ---- */

static void strangers_are_called_by_name(void **state)
{
	static const struct {
		unsigned at;
		const char *magic, *says;
	} cases[] = {
		{ 0x38, "ARM\x64", "is a kernel for aarch64; give, for x86, a bzImage, an ELF" },
		{ 0x38, "RSC\x05", "is a kernel for riscv64" },
		{ 0, "\x1f\x8b", "compressed by gzip, is damaged" },
		{ 0, "\x02\x21\x4c\x18", "is compressed by lz4; give" },
		{ 0, "\x89LZO", "is compressed by lzop; give" },
		{ 0, "#!/bin/sh", "a multiboot 2 kernel, a multiboot kernel or a 64-bit ELF" },
		{ 0, "#!/bin/sh", "; plain, or compressed by gzip, bzip2, xz, zstd" },
		{ 0, "MZ", "is an EFI program" },
		{ 0, "#!/bin/sh", "is not a kernel" },
	};
	uint8_t file[4096];
	struct rig *r = *state;

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		memset(file, 0, sizeof(file));
		memcpy(file + cases[i].at, cases[i].magic, strlen(cases[i].magic));
		save(r->kernel, file, sizeof(file));
		load_fails(r, cases[i].says);
	}
}

static void unusable_files_are_refused(void **state)
{
	struct rig *r = *state;

	load_fails(r, "--kernel: '");
	load_fails(r, "does not exist; give the path of a file");
	save(r->kernel, "", 0);
	load_fails(r, "is empty; give a bzImage or an ELF kernel");
	save(r->kernel, "short", 5);
	load_fails(r, "is too short to be a kernel");
	r->take = r->dir;
	load_fails(r, "is a directory; give a bzImage");
	r->take = "/dev/null";
	load_fails(r, "is neither a regular file nor a pipe");
	save_good_bzimage(r);
	assert_int_equal(chmod(r->kernel, 0), 0);
	r->take = r->kernel;
	if (geteuid() != 0) /* root may read it all the same */
		load_fails(r, "--kernel: cannot open '");
}

static void memory_that_is_missing_is_an_error(void **state)
{
	struct rig *r = *state;
	struct elf e = elf();

	r->mem.region[0].len = 2 * MIB; /* less than mem_size promises */
	save_elf(r, &e);
	load_fails(r, "--kernel: needs memory at 0x200000");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bzimage_is_entered_in_long_mode),
		TEST(zero_page_answers_the_header),
		TEST(memory_map_leaves_the_holes_out),
		TEST(first_4_gib_are_mapped_one_to_one),
		TEST(initrd_goes_to_the_top),
		TEST(initrds_lie_one_behind_the_other),
		TEST(bad_initrds_are_refused),
		TEST(command_line_has_a_limit),
		TEST(too_little_memory_says_how_much_is_needed),
		TEST(bad_bzimages_are_refused),
		TEST(a_32_bit_bzimage_is_entered_at_its_beginning),
		TEST(an_older_bzimage_lies_where_it_says),
		TEST(every_truncation_of_a_bzimage_is_refused),
		TEST(elf_is_entered_in_protected_mode),
		TEST(a_32_bit_elf_is_entered_alike),
		TEST(an_elf_without_a_note_is_entered_as_linux_is),
		TEST(bss_is_cleared_when_memory_was_used),
		TEST(holes_in_the_file_are_zeros),
		TEST(bad_elfs_are_refused),
		TEST(every_truncation_of_an_elf_is_refused),
		TEST(multiboot_loads_a_file_by_addresses),
		TEST(a_multiboot_kernel_may_lie_low),
		TEST(multiboot_loads_an_elf_file),
		TEST(multiboot_2_gives_tags),
		TEST(bad_multiboot_headers_are_refused),
		TEST(bad_multiboot_2_headers_are_refused),
		TEST(bad_modules_are_refused),
		TEST(the_operator_chooses_a_protocol),
		TEST(compressed_kernels_are_unpacked),
		TEST(what_follows_a_stream),
		TEST(damaged_streams_are_refused),
		TEST(a_bomb_is_refused),
		TEST(strangers_are_called_by_name),
		TEST(unusable_files_are_refused),
		TEST(memory_that_is_missing_is_an_error),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
