/*
 * `ringside bench net`: a network device behind a vhost-user socket, anybody's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* As bench_command(), where argv[1] is "net". */
bool bench_net_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err);
