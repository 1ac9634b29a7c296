/* The network device (5.1) on a tap with four queues: which queue a frame takes, and the work that
 * is left undone on frames. The host's end is the test's, in a network of its own. */
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-inbox.h"
#include "tests/support/net-own.h"

#define CFG_PAIRS 8
#define ON(name)  (1ull << NET_F_##name)
#define RX_GSO                                                                              \
	(ON(GUEST_TSO4) | ON(GUEST_TSO6) | ON(GUEST_ECN) | ON(GUEST_UFO) | ON(GUEST_USO4) | \
	 ON(GUEST_USO6))

static struct vfeatures all_but(uint64_t bits)
{
	struct vfeatures f = RIG_ALL;

	f.w[0] &= ~bits;
	return f;
}

/*
 * Queues.
 */
static void max_virtqueue_pairs_is_within_bounds(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), NET_F_MQ));
	assert_in_range(rig_config16(r, CFG_PAIRS), 1, 0x8000);
	assert_int_equal(rig_n_queues(r), 2 * rig_config16(r, CFG_PAIRS) + 1);
}

static void only_the_first_queue_is_used_at_first(struct rig *r)
{
	struct inbox in = inbox_open(r);

	for (unsigned round = 0; round < 2; round++) {
		inbox_start(&in, 1);
		for (uint8_t i = 0; i < 4; i++)
			assert_int_equal(inbox_receive(&in, i), 0);
		assert_int_equal(inbox_set_pairs(r, INBOX_CTRL, INBOX_PAIRS), ACK_OK);
		rig_reset(r);
	}
	inbox_close(&in);
}

static void no_queue_above_the_set_count_is_used(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, INBOX_PAIRS);
	for (uint16_t pairs = INBOX_PAIRS; pairs > 0; pairs--) {
		assert_int_equal(inbox_set_pairs(r, INBOX_CTRL, pairs), ACK_OK);
		for (uint8_t i = 0; i < 4; i++)
			assert_in_range(inbox_receive(&in, i), 0, pairs - 1u);
	}
	inbox_close(&in);
}

static void packets_for_a_queue_that_is_reset_go_elsewhere(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, INBOX_PAIRS);
	for (uint8_t n = 0; n < INBOX_PAIRS; n++)
		inbox_take_away(&in, inbox_receive(&in, n));
	inbox_close(&in);
}

static void packets_for_no_queue_are_dropped(struct rig *r)
{
	struct inbox in = inbox_open(r);

	inbox_start(&in, 2);
	for (unsigned round = 0; round < 2; round++) {
		inbox_take_away(&in, 0);
		inbox_take_away(&in, 1);
		inbox_send(&in, 1);
		if (round)
			rig_wait_idle(r);
		inbox_give_back(&in, 1);
		inbox_give_back(&in, 0);
		(void)inbox_receive(&in, 2); /* it is the next one */
	}
	rig_reset(r);
	inbox_send(&in, 1);
	inbox_start(&in, 1);
	(void)inbox_receive(&in, 2);
	inbox_close(&in);
}

static bool is_to_port(const struct inbox_frame *f, unsigned port)
{
	const uint8_t *udp = f->data + frame_transport(f->data);

	return f->data[12] == 8 && f->data[13] == 0 && f->data[23] == 17 &&
	       (unsigned)udp[2] << 8 == (port & 0xff00) && udp[3] == (port & 0xff);
}

static void transmit(struct rig *r, unsigned pair, const struct net_header *h, const uint8_t *frame,
		     size_t len)
{
	struct rig_buf bufs[2] = { rig_dup(r, h, HDR), rig_dup(r, frame, (uint32_t)len) };

	assert_int_equal(rig_do(r, 2 * pair + 1, bufs, 2, 0), 0);
}

/* What the guest sends on pair k is answered on pair k. */
static void answers_of_a_flow_come_to_its_queue(struct rig *r)
{
	struct inbox in = inbox_open(r);
	uint8_t frame[200];

	inbox_start(&in, INBOX_PAIRS);
	for (uint16_t k = 0; k < INBOX_PAIRS; k++) {
		struct packet there = { .version = 4, .protocol = 17, .src = 1, .dst = 2 };
		struct packet back = { .version = 4, .protocol = 17, .src = 2, .dst = 1 };
		struct inbox_frame f;
		size_t len;

		there.sport = back.dport = (uint16_t)(1000 + k);
		there.dport = back.sport = 9;
		transmit(r, k, &net_plain, frame, frame_packet(frame, &there));
		len = frame_packet(frame, &back);
		memcpy(frame, mac_guest, 6);
		inbox_inject(4, &net_plain, frame, len);
		assert_int_equal(inbox_next(&in, is_to_port, 1000u + k, &f), k);
	}
	inbox_close(&in);
}

