/* Tells a device's observers what happens: see observe.h. A queue's events come from its vq. */
#include "devices/core/observe.h"

#include "devices/core/vdev-impl.h"

/* Calls @event of all that have it. */
#define TELL(dev, event, ...)                                               \
	for (struct vdev_observer *o_ = (dev)->observer; o_; o_ = o_->next) \
		if (o_->ops->event)                                         \
	o_->ops->event(o_, dev, ##__VA_ARGS__)

void vdev_tell_access(struct vdev *dev, const struct vdev_access *a)
{
	TELL(dev, access, a);
}

void vdev_tell_status(struct vdev *dev, uint32_t before, uint32_t after)
{
	TELL(dev, status, before, after);
}

void vdev_tell_config(struct vdev *dev, size_t off, const void *bytes, size_t len, bool write)
{
	TELL(dev, config, off, bytes, len, write);
}

void vdev_tell_rule(struct vdev *dev, enum vdev_rule rule, const char *where)
{
	TELL(dev, rule, rule, where);
}

void vdev_tell_config_interrupt(struct vdev *dev)
{
	TELL(dev, config_interrupt);
}

void vdev_tell_started(struct vdev *dev, unsigned q)
{
	TELL(dev, queue_started, q);
}

void vdev_tell_stopped(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	TELL(dev, queue_stopped, q, why);
}

void vdev_tell_kicked(struct vdev *dev, unsigned q, uint64_t n)
{
	TELL(dev, kicked, q, n);
}

void vdev_tell_interrupt(struct vdev *dev, unsigned q, bool sent)
{
	TELL(dev, interrupt, q, sent);
}

void vdev_tell_fault(struct vdev *dev, unsigned q, enum vq_fault fault, uint16_t head)
{
	TELL(dev, fault, q, fault, head);
}

/*
 * From the rings.
 */

static struct vdev_queue *vdev_observer_queue_of(struct vq_observer *o)
{
	return (struct vdev_queue *)(void *)((char *)o - offsetof(struct vdev_queue, observer));
}

static void vdev_observer_ring_popped(struct vq_observer *o, const struct vq_chain *c)
{
	struct vdev_queue *queue = vdev_observer_queue_of(o);

	TELL(queue->dev, popped, vdev_queue_index(queue), c);
}

static void vdev_observer_ring_unpopped(struct vq_observer *o, const struct vq_chain *c)
{
	struct vdev_queue *queue = vdev_observer_queue_of(o);

	TELL(queue->dev, unpopped, vdev_queue_index(queue), c);
}

static void vdev_observer_ring_pushed(struct vq_observer *o, const struct vq_chain *c, uint32_t len)
{
	struct vdev_queue *queue = vdev_observer_queue_of(o);

	TELL(queue->dev, pushed, vdev_queue_index(queue), c, len);
}

/* Of an interrupt that is wanted vdev_interrupt() tells, when it is sent. */
static void vdev_observer_ring_published(struct vq_observer *o, bool interrupt)
{
	struct vdev_queue *queue = vdev_observer_queue_of(o);

	if (!interrupt)
		vdev_tell_interrupt(queue->dev, vdev_queue_index(queue), false);
}

static void vdev_observer_ring_broken(struct vq_observer *o, enum vq_fault fault, uint16_t head)
{
	struct vdev_queue *queue = vdev_observer_queue_of(o);

	vdev_tell_fault(queue->dev, vdev_queue_index(queue), fault, head);
}

static const struct vq_observer_ops ring_ops = {
	.popped = vdev_observer_ring_popped,
	.unpopped = vdev_observer_ring_unpopped,
	.pushed = vdev_observer_ring_pushed,
	.published = vdev_observer_ring_published,
	.broken = vdev_observer_ring_broken,
};

/* Does anyone want to know what passes through the rings? */
static bool vdev_observer_wants_rings(const struct vdev *dev)
{
	for (const struct vdev_observer *o = dev->observer; o; o = o->next) {
		const struct vdev_observer_ops *ops = o->ops;

		if (ops->popped || ops->unpopped || ops->pushed || ops->interrupt || ops->fault)
			return true;
	}
	return false;
}

static void vdev_observer_install(struct vdev *dev)
{
	bool wanted = vdev_observer_wants_rings(dev);

	for (unsigned q = 0; q < dev->n_queues; q++) {
		struct vdev_queue *queue = &dev->queue[q];

		queue->observer.ops = &ring_ops;
		vq_observe(queue->vq, wanted ? &queue->observer : NULL);
	}
}

void vdev_observe(struct vdev *dev, struct vdev_observer *o)
{
	struct vdev_observer **at = &dev->observer;

	while (*at)
		at = &(*at)->next;
	o->next = NULL;
	*at = o;
	vdev_observer_install(dev);
}

void vdev_unobserve(struct vdev *dev, struct vdev_observer *o)
{
	struct vdev_observer **at = &dev->observer;

	while (*at && *at != o)
		at = &(*at)->next;
	if (*at)
		*at = o->next;
	vdev_observer_install(dev);
}
