/*
 * The engine of the queues: a ring goes to the back-end and comes back.
 *
 * Where a ring goes on when its back-end has died. A back-end with INFLIGHT_SHMFD has noted what it
 * had in hand, and its successor finds that: from the used index on is right in whatever order.
 * Without that, a split ring goes on from its used index if what was available before that is what
 * was used, so far as the rings still tell: then exactly the rest is in hand, and is begun anew.
 * Otherwise, and in a packed ring always, there is no telling, and the device needs a reset.
 */
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/vhost-user/front.h"

/*
 * Positions.
 */
static const struct vring_avail *avail_of(const struct vhu_front *f, const struct vq_config *c)
{
	return gmem_at(f->vdev.mem, c->driver, vring_avail_bytes(c->size));
}

static const struct vring_used *used_of(const struct vhu_front *f, const struct vq_config *c)
{
	return gmem_at(f->vdev.mem, c->device, vring_used_bytes(c->size));
}

static uint16_t ring_index(const le16 *idx)
{
	return le16_cpu(__atomic_load_n(idx, __ATOMIC_ACQUIRE));
}

/* Counts in @open, from index @from to the used index, heads that were available and takes those
 * that were used. False: there is one that is none. */
static bool count_heads(const struct vring_avail *avail, const struct vring_used *used,
			const struct vq_config *c, uint16_t from, int16_t *open)
{
	for (uint16_t i = from, to = ring_index(&used->idx); i != to; i++) {
		uint16_t head = le16_cpu(avail->ring[i % c->size]);
		uint32_t id = le32_cpu(used->ring[i % c->size].id);

		if (head >= c->size || id >= c->size)
			return false;
		open[head]++;
		open[id]--;
	}
	return true;
}

/* Of what is still to be seen of the past: were the same heads used that had been available up to
 * there? */
static bool used_what_was_available(const struct vring_avail *avail, const struct vring_used *used,
				    const struct vq_config *c)
{
	uint16_t to = ring_index(&used->idx), in_hand = (uint16_t)(ring_index(&avail->idx) - to);
	int16_t *open;
	bool same;

	if (in_hand > c->size)
		return false;
	open = g_new0(int16_t, c->size);
	same = count_heads(avail, used, c, (uint16_t)(to - (c->size - in_hand)), open);
	for (unsigned i = 0; i < c->size; i++)
		same &= !open[i];
	g_free(open);
	return same;
}

/* Of one that was lost: where to go on. False: it cannot. */
static bool ring_find_position(const struct vhu_front *f, unsigned q, struct vq_position *ret)
{
	const struct vq_config *c = &f->ring[q].config;
	const struct vring_avail *avail = avail_of(f, c);
	const struct vring_used *used = used_of(f, c);
	uint16_t at;

	if (c->packed) { /* whatever it is told, it goes by its predecessor's notes */
		*ret = c->position;
		return f->inflight_fd >= 0;
	}
	if (!avail || !used)
		return false;
	at = ring_index(&used->idx);
	*ret = (struct vq_position){ at, at };
	return f->inflight_fd >= 0 || used_what_was_available(avail, used, c);
}

uint32_t vhu_ring_encode(bool packed, struct vq_position at)
{
	return packed ? at.next_avail | (uint32_t)at.next_used << 16 : at.next_avail;
}

/* Of a ring that was taken back nothing is in hand: both sides are at one place. */
static struct vq_position decode(uint32_t value)
{
	return (struct vq_position){ (uint16_t)value, (uint16_t)value };
}

/*
 * To the back-end.
 */
static uint64_t user(const struct vhu_front *f, uint64_t gpa)
{
	return (uintptr_t)gmem_at(f->vdev.mem, gpa, 1);
}

static bool ring_tell_fd(struct vhu_front *f, enum vhu_request request, unsigned q, int fd)
{
	const uint64_t value = q;

	return vhu_link_tell(&f->link, request, &value, sizeof(value), &fd, 1);
}

bool vhu_ring_tell(struct vhu_front *f, unsigned q, const struct vhu_ring_at *at)
{
	const struct vhu_addr addr = {
		.index = q, .desc = at->desc, .avail = at->driver, .used = at->device
	};
	bool starts_off = f->features >> VHU_F_PROTOCOL_FEATURES & 1;

	return vhu_link_tell_ring(&f->link, VHU_SET_VRING_NUM, q, at->size) &&
	       vhu_link_tell_ring(&f->link, VHU_SET_VRING_BASE, q, at->base) &&
	       vhu_link_tell(&f->link, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0) &&
	       ring_tell_fd(f, VHU_SET_VRING_CALL, q, at->call_fd) &&
	       ring_tell_fd(f, VHU_SET_VRING_ERR, q, f->ring[q].err_fd) &&
	       ring_tell_fd(f, VHU_SET_VRING_KICK, q, at->kick_fd) &&
	       (!starts_off || vhu_link_tell_ring(&f->link, VHU_SET_VRING_ENABLE, q, 1));
}

/* The guest's own. */
static bool ring_tell(struct vhu_front *f, unsigned q)
{
	const struct vq_config *c = &f->ring[q].config;
	const struct vhu_ring_at at = { .size = c->size,
					.base = vhu_ring_encode(c->packed, c->position),
					.desc = user(f, c->desc),
					.driver = user(f, c->driver),
					.device = user(f, c->device),
					.kick_fd = f->vdev.queue[q].kick_fd,
					.call_fd = vdev_queue_call_fd(&f->vdev, q) };

	return vhu_ring_tell(f, q, &at);
}

