/*
 * What the two loaders (boot-bzimage.c, boot-elf.c) share with boot.c. Not for anyone else.
 *
 * A loader works in three steps that boot.c sees: it places the kernel, it asks for the initrd to
 * be placed beside it, and it writes its protocol's structures.
 */
#pragma once

#include "vmm/x86/boot.h"

#define BOOT_HEAD 4096 /* how much of the file is read to tell what it is */

/* Everything about one boot_load(). */
struct boot_job {
	const struct boot_params *p;
	const struct gmem *mem;
	struct boot_files *files;
	int fd;             /* of the kernel */
	uint64_t file_size; /* of the kernel */
	uint8_t head[BOOT_HEAD];
	size_t head_len;
	uint64_t low_end;    /* first address behind the RAM below the hole */
	uint64_t kernel_end; /* first address behind the kernel and its working memory */
	uint64_t initrd, initrd_len;
};

/* Memory map entries, numbered as both protocols number them (e820). */
enum { BOOT_RAM = 1, BOOT_RESERVED = 2 };

#define BOOT_MAP_MAX 64

struct boot_map_entry {
	uint64_t base, len;
	uint32_t type;
};

/* Fills @map with the machine's memory; returns the number of entries. */
unsigned boot_map(const struct boot_job *job, struct boot_map_entry map[BOOT_MAP_MAX]);

/* Reads a piece of a file (kernel or initrd) into guest memory at @gpa. False with @err if the file
 * ends early, cannot be read, or the place is not RAM. */
bool boot_read(const struct boot_job *job, int fd, const struct boot_range *from, uint64_t gpa,
	       GError **err);

/* False with @err (--memory, and how much would do) unless the RAM below the hole reaches up to
 * @end. */
bool boot_need(const struct boot_job *job, uint64_t end, GError **err);

/* Places the initrd, if there is one, as high as possible below @limit and above the kernel. */
bool boot_load_initrd(struct boot_job *job, uint64_t limit, GError **err);

/* Writes the command line; @max is the longest the kernel takes, without the NUL. */
bool boot_load_cmdline(const struct boot_job *job, uint64_t max, GError **err);

bool boot_is_bzimage(const struct boot_job *job);
bool boot_load_bzimage(struct boot_job *job, struct boot_entry *ret_entry, GError **err);

bool boot_is_elf(const struct boot_job *job);
bool boot_load_elf(struct boot_job *job, struct boot_entry *ret_entry, GError **err);
