/*
 * The control queue (VIRTIO 1.4, 5.1.6.5): one table of commands, and one function each.
 *
 * A command's data is between a least and a most length, checked before its function runs; whatever
 * is wrong with a command, the driver gets VIRTIO_NET_ERR and the device goes on.
 */
#include "devices/net/net.h"

#include <errno.h>
#include <string.h>

enum { ACK_OK = 0, ACK_ERR = 1 };
enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_MQ = 4, CLASS_OFFLOADS = 5 };

/* Who leaves does before the backend knows, who comes after. */
int net_set_pairs(struct net *net, unsigned pairs)
{
	unsigned before = net->pairs;
	int ret = 0;

	net->pairs = MIN(before, pairs);
	net_vhost_update(net);
	if (net->be->ops->set_channels)
		ret = net->be->ops->set_channels(net->be, pairs);
	net->pairs = ret < 0 ? before : pairs;
	net_vhost_update(net);
	return MIN(ret, 0);
}

int net_set_rx_offloads(struct net *net, unsigned work)
{
	int ret = 0;

	if (net->be->ops->set_offloads)
		ret = net->be->ops->set_offloads(net->be, work & net->be->rx_offloads);
	if (ret < 0)
		return ret;
	net->rx_offloads = work;
	return 0;
}

/* One byte, 0 or 1, into one of the filter's modes. */
static bool net_ctrl_rx_mode(struct net *net, struct vq_chain *c, unsigned command)
{
	bool *const modes[] = {
		&net->filter.promisc, &net->filter.allmulti, &net->filter.alluni,
		&net->filter.nomulti, &net->filter.nouni,    &net->filter.nobcast,
	};
	uint8_t on;

	if (!vq_pull(c, &on, sizeof(on)) || on > 1)
		return false;
	*modes[command] = on;
	return true;
}

/* One of the two lists: its length, then the addresses. */
static bool net_ctrl_mac_list(struct vq_chain *c, struct net_filter *f, bool *ret_many)
{
	le32 count;
	uint64_t n;

	if (!vq_pull(c, &count, sizeof(count)))
		return false;
	n = le32_cpu(count);
	if (n * 6 > c->rd.left)
		return false;
	*ret_many = n > NET_FILTER_MACS - f->n_macs;
	if (*ret_many)
		return vq_skip(c, n * 6);
	for (; n > 0; n--)
		if (!vq_pull(c, f->macs[f->n_macs++], 6))
			return false;
	return true;
}

/* Built beside the old one: a bad command changes nothing. */
static bool net_ctrl_mac_table(struct net *net, struct vq_chain *c, unsigned command)
{
	struct net_filter f = net->filter;

	(void)command;
	f.n_macs = 0;
	if (!net_ctrl_mac_list(c, &f, &f.many_uni) || !net_ctrl_mac_list(c, &f, &f.many_multi) ||
	    c->rd.left)
		return false;
	net->filter = f;
	return true;
}

static bool net_ctrl_mac_address(struct net *net, struct vq_chain *c, unsigned command)
{
	static const uint8_t none[6];
	uint8_t mac[6];

	(void)command;
	if (!vq_pull(c, mac, sizeof(mac)) || mac[0] & 1 || memcmp(mac, none, 6) == 0)
		return false;
	net_filter_own(&net->filter, mac);
	if (vdev_accepted(&net->dev, NET_F_MAC)) /* DEV-NET-MAC-03 */
		vdev_config_set(&net->dev, offsetof(struct net_config, mac), mac, sizeof(mac),
				false);
	return true;
}

static bool net_ctrl_vlan(struct net *net, struct vq_chain *c, unsigned command)
{
	le16 id;

	if (!vq_pull(c, &id, sizeof(id)) || le16_cpu(id) >= NET_VLANS)
		return false;
	net_filter_vlan(&net->filter, le16_cpu(id), command == 0);
	return true;
}

/* Before the command is used, queues that leave are silent (DEV-NET-MQ-02). */
static void net_silence(struct net *net, unsigned pair)
{
	net->be->ops->receive(net->be, pair, false);
	net_rx_discard(net, pair);
	net_rx_flush(net, pair);
}

