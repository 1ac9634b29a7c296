/*
 * The network device on a tap with four queues, over every link (VIRTIO 1.4, 5.1.6.5.6): how queues
 * are numbered and used, and the work that may be left undone on frames. The test is in a network of
 * its own and is the host's end of the tap.
 */
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/net-frames.h"
#include "tests/net-own.h"
#include "tests/net-peer.h"

#define PAIRS    4u
#define TAP      "net,backend=tap,ifname=rs0,queue-pairs=4,mac=52:54:00:01:02:03"
#define CTRL_MQ  (2 * PAIRS)
#define CLASS_MQ 4

static uint8_t set_pairs(struct rig *r, unsigned q, uint16_t pairs)
{
	return net_command_on(r, q, CLASS_MQ, 0, &pairs, 2);
}

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

/* One receive buffer that each queue has; zero at first. */
struct inbox {
	struct rig *r;
	int host;
	unsigned down; /* bits of the queues that are reset */
	struct rig_buf buf[PAIRS];
	struct rig_req *req[PAIRS];
};

/* Looks at queue @k's buffer: is one of our frames there? If not, there is a buffer for one afterwards. */
static bool look(struct inbox *in, unsigned k, uint8_t *ret_seed)
{
	const uint8_t *frame = (uint8_t *)in->buf[k].p + HDR;
	bool found = false;

	if (in->down & 1u << k)
		return false;
	if (in->req[k] && in->req[k]->done) {
		*ret_seed = (uint8_t)(frame[14] - 14);
		found = frame_is_plain(frame, in->req[k]->len - HDR, *ret_seed);
		in->req[k] = NULL;
	}
	if (!found && !in->req[k]) {
		in->buf[k] = rig_alloc(in->r, 2000);
		in->req[k] = rig_submit(in->r, 2 * k, &in->buf[k], 0, 1);
	}
	return found;
}

static void send_one(const struct inbox *in, uint8_t seed)
{
	uint8_t frame[100];

	frame_plain(frame, mac_guest, sizeof(frame), seed);
	assert_int_equal(send(in->host, frame, sizeof(frame), 0), sizeof(frame));
}

/* The next frame that arrives: on which queue, and which. The kernel's own (IPv6) are passed over. */
static unsigned next_frame(struct inbox *in, uint8_t *ret_seed)
{
	int64_t deadline = rig_deadline();

	for (;;) {
		for (unsigned k = 0; k < PAIRS; k++)
			if (look(in, k, ret_seed))
				return k;
		rig_turn(in->r, deadline);
	}
}

/* Sends a frame; on which queue does it arrive? The kernel chooses by a hash of its own. */
static unsigned receive(struct inbox *in, uint8_t seed)
{
	unsigned k;
	uint8_t got;

	send_one(in, seed);
	k = next_frame(in, &got);
	assert_int_equal(got, seed);
	return k;
}

static void the_control_queue_is_behind_all_pairs(struct rig *r)
{
	assert_int_equal(rig_config16(r, 8), PAIRS);
	assert_int_equal(rig_n_queues(r), 2 * PAIRS + 1);
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, NET_F_MQ));
	assert_int_equal(set_pairs(r, CTRL_MQ, 1), ACK_OK);
}

static void without_mq_it_is_queue_two(struct rig *r)
{
	rig_start(r, rig_all_but(NET_F_MQ));
	assert_int_equal(net_command1(r, 0, 0, 1), ACK_OK);
	assert_int_equal(set_pairs(r, CTRL, 1), ACK_ERR);
}

static void only_the_first_pair_works_before_the_command(struct rig *r)
{
	struct inbox in = { .r = r };

	rig_start(r, RIG_ALL);
	tap_up("rs0");
	in.host = tap_host_end("rs0");
	check_transmit(r, in.host, 1);
	for (uint8_t i = 0; i < 8; i++)
		assert_int_equal(receive(&in, i), 0); /* DEV-NET-MQ-01 */
	close(in.host);
}

static void pairs_come_and_go(struct rig *r)
{
	static const uint16_t bad[] = { 0, PAIRS + 1, 0x8000, 0xffff };
	struct inbox in = { .r = r };

	rig_start(r, RIG_ALL);
	tap_up("rs0");
	in.host = tap_host_end("rs0");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(set_pairs(r, CTRL_MQ, bad[i]), ACK_ERR);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
		for (unsigned k = 0; k < PAIRS; k++)
			check_transmit(r, in.host, 2 * k + 1);
		for (uint8_t i = 0; i < 4; i++)
			assert_in_range(receive(&in, i), 0, PAIRS - 1);
		assert_int_equal(set_pairs(r, CTRL_MQ, 2), ACK_OK);
		assert_in_range(receive(&in, 9), 0, 1); /* DEV-NET-MQ-02 */
		assert_int_equal(set_pairs(r, CTRL_MQ, 1), ACK_OK);
		assert_int_equal(receive(&in, 10), 0);
	}
	assert_int_equal(set_pairs(r, CTRL_MQ, PAIRS), ACK_OK);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	memset(in.req, 0, sizeof(in.req));
	assert_int_equal(receive(&in, 11), 0);
	close(in.host);
}

/*
 * Receive queues that are reset.
 */
static void start_pairs(struct inbox *in, uint16_t pairs)
{
	rig_start(in->r, RIG_ALL);
	if (pairs > 1)
		assert_int_equal(set_pairs(in->r, CTRL_MQ, pairs), ACK_OK);
	tap_up("rs0");
	in->host = tap_host_end("rs0");
}

