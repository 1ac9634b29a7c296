/*
 * The benchmark: its statistics, its plans, and a tiny run of all it can write.
 */
#include "devices/base/latencies.h"
#include "tools/bench/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-glib/json-glib.h>

#include "devices/base/error.h"
#include "tools/bench/matrix.h"
#include "tools/bench/measure.h"
#include "tools/bench/progress.h"
#include "tools/bench/stats.h"

/* ---- statistics ---- */

static void near(double a, double b)
{
	assert_true(a - b < 1e-9 && b - a < 1e-9);
}

static void median_and_quartiles_lie_between_values(void **state)
{
	double four[] = { 4, 1, 3, 2 }, five[] = { 50, 10, 20, 40, 30 }, one[] = { 7 };
	struct bench_stats s = bench_stats(four, 4);

	(void)state;
	near(s.min, 1);
	near(s.q1, 1.75);
	near(s.median, 2.5);
	near(s.q3, 3.25);
	near(s.max, 4);
	s = bench_stats(five, 5);
	near(s.q1, 20);
	near(s.median, 30);
	near(s.q3, 40);
	near(bench_spread(&s), 100 * 20 / 30.0);
	s = bench_stats(one, 1);
	near(s.min, 7);
	near(s.q1, 7);
	near(s.median, 7);
	near(s.max, 7);
	near(bench_spread(&s), 0);
}

static void one_wild_round_does_not_move_the_median(void **state)
{
	double calm[] = { 10, 11, 12, 13, 14 }, wild[] = { 10, 11, 12, 13, 9000 };

	(void)state;
	near(bench_stats(calm, 5).median, bench_stats(wild, 5).median);
}

/* ---- progress ---- */

static void the_time_left_is_what_the_rest_takes_at_this_pace(void **state)
{
	(void)state;
	near(progress_left(30, 0.25), 90);
	near(progress_left(30, 1), 0);
	near(progress_left(30, 2), 0);
	assert_true(progress_left(0.1, 0.25) < 0); /* too early to tell */
	assert_true(progress_left(30, 0) < 0);
}

/* Rounds end with the time, but for the first few. */
static void rounds_are_as_many_as_the_time_allows(void **state)
{
	(void)state;
	near(progress_of_rounds(10, 1, 3, 50, 40), 0.25);     /* 4 fit */
	near(progress_of_rounds(10, 1, 3, 2, 40), 0.5);       /* no more are wanted */
	near(progress_of_rounds(100, 1, 3, 50, 40), 1 / 3.0); /* 3 there must be */
	near(progress_of_rounds(0, 0, 3, 50, 40), 0);
}

static void assert_line(double seconds, double left, unsigned columns, const char *want)
{
	g_autofree char *line = progress_line(seconds, left, "round 2", columns);

	assert_string_equal(line, want);
}

static void a_line_of_progress_fits_its_terminal(void **state)
{
	(void)state;
	assert_line(10, 30, 80, " 25%  round 2, 30 s left");
	assert_line(10, 200, 80, "  5%  round 2, 3 min 20 s left");
	assert_line(100, 7500, 80, "  1%  round 2, 2 h 05 min left");
	assert_line(12, -1, 80, "round 2, 12 s");
	assert_line(10, 30, 24, " 25%  round 2, 30 s lef");
}

static void without_a_terminal_nothing_is_shown(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct progress p;

	(void)state;
	progress_begin(&p, NULL);
	progress_show(&p, 0.5, "round %u", 1u);
	progress_end(&p);
	progress_begin(&p, f); /* that begins with its first line, and takes it away */
	progress_end(&p);
	fflush(f);
	assert_int_equal(len, 0);
	for (unsigned i = 0; i < 100; i++)
		progress_show(&p, 0.5, "round %u", i);
	progress_end(&p);
	fclose(f);
	assert_non_null(strstr(text, "round 0"));
	assert_null(strstr(text, "round 99")); /* too soon after it */
	assert_true(g_str_has_suffix(text, "\r\033[K"));
	free(text);
}

/* ---- plans ---- */

static bool choose(struct bench_choice *choices, enum bench_axis axis, const char *text)
{
	g_autoptr(GError) err = NULL;

	if (bench_choice_parse(&bench_axes[axis], text, &choices[axis], &err)) {
		assert_null(err);
		return true;
	}
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	return false;
}

static unsigned count(const GArray *plan, enum bench_axis axis, unsigned value)
{
	unsigned n = 0;

	for (guint i = 0; i < plan->len; i++)
		n += g_array_index(plan, struct bench_variant, i).at[axis] == value;
	return n;
}