/*
 * Transmission.
 */

/* A segment, its header; the host's end sees it, as a tap does not look at the protocol. */
static size_t make_segment(uint8_t *frame, struct net_header *h)
{
	static const uint8_t payload[4000];
	struct packet packet = { .version = 4,
				 .protocol = 6,
				 .src = 1,
				 .dst = 2,
				 .payload = payload,
				 .len = sizeof(payload) };
	struct net_offload off = { 0 };
	size_t len = frame_packet(frame, &packet);

	frame_leave_csum(frame, len, &off);
	memcpy(frame, mac_broadcast, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	*h = (struct net_header){ .flags = NET_HDR_F_NEEDS_CSUM,
				  .gso_type = NET_SEG_TCP4,
				  .hdr_len = cpu_le16(54),
				  .gso_size = cpu_le16(1000),
				  .csum_start = cpu_le16(off.csum_start),
				  .csum_offset = cpu_le16(off.csum_offset) };
	return len;
}

static void a_wrong_hdr_len_is_tolerated(struct rig *r)
{
	static const uint16_t lengths[] = { 0, 1, 53, 54, 1000, 4054, 4055, 0xffff };
	struct inbox in = inbox_open(r);
	uint8_t frame[5000], got[5000];
	struct net_header h;
	size_t len = make_segment(frame, &h);

	inbox_start(&in, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		h.hdr_len = cpu_le16(lengths[i]);
		transmit(r, 0, &h, frame, len);
		assert_int_equal(recv(in.host, got, sizeof(got), 0), len);
	}
	inbox_close(&in);
}

static void tunnel_bits_are_refused(struct rig *r)
{
	static const struct {
		uint8_t flags, type;
	} bad[] = {
		{ NET_HDR_F_NEEDS_CSUM, NET_SEG_TCP4 | 0x60 }, /* both versions */
		{ 0, NET_SEG_TCP4 | 0x20 },
		{ NET_HDR_F_NEEDS_CSUM | NET_HDR_F_DATA_VALID, NET_SEG_TCP4 | 0x20 },
		{ NET_HDR_F_NEEDS_CSUM, 0x40 },
		{ NET_HDR_F_NEEDS_CSUM, 0x60 },
	};
	struct inbox in = inbox_open(r);
	uint8_t frame[5000], got[5000];
	struct net_header h;
	size_t len = make_segment(frame, &h);

	inbox_start(&in, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		h.flags = bad[i].flags;
		h.gso_type = bad[i].type;
		transmit(r, 0, &h, frame, len);
	}
	frame_plain(frame, mac_broadcast, 100, 1);
	transmit(r, 0, &net_plain, frame, 100);
	assert_int_equal(recv(in.host, got, sizeof(got), 0), 100);
	assert_true(frame_is_plain(got, 100, 1));
	inbox_close(&in);
}

/*
 * Reception: the host sends a datagram whose checksum it leaves to the guest.
 */
static size_t inject_datagram(uint8_t *frame, uint16_t port)
{
	struct packet packet = { .version = 4,
				 .protocol = 17,
				 .src = 2,
				 .dst = 1,
				 .dport = port,
				 .payload = "a datagram",
				 .len = 10 };
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM };
	struct net_offload off = { 0 };
	uint8_t undone[200];
	size_t len = frame_packet(frame, &packet);

	memcpy(frame, mac_guest, 6);
	memcpy(undone, frame, len);
	frame_leave_csum(undone, len, &off);
	h.csum_start = cpu_le16(off.csum_start);
	h.csum_offset = cpu_le16(off.csum_offset);
	inbox_inject(4, &h, undone, len);
	return len;
}

static void without_guest_csum_packets_are_complete(struct rig *r)
{
	struct inbox in = inbox_open(r);
	struct inbox_frame f;
	uint8_t frame[200];
	size_t len;

	rig_start(r, all_but(ON(GUEST_CSUM) | RX_GSO));
	len = inject_datagram(frame, 4000);
	(void)inbox_next(&in, is_to_port, 4000, &f);
	assert_int_equal(f.len, len);
	assert_memory_equal(f.data, frame, len);
	assert_int_equal(f.h->flags, 0);
	assert_int_equal(f.h->gso_type, NET_SEG_NONE);
	inbox_close(&in);
}