static void take_away(struct inbox *in, unsigned k)
{
	rig_queue_reset(in->r, 2 * k);
	in->down |= 1u << k;
	in->req[k] = NULL;
}

static void give_back(struct inbox *in, unsigned k)
{
	rig_queue_start(in->r, 2 * k, 0);
	in->down &= ~(1u << k);
}

/* Frames before and while queue 0 is away, of which the first waits with the device for a buffer (@held) and
 * the others in the kernel, unless the device had a chance to look (@looked). */
static void send_to_nobody(struct inbox *in, bool held, bool looked, void (*away)(struct inbox *in))
{
	if (held) {
		send_one(in, 1);
		rig_settle(in->r);
	}
	away(in);
	for (uint8_t i = 2; i < 12; i++)
		send_one(in, i);
	if (looked)
		rig_settle(in->r);
}

static void queue_away(struct inbox *in)
{
	take_away(in, 0);
}

static void device_away(struct inbox *in)
{
	rig_reset(in->r);
	memset(in->req, 0, sizeof(in->req));
}

static void frames_during_a_queue_reset_are_dropped(struct rig *r)
{
	struct inbox in = { .r = r };

	start_pairs(&in, 1);
	for (unsigned how = 0; how < 4; how++) {
		send_to_nobody(&in, how & 1, how & 2, queue_away);
		give_back(&in, 0);
		assert_int_equal(receive(&in, 20), 0);
	}
	close(in.host);
}

static void frames_during_a_device_reset_are_dropped(struct rig *r)
{
	struct inbox in = { .r = r };

	start_pairs(&in, 1);
	for (unsigned how = 0; how < 4; how++) {
		send_to_nobody(&in, how & 1, how & 2, device_away);
		rig_start(r, RIG_ALL);
		assert_int_equal(receive(&in, 20), 0);
	}
	close(in.host);
}

/* As many as the kernel keeps, and more. */
static void a_full_queue_of_the_kernel_is_dropped(struct rig *r)
{
	struct inbox in = { .r = r };

	start_pairs(&in, 1);
	take_away(&in, 0);
	for (unsigned i = 0; i < 1200; i++)
		send_one(&in, 1);
	give_back(&in, 0);
	assert_int_equal(receive(&in, 2), 0);
	close(in.host);
}

/* The kernel steers all the frames of this test to one queue. Whichever is reset, another one gets them; with
 * the last they are dropped, and the first to come back gets what comes then. */
static void frames_go_to_queues_that_run(struct rig *r)
{
	struct inbox in = { .r = r };

	start_pairs(&in, PAIRS);
	for (uint8_t n = 0; n < PAIRS; n++) /* DEV-NET-MQ-03 */
		take_away(&in, receive(&in, n));
	send_one(&in, 10); /* DEV-NET-MQ-04 */
	give_back(&in, 2);
	assert_int_equal(receive(&in, 11), 2);
	assert_int_equal(set_pairs(r, CTRL_MQ, 2), ACK_OK); /* of these none runs */
	send_one(&in, 12);
	rig_settle(r);
	give_back(&in, 1);
	assert_int_equal(receive(&in, 13), 1);
	close(in.host);
}

/* One that waits for a buffer of a queue that is then reset is for another, too. */
static void a_frame_that_waits_goes_to_a_queue_that_runs(struct rig *r)
{
	struct inbox in = { .r = r };
	unsigned k, other;
	uint8_t seed;

	start_pairs(&in, PAIRS);
	k = receive(&in, 0); /* from here on all have a buffer, but this one */
	assert_null(in.req[k]);
	send_one(&in, 1);
	rig_settle(r);
	take_away(&in, k);
	other = next_frame(&in, &seed);
	assert_int_equal(seed, 1);
	assert_int_not_equal(other, k);
	close(in.host);
}

static void a_pause_loses_no_frame(struct rig *r)
{
	struct inbox in = { .r = r };
	uint8_t seed;

	start_pairs(&in, 1);
	send_one(&in, 1);
	send_one(&in, 2);
	rig_settle(r);
	vdev_pause(rig_dev(r));
	send_one(&in, 3);
	rig_settle(r);
	vdev_resume(rig_dev(r));
	for (uint8_t i = 1; i <= 3; i++) {
		assert_int_equal(next_frame(&in, &seed), 0);
		assert_int_equal(seed, i);
	}
	close(in.host);
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
	tap_up("rs0");
	host = tap_host_end("rs0");
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
	CASE(TAP, the_control_queue_is_behind_all_pairs),
	CASE(TAP, without_mq_it_is_queue_two),
	CASE(TAP, only_the_first_pair_works_before_the_command),
	CASE(TAP, pairs_come_and_go),
	CASE(TAP, frames_during_a_queue_reset_are_dropped),
	CASE(TAP, frames_during_a_device_reset_are_dropped),
	CASE(TAP, a_full_queue_of_the_kernel_is_dropped),
	CASE(TAP, frames_go_to_queues_that_run),
	CASE(TAP, a_frame_that_waits_goes_to_a_queue_that_runs),
	CASE(TAP, a_pause_loses_no_frame),
	CASE(TAP, a_large_segment_goes_through_whole),
	CASE(TAP, offloads_follow_the_command),
	{ .name = "commands_take_their_feature", .spec = TAP, .run = net_check_commands },
};

int main(void)
{
	int ret;

	if (!own_network())
		return 1;
	tap_make("rs0", IFF_MULTI_QUEUE);
	ret = rig_run("net-mq", cases, G_N_ELEMENTS(cases));
	tap_remove("rs0", IFF_MULTI_QUEUE);
	return ret;
}
