/* The network device's receive queue over every link (VIRTIO 1.4, 5.1.6.3, 5.1.6.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

/*
 * Reception.
 */
static void check_received(const struct net_peer *p, size_t len, uint8_t seed)
{
	const struct net_header *h = p->buf.p;

	assert_int_equal(p->req->len, HDR + len);
	assert_int_equal(h->flags, 0);
	assert_int_equal(h->gso_type, 0);
	assert_int_equal(le16_cpu(h->num_buffers), 1);
	assert_true(frame_is_plain((uint8_t *)p->buf.p + HDR, len, seed));
}

static void frames_are_received(struct rig *r)
{
	static uint8_t frame[1514];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (uint8_t i = 0; i < 10; i++) {
		size_t len = i % 2 ? 60 : 1514;

		net_offer(&p, 1600);
		net_peer_send(&p, frame, frame_plain(frame, mac_guest, len, i));
		rig_wait(r, p.req);
		check_received(&p, len, i);
	}
	close(p.fd);
}

static void num_buffers_is_one_without_mergeable_buffers(struct rig *r)
{
	uint8_t frame[100];
	struct net_peer p;

	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	p = net_peer_connect(r);
	net_offer(&p, 1526);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 100, 1));
	rig_wait(r, p.req);
	check_received(&p, 100, 1);
	close(p.fd);
}

static void a_frame_too_long_for_its_buffer_is_dropped(struct rig *r)
{
	uint8_t frame[200];
	struct net_peer p;

	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	p = net_peer_connect(r);
	net_offer(&p, HDR + 100);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 101, 1));
	RIG_UNTIL(r, net_drops(r).too_long == 1);
	assert_false(p.req->done);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 100, 2)); /* the same buffer */
	rig_wait(r, p.req);
	check_received(&p, 100, 2);
	close(p.fd);
}

static void a_frame_spreads_over_mergeable_buffers(struct rig *r)
{
	enum { N = 8, LEN = 300, FRAME = 1514 };
	static uint8_t frame[FRAME], got[N * LEN];
	struct rig_buf bufs[N];
	struct rig_req *reqs[N];
	size_t total = 0;
	unsigned n = 0;
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (unsigned i = 0; i < N; i++) {
		bufs[i] = rig_alloc(r, LEN);
		reqs[i] = rig_submit(r, RX, &bufs[i], 0, 1);
	}
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, FRAME, 7));
	RIG_UNTIL(r, reqs[5]->done);
	while (n < N && reqs[n]->done) {
		memcpy(got + total, bufs[n].p, reqs[n]->len);
		total += reqs[n]->len;
		if (n < 5)
			assert_int_equal(reqs[n]->len, LEN); /* DEV-NET-RX-03 */
		n++;
	}
	assert_int_equal(n, 6); /* (12 + 1514) / 300, and all together: DEV-NET-RX-04 */
	assert_int_equal(le16_cpu(((struct net_header *)bufs[0].p)->num_buffers), 6);
	assert_int_equal(total, HDR + FRAME);
	assert_true(frame_is_plain(got + HDR, FRAME, 7));
	close(p.fd);
}

static void a_frame_waits_until_there_are_enough_buffers(struct rig *r)
{
	uint8_t frame[1000];
	struct rig_buf bufs[4];
	struct rig_req *reqs[4];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 1000, 1));
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 100, 2));
	for (unsigned i = 0; i < 4; i++) {
		rig_wait_idle(r);
		if (i)
			assert_false(reqs[0]->done);
		bufs[i] = rig_alloc(r, 300);
		reqs[i] = rig_submit(r, RX, &bufs[i], 0, 1);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_wait(r, reqs[i]), i < 3 ? 300 : HDR + 1000 - 900);
	net_offer(&p, 200);
	rig_wait(r, p.req);
	check_received(&p, 100, 2);
	close(p.fd);
}

/* More than the whole ring has: it would wait for ever. */
static void a_frame_that_never_fits_is_dropped(struct rig *r)
{
	static uint8_t frame[9000];
	struct rig_buf buf;
	struct rig_req *first = NULL;
	struct vfeatures f = RIG_ALL;
	struct net_peer p;

	f.w[0] &= rig_offered(r).w[0];
	f.w[1] = 0;
	assert_true(rig_negotiate(r, f));
	rig_queue_start(r, RX, 16);
	rig_driver_ok(r);
	p = net_peer_connect(r);
	for (unsigned i = 0; i < 16; i++) {
		struct rig_req *req;

		buf = rig_alloc(r, 100);
		req = rig_submit(r, RX, &buf, 0, 1);
		if (!first)
			first = req;
	}
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 9000, 1));
	RIG_UNTIL(r, net_drops(r).too_long == 1);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 60, 2));
	assert_int_equal(rig_wait(r, first), HDR + 60);
	close(p.fd);
}

