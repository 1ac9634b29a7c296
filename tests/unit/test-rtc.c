/* The clock of a PC, as drivers read and set it, and its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/machine/bus.h"
#include "vmm/x86/rtc.h"

#define SECOND ((int64_t)G_USEC_PER_SEC)
#define MIB    (1ull << 20)

/* 2026-11-30 23:59:58 UTC, a Monday. */
#define MONDAY (1796083198 * SECOND)

static int64_t now;

static int64_t fake_now(void)
{
	return now;
}

/* What the clock did to its line, and asked for. */
static struct lines {
	bool up;
	unsigned raised;
	int64_t every;
} lines;

static void on_irq(void *opaque, bool level)
{
	struct lines *l = opaque;

	assert_true(l->up != level);
	l->up = level;
	l->raised += level;
}

static void on_periodic(void *opaque, int64_t us)
{
	((struct lines *)opaque)->every = us;
}

static const struct rtc_ops rtc_ops = { on_irq, on_periodic };

struct fixture {
	struct bus *bus;
	struct rtc *rtc;
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	now = MONDAY;
	lines = (struct lines){ 0 };
	f->bus = bus_new();
	f->rtc = rtc_new(3072 * MIB, 1024 * MIB, fake_now, &rtc_ops, &lines);
	assert_int_equal(bus_add(f->bus, rtc_region(f->rtc)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_free(f->bus);
	rtc_free(f->rtc);
	g_free(f);
	return 0;
}

static uint8_t get(struct fixture *f, uint8_t reg)
{
	bus_write(f->bus, true, 0x70, 1, reg);
	return (uint8_t)bus_read(f->bus, true, 0x71, 1);
}

static void set(struct fixture *f, uint8_t reg, uint8_t value)
{
	bus_write(f->bus, true, 0x70, 1, reg);
	bus_write(f->bus, true, 0x71, 1, value);
}

static void assert_time(struct fixture *f, const char *hex)
{
	/* Century, year, month, day, hour, minute, second; the day of the week. */
	static const uint8_t regs[] = { 0x32, 9, 8, 7, 4, 2, 0, 6 };
	g_autoptr(GString) text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(regs); i++)
		g_string_append_printf(text, "%s%02x", i ? " " : "", get(f, regs[i]));
	assert_string_equal(text->str, hex);
}

static void the_time_is_the_hosts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0xb), 2); /* BCD, 24 hours */
	assert_int_equal(get(f, 0xd), 0x80);
	assert_time(f, "20 26 11 30 23 59 58 02");
	now += 2 * SECOND;
	assert_time(f, "20 26 12 01 00 00 00 03");
}

static void numbers_have_the_form_that_register_b_says(void **state)
{
	struct fixture *f = *state;

	set(f, 0xb, 6); /* binary, 24 hours */
	assert_time(f, "14 1a 0b 1e 17 3b 3a 02");
	set(f, 0xb, 0); /* BCD, 12 hours */
	assert_time(f, "20 26 11 30 91 59 58 02");
	set(f, 0xb, 4); /* binary, 12 hours */
	assert_int_equal(get(f, 4), 0x8b);
	now += 2 * SECOND;
	assert_int_equal(get(f, 4), 12); /* midnight, */
	now += 43200 * SECOND;
	assert_int_equal(get(f, 4), 0x8c); /* and noon */
}

/* As drivers do: hold it, write, let it go. */
static void a_clock_that_is_held_is_set(void **state)
{
	struct fixture *f = *state;

	set(f, 0xb, 0x82);
	now += 5 * SECOND;
	assert_int_equal(get(f, 0), 0x58); /* as it was */
	set(f, 0x32, 0x19);
	set(f, 9, 0x99);
	set(f, 8, 0x12);
	set(f, 7, 0x31);
	set(f, 4, 0x12);
	set(f, 2, 0x00);
	set(f, 0, 0x30);
	set(f, 0xb, 2);
	now += SECOND;
	assert_time(f, "19 99 12 31 12 00 31 06");
	rtc_reset(f->rtc); /* the battery is good */
	assert_time(f, "19 99 12 31 12 00 31 06");
}

static void a_clock_that_runs_can_be_set_too(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 0x05);
	set(f, 4, 0x01);
	now += SECOND;
	assert_time(f, "20 26 11 30 01 59 06 02");
}

static void what_is_no_time_is_not_taken(void **state)
{
	struct fixture *f = *state;

	set(f, 8, 0x13);
	set(f, 7, 0xff);
	set(f, 0, 0x99);
	assert_time(f, "20 26 11 30 23 59 58 02");
	set(f, 0xb, 0x82);
	for (unsigned reg = 0; reg < 10; reg++)
		set(f, (uint8_t)reg, 0xff);
	set(f, 0xb, 2);
	assert_time(f, "20 26 11 30 23 59 58 02");
}

