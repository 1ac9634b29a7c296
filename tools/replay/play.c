#include "tools/replay/play.h"

#include <string.h>
#include <sys/mman.h>

#include "devices/base/error.h"
#include "devices/core/legacy.h"
#include "devices/core/vdev.h"
#include "devices/registry.h"
#include "tools/replay/memory.h"
#include "tools/replay/outside.h"
#include "transport/direct.h"
#include "virtqueue/driver/drv.h"

/* A chain that the driver has made available, and what became of it. */
struct play_flight {
	const struct replay_chain *chain;
	const struct replay_chain *made; /* the same, as it was when it was popped first */
	bool unpopped; /* the recorded device put it back: it is popped once more */
	bool done;
	uint32_t len;
	uint8_t *written; /* len bytes of what it wrote, at most what was writable */
};

struct play_queue {
	struct drv_vq *drv;          /* NULL: it does not run */
	bool disabled;               /* for a while: it goes on from where it is */
	struct play_flight **flight; /* by the record's head, while it runs */
	GHashTable *made;            /* the set of all, freed when they leave it */
	GPtrArray *given;            /* of struct replay_chain: outside is to give them together */
	const struct replay_step *first_given;
};

struct play_device {
	struct play *play;
	const struct replay_device *how;
	struct outside outside;
	struct vdev *dev;
	struct direct *direct;
	bool over;                      /* what follows cannot be played */
	bool legacy;                    /* its driver of now */
	const struct replay_step *late; /* a read that does not fit yet: play_config_read() */
	struct play_queue queue[VDEV_QUEUES_MAX];
};

struct play {
	const struct replay_script *s;
	struct replay_memory *memory;
	GMainContext *context;
	unsigned wait_ms;
	struct play_device *device;
	guint at; /* the step that is played */
	struct replay_result *result;
};

/*
 * Words.
 */
static void play_note(struct play_device *d, const char *what)
{
	g_ptr_array_add(d->play->result->notes, g_strdup_printf("%s: %s", d->how->id, what));
}

/* False, for whoever says it. */
static bool G_GNUC_PRINTF(3, 4)
	play_diverges(struct play_device *d, const struct replay_step *step, const char *fmt, ...)
{
	struct play *p = d->play;
	g_autofree char *what = NULL, *where = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	where = step->queue == TRACE_NO_QUEUE ? g_strdup(d->how->id)
					      : g_strdup_printf("%s/%d", d->how->id, step->queue);
	p->result->divergence = g_strdup_printf(
		"%s: event %" G_GUINT64_FORMAT " at %.9f s, %s: %s", p->s->file, step->number,
		(double)(int64_t)(step->time - p->s->begin) / 1e9, where, what);
	return false;
}

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
static bool play_wait_for(struct play_device *d, bool (*done)(void *arg), void *arg, unsigned ms)
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

static bool play_wait(struct play_device *d, bool (*done)(void *arg), void *arg)
{
	return play_wait_for(d, done, arg, d->play->wait_ms);
}

/* Whatever can be done at once, is. */
static void play_settle(struct play_device *d)
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
static struct play_flight *play_in_flight(const struct play_queue *pq, const struct replay_chain *c)
{
	return pq->flight ? pq->flight[c->head] : NULL;
}

static void play_forget_queue(struct play_queue *pq)
{
	g_clear_pointer(&pq->flight, g_free);
	g_hash_table_remove_all(pq->made);
	g_ptr_array_set_size(pq->given, 0);
	g_clear_pointer(&pq->drv, g_free);
	pq->disabled = false;
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
	play_forget_queue(pq);
	pq->drv = g_new0(struct drv_vq, 1);
	pq->flight = g_new0(struct play_flight *, UINT16_MAX + 1);
	return drv_vq_init(pq->drv, &cfg);
}

static bool play_enable(struct play_device *d, const struct replay_step *start)
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

/*
 * The driver's life.
 */
#define GIVE_UP 20 /* this part of the time that there is */

