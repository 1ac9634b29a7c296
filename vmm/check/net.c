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
#define HDR_F_SECURITY             16u
#define NET_F_HOST_TUNNEL_GSO      48u
#define NET_F_HOST_TUNNEL_GSO_CSUM 49u
#define NET_F_HASH_TUNNEL          51u
#define NET_F_VQ_NOTF_COAL         52u
#define NET_F_NOTF_COAL            53u
#define NET_F_RSS                  60u
#define NET_F_RSS_CONTEXT          64u
#define NET_F_IPSEC                70u

#define ETHERNET_BYTES 14u

/* What a large packet takes (5.1.9.3.1), by the versions that say the least: the later header is
 * longer. */
#define LARGE_PACKET_BYTES (65550u + NET_HEADER_BYTES)

struct net_seen {
	bool pairs_set;
	unsigned pairs; /* the most that PAIRS_SET has said */

	/* Of each receive queue: buffers since one was there that holds a packet of mtu bytes (with
	 * MRG_RXBUF: all of them together), and their bytes. */
	struct {
		unsigned n;
		size_t bytes;
		unsigned no_large; /* the same of large packets, which one buffer holds or none */
	} small[VDEV_QUEUES_MAX / 2];
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
	if (h->flags & HDR_F_SECURITY && !check_accepted(d, NET_F_IPSEC))
		check_broken(d, CHECK_NET_SECURITY, q, head, "flags %#x", h->flags);
	if (h->flags & ~received && !check_accepted(d, NET_F_CSUM))
		check_broken(d, CHECK_NET_FLAGS, q, head, "flags %#x", h->flags);
}

/* Does a legacy driver's checksum lie in the packet if its header is of the other byte order? */
static bool net_place_is_swapped(const struct check_dev *d, const struct net_frame *f,
				 const struct net_header *h)
{
	unsigned start = GUINT16_SWAP_LE_BE(le16_cpu(h->csum_start));
	unsigned off = GUINT16_SWAP_LE_BE(le16_cpu(h->csum_offset));

	return d->dev->legacy && start + off + 2 <= f->len;
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
		check_broken(d,
			     net_place_is_swapped(d, &f, h) ? CHECK_NET_LEGACY_HEADER_ENDIAN
							    : CHECK_NET_CSUM_PLACE,
			     q, c->id, "at %u + %u, of %zu bytes", start, off, f.len);
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
	if (h.num_buffers && !d->dev->legacy && c->rd.n &&
	    c->rd.iov[0].iov_len == NET_HEADER_BYTES_LEGACY) {
		check_broken(d, CHECK_NET_HEADER, (int)q, c->id,
			     "%zu bytes, as before virtio 1, of %zu: the frame begins in it",
			     NET_HEADER_BYTES_LEGACY, bytes);
		return;
	}
	if (h.num_buffers && !d->dev->legacy)
		check_broken(d, CHECK_NET_NUM_BUFFERS, (int)q, c->id, "%u",
			     le16_cpu(h.num_buffers));
	net_judge_flags(d, (int)q, c->id, &h);
	net_judge_gso(d, (int)q, c->id, &h);
	net_judge_frame(d, (int)q, c, &h, bytes);
}

/*
 * Of as many buffers in a row as the queue has room for some were available together, at any time:
 * if all of them are too small no time had enough (5.1.4.2).
 */
static void net_judge_room(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct net_seen *s = d->own;
	size_t bytes = c->wr.left, wanted;

	if (!check_accepted(d, NET_F_MTU) || q / 2 >= G_N_ELEMENTS(s->small))
		return;
	wanted = net_header_bytes(d) + ETHERNET_BYTES + net_config16(d, AT(mtu));
	if (check_accepted(d, NET_F_MRG_RXBUF))
		bytes += s->small[q / 2].bytes;
	s->small[q / 2].bytes = bytes;
	if (bytes >= wanted) {
		s->small[q / 2].bytes = 0;
		s->small[q / 2].n = 0;
	} else if (++s->small[q / 2].n == d->dev->queue[q].size) {
		check_broken(d, CHECK_NET_RX_MTU, (int)q, c->id, "%u buffers, %zu bytes wanted",
			     s->small[q / 2].n, wanted);
	}
}

