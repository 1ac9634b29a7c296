/*
 * Names for the guest's addresses, out of the symbol table of an ELF file (--symbols vmlinux).
 *
 * A kernel that moves itself (Linux with KASLR) is elsewhere than its file says. By how much can be
 * told if the file has the function that the system call instruction enters ("entry_SYSCALL_64")
 * and the processor says where that is, which Linux tells it early in its start. Before, and for
 * other kernels, addresses are taken to be the file's: nokaslr on Linux's command line makes them
 * so.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

struct symbols;

/* Reads all there are. NULL with a usage error that begins with "--symbols". */
struct symbols *symbols_open(const char *path, GError **err);
void symbols_free(struct symbols *s); /* NULL is fine */

/* "NAME+0x12" of the function or label that @addr is in, or NULL. @system_call: where the system
 * call instruction enters the kernel, 0: not known. Free with g_free(). */
char *symbols_name(const struct symbols *s, uint64_t addr, uint64_t system_call);
