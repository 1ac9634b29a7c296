#include "vmm/console/printable.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE 4u /* bytes of "\xNN" */

/* Bytes of the printable character at @text; 0: there is none. */
static size_t printable_len(const char *text, bool utf8)
{
	gunichar c;

	if (!(*text & 0x80))
		return g_ascii_isprint(*text);
	if (!utf8)
		return 0;
	c = g_utf8_get_char_validated(text, -1);
	if (c == (gunichar)-1 || c == (gunichar)-2 || !g_unichar_isprint(c))
		return 0;
	return (size_t)(g_utf8_next_char(text) - text);
}

size_t printable_next(const char **text, char *buf, size_t size, bool utf8)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	while (**text) {
		size_t len = printable_len(*text, utf8);

		if (size - n <= MAX(len, ESCAPE))
			break;
		if (len) {
			memcpy(buf + n, *text, len);
			n += len;
			*text += len;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = digits[(unsigned char)**text >> 4];
		buf[n++] = digits[(unsigned char)**text & 15];
		(*text)++;
	}
	buf[n] = '\0';
	return n;
}

/* Not nl_langinfo(), which wants the locale loaded: most runs print nothing. */
bool printable_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}
