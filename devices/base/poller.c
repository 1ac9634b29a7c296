#include "devices/base/poller.h"

#include <string.h>
#include <time.h>

#define FIRST_NS 4000u /* of a window that opens; a shorter one is none */
#define LOOKS    16u   /* at rings, for one at descriptors */

static uint64_t poller_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void poller_store(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

uint64_t poller_next_window(uint64_t window_ns, uint64_t max_ns, uint64_t waited_ns)
{
	if (waited_ns <= window_ns)
		return window_ns;
	if (waited_ns > max_ns)
		return window_ns / 2 < FIRST_NS ? 0 : window_ns / 2;
	return MIN(MAX(window_ns * 2, FIRST_NS), max_ns);
}

/*
 * Rings.
 */
void poller_add(struct poller *p, struct poller_ring *ring)
{
	if (ring->unarmed)
		return;
	ring->unarmed = true;
	ring->next = p->rings;
	p->rings = ring;
}

void poller_remove(struct poller *p, struct poller_ring *ring)
{
	struct poller_ring **at = &p->rings;

	if (!ring->unarmed)
		return;
	while (*at != ring)
		at = &(*at)->next;
	*at = ring->next;
	ring->unarmed = false;
}

/* As if its descriptor had told. True if that is one more that did. */
static bool poller_mark(GPollFD *fds, guint n, int fd)
{
	guint i = 0;

	while (i < n && fds[i].fd != fd)
		i++;
	if (i == n || fds[i].revents & G_IO_IN)
		return false;
	fds[i].revents |= G_IO_IN;
	return fds[i].revents == G_IO_IN;
}

/* What has told already, and rings that have something: by their look, or as they are armed. */
static gint poller_take(struct poller *p, GPollFD *fds, guint n, bool arm)
{
	struct poller_ring *ring, *next;
	gint ret = g_poll(fds, n, 0);

	for (ring = p->rings; ring; ring = next) {
		bool found = arm ? !ring->arm(ring->arg) : ring->look(ring->arg);

		next = ring->next;
		if (arm && !found)
			poller_remove(p, ring);
		if (found && poller_mark(fds, n, ring->fd))
			ret = MAX(ret, 0) + 1;
	}
	return ret;
}

static bool poller_any(const struct poller *p)
{
	for (const struct poller_ring *ring = p->rings; ring; ring = ring->next)
		if (ring->look(ring->arg))
			return true;
	return false;
}

/* Rings are looked at more often than descriptors, which takes a call. */
static void poller_look_at_rings(const struct poller *p)
{
	for (unsigned i = 0; p->rings && i < LOOKS && !poller_any(p); i++)
		__builtin_ia32_pause();
}

/* Looks until @end; what poll() answers, 0: there was nothing. */
static gint poller_look(struct poller *p, GPollFD *fds, guint n, uint64_t end)
{
	gint ret;

	do {
		poller_look_at_rings(p);
		ret = poller_take(p, fds, n, false);
	} while (ret == 0 && poller_now() < end);
	return ret;
}

gint poller_poll(struct poller *p, GPollFD *fds, guint n, gint timeout)
{
	uint64_t begin, window, waited;
	gint ret = 0;

	if (timeout == 0)
		return p->rings ? poller_take(p, fds, n, false) : g_poll(fds, n, timeout);
	if (p->max_ns == 0 && !p->rings)
		return g_poll(fds, n, timeout);
	begin = poller_now();
	window = p->window_ns;
	if (timeout > 0)
		window = MIN(window, (uint64_t)timeout * 1000000u);
	if (window) {
		ret = poller_look(p, fds, n, begin + window);
		poller_store(&p->looked_ns, p->looked_ns + poller_now() - begin);
	}
	if (ret == 0 && p->rings)
		ret = poller_take(p, fds, n, true);
	if (ret != 0) {
		poller_store(&p->found, p->found + 1);
		return ret;
	}
	poller_store(&p->slept, p->slept + 1);
	ret = g_poll(fds, n, timeout);
	waited = poller_now() - begin;
	poller_store(&p->window_ns, poller_next_window(p->window_ns, p->max_ns, waited));
	return ret;
}

struct poller poller_stats(const struct poller *p)
{
	return (struct poller){
		.max_ns = __atomic_load_n(&p->max_ns, __ATOMIC_RELAXED),
		.window_ns = __atomic_load_n(&p->window_ns, __ATOMIC_RELAXED),
		.found = __atomic_load_n(&p->found, __ATOMIC_RELAXED),
		.slept = __atomic_load_n(&p->slept, __ATOMIC_RELAXED),
		.looked_ns = __atomic_load_n(&p->looked_ns, __ATOMIC_RELAXED),
	};
}

bool poller_wish(struct poller_wish *wish, const uint64_t *max_ns)
{
	if (!max_ns)
		return true;
	if (wish->said && wish->max_ns != *max_ns)
		return false;
	*wish = (struct poller_wish){ true, *max_ns };
	return true;
}

uint64_t poller_choose(const struct poller_wish *wish, unsigned *spare)
{
	if (wish->said && wish->max_ns != POLLER_AUTO)
		return wish->max_ns;
	if (*spare == 0)
		return 0;
	--*spare;
	return POLLER_AUTO_NS;
}

bool poller_parse(const char *text, uint64_t *ret_ns)
{
	char *end;
	guint64 n;

	if (strcmp(text, "off") == 0 || strcmp(text, "auto") == 0) {
		*ret_ns = strcmp(text, "off") == 0 ? 0 : POLLER_AUTO;
		return true;
	}
	if (!g_ascii_isdigit(text[0]))
		return false;
	n = g_ascii_strtoull(text, &end, 10);
	if (n > POLLER_MAX_NS)
		return false;
	if (strcmp(end, "us") == 0)
		n *= 1000;
	else if (strcmp(end, "ms") == 0)
		n *= 1000000;
	else
		return false;
	*ret_ns = n;
	return n > 0 && n <= POLLER_MAX_NS;
}
