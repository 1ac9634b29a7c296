/* `ringside top`: what a machine's queues do, live. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* @argv begins with "top". False with @err. */
bool top_command(char **argv, FILE *out, GError **err);
