/* Joins the control socket to a machine. */
#pragma once

#include "vmm/control/control.h"
#include "vmm/machine/machine.h"

/* Opens the control socket @spec for @m and has the machine report its events to it. NULL with
 * @err. Free with control_machine_free(), before the machine. */
struct control *control_machine_new(const char *spec, struct machine *m, GError **err);

/* NULL @ctl is fine. */
void control_machine_free(struct control *ctl, struct machine *m);
