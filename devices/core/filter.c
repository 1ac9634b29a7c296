/* Asks a device's filters: see filter.h. */
#include "devices/core/filter.h"

#include "devices/core/observe.h"
#include "devices/core/vdev-impl.h"

/* What filter @first and those behind it say: how often it passes. */
#define VERDICT(first, dev, event, ...)                                                         \
	({                                                                                      \
		unsigned times_ = 1;                                                            \
		for (struct vdev_filter *f_ = (first); f_ && times_; f_ = f_->next) {           \
			enum vdev_verdict v_ = f_->ops->event                                   \
						       ? f_->ops->event(f_, dev, ##__VA_ARGS__) \
						       : VDEV_PASS;                             \
			times_ = v_ == VDEV_KEEP ? 0 : v_ == VDEV_TWICE ? 2 : times_;           \
		}                                                                               \
		times_;                                                                         \
	})

/* By its loop, for its class. */
static bool vdev_filter_is_served(const struct vdev_queue *queue)
{
	return vq_started(queue->vq) && !queue->paused;
}

/*
 * Completions.
 */

/* True: it is to be given back. */
static bool vdev_filter_push_past(struct vdev_filter *f, struct vdev *dev, unsigned q,
				  struct vq_chain *c)
{
	unsigned times = VERDICT(f, dev, push, q, c);

	if (times > 1)
		vq_complete_early(c->vq, c);
	return times;
}

static bool vdev_filter_ring_push(struct vq_filter *f, struct vq_chain *c)
{
	struct vdev_queue *queue = (void *)((char *)f - offsetof(struct vdev_queue, filter));

	return vdev_filter_push_past(queue->dev->filter, queue->dev, vdev_queue_index(queue), c);
}

bool vdev_let_push(struct vdev_filter *f, struct vdev *dev, unsigned q, struct vq_chain *c)
{
	if (!vdev_filter_is_served(&dev->queue[q]))
		return false;
	if (vdev_filter_push_past(f->next, dev, q, c))
		vq_complete(c->vq, c);
	return true;
}

/*
 * Interrupts.
 */

static void vdev_filter_interrupt_past(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	for (unsigned times = VERDICT(f, dev, interrupt, q); times; times--) {
		vdev_saw_interrupt(dev, q);
		if (dev->transport)
			dev->transport->queue_changed(dev, q);
	}
}

void vdev_interrupt(struct vdev *dev, unsigned q)
{
	vdev_filter_interrupt_past(dev->filter, dev, q);
}

bool vdev_let_interrupt(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	bool elsewhere = dev->queue[q].call_watch;

	if (!elsewhere && !vdev_filter_is_served(&dev->queue[q]))
		return false;
	vdev_filter_interrupt_past(f->next, dev, q);
	return true;
}

/* What a transport keeps a copy of follows in any case. */
static void vdev_filter_config_interrupt_past(struct vdev_filter *f, struct vdev *dev)
{
	unsigned times = VERDICT(f, dev, config_interrupt);

	if (!times && dev->transport->config_stale)
		dev->transport->config_stale(dev);
	for (; times; times--) {
		vdev_saw_config_interrupt(dev);
		dev->transport->config_changed(dev);
	}
}

void vdev_config_interrupt(struct vdev *dev)
{
	vdev_filter_config_interrupt_past(dev->filter, dev);
}

void vdev_let_config_interrupt(struct vdev_filter *f, struct vdev *dev)
{
	pthread_mutex_lock(&dev->transport_lock);
	if (dev->transport && dev->status & VIRTIO_S_DRIVER_OK)
		vdev_filter_config_interrupt_past(f->next, dev);
	pthread_mutex_unlock(&dev->transport_lock);
}

/*
 * Notifications.
 */

static void vdev_filter_wake(struct vdev *dev, unsigned q)
{
	if (dev->class->kick)
		dev->class->kick(dev, q);
}

static void vdev_filter_kick_past(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	for (unsigned times = VERDICT(f, dev, kick, q); times; times--) {
		vq_kicked(dev->queue[q].vq);
		vdev_filter_wake(dev, q);
	}
}

void vdev_kicked(struct vdev *dev, unsigned q, uint64_t n, uint64_t own)
{
	if (n > own) {
		vdev_saw_kicked(dev, q, n - own);
		vdev_filter_kick_past(dev->filter, dev, q);
	}
	if (own)
		vdev_filter_wake(dev, q);
}

bool vdev_let_kick(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	if (!vdev_filter_is_served(&dev->queue[q]))
		return false;
	vdev_filter_kick_past(f->next, dev, q);
	return true;
}

/*
 * Configuration space, and the end of a queue.
 */

void vdev_config_seen(struct vdev *dev, size_t off, void *bytes, size_t len)
{
	for (struct vdev_filter *f = dev->filter; f; f = f->next)
		if (f->ops->config_read)
			f->ops->config_read(f, dev, off, bytes, len);
	vdev_saw_config(dev, off, bytes, len, false);
}

void vdev_filters_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	for (struct vdev_filter *f = dev->filter; f; f = f->next)
		if (f->ops->queue_stops)
			f->ops->queue_stops(f, dev, q, why);
}

/*
 * Coming and going.
 */

/* Rings ask as long as somebody stands there. */
static void vdev_filter_install(struct vdev *dev)
{
	for (unsigned q = 0; q < dev->n_queues; q++) {
		struct vdev_queue *queue = &dev->queue[q];

		queue->filter.push = vdev_filter_ring_push;
		vq_filter(queue->vq, dev->filter ? &queue->filter : NULL);
	}
}

void vdev_filter(struct vdev *dev, struct vdev_filter *f)
{
	struct vdev_filter **at = &dev->filter;

	while (*at)
		at = &(*at)->next;
	f->next = NULL;
	*at = f;
	vdev_filter_install(dev);
}

void vdev_unfilter(struct vdev *dev, struct vdev_filter *f)
{
	struct vdev_filter **at = &dev->filter;

	while (*at && *at != f)
		at = &(*at)->next;
	if (*at)
		*at = f->next;
	vdev_filter_install(dev);
}
