/*
 * `ringside bench replay': a record's traffic as a benchmark. How fast the devices of this program,
 * and the driver that plays them (tools/replay), get through it on one thread, without a guest.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* @argv from "replay" on, as other benchmarks' commands; see bench_command(). */
bool bench_replay_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err);
