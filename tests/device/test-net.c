/* The network device over every link (VIRTIO 1.4, 5.1): features, configuration, transmission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

/*
 * Features and configuration.
 */
static void the_offer_fits_the_backend(struct rig *r)
{
	struct vfeatures f = rig_offered(r);
	uint8_t mac[6];

	assert_true(vfeatures_has(f, NET_F_MAC));
	assert_true(vfeatures_has(f, NET_F_STATUS));
	assert_true(vfeatures_has(f, NET_F_CSUM)); /* completed by the device itself */
	assert_true(vfeatures_has(f, NET_F_MRG_RXBUF));
	assert_false(vfeatures_has(f, NET_F_GUEST_CSUM));
	assert_false(vfeatures_has(f, NET_F_HOST_TSO4));
	assert_false(vfeatures_has(f, NET_F_MQ));
	assert_false(vfeatures_has(f, NET_F_MTU));
	rig_config(r, 0, mac, 6);
	assert_memory_equal(mac, mac_guest, 6);
	assert_int_equal(rig_config16(r, 8), 1);
	assert_int_equal(rig_n_queues(r), 3);
}

static void features_must_hold_together(struct rig *r)
{
	static const unsigned char alone[] = { NET_F_CTRL_RX,       NET_F_CTRL_VLAN,
					       NET_F_CTRL_MAC_ADDR, NET_F_HOST_TSO4,
					       NET_F_HOST_TSO6,     NET_F_HOST_ECN };
	struct vfeatures f;

	for (size_t i = 0; i < G_N_ELEMENTS(alone); i++) {
		f = RIG_NONE;
		vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
		assert_true(vfeatures_has(rig_offered(r), alone[i]));
		vfeatures_set(&f, alone[i], true);
		assert_false(rig_negotiate(r, f));
		rig_reset(r);
	}
	vfeatures_set(&f, NET_F_CSUM, true);
	vfeatures_set(&f, NET_F_HOST_TSO4, true); /* and so is ECN then */
	assert_true(rig_negotiate(r, f));
}

static void default_addresses_differ(struct rig *r)
{
	static const char *const specs[] = { "net,id=a,backend=socket,path=%s/x,listen=on",
					     "net,id=a,backend=socket,path=%s/x",
					     "net,id=b,backend=socket,path=%s/x" };
	struct vdev_env env = { .mem = rig_mem(r), .main_loop = rig_loop(r) };
	uint8_t mac[2 * G_N_ELEMENTS(specs)][6];

	for (size_t i = 0; i < G_N_ELEMENTS(mac); i++) { /* and repeat */
		g_autofree char *spec = NULL, *name = NULL;
		g_autoptr(GPtrArray) pairs = NULL;
		struct vdev *dev;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		spec = g_strdup_printf(specs[i % G_N_ELEMENTS(specs)], rig_dir(r));
#pragma GCC diagnostic pop
		pairs = prop_split(spec, &name);
		dev = vdev_new(rig_dev(r)->class, pairs, &env, NULL);
		assert_non_null(dev);
		vdev_config_read(dev, 0, mac[i], 6);
		vdev_free(dev);
		assert_int_equal(mac[i][0] & 3, 2); /* local, not multicast */
	}
	assert_memory_not_equal(mac[0], mac[1], 6);
	assert_memory_not_equal(mac[1], mac[2], 6);
	assert_memory_equal(mac[0], mac[3], 6);
	assert_memory_equal(mac[2], mac[5], 6);
}

static void the_link_status_follows_the_peer(struct rig *r)
{
	uint8_t frame[60];
	struct net_peer p;
	unsigned before;

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config16(r, 6) & NET_S_LINK_UP, 0);
	before = rig_config_interrupts(r);
	p = net_peer_connect(r);
	RIG_UNTIL(r, rig_config_interrupts(r) > before);
	before = rig_config_interrupts(r);
	close(p.fd);
	RIG_UNTIL(r, rig_config_interrupts(r) > before);
	assert_int_equal(rig_config16(r, 6) & NET_S_LINK_UP, 0);
	/* Transmits go nowhere, but they end. */
	assert_int_equal(
		net_transmit(r, &net_plain, memset(frame, 0, sizeof(frame)), sizeof(frame)), 0);
}

