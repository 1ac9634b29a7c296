#include "devices/core/ring-view.h"

#include "devices/base/error.h"
#include "devices/core/engine.h"
#include "devices/core/vdev-impl.h"

struct view_look {
	struct vdev_queue *queue;
	uint64_t desc, driver, device;
	bool event_idx;
	struct vring_view *ret;
	const char *why; /* there is no view */
};

static bool view_read16(const struct view_look *look, uint64_t at, uint16_t *ret)
{
	le16 value;

	if (!gmem_read(look->queue->dev->mem, at, &value, sizeof(value)))
		return false;
	*ret = le16_cpu(value);
	return true;
}

/* A packed ring's descriptor has the id where a split one's has its flags. */
static struct vring_view_entry view_entry(const struct vring_desc *d, bool packed)
{
	uint16_t third = le16_cpu(d->flags), fourth = le16_cpu(d->next);

	return (struct vring_view_entry){
		.addr = le64_cpu(d->addr),
		.len = le32_cpu(d->len),
		.flags = packed ? fourth : third,
		.link = packed ? third : fourth,
	};
}

static bool view_read_entries(const struct view_look *look)
{
	struct vring_view *view = look->ret;

	for (unsigned i = 0; i < view->size; i++) {
		struct vring_desc d;

		if (!gmem_read(look->queue->dev->mem, look->desc + 16ull * i, &d, sizeof(d)))
			return false;
		view->entry[i] = view_entry(&d, view->packed);
	}
	return true;
}

/*
 * Split.
 */
/* The chain at @head is @owner's: as far as it goes, which is no further than the table. */
static void view_own_chain(struct vring_view *view, unsigned head, enum vring_owner owner)
{
	for (unsigned left = view->size; head < view->size && left; left--) {
		struct vring_view_entry *e = &view->entry[head];

		e->owner = owner;
		if (!(e->flags & VRING_DESC_F_NEXT))
			return;
		head = e->link;
	}
}

static bool view_split(const struct view_look *look)
{
	struct vring_view *view = look->ret;
	uint64_t ring = look->driver + sizeof(struct vring_avail);
	uint16_t head;

	if (!view_read16(look, look->driver, &view->avail_flags) ||
	    !view_read16(look, look->driver + 2, &view->avail_idx) ||
	    !view_read16(look, look->device, &view->used_flags) ||
	    !view_read16(look, look->device + 2, &view->used_idx) ||
	    !view_read16(look, look->driver + vring_avail_bytes(view->size) - 2,
			 &view->used_event) ||
	    !view_read16(look, look->device + vring_used_bytes(view->size) - 2, &view->avail_event))
		return false;
	for (unsigned i = 0; i < view->size; i++) {
		uint16_t at = (uint16_t)(view->position.next_avail + i);

		if (at == view->avail_idx)
			break;
		if (!view_read16(look, ring + 2ull * (at % view->size), &head))
			return false;
		view_own_chain(view, head, VRING_AVAILABLE);
	}
	for (unsigned i = 0; i < view->size; i++)
		if (vq_is_in_flight(look->queue->vq, (uint16_t)i))
			view_own_chain(view, i, VRING_DEVICES);
	return true;
}

/*
 * Packed: what was taken lies between the two positions, what is available behind them.
 */
static bool view_packed(const struct view_look *look)
{
	struct vring_view *view = look->ret;
	uint16_t pos = view->position.next_used, to = view->position.next_avail;
	unsigned left = view->size;

	if (!view_read16(look, look->driver, &view->avail_idx) ||
	    !view_read16(look, look->driver + 2, &view->avail_flags) ||
	    !view_read16(look, look->device, &view->used_idx) ||
	    !view_read16(look, look->device + 2, &view->used_flags))
		return false;
	for (; pos != to && left; left--, pos = vring_pos_advance(pos, 1, view->size))
		view->entry[vring_pos_off(pos)].owner = VRING_DEVICES;
	for (; left; left--, pos = vring_pos_advance(pos, 1, view->size)) {
		struct vring_view_entry *e = &view->entry[vring_pos_off(pos)];

		if (!vring_pos_is_available(e->flags, pos))
			break;
		e->owner = VRING_AVAILABLE;
	}
	return true;
}

/*
 * Either.
 */
static void view_on_owner(void *arg)
{
	struct view_look *look = arg;
	struct vdev_queue *queue = look->queue;
	struct vring_view *view;
	unsigned size;

	if (queue->engine != &vdev_engine_here)
		look->why = "another process, or the kernel, serves it";
	else if (!vq_started(queue->vq))
		look->why = "it is not started";
	if (look->why)
		return;
	size = vq_size(queue->vq);
	view = g_malloc0(sizeof(*view) + size * sizeof(view->entry[0]));
	view->packed = vq_packed(queue->vq);
	view->event_idx = look->event_idx;
	view->position = vq_position(queue->vq);
	view->size = size;
	look->ret = view;
	if (!view_read_entries(look) || !(view->packed ? view_packed(look) : view_split(look)))
		look->why = "its ring is not in memory";
}

struct vring_view *vring_view_new(struct vdev *dev, unsigned q, GError **err)
{
	struct vdev_queue *queue = &dev->queue[q];
	struct view_look look = { .queue = queue };

	pthread_mutex_lock(&dev->lock); /* as in vdev_queue_state_get() */
	look.desc = queue->desc;
	look.driver = queue->driver;
	look.device = queue->device;
	look.event_idx = vfeatures_has(dev->accepted, VIRTIO_F_EVENT_IDX);
	pthread_mutex_unlock(&dev->lock);
	loop_call(queue->loop, view_on_owner, &look);
	if (!look.why)
		return look.ret;
	g_free(look.ret);
	g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST, "%s: queue %u: %s", vdev_name(dev), q,
		    look.why);
	return NULL;
}
