/* What clients written for QEMU ask: its queries, and its monitor for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tests/support/control-bench.h"

#define ASK(command)            "{\"execute\":\"" command "\"}"
#define ASK_WITH(command, args) "{\"execute\":\"" command "\",\"arguments\":{" args "}}"

static void a_machine_has_a_name_or_none(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, ASK("query-name"));
	qmp_expect(c, "{\"return\":{}}");
	b->name = "lab 1";
	qmp_say(c, ASK("query-name"));
	qmp_expect(c, "{\"return\":{\"name\":\"lab 1\"}}");
	qmp_hang_up(c);
}

static void processors_have_threads(void **state)
{
	struct qmp *c = qmp_greet(*state);

	qmp_say(c, ASK("query-cpus-fast"));
	qmp_expect(c,
		   "{\"return\":[{\"cpu-index\":0,\"qom-path\":\"vcpu0\",\"thread-id\":4711,"
		   "\"target\":\"x86_64\"},{\"cpu-index\":1,\"qom-path\":\"vcpu1\",\"thread-id\":"
		   "4712,\"target\":\"x86_64\"}]}");
	qmp_hang_up(c);
}

static void disks_are_told_and_nothing_else(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	bench_add(b, "keys", "input");
	bench_add_disk(b, "d0", "");
	bench_add_disk(b, "d1", ",ro=on,cache=unsafe");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "{\"return\":[{\"device\":\"d0\",\"qdev\":\"d0\",\"type\":\"unknown\",");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "/disk\",\"node-name\":\"d0\",\"ro\":false,\"drv\":\"raw\",");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"format\":\"raw\",\"virtual-size\":1048576},\"cache\":{\"writeback\":true,"
		      "\"direct\":false,\"no-flush\":false},");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"node-name\":\"d1\",\"ro\":true,");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"no-flush\":true},\"write_threshold\":0}}]}");
	qmp_hang_up(c);
}

static void an_io_error_is_an_event(void **state)
{
	const struct vdev_io_error error = { true, VDEV_ERROR_STOP, ENOSPC };
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	bench_add_disk(b, "d0", "");
	bench_add_disk(b, "d1", ",werror=enospc");
	control_io_error("d1", &error, b->ctl);
	qmp_expect(c,
		   "\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"qom-path\":\"d1\",\"device\":\"d1\","
		   "\"node-name\":\"d1\",\"operation\":\"write\",\"action\":\"stop\","
		   "\"nospace\":true,\"reason\":\"No space left on device\"}}");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"device\":\"d0\",\"qdev\":\"d0\",\"type\":\"unknown\",\"removable\":false,"
		      "\"locked\":false,\"inserted\"");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"locked\":false,\"io-status\":\"ok\",");
	b->status = "io-error";
	qmp_say(c, ASK("query-status"));
	qmp_expect(c, "\"running\":false,\"singlestep\":false,\"status\":\"io-error\"}");
	qmp_say(c, ASK_WITH("human-monitor-command", "\"command-line\":\"info status\""));
	qmp_expect(c, "\"VM status: paused (io-error)\\r\\n\"");
	qmp_hang_up(c);
}

#define RESIZE(args) ASK_WITH("block_resize", args)

static void a_disk_is_resized(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add_disk(b, "d0", "");
	struct qmp *c = qmp_greet(b);

	bench_add_disk(b, "d1", ",ro=on");
	bench_add(b, "keys", "input");
	rig_start(r, RIG_ALL);
	qmp_say(c, RESIZE("\"device\":\"d0\",\"size\":2097152"));
	qmp_expect(c, "{\"return\":{}}");
	qmp_say(c, ASK("query-block"));
	qmp_expect(c, "\"virtual-size\":2097152}");
	assert_int_equal(rig_config64(r, 0), 4096);
	qmp_say(c, RESIZE("\"node-name\":\"d0\",\"size\":512"));
	qmp_expect(c, "{\"return\":{}}");
	assert_int_equal(rig_config64(r, 0), 1);
	qmp_hang_up(c);
}

static void a_size_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ RESIZE("\"size\":512"), "'device' or 'node-name'" },
		{ RESIZE("\"device\":\"d0\",\"node-name\":\"d0\",\"size\":512"), "not both" },
		{ RESIZE("\"device\":\"d2\",\"size\":512"), "no disk 'd2'" },
		{ RESIZE("\"device\":\"keys\",\"size\":512"), "no disk 'keys'" },
		{ RESIZE("\"device\":\"d0\",\"size\":-512"), "'size' is a number of bytes" },
		{ RESIZE("\"device\":\"d0\",\"size\":513"), "d0: a size is a multiple of" },
		{ RESIZE("\"device\":\"d0\",\"size\":0"), "d0: a size is a multiple of" },
		{ RESIZE("\"device\":\"d1\",\"size\":512"), "d1: it is read-only" },
	};
	struct bench *b = *state;
	struct rig *r = bench_add_disk(b, "d0", "");
	struct qmp *c = qmp_greet(b);

	bench_add_disk(b, "d1", ",ro=on");
	bench_add(b, "keys", "input");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		qmp_say(c, bad[i].line);
		qmp_expect_error(c, "GenericError", bad[i].why);
	}
	b->busy = true;
	qmp_say(c, RESIZE("\"device\":\"d0\",\"size\":512"));
	qmp_expect_error(c, "GenericError", "about to stop");
	assert_int_equal(rig_config64(r, 0), 2048);
	qmp_hang_up(c);
}

static void a_link_is_taken_down(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "net0", "net");
	struct qmp *c = qmp_greet(b);

	bench_add(b, "keys", "input");
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config16(r, 6), 1);
	qmp_say(c, ASK_WITH("set_link", "\"name\":\"net0\",\"up\":false"));
	qmp_expect(c, "{\"return\":{}}");
	assert_int_equal(rig_config16(r, 6), 0);
	qmp_say(c, ASK_WITH("query-virtio-status", "\"path\":\"net0\""));
	qmp_expect(c, "\"link-up\":false}");
	qmp_say(c, ASK_WITH("set_link", "\"name\":\"net0\",\"up\":true"));
	qmp_expect(c, "{\"return\":{}}");
	assert_int_equal(rig_config16(r, 6), 1);
	qmp_say(c, ASK_WITH("set_link", "\"name\":\"keys\",\"up\":true"));
	qmp_expect_error(c, "GenericError", "no network card 'keys'");
	qmp_hang_up(c);
}

/*
 * x-query-virtio-*
 */
