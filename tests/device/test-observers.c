/* What observers of a device are told, over every link: see devices/core/observe.h. */
#include "devices/core/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/referee.h"
#include "tests/support/rig.h"

/*
 * One that counts: the example of docs/observers.md.
 */
struct counter {
	struct vdev_observer base;
	uint64_t requests, bytes;
};

static void counter_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c, uint32_t len)
{
	struct counter *counter = (struct counter *)o;

	(void)dev, (void)q, (void)c;
	counter->requests++;
	counter->bytes += len;
}

static const struct vdev_observer_ops counter_ops = { .pushed = counter_pushed };

static void request(struct rig *r, unsigned q)
{
	struct rig_buf bufs[] = { rig_dup(r, "0123456789abcdef", 16), rig_alloc(r, 16) };

	assert_int_equal(rig_do(r, q, bufs, 1, 1), 16);
	assert_memory_equal(bufs[1].p, "0123456789abcdef", 16);
}

static void requests_are_counted(struct rig *r)
{
	struct counter counter = { .base.ops = &counter_ops };

	vdev_observe(rig_dev(r), &counter.base);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 3; i++)
		request(r, ECHO_COPY);
	rig_reset(r);
	vdev_unobserve(rig_dev(r), &counter.base);
	assert_int_equal(counter.requests, 3);
	assert_int_equal(counter.bytes, 48);
}

/*
 * One that writes all down, a word an event.
 */
struct diary {
	struct vdev_observer base;
	pthread_mutex_t lock;
	GString *text;
	unsigned reads, writes, config_reads;
};

static void G_GNUC_PRINTF(2, 3) note(struct vdev_observer *o, const char *fmt, ...)
{
	struct diary *d = (struct diary *)o;
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&d->lock);
	g_string_append_vprintf(d->text, fmt, ap);
	g_string_append_c(d->text, ' ');
	pthread_mutex_unlock(&d->lock);
	va_end(ap);
}

static void diary_access(struct vdev_observer *o, struct vdev *dev, const struct vdev_access *a)
{
	struct diary *d = (struct diary *)o;

	(void)dev;
	pthread_mutex_lock(&d->lock);
	*(a->write ? &d->writes : &d->reads) += 1;
	pthread_mutex_unlock(&d->lock);
	assert_true(a->len && a->len <= 8);
}

static void diary_status(struct vdev_observer *o, struct vdev *dev, uint32_t before, uint32_t after)
{
	(void)dev;
	note(o, "status-%x-%x", before, after);
}

static void diary_config(struct vdev_observer *o, struct vdev *dev, size_t off, const void *bytes,
			 size_t len, bool write)
{
	struct diary *d = (struct diary *)o;

	(void)dev;
	if (write) {
		note(o, "config-write-%zu+%zu-%02x", off, len, *(const uint8_t *)bytes);
		return;
	}
	pthread_mutex_lock(&d->lock);
	d->config_reads++;
	pthread_mutex_unlock(&d->lock);
}

static void diary_rule(struct vdev_observer *o, struct vdev *dev, enum vdev_rule rule,
		       const char *where)
{
	(void)dev, (void)where;
	note(o, "rule-%s", vdev_rule_name(rule));
}

static void diary_config_interrupt(struct vdev_observer *o, struct vdev *dev)
{
	(void)dev;
	note(o, "config-interrupt");
}

static void diary_started(struct vdev_observer *o, struct vdev *dev, unsigned q)
{
	(void)dev;
	note(o, "start%u", q);
}

static void diary_stopped(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vdev_stop why)
{
	(void)dev;
	note(o, "%s%u", why == VDEV_STOP_PAUSE ? "pause" : "stop", q);
}

static void diary_kicked(struct vdev_observer *o, struct vdev *dev, unsigned q, uint64_t n)
{
	(void)dev;
	note(o, "kick%u*%u", q, (unsigned)n);
}

static void diary_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			 const struct vq_chain *c)
{
	(void)dev;
	note(o, "pop%u(%zu,%zu)", q, c->rd.left, c->wr.left);
}

static void diary_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			 const struct vq_chain *c, uint32_t len)
{
	(void)dev, (void)c;
	note(o, "push%u(%u)", q, len);
}

