/*
 * Filters: whoever changes what passes between a device and its driver, and is neither its class
 * nor its transport: faults and delays on request, for tests of drivers.
 *
 * A filter is a struct vdev_filter, usually the first member of a larger one, with a table of
 * functions, one for each way; those that it leaves NULL let all pass. Any number can stand one
 * behind the other: the first to be attached is asked first, and what it keeps no other sees.
 * Attaching and leaving is for when nobody calls the device, as with observers, and when the filter
 * keeps nothing. (What a disk or a network does is changed by a filter on the backend's side:
 * devices/backend.) docs/observers.md has an example.
 *
 * Threads. What concerns a queue is asked on its owner's thread, and what was kept is let go there;
 * a configuration change interrupt and a read of configuration space happen on any. No function may
 * wait, or call the device but for vdev_let_*() on its owner's thread.
 */
#pragma once

#include "devices/core/vdev.h"
#include "virtqueue/observe.h"

struct vdev_filter;

enum vdev_verdict {
	VDEV_PASS,  /* as if nobody had asked */
	VDEV_KEEP,  /* not now: it is the filter's, to let go later or never */
	VDEV_TWICE, /* passes two times */
};

struct vdev_filter_ops {
	/* The device gives @c back. The filter may change c->written: the used length, as far as
	 * there was room. What it keeps is in flight, for the driver as for the ring. TWICE is a
	 * used buffer too many, which no specification allows. */
	enum vdev_verdict (*push)(struct vdev_filter *f, struct vdev *dev, unsigned q,
				  struct vq_chain *c);

	/* The driver is to be interrupted for used buffers of queue @q. */
	enum vdev_verdict (*interrupt)(struct vdev_filter *f, struct vdev *dev, unsigned q);

	/* It is to be interrupted for a change of configuration. */
	enum vdev_verdict (*config_interrupt)(struct vdev_filter *f, struct vdev *dev);

	/* A notification of the driver's reached the owner. */
	enum vdev_verdict (*kick)(struct vdev_filter *f, struct vdev *dev, unsigned q);

	/* The driver reads [off, off + len) of configuration space: @bytes, for the filter to
	 * change. A transport that keeps a copy for drivers to read from reads all of it whenever
	 * it changes. */
	void (*config_read)(struct vdev_filter *f, struct vdev *dev, size_t off, uint8_t *bytes,
			    size_t len);

	/* Queue @q stops. On a reset the chains that the filter keeps are void from now on. On a
	 * pause they stay valid, and nothing can be let go from then on until the queue goes on. */
	void (*queue_stops)(struct vdev_filter *f, struct vdev *dev, unsigned q,
			    enum vdev_stop why);
};

struct vdev_filter {
	const struct vdev_filter_ops *ops;
	struct vdev_filter *next; /* of the same device's */
};

/* @f stands behind those that there are already. It is one device's, and lives longer than that, or
 * leaves before. */
void vdev_filter(struct vdev *dev, struct vdev_filter *f);
void vdev_unfilter(struct vdev *dev, struct vdev_filter *f);

/* What @f kept passes, but for what filters behind it say. Of a queue on its owner's thread, and
 * false if it is not served just now: then @f has it still. After chains, once for all of them,
 * comes vdev_flush(). */
bool vdev_let_push(struct vdev_filter *f, struct vdev *dev, unsigned q, struct vq_chain *c);
bool vdev_let_interrupt(struct vdev_filter *f, struct vdev *dev, unsigned q);
bool vdev_let_kick(struct vdev_filter *f, struct vdev *dev, unsigned q);
void vdev_let_config_interrupt(struct vdev_filter *f, struct vdev *dev); /* any thread */

/*
 * ---- for the core: past the filters and observers ----
 */

/* To the transport: used buffers of queue @q; a configuration change, with dev->transport_lock
 * held. */
void vdev_interrupt(struct vdev *dev, unsigned q);
void vdev_config_interrupt(struct vdev *dev);

/* To the class: @n notifications, of which @own are the device's own (vdev_again()) and pass by. */
void vdev_kicked(struct vdev *dev, unsigned q, uint64_t n, uint64_t own);

/* From configuration space to the transport. */
void vdev_config_seen(struct vdev *dev, size_t off, void *bytes, size_t len);

/* A queue stops, on its owner's thread. */
void vdev_filters_stop(struct vdev *dev, unsigned q, enum vdev_stop why);
