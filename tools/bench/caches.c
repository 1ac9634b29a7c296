#include "tools/bench/caches.h"

#include <glib.h>

#define BOTH      3u
#define EXCLUSIVE 4u

void caches_open(struct caches *c, size_t len)
{
	c->lines = g_malloc0((len + CACHE_LINE - 1) / CACHE_LINE);
}

void caches_close(struct caches *c)
{
	g_free(c->lines);
	c->lines = NULL;
}

enum cache_trip caches_access(struct caches *c, enum cache_side side, size_t line, bool write)
{
	unsigned me = 1u << side, had = c->lines[line];
	bool other = had & BOTH & ~me;

	if (write)
		c->lines[line] = me | EXCLUSIVE;
	else if (!(had & me))
		c->lines[line] = (had & BOTH) | me;
	if (!other)
		return CACHE_HIT; /* or from memory, which is not what is counted */
	if (!(had & me))
		return CACHE_LINE_MOVED;
	return write ? CACHE_LINE_CLAIMED : CACHE_HIT;
}
