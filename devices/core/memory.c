/* Guest memory that changes under a paused device: its started rings are asked, and told. */
#include "devices/core/vdev-impl.h"
#include "devices/core/vdev.h"

bool vdev_uses_memory(struct vdev *dev, const struct gmem_region *r)
{
	bool uses = false;

	vdev_enter(dev);
	g_assert(!dev->running);
	for (unsigned q = 0; q < dev->n_queues && !uses; q++)
		uses = vq_uses_memory(dev->queue[q].vq, r);
	vdev_leave(dev);
	return uses;
}

void vdev_memory_changed(struct vdev *dev)
{
	vdev_enter(dev);
	g_assert(!dev->running);
	for (unsigned q = 0; q < dev->n_queues; q++)
		vq_memory_changed(dev->queue[q].vq);
	vdev_leave(dev);
}
