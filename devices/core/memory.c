/* Guest memory that changes under a paused device: its started rings are asked, and told. */
#include "devices/core/engine.h"
#include "devices/core/vdev-impl.h"
#include "devices/core/vdev.h"

/* Of a queue that goes on elsewhere when the pause is over: its ring has to be where it was. */
static bool vdev_ring_lies_in(struct vdev *dev, unsigned q, const struct gmem_region *r)
{
	const struct vdev_queue *queue = &dev->queue[q];
	struct vq_config c;

	if (!queue->enabled || queue->engine == &vdev_engine_here ||
	    vdev_queue_ring(dev, q, &c) != VQ_OK)
		return false;
	return gmem_region_has(r, c.desc, 1) || gmem_region_has(r, c.driver, 1) ||
	       gmem_region_has(r, c.device, 1);
}

bool vdev_uses_memory(struct vdev *dev, const struct gmem_region *r)
{
	bool uses = false;

	vdev_enter(dev);
	g_assert(!dev->running);
	for (unsigned q = 0; q < dev->n_queues && !uses; q++)
		uses = vq_uses_memory(dev->queue[q].vq, r) || vdev_ring_lies_in(dev, q, r);
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
