/* What filters of a device can do, over every link: see devices/core/filter.h. */
#include "devices/core/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/core/observe.h"
#include "tests/support/echo.h"
#include "tests/support/rig.h"

static struct rig_req *submit(struct rig *r, unsigned q)
{
	struct rig_buf bufs[] = { rig_dup(r, "0123456789abcdef", 16), rig_alloc(r, 16) };

	return rig_submit(r, q, bufs, 1, 1);
}

/* At the end of a case, whose they are. */
static void leave(struct rig *r)
{
	struct vdev *dev = rig_dev(r);

	rig_reset(r);
	while (dev->filter)
		vdev_unfilter(dev, dev->filter);
	while (dev->observer)
		vdev_unobserve(dev, dev->observer);
}

/* While it stands still: the loop looks at rings for a while after each chain. */
static void come_later(struct rig *r, struct vdev_filter *f)
{
	vdev_pause(rig_dev(r));
	vdev_filter(rig_dev(r), f);
	vdev_resume(rig_dev(r));
}

/* Nothing more comes of itself. */
static bool is_done(struct rig *r, const struct rig_req *req)
{
	rig_wait_idle(r);
	return req->done;
}

/*
 * One that keeps completions until it is told to let them go: the example of docs/observers.md.
 */
struct delay {
	struct vdev_filter base;
	struct vdev *dev;
	unsigned q;
	struct vq_chain *kept[64];
	unsigned n;
};

static enum vdev_verdict delay_push(struct vdev_filter *f, struct vdev *dev, unsigned q,
				    struct vq_chain *c)
{
	struct delay *d = (struct delay *)f;

	if (q != d->q || d->n == G_N_ELEMENTS(d->kept))
		return VDEV_PASS;
	d->dev = dev;
	d->kept[d->n++] = c;
	return VDEV_KEEP;
}

/* On the queue's owner. */
static void delay_over(void *arg)
{
	struct delay *d = arg;

	while (d->n && vdev_let_push(&d->base, d->dev, d->q, d->kept[d->n - 1]))
		d->n--;
	vdev_flush(d->dev, d->q);
}

static void delay_stops(struct vdev_filter *f, struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct delay *d = (struct delay *)f;

	(void)dev;
	if (q == d->q && why == VDEV_STOP_RESET)
		d->n = 0; /* they are void */
}

static const struct vdev_filter_ops delay_ops = { .push = delay_push, .queue_stops = delay_stops };

static void a_completion_can_come_late(struct rig *r)
{
	struct delay d = { .base.ops = &delay_ops, .dev = rig_dev(r), .q = ECHO_COPY };
	struct rig_req *req[3];

	vdev_filter(rig_dev(r), &d.base);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 3; i++)
		req[i] = submit(r, ECHO_COPY);
	for (unsigned i = 0; i < 3; i++)
		assert_false(is_done(r, req[i]));
	assert_int_equal(d.n, 3);
	rig_on_owner(r, delay_over, &d);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_wait(r, req[i]), 16);
	assert_int_equal(d.n, 0);
	vdev_unfilter(rig_dev(r), &d.base);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	leave(r);
}

/* What is kept when the driver resets the device, or one queue, is void; and both go on afterwards.
 */
