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

/* A ring: what is in it, and what was asked. */
struct ring {
	struct poller_ring r;
	bool has, has_when_armed;
	unsigned looks, arms;
};

static bool ring_look(void *arg)
{
	struct ring *ring = arg;

	ring->looks++;
	return ring->has;
}

static bool ring_arm(void *arg)
{
	struct ring *ring = arg;

	ring->arms++;
	return !ring->has && !ring->has_when_armed;
}

/* Two rings, whose descriptors say nothing, and another descriptor. */
struct rings {
	struct poller p;
	struct ring ring[2];
	GPollFD fds[3];
};

static void rings_open(struct rings *s, uint64_t window_ns)
{
	*s = (struct rings){ .p = { .max_ns = POLLER_MAX_NS, .window_ns = window_ns } };
	for (unsigned i = 0; i < G_N_ELEMENTS(s->fds); i++)
		s->fds[i] = (GPollFD){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				       .events = G_IO_IN };
	for (unsigned i = 0; i < 2; i++) {
		s->ring[i].r = (struct poller_ring){
			.look = ring_look, .arm = ring_arm, .arg = &s->ring[i], .fd = s->fds[i].fd
		};
		poller_add(&s->p, &s->ring[i].r);
		poller_add(&s->p, &s->ring[i].r); /* twice is once */
	}
}

static void rings_close(struct rings *s)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(s->fds); i++)
		close(s->fds[i].fd);
}

/* Until somebody who was told takes it away: whoever asked may have thrown the answer away. */
static void a_ring_is_told_of_as_if_by_its_descriptor(void **state)
{
	struct rings s;

	(void)state;
	rings_open(&s, POLLER_MAX_NS);
	s.ring[1].has = true;
	for (int timeout = -1; timeout <= 1; timeout++) {
		assert_int_equal(poller_poll(&s.p, s.fds, 3, timeout), 1);
		assert_int_equal(s.fds[0].revents, 0);
		assert_int_equal(s.fds[1].revents, G_IO_IN);
		assert_int_equal(s.fds[2].revents, 0);
	}
	assert_int_equal(s.p.slept, 0);
	assert_int_equal(s.ring[0].arms + s.ring[1].arms, 0);
	poller_remove(&s.p, &s.ring[1].r);
	poller_remove(&s.p, &s.ring[1].r);
	assert_false(s.ring[1].r.unarmed);
	assert_int_equal(poller_poll(&s.p, s.fds, 3, 0), 0);
	assert_true(s.ring[0].r.unarmed);
	rings_close(&s);
}

static void a_descriptor_is_told_of_beside_rings(void **state)
{
	uint64_t one = 1;
	struct rings s;

	(void)state;
	rings_open(&s, POLLER_MAX_NS);
	assert_int_equal(write(s.fds[2].fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poller_poll(&s.p, s.fds, 3, -1), 1);
	assert_int_equal(s.fds[2].revents, G_IO_IN);
	s.ring[0].has = true;
	assert_int_equal(poller_poll(&s.p, s.fds, 3, -1), 2);
	assert_int_equal(s.fds[0].revents, G_IO_IN);
	assert_int_equal(s.fds[2].revents, G_IO_IN);
	assert_int_equal(write(s.fds[0].fd, &one, sizeof(one)), sizeof(one)); /* a late kick */
	assert_int_equal(poller_poll(&s.p, s.fds, 3, -1), 2);
	assert_true(s.ring[0].r.unarmed);
	rings_close(&s);
}

static void rings_are_armed_before_a_sleep(void **state)
{
	struct rings s;

	(void)state;
	for (uint64_t window = 0; window <= 1; window++) {
		rings_open(&s, window * 100 * US);
		assert_int_equal(poller_poll(&s.p, s.fds, 3, 1), 0);
		assert_int_equal(s.p.slept, 1);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(s.ring[i].looks > 0, window);
			assert_int_equal(s.ring[i].arms, 1);
			assert_false(s.ring[i].r.unarmed);
		}
		s.ring[0].has = true; /* its descriptor tells now */
		assert_int_equal(poller_poll(&s.p, s.fds, 3, 0), 0);
		rings_close(&s);
	}
}

/* What came between the last look and the arming; without end there would be no wake-up. */
static void a_ring_that_has_something_when_it_is_armed_is_told_of(void **state)
{
	struct rings s;

	(void)state;
	rings_open(&s, 0);
	s.ring[0].has_when_armed = true;
	assert_int_equal(poller_poll(&s.p, s.fds, 3, 60000), 1);
	assert_int_equal(s.p.slept, 0);
	assert_int_equal(s.fds[0].revents, G_IO_IN);
	assert_true(s.ring[0].r.unarmed); /* or it could be forgotten */
	assert_false(s.ring[1].r.unarmed);
	s.p.max_ns = 0; /* somebody says meanwhile that nothing is looked at any more */
	assert_int_equal(poller_poll(&s.p, s.fds, 3, 60000), 1);
	assert_int_equal(s.ring[0].arms, 2);
	rings_close(&s);
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
		cmocka_unit_test(a_ring_is_told_of_as_if_by_its_descriptor),
		cmocka_unit_test(a_descriptor_is_told_of_beside_rings),
		cmocka_unit_test(rings_are_armed_before_a_sleep),
		cmocka_unit_test(a_ring_that_has_something_when_it_is_armed_is_told_of),
		cmocka_unit_test(a_loop_learns_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
