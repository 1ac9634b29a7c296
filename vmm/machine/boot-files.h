/*
 * The files of a boot: the kernel, and any number of initrds. Who boots repeatedly keeps them open:
 * by the next time the process may not be allowed to open any.
 *
 * What is not a regular file is copied into memory of ours (a memfd) when it is opened: the bytes
 * of a pipe, or a folder as an initramfs (initramfs.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* An initrd, or a module, as the operator names it. */
struct boot_initrd {
	char *path;
	char *words; /* what a multiboot kernel is told of it; NULL: its path */
	bool folder; /* to make an initramfs of */
};

/* NULL is fine. */
void boot_initrd_free(struct boot_initrd *initrd);

/* An open one. */
struct boot_file {
	int fd; /* -1: closed */
	uint64_t size;
	char *name;  /* for messages */
	char *words; /* of a boot_initrd */
};

struct boot_files {
	struct boot_file kernel;
	struct boot_file *initrd;
	unsigned n_initrds;
};

#define BOOT_FILES_NONE ((struct boot_files){ .kernel = { .fd = -1 } })

/* Opens a file that boots, for reading and without waiting for who writes a pipe. -1 with an error
 * that begins with @option. */
int boot_file_open(const char *option, const char *path, GError **err);

/*
 * Opens them; @initrds, of struct boot_initrd, may be NULL. What has to be copied may have @limit
 * bytes (what fits into the guest). Waits for who writes a pipe; SIGINT, SIGTERM, SIGHUP and
 * SIGQUIT then act even if the caller has them blocked. False with an error that names the option.
 */
bool boot_files_open(struct boot_files *files, const char *kernel, const GPtrArray *initrds,
		     uint64_t limit, GError **err);
void boot_files_close(struct boot_files *files);
