/* The network device (5.1) on a socket, whose other end is the test, and on a user network. What
 * needs a kernel's help is in test-net-tap.c. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

#define CFG_MTU  10
#define MTU      1400u
#define ON(name) (1ull << NET_F_##name)

static const uint8_t somebody_else[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const uint8_t some_group[6] = { 1, 0, 0x5e, 1, 1, 1 };

static struct vfeatures only(uint64_t bits)
{
	return (struct vfeatures){ { bits, 0 } };
}

/*
 * Features and configuration space.
 */

/* So that uncovered.tsv tells the truth. */
static void what_has_no_test_is_not_offered(struct rig *r)
{
	static const uint8_t bits[] = {
		21, 50, 51, 52, 53, 57, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
		assert_false(vfeatures_has(rig_offered(r), bits[i]));
}

static void ctrl_rx_extra_goes_with_ctrl_vq(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), NET_F_CTRL_VQ));
	assert_false(vfeatures_has(rig_offered(r), NET_F_CTRL_RX_EXTRA));
}

static void the_mtu_is_within_bounds_and_stays(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), NET_F_MTU));
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(rig_config16(r, CFG_MTU), MTU);
		rig_start(r, RIG_ALL);
		rig_config_write(r, CFG_MTU, "\x01", 1);
		rig_config_write(r, CFG_MTU, "\x01\x02", 2);
		assert_int_equal(rig_config16(r, CFG_MTU), MTU);
		(void)net_command(r, 1, 1, somebody_else, 6);
		assert_int_equal(rig_config16(r, CFG_MTU), MTU);
		rig_reset(r);
	}
}

/* An operator can ask for no other. */
static void an_mtu_below_1280_cannot_be_had(struct rig *r)
{
	struct vdev_env env = { .mem = rig_mem(r), .main_loop = rig_loop(r) };
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("net,mtu=1279", &name);

	assert_null(vdev_new(rig_dev(r)->class, pairs, &env, NULL));
}

static void packets_beyond_the_mtu_stay_away(struct rig *r)
{
	static uint8_t frame[2000];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	net_offer(&p, 2000);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 14 + MTU + 1, 1));
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 14 + MTU, 2));
	assert_int_equal(rig_wait(r, p.req), HDR + 14 + MTU);
	assert_true(frame_is_plain((uint8_t *)p.buf.p + HDR, 14 + MTU, 2));
	close(p.fd);
}

static void packets_of_the_mtu_are_sent_whole(struct rig *r)
{
	static uint8_t frame[14 + MTU], got[NET_FRAME_MAX];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	frame_plain(frame, mac_broadcast, sizeof(frame), 1);
	assert_int_equal(net_transmit(r, &net_plain, frame, sizeof(frame)), 0);
	assert_int_equal(net_peer_receive(&p, got), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
	close(p.fd);
}

/*
 * Transmission.
 */

/* A frame behind this header reaches the peer as it is. */
static void check_sent_as_it_is(struct rig *r, const struct net_header *h, const uint8_t *frame,
				uint32_t len)
{
	uint8_t got[NET_FRAME_MAX];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_int_equal(net_transmit(r, h, frame, len), 0);
	assert_int_equal(net_peer_receive(&p, got), len);
	assert_memory_equal(got, frame, len);
	close(p.fd);
}

static void unknown_flags_are_ignored(struct rig *r)
{
	struct net_header h = { .flags = 0xfe };
	uint8_t frame[100];

	frame_plain(frame, mac_broadcast, sizeof(frame), 1);
	check_sent_as_it_is(r, &h, frame, sizeof(frame));
}

static void without_needs_csum_the_offsets_mean_nothing(struct rig *r)
{
	struct net_header h = { .csum_start = cpu_le16(20), .csum_offset = cpu_le16(2) };
	uint8_t frame[100];

	frame_plain(frame, mac_broadcast, sizeof(frame), 1);
	check_sent_as_it_is(r, &h, frame, sizeof(frame));
}

static void a_wrong_checksum_is_not_ours_to_find(struct rig *r)
{
	struct packet packet = { .version = 4, .protocol = 17, .payload = "text", .len = 4 };
	uint8_t frame[200];
	size_t len = frame_packet(frame, &packet);

	frame[frame_transport(frame) + 6] ^= 0x55;
	assert_false(frame_is_right(frame, len));
	check_sent_as_it_is(r, &net_plain, frame, (uint32_t)len);
}

/*
 * Reception.
 */
static void check_header(const struct net_header *h, unsigned num_buffers)
{
	assert_int_equal(h->flags, 0);
	assert_int_equal(h->gso_type, NET_SEG_NONE);
	assert_int_equal(le16_cpu(h->num_buffers), num_buffers);
}

static void a_packet_is_in_one_buffer_without_mrg_rxbuf(struct rig *r)
{
	static uint8_t frame[1514];
	struct rig_buf bufs[2] = { rig_alloc(r, 600), rig_alloc(r, 2000) };
	struct net_peer p;

	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	p = net_peer_connect(r);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_req *req = rig_submit(r, RX, &bufs[i], 0, 1);
		size_t len = i ? 1514 : 500;

		net_peer_send(&p, frame, frame_plain(frame, mac_guest, len, 1));
		assert_int_equal(rig_wait(r, req), HDR + len);
		check_header(bufs[i].p, 1);
		assert_true(frame_is_plain((uint8_t *)bufs[i].p + HDR, len, 1));
	}
	close(p.fd);
}

