/*
 * Whether a guest's processors are halted or stuck in a loop, as they are after a panic.
 *
 * What Linux does then (kernel/panic.c and arch/x86/kernel/smp.c, alike from 4.x to 6.12): the
 * other processors are stopped, and halt for good with interrupts off. The one that panicked goes
 * on for ever in a loop that waits 100 ms, blinks a keyboard's lights if there are any, and waits
 * again, in kernel mode and with interrupts ON: its timer still ticks. So it is not halted; and of
 * some looks at it nearly all find it in the few instructions of the delay loop. Other kernels halt
 * with interrupts off.
 *
 * A guest that lives is found otherwise at one of the looks: halted with interrupts on (idle), in
 * user mode, on several processors at once, or in different places. What remains is one that is
 * busy in one short loop of its kernel all the time: it polls instead of halting (idle=poll), or
 * fills pages. It is asked: platform_probe() raises the interrupt of the ACPI event device, whose
 * driver answers from a thread, and after a panic no thread runs any more. A guest that polls in
 * its kernel, on one processor, has no driver for ACPI events, and shows an old log's end as its
 * last words is taken for one that panicked.
 */
#pragma once

#include "vmm/kvm/vcpu.h"

#define PANIC_LOOKS 10u

struct panic_looks {
	bool lives;
	bool spins;        /* a processor was not halted: */
	unsigned spinner;  /* this one */
	unsigned n_places; /* where it was found */
	uint64_t place[PANIC_LOOKS];
};

/* Processor @cpu was found like this; all of them at each look, up to PANIC_LOOKS looks. False: the
 * guest lives. */
bool panic_looks_add(struct panic_looks *l, unsigned cpu, const struct vcpu_look *look);

/* After the last look: its processors are halted or stuck in a loop. */
bool panic_looks_stuck(const struct panic_looks *l);
