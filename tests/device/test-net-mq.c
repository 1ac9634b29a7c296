/*
 * The network device on a tap with four queues, over every link (VIRTIO 1.4, 5.1.6.5.6): how queues
 * are numbered and used, and the work that may be left undone on frames. The test is in a network
 * of its own and is the host's end of the tap.
 */
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-inbox.h"
#include "tests/support/net-own.h"
#include "tests/support/net-peer.h"

#define PAIRS   INBOX_PAIRS
#define TAP     INBOX_SPEC
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

static void the_control_queue_is_behind_all_pairs(struct rig *r)
{
	assert_int_equal(rig_config16(r, 8), PAIRS);
	assert_int_equal(rig_n_queues(r), 2 * PAIRS + 1);
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, NET_F_MQ));
	assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 1), ACK_OK);
}

static void without_mq_it_is_queue_two(struct rig *r)
{
	rig_start(r, rig_all_but(NET_F_MQ));
	assert_int_equal(net_command1(r, 0, 0, 1), ACK_OK);
	assert_int_equal(inbox_set_pairs(r, CTRL, 1), ACK_ERR);
}

static void only_the_first_pair_works_before_the_command(struct rig *r)
{
	struct inbox in = inbox_open(r);

	rig_start(r, RIG_ALL);
	check_transmit(r, in.host, 1);
	for (uint8_t i = 0; i < 8; i++)
		assert_int_equal(inbox_receive(&in, i), 0); /* DEV-NET-MQ-01 */
	inbox_close(&in);
}

static void pairs_come_and_go(struct rig *r)
{
	static const uint16_t bad[] = { 0, PAIRS + 1, 0x8000, 0xffff };
	struct inbox in = inbox_open(r);

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, bad[i]), ACK_ERR);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
		for (unsigned k = 0; k < PAIRS; k++)
			check_transmit(r, in.host, 2 * k + 1);
		for (uint8_t i = 0; i < 4; i++)
			assert_in_range(inbox_receive(&in, i), 0, PAIRS - 1);
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 2), ACK_OK);
		assert_in_range(inbox_receive(&in, 9), 0, 1); /* DEV-NET-MQ-02 */
		assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 1), ACK_OK);
		assert_int_equal(inbox_receive(&in, 10), 0);
	}
	assert_int_equal(inbox_set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	inbox_forget(&in);
	assert_int_equal(inbox_receive(&in, 11), 0);
	inbox_close(&in);
}

/*
 * Receive queues that are reset.
 */
/* Frames before and while queue 0 is away, of which the first waits with the device for a buffer
 * (@held) and the others in the kernel, unless the device had a chance to look (@looked). */
static void send_to_nobody(struct inbox *in, bool held, bool looked, void (*away)(struct inbox *in))
{
	if (held) {
		inbox_send(in, 1);
		rig_wait_idle(in->r);
	}
	away(in);
	for (uint8_t i = 2; i < 12; i++)
		inbox_send(in, i);
	if (looked)
		rig_wait_idle(in->r);
}

static void queue_away(struct inbox *in)
{
	inbox_take_away(in, 0);
}

static void device_away(struct inbox *in)
{
	rig_reset(in->r);
	inbox_forget(in);
}

static void frames_during_a_queue_reset_are_dropped(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	for (unsigned how = 0; how < 4; how++) {
		send_to_nobody(&in, how & 1, how & 2, queue_away);
		inbox_give_back(&in, 0);
		assert_int_equal(inbox_receive(&in, 20), 0);
	}
	inbox_close(&in);
}

static void frames_during_a_device_reset_are_dropped(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	for (unsigned how = 0; how < 4; how++) {
		send_to_nobody(&in, how & 1, how & 2, device_away);
		rig_start(r, RIG_ALL);
		assert_int_equal(inbox_receive(&in, 20), 0);
	}
	inbox_close(&in);
}

/* As many as the kernel keeps, and more. */
static void a_full_queue_of_the_kernel_is_dropped(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 1);
	inbox_take_away(&in, 0);
	for (unsigned i = 0; i < 1200; i++)
		inbox_send(&in, 1);
	inbox_give_back(&in, 0);
	assert_int_equal(inbox_receive(&in, 2), 0);
	inbox_close(&in);
}

/* The kernel steers all the frames of this test to one queue. Whichever is reset, another one gets
 * them; with the last they are dropped, and the first to come back gets what comes then. */
static void frames_go_to_queues_that_run(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, PAIRS);
	for (uint8_t n = 0; n < PAIRS; n++) /* DEV-NET-MQ-03 */
		inbox_take_away(&in, inbox_receive(&in, n));
	inbox_send(&in, 10); /* DEV-NET-MQ-04 */
	inbox_give_back(&in, 2);
	assert_int_equal(inbox_receive(&in, 11), 2);
	assert_int_equal(inbox_set_pairs(r, CTRL_MQ, 2), ACK_OK); /* of these none runs */
	inbox_send(&in, 12);
	rig_wait_idle(r);
	inbox_give_back(&in, 1);
	assert_int_equal(inbox_receive(&in, 13), 1);
	inbox_close(&in);
}

