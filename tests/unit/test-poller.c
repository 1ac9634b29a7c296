/* Looking again before sleeping: when, for how long, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/loop.h"
#include "devices/base/poller.h"

#define US UINT64_C(1000)

static void the_window_follows_what_would_have_been_enough(void **state)
{
	const uint64_t max = 32 * US;

	(void)state;
	assert_int_equal(poller_next_window(0, max, 20 * US), 4 * US);
	assert_int_equal(poller_next_window(4 * US, max, 20 * US), 8 * US);
	assert_int_equal(poller_next_window(16 * US, max, 20 * US), 32 * US);
	assert_int_equal(poller_next_window(20 * US, max, 21 * US), 32 * US);
	/* it was enough */
	assert_int_equal(poller_next_window(32 * US, max, 20 * US), 32 * US);
	/* no window that is allowed would have been */
	assert_int_equal(poller_next_window(32 * US, max, 33 * US), 16 * US);
	assert_int_equal(poller_next_window(8 * US, max, 1000 * US), 4 * US);
	assert_int_equal(poller_next_window(4 * US, max, 1000 * US), 0);
	assert_int_equal(poller_next_window(0, max, 1000 * US), 0);
	/* a limit below the first step */
	assert_int_equal(poller_next_window(0, 2 * US, 1 * US), 2 * US);
}

static void times_are_parsed(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "off", 0 },
		{ "auto", POLLER_AUTO },
		{ "1us", 1 * US },
		{ "32us", 32 * US },
		{ "2ms", 2000 * US },
		{ "1000ms", 1000000 * US },
		{ "1000000us", 1000000 * US },
	};
	static const char *const bad[] = { "",
					   "on",
					   "50",
					   "0us",
					   "us",
					   "-1us",
					   "50s",
					   "1001ms",
					   "50 us",
					   "1000001us",
					   "99999999999999999999us" };
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		assert_true(poller_parse(good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(poller_parse(bad[i], &ns));
}

static void those_who_share_a_thread_agree(void **state)
{
	struct poller_wish wish = { 0 };
	uint64_t a = 50 * US, b = POLLER_AUTO;
	unsigned spare = 1;

	(void)state;
	assert_true(poller_wish(&wish, NULL));
	assert_int_equal(poller_choose(&wish, &spare), POLLER_AUTO_NS);
	assert_int_equal(spare, 0);
	assert_int_equal(poller_choose(&wish, &spare), 0); /* nobody's processor is taken */
	assert_true(poller_wish(&wish, &a));
	assert_true(poller_wish(&wish, &a));
	assert_true(poller_wish(&wish, NULL));
	assert_false(poller_wish(&wish, &b));
	assert_int_equal(poller_choose(&wish, &spare), 50 * US); /* who asks for a time gets it */
}

static void what_is_there_is_found_and_what_comes_is_waited_for(void **state)
{
	struct poller p = { .max_ns = 1000 * US, .window_ns = 1000 * US };
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	GPollFD poll = { .fd = fd, .events = G_IO_IN };
	uint64_t one = 1;

	(void)state;
	assert_int_equal(poller_poll(&p, &poll, 1, 0), 0);
	assert_int_equal(p.found + p.slept, 0); /* nobody wanted to wait */
	assert_int_equal(poller_poll(&p, &poll, 1, 5), 0);
	assert_int_equal(p.slept, 1);
	assert_true(p.looked_ns >= 1000 * US);
	assert_int_equal(p.window_ns, 500 * US); /* 5 ms are more than may be looked */
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poller_poll(&p, &poll, 1, -1), 1);
	assert_int_equal(p.found, 1);
	assert_int_equal(p.slept, 1);
	p.max_ns = p.window_ns = 0;
	assert_int_equal(poller_poll(&p, &poll, 1, -1), 1);
	assert_int_equal(p.found, 1); /* it does not look, and does not count */
	close(fd);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void a_loop_learns_to_look(void **state)
{
	struct loop *loop = loop_new("poll");
	struct poller p = { 0 };

	(void)state;
	loop_set_poll(loop, POLLER_MAX_NS);
	loop_start(loop, NULL, NULL);
	while (p.found < 10) {
		g_usleep(100);
		loop_call(loop, nothing, NULL);
		p = loop_poll_stats(loop);
	}
	assert_int_equal(p.max_ns, POLLER_MAX_NS);
	assert_true(p.window_ns > 0);
	loop_set_poll(loop, 0);
	p = loop_poll_stats(loop);
	assert_int_equal(p.max_ns, 0);
	for (int i = 0; i < 100; i++)
		loop_call(loop, nothing, NULL);
	assert_true(loop_poll_stats(loop).found <= p.found + 1); /* the look it was in */
	loop_free(loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_follows_what_would_have_been_enough),
		cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(those_who_share_a_thread_agree),
		cmocka_unit_test(what_is_there_is_found_and_what_comes_is_waited_for),
		cmocka_unit_test(a_loop_learns_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
