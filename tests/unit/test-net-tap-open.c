/* Taps that cannot be had, and what is said then. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-own.h"

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_main();
	return own_network() ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void refused(const struct net_options *opt, const char *text)
{
	g_autoptr(GError) err = NULL;
	struct rec r;

	assert_false(rec_open(&r, opt, loop, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, text))
		fail_msg("'%s' is not in '%s'", text, err->message);
}

static void bad_descriptors_are_refused(void **state)
{
	static const char *const bad[] = { "x", "-1", "1", "999", "3x", "" };
	g_autoptr(GPtrArray) fds = g_ptr_array_new_with_free_func(g_free);
	struct net_options opt = { .kind = NET_TAP, .n_channels = 1, .fds = fds };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char name[] = "rs0";

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_ptr_array_set_size(fds, 0);
		g_ptr_array_add(fds, g_strdup(bad[i]));
		refused(&opt, "fd=");
	}
	g_ptr_array_set_size(fds, 0);
	g_ptr_array_add(fds, g_strdup_printf("%d", fd));
	refused(&opt, "not a tap");
	opt.n_channels = 2;
	refused(&opt, "queue-pairs=2");
	opt.ifname = name;
	refused(&opt, "exclude");
	close(fd);
}

static void a_tap_that_cannot_be_had_is_explained(void **state)
{
	char missing[] = "rs7", busy[] = "rs0", loopback[] = "lo";
	struct net_options opt = { .kind = NET_TAP, .n_channels = 1 };
	int fd;

	(void)state;
	refused(&opt, "ifname=");
	opt.ifname = missing;
	refused(&opt, "ip tuntap add dev rs7 mode tap user");
	opt.n_channels = 2;
	refused(&opt, "mode tap multi_queue user");
	opt.n_channels = 1;
	opt.ifname = loopback;
	refused(&opt, "not a tap");
	tap_make("rs0", 0);
	fd = tap_open("rs0", 0);
	opt.ifname = busy;
	refused(&opt, "in use");
	close(fd);
	opt.n_channels = 2;
	refused(&opt, "several queues");
	tap_remove("rs0", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_descriptors_are_refused),
		cmocka_unit_test(a_tap_that_cannot_be_had_is_explained),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
