/*
 * Queues of a device: the registers a driver programs, when a queue starts and stops, and the one
 * loop that empties a queue. Where a queue runs is its engine's affair (engine.c).
 *
 * Starting is in two steps for all queues together: first every ring is started, then every queue
 * gets its first kick, so that a class's kick() finds the other queues ready. The first kick is
 * ours: a driver may have filled a queue before DRIVER_OK, when kicking is not allowed yet.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/core/engine.h"
#include "devices/core/filter.h"
#include "devices/core/observe.h"
#include "devices/core/vdev-impl.h"

#define BATCH        32u
#define AHEAD        16u   /* chains: so far ahead their buffers are fetched */
#define DRAIN_BUDGET 1024u /* chains in one turn of the loop, then others get theirs */
#define TURN_US      100   /* or so long, more or less a batch: */
#define BATCH_US     25    /* one that takes longer is followed by a smaller one */

static uint16_t vdev_wished_size(const struct vdev *dev)
{
	return dev->opt_queue_size ? dev->opt_queue_size : dev->class->queue_size;
}

/* Of a ring whose size is chosen by somebody who is not told what was wished. */
static uint16_t vdev_untold_size(const struct vdev *dev)
{
	if (dev->opt_queue_size || !dev->transport)
		return 0;
	return dev->transport->untold_queue_size;
}

size_t vdev_memory_max(const struct vdev *dev)
{
	unsigned size = MAX(vdev_wished_size(dev), vdev_untold_size(dev));

	return dev->n_queues * vq_memory_max(size, dev->class->request_size) + dev->more_memory;
}

uint16_t vdev_queue_size(const struct vdev *dev)
{
	return (uint16_t)(1u << (31 - __builtin_clz(vdev_wished_size(dev))));
}

/* A power of two until a driver has taken RING_PACKED (DEV-PCI-COMMON-15). */
static uint16_t vdev_queue_size_max(const struct vdev *dev)
{
	uint16_t size = vdev_accepted(dev, VIRTIO_F_RING_PACKED) ? vdev_wished_size(dev)
								 : vdev_queue_size(dev);

	return MAX(size, vdev_untold_size(dev));
}

void vdev_queue_negotiated(struct vdev *dev)
{
	for (unsigned q = 0; q < dev->n_queues; q++) {
		struct vdev_queue *queue = &dev->queue[q];

		if (queue->size == queue->size_max)
			queue->size = vdev_queue_size_max(dev);
		queue->size_max = vdev_queue_size_max(dev);
	}
}

void vdev_queue_defaults(struct vdev_queue *queue)
{
	queue->size_max = vdev_queue_size_max(queue->dev);
	queue->size = queue->size_max;
	queue->desc = 0;
	queue->driver = 0;
	queue->device = 0;
	queue->enabled = false;
	queue->awaits_room = false;
	queue->log_ring = VQ_LOG_RING;
	queue->inflight = NULL;
	queue->ran = false;
	queue->batch = BATCH;
}

/* Once, until a reset mends it. */
void vdev_queue_broken(struct vdev *dev, unsigned q, int head, enum vq_fault fault)
{
	char chain[24] = "";

	if (dev->status & VIRTIO_S_NEEDS_RESET)
		return;
	if (head < 0 && vq_fault(dev->queue[q].vq) == VQ_OK) /* or the ring itself has told */
		vdev_saw_fault(dev, q, fault);
	if (dev->checked) { /* an observer was told, and says it */
		vdev_needs_reset(dev);
		return;
	}
	if (head >= 0)
		(void)snprintf(chain, sizeof(chain), ", head %d", head);
	vdev_guest_bug(dev, "queue %u%s: %s: %s", q, chain, vq_fault_name(fault),
		       vq_fault_text(fault));
}

void vdev_queue_failed(struct vdev *dev, unsigned q, const char *why)
{
	if (dev->status & VIRTIO_S_NEEDS_RESET)
		return;
	vdev_host_error(dev, "queue %u: %s; the device needs a reset", q, why);
	vdev_needs_reset(dev);
}

