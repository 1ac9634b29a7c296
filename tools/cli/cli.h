/*
 * The command line: text in, a struct machine_config or a text to print out. Options are rows of
 * one table; nothing is opened or printed here.
 *
 * An option given twice: devices and the words of --append add up, of everything else the last one
 * holds.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/machine/machine.h"

/* Exit statuses: `ringside help` prints this table. */
enum cli_status {
	CLI_POWEROFF = 0,
	CLI_HOST_ERROR = 1,
	CLI_USAGE = 2,
	CLI_PANIC = 3,
	CLI_TRIPLE_FAULT = 4,
	CLI_KVM_ERROR = 5,
	CLI_REBOOT = 6,
	CLI_QUIT = 7,
	CLI_VIOLATION = 8,
};

/* The exit status for the way a run ended, all but MACHINE_DEBUG_EXIT. */
enum cli_status cli_status(enum machine_end end);

/* And for that one: as QEMU's isa-debug-exit has it, so never 0. Values from 4 on give a status
 * that nothing else has. */
int cli_debug_status(uint32_t value);

/*
 * Parses the arguments (argv[0] is the program). True with either *ret_config (to be run, free with
 * machine_config_free()) or *ret_text (to be printed, free with g_free()); false with a usage
 * error.
 */
bool cli_parse(int argc, char *const *argv, struct machine_config **ret_config, char **ret_text,
	       GError **err);