enum { N_SMALL = 8, SMALL = 300 };

/* Every length from one that fits to one that needs all but the last of the buffers. */
static void num_buffers_counts_the_buffers(struct rig *r)
{
	static uint8_t frame[2000], got[N_SMALL * SMALL];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (size_t len = SMALL - HDR - 1; len < 2000; len += len < SMALL ? 1 : 199) {
		unsigned n = (unsigned)((HDR + len + SMALL - 1) / SMALL);
		struct rig_buf bufs[N_SMALL];
		struct rig_req *reqs[N_SMALL] = { NULL };

		for (unsigned i = 0; i < n; i++) {
			bufs[i] = rig_alloc(r, SMALL);
			reqs[i] = rig_add(r, RX, &bufs[i], 0, 1);
		}
		rig_publish(r, RX);
		net_peer_send(&p, frame, frame_plain(frame, mac_guest, len, (uint8_t)len));
		RIG_UNTIL(r, reqs[0]->done);
		check_header(bufs[0].p, n);
		for (unsigned i = 0; i < n; i++) {
			assert_true(reqs[i]->done); /* together */
			assert_int_equal(reqs[i]->len,
					 i + 1 < n ? SMALL : HDR + len - (n - 1) * (size_t)SMALL);
			memcpy(got + (size_t)i * SMALL, bufs[i].p, reqs[i]->len);
		}
		assert_true(frame_is_plain(got + HDR, len, (uint8_t)len));
	}
	close(p.fd);
}

static void without_guest_csum_flags_are_0(struct rig *r)
{
	rig_start(r, rig_all_but(NET_F_GUEST_CSUM));
	assert_int_equal(net_arp_answer(r)->flags, 0);
}

/* A datagram from a socket of the host to the guest, of @len bytes; each frame of it is given to
 * @check. */
