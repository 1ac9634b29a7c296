/* The control socket over a real socket: what it tells of devices, and input for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "devices/core/state.h"
#include "devices/input/input.h"
#include "tests/support/control-bench.h"
#include "vmm/control/keys.h"

/*
 * Devices.
 */
/* The device has room for eight of the longest reports, when the driver gives no buffers. */
static void reports_that_were_dropped_are_counted(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input");
	struct input_ev report[INPUT_REPORT_MAX - 1];
	struct qmp *c = qmp_greet(b);

	for (unsigned i = 0; i < G_N_ELEMENTS(report); i++)
		report[i] = (struct input_ev){ EV_KEY, KEY_A, i % 2 };
	rig_start(r, RIG_NONE);
	for (unsigned i = 0; i < 10; i++)
		assert_true(input_send(rig_dev(r), report, G_N_ELEMENTS(report)));
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"reports-dropped\":2}");
	qmp_hang_up(c);
}

static void devices_and_queues_are_told(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input,queue-size=16");
	struct rig_buf buf;
	struct qmp *c;

	bench_add(b, "mouse0", "input,type=mouse");
	c = qmp_greet(b);
	qmp_say(c, "{\"execute\":\"query-virtio\"}");
	qmp_expect(c, "[{\"path\":\"keys\",\"name\":\"input\",\"transport\":\"pci\"},"
		      "{\"path\":\"mouse0\",\"name\":\"input\",\"transport\":\"mmio\"}]");
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"status\":[],");
	rig_start(r, RIG_NONE);
	buf = rig_alloc(r, 8);
	rig_submit(r, 0, &buf, 0, 1);
	rig_submit(r, 0, &buf, 0, 1);
	rig_do(r, 1, &buf, 1, 0);
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"status\":[\"ACKNOWLEDGE\",\"DRIVER\",\"FEATURES_OK\",\"DRIVER_OK\"],"
		      "\"host-features\":[");
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"guest-features\":[32],\"guest-feature-names\":[\"version_1\"],"
		      "\"leds\":0,\"reports-dropped\":0}");
	qmp_say(c, "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\","
		   "\"queue\":1}}");
	qmp_expect(c,
		   "[{\"queue\":1,\"size\":16,\"size-max\":16,\"enabled\":true,\"started\":true,");
	qmp_say(c, "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\","
		   "\"queue\":1}}");
	qmp_expect(c, "\"next-avail\":1,\"next-used\":1,\"in-flight\":0,");
	qmp_say(c, "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "},{\"queue\":1,");
	for (unsigned i = 0; i < 2; i++) {
		qmp_say(c,
			i ? "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\","
			    "\"queue\":2}}"
			  : "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\","
			    "\"queue\":-1}}");
		qmp_expect_error(c, "GenericError", "queues 0 to 1");
	}
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"no\"}}");
	qmp_expect_error(c, "GenericError", "no device 'no'");
	qmp_hang_up(c);
}

static void a_queues_fault_is_told(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input");
	struct rig_buf buf;
	struct qmp *c;

	rig_start(r, RIG_NONE);
	buf = rig_alloc(r, 8);
	buf.gpa = UINT64_MAX - 4;
	rig_submit(r, 1, &buf, 1, 0);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	c = qmp_greet(b);
	qmp_say(c, "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\","
		   "\"queue\":1}}");
	qmp_expect(c, "\"fault\":\"address\"");
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"DEVICE_NEEDS_RESET\"");
	qmp_hang_up(c);
}

