/*
 * What happens, on the threads that it happens on: each function puts an event into its thread's
 * ring.
 */
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "devices/record/record-int.h"

const struct syscall_use recorder_syscalls[] = {
	/* The thread's own name, once. */
	{ .name = "prctl", .arg = 0, .mask = UINT32_MAX, .value = PR_GET_NAME },
	{ .name = NULL },
};

/* A thread's first event. NULL: there are too many threads. */
static struct record_ring *record_claim_ring(struct recorder *r)
{
	unsigned n = atomic_load_explicit(&r->n_rings, memory_order_relaxed);
	struct record_ring *ring;

	do {
		if (n == RECORD_RINGS)
			return NULL;
	} while (!atomic_compare_exchange_weak(&r->n_rings, &n, n + 1));
	ring = &r->ring[n];
	prctl(PR_GET_NAME, ring->name, 0, 0, 0);
	ring->tid = gettid();
	pthread_setspecific(r->mine, ring);
	atomic_store_explicit(&ring->ready, true, memory_order_release);
	return ring;
}

static struct record_ring *record_my_ring(struct recorder *r)
{
	struct record_ring *ring = pthread_getspecific(r->mine);

	return G_LIKELY(ring) ? ring : record_claim_ring(r);
}

/*
 * An event with @bytes behind its words: to be filled in, and put() into the ring. NULL: it is
 * lost.
 */
struct record_event {
	struct recorder *recorder;
	struct record_ring *ring;
	struct record_raw *raw;
};

static bool record_begin(struct record_event *e, struct record_device *d, unsigned q,
			 enum record_type type, size_t bytes, uint64_t now)
{
	size_t whole = (sizeof(struct record_raw) + bytes + 7) & ~(size_t)7;

	e->recorder = d->recorder;
	e->ring = record_my_ring(d->recorder);
	if (G_UNLIKELY(!e->ring)) {
		atomic_fetch_add_explicit(&d->recorder->homeless, 1, memory_order_relaxed);
		return false;
	}
	e->raw = record_ring_room(e->ring, whole, now);
	if (G_UNLIKELY(!e->raw)) {
		record_wake(e->recorder);
		return false;
	}
	*e->raw = (struct record_raw){ .bytes = (uint32_t)whole,
				       .type = type,
				       .queue = (uint16_t)q,
				       .time = now,
				       .device = d->number };
	return true;
}

static void record_put(struct record_event *e)
{
	record_ring_put(e->ring, e->raw);
	if (G_UNLIKELY(record_ring_fills(e->ring)))
		record_wake(e->recorder);
}

static struct record_device *record_device_of(struct vdev_observer *o)
{
	return (struct record_device *)o;
}

/* One of up to five words. */
static void record_words(struct record_device *d, unsigned q, enum record_type type,
			 const uint64_t *words, unsigned n)
{
	struct record_event e;

	if (!record_begin(&e, d, q, type, n * sizeof(*words), record_now()))
		return;
	for (unsigned i = 0; i < n; i++)
		e.raw->arg[i] = words[i];
	record_put(&e);
}

/* One of two texts. */
static void record_texts(struct record_device *d, unsigned q, enum record_type type, uint16_t head,
			 const char *one, const char *two)
{
	size_t n1 = MIN(strlen(one), RECORD_TEXT_MAX), n2 = MIN(strlen(two), RECORD_TEXT_MAX);
	struct record_event e;

	if (!record_begin(&e, d, q, type, n1 + n2, record_now()))
		return;
	e.raw->head = head;
	e.raw->n = (uint32_t)(n1 | n2 << 16);
	memcpy(e.raw->arg, one, n1);
	memcpy((char *)e.raw->arg + n1, two, n2);
	record_put(&e);
}

/* One of words, and bytes behind them. */
static void record_bytes(struct record_device *d, enum record_type type, const uint64_t *words,
			 unsigned n, const void *bytes, size_t len)
{
	struct record_event e;

	if (!record_begin(&e, d, RECORD_NO_QUEUE, type, n * sizeof(*words) + len, record_now()))
		return;
	e.raw->n = (uint32_t)len;
	for (unsigned i = 0; i < n; i++)
		e.raw->arg[i] = words[i];
	memcpy(&e.raw->arg[n], bytes, len);
	record_put(&e);
}

/*
 * Registers.
 */