static void devices_are_told_in_qemus_words(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input");
	struct qmp *c = qmp_greet(b);

	bench_add(b, "con", "console,chr=null");
	bench_add_disk(b, "d0", "");
	qmp_say(c, ASK("x-query-virtio"));
	qmp_expect(c, "{\"return\":[{\"path\":\"keys\",\"name\":\"virtio-input\"},"
		      "{\"path\":\"con\",\"name\":\"virtio-serial\"},"
		      "{\"path\":\"d0\",\"name\":\"virtio-blk\"}]}");
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"d0\""));
	qmp_expect(c, "\"dev-features\":[\"VIRTIO_BLK_F_SEG_MAX\",\"VIRTIO_BLK_F_BLK_SIZE\",");
	rig_start(r, RIG_NONE);
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"keys\""));
	qmp_expect(c, "\"guest-features\":{\"transports\":[\"VIRTIO_F_VERSION_1\"],"
		      "\"dev-features\":[]},\"host-features\":{\"transports\":["
		      "\"VIRTIO_RING_F_INDIRECT_DESC\",\"VIRTIO_RING_F_EVENT_IDX\",");
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"keys\""));
	qmp_expect(c, "\"broken\":false,\"disabled\":false,\"started\":true,");
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"none\""));
	qmp_expect_error(c, "GenericError", "no device 'none'");
	qmp_hang_up(c);
}