static void stats_are_told_by_object(void **state)
{
	struct bench *b = *state;
	struct qmp *c;

	bench_add(b, "keys", "input");
	c = qmp_greet(b);
	qmp_say(c, "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\"}}");
	qmp_expect(c, "{\"return\":[{\"provider\":\"ringside\",\"object\":\"vcpu0\",\"stats\":["
		      "{\"name\":\"exits-io\",\"value\":7},{\"name\":\"exits-mmio\",\"value\":8}]},"
		      "{\"provider\":\"ringside\",\"object\":\"vcpu1\",\"stats\":["
		      "{\"name\":\"exits-io\",\"value\":9}]}]}");
	qmp_say(c, "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}");
	qmp_expect(c, "{\"return\":[{\"provider\":\"ringside\",\"object\":\"keys/0\",\"stats\":["
		      "{\"name\":\"kicks\",\"value\":0},");
	qmp_say(c, "{\"execute\":\"query-stats\"}");
	qmp_expect(c, "\"object\":\"keys/1\"");
	qmp_say(c, "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\","
		   "\"vcpus\":[\"vcpu1\"]}}");
	qmp_expect(c, "{\"return\":[{\"provider\":\"ringside\",\"object\":\"vcpu1\",\"stats\":["
		      "{\"name\":\"exits-io\",\"value\":9}]}]}");
	qmp_say(c, "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"moon\"}}");
	qmp_expect_error(c, "GenericError", "target");
	qmp_hang_up(c);
}

/* A driver that waits for the main thread, which has the device's queues and is here: as when a
 * queue is stopped from a vCPU. */
static void *reset(void *dev)
{
	vdev_set_status(dev, 0);
	return NULL;
}

static void a_question_does_not_wait_for_who_waits_for_us(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input");
	struct qmp *c = qmp_greet(b);
	GThread *thread;

	rig_start(r, RIG_ALL);
	g_main_context_acquire(NULL); /* as a main thread has it that is never outside its loop */
	thread = g_thread_new("vcpu", reset, rig_dev(r));
	while (!vdev_is_changing(rig_dev(r)))
		g_usleep(100);
	qmp_say(c, "{\"execute\":\"query-virtio-queue\",\"arguments\":{\"path\":\"keys\"}}");
	qmp_expect(c, "\"queue\":0");
	while (rig_status(r))
		g_main_context_iteration(NULL, FALSE);
	g_thread_join(thread);
	g_main_context_release(NULL);
	qmp_hang_up(c);
}

/*
 * Input.
 */
#define SEND(events) "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[" events "]}}\n"
#define SEND_TO(id, events)                                                 \
	"{\"execute\":\"input-send-event\",\"arguments\":{\"device\":\"" id \
	"\",\"events\":[" events "]}}\n"
#define KEY(name, down)                              \
	"{\"type\":\"key\",\"data\":{\"down\":" down \
	",\"key\":{\"type\":\"qcode\",\"data\":\"" name "\"}}}"
#define BTN(name, down)   "{\"type\":\"btn\",\"data\":{\"down\":" down ",\"button\":\"" name "\"}}"
#define MOVE(axis, value) "{\"type\":\"rel\",\"data\":{\"axis\":\"" axis "\",\"value\":" value "}}"
#define POS(axis, value)  "{\"type\":\"abs\",\"data\":{\"axis\":\"" axis "\",\"value\":" value "}}"
#define MTT(type, more) \
	"{\"type\":\"mtt\",\"data\":{\"type\":\"" type "\",\"slot\":1,\"tracking-id\":5" more "}}"

struct receiver {
	struct rig *r;
	struct rig_buf buf[16];
	struct rig_req *req[16];
	unsigned next;
};

static void receive(struct receiver *rc, struct rig *r)
{
	*rc = (struct receiver){ .r = r };
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 16; i++) {
		rc->buf[i] = rig_alloc(r, 8);
		rc->req[i] = rig_submit(r, 0, &rc->buf[i], 0, 1);
	}
}

static void received(struct receiver *rc, uint16_t type, uint16_t code, int32_t value)
{
	const uint8_t *p = rc->buf[rc->next].p;
	struct input_ev ev;

	assert_int_equal(rig_wait(rc->r, rc->req[rc->next++]), 8);
	memcpy(&ev.type, p, 2);
	memcpy(&ev.code, p + 2, 2);
	memcpy(&ev.value, p + 4, 4);
	assert_int_equal(ev.type, type);
	assert_int_equal(ev.code, code);
	assert_int_equal(ev.value, value);
}

static void received_no_more(struct receiver *rc)
{
	rig_wait_idle(rc->r);
	assert_false(rc->req[rc->next]->done);
}

