/* Loops: whose thread runs what, and that a caller waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "devices/loop.h"

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
	loop_call(n.loop, call_again, &n);
	assert_int_equal(n.v.count, 1);
	loop_free(n.loop);
}

static void posts_run_in_order_before_a_later_call(void **state)
{
	struct loop *loop = loop_new("test");
	struct visit v = { 0 }, last = { 0 };

	(void)state;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_runs_on_the_loops_thread_and_is_waited_for),
		cmocka_unit_test(a_call_to_a_loop_nobody_runs_is_made_at_once),
		cmocka_unit_test(a_call_from_the_loops_own_thread_does_not_wait_for_itself),
		cmocka_unit_test(posts_run_in_order_before_a_later_call),
		cmocka_unit_test(a_watch_fires_pauses_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
