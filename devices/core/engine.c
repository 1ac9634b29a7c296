/*
 * The engine that runs a queue when nobody says otherwise: the event loop that owns it, a vq of this process, and
 * the class's functions. What they do with chains is in queue.c (vdev_drain() and what goes with it).
 */
#include "devices/core/engine.h"

#include <unistd.h>

#include "devices/core/filter.h"
#include "devices/core/observe.h"

static void vdev_queue_kicked(void *arg, GIOCondition revents)
{
	struct vdev_queue *queue = arg;
	struct vq_stats *stats = vq_stats(queue->vq);
	uint64_t count, own;

	(void)revents;
	if (read(queue->kick_fd, &count, sizeof(count)) < 0)
		return;
	__atomic_store_n(&stats->kicks, stats->kicks + count, __ATOMIC_RELAXED);
	own = atomic_exchange(&queue->again, 0);
	vdev_kicked(queue->dev, (unsigned)(queue - queue->dev->queue), count, own);
}

static void vdev_queue_serve(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];

	queue->kick_watch = loop_watch(queue->loop, queue->kick_fd, G_IO_IN, vdev_queue_kicked,
				       queue);
	vdev_saw_started(dev, q);
	if (dev->class->queue_started)
		dev->class->queue_started(dev, q);
}

static void vdev_start_ring(struct vdev *dev, unsigned q)
{
	struct vq_config cfg;
	enum vq_fault fault = vdev_queue_ring(dev, q, &cfg);

	if (fault == VQ_OK)
		fault = vq_start(dev->queue[q].vq, dev->mem, &cfg);
	if (fault != VQ_OK)
		vdev_queue_broken(dev, q, -1, fault);
}

/* Of one that is not served; after a pause the ring is started still. */
static void here_start(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (!queue->paused)
		vdev_start_ring(dev, q);
	queue->paused = false;
	if (vq_started(queue->vq))
		vdev_queue_serve(dev, q);
}

static void here_first_kick(struct vdev *dev, unsigned q)
{
	if (vq_started(dev->queue[q].vq) && dev->class->kick)
		dev->class->kick(dev, q);
}

void vdev_queue_stopped(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];
	struct vq_position position;

	g_assert(queue->stopping);
	queue->stopping = false;
	vdev_filters_stop(dev, q, queue->why);
	vdev_flush(dev, q);
	queue->paused = queue->why == VDEV_STOP_PAUSE;
	if (!queue->paused)
		position = vq_stop(queue->vq);
	vdev_saw_stopped(dev, q, queue->why);
	vdev_engine_stopped(dev, q, queue->paused ? NULL : &position);
}

static void here_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (!vq_started(queue->vq)) {
		vdev_engine_stopped(dev, q, NULL);
		return;
	}
	loop_unwatch(g_steal_pointer(&queue->kick_watch));
	queue->why = why;
	queue->stopping = true;
	if (!dev->class->queue_stop || dev->class->queue_stop(dev, q, why))
		vdev_queue_stopped(dev, q);
}

const struct vdev_engine vdev_engine_here = {
	.name = "here",
	.start = here_start,
	.first_kick = here_first_kick,
	.stop = here_stop,
};