static void a_device_that_the_kernel_serves_is_told_as_such(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "vs", "vsock,guest-cid=77");
	struct qmp *c = qmp_greet(b);

	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"vs\""));
	qmp_expect(c, "\"device-id\":19,\"vhost-started\":false,");
	rig_start(r, RIG_ALL);
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"vs\""));
	qmp_expect(c, "\"name\":\"virtio-vsock\",\"device-id\":19,\"vhost-started\":true,");
	qmp_say(c, ASK_WITH("x-query-virtio-status", "\"path\":\"vs\""));
	qmp_expect(c, "\"dev-features\":[\"VIRTIO_VSOCK_F_SEQPACKET\"]");
	qmp_hang_up(c);
}

#define ELEMENT(args) ASK_WITH("x-query-virtio-queue-element", "\"path\":\"keys\"," args)

static void a_chain_in_a_ring_is_told(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input,queue-size=16");
	struct qmp *c = qmp_greet(b);
	struct rig_buf buf[2];

	qmp_say(c, ELEMENT("\"queue\":0"));
	qmp_expect_error(c, "GenericError", "not enabled");
	rig_start(r, RIG_NONE);
	buf[0] = rig_alloc(r, 8);
	buf[1] = rig_alloc(r, 5);
	rig_submit(r, 0, buf, 0, 2);
	qmp_say(c, ELEMENT("\"queue\":0,\"index\":0"));
	qmp_expect(c, ",\"len\":8,\"flags\":[\"next\",\"write\"]},{\"addr\":");
	qmp_say(c, ELEMENT("\"queue\":0,\"index\":16"));
	qmp_expect(c, ",\"len\":5,\"flags\":[\"write\"]}],\"avail\":{\"flags\":0,\"idx\":1,"
		      "\"ring\":0},\"used\":{\"flags\":0,\"idx\":0}}}");
	qmp_say(c, ELEMENT("\"queue\":2"));
	qmp_expect_error(c, "GenericError", "queues 0 to 1");
	qmp_say(c, ELEMENT("\"queue\":0,\"index\":65536"));
	qmp_expect_error(c, "GenericError", "'index' is from 0 to 65535");
	qmp_say(c, ASK_WITH("x-query-virtio-queue-status", "\"path\":\"keys\",\"queue\":0"));
	qmp_expect(c, "\"queue-index\":0,\"inuse\":0,\"vring-num\":16,\"vring-num-default\":16,");
	qmp_hang_up(c);
}

static void an_indirect_chain_is_told(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input,queue-size=16");
	struct qmp *c = qmp_greet(b);
	struct rig_buf buf[2];

	rig_start(r, RIG_ALL);
	buf[0] = rig_alloc(r, 8);
	buf[1] = rig_alloc(r, 5);
	rig_submit(r, 0, buf, 0, 2);
	qmp_say(c, ELEMENT("\"queue\":0,\"index\":0"));
	qmp_expect(c, ",\"len\":8,\"flags\":[\"next\",\"write\"]},{\"addr\":");
	qmp_hang_up(c);
}

static void a_packed_ring_is_refused(void **state)
{
	struct bench *b = *state;
	struct rig *r = bench_add(b, "keys", "input,ring=packed");
	struct qmp *c = qmp_greet(b);

	rig_start(r, RIG_ALL);
	qmp_say(c, ELEMENT("\"queue\":0"));
	qmp_expect_error(c, "GenericError", "packed");
	qmp_hang_up(c);
}

/*
 * The monitor.
 */
#define TYPE(line) ASK_WITH("human-monitor-command", "\"command-line\":\"" line "\"")

