/* Register regions by address: who gets an access, and who must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>

#include "vmm/machine/bus.h"
#include "vmm/machine/unanswered.h"

/* Answers reads with its number and the offset; remembers the last write. */
struct thing {
	struct board_region w;
	uint64_t number, off, value;
	unsigned len;
};

static uint64_t thing_read(void *opaque, uint64_t off, unsigned len)
{
	struct thing *t = opaque;

	(void)len;
	return t->number << 8 | off;
}

static void thing_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct thing *t = opaque;

	t->off = off;
	t->len = len;
	t->value = value;
}

static struct thing thing(uint64_t base, uint64_t size, bool io, uint64_t number)
{
	return (struct thing){
		.w = { .base = base,
		       .size = size,
		       .io = io,
		       .read = thing_read,
		       .write = thing_write },
		.number = number,
	};
}

static int add(struct bus *bus, struct thing *t)
{
	t->w.opaque = t;
	return bus_add(bus, &t->w);
}

static void accesses_find_their_region_however_many_there_are(void **state)
{
	struct thing things[100];
	struct bus *bus = bus_new();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
		size_t at = i * 37 % G_N_ELEMENTS(things); /* in no order */

		things[at] = thing(0x1000 + at * 0x100, 0x80, false, at);
		assert_int_equal(add(bus, &things[at]), 0);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
		uint64_t base = 0x1000 + i * 0x100;

		assert_int_equal(bus_read(bus, false, base, 4), i << 8);
		assert_int_equal(bus_read(bus, false, base + 0x7c, 4), i << 8 | 0x7c);
		assert_int_equal(bus_read(bus, false, base + 0x80, 4), UINT32_MAX);
	}
	bus_free(bus);
}

static void nobody_reads_as_all_ones_of_that_length(void **state)
{
	struct bus *bus = bus_new();

	(void)state;
	assert_int_equal(bus_read(bus, true, 0x60, 1), 0xff);
	assert_int_equal(bus_read(bus, true, 0x60, 2), 0xffff);
	assert_int_equal(bus_read(bus, false, 0x60, 4), 0xffffffff);
	assert_true(bus_read(bus, false, UINT64_MAX, 8) == UINT64_MAX);
	bus_write(bus, false, 0x60, 4, 1);
	bus_free(bus);
}

static void an_access_across_a_regions_end_reaches_nobody(void **state)
{
	struct thing t = thing(0x1000, 0x10, false, 1);
	struct bus *bus = bus_new();

	(void)state;
	assert_int_equal(add(bus, &t), 0);
	assert_int_equal(bus_read(bus, false, 0x100e, 4), UINT32_MAX);
	bus_write(bus, false, 0x100e, 4, 1);
	assert_int_equal(t.len, 0);
	bus_write(bus, false, 0x100c, 4, 0x123456789a);
	assert_int_equal(t.off, 0xc);
	assert_int_equal(t.len, 4);
	assert_int_equal(t.value, 0x3456789a);
	bus_free(bus);
}

static void ports_and_memory_are_two_spaces(void **state)
{
	struct thing mem = thing(0x100, 8, false, 1), io = thing(0x100, 8, true, 2);
	struct bus *bus = bus_new();

	(void)state;
	assert_int_equal(add(bus, &mem), 0);
	assert_int_equal(add(bus, &io), 0);
	assert_int_equal(bus_read(bus, false, 0x100, 2), 1 << 8);
	assert_int_equal(bus_read(bus, true, 0x100, 2), 2 << 8);
	bus_free(bus);
}

static void regions_do_not_overlap_or_wrap(void **state)
{
	struct thing t = thing(0x1000, 0x1000, false, 1);
	struct thing same = thing(0x1000, 0x1000, false, 2), low = thing(0xfff, 2, false, 2);
	struct thing high = thing(0x1fff, 1, false, 2), around = thing(0, 0x10000, false, 2);
	struct thing empty = thing(0x5000, 0, false, 2), wraps = thing(UINT64_MAX, 2, false, 2);
	struct thing last = thing(UINT64_MAX, 1, false, 2), port = thing(0xffff, 2, true, 2);
	struct thing before = thing(0, 0x1000, false, 2), after = thing(0x2000, 1, false, 2);
	struct bus *bus = bus_new();

	(void)state;
	assert_int_equal(add(bus, &t), 0);
	assert_int_equal(add(bus, &same), -EEXIST);
	assert_int_equal(add(bus, &low), -EEXIST);
	assert_int_equal(add(bus, &high), -EEXIST);
	assert_int_equal(add(bus, &around), -EEXIST);
	assert_int_equal(add(bus, &empty), -EINVAL);
	assert_int_equal(add(bus, &wraps), -EINVAL);
	assert_int_equal(add(bus, &port), -EINVAL);
	assert_int_equal(add(bus, &last), 0);
	assert_int_equal(add(bus, &before), 0);
	assert_int_equal(add(bus, &after), 0);
	assert_int_equal(bus_read(bus, false, 0x1000, 1), 0); /* 1 << 8, one byte of it */
	assert_int_equal(bus_read(bus, false, 0x1000, 2), 1 << 8);
	bus_free(bus);
}

