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
	bool fixed;
	bool up;         /* the line */
	uint8_t events;  /* those of PM_EVENT, and EVENT_PROBE */
	uint16_t enable; /* of PM1: which of its events raise the line */
};

struct pm *pm_new(const struct pm_ops *ops, void *opaque, bool fixed)
{
	struct pm *pm = g_new0(struct pm, 1);

	pthread_mutex_init(&pm->lock, NULL);
	pm->ops = ops;
	pm->opaque = opaque;
	pm->fixed = fixed;
	return pm;
}

void pm_free(struct pm *pm)
{
	if (!pm)
		return;
	pthread_mutex_destroy(&pm->lock);
	g_free(pm);
}

/* What raises the line, of @events. With the lock. */
static uint8_t raising(const struct pm *pm, uint8_t events)
{
	return pm->fixed && !(pm->enable & PM1_BUTTON) ? events & EVENT_PROBE : events;
}

static void move_line(struct pm *pm)
{
	bool up = raising(pm, pm->events) != 0;

	if (up != pm->up)
		pm->ops->irq(pm->opaque, up);
	pm->up = up;
}

/* Replaces the pending events and moves the line with them. Returns those there were. */
static uint8_t set_events(struct pm *pm, uint8_t keep, uint8_t add)
{
	uint8_t before;

	pthread_mutex_lock(&pm->lock);
	before = pm->events;
	pm->events = (before & keep) | add;
	move_line(pm);
	pthread_mutex_unlock(&pm->lock);
	return before;
}

static void set_enable(struct pm *pm, uint16_t enable)
{
	pthread_mutex_lock(&pm->lock);
	pm->enable = enable;
	move_line(pm);
	pthread_mutex_unlock(&pm->lock);
}

void pm_reset(struct pm *pm)
{
	set_enable(pm, 0);
	set_events(pm, 0, 0);
}

uint8_t pm_io_read(struct pm *pm, unsigned reg)
{
	if (reg != PM_EVENT || pm->fixed)
		return 0;
	return set_events(pm, 0, 0) & (uint8_t)~EVENT_PROBE;
}

void pm_io_write(struct pm *pm, unsigned reg, uint8_t value)
{
	unsigned type = value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK;

	if (reg == PM_SLEEP_CONTROL && value & SLEEP_ENABLE && type == PM_SLEEP_TYPE_OFF)
		pm->ops->power_off(pm->opaque);
	else if (reg == PM_RESET && value == PM_RESET_VALUE)
		pm->ops->reset(pm->opaque);
}

/* Who reads the status has come for the interrupt. */
uint16_t pm_fixed_read(struct pm *pm, unsigned reg)
{
	uint16_t enable;

	if (reg == PM1_STATUS)
		return set_events(pm, PM_EVENT_BUTTON, 0) & PM_EVENT_BUTTON ? PM1_BUTTON : 0;
	pthread_mutex_lock(&pm->lock);
	enable = pm->enable;
	pthread_mutex_unlock(&pm->lock);
	return enable;
}

void pm_fixed_write(struct pm *pm, unsigned reg, uint16_t value)
{
	if (reg == PM1_ENABLE)
		set_enable(pm, value);
	else if (value & PM1_BUTTON)
		set_events(pm, (uint8_t)~PM_EVENT_BUTTON, 0);
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