/*
 * Transmission.
 */
static void frames_are_transmitted(struct rig *r)
{
	static uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];
	static const uint32_t sizes[] = { 14, 60, 1514, 9000, NET_FRAME_MAX };
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		frame_plain(frame, mac_broadcast, sizes[i], (uint8_t)i);
		assert_int_equal(net_transmit(r, &net_plain, frame, sizes[i]), 0);
		assert_int_equal(net_peer_receive(&p, got), sizes[i]);
		assert_memory_equal(got, frame, sizes[i]);
	}
	close(p.fd);
}

/* The header and the frame cut anywhere, and into more pieces than a backend takes. */
static void framing_means_nothing(struct rig *r)
{
	static const uint32_t cuts[] = { 1, 5, 13, 100 };
	uint8_t whole[HDR + 400] = { 0 }, got[NET_FRAME_MAX];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	frame_plain(whole + HDR, mac_broadcast, 400, 3);
	for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
		struct rig_buf flat = rig_dup(r, whole, sizeof(whole)), bufs[200];
		unsigned n = 0;

		for (uint32_t at = 0; at < sizeof(whole) && n < 199; at += cuts[i])
			bufs[n++] = rig_part(flat, at, MIN(cuts[i], (uint32_t)sizeof(whole) - at));
		if (n == 199)
			bufs[n++] = rig_part(flat, 199 * cuts[i],
					     (uint32_t)sizeof(whole) - 199 * cuts[i]);
		assert_int_equal(rig_do(r, TX, bufs, n, 0), 0);
		assert_int_equal(net_peer_receive(&p, got), 400);
		assert_memory_equal(got, whole + HDR, 400);
	}
	close(p.fd);
}

static void a_checksum_left_undone_is_completed(struct rig *r)
{
	static const char text[] = "what the driver left undone";
	struct packet packet = { .version = 4,
				 .protocol = 17,
				 .src = 1,
				 .dst = 2,
				 .payload = text,
				 .len = sizeof(text) };
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM };
	struct net_offload off = { 0 };
	uint8_t frame[200], right[200], got[NET_FRAME_MAX];
	struct net_peer p;
	size_t len;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	len = frame_packet(frame, &packet);
	memcpy(right, frame, len);
	frame_leave_csum(frame, len, &off);
	h.csum_start = cpu_le16(off.csum_start);
	h.csum_offset = cpu_le16(off.csum_offset);
	assert_int_equal(net_transmit(r, &h, frame, (uint32_t)len), 0);
	assert_int_equal(net_peer_receive(&p, got), len);
	assert_memory_equal(got, right, len);
	close(p.fd);
}

static void bad_transmits_are_dropped_and_good_ones_go_on(struct rig *r)
{
	static const struct {
		struct net_header h;
		uint32_t len;
	} bad[] = {
		{ { 0 }, 0 },
		{ { 0 }, 13 },
		{ { 0 }, NET_FRAME_MAX + 1 },
		{ { .flags = 1, .csum_start = 0xffff }, 100 },
		{ { .flags = 1, .csum_start = 90, .csum_offset = 9 }, 100 },
		{ { .gso_type = 1, .gso_size = 100 }, 100 },             /* without NEEDS_CSUM */
		{ { .flags = 1, .gso_type = 1, .gso_size = 100 }, 100 }, /* not negotiated */
		{ { .flags = 1, .gso_type = 0x7f, .gso_size = 100 }, 100 },
	};
	static uint8_t frame[NET_FRAME_MAX + 1], got[NET_FRAME_MAX];
	struct rig_buf stub;
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	frame_plain(frame, mac_broadcast, sizeof(frame), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(net_transmit(r, &bad[i].h, frame, bad[i].len), 0);
	stub = rig_dup(r, &net_plain, 11); /* not even a header */
	assert_int_equal(rig_do(r, TX, &stub, 1, 0), 0);
	stub = rig_alloc(r, 2000); /* nothing to read */
	assert_int_equal(rig_do(r, TX, &stub, 0, 1), 0);
	assert_int_equal(net_drops(r).tx_bad, G_N_ELEMENTS(bad) + 2);
	assert_int_equal(rig_status(r) & VIRTIO_S_NEEDS_RESET, 0);
	assert_int_equal(net_transmit(r, &net_plain, frame, 77), 0);
	assert_int_equal(net_peer_receive(&p, got), 77);
	close(p.fd);
}

static void needs_csum_takes_the_feature(struct rig *r)
{
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM, .csum_start = 14 };
	uint8_t frame[100] = { 0 };

	rig_start(r, RIG_NONE);
	assert_int_equal(net_transmit(r, &h, frame, sizeof(frame)), 0);
	assert_int_equal(net_drops(r).tx_bad, 1);
}

