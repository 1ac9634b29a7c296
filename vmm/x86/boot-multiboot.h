/*
 * What the two multiboot protocols share: a header somewhere in the file's first kilobytes, kernels
 * that are loaded by addresses in it instead of an ELF file's, modules, and the information that is
 * put together in one place.
 */
#pragma once

#include "vmm/x86/boot-int.h"

/*
 * Finds the header: 32-bit words that begin with @magic at a multiple of @align, below @end, and of
 * which the first @words add up to 0. Returns its place in the file, or -1.
 */
struct multiboot_search {
	uint32_t magic;
	unsigned align, words;
	size_t end;
};
int64_t multiboot_find(const struct boot_job *job, const struct multiboot_search *s);

/* The addresses of a header, for a file that is no ELF file or does not want to be loaded as one.
 */
struct multiboot_flat {
	uint64_t at; /* the header, in the file */
	uint32_t header, load, load_end, bss_end;
};

/* Where the kernel goes: sets job->kernel_end, and *ret_from to what is to be copied to flat->load.
 * False with @err. */
bool multiboot_flat_place(struct boot_job *job, const struct multiboot_flat *flat,
			  struct boot_range *ret_from, GError **err);

/* Copies it. */
bool multiboot_flat_load(const struct boot_job *job, const struct multiboot_flat *flat,
			 const struct boot_range *from, GError **err);

/* A module in guest memory. */
struct multiboot_module {
	uint32_t base, end;
};

/* Copies the initrds to pages behind the kernel, each for itself: the first is ret[0]. */
bool multiboot_modules(struct boot_job *job, struct multiboot_module *ret, GError **err);

/* Room for as many as there are initrds; free with g_array_unref(). */
GArray *multiboot_module_room(const struct boot_job *job);

/* What the kernel is told of module @i, and its own command line, which begins with its file's
 * name; free the latter with g_free(). */
const char *multiboot_words(const struct boot_job *job, unsigned i);
char *multiboot_cmdline(const struct boot_job *job);

/* KiB of RAM from 1 MiB on. */
uint32_t multiboot_upper(const struct boot_job *job);
#define MULTIBOOT_LOWER (LAYOUT_LOW_RAM_END / 1024)

#define MULTIBOOT_LOADER "ringside"

/* Puts the information into its place. False with @err where it is too much. */
bool multiboot_put(const struct boot_job *job, const GByteArray *info, GError **err);

/* A number, of 32 bits, at the end of @info. */
void multiboot_word(GByteArray *info, uint32_t value);