static void to_the_guest(struct rig *r, size_t len,
			 void (*check)(const struct net_header *h, const uint8_t *frame,
				       size_t len))
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct packet packet = { .version = 4,
				 .protocol = 17,
				 .src = 0x0a00020f,
				 .dst = 0x0a000202,
				 .sport = 4000,
				 .payload = "who?",
				 .len = 4 };
	socklen_t sin_len = sizeof(sin);
	uint8_t frame[100], data[8000] = { 1, 2, 3 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t seen = 0;

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &sin_len), 0);
	packet.dport = ntohs(sin.sin_port);
	(void)net_arp_answer(r);
	assert_int_equal(net_transmit(r, &net_plain, frame, (uint32_t)frame_packet(frame, &packet)),
			 0);
	RIG_UNTIL(r, recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&sin,
			      &sin_len) == 4);
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&sin, sin_len), len);
	while (seen < len + 8) {
		struct rig_buf buf = rig_alloc(r, 1600);
		const uint8_t *got = (uint8_t *)buf.p + HDR;
		uint32_t n = rig_do(r, RX, &buf, 0, 1) - HDR;

		if (got[12] != 8 || got[13] != 0 || got[23] != 17)
			continue; /* the network speaks by itself, too */
		seen += (size_t)got[16] * 256 + got[17] - 20;
		check(buf.p, got, n);
	}
	close(fd);
}

static void is_valid(const struct net_header *h, const uint8_t *frame, size_t len)
{
	assert_int_equal(h->flags, NET_HDR_F_DATA_VALID);
	assert_true(frame_is_right(frame, len));
}

static void is_a_fragment(const struct net_header *h, const uint8_t *frame, size_t len)
{
	(void)len;
	assert_true((frame[20] & 0x3f) | frame[21]); /* it is one */
	assert_int_equal(h->flags, 0);
}

static void data_valid_is_said_of_what_is_right(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, NET_F_GUEST_CSUM));
	to_the_guest(r, 1000, is_valid);
}

static void data_valid_is_not_said_of_fragments(struct rig *r)
{
	rig_start(r, RIG_ALL);
	to_the_guest(r, 5000, is_a_fragment);
}

/*
 * Receive modes, addresses, VLANs. Rows of a table: after these commands, does a frame arrive?
 */
struct mode {
	uint8_t command, on;
};

static void check_modes(struct rig *r, struct vfeatures f, const struct mode *modes, unsigned n,
			const uint8_t *dst, bool arrives)
{
	struct net_peer p;

	rig_start(r, f);
	p = net_peer_connect(r);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(net_command1(r, 0, modes[i].command, modes[i].on), ACK_OK);
	assert_int_equal(net_arrives(&p, dst, 0), arrives);
	close(p.fd);
	RIG_UNTIL(r, !(rig_config16(r, 6) & NET_S_LINK_UP));
}

enum { PROMISC, ALLMULTI, ALLUNI, NOMULTI, NOUNI, NOBCAST };

#define CHECK(r, dst, arrives, ...)                                                          \
	check_modes(r, RIG_ALL, (const struct mode[]){ __VA_ARGS__ },                        \
		    sizeof((const struct mode[]){ __VA_ARGS__ }) / sizeof(struct mode), dst, \
		    arrives)

static void promisc_and_allmulti_work(struct rig *r)
{
	CHECK(r, some_group, true, { ALLMULTI, 1 });
	CHECK(r, some_group, false, { ALLMULTI, 1 }, { ALLMULTI, 0 });
	CHECK(r, somebody_else, false, { ALLMULTI, 1 });
	CHECK(r, somebody_else, true, { PROMISC, 1 });
	CHECK(r, somebody_else, false, { PROMISC, 1 }, { PROMISC, 0 });
}

static void promiscuous_mode_receives_all(struct rig *r)
{
	struct net_peer p;

	CHECK(r, mac_guest, true, { NOUNI, 1 }, { PROMISC, 1 });
	CHECK(r, some_group, true, { NOMULTI, 1 }, { PROMISC, 1 });
	CHECK(r, mac_broadcast, true, { PROMISC, 1 }, { NOBCAST, 1 });
	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_false(net_arrives(&p, mac_guest, 7));
	assert_int_equal(net_command1(r, 0, PROMISC, 1), ACK_OK);
	assert_true(net_arrives(&p, mac_guest, 7)); /* a VLAN that is not listed */
	close(p.fd);
}

static void alluni_works(struct rig *r)
{
	if (vfeatures_has(rig_offered(r), NET_F_CTRL_RX))
		CHECK(r, somebody_else, false, { ALLUNI, 0 });
	CHECK(r, somebody_else, true, { ALLUNI, 1 });
}

