/*
 * Puts a kernel, its initrd and its command line into guest memory and says how to start it.
 *
 * How a kernel is entered is known by what its file contains, whatever its name: a Linux bzImage,
 * an ELF file with a PVH note, or one that is entered as Linux is. A row of boot.c's table for
 * each; boot-*.c has what each finds at its entry. Nothing here knows KVM.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/gmem.h"
#include "vmm/machine/boot-files.h"

struct boot_range {
	uint64_t base, len;
};

struct boot_params {
	struct boot_files *files;          /* open */
	const char *protocol;              /* by name (boot_protocols); NULL: the kernel's best */
	const char *cmdline;               /* NULL is the empty one */
	uint64_t mem_size;                 /* bytes of RAM; laid out as in vmm/x86/layout.h */
	uint64_t rsdp;                     /* what acpi_build() returned */
	const struct boot_range *reserved; /* for the memory map: regions that are no RAM (ECAM) */
	unsigned n_reserved;
	bool used; /* the memory holds an earlier run: what must be zero has to be made so */
};

enum boot_mode {
	BOOT_LONG_64,
	BOOT_PROTECTED_32,
};

/* A segment register with its hidden part, in the terms of the descriptor. */
struct boot_segment {
	uint64_t base;
	uint32_t limit; /* in bytes */
	uint16_t selector;
	uint8_t type;     /* of 16; always present, privilege level 0 */
	bool system;      /* a task state, not code or data */
	bool wide, lng;   /* D/B and L */
	bool granularity; /* limit counts pages in the descriptor */
};

/* What the first processor starts with; registers not named are 0, interrupts are off. */
struct boot_entry {
	enum boot_mode mode;
	uint64_t rip, rsp, rax, rbx, rsi; /* rsp: a small stack, which no protocol promises */
	uint64_t rflags;
	uint64_t cr0, cr3, cr4, efer;
	uint64_t gdt_base;
	uint16_t gdt_limit;
	struct boot_segment code; /* cs */
	struct boot_segment data; /* ds, es, fs, gs, ss */
	struct boot_segment task; /* tr */
};

/* The protocols' names, the last one NULL. */
extern const char *const boot_protocols[];

/* Model-specific registers that firmware would set on every processor, else Linux turns PAT off
 * and complains about slow string instructions. */
struct boot_msr {
	uint32_t index;
	uint64_t value;
};
extern const struct boot_msr boot_msrs[];
extern const unsigned boot_n_msrs;

/*
 * Loads everything @p has. On success *ret_entry tells how to start it. Otherwise false, and one
 * line in @err that names the option to change; the memory's contents are then of no use.
 */
bool boot_load(const struct boot_params *p, const struct gmem *mem, struct boot_entry *ret_entry,
	       GError **err);
