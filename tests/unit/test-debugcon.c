/* The debug console: what a kernel writes to its port arrives on the host, and nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "vmm/console/debugcon.h"

struct fixture {
	struct loop *main;
	struct bus *bus;
	char *dir, *path;
	struct debugcon *con;
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);
	g_autofree char *spec = NULL;
	GError *err = NULL;

	f->main = loop_main();
	f->bus = bus_new();
	f->dir = g_dir_make_tmp("debugcon.XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "out", NULL);
	spec = g_strconcat("file:", f->path, NULL);
	f->con = debugcon_new(chr_open(spec, NULL, "--debugcon", &err), f->main, &err);
	assert_null(err);
	assert_int_equal(debugcon_plug(f->con, f->bus), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	debugcon_free(f->con);
	bus_free(f->bus);
	loop_free(f->main);
	g_unlink(f->path);
	g_rmdir(f->dir);
	g_free(f->path);
	g_free(f->dir);
	g_free(f);
	return 0;
}

static void print(struct fixture *f, const char *text)
{
	for (; *text; text++)
		bus_write(f->bus, true, 0xe9, 1, (uint8_t)*text);
}

static void assert_arrived(struct fixture *f, const char *text)
{
	g_autofree char *found = NULL;

	assert_true(g_file_get_contents(f->path, &found, NULL, NULL));
	assert_string_equal(found, text);
}

/* By itself, without anybody who asks for it. */
static void what_is_written_arrives(void **state)
{
	struct fixture *f = *state;
	g_autofree char *found = NULL;

	print(f, "hello\n");
	do {
		g_main_context_iteration(NULL, TRUE);
		g_clear_pointer(&found, g_free);
		assert_true(g_file_get_contents(f->path, &found, NULL, NULL));
	} while (!*found);
	assert_string_equal(found, "hello\n");
}

static void flushing_waits_for_nothing(void **state)
{
	struct fixture *f = *state;

	print(f, "one");
	debugcon_flush(f->con);
	assert_arrived(f, "one");
	print(f, " two");
	debugcon_flush(f->con);
	assert_arrived(f, "one two");
}

static void what_is_left_is_written_in_the_end(void **state)
{
	struct fixture *f = *state;

	print(f, "last words");
	g_clear_pointer(&f->con, debugcon_free);
	assert_arrived(f, "last words");
	assert_int_equal(bus_read(f->bus, true, 0xe9, 1), 0xff); /* it is gone */
}

/* By which a kernel knows that it is there. */
static void reading_gives_the_ports_number(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bus_read(f->bus, true, 0xe9, 1), 0xe9);
	bus_write(f->bus, true, 0xe9, 2, 0x4141); /* no byte */
	bus_write(f->bus, true, 0xea, 1, 0x41);
	debugcon_flush(f->con);
	assert_arrived(f, "");
}

static void firmware_has_a_port_of_its_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bus_read(f->bus, true, 0x402, 1), 0xe9);
	bus_write(f->bus, true, 0x402, 1, 'F');
	print(f, "K");
	debugcon_flush(f->con);
	assert_arrived(f, "FK");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_arrives),
		CASE(flushing_waits_for_nothing),
		CASE(what_is_left_is_written_in_the_end),
		CASE(reading_gives_the_ports_number),
		CASE(firmware_has_a_port_of_its_own),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
