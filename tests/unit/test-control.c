/* The control socket over a real socket: the protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/control-bench.h"
#include "vmm/control/frame.h"

/*
 * The protocol.
 */
static void the_greeting_is_qmps(void **state)
{
	struct qmp *c = qmp_connect(*state);

	qmp_expect(c, "\"package\":\"ringside\"},\"capabilities\":[]}}");
	qmp_hang_up(c);
}

static void capabilities_come_first_and_once(void **state)
{
	struct qmp *c = qmp_connect(*state);

	qmp_expect(c, "QMP");
	qmp_say(c, "{\"execute\":\"query-status\"}\n{\"execute\":\"no-such\"}\n");
	qmp_expect_error(c, "CommandNotFound", "qmp_capabilities");
	qmp_expect_error(c, "CommandNotFound", "qmp_capabilities");
	qmp_say(c, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}\n");
	qmp_expect_error(c, "GenericError", "'enable[0]' of qmp_capabilities has no value");
	qmp_say(c, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}\n");
	qmp_expect(c, "{\"return\":{}}");
	qmp_say(c, CAPABILITIES);
	qmp_expect_error(c, "CommandNotFound", "already");
	qmp_hang_up(c);
}

static void requests_need_no_line_ends(void **state)
{
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, "{\"execute\":\"query-status\",\"id\":1}{\"execute\":");
	qmp_expect(c, "\"id\":1");
	qmp_say(c, "\"query-status\" , \"id\" :\n\n2 }");
	qmp_expect(c, "\"id\":2");
	qmp_say(c, "\r\n{ \"id\": \"}{\\\"\", \"execute\": \"query-status\"}");
	qmp_expect(c, "\"id\":\"}{\\\"\"");
	qmp_hang_up(c);
}

static void any_id_comes_back(void **state)
{
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, "{\"execute\":\"query-status\",\"id\":{\"a\":[1,null,\"\xc3\xa4\"]}}\n");
	qmp_expect(c, "\"id\":{\"a\":[1,null,\"\xc3\xa4\"]}}");
	qmp_say(c, "{\"execute\":\"none\",\"id\":null}\n");
	qmp_expect_error(c, "CommandNotFound", "\"id\":null}");
	qmp_say(c, "{\"id\":7}\n");
	qmp_expect_error(c, "GenericError", "\"id\":7}");
	qmp_hang_up(c);
}

static void what_is_no_request_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "hello\n", "no JSON object" },
		{ "\"text\"\n", "no JSON object" },
		{ "17\n", "no JSON object" },
		{ "[]\n", "no JSON object" },
		{ "[1,2}\n", "no JSON" },
		{ "{]\n", "no JSON" },
		{ "{\"execute\" \"quit\"}\n", "no JSON" },
		{ "{\"execute\":quit}\n", "no JSON" },
		{ "{\"a\":\xff\xfe}\n", "UTF-8" },
		{ "{\"execute\":\"a\xc3\"}\n", "UTF-8" },
		{ "{}\n", "needs 'execute'" },
		{ "{\"execute\":1}\n", "needs 'execute'" },
		{ "{\"execute\":null}\n", "needs 'execute'" },
		{ "{\"execute\":{}}\n", "needs 'execute'" },
		{ "{\"execute\":\"quit\",\"arguments\":[]}\n", "must be an object" },
		{ "{\"execute\":\"quit\",\"arguments\":null}\n", "must be an object" },
		{ "{\"execute\":\"quit\",\"more\":1}\n", "no member 'more'" },
		{ "{\"execute\":\"quit\",\"arguments\":{\"now\":true}}\n", "no argument 'now'" },
		{ "{\"execute\":\"query-virtio-status\"}\n", "needs argument 'path'" },
		{ "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":1}}\n",
		  "must be a string" },
		{ "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"a\","
		  "\"queue\":\"0\"}}\n",
		  "must be an integer" },
	};
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		qmp_say(c, bad[i].text);
		qmp_expect_error(c, "GenericError", bad[i].why);
	}
	qmp_say(c, "{\"execute\":\"exec\"}\n");
	qmp_expect_error(c, "CommandNotFound", "'exec'");
	assert_int_equal(b->quits, 0);
	qmp_expect_silence(c);
	qmp_hang_up(c);
}