static void nomulti_works(struct rig *r)
{
	CHECK(r, some_group, false, { NOMULTI, 1 });
	CHECK(r, mac_guest, true, { NOMULTI, 1 });
	CHECK(r, mac_broadcast, true, { NOMULTI, 1 });
	if (vfeatures_has(rig_offered(r), NET_F_CTRL_RX))
		CHECK(r, some_group, false, { NOMULTI, 1 }, { ALLMULTI, 1 });
	else
		CHECK(r, some_group, true, { NOMULTI, 1 }, { NOMULTI, 0 });
}

static void nouni_works(struct rig *r)
{
	CHECK(r, mac_guest, false, { NOUNI, 1 });
	CHECK(r, mac_broadcast, true, { NOUNI, 1 });
	CHECK(r, mac_guest, false, { NOUNI, 1 }, { ALLUNI, 1 });
	CHECK(r, mac_guest, true, { NOUNI, 1 }, { NOUNI, 0 });
}

static void nobcast_works(struct rig *r)
{
	CHECK(r, mac_broadcast, false, { NOBCAST, 1 });
	CHECK(r, mac_guest, true, { NOBCAST, 1 });
	if (vfeatures_has(rig_offered(r), NET_F_CTRL_RX))
		CHECK(r, mac_broadcast, false, { NOBCAST, 1 }, { ALLMULTI, 1 });
	CHECK(r, mac_broadcast, true, { NOBCAST, 1 }, { NOBCAST, 0 });
}

/* MAC_TABLE_SET of @n (0 or 1) unicast and as many multicast addresses. */
static void set_table(struct rig *r, uint8_t n)
{
	uint8_t data[20] = { n };
	uint32_t half = 4 + 6u * n;

	data[half] = n;
	if (n) {
		memcpy(data + 4, somebody_else, 6);
		memcpy(data + half + 4, some_group, 6);
	}
	assert_int_equal(net_command(r, 1, 0, data, 2 * half), ACK_OK);
}

static void the_mac_table_filters_and_is_empty_after_a_reset(struct rig *r)
{
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (unsigned round = 0; round < 2; round++) {
		assert_false(net_arrives(&p, somebody_else, 0));
		assert_false(net_arrives(&p, some_group, 0));
		assert_true(net_arrives(&p, mac_guest, 0));
		set_table(r, 1); /* in force when the command is used */
		assert_true(net_arrives(&p, somebody_else, 0));
		assert_true(net_arrives(&p, some_group, 0));
		assert_true(net_arrives(&p, mac_guest, 0));
		set_table(r, 0);
		assert_false(net_arrives(&p, some_group, 0));
		set_table(r, 1);
		rig_reset(r);
		rig_start(r, RIG_ALL);
		p.req = NULL;
	}
	close(p.fd);
}

/* It takes CTRL_RX, to which the text ties the class of commands, or CTRL_MAC_ADDR, whose name says
 * it. */
static void the_address_is_set_with_ctrl_rx_or_ctrl_mac_addr(struct rig *r)
{
	static const uint64_t features[] = { ON(CTRL_RX), ON(CTRL_MAC_ADDR) };
	uint8_t now[6];

	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		rig_start(r, only(ON(CTRL_VQ) | ON(MAC) | features[i]));
		assert_int_equal(net_command(r, 1, 1, somebody_else, 6), ACK_OK);
		rig_config(r, 0, now, 6); /* shown when the command is used */
		assert_memory_equal(now, somebody_else, 6);
		rig_reset(r);
		rig_config(r, 0, now, 6);
		assert_memory_equal(now, mac_guest, 6);
	}
}

static void the_set_address_is_filtered_by(struct rig *r)
{
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, mac_guest, 0));
	assert_false(net_arrives(&p, somebody_else, 0));
	assert_int_equal(net_command(r, 1, 1, somebody_else, 6), ACK_OK);
	assert_true(net_arrives(&p, somebody_else, 0));
	assert_false(net_arrives(&p, mac_guest, 0));
	close(p.fd);
}

