/*
 * `ringside fuzz vhost-user`: a device that another process serves by vhost-user is attacked by a
 * hostile driver, and a front-end that is honest or hostile, too.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* The command and its options (@argv[0] is "fuzz", the last is NULL): attacks, and writes what it
 * found to @out; progress goes to @progress (or NULL). *ret_found: faults of the device. False with
 * an error: the back-end cannot be attacked, a usage error, or what is to be written cannot be. */
bool attack_command(char *const *argv, FILE *out, FILE *progress, bool *ret_found, GError **err);
