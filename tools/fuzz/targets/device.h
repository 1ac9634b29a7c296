/* What the two halves of the device targets share. */
#pragma once

#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/input.h"

#define TURNS 6u /* of the loop, where a record says only "let it work" */

/* Does what the host does under @op (DEV_*); nothing if that is the driver's. */
void device_host_op(struct fixture *fx, unsigned op, struct input *in);

/* Does what the driver does under @op, one of those before DEV_PAUSE. */
void device_driver_op(struct fixture *fx, unsigned op, struct input *in);
