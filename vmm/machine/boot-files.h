/*
 * The files of a boot. Who boots repeatedly keeps them open: by the next time the process may not
 * be allowed to open any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct boot_files {
	struct boot_file {
		int fd; /* -1: closed */
		uint64_t size;
	} kernel, initrd;
};

#define BOOT_FILES_NONE ((struct boot_files){ { -1, 0 }, { -1, 0 } })

/* Opens them; @initrd may be NULL. False with an error that names the option. */
bool boot_files_open(struct boot_files *files, const char *kernel, const char *initrd,
		     GError **err);
void boot_files_close(struct boot_files *files);
