/*
 * The shortest transport: the driver is in this process, registers are C calls on the vdev itself,
 * and an interrupt is a counter. For tests, benchmarks and fuzzers.
 *
 * There is nothing to translate: a driver may call vdev_*() directly, or drive the device as it
 * does over other transports, by the driver library (direct_driver()). An eventfd may be had for
 * callers that sleep.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "devices/core/vdev.h"
#include "transport/driver/virtio.h"

struct direct;

/* Attaches to @dev, which must outlive it. Never fails. */
struct direct *direct_new(struct vdev *dev);
void direct_free(struct direct *direct); /* NULL is fine */

/* Makes @ret the device as its driver sees it. One driver at a time. */
void direct_driver(struct direct *direct, struct virtio_dev *ret);

extern const struct virtio_ops direct_driver_ops; /* its ops; v->opaque is the struct direct */

/* Interrupts so far, since direct_new(). From any thread. */
uint64_t direct_queue_interrupts(const struct direct *direct, unsigned q);
uint64_t direct_config_interrupts(const struct direct *direct);

/* From now on every interrupt also writes @fd (an eventfd, not owned; -1: none). Before the device
 * runs. */
void direct_wake(struct direct *direct, int fd);
