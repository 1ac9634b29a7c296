/* Loops: whose thread runs what, and that a caller waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "devices/base/loop.h"

struct visit {
	pthread_t thread;
	int count;
};

static void note_thread(void *arg)
{
	struct visit *v = arg;

	v->thread = pthread_self();
	v->count++;
}

static void a_call_runs_on_the_loops_thread_and_is_waited_for(void **state)
{
	struct loop *loop = loop_new("test");
	struct visit v = { 0 };

	(void)state;
	loop_start(loop, NULL, NULL);
	for (int i = 1; i <= 1000; i++) {
		loop_call(loop, note_thread, &v);
		assert_int_equal(v.count, i);
	}
	assert_false(pthread_equal(v.thread, pthread_self()));
	loop_free(loop);
}

static void a_call_to_a_loop_nobody_runs_is_made_at_once(void **state)
{
	struct loop *loop = loop_main();
	struct visit v = { 0 };

	(void)state;
	loop_call(loop, note_thread, &v);
	assert_int_equal(v.count, 1);
	assert_true(pthread_equal(v.thread, pthread_self()));
	loop_free(loop);
}

struct nested {
	struct loop *loop;
	struct visit v;
};

static void call_again(void *arg)
{
	struct nested *n = arg;

	loop_call(n->loop, note_thread, &n->v);
}

static void a_call_from_the_loops_own_thread_does_not_wait_for_itself(void **state)
{
	struct nested n = { .loop = loop_new("test") };

	(void)state;
	loop_start(n.loop, NULL, NULL);
	loop_call(n.loop, call_again, &n);
	assert_int_equal(n.v.count, 1);
	loop_free(n.loop);
}

static void posts_run_in_order_before_a_later_call(void **state)
{
	struct loop *loop = loop_new("test");
	struct visit v = { 0 }, last = { 0 };

	(void)state;
	loop_start(loop, NULL, NULL);
	for (int i = 0; i < 100; i++)
		loop_post(loop, note_thread, &v);
	loop_call(loop, note_thread, &last);
	assert_int_equal(v.count, 100);
	loop_free(loop);
}

struct watched {
	int fd, events;
	GSource *source;
};

static void on_readable(void *arg, GIOCondition revents)
{
	struct watched *w = arg;
	uint64_t n;

	assert_true(revents & G_IO_IN);
	assert_int_equal(read(w->fd, &n, sizeof(n)), sizeof(n));
	if (++w->events == 3) {
		loop_unwatch(w->source);
		w->source = NULL;
	}
}

static void a_watch_fires_pauses_and_ends(void **state)
{
	struct loop *loop = loop_main();
	GMainContext *context = loop_context(loop);
	struct watched w = { .fd = eventfd(0, EFD_NONBLOCK) };

	(void)state;
	w.source = loop_watch(loop, w.fd, G_IO_IN, on_readable, &w);
	for (int i = 1; i <= 5; i++) {
		if (i == 2)
			loop_watch_events(w.source, 0);
		eventfd_write(w.fd, 1);
		while (g_main_context_iteration(context, FALSE))
			;
		if (i == 2) {
			assert_int_equal(w.events, 1);
			loop_watch_events(w.source, G_IO_IN);
		}
	}
	assert_int_equal(w.events, 3);
	assert_null(w.source);
	close(w.fd);
	loop_free(loop);
}

struct hung {
	int fd;
	GSource *source;
	unsigned events, hangups;
};

static void on_hang_up(void *arg, GIOCondition revents)
{
	struct hung *h = arg;
	char buf[8];

	h->events++;
	h->hangups += (revents & G_IO_HUP) != 0;
	if (revents & G_IO_IN && read(h->fd, buf, sizeof(buf)) == 1)
		return;
	loop_watch_events(h->source, 0);
}

/* Turns of the loop that served something, of a hundred. */
static unsigned busy_turns(GMainContext *context)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < 100; i++)
		busy += g_main_context_iteration(context, FALSE);
	return busy;
}

/* A hang-up lasts: whoever does not want it now must not be told of it in every turn. */
static void a_paused_watch_rests_whatever_happens_to_its_descriptor(void **state)
{
	struct loop *loop = loop_main();
	struct hung h = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	h.fd = fds[0];
	h.source = loop_watch(loop, h.fd, 0, on_hang_up, &h);
	assert_int_equal(write(fds[1], "x", 1), 1);
	close(fds[1]);
	(void)busy_turns(loop_context(loop)); /* what a change of the poll set costs */
	assert_int_equal(busy_turns(loop_context(loop)), 0);
	assert_int_equal(h.events, 0);

	loop_watch_events(h.source, G_IO_IN); /* the byte, then the end, then paused again */
	(void)busy_turns(loop_context(loop));
	assert_int_equal(busy_turns(loop_context(loop)), 0);
	assert_int_equal(h.events, 2);
	assert_int_equal(h.hangups, 2);
	loop_unwatch(h.source);
	close(fds[0]);
	loop_free(loop);
}

static void a_watch_for_hang_ups_alone_tells_of_nothing_else(void **state)
{
	struct loop *loop = loop_main();
	struct hung h = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	h.fd = fds[0];
	h.source = loop_watch(loop, h.fd, G_IO_HUP, on_hang_up, &h);
	assert_int_equal(write(fds[1], "x", 1), 1);
	(void)busy_turns(loop_context(loop));
	assert_int_equal(h.events, 0);
	close(fds[1]);
	(void)busy_turns(loop_context(loop));
	assert_int_equal(h.events, 1);
	assert_int_equal(h.hangups, 1);
	loop_unwatch(h.source);
	close(fds[0]);
	loop_free(loop);
}

