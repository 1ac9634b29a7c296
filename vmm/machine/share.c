/* Folders for the guest: each is served by a virtiofsd of its own. */
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/back-ends.h"

#define ELSEWHERE "/usr/libexec/virtiofsd" /* where Debian has it, which is in nobody's PATH */

static char *find_virtiofsd(const char *given, GError **err)
{
	char *path = g_find_program_in_path("virtiofsd");

	if (!path && access(ELSEWHERE, X_OK) == 0)
		path = g_strdup(ELSEWHERE);
	if (!path)
		ringside_usage(err,
			       "%s: there is no virtiofsd, neither in PATH nor at " ELSEWHERE
			       "; it is Debian's package virtiofsd (of 13 and later)",
			       given);
	return path;
}

bool share_start(struct child *ret, const char *dir, bool read_only, const char *given,
		 GError **err)
{
	g_autofree char *program = NULL;
	char *argv[] = { NULL,
			 (char *)"--fd=3", /* CHILD_SOCKET_FD */
			 (char *)"--log-level=error",
			 (char *)"--shared-dir",
			 (char *)dir,
			 read_only ? (char *)"--readonly" : NULL,
			 NULL };

	*ret = (struct child){ .alive = -1 };
	if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
		return ringside_usage(err, "%s: %s is no folder", given, dir);
	program = find_virtiofsd(given, err);
	argv[0] = program;
	return program && child_start(ret, argv, "virtiofsd", given, err);
}