static void vdev_ring_fault(struct vdev *dev, unsigned q)
{
	const struct vq *vq = dev->queue[q].vq;

	vdev_queue_broken(dev, q, vq_fault_head(vq), vq_fault(vq));
}

/*
 * Starting and stopping: the engine does it, on the owner's thread.
 */
enum vq_fault vdev_queue_ring(struct vdev *dev, unsigned q, struct vq_config *ret)
{
	const struct vdev_queue *queue = &dev->queue[q];
	bool packed = vdev_accepted(dev, VIRTIO_F_RING_PACKED);

	*ret = (struct vq_config){
		.desc = queue->desc,
		.driver = queue->driver,
		.device = queue->device,
		.size = queue->size,
		.event_idx = vdev_accepted(dev, VIRTIO_F_EVENT_IDX),
		.indirect = vdev_accepted(dev, VIRTIO_F_INDIRECT_DESC),
		.packed = packed,
		.in_order = vdev_accepted(dev, VIRTIO_F_IN_ORDER),
		.notify_on_empty = vdev_accepted(dev, VIRTIO_F_NOTIFY_ON_EMPTY),
		.request_size = dev->class->request_size,
		.log_ring = queue->log_ring,
		.log_device = queue->log_device,
		.inflight = queue->inflight,
		.position = queue->ran ? queue->position : vq_position_initial(packed),
	};
	return queue->size <= queue->size_max ? VQ_OK : VQ_FAULT_SIZE;
}

enum vq_fault vdev_queue_ring_checked(struct vdev *dev, unsigned q, struct vq_config *ret)
{
	enum vq_fault fault = vdev_queue_ring(dev, q, ret);

	if (fault == VQ_OK)
		fault = vq_start(dev->queue[q].vq, dev->mem, ret);
	(void)vq_stop(dev->queue[q].vq);
	return fault;
}

struct queue_ref {
	struct vdev *dev;
	unsigned q;
	enum vdev_stop why; /* to stop it */
};

/* Reasons to stop it, one after the other. */
struct queue_stops {
	struct vdev *dev;
	unsigned q;
	const enum vdev_stop *why;
	unsigned left;
};

static void vdev_queue_start(void *arg)
{
	const struct queue_ref *ref = arg;
	struct vdev_queue *queue = &ref->dev->queue[ref->q];

	vdev_call_begin(queue);
	queue->engine->start(ref->dev, ref->q);
}

static void vdev_queue_first_kick(void *arg)
{
	const struct queue_ref *ref = arg;

	ref->dev->queue[ref->q].engine->first_kick(ref->dev, ref->q);
}

static void vdev_queue_start_and_kick(void *arg)
{
	vdev_queue_start(arg);
	vdev_queue_first_kick(arg);
}

static void vdev_queue_stop(void *arg)
{
	const struct queue_ref *ref = arg;

	ref->dev->queue[ref->q].why = ref->why;
	ref->dev->queue[ref->q].engine->stop(ref->dev, ref->q, ref->why);
}

/* As many of them as are over at once, and one more. */
static void vdev_queue_stop_on(void *arg)
{
	struct queue_stops *stops = arg;
	struct vdev_queue *queue = &stops->dev->queue[stops->q];

	do {
		struct queue_ref ref = { stops->dev, stops->q, *stops->why++ };

		stops->left--;
		queue->stopped = (struct loop_done){ 0 };
		vdev_queue_stop(&ref);
	} while (queue->stopped.done && stops->left);
}

static void vdev_queue_call_changed(void *arg)
{
	const struct queue_ref *ref = arg;

	ref->dev->queue[ref->q].engine->call_changed(ref->dev, ref->q);
}

