/*
 * Words that people bring along from other monitors (QEMU, kvmtool, Firecracker, cloud-hypervisor,
 * crosvm), and what they are here. For messages alone: none of them is understood.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What to say of an option, less its dashes; NULL if nothing is known of it. */
const char *habit_option(const char *name);

/* The same for a key of a device that none here has. */
const char *habit_key(const char *key);

/* False, with a usage error that says what --device @name should have been, as far as it is known.
 */
bool habit_unknown_device(const char *name, GError **err);
