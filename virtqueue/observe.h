/*
 * Looking at a queue, and standing between it and its device: for whoever is neither.
 *
 * An observer is told what passes between the queue and the device that owns it. A filter is asked
 * before a chain is given back. Both are set on the owner's thread or while the queue is stopped,
 * stay set when it stops and starts, and are called on the owner's thread. With neither they cost
 * the test of one flag in vq_push(), and nothing anywhere else.
 *
 * A queue has one observer and one filter. The device core's share them out to any number of
 * observers and filters of a device (devices/core/observe.h, devices/core/filter.h); a queue
 * without a device around it, as tests and fuzzers have it, takes its own.
 */
#pragma once

#include "virtqueue/vq.h"

struct vq_observer;

/* A NULL function is not called. None may change the chain or call the queue. */
struct vq_observer_ops {
	/* The device has @c. Its cursors are whole: what the driver made. */
	void (*popped)(struct vq_observer *o, const struct vq_chain *c);

	/* vq_unpop(): it was never popped. */
	void (*unpopped)(struct vq_observer *o, const struct vq_chain *c);

	/* @c goes back, with @len as its used length. The driver does not see it yet, and its
	 * buffers are as the device left them. */
	void (*pushed)(struct vq_observer *o, const struct vq_chain *c, uint32_t len);

	/* What was pushed is the driver's now, who wants an @interrupt for it or does not. */
	void (*published)(struct vq_observer *o, bool interrupt);

	/* The driver broke the ring: the queue is dead until it is started again. @head:
	 * vq_fault_head(). */
	void (*broken)(struct vq_observer *o, enum vq_fault fault, uint16_t head);
};

struct vq_observer {
	const struct vq_observer_ops *ops;
};

/* NULL: nobody looks. */
void vq_observe(struct vq *vq, struct vq_observer *o);

struct vq_filter {
	/* The device pushes @c. True: so be it, with what c->written is by then. False: it stays
	 * lent, and is the filter's to vq_complete() or to leave: vq_stop() makes it void. */
	bool (*push)(struct vq_filter *f, struct vq_chain *c);
};

/* NULL: there is none. */
void vq_filter(struct vq *vq, struct vq_filter *f);

/* vq_push() that asks no filter. */
void vq_complete(struct vq *vq, struct vq_chain *c);

/* Gives @c back and keeps it lent, so that the driver finds it used once more than it was made
 * available, which breaks the specification. With what was pushed it is not seen before
 * vq_publish(). */
void vq_complete_early(struct vq *vq, struct vq_chain *c);
