/*
 * Network devices (VIRTIO 1.4, 5.1.9): receive buffers, the header before each frame to be sent,
 * the control queue. What a header says of a frame is judged by the frame (net-frame.c).
 *
 * All queues of a device have one owner, so nothing here is locked.
 */
#include <limits.h>
#include <string.h>

#include "devices/net/net.h"
#include "vmm/check/check-int.h"
#include "vmm/check/net-frame.h"

/* 5.1.9: flags and types that our device does not know are named here, to be found out. */
#define HDR_F_RSC_INFO             4u
#define HDR_F_TUNNEL_CSUM          8u
#define GSO_TCPV4                  1u
#define GSO_UDP                    3u
#define GSO_TCPV6                  4u
#define GSO_UDP_L4                 5u
#define GSO_TUNNEL                 0x60u /* of either IP version */
#define GSO_ECN                    0x80u
#define NET_F_HOST_TUNNEL_GSO      48u
#define NET_F_HOST_TUNNEL_GSO_CSUM 49u

struct net_seen {
	bool pairs_set;
	unsigned pairs; /* the most that PAIRS_SET has said */
};

#define AT(field) offsetof(struct net_config, field)

static unsigned net_config16(struct check_dev *d, size_t at)
{
	le16 value;

	vdev_config_get(d->dev, at, &value, sizeof(value));
	return le16_cpu(value);
}

static size_t net_header_bytes(const struct check_dev *d)
{
	return d->dev->legacy && !check_accepted(d, NET_F_MRG_RXBUF) ? NET_HEADER_BYTES_LEGACY
								     : NET_HEADER_BYTES;
}

/* The control queue's number: it is the last. With vhost-user it is the front-end's, and there is
 * none. */
static unsigned net_control_queue(const struct check_dev *d)
{
	if (vdev_control_elsewhere(d->dev) || !check_accepted(d, NET_F_CTRL_VQ))
		return UINT_MAX;
	return check_accepted(d, NET_F_MQ) ? d->n_queues - 1 : 2;
}

/*
 * Segmentation.
 */

static const struct {
	unsigned type, feature, rule;
} segmentations[] = {
	{ GSO_TCPV4, NET_F_HOST_TSO4, CHECK_NET_TSO4 },
	{ GSO_TCPV6, NET_F_HOST_TSO6, CHECK_NET_TSO6 },
	{ GSO_UDP, NET_F_HOST_UFO, CHECK_NET_UFO },
	{ GSO_UDP_L4, NET_F_HOST_USO, CHECK_NET_USO },
};

static bool net_segments_at_all(const struct check_dev *d)
{
	for (size_t i = 0; i < G_N_ELEMENTS(segmentations); i++)
		if (check_accepted(d, segmentations[i].feature))
			return true;
	return false;
}

static void net_judge_type(struct check_dev *d, int q, int head, const struct net_header *h)
{
	unsigned type = h->gso_type & ~(GSO_ECN | GSO_TUNNEL);

	if (!net_segments_at_all(d)) {
		check_broken(d, CHECK_NET_NO_GSO, q, head, "gso_type %#x", h->gso_type);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(segmentations); i++)
		if (type == segmentations[i].type && !check_accepted(d, segmentations[i].feature))
			check_broken(d, segmentations[i].rule, q, head, "gso_type %#x",
				     h->gso_type);
}

static void net_judge_tunnel(struct check_dev *d, int q, int head, const struct net_header *h)
{
	unsigned tunnel = h->gso_type & GSO_TUNNEL, type = h->gso_type & ~(GSO_ECN | GSO_TUNNEL);
	bool csum = h->flags & HDR_F_TUNNEL_CSUM;

	if (tunnel == GSO_TUNNEL)
		check_broken(d, CHECK_NET_TUNNEL_BOTH, q, head, "gso_type %#x", h->gso_type);
	if (tunnel && type == GSO_UDP)
		check_broken(d, CHECK_NET_TUNNEL_UFO, q, head, "gso_type %#x", h->gso_type);
	if (tunnel && !check_accepted(d, NET_F_HOST_TUNNEL_GSO))
		check_broken(d, CHECK_NET_TUNNEL, q, head, "gso_type %#x", h->gso_type);
	if (csum && !tunnel)
		check_broken(d, CHECK_NET_TUNNEL_NONE, q, head, "flags %#x", h->flags);
	if (csum && !check_accepted(d, NET_F_HOST_TUNNEL_GSO_CSUM))
		check_broken(d, CHECK_NET_TUNNEL_CSUM, q, head, "flags %#x", h->flags);
}

