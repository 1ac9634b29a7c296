/*
 * `ringside top` against a control socket whose machine stands in for a real one, but for its
 * devices: what it prints, and what it shows in a terminal (tmux is one).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "tests/support/control-bench.h"
#include "tools/top/command.h"
#include "tools/top/table.h"

/*
 * Lines and JSON.
 */
struct run {
	char *argv[8];
	char *out;
	GError *err;
	bool ok;
	gint over;
};

static gpointer run_thread(gpointer arg)
{
	struct run *run = arg;
	size_t size;
	FILE *out = open_memstream(&run->out, &size);

	run->ok = top_command(run->argv, out, &run->err);
	(void)fclose(out);
	g_atomic_int_set(&run->over, 1);
	g_main_context_wakeup(NULL);
	return NULL;
}

/* The command with @options, words with blanks between them; meanwhile the machine is there. */
static struct run run_top(const struct bench *b, const char *options)
{
	g_auto(GStrv) words = g_strsplit(options, " ", -1);
	struct run run = { .argv = { (char *)"top" } };
	unsigned n = 1;
	GThread *thread;

	for (unsigned i = 0; words[i]; i++)
		if (*words[i])
			run.argv[n++] = words[i];
	run.argv[n] = b->path;
	thread = g_thread_new("top", run_thread, &run);
	while (!g_atomic_int_get(&run.over))
		g_main_context_iteration(NULL, TRUE);
	g_thread_join(thread);
	return run;
}

static void run_clear(struct run *run)
{
	free(run->out);
	g_clear_error(&run->err);
}

/* A disk, and a card that is not in use. */
static void add_devices(struct bench *b)
{
	struct rig *disk = bench_add_disk(b, "disk", ",queue-size=16");

	bench_add(b, "net0", "net");
	rig_start(disk, RIG_NONE);
}

/* How often somebody has looked: to measure is the last question of a look. */
static uint64_t looks(const struct bench *b)
{
	return b->latencies.n / 100;
}

/* While the command is between its two looks: ten reads of 512 bytes. */
static gboolean read_ten(void *opaque)
{
	const struct bench *b = opaque;
	struct rig *disk = b->rig[0];

	if (!looks(b))
		return G_SOURCE_CONTINUE;
	for (unsigned i = 0; i < 10; i++) {
		struct rig_buf bufs[] = { rig_alloc(disk, 16), rig_alloc(disk, 512),
					  rig_alloc(disk, 1) };

		assert_int_equal(rig_do(disk, 0, bufs, 1, 2), 513);
	}
	return G_SOURCE_REMOVE;
}

static JsonObject *queue_of(JsonObject *look, const char *device, gint64 q)
{
	JsonArray *queues = json_object_get_array_member(look, "queues");

	for (guint i = 0; i < json_array_get_length(queues); i++) {
		JsonObject *o = json_node_get_object(json_array_get_element(queues, i));

		if (strcmp(json_object_get_string_member(o, "device"), device) == 0 &&
		    json_object_get_int_member(o, "queue") == q)
			return o;
	}
	fail_msg("%s/%d is not there", device, (int)q);
	return NULL;
}

/* Rates are what happened by the time that passed, which is somewhat more than what was asked. */
static void expect_rate(JsonObject *queue, const char *name, double most)
{
	double rate = json_object_get_double_member(queue, name);

	assert_true(rate <= most && rate > 0);
}