bool net_use_pairs(struct net *net, unsigned pairs)
{
	unsigned before = net->pairs;

	if (net->vhost)
		return net_set_pairs(net, pairs) == 0;
	for (unsigned i = pairs; i < before; i++)
		net_silence(net, i);
	if (net_set_pairs(net, pairs) < 0)
		return false;
	for (unsigned i = before; i < pairs && net->listens; i++)
		net->be->ops->receive(net->be, i, true);
	net_rx_listen(net);
	net->stale |= !net->listens;
	return true;
}

static bool net_ctrl_mq_pairs(struct net *net, struct vq_chain *c, unsigned command)
{
	unsigned pairs;
	le16 raw;

	(void)command;
	if (!vq_pull(c, &raw, sizeof(raw)))
		return false;
	pairs = le16_cpu(raw);
	return pairs >= 1 && pairs <= net->max_pairs && net_use_pairs(net, pairs);
}

static bool net_ctrl_guest_offloads(struct net *net, struct vq_chain *c, unsigned command)
{
	struct vfeatures f = { 0 };
	unsigned work;
	le64 raw;

	(void)command;
	if (!vq_pull(c, &raw, sizeof(raw)))
		return false;
	f.w[0] = le64_cpu(raw);
	work = net_rx_offloads(f);
	/* Bits that are no offload, or that were not negotiated, or whose premise is off. */
	if (f.w[0] & ~net->dev.accepted.w[0] || f.w[0] & ~NET_GUEST_OFFLOADS ||
	    !vdev_features_fit(net->dev.class, f))
		return false;
	return net_set_rx_offloads(net, work) == 0;
}

#define ON(name) (1u << NET_F_##name)

/* MAC_ADDR_SET: the whole class is CTRL_RX's (5.1.6.5.2), and CTRL_MAC_ADDR is about this command
 * alone (5.1.3): a driver may rely on either. */
static const struct command {
	uint8_t class, command;
	uint32_t features;    /* of which one must have been accepted */
	uint16_t least, most; /* bytes of data; most 0: no limit but the command's own */
	bool (*run)(struct net *net, struct vq_chain *c, unsigned command);
} commands[] = {
	{ CLASS_RX, 0, ON(CTRL_RX), 1, 1, net_ctrl_rx_mode },
	{ CLASS_RX, 1, ON(CTRL_RX), 1, 1, net_ctrl_rx_mode },
	{ CLASS_RX, 2, ON(CTRL_RX_EXTRA), 1, 1, net_ctrl_rx_mode },
	{ CLASS_RX, 3, ON(CTRL_RX_EXTRA), 1, 1, net_ctrl_rx_mode },
	{ CLASS_RX, 4, ON(CTRL_RX_EXTRA), 1, 1, net_ctrl_rx_mode },
	{ CLASS_RX, 5, ON(CTRL_RX_EXTRA), 1, 1, net_ctrl_rx_mode },
	{ CLASS_MAC, 0, ON(CTRL_RX), 8, 0, net_ctrl_mac_table },
	{ CLASS_MAC, 1, ON(CTRL_RX) | ON(CTRL_MAC_ADDR), 6, 6, net_ctrl_mac_address },
	{ CLASS_VLAN, 0, ON(CTRL_VLAN), 2, 2, net_ctrl_vlan },
	{ CLASS_VLAN, 1, ON(CTRL_VLAN), 2, 2, net_ctrl_vlan },
	{ CLASS_MQ, 0, ON(MQ), 2, 2, net_ctrl_mq_pairs },
	{ CLASS_OFFLOADS, 0, ON(CTRL_GUEST_OFFLOADS), 8, 8, net_ctrl_guest_offloads },
};

static bool net_ctrl_run(struct net *net, struct vq_chain *c)
{
	uint8_t head[2];

	if (!vq_pull(c, head, sizeof(head)))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		const struct command *cmd = &commands[i];

		if (cmd->class != head[0] || cmd->command != head[1])
			continue;
		return net->dev.accepted.w[0] & cmd->features && c->rd.left >= cmd->least &&
		       (!cmd->most || c->rd.left <= cmd->most) && cmd->run(net, c, cmd->command);
	}
	return false;
}

void net_ctrl_handle(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	uint8_t ack;

	(void)q;
	if (c->wr.left == 0) {
		vdev_guest_bug(dev, "control command without room for its ack byte (VIRTIO 1.4, "
				    "5.1.6.5)");
	} else {
		ack = net_ctrl_run((struct net *)dev, c) ? ACK_OK : ACK_ERR;
		(void)vq_put(c, &ack, sizeof(ack));
	}
	vq_push(c->vq, c);
}