static void nothing(struct rig *r)
{
	(void)r;
}

static void pause_and_resume(struct rig *r)
{
	vdev_pause(rig_dev(r));
	rig_wait_idle(r);
	vdev_resume(rig_dev(r));
}

/* A peer that does not read fills the ring; then comes @meanwhile; and all is there when it reads
 * again. */
static void with_a_slow_peer(struct rig *r, void (*meanwhile)(struct rig *r))
{
	enum { N = 600 };
	static uint8_t frame[1500], got[NET_FRAME_MAX];
	static struct rig_req *reqs[N];
	int64_t deadline = rig_deadline();
	struct net_peer p;
	unsigned done = 0;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (unsigned i = 0; i < N; i++) {
		struct rig_buf bufs[2] = { rig_dup(r, &net_plain, HDR) };

		bufs[1] = rig_dup(r, frame,
				  (uint32_t)frame_plain(frame, mac_broadcast, 1500, (uint8_t)i));
		if (rig_room(r, TX) < 2)
			rig_wait_idle(r);
		for (; rig_room(r, TX) < 2; done++) {
			assert_int_equal(net_peer_receive(&p, got), 1500);
			assert_true(frame_is_plain(got, 1500, (uint8_t)done));
			rig_turn(r, deadline);
		}
		reqs[i] = rig_submit(r, TX, bufs, 2, 0);
	}
	rig_wait_idle(r);
	assert_false(reqs[N - 1]->done);
	meanwhile(r);
	for (; done < N; done++) {
		assert_int_equal(net_peer_receive(&p, got), 1500);
		assert_true(frame_is_plain(got, 1500, (uint8_t)done));
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(rig_wait(r, reqs[i]), 0);
	close(p.fd);
}

static void a_slow_peer_holds_the_ring(struct rig *r)
{
	with_a_slow_peer(r, nothing);
}

static void a_pause_loses_no_frame_that_waits(struct rig *r)
{
	with_a_slow_peer(r, pause_and_resume);
}

static void stopping_ends_what_waits(struct rig *r)
{
	static uint8_t frame[60000];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	frame_plain(frame, mac_broadcast, sizeof(frame), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct rig_buf bufs[2] = { rig_dup(r, &net_plain, HDR),
					   rig_dup(r, frame, sizeof(frame)) };

		rig_submit(r, TX, bufs, 2, 0);
	}
	rig_wait_idle(r);
	rig_queue_reset(r, TX);
	rig_queue_start(r, TX, 0);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	close(p.fd);
}

static const struct rig_case cases[] = {
	{ .name = "the_offer_fits_the_backend",
	  .spec = NET_PEER,
	  .run = the_offer_fits_the_backend,
	  .links = RIG_NOT_COPIED }, /* which withholds some of it */
	MODERN_CASE(USER, features_must_hold_together),
	{ .name = "default_addresses_differ",
	  .spec = NET_PEER,
	  .run = default_addresses_differ,
	  .direct_only = true },
	CASE(NET_PEER, the_link_status_follows_the_peer),
	CASE(NET_PEER, frames_are_transmitted),
	CASE(NET_PEER, framing_means_nothing),
	CASE(NET_PEER, a_checksum_left_undone_is_completed),
	CASE(NET_PEER, bad_transmits_are_dropped_and_good_ones_go_on),
	CASE(NET_PEER, needs_csum_takes_the_feature),
	CASE(NET_PEER, a_slow_peer_holds_the_ring),
	CASE(NET_PEER, a_pause_loses_no_frame_that_waits),
	CASE(NET_PEER, stopping_ends_what_waits),
};

int main(void)
{
	return rig_run_copied("net", cases, G_N_ELEMENTS(cases));
}
