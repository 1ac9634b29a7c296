/* `ringside serve DEVICE[,KEY=VALUE...] --vhost-user PATH`: a device for other programs. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/console/terminal.h"

/* @argv begins with the command's name. True when it has served, or with *ret_text to be printed
 * (free with g_free()); false with a usage or host error. *ret_broken: a driver broke a rule, and
 * --check=fatal was given. */
bool serve_command(char *const *argv, struct terminal_mode *mode, char **ret_text, bool *ret_broken,
		   GError **err);