static void a_plan_is_the_product_of_what_was_chosen(void **state)
{
	struct bench_choice choices[N_AXES] = { 0 };
	g_autoptr(GArray) plan = NULL;

	(void)state;
	assert_true(choose(choices, AXIS_RING, "packed"));
	assert_true(choose(choices, AXIS_BATCH, "1,8"));
	assert_true(choose(choices, AXIS_LENGTH, "2,3"));
	assert_true(choose(choices, AXIS_DESC, "direct,indirect"));
	plan = bench_plan(choices, false, NULL);
	assert_non_null(plan);
	assert_int_equal(plan->len, 2 * 2 * 2 + 2);
	assert_int_equal(count(plan, AXIS_RING, RING_PACKED), 8);
	assert_int_equal(count(plan, AXIS_RING, RING_BARE), 2);
	assert_int_equal(count(plan, AXIS_SIZE, 256), plan->len);
}

static void every_variant_of_the_full_matrix_is_planned_once(void **state)
{
	struct bench_choice choices[N_AXES] = { 0 };
	g_autoptr(GArray) plan = bench_plan(choices, true, NULL);
	unsigned rings = 3 * 2 * 2 * 2 * 3 * 4; /* mode, ring, event_idx, in_order, size, batch */

	(void)state;
	assert_non_null(plan);
	/* Lengths 1 to 3, of which 2 and 3 are indirect as well; bare rings poll or are single. */
	assert_int_equal(plan->len, rings * 5 + 2 * 3 * 4);
	for (guint i = 1; i < plan->len; i++)
		assert_memory_not_equal(&g_array_index(plan, struct bench_variant, i - 1),
					&g_array_index(plan, struct bench_variant, i),
					sizeof(struct bench_variant));
}

static void without_choices_each_axis_is_varied(void **state)
{
	struct bench_choice choices[N_AXES] = { 0 };
	g_autoptr(GArray) plan = bench_plan(choices, false, NULL);

	(void)state;
	assert_non_null(plan);
	assert_in_range(plan->len, 60, 120);
	for (unsigned axis = 0; axis < N_AXES; axis++)
		for (unsigned i = 0; i < bench_axes[axis].n_all; i++)
			assert_true(count(plan, axis, bench_axes[axis].all[i]) > 0);
}

static void impossible_choices_are_refused(void **state)
{
	struct bench_choice choices[N_AXES] = { 0 };
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_false(choose(choices, AXIS_RING, "round"));
	assert_false(choose(choices, AXIS_RING, "bare"));
	assert_false(choose(choices, AXIS_RING, ""));
	assert_false(choose(choices, AXIS_BATCH, "0"));
	assert_false(choose(choices, AXIS_BATCH, "1,257"));
	assert_false(choose(choices, AXIS_BATCH, "1,2,3,4,5,6,7,8,9"));
	assert_true(choose(choices, AXIS_SIZE, "100"));
	assert_null(bench_plan(choices, false, &err));
	assert_non_null(strstr(err->message, "--size 100"));
	assert_true(choose(choices, AXIS_RING, "packed"));
	g_array_unref(bench_plan(choices, false, NULL));
}

/* ---- runs ---- */

/* Runs `bench rings` with @args; returns what it wrote. */
static char *output(const char *args)
{
	g_autofree char *line = g_strconcat("bench rings --rounds 2 --time 1 ", args, NULL);
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	g_autoptr(GError) err = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (!bench_command((int)g_strv_length(argv), argv, out, NULL, &err))
		fail_msg("%s", err->message);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* What is wrong with @args, which is told before anything is measured. */
static char *complaint(const char *args)
{
	g_auto(GStrv) argv = g_strsplit(args, " ", -1);
	g_autoptr(GError) err = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_false(bench_command((int)g_strv_length(argv), argv, out, NULL, &err));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(len, 0);
	free(text);
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	return g_strdup(err->message);
}

static void check_row(JsonObject *row)
{
	assert_true(json_object_get_double_member(row, "million") > 0);
	assert_true(json_object_get_double_member(row, "device_ns") > 0);
	assert_true(json_object_get_double_member(row, "driver_ns") > 0);
	assert_true(json_object_get_double_member(row, "best") >=
		    json_object_get_double_member(row, "million"));
	assert_true(json_object_get_double_member(row, "limit") > 0);
	assert_true(json_object_get_double_member(row, "kicks") <= 1);
	assert_true(json_object_get_double_member(row, "interrupts") <= 1);
}

/* Parses what --json wrote; checks its rows. Returns how many of them are not bare. */
static unsigned check_json(const char *args)
{
	g_autofree char *with = g_strconcat("--json ", args, NULL);
	char *text = output(with);
	g_autoptr(JsonParser) parser = json_parser_new();
	unsigned rings = 0;
	JsonArray *rows;

	assert_true(json_parser_load_from_data(parser, text, -1, NULL));
	rows = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)),
					    "rows");
	for (guint i = 0; i < json_array_get_length(rows); i++) {
		JsonObject *row = json_array_get_object_element(rows, i);

		check_row(row);
		rings += strcmp(json_object_get_string_member(row, "ring"), "bare") != 0;
	}
	free(text);
	return rings;
}

