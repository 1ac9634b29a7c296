/*
 * Rings: from what the front-end says of each to a queue of the device that runs.
 *
 * The order of messages is the front-end's, and differs between them. So nothing is started by a
 * certain message: after each that could complete a ring, vhu_ring_settle() looks whether it is.
 */
#include <string.h>

#include "transport/vhost-user/vhost-user-impl.h"

#define STATUS_BEGUN (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)
#define NOWHERE      (UINT64_MAX & ~0xffffull)
#define NET_MQ       (1ull << 22)

static bool vhu_ring_packed(const struct vhost_user *v)
{
	return v->features >> VIRTIO_F_RING_PACKED & 1;
}

/*
 * The device.
 */
bool vhu_negotiate(struct vhost_user *v)
{
	uint64_t kept = VHU_F_OWN | (v->dev->type == VIRTIO_ID_NET ? NET_MQ : 0);
	uint64_t f = v->features & ~kept;

	if (vdev_status(v->dev) & VIRTIO_S_FEATURES_OK)
		return true;
	vdev_set_status(v->dev, VIRTIO_S_ACKNOWLEDGE);
	vdev_set_status(v->dev, STATUS_BEGUN);
	vdev_features_accept(v->dev, 0, (uint32_t)f);
	vdev_features_accept(v->dev, 1, (uint32_t)(f >> 32));
	vdev_set_status(v->dev, STATUS_BEGUN | VIRTIO_S_FEATURES_OK);
	return vdev_status(v->dev) & VIRTIO_S_FEATURES_OK;
}

void vhu_reset(struct vhost_user *v)
{
	vhu_rings_stop(v);
	vdev_set_status(v->dev, 0);
}

/*
 * Positions, as GET_VRING_BASE and SET_VRING_BASE have them: of a split ring the index in the
 * available ring; of a packed one that in bits 0 to 15, the used one in 16 to 31.
 *
 * A ring that is taken away has nothing in flight, so both sides are at the same place; unless
 * there is an account of what is, which then says where they are. So only the available one counts:
 * some front-ends (DPDK's virtio-user, SPDK) leave a packed ring's other half 0, and a split ring's
 * used index in memory is the guest's to spoil.
 */
static uint32_t vhu_ring_encode(const struct vhost_user *v, struct vq_position at)
{
	return vhu_ring_packed(v) ? at.next_avail | (uint32_t)at.next_used << 16 : at.next_avail;
}

static struct vq_position vhu_ring_decode(const struct vhu_ring *ring)
{
	return (struct vq_position){ (uint16_t)ring->base, (uint16_t)ring->base };
}

/*
 * Starting.
 */

/* DRIVER_OK is not waited for: QEMU 11 negotiates STATUS with all device types and sends it to a
 * few (vhost-user-rng and its like only ever hear of FEATURES_OK). */
static bool vhu_ring_complete(const struct vhu_ring *ring)
{
	return ring->size && ring->has_addr && ring->has_kick && ring->enabled;
}

/* For one that lies in no memory, which may be the driver's mistake: an address that does not,
 * either. The queue says so when it starts. */
static uint64_t vhu_ring_address(const struct vhost_user *v, uint64_t user)
{
	uint64_t gpa;

	return vhu_memory_gpa(&v->memory, user, &gpa) ? gpa : NOWHERE;
}

/* What is written of it counts as being where the front-end says, which need not be memory. */
static void vhu_ring_log(struct vhost_user *v, unsigned q)
{
	const struct vhu_addr *a = &v->ring[q].addr;

	vdev_queue_log_ring(v->dev, q, a->flags & VHU_VRING_F_LOG ? VQ_LOG_RING_AT : VQ_LOG_NO_RING,
			    a->log);
}

/* Where it is, and where it left off. False: that is no position in it. */
static bool vhu_ring_program(struct vhost_user *v, unsigned q)
{
	const struct vhu_ring *ring = &v->ring[q];

	vdev_queue_write(v->dev, q, VQR_SIZE, ring->size, UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DESC, vhu_ring_address(v, ring->addr.desc), UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DRIVER, vhu_ring_address(v, ring->addr.avail), UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DEVICE, vhu_ring_address(v, ring->addr.used), UINT64_MAX);
	vhu_ring_log(v, q);
	return vdev_queue_go_on_from(v->dev, q, vhu_ring_decode(ring));
}

const char *vhu_ring_settle(struct vhost_user *v, unsigned q)
{
	struct vhu_ring *ring = &v->ring[q];
	const char *wrong;

	if (ring->running || !vhu_ring_complete(ring))
		return NULL;
	if (!vhu_negotiate(v))
		return "features that do not hold together, or no VERSION_1";
	wrong = vhu_inflight_settle(v, q);
	if (wrong)
		return wrong;
	if (!vhu_log_covers_memory(v))
		return "a log that is too short for the memory";
	vdev_set_status(v->dev, STATUS_BEGUN | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
	if (!vhu_ring_program(v, q))
		return "a base that is no position in its ring";
	vdev_queue_write(v->dev, q, VQR_ENABLE, 1, UINT64_MAX);
	ring->running = true;
	vhu_inflight_tell(v, q);
	return NULL;
}

const char *vhu_rings_settle(struct vhost_user *v)
{
	const char *wrong = NULL;

	for (unsigned q = 0; q < v->dev->n_queues && !wrong; q++)
		wrong = vhu_ring_settle(v, q);
	return wrong;
}

void vhu_ring_stop(struct vhost_user *v, unsigned q)
{
	struct vhu_ring *ring = &v->ring[q];

	if (!ring->running)
		return;
	ring->base = vhu_ring_encode(v, vdev_queue_suspend(v->dev, q));
	ring->running = false;
	vhu_log_tell(v);
}

void vhu_rings_stop(struct vhost_user *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		vhu_ring_stop(v, q);
}

bool vhu_any_ring_runs(const struct vhost_user *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (v->ring[q].running)
			return true;
	return false;
}
