/* The control queue's commands and features, each against each (VIRTIO 1.4, 5.1.6.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

#define ON(name) (1u << NET_F_##name)

/* Features that commands depend on. */
static const uint8_t features[] = {
	NET_F_MAC,           NET_F_CTRL_RX, NET_F_CTRL_RX_EXTRA,       NET_F_CTRL_VLAN,
	NET_F_CTRL_MAC_ADDR, NET_F_MQ,      NET_F_CTRL_GUEST_OFFLOADS,
};

static const uint8_t zeroes[8], one_pair[2] = { 1 };

/* With data that is right. @one_of: features of which one is enough; none: there is no such
 * command, or its feature is never offered. */
static const struct command {
	uint8_t class, command;
	uint32_t one_of;
	const void *data;
	uint32_t len;
} commands[] = {
	{ 0, 0, ON(CTRL_RX), zeroes, 1 },
	{ 0, 1, ON(CTRL_RX), zeroes, 1 },
	{ 0, 2, ON(CTRL_RX_EXTRA), zeroes, 1 },
	{ 0, 3, ON(CTRL_RX_EXTRA), zeroes, 1 },
	{ 0, 4, ON(CTRL_RX_EXTRA), zeroes, 1 },
	{ 0, 5, ON(CTRL_RX_EXTRA), zeroes, 1 },
	{ 0, 6, 0, zeroes, 1 },
	{ 1, 0, ON(CTRL_RX), zeroes, 8 },
	{ 1, 1, ON(CTRL_RX) | ON(CTRL_MAC_ADDR), mac_guest, 6 },
	{ 1, 2, 0, mac_guest, 6 },
	{ 2, 0, ON(CTRL_VLAN), zeroes, 2 },
	{ 2, 1, ON(CTRL_VLAN), zeroes, 2 },
	{ 2, 2, 0, zeroes, 2 },
	{ 3, 0, 0, NULL, 0 }, /* ANNOUNCE_ACK */
	{ 4, 0, ON(MQ), one_pair, 2 },
	{ 4, 1, 0, zeroes, 8 }, /* RSS_CONFIG, */
	{ 4, 2, 0, zeroes, 8 }, /* HASH_CONFIG */
	{ 5, 0, ON(CTRL_GUEST_OFFLOADS), zeroes, 8 },
	{ 5, 1, 0, zeroes, 8 },
	{ 6, 0, 0, zeroes, 8 }, /* NOTF_COAL */
	{ 7, 0, 0, zeroes, 8 }, /* HASH_TUNNEL */
	{ 8, 0, 0, zeroes, 8 }, /* STATS */
	{ 255, 255, 0, zeroes, 8 },
};

static void check_commands(struct rig *r, uint64_t accepted)
{
	unsigned q = accepted & ON(MQ) ? 2u * rig_config16(r, 8) : CTRL;

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		const struct command *c = &commands[i];
		uint8_t ack = net_command_on(r, q, c->class, c->command, c->data, c->len);

		if (ack != (accepted & c->one_of ? ACK_OK : ACK_ERR))
			fail_msg("features %#llx: class %u command %u: ack %u",
				 (unsigned long long)accepted, c->class, c->command, ack);
	}
}

void net_check_commands(struct rig *r)
{
	struct vfeatures offered = rig_offered(r);

	for (unsigned set = 0; set < 1u << G_N_ELEMENTS(features); set++) {
		struct vfeatures f = RIG_NONE;
		bool all = true;

		vfeatures_set(&f, NET_F_CTRL_VQ, true);
		for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
			if (!(set & 1u << i))
				continue;
			all &= vfeatures_has(offered, features[i]);
			vfeatures_set(&f, features[i], true);
		}
		if (!all)
			continue;
		rig_start(r, f);
		check_commands(r, f.w[0]);
	}
}
