/*
 * What the debugger's server asks of the processor's architecture: its registers, as GDB numbers
 * them. vmm/x86/gdb-regs.c answers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All registers one after the other, in the order of their numbers, as the packets g and G have
 * them: the size of that. */
size_t gdb_regs_size(void);
#define GDB_REGS_MAX 1024u /* bytes: more than gdb_regs_size() */

/* Where register @n is in it, and how many bytes it has. False: there is no such register. */
bool gdb_reg_at(unsigned n, size_t *ret_at, size_t *ret_len);

/* The target description (XML) that names them; free with g_free(). */
char *gdb_target_description(void);

/* The breakpoint instruction. */
#define GDB_BREAK_LEN_MAX 4u
extern const uint8_t gdb_break_instruction[];
extern const size_t gdb_break_len;

/* Of a vCPU that is paused. 0 or -errno. */
int gdb_regs_read(int vcpu, uint8_t *regs);
int gdb_regs_write(int vcpu, const uint8_t *regs);