static void one_look_as_json_has_what_happened_meanwhile(void **state)
{
	struct bench *b = *state;
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *look, *disk;
	struct run run;

	add_devices(b);
	b->name = "vm \"1\"";
	b->checks = true;
	g_timeout_add(1, read_ten, b);
	run = run_top(b, "--once --json --interval 1");
	assert_true(run.ok);
	assert_true(json_parser_load_from_data(parser, run.out, -1, NULL));
	look = json_node_get_object(json_parser_get_root(parser));
	assert_string_equal(json_object_get_string_member(look, "name"), "vm \"1\"");
	assert_string_equal(json_object_get_string_member(look, "status"), "running");
	disk = queue_of(look, "disk", 0);
	expect_rate(disk, "chains", 10);
	expect_rate(disk, "kicks", 10);
	expect_rate(disk, "bytes-read", 160);
	expect_rate(disk, "bytes-written", 5130);
	assert_int_equal(json_object_get_double_member(disk, "batch"), 1);
	assert_int_equal(json_object_get_int_member(disk, "depth"), 0);
	assert_int_equal(json_object_get_int_member(disk, "size"), 16);
	assert_true(json_object_get_boolean_member(disk, "started"));
	/* What the stand-in measured between two questions. */
	assert_int_equal(json_object_get_int_member(disk, "measured"), 100);
	assert_in_range(json_object_get_double_member(disk, "p50-ns"), 1000, 1032);
	assert_in_range(json_object_get_double_member(disk, "p99.9-ns"), 5000000, 5160000);
	assert_false(json_object_get_boolean_member(queue_of(look, "net0", 1), "started"));
	run_clear(&run);
}

static void one_look_as_lines_has_queues_that_are_in_use(void **state)
{
	struct bench *b = *state;
	struct run run;

	add_devices(b);
	run = run_top(b, "--once --interval 0.2 --sort chains");
	assert_true(run.ok);
	assert_non_null(strstr(run.out, "ringside top - running, 0 chains/s"));
	assert_non_null(strstr(run.out, "\nDEVICE         Q TYPE       ON    KICKS/s"));
	assert_non_null(strstr(run.out, "\ndisk           0 blk        pci"));
	assert_null(strstr(run.out, "net0"));
	run_clear(&run);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *options, *said;
	} mistakes[] = {
		{ "--sort size", "--sort 'size': it is one of device kicks" },
		{ "--interval 0", "--interval is from 0.1 to 60 seconds" },
		{ "--interval nan", "--interval is from 0.1 to 60 seconds" },
		{ "--once elsewhere", "one PATH of a control socket" },
		{ "--twice", "--twice" },
		{ "", "this is no terminal; --once prints one look" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(mistakes); i++) {
		struct run run = run_top(b, mistakes[i].options);

		assert_false(run.ok);
		if (!strstr(run.err->message, mistakes[i].said))
			fail_msg("%s: %s", mistakes[i].options, run.err->message);
		run_clear(&run);
	}
}

static gboolean end_machine(void *opaque)
{
	struct bench *b = opaque;

	if (looks(b) < 2)
		return G_SOURCE_CONTINUE;
	control_free(g_steal_pointer(&b->ctl));
	return G_SOURCE_REMOVE;
}

static void the_machines_end_is_no_mistake(void **state)
{
	struct bench *b = *state;
	struct run run;

	g_timeout_add(1, end_machine, b);
	run = run_top(b, "--json --interval 0.1");
	assert_true(run.ok);
	assert_true(g_str_has_prefix(run.out,
				     "{\"name\":\"\",\"status\":\"running\",\"queues\":[]}\n"));
	run_clear(&run);
}

/*
 * Columns.
 */
static void a_table_fits_its_width(void **state)
{
	struct top_queue queue = { .device = (char *)"a-disk-with-a-long-name",
				   .type = (char *)"blk",
				   .transport = (char *)"mmio",
				   .size = 32768,
				   .started = true,
				   .in_flight = 32768,
				   .violations = 1u << 30,
				   .fault = (char *)"indirect-address" };
	struct top_row row = { .queue = &queue,
			       .checked = true,
			       .batch = 1e6,
			       .suppressed = 1,
			       .measured = 1,
			       .p50 = 999.6,
			       .p90 = 1.5e9,
			       .p99 = 60e9,
			       .p999 = 3.6e12 };

	(void)state;
	for (unsigned i = 0; i < N_TOP_FIGURES; i++)
		row.rate[i] = 9.9949e14;
	for (unsigned width = 40; width <= 220; width++) {
		g_autofree char *heading = top_heading(width), *line = top_line(&row, width);

		assert_true(strlen(heading) <= width);
		assert_true(strlen(line) <= width);
		assert_true(g_str_has_prefix(line, "a-disk-with-"));
		assert_int_equal(!!strstr(heading, "p99.9"), width >= 112);
		assert_int_equal(!!strstr(heading, "BROKEN"), width >= 75);
	}
}