static void all_ring_features_run_on_one_thread(void **state)
{
	(void)state;
	assert_int_equal(check_json("--single --batch 4,64 --size 64 --length 1,3 "
				    "--desc direct,indirect --event-idx on,off --in-order on,off"),
			 2 * 2 * 3 * 2 * 2);
}

static void two_threads_poll_or_sleep(void **state)
{
	(void)state;
	assert_int_equal(check_json("--cpus none --mode poll,sleep --batch 16 --in-order on,off"),
			 2 * 2 * 2);
}

static void a_packed_ring_may_have_any_size(void **state)
{
	(void)state;
	assert_int_equal(check_json("--single --ring packed --size 100 --length 3 --batch 64"), 1);
}

static void csv_has_a_header_and_a_line_a_row(void **state)
{
	char *text = output("--csv --single --batch 16");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	(void)state;
	assert_int_equal(g_strv_length(lines), 1 + 3 + 1);
	assert_true(g_str_has_prefix(lines[0], "mode,len,desc,"));
	assert_true(g_str_has_prefix(lines[1], "single,-,-,-,-,256,bare,16,"));
	assert_true(g_str_has_prefix(lines[3], "single,1,direct,on,off,256,packed,16,"));
	free(text);
}

static void the_table_is_aligned(void **state)
{
	char *text = output("--single --batch 16,64");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	size_t width = strlen(lines[0]);

	(void)state;
	for (unsigned i = 1; i < 3; i++)
		assert_int_equal(strlen(lines[i]), width);
	assert_non_null(strstr(text, "Medians of 2 rounds"));
	free(text);
}

static void the_page_needs_nothing_but_itself(void **state)
{
	g_autofree char *path = g_strdup_printf("%s/ringside-bench-%d.html", g_get_tmp_dir(),
						(int)getpid());
	g_autofree char *args =
		g_strdup_printf("--single --batch 1,16 --event-idx on,off --html %s", path);
	g_autofree char *page = NULL;

	(void)state;
	free(output(args));
	assert_true(g_file_get_contents(path, &page, NULL, NULL));
	assert_int_equal(unlink(path), 0);
	assert_true(g_str_has_prefix(page, "<!DOCTYPE html>"));
	assert_true(g_str_has_suffix(page, "</html>\n"));
	assert_non_null(strstr(page, "<svg"));
	assert_non_null(strstr(page, "event_idx off"));
	assert_null(strstr(page, "://"));
	assert_null(strstr(page, "nan"));
	assert_null(strstr(page, "<script"));
}

