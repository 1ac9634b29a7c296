/*
 * How a kernel that knows no ACPI resets a PC or switches it off: by I/O ports that every PC, or
 * every PC of QEMU's, has had.
 *
 *	0x64		the keyboard controller's command 0xfe pulses the processor's reset line
 *	0x92		system control port A, bit 0: the same
 *	0x604, 0xb004	PM1 control of QEMU's PCs, today's and old ones: SLP_EN switches off,
 *	whatever
 *			the sleep type; 16 bits wide
 *
 * (Port 0xcf9 lies among those of PCI's configuration: transport/pci/root.h. 0x600 with the value
 * 0x34 is vmm/x86/pm.h's own register, and what guests of Cloud Hypervisor write.)
 *
 * There is no keyboard, and the ACPI tables say so. Who looks nevertheless finds a controller whose
 * output buffer holds 0xff, for OUTPUT_BYTES reads after each command. So nobody waits for ever:
 * neither for a byte to come, nor for the last one to be taken; Linux with acpi=off gives up after
 * 17 looks, and one that resets never waits for the controller to be ready. Looks that find nothing
 * are counted with the accesses that nobody answered: a guest that waits for a key makes no others.
 *
 * Every function may be called from any thread.
 */
#pragma once

#include "transport/board.h"
#include "vmm/x86/pm.h"

#define LEGACY_REGIONS 5u

struct unanswered_table;

struct legacy {
	const struct pm_ops *ops; /* power_off and reset */
	void *opaque;
	struct unanswered_table *unanswered;
	_Atomic unsigned unread; /* bytes in the keyboard controller's output buffer */
	struct board_region region[LEGACY_REGIONS]; /* for the board; opaque is this struct */
};

/* @ops, @opaque and @unanswered (NULL: nothing is counted) must outlive it. */
void legacy_init(struct legacy *l, const struct pm_ops *ops, void *opaque,
		 struct unanswered_table *unanswered);