static void too_much_is_refused(void **state)
{
	g_autofree char *deep = g_strnfill(100000, '['), *longest = g_strnfill(70000, 'x');
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, deep);
	qmp_say(c, "\n");
	qmp_expect_error(c, "GenericError", "too deeply");
	qmp_say(c, "{\"execute\":\"");
	for (size_t i = 0; i < 70000; i += 10000) {
		g_autofree char *part = g_strndup(longest + i, 10000);

		qmp_say(c, part);
		for (unsigned k = 0; k < 10; k++)
			g_main_context_iteration(NULL, FALSE);
	}
	qmp_say(c, "\"}\n");
	qmp_expect_error(c, "GenericError", "too long");
	qmp_say(c, "{\"execute\":\"query-status\"}\n");
	qmp_expect(c, "running");
	qmp_hang_up(c);
}

/* Cut and corrupted requests: whatever comes back, the socket goes on. */
static void corrupted_requests_break_nothing(void **state)
{
	static const char *const seeds[] = {
		"{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"key\","
		"\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"a\"}}}]}}",
		"{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"\\u0000\\ud800x\","
		"\"queue\":1e99},\"id\":[-0.0,99999999999999999999,true]}",
		"{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}",
	};
	const char junk[] = "{}[]\",:\\0e-9.tfn\n \x80\xff";
	struct qmp *c = qmp_greet(*state);
	uint32_t seed = 1;

	for (unsigned i = 0; i < 3000; i++) {
		g_autofree char *text = g_strdup(seeds[i % 3]);
		size_t len = strlen(text);

		for (unsigned k = 0; k <= i % 4; k++) {
			seed = seed * 1664525u + 1013904223u;
			text[(seed >> 8) % len] = junk[(seed >> 24) % (sizeof(junk) - 1)];
		}
		qmp_say(c, text);
		qmp_say(c, "\n");
		while (g_main_context_iteration(NULL, FALSE))
			;
		{ /* answers are of no interest */
			char buf[65536];

			while (recv(c->fd, buf, sizeof(buf), 0) > 0)
				;
		}
	}
	qmp_hang_up(c);
	c = qmp_greet(*state);
	qmp_say(c, "{\"execute\":\"query-status\"}");
	qmp_expect(c, "running");
	qmp_hang_up(c);
}

static void a_client_that_reads_nothing_is_hung_up_on_at_last(void **state)
{
	static const char request[] = "{\"execute\":\"query-commands\"}\n";
	struct bench *b = *state;
	struct qmp *deaf = qmp_greet(b), *c = qmp_greet(b);
	ssize_t sent = 0, n;

	/* Its requests are not read any more once enough is unsent. */
	do {
		n = send(deaf->fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
		while (g_main_context_iteration(NULL, FALSE))
			;
		sent += n > 0 ? n : 0;
		assert_true(sent < 16 << 20);
	} while (n > 0);
	/* But events come unasked. */
	for (unsigned i = 0; i < 60000; i++)
		control_event("SHUTDOWN", true, b->ctl);
	while (g_main_context_iteration(NULL, FALSE))
		;
	n = send(deaf->fd, request, 1, MSG_NOSIGNAL);
	assert_int_equal(n, -1);
	qmp_hang_up(deaf);
	qmp_hang_up(c);
}

/*
 * Commands.
 */
static void commands_reach_the_machine(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, "{\"execute\":\"query-status\"}");
	qmp_expect(c,
		   "{\"return\":{\"running\":true,\"singlestep\":false,\"status\":\"running\"}}");
	qmp_say(c, "{\"execute\":\"stop\"}");
	qmp_expect(c, "\"event\":\"STOP\"}");
	qmp_expect(c, "{\"return\":{}}");
	qmp_say(c, "{\"execute\":\"query-status\"}");
	qmp_expect(c, "{\"running\":false,\"singlestep\":false,\"status\":\"paused\"}");
	qmp_say(c, "{\"execute\":\"cont\"}");
	qmp_expect(c, "RESUME");
	qmp_expect(c, "return");
	qmp_say(c, "{\"execute\":\"system_powerdown\"}");
	qmp_expect(c, "POWERDOWN");
	qmp_expect(c, "return");
	qmp_say(c, "{\"execute\":\"system_reset\"}");
	qmp_expect(c, "\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}}");
	qmp_expect(c, "return");
	assert_int_equal(b->quits, 0);
	qmp_say(c, "{\"execute\":\"quit\",\"id\":1}");
	qmp_expect(c, "{\"return\":{},\"id\":1}");
	assert_int_equal(b->quits, 1);
	assert_int_equal(b->stops, 1);
	assert_int_equal(b->conts, 1);
	assert_int_equal(b->powerdowns, 1);
	assert_int_equal(b->resets, 1);
	qmp_hang_up(c);
}