static void keys_and_movements_go_to_who_has_them(void **state)
{
	struct receiver keys, mouse;
	struct bench *b = *state;
	struct qmp *c;

	receive(&mouse, bench_add(b, "mouse0", "input,type=mouse"));
	receive(&keys, bench_add(b, "keys0", "input"));
	c = qmp_greet(b);
	qmp_say(c, SEND(KEY("shift", "true") "," KEY("a", "true")));
	qmp_expect(c, "{\"return\":{}}");
	received(&keys, EV_KEY, KEY_LEFTSHIFT, 1);
	received(&keys, EV_KEY, KEY_A, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND("{\"type\":\"key\",\"data\":{\"down\":false,\"key\":{\"type\":\"number\","
			"\"data\":30}}}"));
	qmp_expect(c, "{\"return\":{}}");
	received(&keys, EV_KEY, KEY_A, 0);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND(MOVE("x", "-3") "," MOVE("y", "4") "," BTN("left", "true") "," BTN(
			   "wheel-down", "true") "," BTN("wheel-down", "false")));
	qmp_expect(c, "{\"return\":{}}");
	received(&mouse, EV_REL, REL_X, -3);
	received(&mouse, EV_REL, REL_Y, 4);
	received(&mouse, EV_KEY, BTN_LEFT, 1);
	received(&mouse, EV_REL, REL_WHEEL, -1);
	received(&mouse, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND(KEY("ctrl", "true") "," BTN("right", "true"))); /* nobody has both */
	qmp_expect(c, "{\"return\":{}}");
	received(&keys, EV_KEY, KEY_LEFTCTRL, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&mouse, EV_KEY, BTN_RIGHT, 1);
	received(&mouse, EV_SYN, SYN_REPORT, 0);
	received_no_more(&keys);
	received_no_more(&mouse);
	qmp_hang_up(c);
}

static void positions_and_contacts_go_to_who_has_them(void **state)
{
	struct receiver mouse, tablet, touch;
	struct bench *b = *state;
	struct qmp *c;

	receive(&mouse, bench_add(b, "mouse0", "input,type=mouse"));
	receive(&tablet, bench_add(b, "tablet0", "input,type=tablet"));
	receive(&touch, bench_add(b, "touch0", "input,type=multitouch"));
	c = qmp_greet(b);
	qmp_say(c, SEND(POS("x", "32767") "," POS("y", "1") "," BTN("left", "true")));
	qmp_expect(c, "{\"return\":{}}");
	received(&tablet, EV_ABS, ABS_X, 32767);
	received(&tablet, EV_ABS, ABS_Y, 1);
	received(&tablet, EV_KEY, BTN_LEFT, 1); /* with the rest, though the mouse has one, too */
	received(&tablet, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND(MTT("begin", "") "," MTT("data", ",\"axis\":\"y\",\"value\":77") "," BTN(
			   "touch", "true")));
	qmp_expect(c, "{\"return\":{}}");
	received(&touch, EV_ABS, ABS_MT_SLOT, 1);
	received(&touch, EV_ABS, ABS_MT_TRACKING_ID, 5);
	received(&touch, EV_ABS, ABS_MT_SLOT, 1);
	received(&touch, EV_ABS, ABS_MT_POSITION_Y, 77);
	received(&touch, EV_KEY, BTN_TOUCH, 1);
	received(&touch, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND(MTT("end", "")));
	qmp_expect(c, "{\"return\":{}}");
	received(&touch, EV_ABS, ABS_MT_SLOT, 1);
	received(&touch, EV_ABS, ABS_MT_TRACKING_ID, -1);
	received(&touch, EV_SYN, SYN_REPORT, 0);
	qmp_say(c, SEND_TO("tablet0", BTN("right", "true")));
	qmp_expect(c, "{\"return\":{}}");
	received(&tablet, EV_KEY, BTN_RIGHT, 1);
	received_no_more(&mouse);
	qmp_hang_up(c);
}

#define SEND_KEY(keys, more) \
	"{\"execute\":\"send-key\",\"arguments\":{\"keys\":[" keys "]" more "}}\n"
#define QCODE(name) "{\"type\":\"qcode\",\"data\":\"" name "\"}"

