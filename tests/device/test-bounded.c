/*
 * What a driver can ask for without end has an end: the time one device takes from others on its
 * loop, the lines in the log. (Sizes of requests are each device's own tests' subject.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/rig.h"

#define QUEUE   512u
#define WORK_US 50        /* for each chain */
#define LINES   (2 * 11u) /* of one device, should the test run into a second window of time */
#define MILLION 1000000u

/*
 * A device with a queue full of work.
 */
static void work(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	gint64 end = g_get_monotonic_time() + WORK_US;

	(void)dev;
	(void)q;
	while (g_get_monotonic_time() < end)
		;
	vq_push(c->vq, c);
}

static void slow_kick(struct vdev *dev, unsigned q)
{
	vdev_drain(dev, q, work);
}

static const struct vdev_class slow_class = {
	.name = "slow",
	.summary = "for tests",
	.id = 63,
	.pci_class = 0xff0000,
	.size = sizeof(struct vdev),
	.queue_size = QUEUE,
	.n_queues = 2,
	.kick = slow_kick,
};

static void answer(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	(void)dev;
	(void)q;
	vq_push(c->vq, c);
}

static void quick_kick(struct vdev *dev, unsigned q)
{
	vdev_drain(dev, q, answer);
}

static const struct vdev_class quick_class = {
	.name = "quick",
	.summary = "for tests",
	.id = 63,
	.pci_class = 0xff0000,
	.size = sizeof(struct vdev),
	.queue_size = 4,
	.n_queues = 2,
	.kick = quick_kick,
};

/* Somebody else on the loop, always ready. */
static void count_turn(void *arg, GIOCondition revents)
{
	(void)revents;
	++*(unsigned *)arg;
}

static void a_full_ring_of_work_leaves_turns_to_others(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 1);
	int fd = eventfd(1, EFD_CLOEXEC);
	struct rig_req *last = NULL;
	unsigned turns = 0;
	GSource *watch;

	rig_start(r, RIG_NONE);
	for (unsigned i = 0; i < QUEUE; i++)
		last = rig_add(r, 0, &b, 1, 0);
	watch = loop_watch(rig_loop(r), fd, G_IO_IN, count_turn, &turns);
	rig_publish(r, 0);
	rig_wait(r, last);
	loop_unwatch(watch);
	close(fd);
	assert_true(turns >= 10);
}

/* And to its own other queue: a request there is served before all the work is done. */
static void a_full_ring_of_work_leaves_turns_to_the_next_queue(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 1);
	struct rig_req *last = NULL, *other;

	rig_start(r, RIG_NONE);
	for (unsigned i = 0; i < QUEUE; i++)
		last = rig_add(r, 0, &b, 1, 0);
	rig_publish(r, 0);
	other = rig_submit(r, 1, &b, 1, 0);
	rig_wait(r, other);
	assert_false(last->done);
	rig_wait(r, last);
}

/*
 * A storm of kicks, as fast as a processor can make them, on a queue with nothing in it.
 */
struct storm {
	struct vdev *dev;
	_Atomic bool over;
	_Atomic unsigned kicks;
};

static void *storm(void *arg)
{
	struct storm *s = arg;

	while (!s->over) {
		vdev_notify(s->dev, 0);
		s->kicks++;
	}
	return NULL;
}

static void requests_are_served_in_a_storm_of_kicks(struct rig *r)
{
	struct storm s = { .dev = rig_dev(r) };
	struct rig_buf b = rig_alloc(r, 1);
	pthread_t thread;

	rig_start(r, RIG_ALL);
	assert_int_equal(pthread_create(&thread, NULL, storm, &s), 0);
	for (unsigned i = 0; i < 200 || s.kicks < 1000; i++)
		rig_do(r, 1, &b, 1, 0);
	s.over = true;
	pthread_join(thread, NULL);
}

static void a_reset_ends_in_a_storm_of_kicks(struct rig *r)
{
	struct storm s = { .dev = rig_dev(r) };
	struct rig_buf b = rig_alloc(r, 1);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, storm, &s), 0);
	for (unsigned i = 0; i < 20; i++) {
		rig_start(r, RIG_ALL);
		rig_do(r, 1, &b, 1, 0);
		rig_reset(r);
	}
	s.over = true;
	pthread_join(thread, NULL);
}

/*
 * The log.
 */
static void a_million_broken_rules_are_a_few_lines(struct rig *r)
{
	unsigned lines;

	for (unsigned i = 0; i < MILLION; i++)
		vdev_guest_bug(rig_dev(r), "rule %u", i);
	for (unsigned i = 0; i < MILLION; i++)
		vdev_host_error(rig_dev(r), "error %u", i);
	lines = rig_logged(r, "guest bug") + rig_logged(r, "host:") +
		rig_logged(r, "more messages");
	assert_in_range(lines, 11, LINES);
}

static void a_ring_broken_again_and_again_is_a_few_lines(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 1);

	for (unsigned i = 0; i < 100; i++) {
		rig_start(r, RIG_NONE);
		rig_add(r, 0, &b, 1, 0);
		rig_spoil_address(r, 0, UINT64_MAX);
		rig_publish(r, 0);
		rig_wait_idle(r);
		rig_reset(r);
	}
	assert_in_range(rig_logged(r, "guest bug") + rig_logged(r, "more messages"), 2, LINES);
}

static const struct rig_case cases[] = {
	{ "a full ring of work leaves turns to others", "slow",
	  a_full_ring_of_work_leaves_turns_to_others, .class = &slow_class },
	{ "a full ring of work leaves turns to the next queue", "slow",
	  a_full_ring_of_work_leaves_turns_to_the_next_queue, .class = &slow_class },
	{ "requests are served in a storm of kicks", "quick",
	  requests_are_served_in_a_storm_of_kicks, .class = &quick_class },
	{ "a reset ends in a storm of kicks", "quick", a_reset_ends_in_a_storm_of_kicks,
	  .class = &quick_class },
	{ "a million broken rules are a few lines", "quick", a_million_broken_rules_are_a_few_lines,
	  .class = &quick_class, .direct_only = true },
	{ "a ring broken again and again is a few lines", "quick",
	  a_ring_broken_again_and_again_is_a_few_lines, .class = &quick_class,
	  .direct_only = true },
};

int main(void)
{
	return rig_run("bounded", cases, G_N_ELEMENTS(cases));
}