void vdev_engine_stopped(struct vdev *dev, unsigned q, const struct vq_position *position)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (position) {
		queue->position = *position;
		queue->ran = true;
	}
	vdev_call_end(queue);
	loop_done(queue->loop, &queue->stopped);
}

static void vdev_on_owner(struct vdev *dev, unsigned q, void (*fn)(void *arg), enum vdev_stop why)
{
	struct queue_ref ref = { dev, q, why };

	loop_call_serving(dev->queue[q].loop, fn, &ref);
}

static void vdev_begin_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	dev->queue[q].stopped = (struct loop_done){ 0 };
	vdev_on_owner(dev, q, vdev_queue_stop, why);
}

static void vdev_await_stop(struct vdev *dev, unsigned q)
{
	loop_wait(dev->queue[q].loop, &dev->queue[q].stopped);
}

static void vdev_stop_queue(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	vdev_begin_wait(dev);
	vdev_begin_stop(dev, q, why);
	vdev_await_stop(dev, q);
	vdev_end_wait(dev);
}

void vdev_take_queue_away(struct vdev *dev, unsigned q)
{
	static const enum vdev_stop why[] = { VDEV_STOP_PAUSE, VDEV_STOP_SAVE, VDEV_STOP_RESET };
	struct queue_stops stops = { dev, q, why, G_N_ELEMENTS(why) };

	if (!dev->queue[q].enabled || !dev->running) {
		vdev_queue_enable(dev, q, false);
		return;
	}
	vdev_begin_wait(dev);
	while (stops.left) {
		loop_call_serving(dev->queue[q].loop, vdev_queue_stop_on, &stops);
		vdev_await_stop(dev, q);
	}
	vdev_end_wait(dev);
	dev->queue[q].enabled = false;
}

static void vdev_start_queue(struct vdev *dev, unsigned q)
{
	vdev_begin_wait(dev);
	vdev_on_owner(dev, q, vdev_queue_start_and_kick, 0);
	vdev_end_wait(dev);
}

void vdev_start_queues(struct vdev *dev)
{
	dev->running = true;
	vdev_begin_wait(dev);
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (dev->queue[q].enabled)
			vdev_on_owner(dev, q, vdev_queue_start, 0);
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (dev->queue[q].enabled)
			vdev_on_owner(dev, q, vdev_queue_first_kick, 0);
	vdev_end_wait(dev);
}

void vdev_stop_queues(struct vdev *dev, enum vdev_stop why)
{
	dev->running = false;
	vdev_begin_wait(dev);
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (dev->queue[q].enabled)
			vdev_begin_stop(dev, q, why);
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (dev->queue[q].enabled)
			vdev_await_stop(dev, q);
	vdev_end_wait(dev);
}

void vdev_call_changed(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (!queue->engine->call_changed)
		return;
	vdev_enter(dev);
	if (dev->running && queue->enabled && queue->engine->call_changed) {
		vdev_begin_wait(dev);
		vdev_on_owner(dev, q, vdev_queue_call_changed, 0);
		vdev_end_wait(dev);
	}
	vdev_leave(dev);
}

static int vdev_set_engine(struct vdev *dev, unsigned q, const struct vdev_engine *engine,
			   void *data)
{
	struct vdev_queue *queue = &dev->queue[q];

	if ((dev->running && queue->enabled) || vq_in_flight(queue->vq))
		return -EBUSY;
	if (engine != &vdev_engine_here && queue->call_fd < 0)
		queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine != &vdev_engine_here && queue->call_fd < 0)
		return -errno;
	vdev_stop_queue(
		dev, q,
		VDEV_STOP_RESET); /* if it is paused: the position, and the ring is let go */
	queue->engine = engine;
	queue->engine_data = data;
	queue->again = 0;
	return 0;
}

int vdev_queue_set_engine(struct vdev *dev, unsigned q, const struct vdev_engine *engine,
			  void *data)
{
	int ret;

	vdev_enter(dev);
	ret = vdev_set_engine(dev, q, engine ? engine : &vdev_engine_here, data);
	vdev_leave(dev);
	return ret;
}

