/*
 * `ringside bench`: the command line of the benchmarks.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Runs `bench WHAT [OPTION...]` (argv[0] is "bench", the last is NULL). Results, or help, go to
 * @out; a progress line to
 * @progress unless that is NULL. False with an error. */
bool bench_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err);
