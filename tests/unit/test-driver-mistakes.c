/*
 * 25 kinds of mistakes that real drivers have made, each in two variants or more, are planted in
 * our driver's side (tests/support/mistakes.h): the checker names the rule that is expected of
 * each, and no other. Without a mistake the same driver is silent.
 *
 * docs/driver-mistakes.md has the table, which is compared with ours; with the argument "page" it
 * is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/check-case.h"
#include "tests/support/mistakes.h"

#define PAGE "docs/driver-mistakes.md"

static const char *const kinds[] = {
	"notification before DRIVER_OK",
	"notification that does not come",
	"order of the status bits",
	"queues before FEATURES_OK",
	"FEATURES_OK not looked at",
	"VERSION_1 not accepted",
	"feature accepted and not implemented",
	"feature used and not accepted",
	"FIFO assumed",
	"changed in flight",
	"buffers taken back from a live queue",
	"chain too long",
	"readable or writable",
	"shape of a chain",
	"reset not awaited",
	"end without a reset",
	"width or offset of an access",
	"queue's size or selector",
	"MSI-X vectors",
	"interrupts on mmio",
	"configuration space",
	"network header and buffers",
	"packed ring",
	"rules of a device type",
	"failed or reset device",
};

static const struct mistakes *const files[] = { &mistakes_of_life, &mistakes_of_rings,
						&mistakes_of_types };

static void for_each_mistake(unsigned kind, void (*fn)(const struct mistake *m, void *opaque),
			     void *opaque)
{
	for (size_t f = 0; f < G_N_ELEMENTS(files); f++)
		for (size_t i = 0; i < files[f]->n; i++)
			if (files[f]->rows[i].kind == kind)
				fn(&files[f]->rows[i], opaque);
}

static const struct mistake *current;

static void run_current(struct rig *r)
{
	mistake_run(r, current);
}

static void plant(const struct mistake *m, void *n_wrong)
{
	const struct check_case c = { m->rule, m->spec, m->links, run_current, m->also };
	const struct check_row row = check_row(m->rule);
	const char *level = row.clauses ? check_clause(row.clauses)->level : "";
	const struct check_cases one = { &c, 1, .bait = m->bait,
					 .must = !g_str_has_prefix(level, "SHOULD") };

	current = m;
	if (m->run && check_cases_wrong(&one)) {
		print_error("  where the driver %s\n", m->what);
		++*(unsigned *)n_wrong;
	}
}

static void a_driver_without_mistakes_is_silent(void **state)
{
	unsigned n = 0;

	(void)state;
	for_each_mistake(0, plant, &n);
	assert_int_equal(n, 0);
}

static void each_mistake_is_named(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned kind = 1; kind <= G_N_ELEMENTS(kinds); kind++)
		for_each_mistake(kind, plant, &n);
	assert_int_equal(n, 0);
}

static void count_named(const struct mistake *m, void *n)
{
	*(unsigned *)n += m->rule != NONE;
}

static void each_kind_has_two_variants(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind <= G_N_ELEMENTS(kinds); kind++) {
		unsigned n = 0;

		for_each_mistake(kind, count_named, &n);
		if (n < 2)
			fail_msg("of kind %u there are %u", kind, n);
	}
}

static void count_rule(const struct mistake *m, void *counts)
{
	((unsigned *)counts)[m->rule]++;
}

/* test-check and test-check-types have none for these. */
static void rules_without_a_case_elsewhere_are_here(void **state)
{
	static const unsigned rules[] = { CHECK_NO_RESET,
					  CHECK_NEEDS_RESET,
					  CHECK_PCI_VECTOR_LATE,
					  CHECK_PCI_QUEUE_VECTOR_LATE,
					  CHECK_MMIO_SIZE_UNWRITTEN,
					  CHECK_PACKED_WRAP,
					  CHECK_PACKED_ID,
					  CHECK_BLK_REQUEST,
					  CHECK_BLK_DIRECTION,
					  CHECK_NET_RX_GSO };
	unsigned counts[NONE + 1] = { 0 };

	(void)state;
	for (unsigned kind = 1; kind <= G_N_ELEMENTS(kinds); kind++)
		for_each_mistake(kind, count_rule, counts);
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (!counts[rules[i]])
			fail_msg("no mistake breaks %s", check_row(rules[i]).name);
}

/*
 * The page.
 */

static void page_add_row(const struct mistake *m, void *opaque)
{
	struct check_row row = check_row(m->rule);
	GString *page = opaque;

	g_string_append_printf(page, "| | ... %s |", m->what);
	if (m->rule == NONE) {
		g_string_append_printf(page, " - | %s |\n", m->why);
		return;
	}
	g_string_append_printf(page, " `%s`", row.name);
	if (m->also)
		g_string_append_printf(page, " (and `%s`)", m->also);
	g_string_append_printf(page, " | %s |\n", row.clauses ? row.clauses : row.section);
}

static char *page_table(void)
{
	GString *page = g_string_new(
		"| kind | the driver ... | rule | clause, or why there is none |\n"
		"|---|---|---|---|\n");

	for (unsigned kind = 1; kind <= G_N_ELEMENTS(kinds); kind++) {
		g_string_append_printf(page, "| %u | **%s** | | |\n", kind, kinds[kind - 1]);
		for_each_mistake(kind, page_add_row, page);
	}
	return g_string_free(page, FALSE);
}

static void the_page_is_true(void **state)
{
	g_autofree char *page = NULL, *table = page_table();
	g_autoptr(GError) err = NULL;

	(void)state;
	if (!g_file_get_contents(PAGE, &page, NULL, &err))
		fail_msg("%s", err->message);
	if (!strstr(page, table))
		fail_msg("its table is another one: test-driver-mistakes page");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_without_mistakes_is_silent),
		cmocka_unit_test(each_mistake_is_named),
		cmocka_unit_test(each_kind_has_two_variants),
		cmocka_unit_test(rules_without_a_case_elsewhere_are_here),
		cmocka_unit_test(the_page_is_true),
	};

	if (argc > 1 && strcmp(argv[1], "page") == 0) {
		g_autofree char *table = page_table();

		(void)fputs(table, stdout);
		return 0;
	}
	return cmocka_run_group_tests_name("driver-mistakes", tests, NULL, NULL);
}