/* The features that it is about to settle. */
static void play_accept(struct play_device *d)
{
	const struct replay_step *f = replay_find(d->play->s, d->play->at, d->outside.number,
						  1u << RECORD_FEATURES, 0);

	if (!f)
		return;
	d->outside.accepted = f->value[0];
	if (d->legacy) {
		vdev_legacy_accept(d->dev, (uint32_t)f->value[0]);
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		vdev_features_accept(d->dev, i, (uint32_t)(f->value[i / 2] >> 32 * (i % 2)));
}

/* A driver begins: which kind is it? */
static void play_begins(struct play_device *d)
{
	const struct replay_step *f = replay_find(d->play->s, d->play->at, d->outside.number,
						  1u << RECORD_FEATURES, 0);

	d->legacy = f && !(f->value[0] >> VIRTIO_F_VERSION_1 & 1);
}

/* All queues that begin to run with DRIVER_OK. */
static bool play_enable_all(struct play_device *d)
{
	const struct replay_script *s = d->play->s;

	for (guint i = d->play->at; i < s->steps->len; i++) {
		const struct replay_step *step = replay_step(s, i);

		if (step->device != d->outside.number)
			continue;
		if (step->type == RECORD_QUEUE_STOP ||
		    (step->type == RECORD_STATUS && !step->value[1]))
			return true;
		if (step->type == RECORD_QUEUE_START && !play_enable(d, step))
			return false;
	}
	return true;
}

static void play_write_status(struct play_device *d, uint32_t status)
{
	if (d->legacy)
		vdev_legacy_set_status(d->dev, status);
	else
		vdev_set_status(d->dev, status);
}

static bool play_needs_reset(void *dev)
{
	return vdev_status(dev) & VIRTIO_S_NEEDS_RESET;
}

/* The device found something wrong. What came from outside to one that is given to is not known
 * before it is the driver's: that may be it. */
static bool play_gives_up(struct play_device *d, const struct replay_step *step)
{
	bool given = d->outside.class->give;

	if (play_wait_for(d, play_needs_reset, d->dev,
			  given ? d->play->wait_ms / GIVE_UP : d->play->wait_ms))
		return true;
	if (!given)
		return play_diverges(d, step,
				     "the record has DEVICE_NEEDS_RESET, and the device "
				     "is content");
	play_note(d, "the device gave up, maybe on what came from outside: what follows is not "
		     "played");
	d->over = true;
	return false;
}

static bool play_status(struct play_device *d, const struct replay_step *step)
{
	uint32_t before = (uint32_t)step->value[0], after = (uint32_t)step->value[1];
	uint32_t added = after & ~before, now;

	d->play->result->statuses++;
	if (added & VIRTIO_S_NEEDS_RESET && !play_gives_up(d, step))
		return d->over;
	if (!after) {
		play_write_status(d, 0);
		for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
			play_forget_queue(&d->queue[q]);
	} else {
		if (!before)
			play_begins(d);
		if (added & VIRTIO_S_FEATURES_OK)
			play_accept(d);
		if (added & VIRTIO_S_DRIVER_OK && !(vdev_status(d->dev) & VIRTIO_S_DRIVER_OK)) {
			if (d->legacy && !vdev_in_use(d->dev))
				play_accept(d);
			if (!play_enable_all(d))
				return false;
		}
		play_write_status(d, after & ~VIRTIO_S_NEEDS_RESET);
	}
	play_settle(d);
	now = vdev_status(d->dev);
	if (now != after)
		return play_diverges(d, step,
				     "status: the record has 0x%x after it was 0x%x, and the "
				     "device 0x%x",
				     after, before, now);
	return true;
}

/* Its queues run before the record says DRIVER_OK: that is told when all of them do. */
static bool play_started(struct play_device *d, const struct replay_step *step)
{
	if (vdev_in_use(d->dev))
		return play_enable(d, step);
	if (d->legacy)
		play_accept(d);
	if (!play_enable_all(d))
		return false;
	if (d->legacy)
		(void)vdev_legacy_notify(d->dev, (unsigned)step->queue);
	else
		play_write_status(d, vdev_status(d->dev) | VIRTIO_S_DRIVER_OK);
	return true;
}

/* By a reset of the device, which follows, or of the queue alone. */
static bool play_stopped(struct play_device *d, const struct replay_step *step)
{
	const struct replay_step *next = replay_find(d->play->s, d->play->at + 1, d->outside.number,
						     1u << RECORD_STATUS | 1u << RECORD_QUEUE_START,
						     0);
	unsigned q = (unsigned)step->queue;

	if (!step->value[0] || !next || q >= d->dev->n_queues)
		return true;
	if (next->type == RECORD_STATUS && !next->value[1])
		return true;
	if (d->legacy) {
		vdev_legacy_queue_set(d->dev, q, 0, VRING_LEGACY_ALIGN);
	} else if (vdev_accepted(d->dev, VIRTIO_F_RING_RESET)) {
		vdev_queue_write(d->dev, q, VQR_RESET, 1, UINT64_MAX);
	} else {
		vdev_queue_write(d->dev, q, VQR_ENABLE, 0, UINT64_MAX);
		d->queue[q].disabled = d->queue[q].drv;
		return true;
	}
	play_forget_queue(&d->queue[q]);
	return true;
}

/*
 * Configuration.
 */

/* What the record has of the field that the outside changes, is so now. */
static void play_adopt(struct play_device *d, size_t off, const uint8_t *told, size_t len)
{
	const struct outside_class *class = d->outside.class;
	uint8_t now[VDEV_CONFIG_MAX], then[VDEV_CONFIG_MAX];

	if (!class->field_len || class->field + class->field_len > d->dev->config_size)
		return;
	vdev_config_get(d->dev, class->field, now, class->field_len);
	memcpy(then, now, class->field_len);
	for (size_t i = 0; i < class->field_len; i++)
		if (class->field + i >= off && class->field + i - off < len)
			then[i] = told[class->field + i - off];
	if (memcmp(now, then, class->field_len) == 0)
		return;
	if (class->configured)
		class->configured(&d->outside, d->dev, then);
	vdev_config_set(d->dev, class->field, then, class->field_len, false);
	d->play->result->adopted++;
}

/* A transport that keeps a copy of the space reads it as soon as it changes; a change of status is
 * told when all that it entails has happened. */
static bool play_is_early(const struct play_device *d)
{
	const struct replay_step *next =
		replay_find(d->play->s, d->play->at + 1, d->outside.number,
			    ~(1u << RECORD_CONFIG_READ | 1u << RECORD_CONFIG_INTERRUPT), 0);

	return next && next->type == RECORD_STATUS;
}

static bool play_config_read(struct play_device *d, const struct replay_step *step)
{
	gsize len;
	const uint8_t *told = g_bytes_get_data(step->bytes, &len);
	uint8_t bytes[VDEV_CONFIG_MAX];
	size_t off = (size_t)MIN(step->value[0], VDEV_CONFIG_MAX);

	len = MIN(len, sizeof(bytes));
	play_adopt(d, off, told, len);
	vdev_config_read(d->dev, off, bytes, len);
	d->play->result->configs++;
	if (memcmp(bytes, told, len) == 0)
		return true;
	if (step != d->late && play_is_early(d)) {
		d->late = step;
		return true;
	}
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != told[i])
			return play_diverges(d, step,
					     "configuration space at 0x%zx: the record has 0x%02x, "
					     "and the device 0x%02x",
					     off + i, told[i], bytes[i]);
	return true;
}