static void net_judge_gso(struct check_dev *d, int q, int head, const struct net_header *h)
{
	net_judge_tunnel(d, q, head, h);
	if (!(h->gso_type & ~GSO_ECN))
		return;
	net_judge_type(d, q, head, h);
	if (!(h->flags & NET_HDR_F_NEEDS_CSUM))
		check_broken(d, CHECK_NET_GSO_CSUM, q, head, "flags %#x", h->flags);
	if (!h->gso_size)
		check_broken(d, CHECK_NET_GSO_SIZE, q, head, NULL);
}

/*
 * Frames.
 */

static void net_judge_flags(struct check_dev *d, int q, int head, const struct net_header *h)
{
	const unsigned received = NET_HDR_F_DATA_VALID | HDR_F_RSC_INFO;

	if (h->flags & received)
		check_broken(d, CHECK_NET_RX_FLAGS, q, head, "flags %#x", h->flags);
	if (h->flags & ~received && !check_accepted(d, NET_F_CSUM))
		check_broken(d, CHECK_NET_FLAGS, q, head, "flags %#x", h->flags);
}

static void net_judge_frame(struct check_dev *d, int q, const struct vq_chain *c,
			    const struct net_header *h, size_t skip)
{
	struct net_frame f = { .len = c->rd.left - skip };
	unsigned start = le16_cpu(h->csum_start), off = le16_cpu(h->csum_offset);
	unsigned field = start + off;
	uint16_t sum;

	f.seen = check_peek(c, skip, f.bytes, sizeof(f.bytes));
	net_frame_parse(&f);
	if (check_accepted(d, NET_F_MTU) && !h->gso_type && f.ip &&
	    f.len - f.ip > net_config16(d, AT(mtu)))
		check_broken(d, CHECK_NET_MTU, q, c->id, "%zu bytes", f.len - f.ip);
	if ((h->gso_type & ~GSO_ECN) == GSO_TCPV4 && check_accepted(d, NET_F_HOST_ECN) &&
	    net_frame_has_cwr(&f) && !(h->gso_type & GSO_ECN))
		check_broken(d, CHECK_NET_ECN, q, c->id, NULL);
	if (!(h->flags & NET_HDR_F_NEEDS_CSUM))
		return;
	if (field + 2 > f.len || start >= f.len) {
		check_broken(d, CHECK_NET_CSUM_PLACE, q, c->id, "at %u + %u, of %zu bytes", start,
			     off, f.len);
		return;
	}
	if (!net_frame_ip_sum_right(&f))
		check_broken(d, CHECK_NET_IP_CSUM, q, c->id, NULL);
	if (start == f.transport && net_frame_pseudo(&f, off, &sum) &&
	    !net_frame_same_sum(sum, net_frame_be16(&f, field)))
		check_broken(d, CHECK_NET_CSUM_PSEUDO, q, c->id, "%#x, it would be %#x",
			     net_frame_be16(&f, field), sum);
}

static void net_transmitted(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	const struct net_seen *s = d->own;
	size_t bytes = net_header_bytes(d);
	struct net_header h = { 0 };

	if (d->dev->legacy && !check_accepted(d, VIRTIO_F_ANY_LAYOUT) && c->rd.n &&
	    c->rd.iov[0].iov_len != bytes)
		check_broken(d, CHECK_NET_LEGACY_HEADER, (int)q, c->id, "%zu bytes",
			     c->rd.iov[0].iov_len);
	if (check_peek(c, 0, &h, bytes) < bytes) {
		check_broken(d, CHECK_NET_HEADER, (int)q, c->id, "%zu of %zu bytes", c->rd.left,
			     bytes);
		return;
	}
	if (vdev_control_elsewhere(d->dev) || d->joined)
		; /* what was said of pairs was said to others */
	else if (q / 2 > 0 && !s->pairs_set)
		check_broken(d, CHECK_NET_PAIRS_FIRST, (int)q, c->id, NULL);
	else if (s->pairs_set && q / 2 >= s->pairs)
		check_broken(d, CHECK_NET_PAIRS_BEYOND, (int)q, c->id, "%u pairs", s->pairs);
	if (h.num_buffers && !d->dev->legacy)
		check_broken(d, CHECK_NET_NUM_BUFFERS, (int)q, c->id, "%u",
			     le16_cpu(h.num_buffers));
	net_judge_flags(d, (int)q, c->id, &h);
	net_judge_gso(d, (int)q, c->id, &h);
	net_judge_frame(d, (int)q, c, &h, bytes);
}

static void net_received(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	if (c->rd.left)
		check_broken(d, CHECK_NET_RX_READABLE, (int)q, c->id, "%zu bytes", c->rd.left);
	if (c->wr.left < net_header_bytes(d))
		check_broken(d, CHECK_NET_RX_BUFFER, (int)q, c->id, "%zu bytes", c->wr.left);
}

