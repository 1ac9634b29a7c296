/* Joins the debugger's server to a machine. */
#pragma once

#include "vmm/machine/machine.h"

struct gdb_machine;

/* Listens on @spec for @m, which is not built yet. NULL with @err. Free with gdb_machine_free(),
 * before the machine. */
struct gdb_machine *gdb_machine_new(const char *spec, struct machine *m, GError **err);

/* NULL is fine. */
void gdb_machine_free(struct gdb_machine *gm);
