/* Queues that the driver's side takes away and gives again, one by one. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "devices/core/vdev-impl.h"

struct vq_position vdev_queue_suspend(struct vdev *dev, unsigned q)
{
	const struct vdev_queue *queue = &dev->queue[q];
	struct vq_position ret;

	vdev_enter(dev);
	vdev_take_queue_away(dev, q);
	ret = queue->ran ? queue->position
			 : vq_position_initial(vdev_accepted(dev, VIRTIO_F_RING_PACKED));
	vdev_leave(dev);
	return ret;
}

bool vdev_queue_go_on_from(struct vdev *dev, unsigned q, struct vq_position position)
{
	struct vdev_queue *queue = &dev->queue[q];
	bool packed, ok;

	vdev_enter(dev);
	packed = vdev_accepted(dev, VIRTIO_F_RING_PACKED);
	ok = !queue->enabled && vdev_position_fits(position, queue->size, packed);
	if (ok) {
		queue->position = position;
		queue->ran = true;
	}
	vdev_leave(dev);
	return ok;
}

void vdev_queue_log_ring(struct vdev *dev, unsigned q, enum vq_log_ring how, uint64_t device_area)
{
	struct vdev_queue *queue = &dev->queue[q];

	vdev_enter(dev);
	if (!queue->enabled) {
		queue->log_ring = how;
		queue->log_device = device_area;
	}
	vdev_leave(dev);
}

void vdev_queue_set_inflight(struct vdev *dev, unsigned q, struct vq_inflight_area *area)
{
	vdev_enter(dev);
	if (!dev->queue[q].enabled)
		dev->queue[q].inflight = area;
	vdev_leave(dev);
}

int vdev_queue_set_kick_fd(struct vdev *dev, unsigned q, int fd)
{
	struct vdev_queue *queue = &dev->queue[q];
	int ret = -EBUSY;

	vdev_enter(dev);
	if (!queue->enabled)
		ret = dup3(fd, queue->kick_fd, O_CLOEXEC) < 0 ? -errno : 0;
	queue->again = 0;
	vdev_leave(dev);
	return ret;
}