static void the_busiest_come_first(void **state)
{
	struct top_queue queue[3] = { { .q = 0 }, { .q = 1, .in_flight = 1 }, { .q = 2 } };
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct top_row));

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct top_row row = { .queue = &queue[i], .rate[TOP_CHAINS] = i == 2 ? 5 : 0 };

		g_array_append_val(rows, row);
	}
	top_sort_rows(rows, top_sort_find("chains"));
	assert_int_equal(g_array_index(rows, struct top_row, 0).queue->q, 2);
	assert_int_equal(g_array_index(rows, struct top_row, 1).queue->q, 0);
	top_sort_rows(rows, top_sort_find("depth"));
	assert_int_equal(g_array_index(rows, struct top_row, 0).queue->q, 1);
	g_array_unref(rows);
}

/*
 * A terminal.
 */
struct tmux {
	const struct bench *b;
	char *socket; /* of its own server */
};

/* Runs tmux with @args, words with blanks between them and @last behind them; what it prints. */
static char *tmux(const struct tmux *t, const char *args, const char *last)
{
	g_auto(GStrv) words = g_strsplit(args, " ", -1);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autoptr(GError) err = NULL;
	char *out = NULL;

	g_ptr_array_add(argv, (gpointer) "tmux");
	g_ptr_array_add(argv, (gpointer) "-S");
	g_ptr_array_add(argv, t->socket);
	g_ptr_array_add(argv, (gpointer) "-f");
	g_ptr_array_add(argv, (gpointer) "/dev/null");
	for (unsigned i = 0; words[i]; i++)
		g_ptr_array_add(argv, words[i]);
	if (last)
		g_ptr_array_add(argv, (gpointer)last);
	g_ptr_array_add(argv, NULL);
	if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL,
			  G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
			  NULL, &err))
		fail_msg("%s", err->message);
	return out;
}

/* What the terminal shows, once @text is there. */
static char *screen_with(const struct tmux *t, const char *text)
{
	gint64 end = g_get_monotonic_time() + 60ll * G_USEC_PER_SEC;
	char *shown = NULL;

	for (;;) {
		gint64 look;

		g_free(shown);
		shown = tmux(t, "capture-pane -p", NULL);
		if (strstr(shown, text))
			return shown;
		if (g_get_monotonic_time() > end)
			fail_msg("'%s' does not come: %s", text, shown);
		/* From now on: tmux may have taken long, and the machine is to be asked. */
		look = g_get_monotonic_time() + G_USEC_PER_SEC / 20;
		while (g_get_monotonic_time() < look) {
			g_main_context_iteration(NULL, FALSE);
			g_usleep(1000);
		}
	}
}

static void expect_screen(const struct tmux *t, const char *text)
{
	g_free(screen_with(t, text));
}

static void press(const struct tmux *t, const char *key)
{
	g_free(tmux(t, "send-keys", key));
}

static void expect_width(const char *shown, size_t width)
{
	g_auto(GStrv) lines = g_strsplit(shown, "\n", -1);

	for (unsigned i = 0; lines[i]; i++)
		assert_true(strlen(lines[i]) <= width);
}

static void show(const struct tmux *t, unsigned width)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *args = g_strdup_printf("new-session -d -x %u -y 24", width);
	g_autofree char *command = g_strdup_printf("exec %s top --interval 0.1 %s", self,
						   t->b->path);

	g_free(tmux(t, args, command));
}

static void leave(struct tmux *t)
{
	gint64 end = g_get_monotonic_time() + 60ll * G_USEC_PER_SEC;
	g_autofree char *left = NULL;

	press(t, "q");
	do { /* its server goes with the only program */
		g_free(left);
		left = tmux(t, "list-sessions", NULL);
		assert_true(g_get_monotonic_time() < end);
		g_main_context_iteration(NULL, FALSE);
	} while (*left);
	(void)unlink(t->socket);
	g_free(t->socket);
}

