/*
 * Stopping: a reset or a pause waits for what the host has in hand and for nothing else, and
 * meanwhile everybody else is served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "devices/core/state.h"
#include "tests/support/echo.h"
#include "tests/support/rig.h"

static struct rig_req *send_kept(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 1), rig_alloc(r, 1) };

	return rig_submit(r, ECHO_KEEP, bufs, 1, 1);
}

static void start_and_keep(struct rig *r, unsigned n)
{
	rig_start(r, RIG_ALL);
	while (n--)
		(void)send_kept(r);
	rig_wait_idle(r);
}

/*
 * A processor of the guest's own.
 */
struct processor {
	struct rig *r;
	void (*does)(struct rig *r);
	pthread_t thread;
	_Atomic bool done;
};

static void *processor_run(void *arg)
{
	struct processor *p = arg;

	p->does(p->r);
	p->done = true;
	return NULL;
}

static void processor_start(struct processor *p, struct rig *r, void (*does)(struct rig *r))
{
	p->r = r;
	p->does = does;
	p->done = false;
	assert_int_equal(pthread_create(&p->thread, NULL, processor_run, p), 0);
}

/* Of the main loop alone: the driver's side is the processor's. */
static void turn(struct rig *r, int64_t deadline)
{
	assert_true(g_get_monotonic_time() < deadline);
	if (!g_main_context_iteration(loop_context(rig_loop(r)), FALSE))
		g_usleep(50);
}

static void processor_end(struct processor *p)
{
	int64_t deadline = rig_deadline();

	while (!p->done)
		turn(p->r, deadline);
	pthread_join(p->thread, NULL);
}

static void reset(struct rig *r)
{
	rig_set_status(r, 0);
}

static void take_queue_back(struct rig *r)
{
	rig_queue_reset(r, ECHO_KEEP);
}

static void note(void *arg)
{
	*(bool *)arg = true;
}

/* With the main loop acquired, as the program's main thread has it. */
static void waits_and_lets_others_work(struct rig *r, void (*does)(struct rig *r))
{
	struct processor p;
	bool served = false;
	int64_t deadline = rig_deadline();

	g_main_context_acquire(loop_context(rig_loop(r)));
	start_and_keep(r, 3);
	rig_on_owner(r, echo_busy, rig_dev(r));
	processor_start(&p, r, does);
	while (!vdev_is_changing(rig_dev(r)))
		turn(r, deadline);
	for (int i = 0; i < 20; i++)
		turn(r, deadline);
	assert_false(p.done);
	rig_on_owner(r, note, &served); /* its owner has time */
	assert_true(served);
	rig_on_owner(r, echo_idle, rig_dev(r));
	processor_end(&p);
	assert_int_equal(echo_kept(rig_dev(r)), 0);
	g_main_context_release(loop_context(rig_loop(r)));
}

static void a_reset_waits_for_what_the_host_has_in_hand(struct rig *r)
{
	waits_and_lets_others_work(r, reset);
	assert_int_equal(rig_status(r), 0);
	rig_reset(r);
	start_and_keep(r, 1); /* and it works again */
	assert_int_equal(echo_kept(rig_dev(r)), 1);
}

static void so_does_the_reset_of_a_queue(struct rig *r)
{
	waits_and_lets_others_work(r, take_queue_back);
	rig_queue_start(r, ECHO_KEEP, 0);
	(void)send_kept(r);
	rig_wait_idle(r);
	assert_int_equal(echo_kept(rig_dev(r)), 1);
}

/* Whoever waits on the main thread serves its loop: else this would wait for ever where the device
 * is on the main loop, and the operator would where it is not. */
struct later {
	struct rig *r;
	bool served;
};

static void idle_later(void *arg)
{
	struct later *l = arg;

	l->served = true;
	rig_on_owner(l->r, echo_idle, rig_dev(l->r));
}

static void who_waits_on_the_main_thread_serves_its_loop(struct rig *r)
{
	struct later l = { .r = r };

	g_main_context_acquire(loop_context(rig_loop(r)));
	start_and_keep(r, 3);
	rig_on_owner(r, echo_busy, rig_dev(r));
	loop_post(rig_loop(r), idle_later, &l);
	vdev_pause(rig_dev(r));
	assert_true(l.served);
	vdev_resume(rig_dev(r));
	g_main_context_release(loop_context(rig_loop(r)));
}

static void a_pause_keeps_what_was_not_begun(struct rig *r)
{
	struct rig_req *reqs[3];

	rig_start(r, RIG_ALL);
	for (int i = 0; i < 3; i++)
		reqs[i] = send_kept(r);
	rig_wait_idle(r);
	for (int i = 0; i < 3; i++) {
		vdev_pause(rig_dev(r));
		rig_wait_idle(r);
		vdev_resume(rig_dev(r));
	}
	assert_int_equal(echo_kept(rig_dev(r)), 3);
	rig_on_owner(r, echo_release, rig_dev(r));
	for (int i = 0; i < 3; i++)
		rig_wait(r, reqs[i]); /* once: the rig sees to that */
}

static void a_paused_device_serves_nobody_and_goes_on_later(struct rig *r)
{
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	req = send_kept(r);
	rig_wait_idle(r);
	assert_int_equal(echo_kept(rig_dev(r)), 0);
	vdev_resume(rig_dev(r));
	rig_wait_idle(r);
	assert_int_equal(echo_kept(rig_dev(r)), 1);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, req);
}

static void a_paused_device_can_be_reset(struct rig *r)
{
	start_and_keep(r, 3);
	vdev_pause(rig_dev(r));
	rig_reset(r);
	assert_int_equal(echo_kept(rig_dev(r)), 0);
	vdev_resume(rig_dev(r)); /* it has no driver now */
	start_and_keep(r, 2);
	assert_int_equal(echo_kept(rig_dev(r)), 2);
}

static void pauses_and_resumes_may_come_twice(struct rig *r)
{
	start_and_keep(r, 1);
	vdev_pause(rig_dev(r));
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
	vdev_resume(rig_dev(r));
	assert_int_equal(echo_kept(rig_dev(r)), 1);
}

#define ECHO(text, fn)                                                                            \
	{                                                                                         \
		.name = text, .spec = "echo", .class = &echo_class, .run = fn, .links = RIG_WAITS \
	}

static const struct rig_case cases[] = {
	ECHO("a reset waits for what the host has in hand, and lets others work",
	     a_reset_waits_for_what_the_host_has_in_hand),
	ECHO("so does the reset of a queue", so_does_the_reset_of_a_queue),
	ECHO("who waits on the main thread serves its loop",
	     who_waits_on_the_main_thread_serves_its_loop),
	ECHO("a pause keeps what was not begun", a_pause_keeps_what_was_not_begun),
	ECHO("a paused device serves nobody and goes on later",
	     a_paused_device_serves_nobody_and_goes_on_later),
	ECHO("a paused device can be reset", a_paused_device_can_be_reset),
	ECHO("pauses and resumes may come twice", pauses_and_resumes_may_come_twice),
};

int main(void)
{
	return rig_run("stop", cases, G_N_ELEMENTS(cases));
}