static void needs_csum_says_how_to_complete_it(struct rig *r)
{
	struct inbox in = inbox_open(r);
	uint8_t frame[200], got[200];
	struct net_offload off;
	struct inbox_frame f;
	size_t len;

	inbox_start(&in, 1);
	len = inject_datagram(frame, 4000);
	(void)inbox_next(&in, is_to_port, 4000, &f);
	assert_int_equal(f.len, len);
	assert_int_equal(f.h->flags, NET_HDR_F_NEEDS_CSUM);
	assert_memory_equal(f.data, frame, frame_transport(frame) + 6); /* IP's own is right */
	off = (struct net_offload){ .need_csum = true,
				    .csum_start = le16_cpu(f.h->csum_start),
				    .csum_offset = le16_cpu(f.h->csum_offset) };
	memcpy(got, f.data, len);
	assert_int_equal(off.csum_start + off.csum_offset, frame_transport(frame) + 6);
	assert_true(
		net_complete(got, len, &off)); /* to which the pseudo header's sum is the start */
	assert_true(frame_is_right(got, len));
	inbox_close(&in);
}

/*
 * Segments: the host sends one of each kind, under each set of features.
 */
static const struct kind {
	const char *name;
	uint8_t type;
	uint64_t needs; /* features that must have been accepted */
	struct packet packet;
} kinds[] = {
	{ "TCPV4", NET_SEG_TCP4, ON(GUEST_TSO4), { .version = 4, .protocol = 6 } },
	{ "TCPV6", NET_SEG_TCP6, ON(GUEST_TSO6), { .version = 6, .protocol = 6 } },
	{ "TCPV4 | ECN",
	  NET_SEG_TCP4 | NET_SEG_ECN,
	  ON(GUEST_TSO4) | ON(GUEST_ECN),
	  { .version = 4, .protocol = 6, .tcp_flags = 0x80 } },
	{ "TCPV6 | ECN",
	  NET_SEG_TCP6 | NET_SEG_ECN,
	  ON(GUEST_TSO6) | ON(GUEST_ECN),
	  { .version = 6, .protocol = 6, .tcp_flags = 0x80 } },
	{ "UDP_L4 over IPv4", NET_SEG_UDP_L4, ON(GUEST_USO4), { .version = 4, .protocol = 17 } },
	{ "UDP_L4 over IPv6", NET_SEG_UDP_L4, ON(GUEST_USO6), { .version = 6, .protocol = 17 } },
};

enum { MSS = 1000, PAYLOAD = 4000 };

static size_t inject_segment(const struct kind *k, uint16_t port)
{
	static const uint8_t payload[PAYLOAD];
	struct packet packet = k->packet;
	struct net_offload off = { 0 };
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM,
				.gso_type = k->type,
				.gso_size = cpu_le16(MSS) };
	uint8_t frame[PAYLOAD + 100];
	size_t len;

	packet.src = 2;
	packet.dst = 1;
	packet.dport = port;
	packet.payload = payload;
	packet.len = sizeof(payload);
	len = frame_packet(frame, &packet);
	memcpy(frame, mac_guest, 6);
	frame_leave_csum(frame, len, &off);
	h.hdr_len = cpu_le16((uint16_t)(len - PAYLOAD));
	h.csum_start = cpu_le16(off.csum_start);
	h.csum_offset = cpu_le16(off.csum_offset);
	inbox_inject(packet.version, &h, frame, len);
	return len;
}

static bool is_of_port(const struct inbox_frame *f, unsigned port)
{
	const uint8_t *d = f->data;
	bool v4 = d[12] == 8 && d[13] == 0, v6 = d[12] == 0x86 && d[13] == 0xdd;
	const uint8_t *th;

	if (!v4 && !v6)
		return false;
	th = d + frame_transport(d);
	return (d[v4 ? 23 : 20] == 6 || d[v4 ? 23 : 20] == 17) &&
	       ((unsigned)th[2] << 8 | th[3]) == port;
}

static size_t payload_of(const struct kind *k, const struct inbox_frame *f)
{
	return f->len - frame_transport(f->data) - (k->packet.protocol == 6 ? 20 : 8);
}

/* All that a driver may believe of a frame's header, whatever was accepted. Bits of tunnels,
 * RSC_EXT and IPsec are never set. */
