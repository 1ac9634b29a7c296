/*
 * Rings: from what the kernel knows of each to a queue of the device that runs; kicks and
 * interrupts.
 */
#include <errno.h>

#include "devices/base/eventfd.h"
#include "devices/core/engine.h"
#include "transport/vduse/impl.h"
#include "transport/vduse/sys.h"

static struct vq_position position_of(const struct vduse *v, const struct vduse_vq_info *info)
{
	const struct vduse_vq_state_packed *p = &info->packed;

	if (!vdev_accepted(v->dev, VIRTIO_F_RING_PACKED))
		return (struct vq_position){ info->split.avail_index, info->split.avail_index };
	return (struct vq_position){
		(uint16_t)(p->last_avail_idx | p->last_avail_counter << 15),
		(uint16_t)(p->last_used_idx | p->last_used_counter << 15),
	};
}

/* Where its kicks go: to its queue, or by way of here. */
static bool ring_direct_kicks(struct vduse *v, unsigned q)
{
	struct vduse_vq_eventfd kick = { .index = q,
					 .fd = vduse_memory_complete(v) ? v->dev->queue[q].kick_fd
									: v->kick_fd };

	return vduse_call(v, VDUSE_VQ_SETUP_KICKFD, &kick);
}

/* Descriptors first: from then on no kick is missed, and the queue looks when it starts. */
static bool ring_start(struct vduse *v, unsigned q)
{
	struct vdev *dev = v->dev;
	struct vduse_ring *ring = &v->ring[q];

	if (!ring_direct_kicks(v, q) || !vdev_queue_go_on_from(dev, q, ring->position))
		return false;
	ring->runs = true;
	vdev_queue_write(dev, q, VQR_ENABLE, 1, UINT64_MAX);
	return true;
}

static void ring_stop(struct vduse *v, unsigned q)
{
	if (v->ring[q].runs)
		v->ring[q].position = vdev_queue_suspend(v->dev, q);
	v->ring[q].runs = false;
}

/* Of one that the driver has not set up: nothing. */
static bool ring_begin(struct vduse *v, unsigned q)
{
	struct vduse_vq_info info = { .index = q };

	if (!vduse_call(v, VDUSE_VQ_GET_INFO, &info))
		return false;
	if (!info.ready)
		return true;
	vdev_queue_write(v->dev, q, VQR_SIZE, info.num, UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DESC, info.desc_addr, UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DRIVER, info.driver_addr, UINT64_MAX);
	vdev_queue_write(v->dev, q, VQR_DEVICE, info.device_addr, UINT64_MAX);
	v->ring[q].position = position_of(v, &info);
	return ring_start(v, q);
}

bool vduse_rings_begin(struct vduse *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (!ring_begin(v, q))
			return false;
	return true;
}

void vduse_rings_end(struct vduse *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		ring_stop(v, q);
		v->ring[q].owed = false;
	}
}

void vduse_rings_renew(struct vduse *v)
{
	bool ran[VDEV_QUEUES_MAX] = { false }, ok;

	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		ran[q] = v->ring[q].runs;
		ring_stop(v, q);
	}
	ok = vduse_memory_renew(v);
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (ran[q] && !(ok && ring_start(v, q)))
			vdev_queue_failed(v->dev, q, "the kernel does not give it back");
}

/*
 * Interrupts.
 *
 * The kernel takes none before the driver has DRIVER_OK, which it has only when the message about
 * that was answered: what a queue has to say by then is said a little later.
 */
static bool ring_inject(struct vduse *v, unsigned q)
{
	uint32_t index = q;

	return vduse_sys_ioctl(v->fd, VDUSE_VQ_INJECT_IRQ, &index) != -EINVAL;
}

void vduse_ring_interrupt(struct vduse *v, unsigned q)
{
	if (ring_inject(v, q))
		return;
	v->ring[q].owed = true;
	eventfd_signal(v->owed_fd);
}

bool vduse_rings_pay(struct vduse *v)
{
	bool all = true;

	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (v->ring[q].owed) {
			v->ring[q].owed = false;
			v->ring[q].owed = v->ring[q].runs && !ring_inject(v, q);
			all &= !v->ring[q].owed;
		}
	return all;
}
