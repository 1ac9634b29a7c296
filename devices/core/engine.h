/*
 * Engines: where a queue runs. A queue's life (enabled, device running, pause, reset) is decided in
 * queue.c, the same for all; an engine starts it, takes chains off the ring and gives them back,
 * and stops it. The one that is there when nobody says otherwise is the queue's event loop here,
 * with queue->vq and the class's functions. Another runs the queue elsewhere: in a thread of its
 * own, in the kernel, in another process.
 *
 * All functions of an engine are called on the thread of the queue's owner (queue->loop), one at a
 * time, while whoever wants the queue started or stopped waits.
 */
#pragma once

#include "devices/core/vdev.h"

struct vdev_engine {
	const char *name;

	/* The queue goes, from vdev_queue_ring() on, or from where a pause left it. An engine
	 * that cannot start it says why with vdev_queue_broken(). */
	void (*start)(struct vdev *dev, unsigned q);

	/* All queues that start together have been started: looks whether the driver has filled
	 * this one already, when kicking was not allowed yet. Comes to queues that could not be
	 * started, too. */
	void (*first_kick)(struct vdev *dev, unsigned q);

	/* Where the queue's interrupts go has changed while it runs: vdev_queue_call_fd() anew.
	 * When this returns, the descriptor from before is not written any more: else an interrupt
	 * could go where the driver no longer looks. NULL: it has the core's own always. */
	void (*call_changed)(struct vdev *dev, unsigned q);

	/*
	 * Begins no chain any more, and calls vdev_engine_stopped() when nothing is in hand and
	 * guest memory is let alone: at once or later, on the owner's thread. On VDEV_STOP_PAUSE
	 * the queue goes on later; VDEV_STOP_RESET may come to one that is paused already, and to
	 * one that could not be started; VDEV_STOP_SAVE comes to one that is paused.
	 */
	void (*stop)(struct vdev *dev, unsigned q, enum vdev_stop why);
};

/* The queue's event loop and queue->vq. */
extern const struct vdev_engine vdev_engine_here;

/* What a driver programmed into the queue and negotiated, and the position to go on from. VQ_OK,
 * or the fault of a queue that cannot be started with it. */
enum vq_fault vdev_queue_ring(struct vdev *dev, unsigned q, struct vq_config *ret);

/* The same, and what a queue that is served here would find of it (vq_start()). On the owner's
 * thread, of a queue that does not run. */
enum vq_fault vdev_queue_ring_checked(struct vdev *dev, unsigned q, struct vq_config *ret);

/*
 * An eventfd to be written for the queue's interrupts, until its stop is over or call_changed()
 * comes. It is the transport's own where a descriptor is all that an interrupt takes
 * (vdev_transport_ops.queue_call_fd); else one that the queue's loop reads, to interrupt then as it
 * does for the queues that run here; so it is always while somebody observes or filters the device.
 * On the owner's thread, from start() on.
 */
int vdev_queue_call_fd(struct vdev *dev, unsigned q);

/* The stop that was asked for is over. @position: where both sides of the ring are; NULL where
 * that is the engine's to know, or has not changed since it was last said. On the owner's
 * thread. */
void vdev_engine_stopped(struct vdev *dev, unsigned q, const struct vq_position *position);

/*
 * @engine runs queue @q from its next start on (NULL: vdev_engine_here), with @data for it as
 * queue->engine_data. It goes on from the queue's position, and the driver notices nothing. The
 * queue must stand still: the device paused, or without a running driver, or the queue not enabled.
 * 0; -EBUSY if it runs, or if the class has chains of it in hand; -errno without a descriptor.
 */
int vdev_queue_set_engine(struct vdev *dev, unsigned q, const struct vdev_engine *engine,
			  void *data);

/* In a class's negotiated(): the same for a queue whose kind depends on the features. @engine is
 * vdev_engine_here, or the one that open() gave it. */
void vdev_queue_choose_engine(struct vdev *dev, unsigned q, const struct vdev_engine *engine);

/* Features that are between a driver and its transport: doorbells, resets of queues, whose
 * addresses these are. Whoever serves the queues need not have them, and is not told of them. */
#define VDEV_TRANSPORT_FEATURES                                                              \
	(1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << VIRTIO_F_ORDER_PLATFORM |                \
	 1ull << VIRTIO_F_NOTIFICATION_DATA | 1ull << VIRTIO_F_NOTIF_CONFIG_DATA |           \
	 1ull << VIRTIO_F_RING_RESET | 1ull << VIRTIO_F_ADMIN_VQ | 1ull << VIRTIO_F_SR_IOV | \
	 1ull << VIRTIO_F_SUSPEND)

/* The host's mistake: what the engine had in hand of the queue can be neither completed nor begun
 * anew, as @why tells. DEVICE_NEEDS_RESET, told of once. From any thread. */
void vdev_queue_failed(struct vdev *dev, unsigned q, const char *why);

/* The driver broke the ring: DEVICE_NEEDS_RESET, told of once. @head: of the chain; -1: of none.
 * From any thread. */
void vdev_queue_broken(struct vdev *dev, unsigned q, int head, enum vq_fault fault);
