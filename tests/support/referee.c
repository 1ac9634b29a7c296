#include "tests/support/referee.h"

/* A queue as its owner's thread knows it. */
struct referee_queue {
	GHashTable *taken; /* chains that the device has: bytes it may write, + 1 */
	bool served;
	unsigned pushed; /* since the driver was last told */
};

struct referee {
	struct vdev_observer base;
	struct vdev *dev;
	struct referee_queue queue[VDEV_QUEUES_MAX];
	const char *_Atomic wrong; /* the first one's text */
};

/* A filter is there to break these rules. */
static void referee_demand(struct referee *r, const struct vdev *dev, bool right, const char *what)
{
	const char *none = NULL;

	if (!right && !dev->filter)
		atomic_compare_exchange_strong(&r->wrong, &none, what);
}

static void referee_started(struct vdev_observer *o, struct vdev *dev, unsigned q)
{
	struct referee *r = (struct referee *)o;
	struct referee_queue *queue = &r->queue[q];

	referee_demand(r, dev, !queue->served, "a queue that is served is started");
	referee_demand(r, dev, vdev_status(dev) & VIRTIO_S_DRIVER_OK,
		       "a queue is started before DRIVER_OK");
	queue->served = true;
}

static void referee_stopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			    enum vdev_stop why)
{
	struct referee *r = (struct referee *)o;
	struct referee_queue *queue = &r->queue[q];

	/* In order, those given back early wait for those that the device still has, or that a
	 * reset has it drop. */
	bool wait = vdev_accepted(dev, VIRTIO_F_IN_ORDER) &&
		    (why == VDEV_STOP_RESET || g_hash_table_size(queue->taken));

	queue->served = false;
	referee_demand(r, dev, queue->pushed == 0 || wait,
		       "a queue stops with chains that the driver is not told of");
	if (why == VDEV_STOP_RESET)
		g_hash_table_remove_all(queue->taken);
}

static void referee_kicked(struct vdev_observer *o, struct vdev *dev, unsigned q, uint64_t n)
{
	struct referee *r = (struct referee *)o;

	referee_demand(r, dev, n > 0, "no kick is told as one");
	referee_demand(r, dev, r->queue[q].served, "a kick reaches a queue that is not served");
}

static void referee_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c)
{
	struct referee *r = (struct referee *)o;
	struct referee_queue *queue = &r->queue[q];

	referee_demand(r, dev, queue->served, "a chain is taken off a queue that is not served");
	referee_demand(
		r, dev,
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): how GLib keeps a number */
		g_hash_table_insert(queue->taken, (gpointer)c, GSIZE_TO_POINTER(c->wr.left + 1)),
		"a chain is taken that the device has");
}

static void referee_unpopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			     const struct vq_chain *c)
{
	struct referee *r = (struct referee *)o;

	referee_demand(r, dev, g_hash_table_remove(r->queue[q].taken, c),
		       "a chain is put back that the device has not");
}

static void referee_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c, uint32_t len)
{
	struct referee *r = (struct referee *)o;
	struct referee_queue *queue = &r->queue[q];
	gsize room = GPOINTER_TO_SIZE(g_hash_table_lookup(queue->taken, c));

	referee_demand(r, dev, queue->served,
		       "a chain is given back to a queue that is not served");
	referee_demand(r, dev, room > 0, "a chain is given back that the device has not");
	referee_demand(r, dev, len < room, "a used length is more than there was room for");
	g_hash_table_remove(queue->taken, c);
	queue->pushed++;
}

static void referee_interrupt(struct vdev_observer *o, struct vdev *dev, unsigned q, bool sent)
{
	struct referee *r = (struct referee *)o;
	struct referee_queue *queue = &r->queue[q];

	(void)sent;
	referee_demand(r, dev, queue->pushed > 0, "the driver is told of nothing");
	queue->pushed = 0;
}

/* It need not be told of the rest any more. */
static void referee_fault(struct vdev_observer *o, struct vdev *dev, unsigned q,
			  enum vq_fault fault, uint16_t head)
{
	struct referee *r = (struct referee *)o;

	(void)head;
	referee_demand(r, dev, fault != VQ_OK, "no fault is told as one");
	r->queue[q].pushed = 0;
}

static const struct vdev_observer_ops referee_ops = {
	.queue_started = referee_started,
	.queue_stopped = referee_stopped,
	.kicked = referee_kicked,
	.popped = referee_popped,
	.unpopped = referee_unpopped,
	.pushed = referee_pushed,
	.interrupt = referee_interrupt,
	.fault = referee_fault,
};

struct referee *referee_new(struct vdev *dev)
{
	struct referee *r = g_new0(struct referee, 1);

	r->base.ops = &referee_ops;
	r->dev = dev;
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		r->queue[q].taken = g_hash_table_new(NULL, NULL);
	vdev_observe(dev, &r->base);
	return r;
}

const char *referee_end(struct referee *r)
{
	const char *wrong = r ? r->wrong : NULL;

	if (r)
		vdev_unobserve(r->dev, &r->base);
	for (unsigned q = 0; r && q < VDEV_QUEUES_MAX; q++)
		g_hash_table_unref(r->queue[q].taken);
	g_free(r);
	return wrong;
}