static void keys_that_are_sent_come_up_again(void **state)
{
	struct bench *b = *state;
	struct receiver keys;
	struct qmp *c;

	receive(&keys, bench_add(b, "keys0", "input"));
	c = qmp_greet(b);
	qmp_say(c, SEND_KEY(QCODE("ctrl") "," QCODE("c"), ",\"hold-time\":1"));
	qmp_expect(c, "{\"return\":{}}");
	received(&keys, EV_KEY, KEY_LEFTCTRL, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&keys, EV_KEY, KEY_C, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&keys, EV_KEY, KEY_C, 0);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&keys, EV_KEY, KEY_LEFTCTRL, 0);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	/* What is held comes up before the next goes down. */
	qmp_say(c, SEND_KEY(QCODE("a"), ",\"hold-time\":60000"));
	qmp_say(c, SEND_KEY(QCODE("b"), ",\"hold-time\":60000"));
	qmp_expect(c, "{\"return\":{}}");
	qmp_expect(c, "{\"return\":{}}");
	received(&keys, EV_KEY, KEY_A, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&keys, EV_KEY, KEY_A, 0);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received(&keys, EV_KEY, KEY_B, 1);
	received(&keys, EV_SYN, SYN_REPORT, 0);
	received_no_more(&keys);
	qmp_hang_up(c);
}

static void keys_that_cannot_be_sent_are_refused_together(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);
	struct receiver keys;

	qmp_say(c, SEND_KEY(QCODE("a"), ""));
	qmp_expect_error(c, "GenericError", "key 0: no input device has it");
	receive(&keys, bench_add(b, "keys0", "input"));
	qmp_say(c, SEND_KEY(QCODE("a"), ",\"hold-time\":-1"));
	qmp_expect_error(c, "GenericError", "'hold-time'");
	qmp_say(c, SEND_KEY(QCODE("a"), ",\"hold-time\":60001"));
	qmp_expect_error(c, "GenericError", "'hold-time'");
	qmp_say(c, SEND_KEY(QCODE("a") ",{\"type\":\"number\",\"data\":0}", ""));
	qmp_expect_error(c, "GenericError", "key 1: there is no such key");
	qmp_say(c,
		SEND_KEY(
			QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE(
				"a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a") "," QCODE("a"),
			""));
	qmp_expect_error(c, "GenericError", "at most 16 keys");
	qmp_say(c, SEND_KEY("", ""));
	qmp_expect(c, "{\"return\":{}}");
	received_no_more(&keys);
	qmp_hang_up(c);
}

static void events_that_cannot_be_sent_are_refused_together(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ SEND(KEY("a", "true") "," MOVE("x", "1")), "no input device offers" },
		{ SEND(KEY("a", "true") "," KEY("nokey", "true")),
		  "'events[1].data.key.data' of input-send-event has no value 'nokey'" },
		{ SEND("{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"number\","
		       "\"data\":0}}}"),
		  "no such key" },
		{ SEND(KEY("a", "1")), "'events[0].data.down' of input-send-event must be true" },
		{ SEND(BTN("nose", "true")), "must be one of 'left', 'middle'," },
		{ SEND(MOVE("z", "1")), "axis' of input-send-event must be one of 'x', 'y'" },
		{ SEND(MOVE("x", "\"1\"")), "must be an integer" },
		{ SEND(POS("x", "32768")), "32767" },
		{ SEND(POS("x", "-1")), "32767" },
		{ SEND(MTT("dance", "")), "must be one of 'begin'," },
		{ SEND(MTT("data", "")), "needs 'axis'" },
		{ SEND("{\"type\":\"mtt\",\"data\":{\"type\":\"end\",\"slot\":10,"
		       "\"tracking-id\":0}}"),
		  "slot" },
		{ SEND("{\"type\":\"smell\",\"data\":{}}"), "must be one of 'key'" },
		{ SEND("{\"type\":\"key\"}"), "'events[0]' of input-send-event needs 'data'" },
		{ SEND("1"), "must be an object" },
		{ SEND("[]"), "must be an object" },
		{ SEND("{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\","
		       "\"data\":\"a\"},\"hard\":1}}"),
		  "'events[0].data' of input-send-event has no member 'hard'" },
		{ SEND_TO("keys1", KEY("a", "true")), "no input device 'keys1'" },
		{ SEND_TO("log", KEY("a", "true")), "no input device 'log'" },
	};
	g_autoptr(GString) many = g_string_new(NULL);
	struct bench *b = *state;
	struct receiver keys;
	struct qmp *c;

	receive(&keys, bench_add(b, "keys0", "input"));
	bench_add(b, "log", "console,chr=null");
	c = qmp_greet(b);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		qmp_say(c, bad[i].text);
		qmp_expect_error(c, "GenericError", bad[i].why);
	}
	g_string_append(many, "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[");
	for (unsigned i = 0; i < 33; i++)
		g_string_append_printf(many, "%s" KEY("a", "true"), i ? "," : "");
	g_string_append(many, "]}}");
	qmp_say(c, many->str);
	qmp_expect_error(c, "GenericError", "at most");
	qmp_say(c, SEND(""));
	qmp_expect(c, "{\"return\":{}}");
	received_no_more(&keys);
	qmp_hang_up(c);
}

