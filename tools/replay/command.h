/* `ringside replay': a record's driver, once more, against the device models of this program. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

/* @argv[0] is the command's name. *ret_diverged: the devices did otherwise than the record has it
 * (and @out says what). False with @err. */
bool replay_command(char *const *argv, FILE *out, bool *ret_diverged, GError **err);
