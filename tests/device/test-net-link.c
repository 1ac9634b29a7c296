/* A network card whose link the operator takes down, over every link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/core/state.h"
#include "devices/net/card.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

static bool link_is_up(struct rig *r)
{
	struct net_card card;
	bool up = rig_config16(r, offsetof(struct net_config, status)) & NET_S_LINK_UP;

	net_card(rig_dev(r), &card);
	assert_int_equal(card.up, up);
	return up;
}

/* The driver learns of it. */
static void set_link(struct rig *r, bool up)
{
	unsigned before = rig_config_interrupts(r);

	net_set_link(rig_dev(r), up);
	RIG_UNTIL(r, rig_config_interrupts(r) > before);
	assert_int_equal(link_is_up(r), up);
}

static void transmit(struct rig *r, uint8_t seed)
{
	uint8_t frame[60];

	frame_plain(frame, mac_broadcast, sizeof(frame), seed);
	assert_int_equal(net_transmit(r, &net_plain, frame, sizeof(frame)), 0);
}

static void peer_gets(struct net_peer *p, uint8_t seed)
{
	uint8_t frame[60], got[NET_FRAME_MAX];

	frame_plain(frame, mac_broadcast, sizeof(frame), seed);
	assert_int_equal(net_peer_receive(p, got), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
}

/* What is transmitted ends, and goes nowhere; what arrives is lost, and does not come later. */
static void a_link_that_is_down_carries_nothing(struct rig *r)
{
	uint8_t frame[60];
	struct net_peer p;

	frame_plain(frame, mac_broadcast, sizeof(frame), 1);
	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	transmit(r, 1);
	peer_gets(&p, 1);
	assert_true(net_arrives(&p, mac_guest, 0));
	set_link(r, false);
	transmit(r, 2);
	transmit(r, 3);
	assert_int_equal(net_drops(r).tx_lost, 2);
	net_peer_send(&p, frame, sizeof(frame));
	RIG_UNTIL(r, net_drops(r).no_link == 1);
	set_link(r, true);
	transmit(r, 4);
	peer_gets(&p, 4);
	assert_true(net_arrives(&p, mac_guest, 0));
	close(p.fd);
}

/* The backend keeps a frame while there are no buffers; the link goes down, and it is lost, too. */
static void a_frame_that_waits_is_lost_with_the_link(struct rig *r)
{
	uint8_t frame[60];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	frame_plain(frame, mac_broadcast, sizeof(frame), 1);
	net_peer_send(&p, frame, sizeof(frame));
	rig_wait_idle(r);
	net_set_link(rig_dev(r), false);
	RIG_UNTIL(r, net_drops(r).no_link == 1);
	net_set_link(rig_dev(r), true);
	net_offer(&p, 2048);
	rig_wait_idle(r);
	assert_false(p.req->done);
	close(p.fd);
}

/* Its own coming and going is not told meanwhile, and counts again afterwards. */
static void the_peer_does_not_bring_it_up(struct rig *r)
{
	struct net_peer p;
	unsigned before;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	set_link(r, false);
	before = rig_config_interrupts(r);
	close(p.fd);
	rig_wait_idle(r);
	net_set_link(rig_dev(r), true);
	rig_wait_idle(r);
	assert_false(link_is_up(r));
	assert_int_equal(rig_config_interrupts(r), before);
	p = net_peer_connect(r);
	assert_true(link_is_up(r));
	close(p.fd);
}

static void expect_down_until_told(struct rig *r, struct net_peer *p)
{
	assert_false(link_is_up(r));
	transmit(r, 1);
	set_link(r, true);
	transmit(r, 2);
	peer_gets(p, 2);
	close(p->fd);
}

static void it_stays_down_over_a_reset(struct rig *r)
{
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	set_link(r, false);
	rig_reset(r);
	assert_false(link_is_up(r));
	rig_start(r, RIG_ALL);
	expect_down_until_told(r, &p);
}

static void it_is_part_of_the_state(struct rig *r)
{
	g_autoptr(GByteArray) record = g_byte_array_new();
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	set_link(r, false);
	vdev_pause(rig_dev(r));
	assert_true(vdev_state_save(rig_dev(r), record, NULL));
	net_set_link(rig_dev(r), true);
	assert_true(link_is_up(r));
	assert_true(vdev_state_load(rig_dev(r), record->data, record->len, NULL));
	vdev_resume(rig_dev(r));
	expect_down_until_told(r, &p);
}

static const struct rig_case cases[] = {
	CASE(NET_PEER, a_link_that_is_down_carries_nothing),
	CASE(NET_PEER, a_frame_that_waits_is_lost_with_the_link),
	CASE(NET_PEER, the_peer_does_not_bring_it_up),
	CASE(NET_PEER, it_stays_down_over_a_reset),
	CASE(NET_PEER, it_is_part_of_the_state),
};

int main(void)
{
	return rig_run("net-link", cases, G_N_ELEMENTS(cases));
}
