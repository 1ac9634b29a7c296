/* What vdev.c, features.c, config.c and queue.c share and nobody else needs. */
#pragma once

#include "devices/core/vdev.h"

/* Offers what the options ask for, as far as it does not depend on the class's open(), and
 * withholds what they withhold; and after open(): false if it did not offer what they ask for.
 * @context begins messages. */
bool vdev_features_open(struct vdev *dev, const char *context, GError **err);
bool vdev_features_opened(struct vdev *dev, const char *context, GError **err);

/* May the driver have what it accepts? */
bool vdev_features_hold(struct vdev *dev);

/* Leaves in @f, a legacy driver's, what it can have. False if that is less. */
bool vdev_features_legacy(struct vdev *dev, struct vfeatures *f);

/* A queue as reset leaves it (2.6.1); not while it runs. */
void vdev_queue_defaults(struct vdev_queue *queue);

/* The queues' sizes follow the ring format that was negotiated; before the driver has set them. */
void vdev_queue_negotiated(struct vdev *dev);

/* Both offsets lie in the ring, and no more was taken than there is. */
bool vdev_position_fits(struct vq_position at, uint16_t size, bool packed);

/* In a call of the driver: starts it or stops it, if the device runs. */
void vdev_queue_enable(struct vdev *dev, unsigned q, bool on);

/* Begins and ends a call of the driver: between them dev->lock is held, but for where owners are
 * waited for, and no other call is under way. */
void vdev_enter(struct vdev *dev);
void vdev_leave(struct vdev *dev);

/* In such a call: the lock is let go while owners are waited for. */
void vdev_begin_wait(struct vdev *dev);
void vdev_end_wait(struct vdev *dev);

/* In such a call: a reset by the driver; the features that it accepted are final. */
void vdev_reset_device(struct vdev *dev);
void vdev_set_negotiated(struct vdev *dev);

/* In such a call: a legacy driver's DRIVER_OK (legacy.c). */
void vdev_legacy_driver_ok(struct vdev *dev);

/* Which of its device's queues it is. */
static inline unsigned vdev_queue_index(const struct vdev_queue *queue)
{
	return (unsigned)(queue - queue->dev->queue);
}

/* In such a call: disables a queue, and returns when it has stopped. If it runs it is paused and
 * saved first: a pause leaves what was not begun with the class, which then gives it back. */
void vdev_take_queue_away(struct vdev *dev, unsigned q);

/* In such a call, or with nobody else about: start all enabled queues; stop all that run or are
 * paused. */
void vdev_start_queues(struct vdev *dev);
void vdev_stop_queues(struct vdev *dev, enum vdev_stop why);

/* On the owner's thread: the ring was emptied, and the loop is going to look at it for a while: so
 * the driver need not kick yet. False: it has to. */
bool vdev_queue_is_looked_at(struct vdev_queue *queue);

/* On the owner's thread: interrupts of a queue that runs elsewhere come here, too; until it has
 * stopped. */
void vdev_call_begin(struct vdev_queue *queue);
void vdev_call_end(struct vdev_queue *queue);

/* Copies the whole space; answers its generation. */
uint32_t vdev_config_copy(struct vdev *dev, uint8_t ret[VDEV_CONFIG_MAX]);

/* A driver saw @config under @generation last: false if that is how things are. Else it is not the
 * same any more, and the generation moves on. */
bool vdev_config_restored(struct vdev *dev, const uint8_t *config, uint32_t generation);

/* The space as it is is generation 0. */
void vdev_config_forget(struct vdev *dev);

/* The configuration space is not what the transport last saw: interrupts a running driver if
 * @notify. */
void vdev_config_tell(struct vdev *dev, bool notify);

/* Sets DEVICE_NEEDS_RESET, once, and tells a running driver. From any thread. */
void vdev_needs_reset(struct vdev *dev);
