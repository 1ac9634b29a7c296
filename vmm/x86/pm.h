/*
 * Power management registers: four I/O ports at LAYOUT_PM_PORT, as the ACPI tables describe them
 * (the hardware-reduced model: ACPI 6.3, 4.8.3.7 Sleep Control and Status, 4.8.3.6 Reset).
 *
 * The guest's driver for our event device reads PM_EVENT to learn what happened; reading takes the
 * events back and lets the interrupt line go.
 *
 * A machine with firmware has fixed hardware (4.8.3.1) instead: the button is a bit of the PM1
 * event block at LAYOUT_PM1_EVENT, a word of status, where writing a bit takes it back, and a word
 * that says which of them raise the line. (Its control block is vmm/x86/legacy.h's port 0x604.)
 *
 * Every function may be called from any thread. The callbacks are called without a lock held,
 * except irq, which must not call back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Offsets from LAYOUT_PM_PORT, one byte each. */
enum { PM_SLEEP_CONTROL, PM_SLEEP_STATUS, PM_RESET, PM_EVENT, PM_REGS };

#define PM_SLEEP_TYPE_OFF 5  /* the type that \_S5 names */
#define PM1_STATUS        0u /* offsets from LAYOUT_PM1_EVENT, two bytes each */
#define PM1_ENABLE        2u
#define PM1_BUTTON        0x0100u /* in both: the power button */
#define PM_RESET_VALUE    1       /* written to PM_RESET */
#define PM_EVENT_BUTTON   1u      /* in PM_EVENT: the power button was pressed */

struct pm_ops {
	void (*power_off)(void *opaque);       /* in the thread that wrote the register */
	void (*reset)(void *opaque);           /* likewise */
	void (*irq)(void *opaque, bool level); /* LAYOUT_GSI_SCI, level-triggered, active-high */
};

struct pm;

/* @ops and @opaque must outlive it. @fixed: with PM1 registers, and no events in PM_EVENT. */
struct pm *pm_new(const struct pm_ops *ops, void *opaque, bool fixed);
void pm_free(struct pm *pm); /* takes NULL */

/* The machine starts again: no event is pending. */
void pm_reset(struct pm *pm);

uint8_t pm_io_read(struct pm *pm, unsigned reg);
void pm_io_write(struct pm *pm, unsigned reg, uint8_t value);

/* The PM1 event block, @reg is PM1_STATUS or PM1_ENABLE. */
uint16_t pm_fixed_read(struct pm *pm, unsigned reg);
void pm_fixed_write(struct pm *pm, unsigned reg, uint16_t value);

/* Presses the power button. */
void pm_power_button(struct pm *pm);

/*
 * Is somebody there? pm_probe() raises the line without an event; the guest's driver, which runs in
 * a thread where that is Linux, reads PM_EVENT, or the PM1 status, and finds nothing. pm_probed()
 * takes the line back and tells whether somebody read. A guest without such a driver never does.
 */
void pm_probe(struct pm *pm);
bool pm_probed(struct pm *pm);