static void record_access(struct vdev_observer *o, struct vdev *dev, const struct vdev_access *a)
{
	(void)dev;
	record_words(record_device_of(o), RECORD_NO_QUEUE, a->write ? RECORD_WRITE : RECORD_READ,
		     (uint64_t[]){ a->off, a->len, a->value }, 3);
}

static void record_status(struct vdev_observer *o, struct vdev *dev, uint32_t before,
			  uint32_t after)
{
	/* A legacy driver never says FEATURES_OK (2.2.3). */
	const uint32_t settled = VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK;
	struct record_device *d = record_device_of(o);

	record_words(d, RECORD_NO_QUEUE, RECORD_STATUS, (uint64_t[]){ before, after }, 2);
	if (!(before & settled) && (after & settled))
		record_words(d, RECORD_NO_QUEUE, RECORD_FEATURES, dev->accepted.w, 2);
}

static void record_config(struct vdev_observer *o, struct vdev *dev, size_t off, const void *bytes,
			  size_t len, bool write)
{
	(void)dev;
	record_bytes(record_device_of(o), write ? RECORD_CONFIG_WRITE : RECORD_CONFIG_READ,
		     (uint64_t[]){ off }, 1, bytes, MIN(len, VDEV_CONFIG_MAX));
}

static void record_rule(struct vdev_observer *o, struct vdev *dev, enum vdev_rule rule,
			const char *where)
{
	(void)dev;
	record_texts(record_device_of(o), RECORD_NO_QUEUE, RECORD_RULE, 0, vdev_rule_name(rule),
		     where);
}

static void record_config_interrupt(struct vdev_observer *o, struct vdev *dev)
{
	(void)dev;
	record_words(record_device_of(o), RECORD_NO_QUEUE, RECORD_CONFIG_INTERRUPT, NULL, 0);
}

/*
 * Queues.
 */
/* Room for what a guest decides about: how large its queues are, how long its chains. */
static bool record_charge(struct recorder *r, size_t bytes)
{
	if (atomic_fetch_add(&r->flight_bytes, bytes) + bytes <= RECORD_FLIGHT_MAX)
		return true;
	atomic_fetch_sub(&r->flight_bytes, bytes);
	return false;
}

static void record_forget_flight(struct recorder *r, struct record_queue *queue)
{
	size_t bytes = queue->size * sizeof(*queue->flight);

	for (unsigned i = 0; i < queue->size; i++) {
		bytes += queue->flight[i].room * sizeof(struct iovec);
		g_free(queue->flight[i].iov);
	}
	g_clear_pointer(&queue->flight, g_free);
	queue->size = 0;
	atomic_fetch_sub(&r->flight_bytes, bytes);
}

static void record_make_flight(struct recorder *r, struct record_queue *queue, unsigned size)
{
	record_forget_flight(r, queue);
	if (!record_charge(r, size * sizeof(*queue->flight)))
		return;
	queue->flight = g_new0(struct record_flight, size);
	queue->size = size;
}

static void record_started(struct vdev_observer *o, struct vdev *dev, unsigned q)
{
	struct record_device *d = record_device_of(o);
	const struct vdev_queue *queue = &dev->queue[q];
	bool packed = vq_packed(queue->vq);
	unsigned size = vq_started(queue->vq) ? vq_size(queue->vq) : queue->size;

	if (d->recorder->options.payload != RECORD_PAYLOAD_NONE && d->queue[q].size != size)
		record_make_flight(d->recorder, &d->queue[q], size);
	record_words(d, q, RECORD_QUEUE_START,
		     (uint64_t[]){ size, packed ? RECORD_QUEUE_PACKED : 0, queue->desc,
				   queue->driver, queue->device },
		     5);
}

static void record_stopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   enum vdev_stop why)
{
	(void)dev;
	record_words(record_device_of(o), q, RECORD_QUEUE_STOP, (uint64_t[]){ why }, 1);
}

static void record_kicked(struct vdev_observer *o, struct vdev *dev, unsigned q, uint64_t n)
{
	(void)dev;
	record_words(record_device_of(o), q, RECORD_KICK, &n, 1);
}

static void record_interrupt(struct vdev_observer *o, struct vdev *dev, unsigned q, bool sent)
{
	(void)dev;
	record_words(record_device_of(o), q, sent ? RECORD_INTERRUPT : RECORD_SUPPRESSED, NULL, 0);
}

static void record_fault(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vq_fault fault,
			 uint16_t head)
{
	(void)dev;
	record_texts(record_device_of(o), q, RECORD_FAULT, head, vq_fault_name(fault), "");
}

/*
 * Payloads.
 */
