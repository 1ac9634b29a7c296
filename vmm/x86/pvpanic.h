/*
 * The panic device of paravirtual machines (QEMU, docs/specs/pvpanic.rst): one I/O port by which a
 * kernel tells that it panicked. Linux's driver for it is a module that is loaded by the ACPI name
 * QEMU0001; what it writes is certain, where printed text (vmm/machine/panic-text.h) is only a
 * hint. Reading tells which bits are understood.
 *
 * May be called from any thread; so are the callbacks, on the one that wrote.
 */
#pragma once

#include "transport/board.h"

struct pvpanic_ops {
	void (*panicked)(void *opaque);     /* and stands, or is about to reset */
	void (*crash_loaded)(void *opaque); /* a crash kernel takes over: the guest goes on */
};

struct pvpanic {
	const struct pvpanic_ops *ops;
	void *opaque;
	struct board_region region; /* for the board; its opaque is this struct */
};

/* @ops and @opaque must outlive it. */
void pvpanic_init(struct pvpanic *p, const struct pvpanic_ops *ops, void *opaque);
