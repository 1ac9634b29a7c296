/*
 * The harness is a build of its own (docs/fuzz.md): by clang, with sanitizers, and with its own
 * descriptors and clock in libc's place. So it can be no part of this program, and the command
 * hands over to it.
 */
#include "tools/cli/fuzz-command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"

void fuzz_command(char *const *argv, GError **err)
{
	g_autofree char *self = NULL, *dir = NULL, *program = NULL;

	if (!argv[1] || strcmp(argv[1], "replay") != 0 || !argv[2]) {
		ringside_usage(err, "fuzz: it takes replay and then files: "
				    "ringside fuzz replay FILE...");
		return;
	}
	self = g_file_read_link("/proc/self/exe", err);
	if (!self)
		return;
	dir = g_path_get_dirname(self);
	program = g_build_filename(dir, "fuzz", "replay", NULL);
	execv(program, argv + 1);
	if (errno == ENOENT)
		ringside_usage(err, "fuzz replay: fuzz/replay is not beside ringside: "
				    "make build/fuzz/replay builds it, in the source tree");
	else
		ringside_error_errno(err, errno, "fuzz replay: %s", program);
}