static bool play_late_read(struct play_device *d)
{
	bool ok = !d->late || play_config_read(d, d->late);

	d->late = NULL;
	return ok;
}

static bool play_config_written(struct play_device *d, const struct replay_step *step)
{
	gsize len;
	const uint8_t *bytes = g_bytes_get_data(step->bytes, &len);

	if (d->legacy)
		vdev_legacy_config_write(d->dev, (size_t)step->value[0], bytes, len);
	else
		vdev_config_write(d->dev, (size_t)step->value[0], bytes, len);
	play_settle(d);
	return true;
}

/*
 * Chains.
 */
struct play_add {
	struct play_queue *pq;
	const struct replay_chain *chain;
	struct drv_buf *bufs;
	struct play_flight *flight;
};

static bool play_add(void *arg)
{
	struct play_add *a = arg;

	return drv_add(a->pq->drv, a->bufs, a->chain->n_rd, a->chain->n_wr, a->flight) >= 0;
}

static void play_put_payload(struct play_device *d, const struct replay_chain *c)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < c->n_rd; i++) {
		(void)gmem_write(replay_memory_map(d->play->memory), c->buf[i].addr,
				 c->read->data + at, c->buf[i].len);
		at += c->buf[i].len;
	}
}

static bool play_popped(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain *c = step->chain;
	struct play_flight *f = play_in_flight(pq, c);
	struct play_add add = { .pq = pq, .chain = c };
	bool ok;

	if (!pq->drv) /* it was reset: what the device had begun is nobody's */
		return true;
	if (f && f->unpopped) {
		f->unpopped = false;
		f->chain = c;
		return true;
	}
	f = g_new0(struct play_flight, 1);
	f->chain = f->made = c;
	g_hash_table_add(pq->made, f);
	play_put_payload(d, c);
	add.flight = f;
	add.bufs = g_new(struct drv_buf, c->n_rd + c->n_wr);
	for (unsigned i = 0; i < c->n_rd + c->n_wr; i++)
		add.bufs[i] = (struct drv_buf){ c->buf[i].addr, (uint32_t)c->buf[i].len };
	ok = play_wait(d, play_add, &add);
	g_free(add.bufs);
	if (!ok)
		return play_diverges(d, step,
				     "head %u: the record's device took one more, and this one has "
				     "not given enough back",
				     c->head);
	pq->flight[c->head] = f;
	if (drv_publish(pq->drv))
		vdev_notify(d->dev, (unsigned)step->queue);
	play_settle(d);
	return true;
}

