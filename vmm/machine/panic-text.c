#include "vmm/machine/panic-text.h"

#include <glib.h>
#include <string.h>

/* A panic's backtrace and dump of registers are shorter than this. */
#define FORGET_AFTER (16u << 10)

#define FIRST "Kernel panic - not syncing"
#define LAST  "---[ end Kernel panic"
/* of a kernel that is asked to: a panic resets without this */
#define LIVES "reboot: Restarting system"

void panic_watch_reset(struct panic_watch *w)
{
	*w = (struct panic_watch){ 0 };
}

static void judge_line(struct panic_watch *w)
{
	const char *first;

	w->line[w->n] = '\0';
	w->n = 0;
	if (strstr(w->line, LAST)) {
		w->ended = w->reason[0] != '\0';
		return;
	}
	if (strstr(w->line, LIVES))
		w->reason[0] = '\0';
	first = strstr(w->line, FIRST);
	if (!first)
		return;
	first += strlen(FIRST);
	first += strspn(first, ": ");
	g_strlcpy(w->reason, *first ? first : "no reason given", sizeof(w->reason));
	w->since = 0;
}

void panic_watch_feed(struct panic_watch *w, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = __atomic_load_n(&data[i],
					    __ATOMIC_RELAXED); /* a guest may write there */

		w->since++;
		if (c == '\n') {
			judge_line(w);
		} else if (c >= ' ') {
			w->ended = false;
			if (w->n < sizeof(w->line) - 1)
				w->line[w->n++] = (char)c;
		}
	}
	if (w->since > FORGET_AFTER) {
		w->reason[0] = '\0';
		w->ended = false;
	}
}

const char *panic_watch_reason(const struct panic_watch *w)
{
	return w->reason[0] ? w->reason : NULL;
}
