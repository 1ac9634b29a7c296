#include "vmm/machine/memory.h"

#include <errno.h>
#include <string.h>

#include "devices/core/vdev.h"

G_STATIC_ASSERT(GMEM_REGIONS_MAX <= 64); /* slots is a word */

struct listener {
	const struct memory_listener_ops *ops;
	void *opaque;
};

static const struct listener *memory_listener_nth(const struct memory *m, guint i)
{
	return &g_array_index(m->listeners, struct listener, i);
}

void memory_init(struct memory *m)
{
	*m = (struct memory){ .listeners = g_array_new(FALSE, FALSE, sizeof(struct listener)) };
}

void memory_clear(struct memory *m)
{
	gmem_log_stop(&m->mem);
	g_clear_pointer(&m->listeners, g_array_unref);
	m->mem.n = 0;
	m->slots = 0;
}

static void memory_tell_changed(const struct memory *m)
{
	for (guint i = 0; i < m->listeners->len; i++)
		if (memory_listener_nth(m, i)->ops->changed)
			memory_listener_nth(m, i)->ops->changed(memory_listener_nth(m, i)->opaque,
								&m->mem);
}

static int memory_tell_added(const struct listener *l, const struct gmem_region *r, unsigned slot)
{
	return l->ops->added ? l->ops->added(l->opaque, r, slot) : 0;
}

static void memory_tell_removed(const struct listener *l, const struct gmem_region *r,
				unsigned slot)
{
	if (l->ops->removed)
		l->ops->removed(l->opaque, r, slot);
}

int memory_listen(struct memory *m, const struct memory_listener_ops *ops, void *opaque)
{
	const struct listener l = { ops, opaque };

	for (unsigned i = 0; i < m->mem.n; i++) {
		int ret = memory_tell_added(&l, &m->mem.region[i], m->slot_of[i]);

		if (ret == 0)
			continue;
		while (i-- > 0)
			memory_tell_removed(&l, &m->mem.region[i], m->slot_of[i]);
		return ret;
	}
	g_array_append_val(m->listeners, l);
	return 0;
}

void memory_unlisten(struct memory *m, void *opaque)
{
	for (guint i = m->listeners->len; i > 0; i--)
		if (memory_listener_nth(m, i - 1)->opaque == opaque)
			g_array_remove_index(m->listeners, i - 1);
}

/* The last region goes without anybody's word. */
static void memory_forget_last(struct memory *m)
{
	unsigned last = m->mem.n - 1;

	m->slots &= ~(1ull << m->slot_of[last]);
	(void)gmem_remove(&m->mem, m->mem.region[last].gpa);
}

int memory_add(struct memory *m, const struct gmem_region *r)
{
	int ret = gmem_add_file(&m->mem, r->gpa, r->len, r->hva, r->fd, r->offset);
	unsigned slot;

	if (ret < 0)
		return ret;
	slot = (unsigned)__builtin_ctzll(~m->slots);
	m->slots |= 1ull << slot;
	m->slot_of[m->mem.n - 1] = slot;
	if (m->mem.log)
		ret = gmem_log_start(&m->mem);
	for (guint i = 0; ret == 0 && i < m->listeners->len; i++) {
		ret = memory_tell_added(memory_listener_nth(m, i), r, slot);
		while (ret < 0 && i-- > 0)
			memory_tell_removed(memory_listener_nth(m, i), r, slot);
	}
	if (ret < 0)
		memory_forget_last(m);
	memory_tell_changed(m); /* whatever came of it: the log may have ended for want of memory */
	return ret;
}

static unsigned memory_find(const struct memory *m, uint64_t gpa)
{
	unsigned i = 0;

	while (i < m->mem.n && m->mem.region[i].gpa != gpa)
		i++;
	return i;
}

int memory_remove(struct memory *m, uint64_t gpa)
{
	unsigned i = memory_find(m, gpa), slot = m->slot_of[i % GMEM_REGIONS_MAX];
	struct gmem_region gone;

	if (i == m->mem.n)
		return -ENOENT;
	gone = m->mem.region[i];
	for (guint l = 0; l < m->listeners->len; l++)
		if (memory_listener_nth(m, l)->ops->uses &&
		    memory_listener_nth(m, l)->ops->uses(memory_listener_nth(m, l)->opaque, &gone))
			return -EBUSY;
	(void)gmem_remove(&m->mem, gpa);
	memmove(&m->slot_of[i], &m->slot_of[i + 1], (m->mem.n - i) * sizeof(m->slot_of[0]));
	m->slots &= ~(1ull << slot);
	gone.dirty = NULL;
	for (guint l = 0; l < m->listeners->len; l++)
		memory_tell_removed(memory_listener_nth(m, l), &gone, slot);
	memory_tell_changed(m);
	return 0;
}

int memory_log(struct memory *m, bool on)
{
	int ret = on ? gmem_log_start(&m->mem) : 0;

	if (!on)
		gmem_log_stop(&m->mem);
	memory_tell_changed(m);
	return ret;
}

/*
 * Devices.
 */
static bool device_uses(void *dev, const struct gmem_region *r)
{
	return vdev_uses_memory(dev, r);
}

static void device_changed(void *dev, const struct gmem *mem)
{
	(void)mem; /* it has it */
	vdev_memory_changed(dev);
}

const struct memory_listener_ops memory_vdev_listener = {
	.uses = device_uses,
	.changed = device_changed,
};
