/*
 * Watching what a device takes off its queues and gives back: for the trace, and to judge it. What
 * a sound driver's chain becomes on the device's side is known exactly, and a used length must not
 * promise bytes that were never written.
 */
#pragma once

#include "devices/core/observe.h"
#include "tools/fuzz/language/refdrv.h"
#include "virtqueue/vq.h"

/* Looks at what @dev does with its queues, as long as it lives. */
void observe_device(struct vdev *dev, struct vdev_observer *o);

/* The same of a queue without a device around it. */
struct ring_observer {
	struct vq_observer base;
	const struct vq *vq;
};
void observe_ring(struct vq *vq, struct ring_observer *o);

/* A run begins: of no queue the driver's side is known. */
void observe_begin(void);

/* The driver's side of @vq is @t, from now on. */
void observe_queue(const struct vq *vq, struct refdrv *t);
