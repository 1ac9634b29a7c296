/*
 * Queues that the kernel serves (devices/vhost/), over every link: a network card on a real tap,
 * with tests/support/vhost-kernel.h for a kernel; test-vsock.c has the other type.
 * tests/system/vhost is about the real one.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/core/state.h"
#include "devices/net/card.h"
#include "devices/vhost/kernel.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-inbox.h"
#include "tests/support/net-own.h"
#include "tests/support/rig-impl.h"
#include "tests/support/vhost-kernel.h"

#define PAIRS   INBOX_PAIRS
#define TAP     INBOX_SPEC ",vhost=on"
#define CTRL_MQ INBOX_CTRL

/* A frame through transmit queue @q reaches the host. */
static void check_transmit(struct rig *r, int host, unsigned q)
{
	uint8_t frame[100], got[2000];
	struct rig_buf bufs[2] = { rig_dup(r, &net_plain, HDR) };

	frame_plain(frame, mac_broadcast, sizeof(frame), (uint8_t)q);
	bufs[1] = rig_dup(r, frame, sizeof(frame));
	assert_int_equal(rig_do(r, q, bufs, 2, 0), 0);
	assert_int_equal(recv(host, got, sizeof(got), 0), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
}

static void check_nothing_passed_here(struct rig *r)
{
	for (unsigned q = 0; q < 2 * PAIRS; q++) {
		assert_int_equal(vq_stats(rig_dev(r)->queue[q].vq)->chains, 0);
		assert_int_equal(vq_stats(rig_dev(r)->queue[q].vq)->kicks, 0);
	}
}

static void check_works(struct rig *r)
{
	struct inbox in = inbox_open(r);

	check_transmit(r, in.host, 1);
	assert_int_equal(inbox_receive(&in, 7), 0);
	inbox_close(&in);
}

/*
 * Frames.
 */
static void frames_go_both_ways_and_none_passes_here(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	for (uint8_t i = 0; i < 20; i++) {
		check_transmit(r, in.host, 1);
		assert_int_equal(inbox_receive(&in, i), 0);
	}
	check_nothing_passed_here(r);
	inbox_close(&in);
}

static void pairs_come_and_go(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS + 1), ACK_ERR);
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
		for (unsigned k = 0; k < PAIRS; k++)
			check_transmit(r, in.host, 2 * k + 1);
		for (uint8_t i = 0; i < 4; i++)
			assert_in_range(inbox_receive(&in, i), 0, PAIRS - 1);
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 2), ACK_OK);
		assert_in_range(inbox_receive(&in, 9), 0, 1);
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 1), ACK_OK);
		assert_int_equal(inbox_receive(&in, 10), 0);
	}
	assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	inbox_forget(&in);
	assert_int_equal(inbox_receive(&in, 11), 0);
	check_nothing_passed_here(r);
	inbox_close(&in);
}

/* The control queue is a pair's with MQ and another's without, in one device's life. */
static void the_control_queue_is_served_here(struct rig *r)
{
	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, rig_all_but(NET_F_MQ));
		assert_int_equal(inbox_set_pairs(r, CTRL, 1), ACK_ERR);
		check_works(r);
		rig_reset(r);
		rig_start(r, RIG_ALL);
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
		rig_reset(r);
	}
}

static void a_pause_loses_no_frame(struct rig *r)
{
	struct inbox in = inbox_open(r);
	uint8_t seed;

	inbox_start(&in, 1);
	inbox_send(&in, 1);
	inbox_send(&in, 2);
	rig_wait_idle(r);
	vdev_pause(rig_dev(r));
	inbox_send(&in, 3);
	rig_wait_idle(r);
	vdev_resume(rig_dev(r));
	for (uint8_t i = 1; i <= 3; i++) {
		assert_int_equal(inbox_next_plain(&in, &seed), 0);
		assert_int_equal(seed, i);
	}
	inbox_close(&in);
}

