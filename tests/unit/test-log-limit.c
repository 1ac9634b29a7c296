/* A line a microsecond for an hour: how many of them pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "devices/base/log-limit.h"

#define SECOND INT64_C(1000000)

static void a_few_lines_all_pass(void **state)
{
	struct log_limit l = { 0 };
	unsigned dropped;

	(void)state;
	for (unsigned i = 0; i < LOG_LIMIT_LINES; i++) {
		assert_true(log_limit_pass(&l, 5 * SECOND, &dropped));
		assert_int_equal(dropped, 0);
	}
	assert_false(log_limit_pass(&l, 5 * SECOND, &dropped));
}

static void a_flood_becomes_a_trickle_that_tells_what_is_missing(void **state)
{
	struct log_limit l = { 0 };
	unsigned passed = 0, dropped, told = 0;

	(void)state;
	for (int64_t now = 0; now < 10 * SECOND; now++)
		if (log_limit_pass(&l, now, &dropped)) {
			passed++;
			told += dropped;
		}
	assert_int_equal(passed, LOG_LIMIT_LINES + 10 * 1000 / LOG_LIMIT_PERIOD - 1);
	assert_int_equal(passed + told + l.dropped, 10 * SECOND);
}

static void after_a_silence_all_is_as_at_the_beginning(void **state)
{
	struct log_limit l = { 0 };
	unsigned dropped;

	(void)state;
	for (unsigned i = 0; i < 10 * LOG_LIMIT_LINES; i++)
		(void)log_limit_pass(&l, 0, &dropped);
	for (unsigned i = 0; i < LOG_LIMIT_LINES; i++)
		assert_true(log_limit_pass(&l, 3600 * SECOND, &dropped));
	assert_false(log_limit_pass(&l, 3600 * SECOND, &dropped));
}

static void a_clock_that_stands_still_or_goes_back_gives_nothing(void **state)
{
	struct log_limit l = { 0 };
	unsigned dropped;

	(void)state;
	while (log_limit_pass(&l, 100 * SECOND, &dropped))
		;
	assert_false(log_limit_pass(&l, 100 * SECOND, &dropped));
	assert_false(log_limit_pass(&l, 0, &dropped));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_lines_all_pass),
		cmocka_unit_test(a_flood_becomes_a_trickle_that_tells_what_is_missing),
		cmocka_unit_test(after_a_silence_all_is_as_at_the_beginning),
		cmocka_unit_test(a_clock_that_stands_still_or_goes_back_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
