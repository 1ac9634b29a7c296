/* Telling a panicked guest from one that only talks about panics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/machine/panic-look.h"
#include "vmm/machine/panic-text.h"

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

/* An old log, and then a reboot as it should be; a panic resets without a word. */
static void a_reboot_that_was_asked_for_is_none(void **state)
{
	struct panic_watch w = { 0 };

	(void)state;
	say(&w, PANIC END "# reboot\r\n");
	assert_non_null(panic_watch_reason(&w));
	say(&w, "[   99.9] reboot: Restarting system\r\n");
	assert_null(panic_watch_reason(&w));
	say(&w, PANIC);
	assert_non_null(panic_watch_reason(&w));
}

/*
 * Looks at processors.
 */
static const struct vcpu_look stopped = { .halted = true },
			      idle = { .halted = true, .interrupts = true },
			      user = { .level = 3, .interrupts = true, .rip = 0x401000 },
			      off = { .off = true };

static struct vcpu_look kernel_at(uint64_t rip)
{
	return (struct vcpu_look){ .interrupts = true, .rip = rip };
}

/* A whole round: the first processor as @first, @n_others others as @other. */
static bool stand(struct vcpu_look first, const struct vcpu_look *other, unsigned n_others)
{
	struct panic_looks l = { 0 };

	for (unsigned i = 0; i < PANIC_LOOKS; i++) {
		panic_looks_add(&l, 0, &first);
		for (unsigned cpu = 1; cpu <= n_others; cpu++)
			panic_looks_add(&l, cpu, other);
	}
	return panic_looks_stuck(&l);
}

static void processors_stand_after_a_panic(void **state)
{
	(void)state;
	assert_true(stand(kernel_at(0xffffffff81000010), NULL,
			  0)); /* Linux: a delay loop, interrupts on, */
	assert_true(
		stand(kernel_at(0xffffffff81000010), &stopped, 3)); /* the others are stopped, */
	assert_true(stand(kernel_at(0xffffffff81000010), &off, 3)); /* or were never started */
	assert_true(stand(stopped, &stopped, 1));                   /* other kernels */
}

static void a_guest_that_lives_is_found_to(void **state)
{
	(void)state;
	assert_false(stand(idle, NULL, 0));
	assert_false(stand(stopped, &idle, 1));
	assert_false(stand(user, NULL, 0));
	assert_false(stand(kernel_at(0x1000), &user, 1));
	assert_false(stand(kernel_at(0x1000), &idle, 1));
	assert_false(stand(kernel_at(0x1000), &(struct vcpu_look){ .rip = 0x1000 },
			   1)); /* two at once */
}

/* One look that finds it alive is enough; a few in the handler of the timer's interrupt are not. */
static void ten_looks_say_more_than_one(void **state)
{
	(void)state;
	for (unsigned others = 0; others <= PANIC_LOOKS; others++) {
		struct panic_looks l = { 0 }, waking = { 0 };

		for (unsigned i = 0; i < PANIC_LOOKS; i++) {
			struct vcpu_look at = kernel_at(i < others ? 0x100000 * (i + 1)
								   : 0x5000 + i);

			assert_true(panic_looks_add(&l, 0, &at));
			panic_looks_add(&waking, 0, i == 3 ? &idle : &at);
		}
		assert_int_equal(panic_looks_stuck(&l), others <= 2);
		assert_false(panic_looks_stuck(&waking));
	}
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
		cmocka_unit_test(a_reboot_that_was_asked_for_is_none),
		cmocka_unit_test(processors_stand_after_a_panic),
		cmocka_unit_test(a_guest_that_lives_is_found_to),
		cmocka_unit_test(ten_looks_say_more_than_one),
		cmocka_unit_test(the_end_without_a_beginning_is_none),
		cmocka_unit_test(hostile_lines_are_cut),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
