/* Names for addresses, out of this program's own symbol table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/symbols.h"

#define SELF   "/proc/self/exe"
#define MOVED  0x1000000u
#define SMALL  4096u
#define ROUNDS 20000u

extern const char __executable_start[]; /* the linker's: where address 0 of the file is */

void entry_SYSCALL_64(void); /* Linux's name */

void entry_SYSCALL_64(void)
{
}

/* The address that the file has for @function. */
static uint64_t in_file(void (*function)(void))
{
	return (uintptr_t)function - (uintptr_t)__executable_start;
}

static struct symbols *open_self(void)
{
	GError *err = NULL;
	struct symbols *s = symbols_open(SELF, &err);

	assert_null(err);
	assert_non_null(s);
	return s;
}

static void assert_name(const struct symbols *s, uint64_t addr, uint64_t entry, const char *name)
{
	g_autofree char *found = symbols_name(s, addr, entry);

	if (g_strcmp0(found, name) != 0)
		fail_msg("%#lx is '%s', not '%s'", addr, found, name);
}

static void an_address_is_in_its_function(void **state)
{
	struct symbols *s = open_self();
	uint64_t entry = in_file(entry_SYSCALL_64);

	(void)state;
	assert_name(s, entry, 0, "entry_SYSCALL_64+0x0");
	assert_name(s, entry + 1, entry, "entry_SYSCALL_64+0x1");
	assert_name(s, UINT64_MAX, 0, NULL);
	symbols_free(s);
}

/* By how much, the system calls' entry tells; a distance that no kernel moves by is another
 * kernel's. */
static void a_kernel_that_moved_itself_is_found(void **state)
{
	struct symbols *s = open_self();
	uint64_t entry = in_file(entry_SYSCALL_64);

	(void)state;
	assert_name(s, entry + MOVED, entry + MOVED, "entry_SYSCALL_64+0x0 (moved)");
	assert_name(s, entry, entry + 0x1234, NULL);
	assert_name(s, entry, entry - MOVED, NULL);
	symbols_free(s);
}

static void refused(const char *path, const char *says)
{
	g_autoptr(GError) err = NULL;

	assert_null(symbols_open(path, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, says))
		fail_msg("'%s' says '%s', not '%s'", path, err->message, says);
}

static void what_has_no_symbols_is_refused(void **state)
{
	(void)state;
	refused("/nowhere", "--symbols /nowhere: No such file");
	refused("/", "no ELF file with a symbol table");
	refused("/proc/self/cmdline", "no ELF file with a symbol table");
	refused("/bin/sh",
		"no ELF file with a symbol table; a kernel's is its vmlinux, not stripped");
}

/* A small file of either class, with one function "abc" of 16 bytes at 0x1000. */
static void make_wide(uint8_t *file)
{
	Elf64_Ehdr e = { .e_ident = ELFMAG, .e_shoff = 128, .e_shnum = 2, .e_shentsize = 64 };
	Elf64_Shdr sections[] = {
		{ .sh_type = SHT_SYMTAB, .sh_offset = 512, .sh_size = 48, .sh_link = 1 },
		{ .sh_type = SHT_STRTAB, .sh_offset = 1024, .sh_size = 5 },
	};
	Elf64_Sym sym = {
		.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x1000, .st_size = 16
	};

	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(file, &e, sizeof(e));
	memcpy(file + 128, sections, sizeof(sections));
	memcpy(file + 512 + sizeof(sym), &sym, sizeof(sym));
	memcpy(file + 1024, "\0abc", 5);
}

static void make_narrow(uint8_t *file)
{
	Elf32_Ehdr e = { .e_ident = ELFMAG, .e_shoff = 128, .e_shnum = 2, .e_shentsize = 40 };
	Elf32_Shdr sections[] = {
		{ .sh_type = SHT_SYMTAB, .sh_offset = 512, .sh_size = 32, .sh_link = 1 },
		{ .sh_type = SHT_STRTAB, .sh_offset = 1024, .sh_size = 5 },
	};
	Elf32_Sym sym = {
		.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x1000, .st_size = 16
	};

	e.e_ident[EI_CLASS] = ELFCLASS32;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(file, &e, sizeof(e));
	memcpy(file + 128, sections, sizeof(sections));
	memcpy(file + 512 + sizeof(sym), &sym, sizeof(sym));
	memcpy(file + 1024, "\0abc", 5);
}

static void both_classes_of_elf_are_read(void **state)
{
	static void (*const make[])(uint8_t * file) = { make_wide, make_narrow };
	g_autofree char *dir = g_dir_make_tmp("symbols.XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "elf", NULL);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(make); i++) {
		uint8_t file[SMALL] = { 0 };
		struct symbols *s;

		make[i](file);
		assert_true(g_file_set_contents(path, (const char *)file, SMALL, NULL));
		s = symbols_open(path, NULL);
		assert_non_null(s);
		assert_name(s, 0x100f, 0, "abc+0xf");
		assert_name(s, 0x1010, 0, NULL);
		assert_name(s, 0xfff, 0, NULL);
		symbols_free(s);
	}
	g_unlink(path);
	g_rmdir(dir);
}

/* Whatever the file says, what is read is in it (the sanitizers see the rest). */
static void no_file_is_believed(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("symbols.XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "elf", NULL);
	FILE *f = fopen(path, "w+");
	uint32_t seed = 1, opened = 0;

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t file[SMALL] = { 0 };
		struct symbols *s;

		(i % 2 ? make_wide : make_narrow)(file);
		for (unsigned k = 0; k < 1 + i % 3; k++) {
			seed = seed * 1664525u + 1013904223u;
			file[(seed >> 16) % 640] = (uint8_t)(seed >> 8);
		}
		rewind(f);
		assert_int_equal(fwrite(file, 1, SMALL, f), SMALL);
		assert_int_equal(fflush(f), 0);
		s = symbols_open(path, NULL);
		opened += s != NULL;
		if (s)
			g_free(symbols_name(s, 0x1000, 0));
		symbols_free(s);
	}
	fclose(f);
	assert_in_range(opened, 1, ROUNDS - 1);
	g_unlink(path);
	g_rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_in_its_function),
		cmocka_unit_test(a_kernel_that_moved_itself_is_found),
		cmocka_unit_test(what_has_no_symbols_is_refused),
		cmocka_unit_test(both_classes_of_elf_are_read),
		cmocka_unit_test(no_file_is_believed),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