static void an_update_in_progress_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0xa), 0x26);
	now = MONDAY + SECOND - 245;
	assert_int_equal(get(f, 0xa), 0x26);
	now++;
	assert_int_equal(get(f, 0xa), 0xa6);
	set(f, 0xb, 0x82); /* held: none comes */
	assert_int_equal(get(f, 0xa), 0x26);
	set(f, 0xb, 2);
	now = MONDAY + SECOND;
	set(f, 0xa, 0xa0); /* the flag cannot be written */
	assert_int_equal(get(f, 0xa), 0x20);
}

static void register_c_tells_what_has_happened_since_it_was_read(void **state)
{
	struct fixture *f = *state;

	set(f, 0xa, 0x26);
	(void)get(f, 0xc);
	assert_int_equal(get(f, 0xc), 0);
	now += 1000; /* 1024 a second */
	assert_int_equal(get(f, 0xc), 0x40);
	assert_int_equal(get(f, 0xc), 0);
	set(f, 0xa, 0x20); /* no rate */
	now += SECOND;
	assert_int_equal(get(f, 0xc), 0x10);
	assert_int_equal(get(f, 0xc), 0);
	for (unsigned rate = 1; rate < 16; rate++) { /* at least every half second */
		set(f, 0xa, (uint8_t)(0x20 | rate));
		(void)get(f, 0xc);
		now += SECOND / 2;
		assert_int_equal(get(f, 0xc) & 0x40, 0x40);
	}
}

static void its_memory_has_the_sizes_of_the_machines(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0x15) | get(f, 0x16) << 8, 640);
	assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, 0xffff);
	assert_int_equal(get(f, 0x30) | get(f, 0x31) << 8, 0xffff);
	assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, (3072 - 16) * 16);
	assert_int_equal(get(f, 0x5b) | get(f, 0x5c) << 8 | get(f, 0x5d) << 16, 1024 * 16);
	set(f, 0x0f, 0x05);                   /* the rest is the guest's */
	assert_int_equal(get(f, 0x8f), 0x05); /* the highest bit is the NMI's */
	set(f, 0x7f, 0xaa);
	assert_int_equal(get(f, 0x7f), 0xaa);
}

static void a_small_machine_has_less(void **state)
{
	struct fixture *f = *state;

	bus_del(f->bus, rtc_region(f->rtc));
	rtc_free(f->rtc);
	f->rtc = rtc_new(4 * MIB, 0, fake_now, &rtc_ops, &lines);
	assert_int_equal(bus_add(f->bus, rtc_region(f->rtc)), 0);
	assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, 3072);
	assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, 0);
	assert_int_equal(get(f, 0x5b), 0);
}

static void other_widths_and_the_index_give_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bus_read(f->bus, true, 0x70, 1), 0xff);
	assert_int_equal(bus_read(f->bus, true, 0x70, 2), 0xffff);
	bus_write(f->bus, true, 0x70, 2, 0x0a26);
	assert_int_equal(bus_read(f->bus, true, 0x71, 1), 0x58); /* the index is still 0 */
}

static void the_periodic_interrupt_waits_to_be_taken_back(void **state)
{
	struct fixture *f = *state;

	rtc_tick(f->rtc); /* nobody wants it */
	assert_int_equal(lines.raised, 0);
	set(f, 0xb, 0x42);
	assert_int_equal(lines.every, 976);
	rtc_tick(f->rtc);
	rtc_tick(f->rtc);
	assert_int_equal(lines.raised, 1);
	assert_int_equal(get(f, 0xc) & 0xc0, 0xc0);
	assert_false(lines.up);
	assert_int_equal(get(f, 0xc) & 0x80, 0);
	rtc_tick(f->rtc);
	assert_int_equal(lines.raised, 2);
	set(f, 0xa, 0x2f);
	assert_int_equal(lines.every, 500000);
	set(f, 0xb, 0x02);
	assert_int_equal(lines.every, 0);
	assert_false(lines.up);
	rtc_tick(f->rtc); /* it was on its way */
	assert_int_equal(lines.raised, 2);
}

static void a_reset_ends_the_interrupt(void **state)
{
	struct fixture *f = *state;

	set(f, 0xb, 0x42);
	rtc_tick(f->rtc);
	assert_true(lines.up);
	rtc_reset(f->rtc);
	assert_false(lines.up);
	assert_int_equal(lines.every, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_time_is_the_hosts),
		CASE(numbers_have_the_form_that_register_b_says),
		CASE(a_clock_that_is_held_is_set),
		CASE(a_clock_that_runs_can_be_set_too),
		CASE(what_is_no_time_is_not_taken),
		CASE(an_update_in_progress_is_told),
		CASE(register_c_tells_what_has_happened_since_it_was_read),
		CASE(its_memory_has_the_sizes_of_the_machines),
		CASE(a_small_machine_has_less),
		CASE(other_widths_and_the_index_give_nothing),
		CASE(the_periodic_interrupt_waits_to_be_taken_back),
		CASE(a_reset_ends_the_interrupt),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