static void the_monitor_answers_in_qemus_words(void **state)
{
	static const struct {
		const char *line, *answer;
	} said[] = {
		{ TYPE("info status"), "\"VM status: running\\r\\n\"" },
		{ TYPE(" info \\t status "), "\"VM status: running\\r\\n\"" },
		{ TYPE("info cpus"),
		  "\"* CPU #0: thread_id=4711\\r\\n  CPU #1: thread_id=4712\\r\\n\"" },
		{ TYPE("info registers"),
		  "\"\\r\\nCPU#0\\r\\nRAX=ffffffffffffffff CS =0008\\r\\nHLT=1\\r\\n\"" },
		{ TYPE("info block"),
		  "disk (raw, read-only)\\r\\n    Attached to:      d0\\r\\n    Cache "
		  "mode:       writeback\\r\\n\"" },
		{ TYPE("info network"),
		  "net0: index=0,type=nic,model=virtio-net-mmio,macaddr=02:00:"
		  "00:00:00:07\\r\\n \\\\ net0.backend: index=0,type=user,user\\r\\n\"" },
		{ TYPE("info virtio"), "\"d0 [virtio-blk]\\r\\nnet0 [virtio-net]\\r\\n\"" },
		{ TYPE("info version"), "\"0.1.0 (ringside)\\r\\n\"" },
		{ TYPE("info name"), "\"\"" },
		{ TYPE("help"), "info status -- " },
		{ TYPE("?"), "quit|q -- end the run" },
		{ TYPE("info"), "\"info block -- " },
		{ TYPE(""), "\"\"" },
		{ TYPE("info nothing"), "\"unknown command: 'info nothing'\\r\\n\"" },
		{ TYPE("make coffee"), "\"unknown command: 'make'\\r\\n\"" },
		{ TYPE("help stop"), "\"stop|s -- pause the guest\\r\\n\"" },
		{ TYPE("help info"), "\"info block -- " },
		{ TYPE("help nothing"), "\"\"" },
		{ TYPE("stop now"), "\"stop: extraneous characters at the end of line\\r\\n\"" },
	};
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	bench_add_disk(b, "d0", ",ro=on");
	bench_add(b, "net0", "net,mac=02:00:00:00:00:07");
	for (size_t i = 0; i < G_N_ELEMENTS(said); i++) {
		qmp_say(c, said[i].line);
		qmp_expect(c, said[i].answer);
	}
	assert_int_equal(b->stops, 0);
	qmp_hang_up(c);
}

static void the_monitor_takes_orders(void **state)
{
	struct bench *b = *state;
	struct qmp *c = qmp_greet(b);

	qmp_say(c, TYPE("stop"));
	qmp_expect(c, "STOP");
	qmp_expect(c, "{\"return\":\"\"}");
	qmp_say(c, TYPE("info status"));
	qmp_expect(c, "\"VM status: paused\\r\\n\"");
	qmp_say(c, TYPE("c"));
	qmp_expect(c, "RESUME");
	qmp_expect(c, "{\"return\":\"\"}");
	qmp_say(c, TYPE("system_powerdown"));
	qmp_expect(c, "POWERDOWN");
	qmp_expect(c, "{\"return\":\"\"}");
	qmp_say(c, TYPE("system_reset"));
	qmp_expect(c, "RESET");
	qmp_expect(c, "{\"return\":\"\"}");
	qmp_say(c, TYPE("q"));
	qmp_expect(c, "{\"return\":\"\"}");
	assert_int_equal(b->quits, 1);
	qmp_say(c, ASK_WITH("human-monitor-command",
			    "\"command-line\":\"info registers\",\"cpu-index\":2"));
	qmp_expect_error(c, "GenericError", "no such processor");
	b->vcpus_error = -EBUSY;
	qmp_say(c, TYPE("info registers"));
	qmp_expect(c, "Error: registers: ");
	qmp_hang_up(c);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_machine_has_a_name_or_none),
		TEST(processors_have_threads),
		TEST(disks_are_told_and_nothing_else),
		TEST(a_disk_is_resized),
		TEST(a_size_that_cannot_be_is_refused),
		TEST(a_link_is_taken_down),
		TEST(an_io_error_is_an_event),
		TEST(devices_are_told_in_qemus_words),
		TEST(a_device_that_the_kernel_serves_is_told_as_such),
		TEST(a_chain_in_a_ring_is_told),
		TEST(an_indirect_chain_is_told),
		TEST(a_packed_ring_is_refused),
		TEST(the_monitor_answers_in_qemus_words),
		TEST(the_monitor_takes_orders),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