static bool play_unpopped(struct play_device *d, const struct replay_step *step)
{
	struct play_flight *f = play_in_flight(&d->queue[step->queue], step->chain);

	if (f)
		f->unpopped = true;
	return true;
}

static bool play_is_done(void *flight)
{
	return ((struct play_flight *)flight)->done;
}

static bool play_compare(struct play_device *d, const struct replay_step *step,
			 const struct play_flight *f)
{
	const struct replay_chain *c = step->chain;
	uint32_t n = MIN(c->written->len, MIN(f->len, (uint32_t)MIN(c->writable, UINT32_MAX)));

	if (f->len != c->len)
		return play_diverges(d, step,
				     "head %u: the record has a used length of %u, and the device "
				     "%u",
				     c->head, c->len, f->len);
	if (d->outside.class->random)
		return true;
	for (uint32_t i = 0; i < n; i++)
		if (f->written[i] != c->written->data[i])
			return play_diverges(d, step,
					     "head %u: byte %u of %u that the device wrote: the "
					     "record has 0x%02x, and the device 0x%02x",
					     c->head, i, c->len, c->written->data[i],
					     f->written[i]);
	d->play->result->bytes += n;
	return true;
}

static bool play_back(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain *c = step->chain;
	struct play_flight *f = play_in_flight(pq, c);
	bool ok;

	if (!f || f->chain != c)
		return true;
	if (!play_wait(d, play_is_done, f)) {
		if (vdev_status(d->dev) & VIRTIO_S_NEEDS_RESET)
			return play_diverges(d, step,
					     "head %u: the record's device gave it back, "
					     "and this one needs a reset",
					     c->head);
		return play_diverges(d, step,
				     "head %u: the record has it back with a used length of %u, "
				     "and the device has it still",
				     c->head, c->len);
	}
	pq->flight[c->head] = NULL;
	d->play->result->chains++;
	ok = play_compare(d, step, f);
	g_hash_table_remove(pq->made, f);
	return ok;
}

/* Of a chain that the device only fills: it gets from outside what it got then. Chains that got one
 * thing together are compared when the last of them is back. */
static bool play_give(struct play_device *d, const struct replay_step *step)
{
	const struct outside_class *class = d->outside.class;
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain **chains;

	g_ptr_array_add(pq->given, step->chain);
	chains = (struct replay_chain **)pq->given->pdata;
	if (class->more && class->more(&d->outside, chains, pq->given->len))
		return true;
	class->give(&d->outside, d->dev, (unsigned)step->queue, chains, pq->given->len);
	for (guint i = 0; i < pq->given->len; i++) {
		struct replay_step each = *step;

		each.chain = g_ptr_array_index(pq->given, i);
		if (!play_back(d, &each))
			return false;
	}
	g_ptr_array_set_size(pq->given, 0);
	return true;
}

static bool play_pushed(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct play_flight *f = play_in_flight(pq, step->chain);

	if (f && !f->done)
		play_settle(d);
	/* Of a queue that the driver gives buffers to: no room for what came, whatever it was. */
	if (f && !f->done && d->outside.class->give && !step->chain->writable &&
	    step->queue % 2 == 0)
		return true;
	if (f && d->outside.class->give && !step->chain->n_rd && (!f->done || pq->given->len))
		return play_give(d, step);
	return play_back(d, step);
}

/*
 * Steps.
 */
static bool play_one(struct play_device *d, const struct replay_step *step)
{
	switch (step->type) {
	case RECORD_STATUS:
		return play_status(d, step) && play_late_read(d);
	case RECORD_CONFIG_READ:
		return !step->bytes || play_config_read(d, step);
	case RECORD_CONFIG_WRITE:
		return !step->bytes || play_config_written(d, step);
	case RECORD_QUEUE_START:
		return play_started(d, step);
	case RECORD_QUEUE_STOP:
		return play_stopped(d, step);
	case RECORD_POPPED:
		return play_popped(d, step);
	case RECORD_UNPOPPED:
		return play_unpopped(d, step);
	case RECORD_PUSHED:
		return play_pushed(d, step);
	case RECORD_FAULT:
		play_note(d, "the driver broke a ring; what follows is not played");
		d->over = true;
		return true;
	default: /* FEATURES: they were looked for already */
		return true;
	}
}

