/*
 * How long devices have chains: from the pop to the push. Measured while somebody asks: an observer
 * comes to each device with the first question, in a pause of some microseconds, and leaves some
 * seconds after the last one, so that a client that is gone costs the guest nothing.
 */
#include <time.h>

#include "devices/base/latencies.h"
#include "devices/core/observe.h"
#include "vmm/machine/machine-int.h"

#define LATENCY_IDS        65536u /* a packed ring's driver may use any buffer id */
#define LATENCY_PATIENCE_S 10u

struct latency_queue {
	uint64_t *since; /* by id: ns, 0: it was not seen to be popped. The owner's. */
	struct latencies measured;
};

struct device_latency {
	struct vdev_observer base;
	unsigned n_queues;
	struct latency_queue queue[];
};

static uint64_t latency_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct latency_queue *latency_of(struct vdev_observer *o, unsigned q)
{
	return &((struct device_latency *)o)->queue[q];
}

static void latency_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c)
{
	(void)dev;
	latency_of(o, q)->since[c->id] = latency_now();
}

static void latency_unpopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			     const struct vq_chain *c)
{
	(void)dev;
	latency_of(o, q)->since[c->id] = 0;
}

static void latency_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c, uint32_t len)
{
	struct latency_queue *l = latency_of(o, q);
	uint64_t since = l->since[c->id];

	(void)dev, (void)len;
	l->since[c->id] = 0;
	if (since)
		latencies_add(&l->measured, latency_now() - since);
}

static const struct vdev_observer_ops latency_ops = {
	.popped = latency_popped,
	.unpopped = latency_unpopped,
	.pushed = latency_pushed,
};

static struct device_latency *latency_new(const struct vdev *dev)
{
	struct device_latency *l =
		g_malloc0(sizeof(*l) + dev->n_queues * sizeof(struct latency_queue));

	l->base.ops = &latency_ops;
	l->n_queues = dev->n_queues;
	for (unsigned q = 0; q < l->n_queues; q++) /* pages that no id touches take no memory */
		l->queue[q].since = g_new0(uint64_t, LATENCY_IDS);
	return l;
}

void machine_latency_free(struct device_latency *l)
{
	for (unsigned q = 0; l && q < l->n_queues; q++)
		g_free(l->queue[q].since);
	g_free(l);
}

/*
 * Coming and going, on the main thread.
 */
static void latency_attach(struct device *d)
{
	d->latency = latency_new(d->dev);
	vdev_observe(d->dev, &d->latency->base);
}

static void latency_detach(struct device *d)
{
	vdev_unobserve(d->dev, &d->latency->base);
	machine_latency_free(g_steal_pointer(&d->latency));
}

static void latency_for_each(struct machine *m, bool measured, void (*fn)(struct device *d))
{
	for (guint i = 0; i < m->devices->len; i++) {
		struct device *d = g_ptr_array_index(m->devices, i);

		if (!!d->latency != measured)
			continue;
		if (!m->stopped)
			vdev_pause(d->dev);
		fn(d);
		if (!m->stopped)
			vdev_resume(d->dev);
	}
}

static void latency_begin(void *arg)
{
	latency_for_each(arg, false, latency_attach);
}

static void latency_end(void *arg)
{
	latency_for_each(arg, true, latency_detach);
}

static bool latency_is_missing(struct machine *m)
{
	for (guint i = 0; i < m->devices->len; i++)
		if (!((const struct device *)g_ptr_array_index(m->devices, i))->latency)
			return true;
	return false;
}

static gboolean latency_nobody_asks(void *opaque)
{
	struct machine *m = opaque;

	if (machine_while_paused(m, latency_end, m) < 0)
		return G_SOURCE_CONTINUE; /* it wants to be asked again */
	m->latency_timer = 0;
	return G_SOURCE_REMOVE;
}

void machine_latency_stop(struct machine *m)
{
	if (m->latency_timer)
		g_source_remove(m->latency_timer);
	m->latency_timer = 0;
}

int machine_for_each_latency(struct machine *m, machine_latency_fn fn, void *opaque)
{
	int ret = latency_is_missing(m) ? machine_while_paused(m, latency_begin, m) : 0;

	if (ret < 0)
		return ret;
	machine_latency_stop(m);
	m->latency_timer = g_timeout_add_seconds(LATENCY_PATIENCE_S, latency_nobody_asks, m);
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		for (unsigned q = 0; q < d->latency->n_queues; q++) {
			struct latencies l;

			latencies_copy(&l, &d->latency->queue[q].measured);
			fn(d->dev, q, &l, opaque);
		}
	}
	return 0;
}
