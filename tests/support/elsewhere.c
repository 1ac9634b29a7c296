#include "tests/support/elsewhere.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "devices/base/eventfd.h"

#define BATCH 8u

/* What the thread is told, */
enum what { GO, CALL, STOP, LOOK, LEAVE };

struct order {
	enum what what;
	int kick_fd, call_fd;   /* GO; CALL: the latter */
	const struct gmem *mem; /* GO, and the next, too: */
	struct vq_config ring;
};

/* and what it says. */
struct answer {
	enum vq_fault fault; /* VQ_OK: it has stopped */
	bool started;        /* it had been started, and is at */
	struct vq_position position;
	int head; /* of a broken chain; -1: of none */
};

struct elsewhere {
	pthread_t thread;
	int orders[2], answers[2]; /* pipes; each message is one write */
	int acks[2];               /* a byte for each CALL */
	_Atomic unsigned completed, in_hand;
	_Atomic bool runs, busy;

	/* The queue owner's. */
	struct vdev *dev;
	unsigned q;
	bool started;
	GSource *watch; /* of answers */
};

/*
 * The thread. It sees orders, and nothing of struct vdev.
 */
struct worker {
	struct elsewhere *e; /* its pipes and counters */
	struct vq *vq;
	int kick_fd, call_fd;
	bool pending; /* there may be chains */
	bool stopping;
	struct vq_chain *held[BATCH]; /* begun while its host was busy */
	unsigned n_held;
};

static void elsewhere_answer(struct worker *w, struct answer a)
{
	g_assert(write(w->e->answers[1], &a, sizeof(a)) == sizeof(a));
}

static void elsewhere_copy(struct vq_chain *c)
{
	uint8_t bytes[256];
	size_t n;

	while ((n = vq_pull_some(c, bytes, sizeof(bytes))) > 0)
		if (vq_put_some(c, bytes, n) < n)
			break;
}

static void elsewhere_complete(struct worker *w)
{
	while (w->n_held) {
		struct vq_chain *c = w->held[--w->n_held];

		elsewhere_copy(c);
		vq_push(w->vq, c);
		w->e->in_hand--;
		w->e->completed++;
	}
	if (vq_publish(w->vq))
		eventfd_signal(w->call_fd);
}

/* One batch. False: the ring is empty, or broken. */
static bool elsewhere_look(struct worker *w)
{
	int n;

	vq_disable_notify(w->vq);
	n = vq_pop(w->vq, w->held, BATCH);
	if (n < 0)
		elsewhere_answer(w, (struct answer){ .fault = vq_fault(w->vq),
						     .head = vq_fault_head(w->vq) });
	if (n <= 0)
		return n == 0 && !vq_enable_notify(w->vq);
	w->e->in_hand = w->n_held = (unsigned)n;
	if (!w->e->busy)
		elsewhere_complete(w);
	return true;
}

static void elsewhere_go(struct worker *w, const struct order *o)
{
	enum vq_fault fault = vq_start(w->vq, o->mem, &o->ring);

	if (fault != VQ_OK) {
		elsewhere_answer(w, (struct answer){ .fault = fault, .head = -1 });
		return;
	}
	w->kick_fd = o->kick_fd;
	w->call_fd = o->call_fd;
	w->e->runs = true;
}

static void stop_if_idle(struct worker *w)
{
	struct answer a = { .fault = VQ_OK };

	if (!w->stopping || w->n_held)
		return;
	w->stopping = false;
	w->pending = false;
	w->kick_fd = -1;
	a.started = vq_started(w->vq);
	a.position = vq_stop(w->vq);
	w->e->runs = false;
	elsewhere_answer(w, a);
}

static enum what elsewhere_obey(struct worker *w)
{
	struct order o;

	g_assert(read(w->e->orders[0], &o, sizeof(o)) == sizeof(o));
	if (o.what == GO) {
		elsewhere_go(w, &o);
	} else if (o.what == CALL) {
		w->call_fd = o.call_fd;
		g_assert(write(w->e->acks[1], "", 1) == 1);
	} else if (o.what == STOP) {
		w->stopping = true;
	}
	if (w->n_held && !w->e->busy)
		elsewhere_complete(w);
	stop_if_idle(w);
	return o.what;
}