static void diary_interrupt(struct vdev_observer *o, struct vdev *dev, unsigned q, bool sent)
{
	(void)dev;
	note(o, "%s%u", sent ? "interrupt" : "no-interrupt", q);
}

static void diary_fault(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vq_fault fault,
			uint16_t head)
{
	(void)dev, (void)head;
	note(o, "fault%u-%s", q, vq_fault_name(fault));
}

static const struct vdev_observer_ops diary_ops = {
	.access = diary_access,
	.status = diary_status,
	.config = diary_config,
	.rule = diary_rule,
	.config_interrupt = diary_config_interrupt,
	.queue_started = diary_started,
	.queue_stopped = diary_stopped,
	.kicked = diary_kicked,
	.popped = diary_popped,
	.pushed = diary_pushed,
	.interrupt = diary_interrupt,
	.fault = diary_fault,
};

static void diary_open(struct diary *d, struct rig *r)
{
	*d = (struct diary){ .base.ops = &diary_ops, .text = g_string_new(NULL) };
	pthread_mutex_init(&d->lock, NULL);
	vdev_pause(rig_dev(r)); /* its loop looks at rings for a while after each chain */
	vdev_observe(rig_dev(r), &d->base);
	vdev_resume(rig_dev(r));
	pthread_mutex_lock(&d->lock);
	g_string_truncate(d->text, 0);
	pthread_mutex_unlock(&d->lock);
}

static void diary_close(struct diary *d, struct rig *r)
{
	vdev_pause(rig_dev(r));
	vdev_unobserve(rig_dev(r), &d->base);
	vdev_resume(rig_dev(r));
	g_string_free(d->text, TRUE);
	pthread_mutex_destroy(&d->lock);
}

/* What was written down since the last time must be @want. */
static void diary_says(struct diary *d, struct rig *r, const char *want)
{
	rig_wait_idle(r);
	pthread_mutex_lock(&d->lock);
	g_strchomp(d->text->str);
	assert_string_equal(d->text->str, want);
	g_string_truncate(d->text, 0);
	pthread_mutex_unlock(&d->lock);
}

static void a_life_is_told(struct rig *r)
{
	struct diary d;

	diary_open(&d, r);
	rig_start(r, RIG_ALL);
	diary_says(&d, r,
		   "status-0-0 status-0-1 status-1-3 status-3-b start0 start1 "
		   "start2 status-b-f");
	request(r, ECHO_COPY);
	diary_says(&d, r, "kick0*1 pop0(16,16) push0(16) interrupt0");
	vdev_pause(rig_dev(r));
	diary_says(&d, r, "pause0 pause1 pause2");
	vdev_resume(rig_dev(r));
	diary_says(&d, r, "start0 start1 start2");
	request(r, ECHO_COPY);
	diary_says(&d, r, "kick0*1 pop0(16,16) push0(16) interrupt0");
	rig_reset(r);
	diary_says(&d, r, "stop0 stop1 stop2 status-f-0");
	assert_int_equal(d.reads > 0 && d.writes > 0,
			 !g_str_has_prefix(rig_link_name(r), "direct"));
	diary_close(&d, r);
}

/* A driver that takes back what is used by itself wants none. */
static void an_interrupt_that_nobody_wants_is_none(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct rig_req *req;
	struct diary d;

	rig_start(r, RIG_ALL);
	diary_open(&d, r);
	drv_disable_notify(rig_vq(r, ECHO_COPY));
	req = rig_submit(r, ECHO_COPY, bufs, 1, 1);
	diary_says(&d, r, "kick0*1 pop0(4,4) push0(4) no-interrupt0");
	assert_false(req->done);
	diary_close(&d, r);
}

static void configuration_is_told(struct rig *r)
{
	uint8_t byte = 7;
	struct diary d;

	rig_start(r, RIG_ALL);
	diary_open(&d, r);
	rig_config_write(r, ECHO_WRITABLE, &byte, 1);
	diary_says(&d, r, "config-write-8+1-07");
	assert_int_equal(rig_config8(r, ECHO_WRITABLE), 8);
	assert_true(d.config_reads > 0);
	echo_set_pair(rig_dev(r), 3, true);
	diary_says(&d, r, "config-interrupt");
	echo_set_pair(rig_dev(r), 4, false);
	diary_says(&d, r, "");
	diary_close(&d, r);
}