/* One that waits for a buffer of a queue that is then reset is for another, too. */
static void a_frame_that_waits_goes_to_a_queue_that_runs(struct rig *r)
{
	struct inbox in = inbox_open(r);
	unsigned k, other;
	uint8_t seed;

	inbox_start(&in, PAIRS);
	k = inbox_receive(&in, 0); /* from here on all have a buffer, but this one */
	assert_null(in.req[k]);
	inbox_send(&in, 1);
	rig_wait_idle(r);
	inbox_take_away(&in, k);
	other = inbox_next_plain(&in, &seed);
	assert_int_equal(seed, 1);
	assert_int_not_equal(other, k);
	inbox_close(&in);
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

static void a_large_segment_goes_through_whole(struct rig *r)
{
	static uint8_t frame[30000], payload[29000], got[40000];
	struct packet packet = { .version = 4,
				 .protocol = 6,
				 .src = 0xc0000202,
				 .dst = 0xc0000201,
				 .payload = payload,
				 .len = sizeof(payload) };
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM,
				.gso_type = NET_SEG_TCP4,
				.hdr_len = cpu_le16(54),
				.gso_size = cpu_le16(1460) };
	struct net_offload off = { 0 };
	struct rig_buf bufs[2];
	size_t len;
	int host;

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, NET_F_HOST_TSO4));
	tap_up(INBOX_TAP);
	host = tap_host_end(INBOX_TAP);
	len = frame_packet(frame, &packet);
	frame_leave_csum(frame, len, &off);
	memcpy(frame, mac_broadcast, 6);
	frame[12] = 0x88; /* so that the host's end sees it; a tap does not look */
	frame[13] = 0xb5;
	h.csum_start = cpu_le16(off.csum_start);
	h.csum_offset = cpu_le16(off.csum_offset);
	bufs[0] = rig_dup(r, &h, HDR);
	bufs[1] = rig_dup(r, frame, (uint32_t)len);
	assert_int_equal(rig_do(r, TX, bufs, 2, 0), 0);
	assert_int_equal(recv(host, got, sizeof(got), 0), len);
	close(host);
}

static void offloads_follow_the_command(struct rig *r)
{
	const uint64_t csum = 1ull << NET_F_GUEST_CSUM, tso4 = 1ull << NET_F_GUEST_TSO4;
	const uint64_t good[] = { 0, csum, csum | tso4, csum | tso4 | 1ull << NET_F_GUEST_ECN };
	const uint64_t bad[] = { tso4, csum | 1ull << NET_F_GUEST_ECN, csum | 1, 1ull << 46 };
	uint8_t head[2] = { 5, 0 };

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(good) + G_N_ELEMENTS(bad); i++) {
		bool ok = i < G_N_ELEMENTS(good);
		const uint64_t *mask = ok ? &good[i] : &bad[i - G_N_ELEMENTS(good)];
		struct rig_buf bufs[3] = { rig_dup(r, head, 2), rig_dup(r, mask, 8),
					   rig_alloc(r, 1) };

		assert_int_equal(rig_do(r, CTRL_MQ, bufs, 2, 1), 1);
		assert_int_equal(*(uint8_t *)bufs[2].p, ok ? ACK_OK : ACK_ERR);
	}
}

static const struct rig_case cases[] = {
	CTRL_CASE(TAP, the_control_queue_is_behind_all_pairs),
	CTRL_CASE(TAP, without_mq_it_is_queue_two),
	CTRL_CASE(TAP, only_the_first_pair_works_before_the_command),
	CTRL_CASE(TAP, pairs_come_and_go),
	CTRL_CASE(TAP, frames_during_a_queue_reset_are_dropped),
	CTRL_CASE(TAP, frames_during_a_device_reset_are_dropped),
	CTRL_CASE(TAP, a_full_queue_of_the_kernel_is_dropped),
	CTRL_CASE(TAP, frames_go_to_queues_that_run),
	CTRL_CASE(TAP, a_frame_that_waits_goes_to_a_queue_that_runs),
	CTRL_CASE(TAP, a_pause_loses_no_frame),
	CTRL_CASE(TAP, a_large_segment_goes_through_whole),
	CTRL_CASE(TAP, offloads_follow_the_command),
	{ .name = "commands_take_their_feature",
	  .spec = TAP,
	  .run = net_check_commands,
	  .links = CTRL_LINKS },
};

int main(void)
{
	int ret;

	if (!own_network())
		return 1;
	tap_make(INBOX_TAP, IFF_MULTI_QUEUE);
	ret = rig_run("net-mq", cases, G_N_ELEMENTS(cases));
	tap_remove(INBOX_TAP, IFF_MULTI_QUEUE);
	return ret;
}
