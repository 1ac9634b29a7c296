/* The driver's queues: where they lie, and what has come back on them. */
#include <string.h>

#include "devices/core/legacy.h"
#include "tools/replay/play-int.h"

/*
 * Waiting.
 */
static void play_collect(struct play_device *d);

static gboolean play_late(gpointer late)
{
	*(bool *)late = true;
	return G_SOURCE_REMOVE;
}

/* Until done(@arg), or for @ms: false. */
bool play_wait_for(struct play_device *d, bool (*done)(void *arg), void *arg, unsigned ms)
{
	struct play *p = d->play;
	bool late = false;
	GSource *timer;

	play_collect(d);
	if (done(arg))
		return true;
	timer = g_timeout_source_new(ms);
	g_source_set_callback(timer, play_late, &late, NULL);
	g_source_attach(timer, p->context);
	while (!late && !done(arg)) {
		(void)g_main_context_iteration(p->context, TRUE);
		play_collect(d);
	}
	g_source_destroy(timer);
	g_source_unref(timer);
	return done(arg);
}

bool play_wait(struct play_device *d, bool (*done)(void *arg), void *arg)
{
	return play_wait_for(d, done, arg, d->play->wait_ms);
}

/* Whatever can be done at once, is. */
void play_settle(struct play_device *d)
{
	while (g_main_context_iteration(d->play->context, FALSE))
		;
	play_collect(d);
}

/*
 * Queues.
 */
static void play_flight_free(void *flight)
{
	struct play_flight *f = flight;

	g_free(f->written);
	g_free(f);
}

/* Reads what the device wrote, as far as the used length says, before the buffers are others'. */
static void play_take_written(struct play_device *d, struct play_flight *f)
{
	const struct replay_chain *c = f->made;
	uint32_t left = (uint32_t)MIN(f->len, c->writable), at = 0;

	f->written = g_malloc(MAX(left, 1));
	for (unsigned i = c->n_rd; i < c->n_rd + c->n_wr && left; i++) {
		uint32_t n = (uint32_t)MIN(c->buf[i].len, left);

		if (!gmem_read(replay_memory_map(d->play->memory), c->buf[i].addr, f->written + at,
			       n))
			memset(f->written + at, 0, n);
		at += n;
		left -= n;
	}
}

static void play_collect(struct play_device *d)
{
	for (unsigned q = 0; d->dev && q < d->dev->n_queues; q++) {
		struct drv_vq *drv = d->queue[q].drv;
		void *cookie;
		uint32_t len;

		while (drv && drv_used(drv, &cookie, &len)) {
			struct play_flight *f = cookie;

			f->done = true;
			f->len = len;
			play_take_written(d, f);
		}
	}
}

/* NULL: nothing of that head is. */
struct play_flight *play_in_flight(const struct play_queue *pq, const struct replay_chain *c)
{
	return pq->drv ? pq->flight[c->head] : NULL;
}

void play_forget_queue(struct play_queue *pq)
{
	if (!pq->drv)
		return;
	g_hash_table_unref(pq->made);
	g_ptr_array_unref(pq->given);
	g_free(pq->flight);
	g_free(pq->drv);
	*pq = (struct play_queue){ 0 };
}

/* The ring that the record's START was about: where it lies is ours. */
static bool play_lay_out(struct play_device *d, const struct replay_step *start)
{
	struct play_queue *pq = &d->queue[start->queue];
	struct vdev *dev = d->dev;
	struct drv_config cfg = {
		.size = (uint16_t)start->value[0],
		.packed = start->value[1] & RECORD_QUEUE_PACKED,
		.event_idx = vdev_accepted(dev, VIRTIO_F_EVENT_IDX),
		.in_order = vdev_accepted(dev, VIRTIO_F_IN_ORDER),
		.indirect = vdev_accepted(dev, VIRTIO_F_INDIRECT_DESC),
		.table_max = RECORD_BUFS_MAX,
		.legacy_align = d->legacy ? VRING_LEGACY_ALIGN : 0,
	};

	if (!replay_memory_ring(d->play->memory, start->device, (unsigned)start->queue, &cfg))
		return false;
	*pq = (struct play_queue){
		.drv = g_new0(struct drv_vq, 1),
		.flight = g_new0(struct play_flight *, UINT16_MAX + 1),
		.made = g_hash_table_new_full(g_direct_hash, g_direct_equal, play_flight_free,
					      NULL),
		.given = g_ptr_array_new(),
	};
	return drv_vq_init(pq->drv, &cfg);
}

bool play_enable(struct play_device *d, const struct replay_step *start)
{
	unsigned q = (unsigned)start->queue;
	const struct drv_vq *drv;
	struct vdev *dev = d->dev;

	if (q >= dev->n_queues)
		return play_diverges(d, start, "the device has no such queue");
	if (d->queue[q].drv) { /* it was paused, or disabled */
		if (d->queue[q].disabled)
			vdev_queue_write(dev, q, VQR_ENABLE, 1, UINT64_MAX);
		d->queue[q].disabled = false;
		return true;
	}
	if (start->value[0] > vdev_queue_read(dev, q, VQR_SIZE_MAX))
		return play_diverges(d, start,
				     "size %" G_GUINT64_FORMAT
				     ", and the device has %" G_GUINT64_FORMAT,
				     start->value[0], vdev_queue_read(dev, q, VQR_SIZE_MAX));
	if (!play_lay_out(d, start))
		return play_diverges(d, start,
				     "a ring of %" G_GUINT64_FORMAT
				     " entries is more than a replay can lay out",
				     start->value[0]);
	drv = d->queue[q].drv;
	if (d->legacy) {
		vdev_legacy_queue_size(dev, q, drv->cfg.size);
		vdev_legacy_queue_set(dev, q, drv->desc, VRING_LEGACY_ALIGN);
		return true;
	}
	vdev_queue_write(dev, q, VQR_SIZE, drv->cfg.size, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DESC, drv->desc, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DRIVER, drv->driver, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DEVICE, drv->device, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_ENABLE, 1, UINT64_MAX);
	return true;
}
