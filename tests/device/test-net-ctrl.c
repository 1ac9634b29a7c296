/* The network device's control queue over every link (VIRTIO 1.4, 5.1.6.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

static const uint8_t somebody_else[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const uint8_t some_group[6] = { 1, 0, 0x5e, 1, 1, 1 };

static void receive_modes(struct rig *r)
{
	static const uint8_t other[6] = { 0x52, 0x54, 0, 9, 9, 9 };
	static const uint8_t group[6] = { 1, 0, 0x5e, 1, 1, 1 };
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, mac_guest, 0));
	assert_true(net_arrives(&p, mac_broadcast, 0));
	assert_false(net_arrives(&p, other, 0));
	assert_false(net_arrives(&p, group, 0));
	assert_int_equal(net_command1(r, 0, 1, 1), ACK_OK);
	assert_true(net_arrives(&p, group, 0));
	assert_int_equal(net_command1(r, 0, 2, 1), ACK_OK);
	assert_true(net_arrives(&p, other, 0));
	assert_int_equal(net_command1(r, 0, 3, 1), ACK_OK);
	assert_false(net_arrives(&p, group, 0));
	assert_int_equal(net_command1(r, 0, 4, 1), ACK_OK);
	assert_false(net_arrives(&p, mac_guest, 0));
	assert_int_equal(net_command1(r, 0, 5, 1), ACK_OK);
	assert_false(net_arrives(&p, mac_broadcast, 0));
	assert_int_equal(net_command1(r, 0, 0, 1), ACK_OK);
	assert_true(net_arrives(&p, group, 0));
	assert_int_equal(net_command1(r, 0, 0, 0), ACK_OK);
	assert_false(net_arrives(&p, group, 0));
	rig_reset(r); /* forgets them all */
	rig_start(r, RIG_ALL);
	p.req = NULL;
	assert_true(net_arrives(&p, mac_guest, 0));
	assert_false(net_arrives(&p, other, 0));
	close(p.fd);
}

static void without_ctrl_rx_everything_is_received(struct rig *r)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 1, 1, 1 };
	struct net_peer p;

	rig_start(r, RIG_NONE);
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, group, 0));
	assert_true(net_arrives(&p, group, 5));
	close(p.fd);
}

/* MAC_TABLE_SET of @uni and @multi addresses 02:00:00:00:00:NN, multicast ones 03:...; @cut bytes
 * are missing at the end. */
static uint8_t set_table(struct rig *r, uint32_t uni, uint32_t multi, uint32_t cut)
{
	uint32_t counts[2] = { uni, multi };
	g_autoptr(GByteArray) data = g_byte_array_new();

	for (uint8_t k = 0; k < 2; k++) {
		g_byte_array_append(data, (uint8_t *)&counts[k], 4);
		for (uint32_t i = 0; i < counts[k]; i++) {
			uint8_t mac[6] = { (uint8_t)(2 + k), 0, 0, 0, 0, (uint8_t)i };

			g_byte_array_append(data, mac, sizeof(mac));
		}
	}
	return net_command(r, 1, 0, data->data, data->len - cut);
}

static void the_address_table(struct rig *r)
{
	static const uint8_t uni[6] = { 2, 0, 0, 0, 0, 4 }, multi[6] = { 3, 0, 0, 0, 0, 6 };
	static const uint8_t lies[] = { 255, 255, 255, 255, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6 };
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_int_equal(set_table(r, 5, 7, 0), ACK_OK);
	assert_true(net_arrives(&p, uni, 0));
	assert_true(net_arrives(&p, multi, 0));
	/* What is wrong changes nothing. */
	assert_int_equal(set_table(r, 1, 1, 1), ACK_ERR);
	assert_int_equal(set_table(r, 0, 0, 1), ACK_ERR);
	assert_int_equal(net_command(r, 1, 0, lies, sizeof(lies)), ACK_ERR);
	assert_true(net_arrives(&p, multi, 0));
	assert_int_equal(set_table(r, 4, 6, 0), ACK_OK);
	assert_false(net_arrives(&p, uni, 0));
	assert_false(net_arrives(&p, multi, 0));
	/* Too many to list: all of that kind. */
	assert_int_equal(set_table(r, 0, 10000, 0), ACK_OK);
	assert_true(net_arrives(&p, multi, 0));
	assert_false(net_arrives(&p, uni, 0));
	assert_int_equal(set_table(r, 65, 0, 0), ACK_OK);
	assert_true(net_arrives(&p, uni, 0));
	assert_int_equal(set_table(r, 0, 0, 0), ACK_OK);
	assert_false(net_arrives(&p, uni, 0));
	close(p.fd);
}