static void keys_have_names_and_numbers(void **state)
{
	struct input_ev ev;
	unsigned n;

	(void)state;
	assert_int_equal(control_key("ret"), KEY_ENTER);
	assert_int_equal(control_key("kp_5"), KEY_KP5);
	assert_int_equal(control_key("f24"), KEY_F24);
	assert_int_equal(control_key(""), 0);
	assert_int_equal(control_key_number(0x1c), KEY_ENTER);
	assert_int_equal(control_key_number(0x9c), KEY_KPENTER);
	assert_int_equal(control_key_number(0x54), KEY_SYSRQ);
	assert_int_equal(control_key_number(0), 0);
	assert_int_equal(control_key_number(-1), 0);
	assert_int_equal(control_key_number(0x80), 0);
	assert_true(control_button("wheel-up", true, &ev, &n));
	assert_int_equal(n, 1);
	assert_int_equal(ev.value, 1);
	assert_true(control_button("wheel-up", false, &ev, &n));
	assert_int_equal(n, 0);
	assert_false(control_button("", true, &ev, &n));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

static void a_console_port_is_removed(void **state)
{
	struct bench *b = *state;
	struct qmp *c;

	bench_add(b, "con", "console,chr=null,port=org.test.a:null,port=b:null");
	bench_add(b, "keys", "input");
	c = qmp_greet(b);
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"con\"}}");
	qmp_expect(c, "\"ports\":[{\"id\":0,\"connected\":true,\"open\":false},"
		      "{\"id\":1,\"name\":\"org.test.a\",\"connected\":true,\"open\":false},"
		      "{\"id\":2,\"name\":\"b\",\"connected\":true,\"open\":false}]");
	qmp_say(c, "{\"execute\":\"port_remove\",\"arguments\":{\"path\":\"con\","
		   "\"port\":\"org.test.a\"}}");
	qmp_expect(c, "{}");
	qmp_say(c, "{\"execute\":\"query-virtio-status\",\"arguments\":{\"path\":\"con\"}}");
	qmp_expect(c, "\"open\":false},{\"id\":2,");
	qmp_say(c, "{\"execute\":\"port_remove\",\"arguments\":{\"path\":\"con\","
		   "\"port\":\"org.test.a\"}}");
	qmp_expect_error(c, "GenericError", "no port 'org.test.a'");
	qmp_say(c, "{\"execute\":\"port_remove\",\"arguments\":{\"path\":\"keys\","
		   "\"port\":\"b\"}}");
	qmp_expect_error(c, "GenericError", "no console 'keys'");
	qmp_say(c, "{\"execute\":\"port_remove\",\"arguments\":{\"path\":\"con\"}}");
	qmp_expect_error(c, "GenericError", "needs argument 'port'");
	qmp_hang_up(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reports_that_were_dropped_are_counted),
		TEST(devices_and_queues_are_told),
		TEST(a_queues_fault_is_told),
		TEST(a_console_port_is_removed),
		TEST(stats_are_told_by_object),
		TEST(a_question_does_not_wait_for_who_waits_for_us),
		TEST(keys_and_movements_go_to_who_has_them),
		TEST(positions_and_contacts_go_to_who_has_them),
		TEST(keys_that_are_sent_come_up_again),
		TEST(keys_that_cannot_be_sent_are_refused_together),
		TEST(events_that_cannot_be_sent_are_refused_together),
		TEST(keys_have_names_and_numbers),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