static void help_fits_the_terminal(void **state)
{
	static const char *const lines[] = { "bench --help", "bench rings --help",
					     "bench guest --help", "bench blk --help",
					     "bench net --help" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_auto(GStrv) argv = g_strsplit(lines[i], " ", -1), rows = NULL;
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(out);
		assert_true(bench_command((int)g_strv_length(argv), argv, out, NULL, NULL));
		assert_int_equal(fclose(out), 0);
		assert_true(len > 0);
		rows = g_strsplit(text, "\n", -1);
		for (char **row = rows; *row; row++)
			if (strlen(*row) > 80)
				fail_msg("%zu columns: %s", strlen(*row), *row);
		assert_null(strstr(text, "\n\n\n"));
		free(text);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *args, *says;
	} cases[] = {
		{ "bench", "rings" },
		{ "bench guests", "rings, guest, blk, net or replay" },
		{ "bench blk", "--socket PATH" },
		{ "bench blk --socket /nonexistent", "/nonexistent: no back-end" },
		{ "bench blk --socket x --ring bare", "--ring" },
		{ "bench blk --socket x --op florp", "--op" },
		{ "bench blk --socket x --size 4K", "--size" },
		{ "bench blk --socket x --size 1025", "1024" },
		{ "bench blk --socket x --depth 257", "256" },
		{ "bench blk --socket x --wait sleep", "--wait" },
		{ "bench blk --socket x --rounds 0", "--rounds" },
		{ "bench blk --socket x --time 0", "--time" },
		{ "bench blk --socket x --limit 0", "--limit" },
		{ "bench blk --socket x --json --csv", "--csv" },
		{ "bench blk --socket x nonsense", "nonsense" },
		{ "bench net", "--socket PATH" },
		{ "bench net --socket /nonexistent", "/nonexistent: no back-end" },
		{ "bench net --socket x --op florp", "--op" },
		{ "bench net --socket x --size 59", "60" },
		{ "bench net --socket x --depth 257", "256" },
		{ "bench net --socket x --merge maybe", "--merge" },
		{ "bench rings --ring round", "--ring" },
		{ "bench rings --rounds 0", "--rounds" },
		{ "bench rings --time 0", "--time" },
		{ "bench rings --limit 0", "--limit" },
		{ "bench rings --cpus 0", "--cpus" },
		{ "bench rings --cpus 0,1023", "no processor 1023" },
		{ "bench rings --cpus 0,0 --mode poll", "--single" },
		{ "bench rings --json --csv", "--csv" },
		{ "bench rings --model --json --csv", "--csv" },
		{ "bench rings --model --single", "--single" },
		{ "bench rings --model --html x.html", "--html" },
		{ "bench rings --desc indirect --length 1", "--length 3" },
		{ "bench rings --size 2 --length 3", "--length 3" },
		{ "bench rings --nonsense", "--nonsense" },
		{ "bench rings nonsense", "nonsense" },
		{ "bench guest --transport ccw", "--transport" },
		{ "bench guest --wait", "--wait" },
		{ "bench guest --batch 129", "128" },
		{ "bench guest --ring bare", "--ring" },
		{ "bench guest --rounds 0", "--rounds" },
		{ "bench guest --time 0", "--time" },
		{ "bench guest --limit 0", "--limit" },
		{ "bench guest --json --csv", "--csv" },
		{ "bench guest --firmware /nonexistent", "--firmware" },
		{ "bench rings --html /nonexistent/page", "--html /nonexistent/page" },
		{ "bench guest", "--firmware" }, /* which is not beside this program */
		{ "bench guest nonsense", "nonsense" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = complaint(cases[i].args);

		if (!strstr(text, cases[i].says))
			fail_msg("%s: %s", cases[i].args, text);
	}
}

/* A bucket is a thirty-second of its value wide, so a percentile is at most that much too high. */
static void latencies_are_where_they_belong(void **state)
{
	struct latencies *l = g_new0(struct latencies, 1);

	(void)state;
	assert_true(latencies_ns(l, 0.5) == 0);
	for (uint64_t ns = 1; ns <= 1000000; ns++)
		latencies_add(l, ns);
	assert_int_equal(l->n, 1000000);
	for (unsigned right = 1000; right < 1000000; right += 1000) {
		double found = latencies_ns(l, right / 1e6);

		if (found < right || found > right * (1 + 1.0 / 32) + 1)
			fail_msg("%u: %g", right, found);
	}
	memset(l, 0, sizeof(*l));
	latencies_add(l, 0);
	assert_true(latencies_ns(l, 1) == 1);
	latencies_add(l, UINT64_MAX);
	assert_true(latencies_ns(l, 0.5) == 1);
	assert_true(latencies_ns(l, 1) > 1e18);
	g_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_and_quartiles_lie_between_values),
		cmocka_unit_test(one_wild_round_does_not_move_the_median),
		cmocka_unit_test(the_time_left_is_what_the_rest_takes_at_this_pace),
		cmocka_unit_test(rounds_are_as_many_as_the_time_allows),
		cmocka_unit_test(a_line_of_progress_fits_its_terminal),
		cmocka_unit_test(without_a_terminal_nothing_is_shown),
		cmocka_unit_test(a_plan_is_the_product_of_what_was_chosen),
		cmocka_unit_test(every_variant_of_the_full_matrix_is_planned_once),
		cmocka_unit_test(without_choices_each_axis_is_varied),
		cmocka_unit_test(impossible_choices_are_refused),
		cmocka_unit_test(all_ring_features_run_on_one_thread),
		cmocka_unit_test(two_threads_poll_or_sleep),
		cmocka_unit_test(a_packed_ring_may_have_any_size),
		cmocka_unit_test(csv_has_a_header_and_a_line_a_row),
		cmocka_unit_test(the_table_is_aligned),
		cmocka_unit_test(the_page_needs_nothing_but_itself),
		cmocka_unit_test(help_fits_the_terminal),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(latencies_are_where_they_belong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
