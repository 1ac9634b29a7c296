/*
 * Power management registers. The sleep type and its enable bit lie in one byte, the guest writes
 * both at once; of the states only "off" is offered.
 */
#include "vmm/x86/pm.h"

#include <glib.h>
#include <pthread.h>

enum {
	SLEEP_TYPE_SHIFT = 2,
	SLEEP_TYPE_MASK = 0x7,
	SLEEP_ENABLE = 0x20,
};

#define EVENT_PROBE 0x80u /* the line is up for nothing; the guest does not see it */

struct pm {
	pthread_mutex_t lock; /* not GMutex: the thread sanitizer knows this one */
	const struct pm_ops *ops;
	void *opaque;
	uint8_t events; /* those of PM_EVENT, and EVENT_PROBE */
};

struct pm *pm_new(const struct pm_ops *ops, void *opaque)
{
	struct pm *pm = g_new0(struct pm, 1);

	pthread_mutex_init(&pm->lock, NULL);
	pm->ops = ops;
	pm->opaque = opaque;
	return pm;
}

void pm_free(struct pm *pm)
{
	if (!pm)
		return;
	pthread_mutex_destroy(&pm->lock);
	g_free(pm);
}

/* Replaces the pending events and moves the line with them. Returns those there were. */
static uint8_t set_events(struct pm *pm, uint8_t keep, uint8_t add)
{
	uint8_t before;

	pthread_mutex_lock(&pm->lock);
	before = pm->events;
	pm->events = (before & keep) | add;
	if (!before != !pm->events)
		pm->ops->irq(pm->opaque, pm->events != 0);
	pthread_mutex_unlock(&pm->lock);
	return before;
}

void pm_reset(struct pm *pm)
{
	set_events(pm, 0, 0);
}

uint8_t pm_io_read(struct pm *pm, unsigned reg)
{
	return reg == PM_EVENT ? set_events(pm, 0, 0) & (uint8_t)~EVENT_PROBE : 0;
}

void pm_io_write(struct pm *pm, unsigned reg, uint8_t value)
{
	unsigned type = value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK;

	if (reg == PM_SLEEP_CONTROL && value & SLEEP_ENABLE && type == PM_SLEEP_TYPE_OFF)
		pm->ops->power_off(pm->opaque);
	else if (reg == PM_RESET && value == PM_RESET_VALUE)
		pm->ops->reset(pm->opaque);
}

void pm_power_button(struct pm *pm)
{
	set_events(pm, 0xff, PM_EVENT_BUTTON);
}

void pm_probe(struct pm *pm)
{
	set_events(pm, 0xff, EVENT_PROBE);
}

bool pm_probed(struct pm *pm)
{
	return !(set_events(pm, (uint8_t)~EVENT_PROBE, 0) & EVENT_PROBE);
}