/* Both are there in one turn; the first pauses the second. */
struct pair {
	GSource *source[2];
	unsigned served[2];
};

static void pause_the_other(void *arg, GIOCondition revents)
{
	struct pair *p = arg;

	(void)revents;
	p->served[0]++;
	loop_watch_events(p->source[0], 0);
	loop_watch_events(p->source[1], 0);
}

static void count_second(void *arg, GIOCondition revents)
{
	struct pair *p = arg;

	(void)revents;
	p->served[1]++;
}

static void a_watch_that_is_paused_in_its_own_turn_is_not_served(void **state)
{
	struct loop *loop = loop_main();
	int fds[2] = { eventfd(1, EFD_NONBLOCK), eventfd(1, EFD_NONBLOCK) };
	struct pair p = { 0 };

	(void)state;
	p.source[0] = loop_watch(loop, fds[0], G_IO_IN, pause_the_other, &p);
	p.source[1] = loop_watch(loop, fds[1], G_IO_IN, count_second, &p);
	(void)busy_turns(loop_context(loop));
	assert_int_equal(p.served[0], 1);
	assert_int_equal(p.served[1], 0);
	loop_watch_events(p.source[1], G_IO_IN);
	(void)g_main_context_iteration(loop_context(loop), FALSE);
	(void)g_main_context_iteration(loop_context(loop), FALSE);
	assert_true(p.served[1] > 0);
	for (unsigned i = 0; i < 2; i++) {
		loop_unwatch(p.source[i]);
		close(fds[i]);
	}
	loop_free(loop);
}

/* A call that asks for itself again: like a guest that keeps its processors asking. */
struct endless {
	struct loop *loop;
	bool over;
	unsigned calls;
};

static void once_more(void *arg)
{
	struct endless *e = arg;

	e->calls++;
	if (!e->over)
		loop_post(e->loop, once_more, e);
}

static void end_it(void *arg, GIOCondition revents)
{
	(void)revents;
	((struct endless *)arg)->over = true;
}

static void calls_without_end_leave_turns_to_others(void **state)
{
	struct endless e = { .loop = loop_main() };
	int fd = eventfd(0, EFD_NONBLOCK);
	GSource *watch = loop_watch(e.loop, fd, G_IO_IN, end_it, &e);

	(void)state;
	loop_post(e.loop, once_more, &e);
	eventfd_write(fd, 1);
	while (!e.over)
		g_main_context_iteration(loop_context(e.loop), TRUE);
	assert_true(e.calls > 0);
	loop_unwatch(watch);
	while (g_main_context_iteration(loop_context(e.loop), FALSE))
		;
	close(fd);
	loop_free(e.loop);
}

static void a_later_thread_finds_what_was_asked_of_it(void **state)
{
	struct loop *loop = loop_new("test");
	struct visit now = { 0 }, later = { 0 }, then = { 0 };

	(void)state;
	loop_post(loop, note_thread, &later);
	loop_call(loop, note_thread, &now);
	assert_int_equal(now.count, 1);
	assert_true(pthread_equal(now.thread, pthread_self()));
	assert_int_equal(later.count, 0);
	loop_start(loop, NULL, NULL);
	loop_call(loop, note_thread, &then);
	assert_int_equal(later.count, 1);
	assert_int_equal(then.count, 1);
	assert_false(pthread_equal(later.thread, pthread_self()));
	assert_true(pthread_equal(later.thread, then.thread));
	loop_free(loop);
}

struct first {
	_Atomic bool begun, too_early;
	_Atomic unsigned served;
};

static void begin(void *arg)
{
	struct first *f = arg;

	(void)usleep(200);
	f->begun = true;
}

static void serve(void *arg, GIOCondition revents)
{
	struct first *f = arg;

	(void)revents;
	f->too_early |= !f->begun;
	f->served++;
	sched_yield();
}

static void end_watch(void *arg)
{
	loop_unwatch(arg);
}

/* The sandbox counts on it: nothing that waits is served by a thread that is not sealed. */
static void a_later_thread_begins_with_what_comes_first(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct loop *loop = loop_new("test");
		struct first f = { 0 };
		int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		GSource *watch = loop_watch(loop, fd, G_IO_IN, serve, &f);

		loop_start(loop, begin, &f);
		assert_true(f.begun);
		while (!f.served)
			sched_yield();
		assert_false(f.too_early);
		loop_call(loop, end_watch, watch); /* whose it is */
		loop_free(loop);
		close(fd);
	}
}

static void a_loop_that_never_got_its_thread_is_freed(void **state)
{
	struct loop *loop = loop_new("test");
	struct visit v = { 0 };

	(void)state;
	loop_post(loop, note_thread, &v);
	loop_free(loop);
	assert_int_equal(v.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_runs_on_the_loops_thread_and_is_waited_for),
		cmocka_unit_test(a_call_to_a_loop_nobody_runs_is_made_at_once),
		cmocka_unit_test(a_call_from_the_loops_own_thread_does_not_wait_for_itself),
		cmocka_unit_test(posts_run_in_order_before_a_later_call),
		cmocka_unit_test(a_watch_fires_pauses_and_ends),
		cmocka_unit_test(a_paused_watch_rests_whatever_happens_to_its_descriptor),
		cmocka_unit_test(a_watch_for_hang_ups_alone_tells_of_nothing_else),
		cmocka_unit_test(a_watch_that_is_paused_in_its_own_turn_is_not_served),
		cmocka_unit_test(calls_without_end_leave_turns_to_others),
		cmocka_unit_test(a_later_thread_finds_what_was_asked_of_it),
		cmocka_unit_test(a_later_thread_begins_with_what_comes_first),
		cmocka_unit_test(a_loop_that_never_got_its_thread_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