struct record_copy {
	struct record_device *d;
	unsigned q;
	uint16_t head;
	bool written; /* the device's side */
	uint64_t now, off, total;
};

static void record_piece(struct record_copy *copy, const uint8_t *bytes, size_t len)
{
	struct record_event e;

	if (!record_begin(&e, copy->d, copy->q, RECORD_PAYLOAD, 3 * sizeof(uint64_t) + len,
			  copy->now))
		return;
	e.raw->head = copy->head;
	e.raw->n = (uint32_t)len;
	e.raw->arg[0] = copy->written;
	e.raw->arg[1] = copy->off;
	e.raw->arg[2] = copy->total;
	memcpy(&e.raw->arg[3], bytes, len);
	record_put(&e);
}

/* The first @len bytes of what lies in @iov. */
static void record_copy_bytes(struct record_copy *copy, const struct iovec *iov, unsigned n,
			      uint64_t len)
{
	for (unsigned i = 0; i < n && copy->off < len; i++)
		for (size_t at = 0; at < iov[i].iov_len && copy->off < len;) {
			size_t piece = MIN(MIN(iov[i].iov_len - at, RECORD_PAYLOAD_MAX),
					   len - copy->off);

			record_piece(copy, (const uint8_t *)iov[i].iov_base + at, piece);
			copy->off += piece;
			at += piece;
		}
}

/* However the driver cut it up: whole words, but for the end. */
static uint64_t record_digest(const struct iovec *iov, unsigned n, uint64_t len)
{
	uint64_t hash = RECORD_HASH;
	uint8_t word[8];
	size_t have = 0;

	for (unsigned i = 0; i < n && len; i++) {
		const uint8_t *at = iov[i].iov_base;
		size_t left = MIN(iov[i].iov_len, len);

		len -= left;
		while (left) {
			size_t whole = have ? 0 : left & ~(size_t)7;
			size_t some = whole ? whole : MIN(left, sizeof(word) - have);

			if (whole) {
				hash = record_hash(hash, at, whole);
			} else {
				memcpy(word + have, at, some);
				have += some;
			}
			if (have == sizeof(word)) {
				hash = record_hash(hash, word, have);
				have = 0;
			}
			at += some;
			left -= some;
		}
	}
	return record_hash(hash, word, have);
}

static void record_payload(struct record_copy *copy, const struct iovec *iov, unsigned n)
{
	const struct record_options *o = &copy->d->recorder->options;
	struct record_event e;

	if (!copy->total)
		return;
	if (o->payload == RECORD_PAYLOAD_BYTES) {
		record_copy_bytes(copy, iov, n, MIN(copy->total, o->most));
		return;
	}
	if (!record_begin(&e, copy->d, copy->q, RECORD_DIGEST, 3 * sizeof(uint64_t), copy->now))
		return;
	e.raw->head = copy->head;
	e.raw->arg[0] = copy->written;
	e.raw->arg[1] = copy->total;
	e.raw->arg[2] = record_digest(iov, n, copy->total);
	record_put(&e);
}

static struct record_flight *record_flight_of(struct record_device *d, unsigned q, uint16_t head)
{
	struct record_queue *queue = &d->queue[q];

	return head < queue->size ? &queue->flight[head] : NULL;
}

/* All of it, or, where there is no room any more, nothing. */
static void record_keep_flight(struct recorder *r, struct record_flight *f,
			       const struct vq_cursor *wr)
{
	f->n = 0;
	if (f->room < wr->n) {
		if (!record_charge(r, (wr->n - f->room) * sizeof(struct iovec)))
			return;
		f->iov = g_renew(struct iovec, f->iov, wr->n);
		f->room = wr->n;
	}
	if (wr->n)
		memcpy(f->iov, wr->iov, wr->n * sizeof(*wr->iov));
	f->n = wr->n;
}

/*
 * Chains.
 */
static uint64_t record_put_buffers(uint64_t *to, const struct gmem *mem,
				   const struct vq_cursor *cursor, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		*to++ = gmem_address_of(mem, cursor->iov[i].iov_base);
		*to++ = cursor->iov[i].iov_len;
	}
	return n;
}

