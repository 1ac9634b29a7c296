#include "tools/fuzz/acpi-out.h"

#include <glib.h>

#include "tools/fuzz/story.h"

void acpi_out(const void *table, size_t len)
{
	const char *path = story_now.on ? g_getenv("FUZZ_DSDT") : NULL;

	if (path && !g_file_set_contents(path, table, (gssize)len, NULL))
		fuzz_bug("%s cannot be written", path);
}
