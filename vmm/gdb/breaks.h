/*
 * A debugger's breakpoints. The processor's debug registers have them while there are enough: then
 * nothing in the guest's memory changes, the guest's own breakpoint instructions cost it no exit,
 * and an address may be one that nothing is mapped at yet. Of those that would do with an
 * instruction in memory, the ones for which no register is left get that.
 */
#pragma once

#include <glib.h>

#include "virtqueue/gmem.h"
#include "vmm/kvm/vcpu.h"

#define GDB_BREAKS_MAX 256u

struct gdb_breaks {
	GArray *all;   /* of struct gdb_break, the oldest first */
	GArray *addrs; /* of uint64_t: of those in memory */
	struct vcpu_debug debug;
};

void gdb_breaks_init(struct gdb_breaks *b);
void gdb_breaks_free(struct gdb_breaks *b);

/*
 * Adds @want; @gpa: where its address is in memory, or NULL. VCPU_STOP_INSTRUCTION may be an
 * instruction there, the others cannot. False if there is no room for it. One that is there already
 * is fine. vcpus_debug(&b->debug) has to follow each change.
 */
bool gdb_breaks_add(struct gdb_breaks *b, const struct vcpu_hw_break *want, const struct gmem *mem,
		    const uint64_t *gpa);

/* False if there is no such breakpoint. */
bool gdb_breaks_del(struct gdb_breaks *b, const struct vcpu_hw_break *want, const struct gmem *mem);
void gdb_breaks_del_all(struct gdb_breaks *b, const struct gmem *mem);

/* Memory was loaded anew: writes the instructions again. */
void gdb_breaks_reloaded(struct gdb_breaks *b, const struct gmem *mem);
