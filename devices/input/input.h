/*
 * Feeding an input device: from the control socket, or from whoever else has events for the guest.
 */
#pragma once

#include "devices/backend/input/model.h"

struct vdev;

#define INPUT_REPORT_MAX 128u /* events in a report, its SYN_REPORT included */

/* True if @dev is an input device. */
bool input_is(const struct vdev *dev);

/* True if it is one and offers its driver events of this type and code. */
bool input_offers(const struct vdev *dev, uint16_t type, uint16_t code);

/* The range of an absolute axis. False if @dev is no input device or has no such axis. */
bool input_axis(const struct vdev *dev, uint16_t code, struct input_axis_info *ret);

/*
 * Sends @n events as one report; its SYN_REPORT is added. The guest gets all of it or, when it
 * gives no buffers and the device's queue is full, nothing. While no driver runs there is nobody to
 * tell, and it is forgotten. From any thread, does not wait. False, and nothing sent, if the device
 * does not offer one of them or the report is too long.
 */
bool input_send(struct vdev *dev, const struct input_ev *events, size_t n);

/* Reports dropped since the device was made because the guest gave no buffers. */
uint64_t input_dropped(struct vdev *dev);

/* The LEDs the guest has lit: 1 << LED_CAPSL and so on. From any thread. */
uint32_t input_leds(const struct vdev *dev);