static void frames_without_a_queue_are_dropped(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	for (unsigned round = 0; round < 3; round++) {
		inbox_take_away(&in, 0);
		inbox_send(&in, 1);
		inbox_give_back(&in, 0);
		assert_int_equal(inbox_receive(&in, 2), 0);
		rig_reset(r);
		inbox_forget(&in);
		inbox_send(&in, 3);
		rig_start(r, RIG_ALL);
		assert_int_equal(inbox_receive(&in, 4), 0);
	}
	inbox_close(&in);
}

static void a_link_that_is_down_carries_nothing(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	assert_int_equal(inbox_receive(&in, 1), 0);
	for (unsigned round = 0; round < 2; round++) {
		net_set_link(rig_dev(r), false);
		inbox_send(&in, 2);
		rig_wait_idle(r);
		net_set_link(rig_dev(r), true);
		assert_int_equal(inbox_receive(&in, 3), 0);
		check_transmit(r, in.host, 1);
	}
	inbox_close(&in);
}

static GByteArray *save(struct rig *r)
{
	GByteArray *record = g_byte_array_new();
	g_autoptr(GError) err = NULL;

	if (!vdev_state_save(rig_dev(r), record, &err))
		fail_msg("%s", err->message);
	return record;
}

static void move(struct rig *r)
{
	g_autoptr(GByteArray) record = NULL;
	g_autoptr(GError) err = NULL;

	vdev_pause(rig_dev(r));
	record = save(r);
	rig_replace(r);
	if (!vdev_state_load(rig_dev(r), record->data, record->len, &err))
		fail_msg("%s", err->message);
	vdev_resume(rig_dev(r));
}

static void another_device_goes_on_from_where_this_one_is(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, PAIRS);
	for (unsigned round = 0; round < 3; round++) {
		for (uint8_t i = 0; i < 4; i++)
			assert_in_range(inbox_receive(&in, i), 0, PAIRS - 1);
		check_transmit(r, in.host, 2 * PAIRS - 1);
		move(r);
	}
	assert_in_range(inbox_receive(&in, 9), 0, PAIRS - 1);
	inbox_close(&in);
}

/* A tap whose frames have no header: the kernel makes the queue's, and takes it off. */
#define PLAIN     "rs1"
#define PLAIN_FD  100
#define PLAIN_TAP "net,backend=tap,fd=100,mac=52:54:00:01:02:03,vhost=on"

static void open_plain_tap(const char *dir)
{
	int fd = tap_open(PLAIN, 0);

	(void)dir;
	assert_int_equal(dup2(fd, PLAIN_FD), PLAIN_FD);
	close(fd);
}

static void a_tap_without_header_serves_as_well(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 2000);
	uint8_t frame[100];
	struct rig_req *req;
	int host;

	assert_false(vfeatures_has(rig_offered(r), NET_F_CSUM));
	assert_false(vfeatures_has(rig_offered(r), NET_F_HOST_TSO4));
	rig_start(r, RIG_ALL);
	assert_true(vhost_kernel_features_set() >> VHOST_NET_F_VIRTIO_NET_HDR & 1);
	tap_up(PLAIN);
	host = tap_host_end(PLAIN);
	check_transmit(r, host, 1);
	req = rig_submit(r, RX, &buf, 0, 1);
	frame_plain(frame, mac_guest, sizeof(frame), 3);
	for (;;) { /* the kernel has frames of its own to say */
		if (!req->done)
			assert_int_equal(send(host, frame, sizeof(frame), 0), sizeof(frame));
		rig_wait(r, req);
		if (req->len == HDR + sizeof(frame))
			break;
		req = rig_submit(r, RX, &buf, 0, 1);
	}
	assert_memory_equal((uint8_t *)buf.p + HDR, frame, sizeof(frame));
	close(host);
}

/*
 * What the kernel is told.
 */
