#include "tools/fuzz/language/trace.h"

#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/console/printable.h"

/* File-scope because what is observed (wrapped functions of libc's) has no way to pass it on. */
struct trace trace_now;

void trace_line(const char *fmt, ...)
{
	char line[512], shown[4 * sizeof(line)];
	const char *rest = line;
	va_list ap;

	va_start(ap, fmt);
	(void)g_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* An input may be anybody's, and has texts of its own in it. */
	(void)printable_next(&rest, shown, sizeof(shown), false);
	(void)fprintf(trace_now.to, "%s\n", shown);
}

void trace_into(FILE *to)
{
	trace_now = (struct trace){ .on = true, .to = to };
}

void trace_end(void)
{
	trace_now = (struct trace){ .on = false };
}

void fuzz_bug(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)g_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (trace_now.to)
		(void)fflush(trace_now.to);
	(void)fprintf(stderr, "fuzz: BUG: %s\n", line);
	abort();
}