static bool play_steps(struct play *p)
{
	for (p->at = 0; p->at < p->s->steps->len; p->at++) {
		const struct replay_step *step = replay_step(p->s, p->at);
		struct play_device *d = &p->device[step->device];
		bool queue = step->type >= RECORD_QUEUE_START && step->type <= RECORD_PUSHED;

		if (!d->dev || d->over || (queue && (unsigned)step->queue >= VDEV_QUEUES_MAX))
			continue;
		if (!play_one(d, step))
			return false;
	}
	return true;
}

/*
 * Devices.
 */
static bool play_same_offer(struct play_device *d)
{
	const struct replay_step begin = { .queue = TRACE_NO_QUEUE, .time = d->play->s->begin };
	gsize len;
	const uint8_t *config = g_bytes_get_data(d->how->config, &len);

	for (unsigned bit = 0; bit < 128; bit++)
		if (d->how->offered[bit / 64] >> bit % 64 & 1 &&
		    !vfeatures_has(d->dev->offered, bit))
			return play_diverges(d, &begin,
					     "the record's device offers feature %u (%s), and this "
					     "one does not",
					     bit, vdev_feature_name(d->dev->class, bit));
	if (len != d->dev->config_size)
		return play_diverges(d, &begin,
				     "the record's configuration space has %zu bytes, and this "
				     "one %zu",
				     len, d->dev->config_size);
	for (size_t i = 0; i < len; i++)
		if (config[i] != d->dev->config[i])
			return play_diverges(d, &begin,
					     "configuration space at 0x%zx: the record has 0x%02x "
					     "at the begin, and the device 0x%02x",
					     i, config[i], d->dev->config[i]);
	return true;
}

static bool play_open(struct play *p, uint32_t number, GError **err)
{
	struct play_device *d = &p->device[number];
	const struct vdev_env env = {
		.mem = replay_memory_map(p->memory),
		.main_loop = loop_main(),
		.n_cpus = 1,
		.wrappers = outside_wrappers,
	};
	GPtrArray *pairs;
	const char *why;

	d->play = p;
	d->how = replay_device(p->s, number);
	d->outside = (struct outside){ .script = p->s, .number = number, .disk_fd = -1 };
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		d->queue[q].made = g_hash_table_new_full(g_direct_hash, g_direct_equal,
							 play_flight_free, NULL);
		d->queue[q].given = g_ptr_array_new();
	}
	pairs = outside_options(&d->outside, &why);
	if (!pairs) {
		g_autofree char *text = g_strdup_printf("not played: %s", why);

		play_note(d, text);
		return true;
	}
	outside_opening = &d->outside;
	d->dev = vdev_new(vdev_class_find(d->how->class), pairs, &env, err);
	outside_opening = NULL;
	g_ptr_array_unref(pairs);
	if (!d->dev)
		return false;
	d->direct = direct_new(d->dev);
	return true;
}

static void play_close(struct play_device *d)
{
	direct_free(d->direct);
	vdev_free(d->dev);
	outside_close(&d->outside);
	for (unsigned q = 0; d->how && q < VDEV_QUEUES_MAX; q++) {
		g_free(d->queue[q].drv);
		g_free(d->queue[q].flight);
		g_hash_table_unref(d->queue[q].made);
		g_ptr_array_unref(d->queue[q].given);
	}
}

bool replay_play(struct replay_script *s, unsigned wait_ms, struct replay_result *ret, GError **err)
{
	struct play p = {
		.s = s,
		.context = g_main_context_default(),
		.wait_ms = wait_ms,
		.device = g_new0(struct play_device, s->devices->len),
		.result = ret,
	};
	gint64 begin;
	bool ok;

	*ret = (struct replay_result){ .notes = g_ptr_array_new_with_free_func(g_free) };
	p.memory = replay_memory_new(s, err);
	ok = p.memory != NULL;
	for (guint i = 0; ok && i < s->devices->len; i++)
		ok = play_open(&p, i, err);
	begin = g_get_monotonic_time();
	for (guint i = 0; ok && !ret->divergence && i < s->devices->len; i++)
		if (p.device[i].dev)
			(void)play_same_offer(&p.device[i]);
	if (ok && !ret->divergence)
		(void)play_steps(&p);
	ret->seconds = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
	for (guint i = 0; i < s->devices->len; i++)
		play_close(&p.device[i]);
	replay_memory_free(p.memory);
	g_free(p.device);
	return ok;
}

void replay_clear(struct replay_result *r)
{
	g_ptr_array_unref(r->notes);
	g_free(r->divergence);
}