static void the_address_can_be_changed(struct rig *r)
{
	static const uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 }, group[6] = { 3 }, zero[6];
	uint8_t now[6];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_int_equal(net_command(r, 1, 1, group, 6), ACK_ERR);
	assert_int_equal(net_command(r, 1, 1, zero, 6), ACK_ERR);
	assert_int_equal(net_command(r, 1, 1, mac, 5), ACK_ERR);
	assert_int_equal(net_command(r, 1, 1, mac, 6), ACK_OK);
	rig_config(r, 0, now, 6);
	assert_memory_equal(now, mac, 6); /* DEV-NET-MAC-03 */
	assert_true(net_arrives(&p, mac, 0));
	assert_false(net_arrives(&p, mac_guest, 0));
	rig_reset(r);
	rig_config(r, 0, now, 6);
	assert_memory_equal(now, mac_guest, 6);
	close(p.fd);
}

static void vlans_are_filtered(struct rig *r)
{
	uint16_t five = 5, beyond = 4096;
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_false(net_arrives(&p, mac_guest, 5));
	assert_int_equal(net_command(r, 2, 0, &five, 2), ACK_OK);
	assert_true(net_arrives(&p, mac_guest, 5));
	assert_false(net_arrives(&p, mac_guest, 6));
	assert_int_equal(net_command(r, 2, 1, &five, 2), ACK_OK);
	assert_false(net_arrives(&p, mac_guest, 5));
	assert_int_equal(net_command(r, 2, 0, &beyond, 2), ACK_ERR);
	close(p.fd);
}

static void bad_commands_get_an_error(struct rig *r)
{
	static const uint8_t data[8] = { 1 };
	struct rig_buf bufs[2];

	rig_start(r, RIG_ALL);
	for (unsigned class = 0; class < 8; class ++)
		for (unsigned cmd = 6; cmd < 256; cmd += 83)
			assert_int_equal(net_command(r, (uint8_t) class, (uint8_t)cmd, data, 8),
					 ACK_ERR);
	assert_int_equal(net_command(r, 0, 0, data, 0), ACK_ERR);
	assert_int_equal(net_command(r, 0, 0, data, 2), ACK_ERR);
	assert_int_equal(net_command1(r, 0, 0, 2), ACK_ERR);
	assert_int_equal(net_command(r, 2, 0, data, 1), ACK_ERR);
	assert_int_equal(net_command(r, 4, 0, data, 2), ACK_ERR); /* MQ is not offered */
	assert_int_equal(net_command(r, 5, 0, data, 8), ACK_ERR); /* nor offloads */
	bufs[0] = rig_dup(r, data, 1);
	bufs[1] = rig_alloc(r, 1);
	assert_int_equal(rig_do(r, CTRL, bufs, 1, 1), 1); /* half a head */
	assert_int_equal(*(uint8_t *)bufs[1].p, ACK_ERR);
	assert_int_equal(rig_status(r) & VIRTIO_S_NEEDS_RESET, 0);
	assert_int_equal(rig_do(r, CTRL, bufs, 1, 0), 0); /* nowhere to say so */
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
}

static struct vfeatures only(uint64_t bits)
{
	return (struct vfeatures){ { bits | 1ull << NET_F_CTRL_VQ, 0 } };
}

#define ON(name) (1ull << NET_F_##name)

/* CTRL_RX_EXTRA does not depend on CTRL_RX, without which everything is received. */
static void the_extra_modes_need_no_ctrl_rx(struct rig *r)
{
	static const struct {
		uint8_t command;
		const uint8_t *suppresses, *leaves;
	} modes[] = {
		{ 3, some_group, mac_broadcast },    /* DEV-NET-RXFILT-07, -09 */
		{ 4, somebody_else, mac_broadcast }, /* DEV-NET-RXFILT-10, */
		{ 4, mac_guest, some_group },        /* be it our own address */
		{ 5, mac_broadcast, some_group },    /* DEV-NET-RXFILT-12 */
	};
	struct net_peer p;

	assert_false(vfeatures_has(rig_offered(r), NET_F_CTRL_RX));
	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_int_equal(net_command1(r, 0, 2, 1),
			 ACK_OK); /* DEV-NET-RXFILT-11: no help against 4 */
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		assert_true(net_arrives(&p, modes[i].suppresses, 0));
		assert_int_equal(net_command1(r, 0, modes[i].command, 1), ACK_OK);
		assert_false(net_arrives(&p, modes[i].suppresses, 0));
		assert_true(net_arrives(&p, modes[i].leaves, 0));
		assert_int_equal(net_command1(r, 0, modes[i].command, 0), ACK_OK);
	}
	close(p.fd);
}

static void promiscuous_mode_takes_every_vlan(struct rig *r)
{
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_false(net_arrives(&p, mac_guest, 5));
	assert_int_equal(net_command1(r, 0, 0, 1), ACK_OK);
	assert_true(net_arrives(&p, mac_guest, 5)); /* DEV-NET-RXFILT-02 */
	assert_true(net_arrives(&p, somebody_else, 4095));
	assert_int_equal(net_command1(r, 0, 0, 0), ACK_OK);
	assert_false(net_arrives(&p, mac_guest, 5));
	close(p.fd);
}