static uint64_t last_page(struct rig *r)
{
	const struct gmem *mem = rig_mem(r);
	uint64_t last = 0;

	for (unsigned i = 0; i < mem->n; i++)
		last = MAX(last, (mem->region[i].gpa + mem->region[i].len - 1) / GMEM_PAGE);
	return last;
}

static void features_are_those_that_both_have(struct rig *r)
{
	static const unsigned char ours[] = { NET_F_CTRL_RX, NET_F_CTRL_RX_EXTRA, NET_F_CTRL_VLAN };

	for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
		assert_false(vfeatures_has(rig_offered(r), ours[i]));
	assert_true(vfeatures_has(rig_offered(r), NET_F_CTRL_MAC_ADDR));
	assert_true(vfeatures_has(rig_offered(r), NET_F_HOST_TSO4));
	assert_true(vfeatures_has(rig_offered(r), NET_F_MRG_RXBUF));
	assert_true(vfeatures_has(rig_offered(r), VIRTIO_F_EVENT_IDX));
	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	assert_false(vhost_kernel_features_set() >> VIRTIO_F_EVENT_IDX & 1);
	assert_false(vhost_kernel_features_set() >> VIRTIO_F_RING_RESET & 1);
	assert_true(vhost_kernel_features_set() >> NET_F_MRG_RXBUF & 1);
	assert_true(vhost_kernel_features_set() >> VIRTIO_F_VERSION_1 & 1);
}

static void poor_kernel(const char *dir)
{
	(void)dir;
	vhost_kernel_features(1ull << VIRTIO_F_VERSION_1);
}

static void what_the_kernel_lacks_is_not_offered(struct rig *r)
{
	vhost_kernel_features(VHOST_KERNEL_ALL);
	assert_false(vfeatures_has(rig_offered(r), NET_F_MRG_RXBUF));
	assert_false(vfeatures_has(rig_offered(r), VIRTIO_F_EVENT_IDX));
	assert_false(vfeatures_has(rig_offered(r), VIRTIO_F_INDIRECT_DESC));
	assert_true(vfeatures_has(rig_offered(r), VIRTIO_F_RING_RESET));
	rig_start(r, RIG_ALL);
	check_works(r);
}

static void calls_come_in_linux_order(struct rig *r)
{
	g_autofree char *start = vhost_kernel_calls(), *stop = NULL;
	struct vfeatures f = RIG_NONE;

	g_free(start);
	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	rig_queue_start(r, RX, 0);
	rig_driver_ok(r);
	start = vhost_kernel_calls();
	assert_string_equal(start, "SET_OWNER SET_MEM_TABLE SET_FEATURES SET_VRING_NUM "
				   "SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL SET_VRING_ERR "
				   "SET_VRING_KICK NET_SET_BACKEND");
	vdev_pause(rig_dev(r));
	stop = vhost_kernel_calls();
	assert_string_equal(stop, "NET_SET_BACKEND GET_VRING_BASE SET_VRING_KICK SET_VRING_ERR "
				  "SET_VRING_CALL");
	vdev_resume(rig_dev(r));
	g_free(start);
	start = vhost_kernel_calls();
	assert_string_equal(start, "SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR SET_VRING_CALL "
				   "SET_VRING_ERR SET_VRING_KICK NET_SET_BACKEND");
}

static unsigned count(const char *list, const char *name)
{
	g_auto(GStrv) words = g_strsplit(list, " ", -1);
	unsigned n = 0;

	for (char **w = words; *w; w++)
		n += strcmp(*w, name) == 0;
	return n;
}