/* False: the connection is lost. A ring with which nobody could go on is passed over. */
static bool ring_go(struct vhu_front *f, unsigned q)
{
	struct vhu_front_ring *ring = &f->ring[q];

	if (ring->lost && !ring_find_position(f, q, &ring->config.position)) {
		vdev_queue_failed(&f->vdev, q,
				  "the back-end that had it is gone, and what it had in hand "
				  "cannot be told");
		return true;
	}
	if (!vhu_session_ready(f) || !ring_tell(f, q))
		return false;
	ring->live = true;
	return true;
}

/* Who was before may have used buffers and not said so. */
static void ring_look(struct vhu_front *f, unsigned q)
{
	if (f->ring[q].lost)
		eventfd_signal(vdev_queue_call_fd(&f->vdev, q));
	f->ring[q].lost = false;
	eventfd_signal(f->vdev.queue[q].kick_fd);
}

bool vhu_rings_resume(struct vhu_front *f)
{
	bool any = false;

	for (unsigned q = 0; q < vhu_front_served(f); q++) {
		if (f->ring[q].wanted && !ring_go(f, q))
			return false;
		any |= f->ring[q].live;
	}
	if (any && !vhu_session_driver_ok(f))
		return false;
	for (unsigned q = 0; q < vhu_front_served(f); q++)
		if (f->ring[q].live)
			ring_look(f, q);
	return true;
}

void vhu_rings_lost(struct vhu_front *f)
{
	for (unsigned q = 0; q < vhu_front_served(f); q++) {
		f->ring[q].lost |= f->ring[q].live;
		f->ring[q].live = false;
	}
}

/*
 * The engine.
 */
static void ring_broken(void *arg, GIOCondition revents)
{
	struct vdev_queue *queue = arg;
	unsigned q = (unsigned)(queue - queue->dev->queue);
	uint64_t count;

	(void)revents;
	if (read(vhu_front_of(queue->dev)->ring[q].err_fd, &count, sizeof(count)) == sizeof(count))
		vdev_queue_failed(queue->dev, q, "the back-end cannot go on with the ring");
}

void vhu_ring_heed_errors(struct vhu_front *f, unsigned q)
{
	eventfd_clear(f->ring[q].err_fd); /* of the ring that it had before */
	f->ring[q].err_watch = loop_watch(f->loop, f->ring[q].err_fd, G_IO_IN, ring_broken,
					  &f->vdev.queue[q]);
}

static void ring_start(struct vdev *dev, unsigned q)
{
	struct vhu_front *f = vhu_front_of(dev);
	struct vhu_front_ring *ring = &f->ring[q];
	enum vq_fault fault = vdev_queue_ring_checked(dev, q, &ring->config);

	if (fault != VQ_OK) {
		vdev_queue_broken(dev, q, -1, fault);
		return;
	}
	ring->wanted = true;
	ring->lost = false;
	vhu_ring_heed_errors(f, q);
	if (vhu_link_is_open(&f->link) && !ring_go(f, q))
		vhu_front_lost(f);
}

static void ring_first_kick(struct vdev *dev, unsigned q)
{
	struct vhu_front *f = vhu_front_of(dev);

	if (f->ring[q].live && !vhu_session_driver_ok(f))
		vhu_front_lost(f);
	if (f->ring[q].live)
		eventfd_signal(dev->queue[q].kick_fd);
}

static void ring_call_changed(struct vdev *dev, unsigned q)
{
	struct vhu_front *f = vhu_front_of(dev);

	if (f->ring[q].live &&
	    !(ring_tell_fd(f, VHU_SET_VRING_CALL, q, vdev_queue_call_fd(dev, q)) &&
	      vhu_link_settle(&f->link)))
		vhu_front_lost(f);
}

bool vhu_ring_take_back(struct vhu_front *f, unsigned q, uint32_t *ret_base)
{
	struct vhu_state s = { .index = q };
	const struct vhu_question question = { .request = VHU_GET_VRING_BASE,
					       .payload = &s,
					       .size = sizeof(s),
					       .answer = &s,
					       .answer_size = sizeof(s),
					       .patience_ms = VHU_PATIENCE_STOP_MS };

	if (!vhu_link_ask(&f->link, &question))
		return false;
	if (s.index != q)
		return vhu_link_fail(&f->link, "GET_VRING_BASE: it answers of another queue");
	*ret_base = s.value;
	return true;
}

static bool ring_take_back(struct vhu_front *f, unsigned q)
{
	uint32_t base = 0;

	if (!vhu_ring_take_back(f, q, &base))
		return false;
	f->ring[q].live = false;
	f->ring[q].config.position = decode(base);
	return true;
}

/* What it answers is a position in the ring, or no answer. */
static bool ring_position_fits(const struct vhu_front_ring *ring)
{
	return !ring->config.packed ||
	       vring_pos_off(ring->config.position.next_avail) < ring->config.size;
}

static void ring_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct vhu_front *f = vhu_front_of(dev);
	struct vhu_front_ring *ring = &f->ring[q];

	if (!ring->wanted) {
		vdev_engine_stopped(dev, q, NULL);
		return;
	}
	if (ring->live && !ring_take_back(f, q))
		vhu_front_lost(f);
	if (!ring->lost && !ring_position_fits(ring)) {
		vhu_link_fail(&f->link, "GET_VRING_BASE: it answers what is no position");
		vhu_front_lost(f);
		ring->lost = true;
	}
	if (ring->lost && !ring_find_position(f, q, &ring->config.position) &&
	    why != VDEV_STOP_RESET)
		vdev_queue_failed(dev, q, "it was lost with its back-end");
	ring->wanted = ring->lost = false;
	loop_unwatch(g_steal_pointer(&ring->err_watch));
	vdev_engine_stopped(dev, q, &ring->config.position);
}

const struct vdev_engine vhu_engine = {
	.name = "vhost-user",
	.start = ring_start,
	.first_kick = ring_first_kick,
	.call_changed = ring_call_changed,
	.stop = ring_stop,
};