/* The field is not valid then. The driver's address is the one that it sets; before, nobody can
 * tell which unicast is unlisted. */
static void without_f_mac_unicast_passes_until_an_address_is_set(struct rig *r)
{
	struct net_peer p;

	rig_start(r, only(ON(CTRL_VQ) | ON(CTRL_RX)));
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, mac_guest, 0));
	assert_true(net_arrives(&p, somebody_else, 0));
	assert_false(net_arrives(&p, some_group, 0));
	assert_int_equal(net_command(r, 1, 1, somebody_else, 6), ACK_OK);
	assert_true(net_arrives(&p, somebody_else, 0));
	assert_false(net_arrives(&p, mac_guest, 0));
	close(p.fd);
}

static void without_ctrl_vlan_all_tags_are_accepted(struct rig *r)
{
	struct net_peer p;

	rig_start(r, rig_all_but(NET_F_CTRL_VLAN));
	p = net_peer_connect(r);
	for (uint16_t vlan = 1; vlan < 4096; vlan = (uint16_t)(2 * vlan + 1))
		assert_true(net_arrives(&p, mac_guest, vlan));
	close(p.fd);
}

static void listed_vlans_are_accepted_and_others_dropped(struct rig *r)
{
	static const uint16_t ids[] = { 1, 5, 4095 };
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		assert_false(net_arrives(&p, mac_guest, ids[i]));
		assert_int_equal(net_command(r, 2, 0, &ids[i], 2), ACK_OK);
		assert_true(net_arrives(&p, mac_guest, ids[i]));
		assert_true(net_arrives(&p, mac_guest,
					ids[i] | 0xe000)); /* its priority is no part of it */
	}
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		assert_true(net_arrives(&p, mac_guest, ids[i]));
		assert_int_equal(net_command(r, 2, 1, &ids[i], 2), ACK_OK);
		assert_false(net_arrives(&p, mac_guest, ids[i]));
	}
	close(p.fd);
}

#define WITH_USER "net,mac=52:54:00:01:02:03"
#define EXTRA     NET_PEER ",features=-ctrl_rx"