static void what_the_driver_breaks_is_told(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	struct diary d;

	rig_start(r, RIG_ALL);
	diary_open(&d, r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	diary_says(&d, r, "rule-status-cleared");
	(void)rig_add(r, ECHO_COPY, &buf, 1, 0);
	rig_spoil_address(r, ECHO_COPY, 1ull << 40);
	rig_publish(r, ECHO_COPY);
	diary_says(&d, r, "kick0*1 fault0-address status-f-4f config-interrupt");
	diary_close(&d, r);
}

static void again(void *dev)
{
	vdev_again(dev, ECHO_COPY);
}

/* A turn that a device gives itself is no kick of the driver's. */
static void the_devices_own_kicks_are_not_told(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct diary d;

	rig_start(r, RIG_ALL);
	diary_open(&d, r);
	rig_on_owner(r, again, rig_dev(r));
	diary_says(&d, r, "");
	(void)rig_add(r, ECHO_COPY, bufs, 1, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	rig_on_owner(r, again, rig_dev(r));
	diary_says(&d, r, "pop0(4,4) push0(4) interrupt0");
	diary_close(&d, r);
}

/* Each sees it all, and the last to go sees it longest. */
static void several_can_look(struct rig *r)
{
	struct counter counter[3] = { { .base.ops = &counter_ops },
				      { .base.ops = &counter_ops },
				      { .base.ops = &counter_ops } };

	for (unsigned i = 0; i < 3; i++)
		vdev_observe(rig_dev(r), &counter[i].base);
	rig_start(r, RIG_ALL);
	request(r, ECHO_COPY);
	vdev_pause(rig_dev(r));
	vdev_unobserve(rig_dev(r), &counter[1].base);
	vdev_resume(rig_dev(r));
	request(r, ECHO_COPY);
	vdev_pause(rig_dev(r));
	vdev_unobserve(rig_dev(r), &counter[0].base);
	vdev_unobserve(rig_dev(r), &counter[2].base);
	vdev_resume(rig_dev(r));
	request(r, ECHO_COPY);
	assert_int_equal(counter[0].requests, 2);
	assert_int_equal(counter[1].requests, 1);
	assert_int_equal(counter[2].requests, 2);
}

/* The rig's own, which has nothing to say otherwise: told what does not happen, it finds each. */
static void a_referee_sees_what_is_wrong(struct rig *r)
{
	struct vdev *dev = rig_dev(r);
	struct referee *referee = referee_new(dev);

	rig_start(r, RIG_ALL);
	request(r, ECHO_COPY);
	vdev_pause(dev);
	assert_null(referee_end(referee));
	referee = referee_new(dev);
	vdev_tell_kicked(dev, ECHO_COPY, 1);
	assert_string_equal(referee_end(referee), "a kick reaches a queue that is not served");
	referee = referee_new(dev);
	vdev_tell_interrupt(dev, ECHO_COPY, true);
	assert_string_equal(referee_end(referee), "the driver is told of nothing");
	referee = referee_new(dev);
	vdev_tell_started(dev, ECHO_COPY);
	vdev_tell_started(dev, ECHO_COPY);
	assert_string_equal(referee_end(referee), "a queue that is served is started");
	vdev_resume(dev);
}

#define CASE(fn)                                                             \
	{                                                                    \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn \
	}

#define MODERN(fn)                                                                                \
	{                                                                                         \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn, .links = RIG_MODERN \
	}

static const struct rig_case cases[] = {
	CASE(requests_are_counted),
	MODERN(a_life_is_told),
	MODERN(an_interrupt_that_nobody_wants_is_none), /* others may have NOTIFY_ON_EMPTY */
	CASE(configuration_is_told),
	MODERN(what_the_driver_breaks_is_told),
	CASE(the_devices_own_kicks_are_not_told),
	CASE(several_can_look),
	{ .name = "a_referee_sees_what_is_wrong",
	  .spec = "echo",
	  .class = &echo_class,
	  .run = a_referee_sees_what_is_wrong,
	  .direct_only = true },
};

int main(void)
{
	return rig_run("observers", cases, G_N_ELEMENTS(cases));
}
