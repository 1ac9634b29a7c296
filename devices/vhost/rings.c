/*
 * The engine of the queues: a ring goes to the kernel and comes back.
 *
 * A ring that stops gives its backend up first (vhost_kind.run()), after which the kernel has
 * nothing in hand of it: what it began it has completed, so both sides of the ring are at one
 * place. Then its descriptors are taken away, so that kicks wait for whoever has the ring next.
 */
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/vhost/vhost.h"

static struct vhost *vhost_of(const struct vdev *dev, unsigned q)
{
	return dev->queue[q].engine_data;
}

/*
 * Which rings run.
 */
static bool vhost_may_run(const struct vhost *v, unsigned ring)
{
	bool may = v->ring[ring].wanted && !v->held;

	for (unsigned i = 0; i < VHOST_RINGS && v->kind->together; i++)
		may &= v->ring[i].wanted;
	return may;
}

static bool vhost_run(struct vhost *v, unsigned ring)
{
	bool on = vhost_may_run(v, ring);

	if (on == v->ring[ring].runs)
		return true;
	v->ring[ring].runs = on;
	return v->kind->run(v, ring, on);
}

/* A ring that the kernel does not take does nothing from now on, as one that the driver broke. */
static void vhost_failed(struct vhost *v, unsigned ring)
{
	v->ring[ring].runs = false;
	vdev_queue_failed(v->dev, v->first + ring, v->wrong);
}

static void vhost_settle(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		if (!vhost_run(v, i))
			vhost_failed(v, i);
}

void vhost_hold(struct vhost *v, bool held)
{
	v->held = held;
	vhost_settle(v);
	for (unsigned i = 0; i < VHOST_RINGS; i++) /* what came meanwhile */
		if (v->ring[i].runs)
			eventfd_signal(v->dev->queue[v->first + i].kick_fd);
}

/*
 * To the kernel.
 */
static bool ring_tell_number(struct vhost *v, unsigned long request, const char *name,
			     unsigned ring, unsigned number)
{
	struct vhost_vring_state s = { .index = ring, .num = number };

	return vhost_call_named(v, request, name, &s);
}

static bool ring_tell_fd(struct vhost *v, unsigned long request, const char *name, unsigned ring,
			 int fd)
{
	struct vhost_vring_file f = { .index = ring, .fd = fd };

	return vhost_call_named(v, request, name, &f);
}

