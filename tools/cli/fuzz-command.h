/*
 * `ringside fuzz`: what the fuzzers' programs do, under this one's name, and the attack on other
 * programs' devices.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define FUZZ_FOUND 3 /* exit status of `fuzz vhost-user`: a device has faults */

/* `fuzz replay FILE...` (argv[0] is "fuzz", the last is NULL): becomes build/fuzz/replay.
 * `fuzz vhost-user ...`: true with an exit status. False with an error. */
bool fuzz_command(char *const *argv, int *ret_status, GError **err);
