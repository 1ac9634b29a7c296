/*
 * What the protocols (boot-linux.c, boot-bzimage.c, boot-pvh.c, ...) share with boot.c and
 * boot-elf.c. Not for anyone else.
 *
 * A protocol works in steps that boot.c sees: it says where the kernel lies, it asks for command
 * line and initrd to be placed beside it, it has the kernel copied, and it writes its own
 * structures.
 */
#pragma once

#include <elf.h>

#include "vmm/x86/boot.h"

#define BOOT_HEAD 4096 /* how much of the file is read to tell what it is */

#define BOOT_ELF_SEGMENTS 64

/* An ELF file as far as it was understood: 32-bit headers are widened. */
struct boot_elf {
	bool is_64;
	unsigned n;
	Elf64_Phdr ph[BOOT_ELF_SEGMENTS];
	uint64_t entry; /* of its header, a virtual address in some */
	uint64_t pvh;   /* the entry that its PVH note names; 0: it has none */
};

/* Everything about one boot_load(). */
struct boot_job {
	const struct boot_params *p;
	const struct gmem *mem;
	struct boot_files *files;
	const struct boot_file *kernel;
	uint8_t head[BOOT_HEAD];
	size_t head_len;
	bool is_elf;
	struct boot_elf elf; /* if it is */
	uint64_t low_end;    /* first address behind the RAM below the hole */
	bool low;            /* the protocol leaves LAYOUT_LOW_KERNEL to the kernel */
	uint64_t kernel_at;  /* its first address */
	uint64_t kernel_end; /* first address behind the kernel and its working memory */
	uint64_t initrd, initrd_len;
};

/* A way to enter a kernel, by a kind of file. */
struct boot_protocol {
	const char *name; /* as --protocol takes it; some have several rows */
	const char *file; /* what it wants, for messages: "a bzImage" */
	/* Does the kernel offer it? */
	bool (*offered)(const struct boot_job *job);
	/* It is, and yet another one is better where the operator has not chosen; may be NULL. */
	bool (*yields)(const struct boot_job *job);
	/* False with @err if it cannot be kept. */
	bool (*load)(struct boot_job *job, struct boot_entry *ret_entry, GError **err);
};

extern const struct boot_protocol boot_bzimage, boot_pvh, boot_multiboot2, boot_multiboot,
	boot_linux_elf;

/* Memory map entries, numbered as all protocols number them (e820). */
enum { BOOT_RAM = 1, BOOT_RESERVED = 2 };

#define BOOT_MAP_MAX 64

struct boot_map_entry {
	uint64_t base, len;
	uint32_t type;
};

/* Fills @map with the machine's memory; returns the number of entries. */
unsigned boot_map(const struct boot_job *job, struct boot_map_entry map[BOOT_MAP_MAX]);

/* Reads a piece of @file (kernel or initrd) into guest memory at @gpa. False with @err if the file
 * ends early, cannot be read, or the place is not RAM. */
bool boot_read(const struct boot_job *job, const struct boot_file *file,
	       const struct boot_range *from, uint64_t gpa, GError **err);

/* Makes @len bytes at @gpa zero, where they are not yet. False with @err if they are not RAM. */
bool boot_clear(const struct boot_job *job, uint64_t gpa, uint64_t len, GError **err);

/* Reads a piece of the kernel's file into our own memory. False if it lies outside. */
bool boot_peek(const struct boot_job *job, uint64_t off, void *dst, size_t len);

/* False with @err (--memory, and how much would do) unless the RAM below the hole reaches up to
 * @end. */
bool boot_need(const struct boot_job *job, uint64_t end, GError **err);

/* Places the initrds, if there are any, one behind the other as Linux takes them, as high as
 * possible below @limit and above the kernel. */
bool boot_load_initrd(struct boot_job *job, uint64_t limit, GError **err);

/* Writes the command line; @max is the longest the kernel takes, without the NUL. */
bool boot_load_cmdline(const struct boot_job *job, uint64_t max, GError **err);

/* The kernel's file is not what it seems: false with @err, which says @what is wrong. */
bool boot_broken(const struct boot_job *job, const char *what, GError **err);

/*
 * ---- ELF files (boot-elf.c) ----
 */

/* If the file is one: reads its headers and notes into job->elf. False with @err where they are
 * not to be used, or for another machine. */
bool boot_elf_open(struct boot_job *job, GError **err);

/* A part of the kernel, at @base: false, changing nothing, if no kernel may be there. Else it is
 * between job->kernel_at and job->kernel_end. */
bool boot_take_place(struct boot_job *job, uint64_t base, uint64_t end);

/* Where its segments go: checks all of them against file and RAM, and sets job->kernel_end. */
bool boot_elf_place(struct boot_job *job, GError **err);

/* Copies them there. */
bool boot_elf_load(const struct boot_job *job, GError **err);

/* The physical address of entry @addr, which may be given as a virtual one; 0: it lies in no
 * segment. */
uint64_t boot_elf_entry(const struct boot_elf *elf, uint64_t addr);

/*
 * ---- entries ----
 */

/* Flat protected mode without paging, at @rip; no selector can be loaded again. */
struct boot_entry boot_enter_protected(uint64_t rip);

/* Linux's zero page (boot-linux.c), with @len bytes of @header at its place, BOOT_LINUX_HEADER. */
#define BOOT_LINUX_HEADER     0x1f1u
#define BOOT_LINUX_HEADER_MAX (0x290u - BOOT_LINUX_HEADER) /* the page has other things behind */

void boot_linux_zero_page(const struct boot_job *job, const void *header, size_t len);

/* Enters Linux at @rip: in long mode, or by the 32-bit protocol. */
struct boot_entry boot_linux_enter(const struct boot_job *job, enum boot_mode mode, uint64_t rip);
