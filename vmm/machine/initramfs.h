/*
 * An initramfs out of a folder: what --initrd-dir gives a kernel, in the kernel's own format (the
 * cpio variant "newc", Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * The same folder gives the same bytes: entries are in the order of their names, inode numbers
 * count from 1, and there are no times. Modes are kept, and so are owners, but what belongs to the
 * user who runs this is root's in there. Symbolic links, device nodes, fifos and sockets are what
 * they were, hard links share one inode. Mounts below the folder are part of it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct boot_file;

/* Makes one of @folder, of at most @limit bytes, in memory of ours. False with an error that names
 * the option, --initrd-dir, and the file; *ret_file is then to be closed all the same. */
bool initramfs_make(const char *folder, uint64_t limit, struct boot_file *ret_file, GError **err);