static void a_removed_region_is_gone_and_its_place_free(void **state)
{
	struct thing a = thing(0x1000, 0x10, false, 1), b = thing(0x1008, 0x10, false, 2);
	struct bus *bus = bus_new();

	(void)state;
	assert_int_equal(add(bus, &a), 0);
	bus_del(bus, &b.w); /* was never added */
	bus_del(bus, &a.w);
	bus_del(bus, &a.w);
	assert_int_equal(bus_read(bus, false, 0x1008, 4), UINT32_MAX);
	assert_int_equal(add(bus, &b), 0);
	assert_int_equal(bus_read(bus, false, 0x1008, 4), 2 << 8);
	bus_free(bus);
}

/* A region that moves itself from within a write, as a PCI BAR does. */
struct mover {
	struct thing t;
	struct bus *bus;
};

static void mover_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct mover *m = opaque;

	(void)off;
	(void)len;
	bus_del(m->bus, &m->t.w);
	m->t.w.base = value;
	assert_int_equal(bus_add(m->bus, &m->t.w), 0);
}

static void a_region_may_move_itself_while_it_is_written(void **state)
{
	struct mover m = { .t = thing(0x1000, 0x10, false, 7), .bus = bus_new() };

	(void)state;
	m.t.w.write = mover_write;
	m.t.w.opaque = &m;
	assert_int_equal(bus_add(m.bus, &m.t.w), 0);
	bus_write(m.bus, false, 0x1000, 4, 0x9000);
	assert_int_equal(bus_read(m.bus, false, 0x1000, 4), UINT32_MAX);
	assert_int_equal(bus_read(m.bus, false, 0x9004, 4), 7 << 8 | 4);
	bus_free(m.bus);
}

/* For the thread sanitizer: accesses while regions come and go. */
static void *reader(void *arg)
{
	struct bus *bus = arg;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t v = bus_read(bus, false, 0x1000, 4);

		if (v != 1 << 8 && v != UINT32_MAX)
			return bus;
	}
	return NULL;
}

static void regions_come_and_go_under_accesses(void **state)
{
	struct thing t = thing(0x1000, 0x10, false, 1);
	struct bus *bus = bus_new();
	GThread *thread = g_thread_new("reader", reader, bus);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(add(bus, &t), 0);
		bus_del(bus, &t.w);
	}
	assert_null(g_thread_join(thread));
	bus_free(bus);
}

/* Answered ones are not; one that a region takes only in part is. */
static void what_nobody_answers_is_counted(void **state)
{
	struct unanswered all[UNANSWERED_MAX];
	struct bus *bus = bus_new();
	struct thing t = thing(0x40, 4, true, 1);
	uint64_t sum;

	(void)state;
	assert_int_equal(add(bus, &t), 0);
	(void)bus_read(bus, true, 0x40, 4);
	bus_write(bus, true, 0x43, 1, 0);
	assert_int_equal(unanswered_get(bus_unanswered(bus), all, &sum), 0);
	(void)bus_read(bus, true, 0x43, 2);
	bus_write(bus, true, 0x44, 1, 0);
	bus_write(bus, false, 0x40, 8, 0);
	assert_int_equal(unanswered_get(bus_unanswered(bus), all, &sum), 3);
	assert_int_equal(sum, 3);
	bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_answers_is_counted),
		cmocka_unit_test(accesses_find_their_region_however_many_there_are),
		cmocka_unit_test(nobody_reads_as_all_ones_of_that_length),
		cmocka_unit_test(an_access_across_a_regions_end_reaches_nobody),
		cmocka_unit_test(ports_and_memory_are_two_spaces),
		cmocka_unit_test(regions_do_not_overlap_or_wrap),
		cmocka_unit_test(a_removed_region_is_gone_and_its_place_free),
		cmocka_unit_test(a_region_may_move_itself_while_it_is_written),
		cmocka_unit_test(regions_come_and_go_under_accesses),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