static void check_header(struct rig *r, const struct kind *k, const struct inbox_frame *f)
{
	size_t headers = f->len - payload_of(k, f);
	bool undone = f->h->flags & NET_HDR_F_NEEDS_CSUM;
	bool gso = rig_dev(r)->accepted.w[0] & RX_GSO;

	assert_int_equal(f->h->flags & ~(NET_HDR_F_NEEDS_CSUM | NET_HDR_F_DATA_VALID), 0);
	if (!rig_has(r, NET_F_GUEST_CSUM))
		assert_int_equal(f->h->flags, 0);
	if (f->h->gso_type != NET_SEG_NONE) {
		assert_int_equal(f->h->gso_type, k->type);
		assert_int_equal(k->needs & ~rig_dev(r)->accepted.w[0], 0);
		assert_true(undone);
		assert_int_equal(le16_cpu(f->h->gso_size), MSS);
	} else {
		assert_in_range(payload_of(k, f), 1, MSS);
	}
	assert_true(undone || frame_is_right(f->data, f->len));
	if (gso)
		assert_in_range(le16_cpu(f->h->hdr_len), headers, f->len);
}

/* Returns whether it came in one piece. */
static bool check_segment(struct rig *r, struct inbox *in, const struct kind *k)
{
	uint16_t port = (uint16_t)(5000 + (k - kinds));
	struct inbox_frame f;
	size_t seen = 0;
	bool whole = false;

	(void)inject_segment(k, port);
	while (seen < PAYLOAD) {
		(void)inbox_next(in, is_of_port, port, &f);
		check_header(r, k, &f);
		seen += payload_of(k, &f);
		whole |= f.h->gso_type != NET_SEG_NONE;
	}
	assert_int_equal(seen, PAYLOAD);
	return whole;
}

/* Returns how many kinds came in one piece: a bit for each. */
static unsigned check_segments(struct rig *r, struct vfeatures f)
{
	struct inbox in = inbox_open(r);
	unsigned whole = 0;

	rig_start(r, f);
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (check_segment(r, &in, &kinds[i]))
			whole |= 1u << i;
	inbox_close(&in);
	return whole;
}

/* Nobody need send segments; but if they never came, the rows below would prove nothing. */
static void segments_are_told(struct rig *r)
{
	unsigned whole = check_segments(r, RIG_ALL);

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!(kinds[i].needs & ~rig_offered(r).w[0]) && !(whole & 1u << i))
			fail_msg("a segment of type %s came in pieces", kinds[i].name);
}

static void no_tcpv4_without_guest_tso4(struct rig *r)
{
	(void)check_segments(r, all_but(ON(GUEST_TSO4)));
}

static void no_tcpv6_without_guest_tso6(struct rig *r)
{
	(void)check_segments(r, all_but(ON(GUEST_TSO6)));
}

static void no_ecn_without_guest_ecn(struct rig *r)
{
	(void)check_segments(r, all_but(ON(GUEST_ECN)));
}

static void no_udp_l4_without_guest_uso(struct rig *r)
{
	(void)check_segments(r, all_but(ON(GUEST_USO4) | ON(GUEST_USO6)));
}

static void no_segments_without_their_features(struct rig *r)
{
	assert_int_equal(check_segments(r, all_but(RX_GSO)), 0);
}

static bool is_ours(const struct inbox_frame *f, unsigned arg)
{
	(void)arg;
	return f->data[12] == 8 && f->data[13] == 0 &&
	       f->data[29] == 2; /* the source's last byte */
}

/* A datagram to be cut into fragments, which have no header of UDP but the first: what comes is
 * counted as IP's payload. */
static void no_udp_without_guest_ufo(struct rig *r)
{
	static const struct kind ufo = { "UDP", NET_SEG_UDP, 0, { .version = 4, .protocol = 17 } };
	struct inbox in = inbox_open(r);
	struct inbox_frame f;
	size_t seen = 0;

	rig_start(r, all_but(ON(GUEST_UFO)));
	(void)inject_segment(&ufo, 7000);
	while (seen < 8 + PAYLOAD) {
		(void)inbox_next(&in, is_ours, 0, &f);
		assert_int_equal(f.h->gso_type, NET_SEG_NONE);
		seen += f.len - 34;
	}
	assert_int_equal(seen, 8 + PAYLOAD);
	inbox_close(&in);
}

static bool is_no_header(const struct inbox_frame *f, unsigned arg)
{
	(void)arg;
	return f->data[12] == 0x88 && f->data[13] == 0xb5;
}

