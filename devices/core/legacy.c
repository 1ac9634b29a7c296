#include "devices/core/legacy.h"

#include "devices/core/engine.h"
#include "devices/core/rules.h"
#include "devices/core/vdev-impl.h"

/* A call of a legacy driver, and its first one. What a driver of the other kind may have written
 * without setting a status bit is forgotten: there was nobody. */
static void legacy_enter(struct vdev *dev)
{
	vdev_enter(dev);
	if (dev->legacy || dev->status)
		return;
	dev->legacy = true;
	dev->accepted = (struct vfeatures){ 0 };
	for (unsigned q = 0; q < dev->n_queues; q++)
		vdev_queue_defaults(&dev->queue[q]);
}

bool vdev_in_use(struct vdev *dev)
{
	return dev->status & VIRTIO_S_DRIVER_OK || dev->begun;
}

/* In a call: the features are settled and the queues run. */
static void legacy_begin(struct vdev *dev)
{
	dev->begun = true;
	vdev_set_negotiated(dev);
	vdev_start_queues(dev);
}

/* Queues are paused, and go on with other features where they were. */
static void legacy_begin_again(struct vdev *dev, struct vfeatures accepted)
{
	struct vq_config cfg;

	vdev_stop_queues(dev, VDEV_STOP_PAUSE);
	dev->accepted = accepted;
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (vq_started(dev->queue[q].vq)) {
			(void)vdev_queue_ring(dev, q, &cfg);
			vq_features_changed(dev->queue[q].vq, &cfg);
		}
	legacy_begin(dev);
}

void vdev_legacy_driver_ok(struct vdev *dev)
{
	bool begins = !dev->begun;

	if (begins) {
		dev->begun = true;
		vdev_set_negotiated(dev);
	}
	if (dev->class->legacy_driver_ok)
		dev->class->legacy_driver_ok(dev);
	if (begins)
		vdev_start_queues(dev);
}

void vdev_legacy_set_status(struct vdev *dev, uint32_t status)
{
	if (status) {
		legacy_enter(dev);
		vdev_leave(dev);
	}
	vdev_set_status(dev, status);
}

/*
 * Features.
 */

uint32_t vdev_legacy_offered(struct vdev *dev)
{
	return (uint32_t)dev->offered.w[0];
}

void vdev_legacy_accept(struct vdev *dev, uint32_t bits)
{
	struct vfeatures f = { { bits, 0 } };

	legacy_enter(dev);
	if (dev->legacy && !vdev_features_legacy(dev, &f))
		vdev_rule_broken(dev, RULE_LEGACY_FEATURE, "feature word 0, %#x", bits);
	if (dev->legacy && dev->begun && f.w[0] != dev->accepted.w[0])
		legacy_begin_again(dev, f);
	else if (dev->legacy)
		dev->accepted = f;
	vdev_leave(dev);
}

/*
 * Queues.
 */

void vdev_legacy_queue_set(struct vdev *dev, unsigned q, uint64_t address, uint32_t align)
{
	struct vdev_queue *queue;
	uint16_t size;

	if (q >= dev->n_queues)
		return;
	queue = &dev->queue[q];
	legacy_enter(dev);
	if (dev->legacy) {
		size = queue->size;
		vdev_queue_enable(dev, q, false);
		vdev_queue_defaults(queue);
		queue->size = size;
		queue->desc = address;
		queue->driver = address + vring_legacy_driver_offset(size);
		queue->device = address + vring_legacy_device_offset(size, align);
		vdev_queue_enable(dev, q, address);
	}
	vdev_leave(dev);
}

void vdev_legacy_queue_size(struct vdev *dev, unsigned q, uint16_t size)
{
	if (q >= dev->n_queues)
		return;
	legacy_enter(dev);
	if (dev->legacy && !dev->queue[q].enabled)
		dev->queue[q].size = size;
	vdev_leave(dev);
}

bool vdev_legacy_notify(struct vdev *dev, unsigned q)
{
	bool begins;

	if (dev->running || q >= dev->n_queues) {
		vdev_notify(dev, q);
		return false;
	}
	legacy_enter(dev);
	begins = dev->legacy && !dev->begun && dev->queue[q].enabled;
	if (begins)
		legacy_begin(dev); /* and looks at all of them */
	vdev_leave(dev);
	return begins;
}

void vdev_legacy_config_write(struct vdev *dev, size_t off, const void *src, size_t len)
{
	legacy_enter(dev);
	vdev_leave(dev);
	vdev_config_write(dev, off, src, len);
}
