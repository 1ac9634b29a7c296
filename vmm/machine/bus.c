#include "vmm/machine/bus.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "vmm/machine/unanswered.h"

struct space {
	unsigned n;
	struct board_region **w; /* sorted by base, disjoint */
};

struct bus {
	pthread_rwlock_t lock; /* of both tables, not of the regions' functions */
	struct space space[2];
	struct unanswered_table *unanswered;
};

struct bus *bus_new(void)
{
	struct bus *bus = g_new0(struct bus, 1);

	pthread_rwlock_init(&bus->lock, NULL);
	bus->unanswered = unanswered_new();
	return bus;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(bus->space); i++)
		g_free(bus->space[i].w);
	unanswered_free(bus->unanswered);
	pthread_rwlock_destroy(&bus->lock);
	g_free(bus);
}

struct unanswered_table *bus_unanswered(struct bus *bus)
{
	return bus->unanswered;
}

/* The number of regions that begin at or below @addr. */
static unsigned below(const struct space *s, uint64_t addr)
{
	unsigned lo = 0, hi = s->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (s->w[mid]->base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_valid(const struct board_region *w)
{
	uint64_t last = w->base + (w->size - 1);

	return w->size && last >= w->base && (!w->io || last <= UINT16_MAX);
}

static int add_locked(struct space *s, struct board_region *w)
{
	unsigned at = below(s, w->base);

	if (at > 0 && w->base - s->w[at - 1]->base < s->w[at - 1]->size)
		return -EEXIST;
	if (at < s->n && s->w[at]->base - w->base < w->size)
		return -EEXIST;
	s->w = g_renew(struct board_region *, s->w, s->n + 1);
	memmove(&s->w[at + 1], &s->w[at], (s->n - at) * sizeof(s->w[0]));
	s->w[at] = w;
	s->n++;
	return 0;
}

int bus_add(struct bus *bus, struct board_region *w)
{
	int ret;

	if (!is_valid(w))
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	ret = add_locked(&bus->space[w->io], w);
	pthread_rwlock_unlock(&bus->lock);
	return ret;
}

void bus_del(struct bus *bus, struct board_region *w)
{
	struct space *s = &bus->space[w->io];
	unsigned at;

	pthread_rwlock_wrlock(&bus->lock);
	at = below(s, w->base);
	if (at > 0 && s->w[at - 1] == w) {
		memmove(&s->w[at - 1], &s->w[at], (s->n - at) * sizeof(s->w[0]));
		s->n--;
	}
	pthread_rwlock_unlock(&bus->lock);
}

/* Copies the region that takes all of the access. */
static bool bus_find(struct bus *bus, bool io, uint64_t addr, unsigned len,
		     struct board_region *ret)
{
	const struct space *s = &bus->space[io];
	const struct board_region *w;
	bool found = false;
	unsigned at;

	pthread_rwlock_rdlock(&bus->lock);
	at = below(s, addr);
	if (at > 0) {
		w = s->w[at - 1];
		if (addr - w->base < w->size && len <= w->size - (addr - w->base)) {
			*ret = *w;
			found = true;
		}
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

static uint64_t ones(unsigned len)
{
	return len >= 8 ? UINT64_MAX : (1ull << (8 * len)) - 1;
}

uint64_t bus_read(struct bus *bus, bool io, uint64_t addr, unsigned len)
{
	struct board_region w;

	if (!bus_find(bus, io, addr, len, &w)) {
		unanswered_add(bus->unanswered, io, addr, len, false);
		return ones(len);
	}
	if (!w.read)
		return ones(len);
	return w.read(w.opaque, addr - w.base, len) & ones(len);
}

void bus_write(struct bus *bus, bool io, uint64_t addr, unsigned len, uint64_t value)
{
	struct board_region w;

	if (!bus_find(bus, io, addr, len, &w))
		unanswered_add(bus->unanswered, io, addr, len, true);
	else if (w.write)
		w.write(w.opaque, addr - w.base, len, value & ones(len));
}
