/*
 * What `bench rings --model` counts: the caches and the link by themselves, then the rings, whose
 * figures can be worked out by hand for the simplest cases.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: needs what is above */
#include <cmocka.h>
/* clang-format on */

#include "tools/bench/caches.h"
#include "tools/bench/model.h"
#include "tools/bench/pcie.h"

/* ---- caches ---- */

static struct caches two_lines(void)
{
	struct caches c;

	caches_open(&c, 2ul * CACHE_LINE);
	return c;
}

static void who_has_a_line_finds_it(void **state)
{
	struct caches c = two_lines();

	(void)state;
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, false), CACHE_HIT); /* from memory */
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, false), CACHE_HIT);
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, true), CACHE_HIT);
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, true), CACHE_HIT);
	assert_int_equal(caches_access(&c, CACHE_DEVICE, 1, true), CACHE_HIT);
	caches_close(&c);
}

static void a_line_of_the_other_travels_once_to_be_read(void **state)
{
	struct caches c = two_lines();

	(void)state;
	(void)caches_access(&c, CACHE_DRIVER, 0, true);
	assert_int_equal(caches_access(&c, CACHE_DEVICE, 0, false), CACHE_LINE_MOVED);
	assert_int_equal(caches_access(&c, CACHE_DEVICE, 0, false), CACHE_HIT);
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, false), CACHE_HIT);
	caches_close(&c);
}

static void a_shared_line_is_claimed_to_be_written(void **state)
{
	struct caches c = two_lines();

	(void)state;
	(void)caches_access(&c, CACHE_DRIVER, 0, true);
	(void)caches_access(&c, CACHE_DEVICE, 0, false);
	assert_int_equal(caches_access(&c, CACHE_DEVICE, 0, true), CACHE_LINE_CLAIMED);
	assert_int_equal(caches_access(&c, CACHE_DEVICE, 0, true), CACHE_HIT);
	assert_int_equal(caches_access(&c, CACHE_DRIVER, 0, true), CACHE_LINE_MOVED);
	caches_close(&c);
}

/* ---- the link ---- */

static void adjoining_reads_of_a_step_are_one_request(void **state)
{
	struct pcie p;

	(void)state;
	pcie_open(&p);
	pcie_read(&p, 16, 16, false); /* in any order, over each other, too */
	pcie_read(&p, 0, 16, false);
	pcie_read(&p, 24, 8, false);
	pcie_read(&p, 64, 2, false); /* this is another */
	pcie_step(&p, false);
	assert_int_equal(p.plain.reads, 2);
	assert_int_equal(p.plain.bytes, (24 + 20 + 32) + (24 + 20 + 4));
	pcie_read(&p, 32, 2, false); /* so is what comes in another step */
	pcie_step(&p, false);
	assert_int_equal(p.plain.reads, 3);
	pcie_close(&p);
}

static void requests_have_their_limits(void **state)
{
	struct pcie p;

	(void)state;
	pcie_open(&p);
	pcie_read(&p, 0, 1024, false);
	pcie_read(&p, 4096 - 16, 32, false);
	pcie_step(&p, false);
	assert_int_equal(p.plain.reads, 2 + 2);
	pcie_write(&p, 0, 512);
	pcie_write(&p, 4096 - 16, 32);
	pcie_step(&p, false);
	assert_int_equal(p.plain.writes, 2 + 2);
	pcie_close(&p);
}

static void writes_keep_their_order(void **state)
{
	struct pcie p;

	(void)state;
	pcie_open(&p);
	pcie_write(&p, 24, 8); /* one, with the next descriptor's address between */
	pcie_write(&p, 40, 8);
	pcie_write(&p, 8, 8); /* and the first descriptor at last */
	pcie_step(&p, false);
	assert_int_equal(p.plain.writes, 2);
	assert_int_equal(p.plain.bytes, (24 + 24) + (24 + 8));
	pcie_close(&p);
}

static void notification_data_spares_what_a_kick_tells(void **state)
{
	struct pcie p;

	(void)state;
	pcie_open(&p);
	pcie_read(&p, 0, 2, true);
	pcie_read(&p, 64, 16, false);
	pcie_step(&p, false);
	pcie_read(&p, 128, 16, false);
	pcie_step(&p, true); /* in vain */
	assert_int_equal(p.plain.reads, 3);
	assert_int_equal(p.notified.reads, 1);
	pcie_close(&p);
}

