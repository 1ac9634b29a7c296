/* `ringside trace': reads what --record wrote. docs/record.md */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* @argv begins with the command. False with a usage or host error. */
bool trace_command(char *const *argv, FILE *out, GError **err);
