#include "tools/fuzz/language/story.h"

#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/console/printable.h"

/* File-scope because what is observed (wrapped functions of libc's) has no way to pass it on. */
struct story story_now;

void story_line(const char *fmt, ...)
{
	char line[512], shown[4 * sizeof(line)];
	const char *rest = line;
	va_list ap;

	va_start(ap, fmt);
	(void)g_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* An input may be anybody's, and has texts of its own in it. */
	(void)printable_next(&rest, shown, sizeof(shown), false);
	(void)fprintf(story_now.to, "%s\n", shown);
}

void story_begin(FILE *to)
{
	story_now = (struct story){ .on = true, .to = to };
}

void story_end(void)
{
	story_now = (struct story){ .on = false };
}

void fuzz_bug(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)g_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (story_now.to)
		(void)fflush(story_now.to);
	(void)fprintf(stderr, "fuzz: BUG: %s\n", line);
	abort();
}