#define TELL_NUMBER(v, request, ring, number) \
	ring_tell_number((v), (request), #request, (ring), (number))
#define TELL_FD(v, request, ring, fd) ring_tell_fd((v), (request), #request, (ring), (fd))

static uint64_t ring_user(const struct vhost *v, uint64_t gpa)
{
	return (uintptr_t)gmem_at(v->dev->mem, gpa, 1);
}

static bool ring_tell_addr(struct vhost *v, unsigned ring)
{
	const struct vq_config *c = &v->ring[ring].config;
	struct vhost_vring_addr a = { .index = ring,
				      .desc_user_addr = ring_user(v, c->desc),
				      .avail_user_addr = ring_user(v, c->driver),
				      .used_user_addr = ring_user(v, c->device) };

	if (v->dev->mem->log && c->log_ring != VQ_LOG_NO_RING) {
		a.flags = 1u << VHOST_VRING_F_LOG;
		a.log_guest_addr = c->log_ring == VQ_LOG_RING ? c->device : c->log_device;
	}
	return vhost_call(v, VHOST_SET_VRING_ADDR, &a);
}

/* As the kernel counts: where the driver's side is and, of a packed ring, the device's above it. */
static unsigned ring_encode(const struct vq_config *c)
{
	const struct vq_position *at = &c->position;

	return c->packed ? at->next_avail | (unsigned)at->next_used << 16 : at->next_avail;
}

static bool ring_tell(struct vhost *v, unsigned ring)
{
	const struct vq_config *c = &v->ring[ring].config;
	unsigned q = v->first + ring;

	return vhost_ready(v) && TELL_NUMBER(v, VHOST_SET_VRING_NUM, ring, c->size) &&
	       TELL_NUMBER(v, VHOST_SET_VRING_BASE, ring, ring_encode(c)) &&
	       ring_tell_addr(v, ring) &&
	       TELL_FD(v, VHOST_SET_VRING_CALL, ring, vdev_queue_call_fd(v->dev, q)) &&
	       TELL_FD(v, VHOST_SET_VRING_ERR, ring, v->ring[ring].err_fd) &&
	       TELL_FD(v, VHOST_SET_VRING_KICK, ring, v->dev->queue[q].kick_fd);
}

/* What is taken away was given before: there is nothing to be done if that fails. */
static void ring_take_fds(struct vhost *v, unsigned ring)
{
	(void)TELL_FD(v, VHOST_SET_VRING_KICK, ring, VHOST_FILE_UNBIND);
	(void)TELL_FD(v, VHOST_SET_VRING_ERR, ring, VHOST_FILE_UNBIND);
	(void)TELL_FD(v, VHOST_SET_VRING_CALL, ring, VHOST_FILE_UNBIND);
}

/* Where it goes on. False: that is not to be had. */
static bool ring_take_back(struct vhost *v, unsigned ring)
{
	struct vhost_vring_state s = { .index = ring };
	struct vq_config *c = &v->ring[ring].config;
	uint16_t at;

	if (!vhost_call(v, VHOST_GET_VRING_BASE, &s))
		return false;
	at = (uint16_t)s.num;
	c->position = (struct vq_position){ at, at };
	return true;
}

/*
 * The engine.
 */
static void ring_broken(void *arg, GIOCondition revents)
{
	struct vdev_queue *queue = arg;
	unsigned q = (unsigned)(queue - queue->dev->queue);
	struct vhost *v = vhost_of(queue->dev, q);
	uint64_t count;

	(void)revents;
	if (read(v->ring[q - v->first].err_fd, &count, sizeof(count)) == sizeof(count))
		vdev_queue_failed(queue->dev, q, "the kernel cannot go on with the ring");
}

static void ring_changed(struct vhost *v, unsigned ring)
{
	if (v->kind->changed)
		v->kind->changed(v, ring);
	vhost_settle(v);
}

static void ring_start(struct vdev *dev, unsigned q)
{
	struct vhost *v = vhost_of(dev, q);
	unsigned ring = q - v->first;
	enum vq_fault fault = vdev_queue_ring_checked(dev, q, &v->ring[ring].config);

	if (fault != VQ_OK) {
		vdev_queue_broken(dev, q, -1, fault);
		return;
	}
	if (!ring_tell(v, ring)) {
		vhost_failed(v, ring);
		return;
	}
	v->ring[ring].wanted = true;
	eventfd_clear(v->ring[ring].err_fd); /* of the ring that it had before */
	v->ring[ring].err_watch = loop_watch(dev->queue[q].loop, v->ring[ring].err_fd, G_IO_IN,
					     ring_broken, &dev->queue[q]);
	ring_changed(v, ring);
}

static void ring_first_kick(struct vdev *dev, unsigned q)
{
	eventfd_signal(dev->queue[q].kick_fd);
}

static void ring_call_changed(struct vdev *dev, unsigned q)
{
	struct vhost *v = vhost_of(dev, q);

	if (v->ring[q - v->first].wanted &&
	    !TELL_FD(v, VHOST_SET_VRING_CALL, q - v->first, vdev_queue_call_fd(dev, q)))
		vhost_failed(v, q - v->first);
}

static void ring_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct vhost *v = vhost_of(dev, q);
	struct vhost_ring *ring = &v->ring[q - v->first];

	if (!ring->wanted) {
		vdev_engine_stopped(dev, q, NULL);
		return;
	}
	ring->wanted = false;
	ring_changed(v, q - v->first);
	if (!ring_take_back(v, q - v->first) && why != VDEV_STOP_RESET)
		vhost_failed(v, q - v->first);
	ring_take_fds(v, q - v->first);
	loop_unwatch(g_steal_pointer(&ring->err_watch));
	vdev_engine_stopped(dev, q, &ring->config.position);
}

const struct vdev_engine vhost_engine = {
	.name = "vhost",
	.start = ring_start,
	.first_kick = ring_first_kick,
	.call_changed = ring_call_changed,
	.stop = ring_stop,
};
