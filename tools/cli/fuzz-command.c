/*
 * The in-process harness is a build of its own (docs/fuzz.md): by clang, with sanitizers, and with
 * its own descriptors and clock in libc's place. So it can be no part of this program, and the
 * command hands over to it.
 */
#include "tools/cli/fuzz-command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "tools/attack/attack.h"
#include "tools/bench/progress.h"

/* Always false. */
static bool fuzz_replay(char *const *argv, GError **err)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", err);
	g_autofree char *dir = NULL, *program = NULL;

	if (!self)
		return false;
	dir = g_path_get_dirname(self);
	program = g_build_filename(dir, "fuzz", "replay", NULL);
	execv(program, argv + 1);
	if (errno == ENOENT)
		return ringside_usage(err, "fuzz replay: fuzz/replay is not beside ringside: "
					   "make build/fuzz/replay builds it, in the source tree");
	return ringside_error_errno(err, errno, "fuzz replay: %s", program);
}

bool fuzz_command(char *const *argv, int *ret_status, GError **err)
{
	bool found;

	if (argv[1] && strcmp(argv[1], "replay") == 0 && argv[2])
		return fuzz_replay(argv, err);
	if (!argv[1] || strcmp(argv[1], "vhost-user") != 0)
		return ringside_usage(err, "fuzz: it takes replay and then files, or vhost-user: "
					   "ringside fuzz replay FILE...");
	if (!attack_command(argv, stdout, progress_terminal(), &found, err))
		return false;
	*ret_status = found ? FUZZ_FOUND : 0;
	return true;
}