/*
 * The control queue (5.1.9.5).
 */

#define CTRL_HEADER 2u

static void ctrl_rx(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	if (command <= 1 && !check_accepted(d, NET_F_CTRL_RX))
		check_broken(d, CHECK_NET_RX_MODE, q, c->id, "command %u", command);
	if (command > 1 && !check_accepted(d, NET_F_CTRL_RX_EXTRA))
		check_broken(d, CHECK_NET_RX_EXTRA, q, c->id, "command %u", command);
}

/* A table's length in bytes, its count included; 0 if that is not all there. */
static size_t mac_table_bytes(const struct vq_chain *c, size_t at)
{
	le32 count;

	if (check_peek(c, at, &count, sizeof(count)) < sizeof(count))
		return 0;
	return sizeof(count) + 6ul * le32_cpu(count);
}

static void ctrl_mac(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	size_t unicast, multicast;

	if (!check_accepted(d, NET_F_CTRL_RX))
		check_broken(d, CHECK_NET_MAC_COMMAND, q, c->id, "command %u", command);
	if (command != 0)
		return;
	unicast = mac_table_bytes(c, CTRL_HEADER);
	multicast = unicast ? mac_table_bytes(c, CTRL_HEADER + unicast) : 0;
	if (!multicast || CTRL_HEADER + unicast + multicast != c->rd.left)
		check_broken(d, CHECK_NET_MAC_TABLE, q, c->id, "%zu bytes", c->rd.left);
}

static void ctrl_mq(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	struct net_seen *s = d->own;
	le16 pairs;

	if (command != 0 || check_peek(c, CTRL_HEADER, &pairs, sizeof(pairs)) < sizeof(pairs))
		return;
	if (le16_cpu(pairs) < 1 || le16_cpu(pairs) > net_config16(d, AT(max_pairs))) {
		check_broken(d, CHECK_NET_PAIRS, q, c->id, "%u", le16_cpu(pairs));
		return;
	}
	s->pairs_set = true;
	s->pairs = MAX(s->pairs, le16_cpu(pairs));
}

static void ctrl_offloads(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	le64 bits;

	if (command != 0 || check_peek(c, CTRL_HEADER, &bits, sizeof(bits)) < sizeof(bits))
		return;
	if (le64_cpu(bits) & ~d->dev->accepted.w[0])
		check_broken(d, CHECK_NET_OFFLOADS, q, c->id, "%#" G_GINT64_MODIFIER "x",
			     le64_cpu(bits) & ~d->dev->accepted.w[0]);
}

static void net_commanded(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	static void (*const classes[])(struct check_dev * d, int q, const struct vq_chain *c,
				       unsigned command) = {
		[0] = ctrl_rx, [1] = ctrl_mac, [4] = ctrl_mq, [5] = ctrl_offloads
	};
	uint8_t h[CTRL_HEADER];

	if (check_peek(c, 0, h, sizeof(h)) < sizeof(h))
		return;
	if (d->dev->legacy && !check_accepted(d, VIRTIO_F_ANY_LAYOUT) &&
	    (c->rd.iov[0].iov_len != CTRL_HEADER || c->wr.n != 1 || c->wr.left != 1))
		check_broken(d, CHECK_NET_LEGACY_COMMAND, (int)q, c->id, NULL);
	if (h[0] < G_N_ELEMENTS(classes) && classes[h[0]])
		classes[h[0]](d, (int)q, c, h[1]);
}

static void net_popped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	if (q == net_control_queue(d))
		net_commanded(d, q, c);
	else if (q % 2)
		net_transmitted(d, q, c);
	else
		net_received(d, q, c);
}

/* A legacy driver may write its address (5.1.4.3). */
static void net_config_seen(struct check_dev *d, size_t off, const uint8_t *bytes, size_t len,
			    bool write)
{
	(void)bytes, (void)len;
	if (write && !d->dev->legacy)
		check_broken(d, CHECK_NET_CONFIG_WRITTEN, -1, -1, "at %u", (unsigned)off);
}

static void net_reset_seen(struct check_dev *d)
{
	*(struct net_seen *)d->own = (struct net_seen){ 0 };
}

static const struct check_field fields[] = {
	{ AT(mac), 6, NET_F_MAC },
	{ AT(status), 2, NET_F_STATUS },
	{ AT(max_pairs), 2, NET_F_MQ },
	{ AT(mtu), 2, NET_F_MTU },
	{ 0 },
};

const struct check_type check_net = {
	.class = "net",
	.group = CHECK_NET,
	.state_size = sizeof(struct net_seen),
	.fields = fields,
	.popped = net_popped,
	.config = net_config_seen,
	.reset = net_reset_seen,
};