/* A legacy driver's queues may be paused here, with their rings started. */
void vdev_queue_choose_engine(struct vdev *dev, unsigned q, const struct vdev_engine *engine)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (engine != &vdev_engine_here && vq_started(queue->vq)) {
		queue->position = vq_stop(queue->vq);
		queue->ran = true;
		queue->paused = false;
	}
	queue->engine = engine;
}

void vdev_pause(struct vdev *dev)
{
	vdev_enter(dev);
	if (dev->running)
		vdev_stop_queues(dev, VDEV_STOP_PAUSE);
	vdev_leave(dev);
}

void vdev_resume(struct vdev *dev)
{
	vdev_enter(dev);
	if (!dev->running && (dev->status & VIRTIO_S_DRIVER_OK || dev->begun) &&
	    !(dev->status & VIRTIO_S_NEEDS_RESET))
		vdev_start_queues(dev);
	vdev_leave(dev);
}

void vdev_restart(struct vdev *dev)
{
	if (dev->class->restart)
		dev->class->restart(dev);
}

/*
 * Registers.
 */
static uint64_t *vdev_address_register(struct vdev_queue *queue, enum vdev_queue_reg reg)
{
	switch (reg) {
	case VQR_DESC:
		return &queue->desc;
	case VQR_DRIVER:
		return &queue->driver;
	case VQR_DEVICE:
		return &queue->device;
	default:
		return NULL;
	}
}

/* A reset is over before the write that asked for it returns, but for what is on its way. */
static bool vdev_queue_in_reset(const struct vdev_queue *queue)
{
	struct vdev *dev = queue->dev;

	return !queue->enabled && dev->far &&
	       dev->far->busy(dev->far, (int)vdev_queue_index(queue));
}

static uint64_t vdev_queue_address_read(struct vdev_queue *queue, enum vdev_queue_reg reg)
{
	switch (reg) {
	case VQR_SIZE_MAX:
		return queue->size_max;
	case VQR_SIZE:
		return queue->size;
	case VQR_ENABLE:
		return queue->enabled;
	case VQR_RESET:
		return vdev_queue_in_reset(queue);
	default:
		return *vdev_address_register(queue, reg);
	}
}

uint64_t vdev_queue_read(struct vdev *dev, unsigned q, enum vdev_queue_reg reg)
{
	uint64_t value;

	if (q >= dev->n_queues)
		return 0;
	vdev_enter(dev);
	value = vdev_queue_address_read(&dev->queue[q], reg);
	vdev_leave(dev);
	return value;
}

void vdev_queue_enable(struct vdev *dev, unsigned q, bool on)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (on == queue->enabled)
		return;
	if (!on)
		vdev_stop_queue(dev, q, VDEV_STOP_RESET);
	queue->enabled = on;
	if (on && dev->running)
		vdev_start_queue(dev, q);
}

static void vdev_queue_address_write(struct vdev *dev, unsigned q, enum vdev_queue_reg reg,
				     uint64_t value)
{
	struct vdev_queue *queue = &dev->queue[q];

	switch (reg) {
	case VQR_SIZE_MAX:
		break;
	case VQR_ENABLE:
		vdev_queue_enable(dev, q, value & 1);
		break;
	case VQR_RESET:
		if (value == 1 && vdev_accepted(dev, VIRTIO_F_RING_RESET)) {
			vdev_queue_enable(dev, q, false);
			vdev_queue_defaults(queue);
		}
		break;
	case VQR_SIZE:
		if (!queue->enabled)
			queue->size = (uint16_t)value;
		break;
	default: /* an enabled queue keeps its addresses, whatever is written (4.1.4.3.2) */
		if (!queue->enabled)
			*vdev_address_register(queue, reg) = value;
		break;
	}
}