static void a_reset_takes_what_is_kept(struct rig *r)
{
	struct delay d = { .base.ops = &delay_ops, .dev = rig_dev(r), .q = ECHO_COPY };

	vdev_filter(rig_dev(r), &d.base);
	rig_start(r, RIG_ALL);
	(void)submit(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_int_equal(d.n, 1);
	rig_reset(r);
	assert_int_equal(d.n, 0);
	rig_start(r, RIG_ALL);
	(void)submit(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_int_equal(d.n, 1);
	rig_queue_reset(r, ECHO_COPY);
	assert_int_equal(d.n, 0);
	rig_queue_start(r, ECHO_COPY, 0);
	vdev_unfilter(rig_dev(r), &d.base);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	leave(r);
}

/* While a device is paused nothing may touch its driver's memory. */
static void a_pause_keeps_what_is_kept(struct rig *r)
{
	struct delay d = { .base.ops = &delay_ops, .dev = rig_dev(r), .q = ECHO_COPY };
	struct rig_req *req;

	vdev_filter(rig_dev(r), &d.base);
	rig_start(r, RIG_ALL);
	req = submit(r, ECHO_COPY);
	rig_wait_idle(r);
	vdev_pause(rig_dev(r));
	rig_on_owner(r, delay_over, &d);
	assert_int_equal(d.n, 1);
	assert_false(is_done(r, req));
	vdev_resume(rig_dev(r));
	rig_on_owner(r, delay_over, &d);
	assert_int_equal(rig_wait(r, req), 16);
	leave(r);
}

/*
 * One that does with everything what it is told to, a number of times, and then lets all pass.
 */
struct meddler {
	struct vdev_filter base;
	enum vdev_verdict push, interrupt, config_interrupt, kick;
	unsigned times;
	unsigned n_push, n_interrupt, n_config_interrupt, n_kick; /* that it was asked for */
	size_t written;                                           /* each chain; 0: as it is */
	uint8_t mask; /* of bytes of the configuration space that are turned over */
};

static enum vdev_verdict decide(struct meddler *m, enum vdev_verdict verdict)
{
	if (verdict == VDEV_PASS || !m->times)
		return VDEV_PASS;
	m->times--;
	return verdict;
}

static enum vdev_verdict meddler_push(struct vdev_filter *f, struct vdev *dev, unsigned q,
				      struct vq_chain *c)
{
	struct meddler *m = (struct meddler *)f;

	(void)dev, (void)q;
	m->n_push++;
	if (m->written)
		c->written = m->written;
	return decide(m, m->push);
}

static enum vdev_verdict meddler_interrupt(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	struct meddler *m = (struct meddler *)f;

	(void)dev, (void)q;
	m->n_interrupt++;
	return decide(m, m->interrupt);
}

static enum vdev_verdict meddler_config_interrupt(struct vdev_filter *f, struct vdev *dev)
{
	struct meddler *m = (struct meddler *)f;

	(void)dev;
	m->n_config_interrupt++;
	return decide(m, m->config_interrupt);
}

static enum vdev_verdict meddler_kick(struct vdev_filter *f, struct vdev *dev, unsigned q)
{
	struct meddler *m = (struct meddler *)f;

	(void)dev, (void)q;
	m->n_kick++;
	return decide(m, m->kick);
}

static void meddler_config_read(struct vdev_filter *f, struct vdev *dev, size_t off, uint8_t *bytes,
				size_t len)
{
	const struct meddler *m = (struct meddler *)f;

	(void)dev;
	for (size_t i = 0; i < len; i++)
		if (off + i == ECHO_WRITABLE)
			bytes[i] ^= m->mask;
}

static const struct vdev_filter_ops meddler_ops = { .push = meddler_push,
						    .interrupt = meddler_interrupt,
						    .config_interrupt = meddler_config_interrupt,
						    .kick = meddler_kick,
						    .config_read = meddler_config_read };

/* For the owner: let one thing of queue ECHO_COPY pass. */
struct pass {
	struct vdev_filter *f;
	struct vdev *dev;
	bool (*let)(struct vdev_filter *f, struct vdev *dev, unsigned q);
	bool answer;
};

static void let_pass(void *arg)
{
	struct pass *p = arg;

	p->answer = p->let(p->f, p->dev, ECHO_COPY);
}

static bool let_on_owner(struct rig *r, struct vdev_filter *f,
			 bool (*let)(struct vdev_filter *f, struct vdev *dev, unsigned q))
{
	struct pass p = { f, rig_dev(r), let, false };

	rig_on_owner(r, let_pass, &p);
	return p.answer;
}

static void an_interrupt_can_be_kept(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .interrupt = VDEV_KEEP, .times = 1 };
	struct rig_req *req;

	vdev_filter(rig_dev(r), &m.base);
	rig_start(r, RIG_ALL);
	req = submit(r, ECHO_COPY);
	assert_false(is_done(r, req)); /* it is, and the driver does not hear of it */
	assert_int_equal(m.n_interrupt, 1);
	vdev_pause(rig_dev(r));
	assert_false(let_on_owner(r, &m.base, vdev_let_interrupt));
	vdev_resume(rig_dev(r));
	assert_true(let_on_owner(r, &m.base, vdev_let_interrupt));
	assert_int_equal(rig_wait(r, req), 16);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	leave(r);
}

/* Observers see what there is in the end. */
struct counter {
	struct vdev_observer base;
	unsigned interrupts, pushes;
};

static void counter_interrupt(struct vdev_observer *o, struct vdev *dev, unsigned q, bool sent)
{
	(void)dev, (void)q;
	((struct counter *)o)->interrupts += sent;
}

static void counter_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c, uint32_t len)
{
	(void)dev, (void)q, (void)c, (void)len;
	((struct counter *)o)->pushes++;
}

static const struct vdev_observer_ops counter_ops = { .interrupt = counter_interrupt,
						      .pushed = counter_pushed };

static void an_interrupt_can_come_twice(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .interrupt = VDEV_TWICE, .times = 1 };
	struct counter counter = { .base.ops = &counter_ops };

	vdev_filter(rig_dev(r), &m.base);
	vdev_observe(rig_dev(r), &counter.base);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	rig_wait_idle(r);
	assert_int_equal(counter.interrupts, 2);
	assert_int_equal(counter.pushes, 1);
	leave(r);
}

static void a_kick_can_be_kept(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .kick = VDEV_KEEP, .times = 1 };
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	come_later(r, &m.base);
	req = submit(r, ECHO_COPY);
	assert_false(is_done(r, req));
	assert_int_equal(m.n_kick, 1);
	assert_int_equal(m.n_push, 0);
	assert_true(let_on_owner(r, &m.base, vdev_let_kick));
	assert_int_equal(rig_wait(r, req), 16);
	leave(r);
}