static void the_serial_port_is_sent_a_break(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, "{\"execute\":\"chardev-send-break\",\"arguments\":{\"id\":\"serial0\"}}");
	qmp_expect(c, "{\"return\":{}}");
	assert_int_equal(b->breaks, 1);
	qmp_say(c, "{\"execute\":\"chardev-send-break\",\"arguments\":{\"id\":\"serial1\"}}");
	qmp_expect_error(c, "GenericError", "serial0");
	assert_int_equal(b->breaks, 1);
	qmp_say(c, "{\"execute\":\"chardev-send-break\",\"arguments\":{\"id\":\"serial0\"}}");
	qmp_expect_error(c, "GenericError", "no serial port");
	qmp_hang_up(c);
}

static void versions_and_commands_are_told(void **state)
{
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, "{\"execute\":\"query-version\"}");
	qmp_expect(c, "\"package\":\"ringside\"");
	qmp_say(c, "{\"execute\":\"query-commands\"}");
	qmp_expect(c, "{\"name\":\"query-commands\"}");
	qmp_hang_up(c);
}

static void accesses_that_nobody_answered_are_told(void **state)
{
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, "{\"execute\":\"query-unanswered\"}");
	qmp_expect(c, "{\"return\":["
		      "{\"space\":\"io\",\"address\":64,\"reads\":95000,\"writes\":0,\"bytes\":1,"
		      "\"exact\":true,\"name\":\"interval timer\",\"given-by\":\"--pc pit=on\"},"
		      "{\"space\":\"memory\",\"address\":4275044592,\"reads\":0,\"writes\":7,"
		      "\"bytes\":8,\"exact\":false}]}");
	qmp_hang_up(c);
}

static void broken_rules_are_told(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, "{\"execute\":\"query-check\"}");
	qmp_expect(c, "the run has no --check");
	b->checks = true;
	qmp_say(c, "{\"execute\":\"query-check\"}");
	qmp_expect(c, "{\"return\":[{\"device\":\"blk0\",\"rule\":\"blk-length\","
		      "\"clause\":\"DRV-BLK-OP-06\",\"section\":\"5.2.6.1\",\"level\":\"MUST\","
		      "\"advice\":false,\"text\":\"text\",\"seen\":\"500 bytes\",\"queue\":0,"
		      "\"head\":7,\"count\":3,\"first-us\":1500000,\"last-us\":2000000},"
		      "{\"device\":\"blk0\",\"rule\":\"next\",\"section\":\"2.7.5\",");
	qmp_hang_up(c);
}

static void registers_are_told(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, "{\"execute\":\"query-registers\"}");
	qmp_expect(c,
		   "{\"return\":[{\"cpu-index\":0,\"state\":\"halted\",\"symbol\":\"cpu_idle+0x2\","
		   "\"code\":\"f40b\",\"registers\":{\"rax\":\"0xffffffffffffffff\","
		   "\"cs\":\"0x8\"}},{\"cpu-index\":1,");
	b->vcpus_error = -EBUSY;
	qmp_say(c, "{\"execute\":\"query-registers\"}");
	qmp_expect(c, "registers: Device or resource busy");
	qmp_hang_up(c);
}

static void events_come_with_a_time_and_to_those_greeted(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b), *shy = qmp_connect(b);
	g_autofree char *line = NULL;

	qmp_expect(shy, "QMP");
	control_event("SHUTDOWN", true, b->ctl);
	line = qmp_hear(c);
	assert_true(g_str_has_prefix(line, "{\"timestamp\":{\"seconds\":"));
	assert_non_null(strstr(line, "\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,"
				     "\"reason\":\"guest-shutdown\"}}"));
	control_event("GUEST_PANICKED", true, b->ctl);
	qmp_expect(c, "\"action\"");
	control_event("STOP", false, NULL);
	qmp_expect_silence(shy);
	qmp_expect_silence(c);
	qmp_hang_up(c);
	qmp_hang_up(shy);
}

