/* Telling a panicked guest from one that only talks about panics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/panic.h"

#define PANIC "[    1.5] Kernel panic - not syncing: Attempted to kill init!\r\n"
#define END   "[    1.6] ---[ end Kernel panic - not syncing: Attempted to kill init! ]---\r\n"

static void say(struct panic_watch *w, const char *text)
{
	panic_watch_feed(w, (const uint8_t *)text, strlen(text));
}

static void a_quiet_guest_has_not_panicked(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	assert_null(panic_watch_reason(&w));
	say(&w, "Linux version 6.1\r\nKernel panic is a word\r\n");
	assert_null(panic_watch_reason(&w));
	assert_false(w.ended);
}

static void the_reason_is_what_the_kernel_said(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	say(&w, PANIC);
	assert_string_equal(panic_watch_reason(&w), "Attempted to kill init!");
	assert_false(w.ended);
	say(&w, "CPU: 0 PID: 1\r\nCall Trace:\r\n");
	say(&w, END);
	assert_true(w.ended);
	assert_string_equal(panic_watch_reason(&w), "Attempted to kill init!");
}

static void it_does_not_matter_how_the_bytes_come(void **state)
{
	struct panic_watch w = { 0 };
	static const char text[] = PANIC END;

	(void)state;
	for (size_t i = 0; text[i]; i++)
		panic_watch_feed(&w, (const uint8_t *)text + i, 1);
	assert_true(w.ended);
	assert_non_null(panic_watch_reason(&w));
}

static void a_guest_that_goes_on_is_forgiven(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	say(&w, "# dmesg of another machine\r\n" PANIC END);
	assert_true(w.ended);
	say(&w, "# ");
	assert_false(w.ended); /* a prompt */
	for (unsigned i = 0; i < 1000; i++)
		say(&w, "and much more text follows\r\n");
	assert_null(panic_watch_reason(&w));
}

static void the_end_without_a_beginning_is_none(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	say(&w, END);
	assert_false(w.ended && panic_watch_reason(&w));
}

static void hostile_lines_are_cut(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		say(&w, "x");
	say(&w, "\nKernel panic - not syncing: ");
	for (unsigned i = 0; i < 5000; i++)
		say(&w, "y");
	say(&w, "\n");
	assert_true(strlen(panic_watch_reason(&w)) < sizeof(w.reason));
	panic_watch_reset(&w);
	say(&w, "Kernel panic - not syncing\n");
	assert_string_equal(panic_watch_reason(&w), "no reason given");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_guest_has_not_panicked),
		cmocka_unit_test(the_reason_is_what_the_kernel_said),
		cmocka_unit_test(it_does_not_matter_how_the_bytes_come),
		cmocka_unit_test(a_guest_that_goes_on_is_forgiven),
		cmocka_unit_test(the_end_without_a_beginning_is_none),
		cmocka_unit_test(hostile_lines_are_cut),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
