/* What vdev.c and vdev-queue.c share and nobody else needs. */
#pragma once

#include "devices/vdev.h"

/* A queue as reset leaves it (2.6.1); not while it runs. */
void vdev_queue_defaults(struct vdev_queue *queue);

/* Start all enabled queues, stop all started ones (drained, positions kept); with dev->lock held or
 * nobody else about. */
void vdev_start_queues(struct vdev *dev);
void vdev_stop_queues(struct vdev *dev);

/* Sets DEVICE_NEEDS_RESET, once, and tells a running driver. From any thread. */
void vdev_needs_reset(struct vdev *dev);
