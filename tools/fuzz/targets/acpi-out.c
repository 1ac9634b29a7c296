#include "tools/fuzz/targets/acpi-out.h"

#include <glib.h>

#include "tools/fuzz/language/trace.h"

void acpi_out(const void *table, size_t len)
{
	const char *dir = trace_now.on ? g_getenv("FUZZ_TABLES") : NULL;
	g_autofree char *path = dir ? g_strdup_printf("%s/%.4s.aml", dir, (const char *)table)
				    : NULL;

	if (path && !g_file_set_contents(path, table, (gssize)len, NULL))
		fuzz_bug("%s cannot be written", path);
}
