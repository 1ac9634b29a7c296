/* The state of a device as a plain struct: taken out of it, checked, put into it. */
#include "devices/core/state.h"

#include <string.h>

#include "devices/core/state-impl.h"
#include "devices/core/vdev-impl.h"

/*
 * Out of a device.
 */

struct look {
	struct vdev_queue *queue;
	struct vdev_queue_state *ret;
};

static void look_on_owner(void *arg)
{
	const struct look *look = arg;
	struct vdev_queue_state *s = look->ret;
	struct vq *vq = look->queue->vq;

	s->started = vq_started(vq);
	s->ran = s->started || look->queue->ran;
	s->position = s->started ? vq_position(vq) : look->queue->position;
	s->in_flight = s->started ? vq_in_flight(vq) : 0;
	s->fault = vq_fault(vq);
	s->stats = *vq_stats(vq);
}

void vdev_queue_state_get(struct vdev *dev, unsigned q, struct vdev_queue_state *ret)
{
	struct vdev_queue *queue = &dev->queue[q];
	struct look look = { queue, ret };

	*ret = (struct vdev_queue_state){ 0 };
	pthread_mutex_lock(
		&dev->lock); /* and not vdev_enter(): whoever waits for an owner may wait long */
	ret->size = queue->size;
	ret->size_max = queue->size_max;
	ret->desc = queue->desc;
	ret->driver = queue->driver;
	ret->device = queue->device;
	ret->enabled = queue->enabled;
	pthread_mutex_unlock(&dev->lock);
	loop_call(queue->loop, look_on_owner, &look);
}

bool vdev_is_changing(struct vdev *dev)
{
	bool changing;

	pthread_mutex_lock(&dev->lock);
	changing = dev->changing;
	pthread_mutex_unlock(&dev->lock);
	return changing;
}

void vdev_state_get_device(struct vdev *dev, struct vdev_state *ret)
{
	*ret = (struct vdev_state){ .n_queues = dev->n_queues, .config_size = dev->config_size };
	pthread_mutex_lock(&dev->lock);
	ret->status = dev->status;
	ret->legacy = dev->legacy;
	ret->begun = dev->begun;
	ret->offered = dev->offered;
	ret->accepted = dev->accepted;
	pthread_mutex_unlock(&dev->lock);
	ret->generation = vdev_config_copy(dev, ret->config);
}

void vdev_state_get(struct vdev *dev, struct vdev_state *ret)
{
	vdev_state_get_device(dev, ret);
	for (unsigned q = 0; q < dev->n_queues; q++)
		vdev_queue_state_get(dev, q, &ret->queue[q]);
}

/*
 * Into one. What a state may be is what a driver could have made of the device.
 */

#define STATUS_BITS                                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)

static bool refuse(struct vdev *dev, GError **err, const char *what)
{
	return ringside_usage(err, "%s: state: %s", vdev_name(dev), what);
}

static bool check_features(struct vdev *dev, const struct vdev_state *s, GError **err)
{
	const struct vfeatures *a = &s->accepted, *o = &dev->offered;

	struct vfeatures legacy = *a;

	if (memcmp(&s->offered, o, sizeof(*o)) != 0)
		return refuse(dev, err, "it is of a device that offers other features");
	if (s->legacy && !vdev_features_legacy(dev, &legacy))
		return refuse(dev, err, "a legacy driver's features that it could not have");
	if (!(s->status & VIRTIO_S_FEATURES_OK)) /* what is accepted was not judged yet */
		return true;
	if (a->w[0] & ~o->w[0] || a->w[1] & ~o->w[1])
		return refuse(dev, err, "a feature was accepted that is not offered");
	if (!vfeatures_has(*a, VIRTIO_F_VERSION_1) || !vdev_features_fit(dev->class, *a) ||
	    (dev->class->features_ok && !dev->class->features_ok(dev, *a)))
		return refuse(dev, err, "the features that were accepted do not hold together");
	return true;
}

static bool check(struct vdev *dev, const struct vdev_state *s, GError **err)
{
	if (s->status & ~(uint32_t)STATUS_BITS)
		return refuse(dev, err, "unknown bits in the device status");
	if (s->legacy && dev->opt_legacy == VDEV_LEGACY_OFF)
		return refuse(dev, err, "it is of a device with a legacy interface");
	if (s->legacy ? s->status & VIRTIO_S_FEATURES_OK : s->begun)
		return refuse(dev, err, "a legacy driver has no FEATURES_OK, and another waits");
	if (s->status & VIRTIO_S_DRIVER_OK &&
	    !(s->legacy ? s->begun : s->status & VIRTIO_S_FEATURES_OK))
		return refuse(dev, err, "DRIVER_OK without FEATURES_OK");
	if (s->n_queues != dev->n_queues)
		return refuse(dev, err, "it is of a device with another number of queues");
	if (s->config_size != dev->config_size)
		return refuse(dev, err, "it is of a device with another configuration space");
	return check_features(dev, s, err);
}