static const struct conform_case cases[] = {
	{ "DEV-NET-CFG-13", "what has no test is not offered", what_has_no_test_is_not_offered,
	  .spec = WITH_USER },
	{ "DEV-NET-CFG-14", "CTRL_RX_EXTRA goes with CTRL_VQ", ctrl_rx_extra_goes_with_ctrl_vq,
	  .spec = NET_PEER ",features=-ctrl_vq" },
	{ "DEV-NET-CFG-02 DEV-NET-CFG-04", "the MTU is within bounds and stays",
	  the_mtu_is_within_bounds_and_stays, .spec = NET_PEER ",mtu=1400" },
	{ "DEV-NET-CFG-02 DEV-NET-CFG-03", "an MTU below 1280 cannot be had",
	  an_mtu_below_1280_cannot_be_had, .spec = NET_PEER, .links = "direct" },
	{ "DEV-NET-CFG-05", "packets beyond the MTU stay away", packets_beyond_the_mtu_stay_away,
	  .spec = NET_PEER ",mtu=1400" },
	{ "DEV-NET-CFG-06", "packets of the MTU are sent whole", packets_of_the_mtu_are_sent_whole,
	  .spec = NET_PEER ",mtu=1400" },
	{ "DEV-NET-TX-01", "unknown flags are ignored", unknown_flags_are_ignored,
	  .spec = NET_PEER },
	{ "DEV-NET-TX-02", "without NEEDS_CSUM the offsets mean nothing",
	  without_needs_csum_the_offsets_mean_nothing, .spec = NET_PEER },
	{ "DEV-NET-TX-12", "a wrong checksum is not ours to find",
	  a_wrong_checksum_is_not_ours_to_find, .spec = NET_PEER },
	{ "DEV-NET-RXBUF-01 DEV-NET-RXBUF-02 DEV-NET-RX-01",
	  "a packet is in one buffer without MRG_RXBUF",
	  a_packet_is_in_one_buffer_without_mrg_rxbuf, .spec = NET_PEER },
	{ "DEV-NET-RXBUF-01 DEV-NET-RX-02 DEV-NET-RX-03 DEV-NET-RX-04",
	  "num_buffers counts the buffers", num_buffers_counts_the_buffers, .spec = NET_PEER },
	{ "DEV-NET-RX-05 DEV-NET-RX-12 DEV-NET-RX-30 DEV-NET-RX-39 DEV-NET-RX-42",
	  "without GUEST_CSUM flags are 0", without_guest_csum_flags_are_0, .spec = WITH_USER },
	{ "DEV-NET-RX-32 DEV-NET-RX-33", "DATA_VALID is said of what is right",
	  data_valid_is_said_of_what_is_right, .spec = WITH_USER },
	{ "DEV-NET-RX-33", "DATA_VALID is not said of fragments",
	  data_valid_is_not_said_of_fragments, .spec = WITH_USER },
	{ "DEV-NET-RXFILT-01 DEV-NET-RXFILT-04", "PROMISC and ALLMULTI work",
	  promisc_and_allmulti_work, .spec = NET_PEER },
	{ "DEV-NET-RXFILT-02 DEV-NET-RXFILT-03",
	  "promiscuous mode receives all, VLANs that are not listed, too",
	  promiscuous_mode_receives_all, .spec = NET_PEER },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-06", "ALLUNI works", alluni_works, .spec = NET_PEER },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-06", "ALLUNI works without CTRL_RX", alluni_works,
	  .spec = EXTRA },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-07 DEV-NET-RXFILT-08 DEV-NET-RXFILT-09",
	  "NOMULTI works", nomulti_works, .spec = NET_PEER },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-07 DEV-NET-RXFILT-09", "NOMULTI works without CTRL_RX",
	  nomulti_works, .spec = EXTRA },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-10 DEV-NET-RXFILT-11", "NOUNI works", nouni_works,
	  .spec = NET_PEER },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-10 DEV-NET-RXFILT-11", "NOUNI works without CTRL_RX",
	  nouni_works, .spec = EXTRA },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-12 DEV-NET-RXFILT-13", "NOBCAST works", nobcast_works,
	  .spec = NET_PEER },
	{ "DEV-NET-RXFILT-05 DEV-NET-RXFILT-12", "NOBCAST works without CTRL_RX", nobcast_works,
	  .spec = EXTRA },
	{ "DEV-NET-MAC-01 DEV-NET-MAC-02 DEV-NET-MAC-04",
	  "the MAC table filters and is empty after a reset",
	  the_mac_table_filters_and_is_empty_after_a_reset, .spec = NET_PEER },
	{ "DEV-NET-MAC-03", "the address is set with CTRL_RX or CTRL_MAC_ADDR",
	  the_address_is_set_with_ctrl_rx_or_ctrl_mac_addr, .spec = NET_PEER },
	{ "DEV-NET-MAC-04", "the set address is filtered by", the_set_address_is_filtered_by,
	  .spec = NET_PEER },
	{ "DEV-NET-MAC-04", "without F_MAC unicast passes until an address is set",
	  without_f_mac_unicast_passes_until_an_address_is_set, .spec = NET_PEER },
	{ "DEV-NET-VLAN-01", "without CTRL_VLAN all tags are accepted",
	  without_ctrl_vlan_all_tags_are_accepted, .spec = NET_PEER },
	{ "DEV-NET-VLAN-02 DEV-NET-VLAN-03", "listed VLANs are accepted and others dropped",
	  listed_vlans_are_accepted_and_others_dropped, .spec = NET_PEER },
	{ "DEV-NET-RXFILT-01 DEV-NET-RXFILT-05", "commands take their feature", net_check_commands,
	  .spec = NET_PEER },
};

int main(void)
{
	return conform_run("net", cases, G_N_ELEMENTS(cases));
}