/* ---- rings ---- */

static struct model_row counted(const char *ring, const char *batch, const char *mode)
{
	struct bench_choice choices[N_AXES] = { 0 };
	const struct {
		enum bench_axis axis;
		const char *value;
	} chosen[] = { { AXIS_RING, ring }, { AXIS_BATCH, batch }, { AXIS_MODE, mode } };
	struct model_row row;
	GArray *plan, *rows;

	for (size_t i = 0; i < G_N_ELEMENTS(chosen); i++)
		assert_true(bench_choice_parse(&bench_axes[chosen[i].axis], chosen[i].value,
					       &choices[chosen[i].axis], NULL));
	plan = bench_plan(choices, false, NULL);
	assert_non_null(plan);
	rows = bench_model(plan, NULL);
	assert_non_null(rows);
	assert_int_equal(rows->len, 1); /* the bare ring beside it is not counted */
	row = g_array_index(rows, struct model_row, 0);
	g_array_unref(rows);
	g_array_unref(plan);
	return row;
}

static void is_about(double seen, double right, double by)
{
	if (fabs(seen - right) > by)
		fail_msg("%g, not %g", seen, right);
}

/* One chain at a time, always of the same descriptor: its line goes to the device and, since the
 * driver only writes it, is claimed back. The rings' lines hold 32 or 8 entries: but for those that
 * are the index's own line, entry and index travel by themselves, available to the device, used to
 * the driver. */
static void split_one_by_one_moves_five_lines(void **state)
{
	struct model_row row = counted("split", "1", "poll");

	(void)state;
	is_about(row.desc, 1, 1e-9);
	is_about(row.avail, 2, 0.15);
	is_about(row.used, 2, 0.15);
	is_about(row.lines, 5, 0.05);
	is_about(row.suppression + row.tables + row.kicks + row.interrupts, 0, 1e-9);
	is_about(row.writes, 2, 0.01);                 /* element, index */
	is_about(row.told_reads, row.reads - 2, 0.01); /* the index, twice */
}

/* A packed descriptor's line goes there and back, and nothing else does. */
static void packed_one_by_one_moves_two_lines(void **state)
{
	struct model_row row = counted("packed", "1", "poll");

	(void)state;
	is_about(row.desc, 2, 1e-9);
	is_about(row.lines, 2, 1e-9);
	is_about(row.writes, 1, 1e-9);
	is_about(row.told_reads, row.reads - 1, 1e-9); /* the look that finds nothing */
}

/* Four descriptors share a line: a quarter of the journeys each way, and both are fetched to be
 * written. */
static void packed_batches_share_their_lines(void **state)
{
	struct model_row row = counted("packed", "64", "poll");

	(void)state;
	is_about(row.lines, 0.5, 1e-9);
	is_about(row.claims, 2.0 / 64, 1e-9); /* of the first line, which was looked at before */
}

static void sleepers_notify_each_other_once_a_batch(void **state)
{
	static const char *const rings[] = { "split", "packed" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rings); i++) {
		struct model_row row = counted(rings[i], "16", "sleep");

		is_about(row.kicks, 1.0 / 16, 1e-9);
		is_about(row.interrupts, 1.0 / 16, 1e-9);
		assert_true(row.suppression > 0);
	}
}

static void counts_repeat_exactly(void **state)
{
	struct model_row one = counted("split", "4", "sleep"), two = counted("split", "4", "sleep");

	(void)state;
	assert_memory_equal(&one, &two, sizeof(one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_a_line_finds_it),
		cmocka_unit_test(a_line_of_the_other_travels_once_to_be_read),
		cmocka_unit_test(a_shared_line_is_claimed_to_be_written),
		cmocka_unit_test(adjoining_reads_of_a_step_are_one_request),
		cmocka_unit_test(requests_have_their_limits),
		cmocka_unit_test(writes_keep_their_order),
		cmocka_unit_test(notification_data_spares_what_a_kick_tells),
		cmocka_unit_test(split_one_by_one_moves_five_lines),
		cmocka_unit_test(packed_one_by_one_moves_two_lines),
		cmocka_unit_test(packed_batches_share_their_lines),
		cmocka_unit_test(sleepers_notify_each_other_once_a_batch),
		cmocka_unit_test(counts_repeat_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
