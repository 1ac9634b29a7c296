#include "devices/base/poller.h"

#include <string.h>
#include <time.h>

#define FIRST_NS 4000u /* of a window that opens; a shorter one is none */

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

/* Looks until @end; what poll() answers, 0: there was nothing. */
static gint poller_look(GPollFD *fds, guint n, uint64_t end)
{
	gint ret;

	do
		ret = g_poll(fds, n, 0);
	while (ret == 0 && poller_now() < end);
	return ret;
}

gint poller_poll(struct poller *p, GPollFD *fds, guint n, gint timeout)
{
	uint64_t begin, window, waited;
	gint ret = 0;

	if (timeout == 0 || p->max_ns == 0)
		return g_poll(fds, n, timeout);
	begin = poller_now();
	window = p->window_ns;
	if (timeout > 0)
		window = MIN(window, (uint64_t)timeout * 1000000u);
	if (window) {
		ret = poller_look(fds, n, begin + window);
		poller_store(&p->looked_ns, p->looked_ns + poller_now() - begin);
	}
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
