/*
 * Text for a terminal. Lines of ours repeat what others chose: the reason of a guest's panic, the
 * name of a file. A terminal carries out what it takes for a control sequence, so only what has a
 * shape on the screen goes there as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Appends to @buf (@size bytes, 8 at least; NUL-terminated) as much of *@text as fits and moves
 * *@text on; returns how many bytes that is. Printable characters stay; each byte of what is none
 * (control characters, C1 and invisible ones in UTF-8 too, bytes that are no UTF-8) becomes "\xNN".
 * Without @utf8 every byte beyond ASCII does: in a character set of one byte 0x9b begins a control
 * sequence.
 */
size_t printable_next(const char **text, char *buf, size_t size, bool utf8);

/* Whether this process's terminal takes UTF-8, as LC_ALL, LC_CTYPE and LANG say. */
bool printable_utf8(void);