static bool net_receives_large(const struct check_dev *d)
{
	static const unsigned large[] = { NET_F_GUEST_TSO4, NET_F_GUEST_TSO6, NET_F_GUEST_UFO,
					  NET_F_GUEST_USO4, NET_F_GUEST_USO6 };

	for (size_t i = 0; i < G_N_ELEMENTS(large); i++)
		if (check_accepted(d, large[i]))
			return true;
	return false;
}

/* The same of a large packet (5.1.9.3.1). */
static void net_judge_large(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct net_seen *s = d->own;

	if (d->dev->legacy || check_accepted(d, NET_F_MRG_RXBUF) || !net_receives_large(d) ||
	    q / 2 >= G_N_ELEMENTS(s->small))
		return;
	if (c->wr.left >= LARGE_PACKET_BYTES)
		s->small[q / 2].no_large = 0;
	else if (++s->small[q / 2].no_large == d->dev->queue[q].size)
		check_broken(d, CHECK_NET_RX_GSO, (int)q, c->id, "%zu bytes, %zu wanted",
			     c->wr.left, (size_t)LARGE_PACKET_BYTES);
}

/* It will come once more. */
static void net_unpopped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct net_seen *s = d->own;

	if (q % 2 || q / 2 >= G_N_ELEMENTS(s->small))
		return;
	if (s->small[q / 2].no_large)
		s->small[q / 2].no_large--;
	if (!s->small[q / 2].n)
		return;
	s->small[q / 2].n--;
	s->small[q / 2].bytes -= MIN(s->small[q / 2].bytes, c->wr.left);
}