static void a_terminal_of_80_columns_is_filled(void **state)
{
	struct bench *b = *state;
	struct tmux t = { b, g_build_filename(b->dir, "tmux", NULL) };
	g_autofree char *shown = NULL;

	add_devices(b);
	show(&t, 80);
	g_free(screen_with(&t, "\ndisk           0"));
	shown = screen_with(&t, "1.0us"); /* as the stand-in measures */
	expect_width(shown, 80);
	assert_non_null(strstr(shown, "ringside top - running"));
	assert_non_null(strstr(shown, "p99"));
	assert_null(strstr(shown, "p99.9"));
	assert_non_null(strstr(shown, "arrows: pick  Enter: its ring"));
	press(&t, "s");
	expect_screen(&t, "sorted by kicks, every 0.1 s");
	press(&t, "p");
	expect_screen(&t, "paused");
	press(&t, "p");
	press(&t, "-");
	expect_screen(&t, "sorted by kicks, every 0.2 s\n");
	leave(&t);
}

static void a_terminal_of_200_columns_shows_all(void **state)
{
	struct bench *b = *state;
	struct tmux t = { b, g_build_filename(b->dir, "tmux", NULL) };
	g_autofree char *shown = NULL;

	add_devices(b);
	show(&t, 200);
	shown = screen_with(&t, "\ndisk           0 blk        pci");
	expect_width(shown, 200);
	assert_non_null(strstr(shown, "p99.9"));
	assert_non_null(strstr(shown, "STATE"));
	g_free(tmux(&t, "resize-window -x 60 -y 12", NULL));
	g_free(shown);
	shown = screen_with(&t, "\narrows: pick  Enter: its ring  s: sort  +/-: faster, slower");
	expect_width(shown, 60);
	leave(&t);
}

static void a_ring_is_shown_as_it_stands(void **state)
{
	struct bench *b = *state;
	struct tmux t = { b, g_build_filename(b->dir, "tmux", NULL) };
	struct rig *keys = bench_add(b, "keys", "input,queue-size=16");
	struct rig_buf buf;

	rig_start(keys, RIG_NONE);
	buf = rig_alloc(keys, 8);
	rig_submit(keys, 0, &buf, 0, 1);
	rig_submit(keys, 0, &buf, 0, 1);
	show(&t, 80);
	expect_screen(&t, "\nkeys           1");
	press(&t, "Enter");
	expect_screen(&t, "split ring, 16 descriptors: 0 the device's, 2 available to it, 14 the "
			  "driver's");
	expect_screen(&t, "device: takes next at 0; gives back next at 0");
	expect_screen(&t, "driver: avail idx 2; device: used idx 0");
	expect_screen(&t, "    1  available");
	press(&t, "a");
	expect_screen(&t, "    2  driver");
	press(&t, "Down");
	press(&t, "Down");
	expect_screen(&t, "   15  driver");
	press(&t, "Enter");
	expect_screen(&t, "DEVICE");
	press(&t, "Down");
	press(&t, "Enter");
	expect_screen(&t, "keys queue 1");
	expect_screen(&t, "0 available to it, 16 the driver's");
	leave(&t);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

/* Beside being the tests it is, in a terminal, the program that is tested. */
int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_look_as_json_has_what_happened_meanwhile),
		TEST(one_look_as_lines_has_queues_that_are_in_use),
		TEST(mistakes_are_named),
		TEST(the_machines_end_is_no_mistake),
		cmocka_unit_test(a_table_fits_its_width),
		cmocka_unit_test(the_busiest_come_first),
		TEST(a_terminal_of_80_columns_is_filled),
		TEST(a_terminal_of_200_columns_shows_all),
		TEST(a_ring_is_shown_as_it_stands),
	};

	if (argc > 1 && strcmp(argv[1], "top") == 0)
		return !top_command(argv + 1, stdout, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
