/*
 * The engine that runs a queue when nobody says otherwise: the event loop that owns it, a vq of
 * this process, and the class's functions. What they do with chains is in queue.c (vdev_drain() and
 * what goes with it). And what there is for other engines (docs/engines.md): interrupts as
 * descriptors.
 */
#include "devices/core/engine.h"

#include <unistd.h>

#include "devices/core/filter.h"
#include "devices/core/observe.h"
#include "devices/core/vdev-impl.h"

static void vdev_queue_kicked(void *arg, GIOCondition revents)
{
	struct vdev_queue *queue = arg;
	struct vq_stats *stats = vq_stats(queue->vq);
	uint64_t count = 0, own;

	(void)revents;
	if (read(queue->kick_fd, &count, sizeof(count)) != sizeof(count) && !queue->found)
		return;
	loop_look_away(queue->loop, &queue->look);
	__atomic_store_n(&stats->kicks, stats->kicks + count, __ATOMIC_RELAXED);
	own = atomic_exchange(&queue->again, 0) + queue->found;
	queue->found = false;
	vdev_kicked(queue->dev, vdev_queue_index(queue), count, own);
}

static bool vdev_queue_look(void *arg)
{
	struct vdev_queue *queue = arg;

	queue->found = vq_pending(queue->vq);
	return queue->found;
}

static bool vdev_queue_arm(void *arg)
{
	struct vdev_queue *queue = arg;

	queue->found = !vq_enable_notify(queue->vq);
	return !queue->found;
}

bool vdev_queue_is_looked_at(struct vdev_queue *queue)
{
	const struct vdev *dev = queue->dev;

	return !dev->observer && !dev->filter && loop_look_at(queue->loop, &queue->look);
}

static void vdev_queue_serve(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];

	queue->look = (struct poller_ring){
		.look = vdev_queue_look, .arm = vdev_queue_arm, .arg = queue, .fd = queue->kick_fd
	};
	queue->found = false;

	queue->kick_watch = loop_watch(queue->loop, queue->kick_fd, G_IO_IN, vdev_queue_kicked,
				       queue);
	vdev_saw_started(dev, q);
	if (dev->class->queue_started)
		dev->class->queue_started(dev, q);
}

static void vdev_start_ring(struct vdev *dev, unsigned q)
{
	const struct gmem *mem = dev->mem;
	struct vq_config cfg;
	enum vq_fault fault = vdev_queue_ring(dev, q, &cfg);

	if (fault == VQ_OK && dev->far)
		mem = dev->far->starts(dev->far, q, &cfg);
	if (fault == VQ_OK)
		fault = vq_start(dev->queue[q].vq, mem, &cfg);
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
	if (!vq_started(dev->queue[q].vq))
		return;
	vq_kicked(dev->queue[q].vq);
	if (dev->class->kick)
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
	queue->paused = queue->why != VDEV_STOP_RESET;
	if (queue->paused)
		vq_log_in_flight(queue->vq);
	else
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
	if (queue->look.unarmed) { /* whoever serves the ring next may count on kicks */
		loop_look_away(queue->loop, &queue->look);
		(void)vq_enable_notify(queue->vq);
	}
	queue->stopping = true;
	if (why == VDEV_STOP_SAVE) /* what it gives back now, it does as one that is served */
		vdev_saw_started(dev, q);
	if (!dev->class->queue_stop || dev->class->queue_stop(dev, q, why))
		vdev_queue_stopped(dev, q);
}

const struct vdev_engine vdev_engine_here = {
	.name = "here",
	.start = here_start,
	.first_kick = here_first_kick,
	.stop = here_stop,
};

/*
 * Interrupts of queues that run elsewhere.
 */
static void vdev_queue_called(void *arg, GIOCondition revents)
{
	struct vdev_queue *queue = arg;
	uint64_t count;

	(void)revents;
	if (read(queue->call_fd, &count, sizeof(count)) == sizeof(count))
		vdev_interrupt(queue->dev, vdev_queue_index(queue));
}

void vdev_call_begin(struct vdev_queue *queue)
{
	if (queue->engine == &vdev_engine_here)
		return;
	queue->call_watch = loop_watch(queue->loop, queue->call_fd, G_IO_IN, vdev_queue_called,
				       queue);
	vdev_saw_started(queue->dev, vdev_queue_index(queue));
}

/* What the engine called for before it stopped is passed on first. */
void vdev_call_end(struct vdev_queue *queue)
{
	if (!queue->call_watch)
		return;
	vdev_queue_called(queue, 0);
	loop_unwatch(g_steal_pointer(&queue->call_watch));
	vdev_filters_stop(queue->dev, vdev_queue_index(queue), queue->why);
	vdev_saw_stopped(queue->dev, vdev_queue_index(queue), queue->why);
}

static void vdev_far_called(void *arg)
{
	const struct vdev_queue *queue = arg;

	vdev_interrupt(queue->dev, vdev_queue_index(queue));
}

/* Transports take it from any thread; who looks on, on the owner's. */
void vdev_far_interrupt(struct vdev *dev, unsigned q)
{
	if (dev->observer || dev->filter)
		loop_call(dev->queue[q].loop, vdev_far_called, &dev->queue[q]);
	else
		vdev_far_called(&dev->queue[q]);
}

/* The transport's: if the engine follows when it changes, and nobody here wants to see interrupts.
 */
int vdev_queue_call_fd(struct vdev *dev, unsigned q)
{
	const struct vdev_transport_ops *transport = dev->transport;
	bool may = dev->queue[q].engine->call_changed && !dev->observer && !dev->filter;
	int fd = may && transport && transport->queue_call_fd ? transport->queue_call_fd(dev, q)
							      : -1;

	return fd >= 0 ? fd : dev->queue[q].call_fd;
}