/* All of it is told, when it has changed and then alone. */
static void memory_that_changes_is_told(struct rig *r)
{
	void *more = g_aligned_alloc0(1, 1 << 16, 4096);
	const uint64_t at = (last_page(r) + 16) * GMEM_PAGE;
	struct inbox in = inbox_open(r);
	char *calls;

	inbox_start(&in, 1);
	for (unsigned round = 0; round < 4; round++) {
		g_free(vhost_kernel_calls());
		vdev_pause(rig_dev(r));
		if (round == 1)
			assert_int_equal(gmem_add(rig_mem(r), at, 1 << 16, more), 0);
		if (round == 3)
			assert_int_equal(gmem_remove(rig_mem(r), at), 0);
		vdev_memory_changed(rig_dev(r));
		vdev_resume(rig_dev(r));
		calls = vhost_kernel_calls();
		assert_int_equal(count(calls, "SET_MEM_TABLE"), round & 1 ? PAIRS : 0);
		assert_int_equal(count(calls, "SET_FEATURES"), 0);
		g_free(calls);
		assert_int_equal(inbox_receive(&in, (uint8_t)round), 0);
	}
	inbox_close(&in);
	g_aligned_free(more);
}

static void check_fails(struct rig *r, unsigned long request, const char *name)
{
	rig_reset(r);
	vhost_kernel_fail(request, EINVAL);
	rig_start(r, RIG_NONE);
	if (!(rig_status(r) & VIRTIO_S_NEEDS_RESET))
		fail_msg("%s failed and nobody knows", name);
	assert_true(rig_logged(r, name) >= 1);
	vhost_kernel_fail(0, 0);
	rig_start(r, RIG_NONE);
	assert_int_equal(rig_status(r), rig_running(r));
	check_works(r);
}

static void a_call_that_fails_is_told_and_a_reset_mends_it(struct rig *r)
{
#define FAILS(request) check_fails(r, request, #request)
	FAILS(VHOST_SET_OWNER);
	FAILS(VHOST_SET_VRING_NUM);
	FAILS(VHOST_SET_VRING_BASE);
	FAILS(VHOST_SET_VRING_ADDR);
	FAILS(VHOST_SET_VRING_CALL);
	FAILS(VHOST_SET_VRING_ERR);
	FAILS(VHOST_SET_VRING_KICK);
	FAILS(VHOST_NET_SET_BACKEND);
#undef FAILS
}

/* Told once, as features and memory are until they change. */
static void the_first_that_fail(struct rig *r)
{
	check_fails(r, VHOST_SET_MEM_TABLE, "VHOST_SET_MEM_TABLE");
	rig_start(r, RIG_ALL);
	check_fails(r, VHOST_SET_FEATURES, "VHOST_SET_FEATURES");
}

static void a_position_that_is_not_to_be_had_fails_the_queue(struct rig *r)
{
	rig_start(r, RIG_NONE);
	vhost_kernel_fail(VHOST_GET_VRING_BASE, EIO);
	vdev_pause(rig_dev(r));
	assert_true(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "VHOST_GET_VRING_BASE: Input/output error"), 1);
	vdev_resume(rig_dev(r));
	rig_start(r, RIG_NONE);
	check_works(r);
}

static void a_ring_that_the_kernel_gives_up_needs_a_reset(struct rig *r)
{
	rig_start(r, RIG_ALL);
	vhost_kernel_break(RX);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "the kernel cannot go on with the ring"), 1);
	rig_start(r, RIG_ALL);
	check_works(r);
}

/*
 * The log of written pages.
 */
static bool is_logged(const uint64_t *bits, uint64_t gpa)
{
	return bits[gpa / GMEM_PAGE / 64] >> (gpa / GMEM_PAGE % 64) & 1;
}

