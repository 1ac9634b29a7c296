/* json-glib for the control socket. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Before the first call of a json_... function. May be called again. False with a host error that
 * begins with "--control". */
bool control_json_load(GError **err);