static void net_received(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	net_judge_room(d, q, c);
	net_judge_large(d, q, c);
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
static size_t mac_table_bytes(const struct vq_chain *c, size_t at, bool swapped)
{
	le32 count;
	uint32_t n;

	if (check_peek(c, at, &count, sizeof(count)) < sizeof(count))
		return 0;
	n = le32_cpu(count);
	return sizeof(count) + 6ul * (swapped ? GUINT32_SWAP_LE_BE(n) : n);
}

/* Both tables are what comes after the header. *ret_unicast: bytes of the first. */
static bool mac_tables_fit(const struct vq_chain *c, bool swapped, size_t *ret_unicast)
{
	size_t unicast = mac_table_bytes(c, CTRL_HEADER, swapped);
	size_t multicast = unicast ? mac_table_bytes(c, CTRL_HEADER + unicast, swapped) : 0;

	*ret_unicast = unicast;
	return multicast && CTRL_HEADER + unicast + multicast == c->rd.left;
}

/* 5.1.9.8: of a legacy driver that did not accept ANY_LAYOUT. */
static void mac_judge_framing(struct check_dev *d, int q, const struct vq_chain *c, size_t unicast)
{
	const struct iovec *v = c->rd.iov;

	if (c->rd.n < 2 || v[0].iov_len != CTRL_HEADER)
		return; /* told */
	if (v[1].iov_len != unicast)
		check_broken(d, CHECK_NET_LEGACY_UNICAST, q, c->id, "%zu of %zu bytes",
			     v[1].iov_len, unicast);
	else if (c->rd.n != 3)
		check_broken(d, CHECK_NET_LEGACY_MULTICAST, q, c->id, "in %u of them", c->rd.n - 2);
}

static void ctrl_mac(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	size_t unicast;

	if (!check_accepted(d, NET_F_CTRL_RX))
		check_broken(d, CHECK_NET_MAC_COMMAND, q, c->id, "command %u", command);
	if (command != 0)
		return;
	if (mac_tables_fit(c, false, &unicast)) {
		if (d->dev->legacy && !check_accepted(d, VIRTIO_F_ANY_LAYOUT))
			mac_judge_framing(d, q, c, unicast);
		return;
	}
	check_broken(d,
		     d->dev->legacy && mac_tables_fit(c, true, &unicast)
			     ? CHECK_NET_LEGACY_MAC_ENDIAN
			     : CHECK_NET_MAC_TABLE,
		     q, c->id, "%zu bytes", c->rd.left);
}

/* A number has 12 bits. */
static void ctrl_vlan(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	le16 id;

	if (command > 1 || !d->dev->legacy || check_peek(c, CTRL_HEADER, &id, sizeof(id)) < 2)
		return;
	if (le16_cpu(id) >= NET_VLANS && GUINT16_SWAP_LE_BE(le16_cpu(id)) < NET_VLANS)
		check_broken(d, CHECK_NET_LEGACY_VLAN_ENDIAN, q, c->id, "%#x", le16_cpu(id));
}

static void pairs_judge_queues(struct check_dev *d, int q, const struct vq_chain *c, unsigned n)
{
	for (unsigned i = 0; i < 2 * n && i < d->n_queues; i++)
		if (!d->dev->queue[i].enabled) {
			check_broken(d, CHECK_NET_PAIRS_QUEUES, q, c->id, "queue %u of %u pairs", i,
				     n);
			return;
		}
}

static void ctrl_mq(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	struct net_seen *s = d->own;
	unsigned most = net_config16(d, AT(max_pairs));
	le16 pairs;

	if (command == 1 && !check_accepted(d, NET_F_RSS))
		check_broken(d, CHECK_NET_RSS, q, c->id, NULL);
	if (command != 0 || check_peek(c, CTRL_HEADER, &pairs, sizeof(pairs)) < sizeof(pairs))
		return;
	if (le16_cpu(pairs) < 1 || le16_cpu(pairs) > most) {
		bool swapped = le16_cpu(pairs) && d->dev->legacy &&
			       GUINT16_SWAP_LE_BE(le16_cpu(pairs)) <= most;

		check_broken(d, swapped ? CHECK_NET_LEGACY_PAIRS_ENDIAN : CHECK_NET_PAIRS, q, c->id,
			     "%u", le16_cpu(pairs));
		return;
	}
	pairs_judge_queues(d, q, c, le16_cpu(pairs));
	s->pairs_set = true;
	s->pairs = MAX(s->pairs, le16_cpu(pairs));
}

static void ctrl_offloads(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	le64 bits;
	uint64_t wrong;
	bool swapped;

	if (command != 0 || check_peek(c, CTRL_HEADER, &bits, sizeof(bits)) < sizeof(bits))
		return;
	wrong = le64_cpu(bits) & ~d->dev->accepted.w[0];
	swapped = d->dev->legacy && !(GUINT64_SWAP_LE_BE(le64_cpu(bits)) & ~d->dev->accepted.w[0]);
	if (wrong)
		check_broken(d, swapped ? CHECK_NET_LEGACY_OFFLOADS_ENDIAN : CHECK_NET_OFFLOADS, q,
			     c->id, "%#" G_GINT64_MODIFIER "x", wrong);
}

/*
 * Of classes that our device does not have: who uses them has to have negotiated them.
 */

static void ctrl_coalescing(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	if (command <= 1 && !check_accepted(d, NET_F_NOTF_COAL))
		check_broken(d, CHECK_NET_COALESCING, q, c->id, "command %u", command);
	if ((command == 2 || command == 3) && !check_accepted(d, NET_F_VQ_NOTF_COAL))
		check_broken(d, CHECK_NET_QUEUE_COALESCING, q, c->id, "command %u", command);
}

static void ctrl_tunnel_hash(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	if (command == 0 && !check_accepted(d, NET_F_HASH_TUNNEL))
		check_broken(d, CHECK_NET_TUNNEL_HASH, q, c->id, NULL);
}

static void ctrl_rss_context(struct check_dev *d, int q, const struct vq_chain *c, unsigned command)
{
	if (!check_accepted(d, NET_F_RSS_CONTEXT))
		check_broken(d, CHECK_NET_RSS_CONTEXT, q, c->id, "command %u", command);
}

static void net_commanded(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	static void (*const classes[])(struct check_dev * d, int q, const struct vq_chain *c,
				       unsigned command) = {
		[0] = ctrl_rx,          [1] = ctrl_mac,         [2] = ctrl_vlan,
		[4] = ctrl_mq,          [5] = ctrl_offloads,    [6] = ctrl_coalescing,
		[7] = ctrl_tunnel_hash, [9] = ctrl_rss_context,
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
	.unpopped = net_unpopped,
	.config = net_config_seen,
	.reset = net_reset_seen,
};
