#include "devices/backend/net/user/frame-filter.h"

#include <glib.h>
#include <string.h>

enum {
	/* In TCP's header: */
	TCP_FLAGS = 12, /* as a word, with the header's length before them */
	TCP_SUM = 16,
	TCP_URGENT = 18,
	/* In UDP's, and DHCP behind it: */
	DHCP = 8,
	DHCP_ADDRESS = DHCP + 16, /* the one that is given */
	DHCP_MAC = DHCP + 28,
	DHCP_MIN = DHCP + 236,
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	/* Neighbor discovery: an advertisement that was not asked for. */
	ND_FIRST = 133,
	ND_ADVERTISEMENT = 136,
	ND_LAST = 137,
	ND_LEN = 24,
	ND_SUM = 2,
	ND_TARGET = 8,
	ARP_LEN = 28,
};

/*
 * Urgent data.
 */

/* Changes a word that the checksum counts (RFC 1624). */
static void net_frame_filter_change_word(uint8_t *tcp, unsigned at, unsigned to)
{
	uint32_t sum = (~net_be16(tcp + TCP_SUM) & 0xffffu) + (~net_be16(tcp + at) & 0xffffu) + to;

	net_put_be16(tcp + at, to);
	net_put_be16(tcp + TCP_SUM, net_sum_end(sum));
}

static void net_frame_filter_take_urgent_off(uint8_t *tcp)
{
	net_frame_filter_change_word(tcp, TCP_FLAGS,
				     net_be16(tcp + TCP_FLAGS) & ~(unsigned)NET_URG);
	net_frame_filter_change_word(tcp, TCP_URGENT, 0);
}

/*
 * DHCP.
 */
static bool net_frame_filter_has_lease(const struct net_frame_filter *f, const uint8_t *mac)
{
	for (unsigned i = 0; i < NET_FRAME_FILTER_LEASES; i++)
		if (f->lease[i].taken && memcmp(f->lease[i].mac, mac, 6) == 0)
			return true;
	return false;
}

static bool net_frame_filter_is_dhcp(const struct net_frame_filter *f, const struct net_packet *p)
{
	return p->version == 4 && p->protocol == NET_UDP && p->dport == DHCP_SERVER &&
	       (memcmp(p->dst, &f->host, 4) == 0 || net_be32(p->dst) == INADDR_BROADCAST);
}

static bool net_frame_filter_pass_dhcp(const struct net_frame_filter *f, const uint8_t *udp,
				       size_t len)
{
	return len >= DHCP_MIN && (f->n_leases < NET_FRAME_FILTER_LEASES ||
				   net_frame_filter_has_lease(f, udp + DHCP_MAC));
}

static void net_frame_filter_note_answer(struct net_frame_filter *f, const uint8_t *udp, size_t len)
{
	uint32_t i;

	if (len < DHCP_MIN)
		return;
	i = net_be32(udp + DHCP_ADDRESS) - ntohl(f->first.s_addr);
	if (i >= NET_FRAME_FILTER_LEASES)
		return;
	f->n_leases += !f->lease[i].taken;
	f->lease[i].taken = true;
	memcpy(f->lease[i].mac, udp + DHCP_MAC, 6);
}

/*
 * Neighbors.
 */

/* May libslirp change its table for it? */
static bool net_frame_filter_changes_neighbors(const struct net_frame_filter *f,
					       const struct net_packet *p)
{
	if (!p->version)
		return p->type == NET_TYPE_ARP;
	return net_frame_filter_is_dhcp(f, p) || (p->version == 6 && p->protocol == NET_ICMPV6 &&
						  p->icmp >= ND_FIRST && p->icmp <= ND_LAST);
}

static size_t net_frame_filter_make_arp(uint8_t *frame, const struct net_frame_filter_neighbor *n)
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t *arp = frame + NET_IP;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, n->mac, 6);
	net_put_be16(frame + 12, NET_TYPE_ARP);
	memset(arp, 0, ARP_LEN);
	memcpy(arp, request, sizeof(request));
	memcpy(arp + 8, n->mac, 6);
	memcpy(arp + 14, n->address, 4); /* from itself to itself: nobody answers */
	memcpy(arp + 24, n->address, 4);
	return NET_IP + ARP_LEN;
}

static size_t net_frame_filter_make_advertisement(uint8_t *frame,
						  const struct net_frame_filter_neighbor *n)
{
	struct net_packet p = { .version = 6, .protocol = NET_ICMPV6 };
	uint8_t *nd;
	size_t len;

	memcpy(p.src, n->address, 16);
	memcpy(p.dst, n->address, 16);
	memcpy(p.mac, n->mac, 6);
	len = net_packet_make(frame, &p, ND_LEN);
	nd = frame + len - ND_LEN;
	memset(nd, 0, ND_LEN);
	nd[0] = ND_ADVERTISEMENT;
	memcpy(nd + ND_TARGET, n->address, 16);
	net_packet_sum(frame, &p, ND_LEN, ND_SUM);
	return len;
}

G_STATIC_ASSERT(sizeof(struct net_frame_filter_neighbor) ==
		24); /* no padding: it is compared whole */

size_t net_frame_filter_neighbor(struct net_frame_filter *f, uint8_t *frame, unsigned version,
				 const uint8_t *address, const uint8_t *mac)
{
	struct net_frame_filter_neighbor n = { .version = (uint16_t)version };

	memcpy(n.mac, mac, sizeof(n.mac));
	memcpy(n.address, address, version == 4 ? 4 : 16);
	if (memcmp(&n, &f->neighbor, sizeof(n)) == 0)
		return 0;
	f->neighbor = n;
	return version == 4 ? net_frame_filter_make_arp(frame, &n)
			    : net_frame_filter_make_advertisement(frame, &n);
}

/*
 * The filter.
 */
static bool net_frame_filter_reassemble(struct net_frame_filter *f, int64_t now, uint8_t **frame,
					size_t *len, struct net_packet *ret)
{
	if (ret->protocol == NET_TCP)
		return false;
	*frame = net_reassembly_add(&f->reassembly, now, *frame, ret, len);
	return *frame && net_packet_parse(*frame, *len, ret);
}

bool net_frame_filter_pass(struct net_frame_filter *f, int64_t now, uint8_t **frame, size_t *len,
			   struct net_packet *ret)
{
	if (!net_packet_parse(*frame, *len, ret))
		return false;
	if (ret->fragment && !net_frame_filter_reassemble(f, now, frame, len, ret))
		return false;
	*len = ret->end;
	if (ret->version && ret->protocol == NET_TCP && ret->flags & NET_URG) {
		net_frame_filter_take_urgent_off(*frame + ret->at);
		ret->flags &= (uint8_t)~NET_URG;
	}
	if (net_frame_filter_changes_neighbors(f, ret))
		f->neighbor.version = 0;
	return !net_frame_filter_is_dhcp(f, ret) ||
	       net_frame_filter_pass_dhcp(f, *frame + ret->at, ret->end - ret->at);
}

void net_frame_filter_sent(struct net_frame_filter *f, const uint8_t *frame,
			   const struct net_packet *p)
{
	if (p->version == 4 && p->protocol == NET_UDP && p->sport == DHCP_SERVER &&
	    p->dport == DHCP_CLIENT)
		net_frame_filter_note_answer(f, frame + p->at, p->end - p->at);
}

void net_frame_filter_clear(struct net_frame_filter *f)
{
	net_reassembly_clear(&f->reassembly);
}