static void pages_that_the_kernel_writes_are_in_the_log(struct rig *r)
{
	uint64_t pages = last_page(r) + 64;
	g_autofree uint64_t *bits = g_new0(uint64_t, pages / 64 + 1);
	struct inbox in = inbox_open(r);
	struct rig_buf buf;

	inbox_start(&in, 1);
	vdev_pause(rig_dev(r));
	gmem_log_to(rig_mem(r), bits, pages);
	vdev_memory_changed(rig_dev(r));
	vdev_resume(rig_dev(r));
	assert_int_equal(inbox_receive(&in, 1), 0);
	buf = in.buf[0];
	vdev_pause(rig_dev(r));
	assert_true(is_logged(bits, buf.gpa));
	assert_true(is_logged(bits, rig_dev(r)->queue[RX].device));
	gmem_log_stop(rig_mem(r));
	vdev_memory_changed(rig_dev(r));
	vdev_resume(rig_dev(r));
	memset(bits, 0, (pages / 64 + 1) * sizeof(*bits));
	assert_int_equal(inbox_receive(&in, 2), 0);
	vdev_pause(rig_dev(r));
	assert_false(is_logged(bits, buf.gpa));
	inbox_close(&in);
}

static void a_log_that_is_too_short_is_not_given_to_the_kernel(struct rig *r)
{
	uint64_t bits[1] = { 0 };

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	gmem_log_to(rig_mem(r), bits, 64);
	vdev_memory_changed(rig_dev(r));
	vdev_resume(rig_dev(r));
	assert_true(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_true(rig_logged(r, "the log of written pages is not one that the kernel can write"));
	rig_reset(r);
	gmem_log_stop(rig_mem(r));
	rig_start(r, RIG_ALL);
	check_works(r);
}

static const struct rig_case cases[] = {
	CTRL_CASE(TAP, frames_go_both_ways_and_none_passes_here),
	CTRL_CASE(TAP, pairs_come_and_go),
	CTRL_CASE(TAP, the_control_queue_is_served_here),
	CTRL_CASE(TAP, a_pause_loses_no_frame),
	CTRL_CASE(TAP, frames_without_a_queue_are_dropped),
	CTRL_CASE(TAP, a_link_that_is_down_carries_nothing),
	{ "a_tap_without_header_serves_as_well", PLAIN_TAP, a_tap_without_header_serves_as_well,
	  .setup = open_plain_tap, .links = "direct pci pci-packed" },
	{ "another_device_goes_on_from_where_this_one_is", TAP,
	  another_device_goes_on_from_where_this_one_is, .links = "pci mmio-thread pci-packed" },
	{ "features_are_those_that_both_have", TAP, features_are_those_that_both_have,
	  .links = "pci mmio" },
	{ "what_the_kernel_lacks_is_not_offered", TAP, what_the_kernel_lacks_is_not_offered,
	  .setup = poor_kernel, .links = "pci mmio" },
	{ "calls_come_in_linux_order", TAP, calls_come_in_linux_order, .links = "direct" },
	{ "memory_that_changes_is_told", TAP, memory_that_changes_is_told,
	  .links = "pci mmio-thread" },
	{ "a_call_that_fails_is_told_and_a_reset_mends_it", TAP,
	  a_call_that_fails_is_told_and_a_reset_mends_it, .links = "direct pci pci-packed" },
	{ "the_first_that_fail", TAP, the_first_that_fail, .links = "pci" },
	{ "a_position_that_is_not_to_be_had_fails_the_queue", TAP,
	  a_position_that_is_not_to_be_had_fails_the_queue, .links = "pci mmio-thread" },
	{ "a_ring_that_the_kernel_gives_up_needs_a_reset", TAP,
	  a_ring_that_the_kernel_gives_up_needs_a_reset, .links = "pci mmio-thread" },
	{ "pages_that_the_kernel_writes_are_in_the_log", TAP,
	  pages_that_the_kernel_writes_are_in_the_log, .links = "pci pci-packed" },
	{ "a_log_that_is_too_short_is_not_given_to_the_kernel", TAP,
	  a_log_that_is_too_short_is_not_given_to_the_kernel, .links = "pci" },
};

int main(void)
{
	int ret;

	if (!own_network())
		return 1;
	tap_make(INBOX_TAP, IFF_MULTI_QUEUE);
	ret = rig_run("vhost", cases, G_N_ELEMENTS(cases));
	tap_remove(INBOX_TAP, IFF_MULTI_QUEUE);
	return ret;
}