struct figures {
	struct vdev_queue *queue;
	const struct vdev_queue_state *state;
};

bool vdev_position_fits(struct vq_position at, uint16_t size, bool packed)
{
	if (packed)
		return vring_pos_off(at.next_avail) < size && vring_pos_off(at.next_used) < size;
	return (uint16_t)(at.next_avail - at.next_used) <= size;
}

static bool set_queue(struct vdev *dev, unsigned q, const struct vdev_queue_state *s, GError **err)
{
	struct vdev_queue *queue = &dev->queue[q];
	bool packed = vdev_accepted(dev, VIRTIO_F_RING_PACKED);

	if (s->ran && !vdev_position_fits(s->position, s->size, packed))
		return refuse(dev, err, "a position outside of its queue");
	queue->size = s->size; /* any: it is judged when it is started, as a driver's is */
	queue->desc = s->desc;
	queue->driver = s->driver;
	queue->device = s->device;
	queue->enabled = s->enabled;
	queue->ran = s->ran;
	queue->position = s->position;
	return true;
}

static void set_figures(void *arg)
{
	const struct figures *f = arg;

	*vq_stats(f->queue->vq) = f->state->stats;
}

static bool load_class(struct vdev *dev, struct unpack *in, GError **err)
{
	if (!in)
		return true;
	if (!dev->class->load)
		return refuse(dev, err, "state of a device class that has none");
	return dev->class->load(dev, in, err) &&
	       (unpack_done(in) || refuse(dev, err, "the class's part is too short or too long"));
}

/* In a call of the driver, on a device that was reset. */
static bool install(struct vdev *dev, const struct vdev_state *s, struct unpack *class,
		    GError **err)
{
	bool ok;

	dev->accepted = s->accepted;
	dev->legacy = s->legacy;
	dev->begun = s->begun;
	if (s->status & VIRTIO_S_FEATURES_OK || s->begun)
		vdev_set_negotiated(dev);
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (!set_queue(dev, q, &s->queue[q], err))
			return false;
	vdev_begin_wait(dev);
	for (unsigned q = 0; q < dev->n_queues; q++)
		loop_call(dev->queue[q].loop, set_figures,
			  &(struct figures){ &dev->queue[q], &s->queue[q] });
	ok = load_class(dev, class, err);
	vdev_end_wait(dev);
	if (ok)
		dev->status = s->status;
	dev->log_window = 0; /* its messages are counted anew */
	dev->log_count = 0;
	return ok;
}

static bool load_transport(struct vdev *dev, struct unpack *in, GError **err)
{
	if (!in)
		return true;
	if (!dev->transport || !dev->transport->load)
		return refuse(dev, err, "state of a transport that has none");
	return dev->transport->load(dev, in, err) &&
	       (unpack_done(in) ||
		refuse(dev, err, "the transport's part is too short or too long"));
}

bool vdev_state_install(struct vdev *dev, const struct vdev_state *s,
			const struct vdev_state_blobs *blobs, GError **err)
{
	bool ok, differs = false;

	if (dev->running)
		return refuse(dev, err, "it cannot be set while the device runs");
	if (!check(dev, s, err))
		return false;
	vdev_enter(dev);
	vdev_reset_device(dev);
	ok = install(dev, s, blobs->class, err);
	if (ok)
		differs = vdev_config_restored(dev, s->config, s->generation);
	vdev_leave(dev);
	ok = ok && load_transport(dev, blobs->transport, err);
	if (!ok)
		vdev_set_status(dev, 0);
	else if (differs)
		vdev_config_tell(dev, true);
	return ok;
}

void vdev_state_forget(struct vdev *dev)
{
	const struct vdev_queue_state nothing = { 0 };

	vdev_config_forget(dev);
	dev->log_window = 0;
	dev->log_count = 0;
	for (unsigned q = 0; q < dev->n_queues; q++) {
		loop_call(dev->queue[q].loop, set_figures,
			  &(struct figures){ &dev->queue[q], &nothing });
		dev->queue[q].again = 0;
	}
}

bool vdev_state_set(struct vdev *dev, const struct vdev_state *state, GError **err)
{
	return vdev_state_install(dev, state, &(struct vdev_state_blobs){ 0 }, err);
}