/* Not only of segments; of what has no transport header, too. */
static void hdr_len_is_told_of_every_packet(struct rig *r)
{
	struct inbox in = inbox_open(r);
	struct inbox_frame f;
	uint8_t frame[200];

	inbox_start(&in, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct packet packet = { .version = i & 1 ? 6 : 4,
					 .protocol = i & 2 ? 6 : 17,
					 .dport = (uint16_t)(6000 + i),
					 .payload = "some text",
					 .len = 9 };
		size_t len = frame_packet(frame, &packet);

		memcpy(frame, mac_guest, 6);
		inbox_inject(packet.version, &net_plain, frame, len);
		(void)inbox_next(&in, is_of_port, 6000 + i, &f);
		assert_int_equal(le16_cpu(f.h->hdr_len), len - 9);
	}
	inbox_send(&in, 1);
	(void)inbox_next(&in, is_no_header, 0, &f);
	assert_int_equal(le16_cpu(f.h->hdr_len), 14);
	inbox_close(&in);
}

static void pairs_are_in_guest_order(struct rig *r)
{
	static const uint8_t two[] = { 2, 0 }, turned[] = { 0, 2 };

	rig_start(r, RIG_ALL);
	assert_int_equal(net_command_on(r, INBOX_CTRL, 4, 0, two, 2), ACK_OK);
	assert_int_equal(net_command_on(r, INBOX_CTRL, 4, 0, turned, 2), ACK_ERR);
}

static const struct conform_case cases[] = {
	{ "DEV-NET-CFG-01 DEV-NET-INFMQMODE-01 DEV-NET-INFMQMODE-02",
	  "max_virtqueue_pairs is within bounds", max_virtqueue_pairs_is_within_bounds,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-MQ-01", "only the first queue is used at first",
	  only_the_first_queue_is_used_at_first, .spec = INBOX_SPEC },
	{ "DEV-NET-MQ-02 DEV-NET-INFMQ-03", "no queue above the set count is used",
	  no_queue_above_the_set_count_is_used, .spec = INBOX_SPEC },
	{ "DEV-NET-MQ-03", "packets for a queue that is reset go elsewhere",
	  packets_for_a_queue_that_is_reset_go_elsewhere, .spec = INBOX_SPEC },
	{ "DEV-NET-MQ-04", "packets for no queue are dropped", packets_for_no_queue_are_dropped,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-INFMQ-01 DEV-NET-INFMQ-02", "answers of a flow come to its queue",
	  answers_of_a_flow_come_to_its_queue, .spec = INBOX_SPEC },
	{ "DEV-NET-TX-06 DEV-NET-TX-07", "a wrong hdr_len is tolerated",
	  a_wrong_hdr_len_is_tolerated, .spec = INBOX_SPEC },
	{ "DEV-NET-TX-08 DEV-NET-TX-10", "tunnel bits are refused", tunnel_bits_are_refused,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-05 DEV-NET-RX-06", "without GUEST_CSUM packets are complete",
	  without_guest_csum_packets_are_complete, .spec = INBOX_SPEC },
	{ "DEV-NET-RX-17 DEV-NET-RX-18 DEV-NET-RX-19 DEV-NET-RX-20",
	  "NEEDS_CSUM says how to complete it", needs_csum_says_how_to_complete_it,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-INFRX-02 DEV-NET-RX-11 DEV-NET-RX-14 DEV-NET-RX-27 DEV-NET-RX-28 DEV-NET-RX-31",
	  "segments are told", segments_are_told, .spec = INBOX_SPEC },
	{ "DEV-NET-RX-07", "no TCPV4 without GUEST_TSO4", no_tcpv4_without_guest_tso4,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-09", "no TCPV6 without GUEST_TSO6", no_tcpv6_without_guest_tso6,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-13", "no ECN without GUEST_ECN", no_ecn_without_guest_ecn,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-10", "no UDP_L4 without GUEST_USO4 or GUEST_USO6",
	  no_udp_l4_without_guest_uso, .spec = INBOX_SPEC },
	{ "DEV-NET-RX-08", "no UDP without GUEST_UFO", no_udp_without_guest_ufo,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-26", "no segments without their features", no_segments_without_their_features,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-RX-31", "hdr_len is told of every packet", hdr_len_is_told_of_every_packet,
	  .spec = INBOX_SPEC },
	{ "DEV-NET-LEGOP-02", "virtqueue_pairs is in guest order", pairs_are_in_guest_order,
	  .spec = INBOX_SPEC, .rings = CONFORM_LEGACY },
};

int main(void)
{
	int ret;

	if (!own_network())
		return 1;
	tap_make(INBOX_TAP, IFF_MULTI_QUEUE);
	ret = conform_run("net on a tap", cases, G_N_ELEMENTS(cases));
	tap_remove(INBOX_TAP, IFF_MULTI_QUEUE);
	return ret;
}
