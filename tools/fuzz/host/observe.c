#include "tools/fuzz/host/observe.h"

#include <string.h>

#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/trace.h"

#define CANARY 0x5ca1ab1e0ddba115ull
#define HEAD   4u /* words at the beginning of a writable buffer that are marked */

/* File-scope: the queues of all devices of a run, and the rings without a device. */
static struct {
	const struct vq *vq[REFDRV_QUEUES];
	struct refdrv *refdrv[REFDRV_QUEUES];
	unsigned n;
} watched;

void observe_begin(void)
{
	watched.n = 0;
}

void observe_queue(const struct vq *vq, struct refdrv *t)
{
	unsigned i = 0;

	while (i < watched.n && watched.vq[i] != vq)
		i++;
	if (i == REFDRV_QUEUES)
		return;
	watched.vq[i] = vq;
	watched.refdrv[i] = t;
	watched.n = i < watched.n ? watched.n : i + 1;
}

/* The reference driver behind @vq if all that it wrote stands as it wrote it. */
static struct refdrv *sound_refdrv(const struct vq *vq)
{
	for (unsigned i = 0; i < watched.n; i++)
		if (watched.vq[i] == vq && watched.refdrv[i]->made && !watched.refdrv[i]->lies &&
		    arena_is_sound())
			return watched.refdrv[i];
	return NULL;
}

static uint64_t observe_bytes(const struct drv_buf *buf, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += buf[i].len;
	return sum;
}

/* Calls fn with each marked word of the writable buffers that lies in the first @len bytes. */
static void each_mark(const struct refdrv_chain *t, uint64_t len, void (*fn)(uint64_t *word))
{
	for (unsigned i = t->n_rd; i < t->n; i++) {
		uint64_t n = t->buf[i].len < len ? t->buf[i].len : len;
		uint8_t *at = arena_at(t->buf[i].gpa, n);

		for (unsigned w = 0; at && w < HEAD && (w + 1) * 8ul <= n; w++)
			fn((uint64_t *)(void *)(at + 8ul * w));
		len -= n;
	}
}

static void observe_mark(uint64_t *word)
{
	*word = CANARY;
}

static void check_mark(uint64_t *word)
{
	if (*word == CANARY)
		fuzz_bug("the used length covers bytes that were never written");
}

static void observe_popped(struct refdrv *t, const struct vq_chain *c)
{
	const struct refdrv_chain *made;

	if (c->id >= REFDRV_SIZE || !t->vq.slot[c->id].n)
		fuzz_bug("queue %u: the device has a chain %u, which was not given", t->index,
			 c->id);
	made = &t->chain[c->id];
	if (c->rd.left != observe_bytes(made->buf, made->n_rd) ||
	    c->wr.left != observe_bytes(made->buf + made->n_rd, made->n - made->n_rd))
		fuzz_bug("queue %u: chain %u has %lu readable and %lu writable bytes; the device "
			 "sees %zu and %zu",
			 t->index, c->id, observe_bytes(made->buf, made->n_rd),
			 observe_bytes(made->buf + made->n_rd, made->n - made->n_rd), c->rd.left,
			 c->wr.left);
	if (!made->shared)
		each_mark(made, UINT64_MAX, observe_mark);
}

/*
 * What a device does, by a queue of its own or one without a device around it.
 */

static void look_popped(const struct vq_chain *c)
{
	struct refdrv *t = sound_refdrv(c->vq);

	trace("device: takes chain %u: %zu bytes to read, %zu to write", c->id, c->rd.left,
	      c->wr.left);
	if (t)
		observe_popped(t, c);
}

static void look_pushed(const struct vq_chain *c)
{
	struct refdrv *t = sound_refdrv(c->vq);

	trace("device: gives chain %u back, %zu bytes written", c->id, c->written);
	if (t && c->id < REFDRV_SIZE && !t->chain[c->id].shared)
		each_mark(&t->chain[c->id], c->written, check_mark);
}

/* Faults at a queue's start are of its registers, which are not the reference driver's. */
static void look_broken(const struct vq *vq, enum vq_fault fault, uint16_t head)
{
	const struct refdrv *t = sound_refdrv(vq);

	trace("device: the ring is broken: %s at %u", vq_fault_name(fault), head);
	if (t && fault > VQ_FAULT_RING_ADDRESS)
		fuzz_bug("queue %u: a sound driver is accused: %s", t->index, vq_fault_name(fault));
}

static void device_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			  const struct vq_chain *c)
{
	(void)o, (void)dev, (void)q;
	look_popped(c);
}

static void device_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			  const struct vq_chain *c, uint32_t len)
{
	(void)o, (void)dev, (void)q, (void)len;
	look_pushed(c);
}

static void device_fault(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vq_fault fault,
			 uint16_t head)
{
	(void)o;
	look_broken(dev->queue[q].vq, fault, head);
}

static const struct vdev_observer_ops device_ops = { .popped = device_popped,
						     .pushed = device_pushed,
						     .fault = device_fault };

void observe_device(struct vdev *dev, struct vdev_observer *o)
{
	*o = (struct vdev_observer){ .ops = &device_ops };
	vdev_observe(dev, o);
}

static void ring_popped(struct vq_observer *o, const struct vq_chain *c)
{
	(void)o;
	look_popped(c);
}

static void ring_pushed(struct vq_observer *o, const struct vq_chain *c, uint32_t len)
{
	(void)o, (void)len;
	look_pushed(c);
}

static void ring_broken(struct vq_observer *o, enum vq_fault fault, uint16_t head)
{
	look_broken(((struct ring_observer *)o)->vq, fault, head);
}

static const struct vq_observer_ops ring_ops = { .popped = ring_popped,
						 .pushed = ring_pushed,
						 .broken = ring_broken };

void observe_ring(struct vq *vq, struct ring_observer *o)
{
	*o = (struct ring_observer){ { &ring_ops }, vq };
	vq_observe(vq, &o->base);
}
