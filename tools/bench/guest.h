/*
 * `ringside bench guest`: the rings from inside a KVM guest.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* As bench_command(), where argv[1] is "guest". */
bool bench_guest_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err);