static void several_clients_at_once_and_one_after_the_other(void **state)
{
	struct qmp *c[CONTROL_DEPTH_MAX];
	struct bench *b = *state;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 16; i++)
			c[i] = qmp_greet(b);
		c[16] = qmp_connect(b); /* one too many */
		assert_null(qmp_hear(c[16]));
		qmp_hang_up(c[16]);
		for (unsigned i = 16; i-- > 0;) {
			qmp_say(c[i], "{\"execute\":\"query-status\"}");
			qmp_expect(c[i], "running");
			qmp_hang_up(c[i]);
		}
	}
}

/* A machine that stops turns the main loop, and clients come and go meanwhile. */
static void a_client_may_leave_in_the_middle_of_its_command(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b), *other = qmp_greet(b);

	b->turns = true;
	qmp_say(c, "{\"execute\":\"stop\"}{\"execute\":\"stop\"}");
	qmp_say(other, "{\"execute\":\"query-status\"}");
	qmp_hang_up(c);
	qmp_expect(other, "running"); /* answered while the machine stops */
	qmp_expect(other, "STOP");
	assert_int_equal(b->stops, 1); /* whoever left wants nothing more */
	qmp_say(other, "{\"execute\":\"query-status\"}");
	qmp_expect(other, "paused");
	qmp_hang_up(other);
}

static void what_is_unsent_at_the_end_is_sent(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	control_event("SHUTDOWN", true, b->ctl);
	control_free(g_steal_pointer(&b->ctl));
	qmp_expect(c, "SHUTDOWN");
	assert_null(qmp_hear(c));
	qmp_hang_up(c);
}

/*
 * The operator.
 */
static void refused(const char *spec, const char *why)
{
	g_autoptr(GError) err = NULL;

	assert_null(control_new(spec, &bench_ops, NULL, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_true(g_str_has_prefix(err->message, "--control"));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
}

static void a_bad_address_is_refused(void **state)
{
	struct bench *b = *state;

	refused("", "unix:PATH");
	refused("/tmp/s", "unix:PATH");
	refused("tcp:1", "unix:PATH");
	refused("unix:", "characters");
	refused("unix:/nonexistent/s", "No such file");
	refused(b->spec, "in use");
	refused("unix:/dev/null", "file of that name");
}

/* A guest may use up all descriptors: its connections are some. One client still gets through, and
 * after it the next. */
static void a_client_is_heard_when_descriptors_have_run_out(void **state)
{
	GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
	struct rlimit old, few;
	int fd;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ MIN(256, old.rlim_cur), old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct qmp *c;

		while ((fd = dup(STDERR_FILENO)) >= 0)
			g_array_append_val(fds, fd);
		assert_int_equal(errno, EMFILE);
		close(g_array_index(fds, int, fds->len - 1)); /* for the client's own end */
		g_array_set_size(fds, fds->len - 1);
		c = qmp_greet(*state);
		qmp_say(c, "{\"execute\":\"query-status\"}");
		qmp_expect(c, "running");
		assert_true(dup(STDERR_FILENO) < 0);
		qmp_hang_up(c);
		while (g_main_context_iteration(NULL, FALSE))
			;
	}
	for (guint i = 0; i < fds->len; i++)
		close(g_array_index(fds, int, i));
	g_array_unref(fds);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct bench *b = *state;
	g_autofree char *path = g_build_filename(b->dir, "stale", NULL);
	g_autofree char *spec = g_strdup_printf("unix:%s", path);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct control *ctl;

	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	ctl = control_new(spec, &bench_ops, b, NULL);
	assert_non_null(ctl);
	control_free(ctl);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_greeting_is_qmps),
		TEST(capabilities_come_first_and_once),
		TEST(requests_need_no_line_ends),
		TEST(any_id_comes_back),
		TEST(what_is_no_request_is_refused),
		TEST(too_much_is_refused),
		TEST(corrupted_requests_break_nothing),
		TEST(a_client_that_reads_nothing_is_hung_up_on_at_last),
		TEST(commands_reach_the_machine),
		TEST(the_serial_port_is_sent_a_break),
		TEST(versions_and_commands_are_told),
		TEST(accesses_that_nobody_answered_are_told),
		TEST(broken_rules_are_told),
		TEST(registers_are_told),
		TEST(events_come_with_a_time_and_to_those_greeted),
		TEST(several_clients_at_once_and_one_after_the_other),
		TEST(a_client_may_leave_in_the_middle_of_its_command),
		TEST(what_is_unsent_at_the_end_is_sent),
		TEST(a_bad_address_is_refused),
		TEST(a_stale_socket_is_replaced),
		TEST(a_client_is_heard_when_descriptors_have_run_out),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