static void a_kick_can_come_twice(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .kick = VDEV_TWICE, .times = 1 };

	rig_start(r, RIG_ALL);
	come_later(r, &m.base);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	assert_int_equal(m.n_kick, 1);
	assert_int_equal(m.n_push, 1);
	leave(r);
}

static void again(void *dev)
{
	vdev_again(dev, ECHO_COPY);
}

/* Or a device would stand still by its own fault. */
static void the_devices_own_kicks_pass(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .kick = VDEV_KEEP, .times = UINT_MAX };
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	come_later(r, &m.base);
	req = submit(r, ECHO_COPY);
	assert_false(is_done(r, req));
	rig_on_owner(r, again, rig_dev(r));
	assert_int_equal(rig_wait(r, req), 16);
	assert_int_equal(m.n_kick, 1);
	leave(r);
}

/* The driver finds one buffer used two times, whichever way it looks. */
static void a_completion_can_come_twice(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .push = VDEV_TWICE, .times = 1 };
	struct counter counter = { .base.ops = &counter_ops };
	struct rig_req *req;
	struct drv_vq *vq;
	void *cookie;
	uint32_t len;

	vdev_filter(rig_dev(r), &m.base);
	vdev_observe(rig_dev(r), &counter.base);
	rig_start(r, rig_all_but(VIRTIO_F_NOTIFY_ON_EMPTY));
	vq = rig_vq(r, ECHO_COPY);
	drv_disable_notify(vq); /* the rig does not look by itself */
	req = submit(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_int_equal(counter.pushes, 2);
	assert_true(drv_used(vq, &cookie, &len));
	assert_ptr_equal(cookie, req);
	assert_false(drv_used(vq, &cookie, &len));
	assert_non_null(vq->broken);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16);
	leave(r);
}

static void a_length_can_be_changed(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .written = 5 };

	vdev_filter(rig_dev(r), &m.base);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 5);
	m.written = 100;
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 16); /* there was no more room */
	leave(r);
}

static void configuration_can_read_otherwise(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .mask = 0x81 };
	uint8_t byte = 1;

	vdev_filter(rig_dev(r), &m.base);
	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, &byte, 1);
	assert_int_equal(rig_config8(r, ECHO_WRITABLE), 2 ^ 0x81);
	assert_int_equal(rig_config8(r, ECHO_WRITABLE + 1), 0);
	assert_int_equal(rig_dev(r)->config[ECHO_WRITABLE], 2);
	leave(r);
}

/* The driver can read what it was not told of. */
static void a_config_interrupt_can_be_kept(struct rig *r)
{
	struct meddler m = { .base.ops = &meddler_ops, .config_interrupt = VDEV_KEEP, .times = 1 };

	vdev_filter(rig_dev(r), &m.base);
	rig_start(r, RIG_ALL);
	echo_set_pair(rig_dev(r), 77, true);
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), 0);
	assert_int_equal(rig_config32(r, ECHO_PAIR), 77);
	vdev_let_config_interrupt(&m.base, rig_dev(r));
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), 1);
	assert_int_equal(m.n_config_interrupt, 1);
	rig_reset(r);
	vdev_let_config_interrupt(&m.base, rig_dev(r)); /* no driver is there to hear it */
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), 1);
	leave(r);
}

/* The first is asked first; what it keeps goes on with the second. */
static void several_stand_in_a_row(struct rig *r)
{
	struct delay first = { .base.ops = &delay_ops, .dev = rig_dev(r), .q = ECHO_COPY };
	struct meddler second = { .base.ops = &meddler_ops, .written = 5 };
	struct rig_req *req;

	vdev_filter(rig_dev(r), &first.base);
	vdev_filter(rig_dev(r), &second.base);
	rig_start(r, RIG_ALL);
	req = submit(r, ECHO_COPY);
	assert_false(is_done(r, req));
	assert_int_equal(second.n_push, 0);
	rig_on_owner(r, delay_over, &first);
	assert_int_equal(rig_wait(r, req), 5);
	assert_int_equal(second.n_push, 1);
	vdev_pause(rig_dev(r));
	vdev_unfilter(rig_dev(r), &first.base);
	vdev_resume(rig_dev(r));
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 5);
	assert_int_equal(first.n, 0);
	leave(r);
}

#define CASE(fn)                                                             \
	{                                                                    \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn \
	}

static const struct rig_case cases[] = {
	CASE(a_completion_can_come_late),
	CASE(a_reset_takes_what_is_kept),
	CASE(a_pause_keeps_what_is_kept),
	CASE(a_completion_can_come_twice),
	CASE(a_length_can_be_changed),
	CASE(an_interrupt_can_be_kept),
	CASE(an_interrupt_can_come_twice),
	CASE(a_kick_can_be_kept),
	CASE(a_kick_can_come_twice),
	CASE(the_devices_own_kicks_pass),
	CASE(configuration_can_read_otherwise),
	CASE(a_config_interrupt_can_be_kept),
	CASE(several_stand_in_a_row),
};

int main(void)
{
	return rig_run("filters", cases, G_N_ELEMENTS(cases));
}
