/*
 * Legacy drivers (VIRTIO 1.4, 7.4 and the sections called "Legacy Interface"): what a transport
 * with a legacy interface asks of the device core. docs/legacy.md tells what is offered and why.
 *
 * A device has one driver, and it is a legacy driver from the first thing that is written through a
 * legacy interface after a reset, until the next one. Of the status machine it leaves out
 * FEATURES_OK; features are bits 0 to 31 and cannot be refused (2.2.3, 3.1.2); a queue is a split
 * ring in one piece. It may use its queues before DRIVER_OK (3.1.2): they begin to run with
 * DRIVER_OK or with the first notification, whichever comes first, and not earlier, because drivers
 * tell of a ring and fill it with zeroes in either order. Features that it writes after that (as
 * Linux did before 2.6.30) are taken up with the queues paused in between.
 */
#pragma once

#include "devices/core/vdev.h"

/* Has the driver begun to use its queues? DRIVER_OK was set, or a legacy driver did not wait for
 * it. From any thread. */
bool vdev_in_use(struct vdev *dev);

/* The 32 feature bits that a legacy driver is offered, and what it accepts of them. What is not
 * offered, or lacks what it needs, does not count; nor does anything beside bit 30, which drivers
 * accept that do not negotiate (6.3). */
uint32_t vdev_legacy_offered(struct vdev *dev);
void vdev_legacy_accept(struct vdev *dev, uint32_t bits);

/* As vdev_set_status(). */
void vdev_legacy_set_status(struct vdev *dev, uint32_t status);

/* Queue @q is a ring at guest-physical @address with its used ring @align-aligned (a power of two;
 * 2.7.2), of the size that VQR_SIZE has; 0: it is none any more. A ring that it was before is
 * forgotten. */
void vdev_legacy_queue_set(struct vdev *dev, unsigned q, uint64_t address, uint32_t align);

/* Its size, where the driver chooses it (4.2.4); before its address. */
void vdev_legacy_queue_size(struct vdev *dev, unsigned q, uint16_t size);

/* A notification, which may be what the device begins with: then it answers true. */
bool vdev_legacy_notify(struct vdev *dev, unsigned q);

/* As vdev_config_write(): a legacy driver may begin with this (3.1.2). */
void vdev_legacy_config_write(struct vdev *dev, size_t off, const void *src, size_t len);