/* A driver that does not accept F_MAC makes up an address, which we learn by MAC_ADDR_SET alone. */
static void an_address_never_told_is_not_filtered_by(struct rig *r)
{
	struct net_peer p;
	uint8_t now[6];

	rig_start(r, only(ON(CTRL_RX)));
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, somebody_else, 0));
	assert_false(net_arrives(&p, some_group, 0));
	assert_int_equal(net_command(r, 1, 1, somebody_else, 6), ACK_OK);
	assert_true(net_arrives(&p, somebody_else, 0));
	assert_false(net_arrives(&p, mac_guest, 0));
	rig_config(r, 0, now, 6);
	assert_memory_equal(now, mac_guest, 6); /* the field is not valid, and stays as it is */
	close(p.fd);
}

static void the_address_is_set_on_either_feature(struct rig *r)
{
	static const uint64_t features[] = { ON(CTRL_RX), ON(CTRL_MAC_ADDR) };
	uint8_t now[6];

	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		rig_start(r, only(ON(MAC) | features[i]));
		assert_int_equal(net_command(r, 1, 1, somebody_else, 6), ACK_OK);
		rig_config(r, 0, now, 6);
		assert_memory_equal(now, somebody_else, 6);
	}
}

static void without_ctrl_vq_there_is_no_control_queue(struct rig *r)
{
	struct rig_buf bufs[2] = { rig_dup(r, (uint8_t[3]){ 0, 0, 1 }, 3), rig_alloc(r, 1) };
	struct rig_req *req;

	rig_start(r, RIG_NONE);
	req = rig_submit(r, CTRL, bufs, 1, 1);
	rig_wait_idle(r);
	assert_false(req->done);
}

static void a_command_may_be_cut_anywhere(struct rig *r)
{
	static const uint8_t whole[] = { 1, 1, 2, 1, 2, 3, 4, 5 };
	struct rig_buf flat = rig_dup(r, whole, sizeof(whole)), bufs[sizeof(whole) + 1];

	rig_start(r, RIG_ALL);
	for (uint32_t i = 0; i < sizeof(whole); i++)
		bufs[i] = rig_part(flat, i, 1);
	bufs[sizeof(whole)] = rig_alloc(r, 10);
	*(uint8_t *)bufs[sizeof(whole)].p = 0xee;
	assert_int_equal(rig_do(r, CTRL, bufs, sizeof(whole), 1), 1);
	assert_int_equal(*(uint8_t *)bufs[sizeof(whole)].p, ACK_OK);
	assert_int_equal(rig_config8(r, 0), 2);
}

static void guest_offloads_can_be_set(struct rig *r)
{
	uint64_t on = 1ull << NET_F_GUEST_CSUM, off = 0;
	uint64_t bad[] = { 1ull << NET_F_GUEST_TSO4, 1ull << NET_F_MAC, 1ull << 63 };

	rig_start(r, RIG_ALL);
	assert_int_equal(net_command(r, 5, 0, &off, 8), ACK_OK);
	assert_int_equal(net_arp_answer(r)->flags, 0);
	assert_int_equal(net_command(r, 5, 0, &on, 8), ACK_OK);
	assert_int_equal(net_arp_answer(r)->flags, NET_HDR_F_DATA_VALID);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(net_command(r, 5, 0, &bad[i], 8), ACK_ERR);
	assert_int_equal(net_command(r, 5, 0, &on, 7), ACK_ERR);
}

static const struct rig_case cases[] = {
	CTRL_CASE(NET_PEER, receive_modes),
	CTRL_CASE(NET_PEER, without_ctrl_rx_everything_is_received),
	CTRL_CASE(NET_PEER, the_address_table),
	CTRL_CASE(NET_PEER, the_address_can_be_changed),
	CTRL_CASE(NET_PEER, vlans_are_filtered),
	CTRL_CASE(NET_PEER, bad_commands_get_an_error),
	{ .name = "commands_take_their_feature",
	  .spec = NET_PEER,
	  .run = net_check_commands,
	  .links = CTRL_LINKS },
	CTRL_CASE(NET_PEER ",features=-ctrl_rx", the_extra_modes_need_no_ctrl_rx),
	CTRL_CASE(NET_PEER, promiscuous_mode_takes_every_vlan),
	CTRL_CASE(NET_PEER, an_address_never_told_is_not_filtered_by),
	CTRL_CASE(NET_PEER, the_address_is_set_on_either_feature),
	CTRL_CASE(NET_PEER, without_ctrl_vq_there_is_no_control_queue),
	CTRL_CASE(NET_PEER, a_command_may_be_cut_anywhere),
	CTRL_CASE(USER, guest_offloads_can_be_set),
};

int main(void)
{
	return rig_run("net-ctrl", cases, G_N_ELEMENTS(cases));
}
