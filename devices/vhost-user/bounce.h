/*
 * memory=bounce: a back-end that sees no guest memory.
 *
 * It gets a small region of its own (region.h), rings included. The guest's queues run here, on
 * the device's event loop, as those of any device of ringside's (vdev_engine_here): a chain that is
 * popped is copied into the region and made available to the back-end on a ring there, by the
 * driver's side (virtqueue/driver/); when it is used, what was written is copied back and the chain
 * pushed. So the two rings have nothing to do with each other: the guest's may be split and the
 * back-end's packed, and pause, reset and saving are the core's own.
 *
 * What the back-end says is hostile input. What chain a used element is about, and how much of it
 * there is to be written, is known here and nowhere in the region; an element that names none, or a
 * length beyond that, is a named fault and the device needs a reset.
 *
 * Each queue has a share of the region, so none takes another's room. A chain that has none waits,
 * and those behind it wait in the guest's ring. One that is larger than its queue's share cannot be
 * had: the device needs a reset, and a line says so.
 *
 * All chains that are in the back-end's hands are known here, in the order in which they were
 * popped. When it dies, or stops for a pause, they are copied anew for whoever comes next.
 */
#pragma once

#include "devices/core/vdev.h"
#include "devices/vhost-user/region.h"
#include "virtqueue/driver/drv.h"

struct vhu_front;

/* Of a chain that was popped. */
struct vhu_bounced {
	GList link; /* in one of its queue's lists */
	struct vq_chain *chain;
	uint64_t seq;    /* chains of its queue that were popped, with it */
	uint64_t offset; /* in the region, */
	uint64_t bytes;  /* so many taken; 0: none. First the readable ones, then from */
	uint64_t wr;     /* on the writable ones */
};

struct vhu_bounce_queue {
	struct vhu_front *f;
	unsigned q;
	struct drv_vq *drv;
	struct bounce_room room;
	int kick_fd, call_fd; /* eventfds, ours for as long as the device is there */
	GSource *call_watch;  /* while the back-end has the ring */
	GQueue sent, waiting; /* of struct vhu_bounced: with the back-end; popped only */
	uint64_t popped;
};

struct vhu_bounce {
	struct bounce_region region;
	unsigned n;
	struct vhu_bounce_queue queue[]; /* those that the back-end serves */
};

#define VHU_BOUNCE_DEFAULT (64ull << 20)
#define VHU_BOUNCE_MIN     (64u << 10)
#define VHU_BOUNCE_MAX     (16ull << 30)

/* In open(), when it is known what queues there are. */
bool vhu_bounce_open(struct vhu_front *f, GError **err);
void vhu_bounce_close(struct vhu_front *f); /* never opened is fine */

/* What the ring towards the back-end has of @offered, which is the back-end's. */
uint64_t vhu_bounce_ring_features(uint64_t offered);

/* Before the first words on a connection: a new region. False: the connection is lost. */
bool vhu_bounce_begin(struct vhu_front *f);

/* A connection has come, and gone, for all queues (vhu_rings_resume(), vhu_rings_lost()). */
bool vhu_bounce_resume(struct vhu_front *f);
void vhu_bounce_lost(struct vhu_front *f);

/* The class's; queues that the back-end does not serve, and devices without, are passed over. */
void vhu_bounce_queue_started(struct vdev *dev, unsigned q);
bool vhu_bounce_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why);
void vhu_bounce_kick(struct vdev *dev, unsigned q);