void vdev_queue_write(struct vdev *dev, unsigned q, enum vdev_queue_reg reg, uint64_t value,
		      uint64_t mask)
{
	if (q >= dev->n_queues)
		return;
	vdev_enter(dev);
	vdev_queue_address_write(dev, q, reg,
				 (vdev_queue_address_read(&dev->queue[q], reg) & ~mask) |
					 (value & mask));
	vdev_leave(dev);
}

void vdev_notify(struct vdev *dev, unsigned q)
{
	uint64_t one = 1;

	if (q < dev->n_queues && dev->running)
		(void)!write(dev->queue[q].kick_fd, &one, sizeof(one));
}

void vdev_again(struct vdev *dev, unsigned q)
{
	if (dev->running)
		atomic_fetch_add(&dev->queue[q].again, 1);
	vdev_notify(dev, q);
}

/*
 * The data path, on the owner's thread.
 */
void vdev_flush(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];

	if (vq_publish(queue->vq)) {
		vdev_interrupt(dev, q);
	} else if (vq_fault(queue->vq) != VQ_OK) { /* in the driver's event structure */
		vdev_ring_fault(dev, q);
	}
	if (queue->awaits_room && dev->running) {
		queue->awaits_room = false;
		vdev_again(dev, q);
	}
}

struct turn {
	gint64 begun, batch_begun;
};

/* After a full batch: is there time for another? A guest chooses how much work a chain is. The
 * clock runs from the end of the first batch on: a kick with little behind it need not look at
 * it. */
static bool vdev_time_left(struct vdev_queue *queue, struct turn *t)
{
	gint64 now = g_get_monotonic_time();
	gint64 took = now - t->batch_begun;

	t->batch_begun = now;
	if (!t->begun) {
		t->begun = now;
		return true;
	}
	if (took > BATCH_US)
		queue->batch = MAX(queue->batch / 4, 1);
	else if (took < BATCH_US / 4)
		queue->batch = MIN(queue->batch * 2, BATCH);
	return now - t->begun < TURN_US;
}

void vdev_drain(struct vdev *dev, unsigned q, vdev_handle_fn handle)
{
	struct vdev_queue *queue = &dev->queue[q];
	struct vq_chain *chains[BATCH];
	unsigned left = DRAIN_BUDGET;
	struct turn turn = { 0 };
	int n = 0;

	if (queue->batch < BATCH) /* its chains took long before */
		turn.begun = turn.batch_begun = g_get_monotonic_time();

	do {
		vq_disable_notify(queue->vq);
		while (left && (n = vq_pop(queue->vq, chains, MIN(queue->batch, left))) > 0) {
			unsigned full = queue->batch;

			for (int i = 0; i < n; i++)
				handle(dev, q, chains[i]);
			left -= (unsigned)n;
			vdev_flush(dev, q);
			if ((unsigned)n == full && !vdev_time_left(queue, &turn))
				left = 0;
		}
		if (left == 0) {
			vdev_again(dev, q);
			return;
		}
		if (n < 0) {
			vdev_ring_fault(dev, q);
			return;
		}
		if (vq_pool_exhausted(queue->vq)) {
			queue->awaits_room = true;
			return;
		}
	} while (!vdev_queue_is_looked_at(queue) && !vq_enable_notify(queue->vq));
}

struct vq_chain *vdev_take(struct vdev *dev, unsigned q)
{
	struct vdev_queue *queue = &dev->queue[q];
	struct vq_chain *c;
	int n;

	do {
		n = vq_pop(queue->vq, &c, 1);
		if (n > 0) {
			vq_disable_notify(queue->vq);
			(void)vq_fetch_ahead(queue->vq, AHEAD);
			return c;
		}
		if (n < 0) {
			vdev_ring_fault(dev, q);
			return NULL;
		}
		if (vq_pool_exhausted(queue->vq)) {
			queue->awaits_room = true;
			return NULL;
		}
	} while (!vq_enable_notify(queue->vq));
	return NULL;
}
