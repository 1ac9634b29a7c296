/*
 * A queue whose ring is a copy of the driver's, which is out of this process's reach. Somebody else
 * brings there what the driver makes available, and takes to the driver what was used
 * (vq_config.far), and has to know when to look for either: this layout calls the ring's, and says.
 */
#include "virtqueue/vq-impl.h"

void *vq_ring_at(const struct vq *vq, uint64_t gpa, uint64_t len)
{
	return gmem_at(vq->far ? vq->far->ring : vq->mem, gpa, len);
}

void vq_kicked(struct vq *vq)
{
	if (vq->far)
		vq->far->kicked(vq->far);
}

static const struct vq_layout *vq_far_real(const struct vq *vq)
{
	return vq->packed ? &vq_packed_layout : &vq_split_layout;
}

static int vq_far_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	return vq_far_real(vq)->pop(vq, chains, max);
}

static void vq_far_unpop(struct vq *vq, const struct vq_chain *c)
{
	vq_far_real(vq)->unpop(vq, c);
}

static void vq_far_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	vq_far_real(vq)->release(vq, slots, n);
}

/* What the driver suppresses, it says in a ring that is elsewhere. */
static bool vq_far_publish(struct vq *vq, uint16_t old)
{
	(void)vq_far_real(vq)->publish(vq, old);
	vq->far->published(vq->far);
	return false;
}

static void vq_far_disable_notify(struct vq *vq)
{
	vq_far_real(vq)->disable_notify(vq);
}

static bool vq_far_enable_notify(struct vq *vq)
{
	return vq_far_real(vq)->enable_notify(vq);
}

static bool vq_far_pending(const struct vq *vq)
{
	return vq_far_real(vq)->pending(vq);
}

const struct vq_layout vq_far_layout = {
	.pop = vq_far_pop,
	.unpop = vq_far_unpop,
	.release = vq_far_release,
	.publish = vq_far_publish,
	.disable_notify = vq_far_disable_notify,
	.enable_notify = vq_far_enable_notify,
	.pending = vq_far_pending,
};