/* Orders first: so none waits for more than a batch. */
static void *elsewhere_work(void *arg)
{
	struct worker w = { .e = arg, .vq = vq_new(), .kick_fd = -1 };
	enum what last = LOOK;

	while (last != LEAVE) {
		struct pollfd p[] = { { .fd = w.e->orders[0], .events = POLLIN },
				      { .fd = w.kick_fd, .events = POLLIN } };
		bool may_look = !w.stopping && !w.n_held;
		uint64_t count;

		(void)poll(p, may_look ? 2 : 1, may_look && w.pending ? 0 : -1);
		if (p[0].revents) {
			last = elsewhere_obey(&w);
			continue;
		}
		if (may_look && p[1].revents && read(w.kick_fd, &count, sizeof(count)) > 0)
			w.pending = true;
		if (may_look && w.pending)
			w.pending = elsewhere_look(&w);
	}
	vq_free(w.vq);
	return NULL;
}

/*
 * The engine, on the thread of the queue's owner.
 */
static struct elsewhere *elsewhere_of(struct vdev *dev, unsigned q)
{
	return dev->queue[q].engine_data;
}

static void elsewhere_order(struct elsewhere *e, struct order o)
{
	g_assert(write(e->orders[1], &o, sizeof(o)) == sizeof(o));
}

static void elsewhere_answered(void *arg, GIOCondition revents)
{
	struct elsewhere *e = arg;
	struct answer a;

	(void)revents;
	g_assert(read(e->answers[0], &a, sizeof(a)) == sizeof(a));
	if (a.fault != VQ_OK) {
		vdev_queue_broken(e->dev, e->q, a.head, a.fault);
		return;
	}
	loop_unwatch(g_steal_pointer(&e->watch));
	e->started = false;
	vdev_engine_stopped(e->dev, e->q, a.started ? &a.position : NULL);
}

static void elsewhere_start(struct vdev *dev, unsigned q)
{
	struct elsewhere *e = elsewhere_of(dev, q);
	struct order o = { .what = GO,
			   .kick_fd = dev->queue[q].kick_fd,
			   .call_fd = vdev_queue_call_fd(dev, q),
			   .mem = dev->mem };
	enum vq_fault fault = vdev_queue_ring(dev, q, &o.ring);

	e->dev = dev;
	e->q = q;
	if (fault != VQ_OK) {
		vdev_queue_broken(dev, q, -1, fault);
		return;
	}
	e->started = true;
	e->watch = loop_watch(dev->queue[q].loop, e->answers[0], G_IO_IN, elsewhere_answered, e);
	elsewhere_order(e, o);
}

static void elsewhere_first_kick(struct vdev *dev, unsigned q)
{
	eventfd_signal(dev->queue[q].kick_fd);
}

static void elsewhere_call_changed(struct vdev *dev, unsigned q)
{
	struct elsewhere *e = elsewhere_of(dev, q);
	char ack;

	elsewhere_order(e, (struct order){ .what = CALL, .call_fd = vdev_queue_call_fd(dev, q) });
	g_assert(read(e->acks[0], &ack, 1) == 1);
}

static void elsewhere_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct elsewhere *e = elsewhere_of(dev, q);

	(void)why; /* a pause and a reset are the same here: nothing is kept but the position */
	if (e->started)
		elsewhere_order(e, (struct order){ .what = STOP });
	else
		vdev_engine_stopped(dev, q, NULL);
}

const struct vdev_engine elsewhere_engine = {
	.name = "elsewhere",
	.start = elsewhere_start,
	.first_kick = elsewhere_first_kick,
	.call_changed = elsewhere_call_changed,
	.stop = elsewhere_stop,
};

/*
 * Life.
 */
struct elsewhere *elsewhere_new(void)
{
	struct elsewhere *e = g_new0(struct elsewhere, 1);

	g_assert(pipe(e->orders) == 0 && pipe(e->answers) == 0 && pipe(e->acks) == 0);
	g_assert(pthread_create(&e->thread, NULL, elsewhere_work, e) == 0);
	return e;
}

void elsewhere_free(struct elsewhere *e)
{
	elsewhere_order(e, (struct order){ .what = LEAVE });
	pthread_join(e->thread, NULL);
	for (unsigned i = 0; i < 2; i++) {
		close(e->orders[i]);
		close(e->answers[i]);
		close(e->acks[i]);
	}
	g_free(e);
}

unsigned elsewhere_completed(const struct elsewhere *e)
{
	return e->completed;
}

unsigned elsewhere_in_hand(const struct elsewhere *e)
{
	return e->in_hand;
}

bool elsewhere_runs(const struct elsewhere *e)
{
	return e->runs;
}

void elsewhere_busy(struct elsewhere *e, bool busy)
{
	e->busy = busy;
	elsewhere_order(e, (struct order){ .what = LOOK });
}
