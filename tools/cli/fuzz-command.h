/*
 * `ringside fuzz`: what the fuzzers' programs do, under this one's name.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* `fuzz replay FILE...` (argv[0] is "fuzz", the last is NULL): becomes build/fuzz/replay. Returns
 * only if that cannot be, with an error. */
void fuzz_command(char *const *argv, GError **err);