static void record_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			  const struct vq_chain *c)
{
	struct record_device *d = record_device_of(o);
	unsigned rd = MIN(c->rd.n, RECORD_BUFS_MAX), wr = MIN(c->wr.n, RECORD_BUFS_MAX - rd);
	uint64_t now = record_now();
	struct record_event e;

	if (record_begin(&e, d, q, RECORD_POPPED, (size_t)(rd + wr) * 16, now)) {
		e.raw->head = c->id;
		e.raw->n = (c->rd.n & 0xffff) | c->wr.n << 16;
		record_put_buffers(e.raw->arg, dev->mem, &c->rd, rd);
		record_put_buffers(e.raw->arg + 2ul * rd, dev->mem, &c->wr, wr);
		record_put(&e);
	}
	if (d->recorder->options.payload != RECORD_PAYLOAD_NONE) {
		struct record_flight *f = record_flight_of(d, q, c->id);

		if (f)
			record_keep_flight(d->recorder, f, &c->wr);
		record_payload(&(struct record_copy){ d, q, c->id, false, now, 0, c->rd.left },
			       c->rd.iov, c->rd.n);
	}
}

static void record_unpopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			    const struct vq_chain *c)
{
	struct record_event e;

	(void)dev;
	if (!record_begin(&e, record_device_of(o), q, RECORD_UNPOPPED, 0, record_now()))
		return;
	e.raw->head = c->id;
	record_put(&e);
}

static void record_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			  const struct vq_chain *c, uint32_t len)
{
	struct record_device *d = record_device_of(o);
	uint64_t now = record_now();
	struct record_event e;

	(void)dev;
	if (d->queue[q].flight) { /* before it is the driver's again */
		struct record_flight *f = record_flight_of(d, q, c->id);

		if (f && f->n)
			record_payload(&(struct record_copy){ d, q, c->id, true, now, 0, len },
				       f->iov, f->n);
	}
	if (!record_begin(&e, d, q, RECORD_PUSHED, 0, now))
		return;
	e.raw->head = c->id;
	e.raw->n = len;
	record_put(&e);
}

static const struct vdev_observer_ops record_ops = {
	.access = record_access,
	.status = record_status,
	.config = record_config,
	.rule = record_rule,
	.config_interrupt = record_config_interrupt,
	.queue_started = record_started,
	.queue_stopped = record_stopped,
	.kicked = record_kicked,
	.popped = record_popped,
	.unpopped = record_unpopped,
	.pushed = record_pushed,
	.interrupt = record_interrupt,
	.fault = record_fault,
};

/*
 * Devices.
 */

/* What it takes to make the device again, for a replay. Nobody calls it yet. */
static void record_how_made(struct record_device *d)
{
	struct vdev *dev = d->dev;

	record_bytes(d, RECORD_OPTIONS, NULL, 0, dev->options,
		     MIN(strlen(dev->options), RECORD_OPTIONS_MAX));
	record_bytes(d, RECORD_OFFER, dev->offered.w, 2, dev->config, dev->config_size);
}

void recorder_add(struct recorder *r, struct vdev *dev)
{
	struct record_device *d = g_new0(struct record_device, 1);
	size_t n1 = MIN(strlen(dev->class->name), RECORD_TEXT_MAX);
	size_t n2 = MIN(strlen(vdev_name(dev)), RECORD_TEXT_MAX);
	struct record_event e;

	d->base.ops = &record_ops;
	d->recorder = r;
	d->dev = dev;
	d->number = (uint16_t)r->devices->len;
	d->n_queues = dev->n_queues;
	d->queue = g_new0(struct record_queue, dev->n_queues);
	g_ptr_array_add(r->devices, d);
	if (record_begin(&e, d, RECORD_NO_QUEUE, RECORD_DEVICE, 2 * sizeof(uint64_t) + n1 + n2,
			 record_now())) {
		e.raw->n = (uint32_t)(n1 | n2 << 16);
		e.raw->arg[0] = dev->type;
		e.raw->arg[1] = dev->n_queues;
		memcpy(&e.raw->arg[2], dev->class->name, n1);
		memcpy((char *)&e.raw->arg[2] + n1, vdev_name(dev), n2);
		record_put(&e);
	}
	record_how_made(d);
	vdev_observe(dev, &d->base);
}

void recorder_remove(struct recorder *r, struct vdev *dev)
{
	for (guint i = 0; i < r->devices->len; i++) {
		struct record_device *d = g_ptr_array_index(r->devices, i);

		if (d->dev == dev)
			vdev_unobserve(dev, &d->base);
	}
}

void record_device_free(void *device)
{
	struct record_device *d = device;

	for (unsigned q = 0; q < d->n_queues; q++)
		record_forget_flight(d->recorder, &d->queue[q]);
	g_free(d->queue);
	g_free(d);
}