static void a_buffer_without_room_for_the_header_is_a_fault(struct rig *r)
{
	uint8_t frame[60];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	net_offer(&p, 11);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 60, 1));
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_true(rig_logged(r, "no room for the header") > 0);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	p.req = NULL;
	assert_true(net_arrives(&p, mac_guest, 0));
	close(p.fd);
}

static void the_mtu_holds(struct rig *r)
{
	static uint8_t frame[2000];
	struct net_peer p;

	assert_int_equal(rig_config16(r, 10), 1400);
	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	net_offer(&p, 2000);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 1415, 1)); /* DEV-NET-CFG-05 */
	RIG_UNTIL(r, net_drops(r).too_long == 1);
	net_peer_send(&p, frame, frame_plain(frame, mac_guest, 1414, 2));
	rig_wait(r, p.req);
	check_received(&p, 1414, 2);
	close(p.fd);
}

/* As on a tap (DEV-NET-MQ-04), whether it waits with us or in the socket, and however much. */
static void frames_during_a_queue_reset_are_dropped(struct rig *r)
{
	static uint8_t frame[1514];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (unsigned how = 0; how < 4; how++) {
		if (how & 1) {
			net_peer_send(&p, frame, frame_plain(frame, mac_guest, 60, 1));
			rig_wait_idle(r);
		}
		rig_queue_reset(r, RX);
		for (unsigned i = 0; i < 50; i++)
			net_peer_send(&p, frame, frame_plain(frame, mac_guest, sizeof(frame), 2));
		if (how & 2)
			rig_wait_idle(r);
		rig_queue_start(r, RX, 0);
		net_offer(&p, 1600);
		net_peer_send(&p, frame, frame_plain(frame, mac_guest, 100, 3));
		rig_wait(r, p.req);
		check_received(&p, 100, 3);
	}
	close(p.fd);
}

/*
 * On a user network.
 */
static void a_user_network_answers(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), NET_F_HOST_TSO4));
	rig_start(r, RIG_ALL);
	assert_int_equal(net_arp_answer(r)->flags, NET_HDR_F_DATA_VALID);
	rig_reset(r);
	rig_start(r, rig_all_but(NET_F_GUEST_CSUM));
	assert_int_equal(net_arp_answer(r)->flags, 0); /* DEV-NET-RX-05 */
}

static void a_segment_with_foreign_headers_is_dropped(struct rig *r)
{
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM,
				.gso_type = NET_SEG_TCP4,
				.gso_size = cpu_le16(100),
				.csum_start = cpu_le16(34),
				.csum_offset = cpu_le16(16) };
	uint8_t frame[200];

	rig_start(r, RIG_ALL);
	frame_plain(frame, mac_broadcast, sizeof(frame), 0);
	assert_int_equal(net_transmit(r, &h, frame, sizeof(frame)), 0);
	assert_int_equal(net_drops(r).tx_bad, 1);
	assert_int_equal(net_arp_answer(r)->flags, NET_HDR_F_DATA_VALID);
}

static const struct rig_case cases[] = {
	CASE(NET_PEER, frames_are_received),
	MODERN_CASE(NET_PEER, num_buffers_is_one_without_mergeable_buffers),
	MODERN_CASE(NET_PEER, a_frame_too_long_for_its_buffer_is_dropped),
	CASE(NET_PEER, a_frame_spreads_over_mergeable_buffers),
	CASE(NET_PEER, a_frame_waits_until_there_are_enough_buffers),
	MODERN_CASE(NET_PEER, a_frame_that_never_fits_is_dropped),
	CASE(NET_PEER, a_buffer_without_room_for_the_header_is_a_fault),
	CASE(NET_PEER ",mtu=1400", the_mtu_holds),
	CASE(NET_PEER, frames_during_a_queue_reset_are_dropped),
	CASE(USER, a_user_network_answers),
	CASE(USER, a_segment_with_foreign_headers_is_dropped),
};

int main(void)
{
	return rig_run_copied("net-rx", cases, G_N_ELEMENTS(cases));
}
