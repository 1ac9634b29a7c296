#include "vmm/check/net-frame.h"

#include "devices/backend/net/user/packet.h"

enum { TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8, VLAN_TAG = 4 };
enum { TCP_CSUM = 16, UDP_CSUM = 6, TCP_FLAGS = 13, TCP_CWR = 0x80 };
enum { IPV6_HEADER = 40 };

uint16_t net_frame_be16(const struct net_frame *f, unsigned at)
{
	if (at + 2 > f->seen)
		return 0;
	return (uint16_t)net_be16(f->bytes + at);
}

static void parse_ipv4(struct net_frame *f, unsigned at)
{
	unsigned header, total;

	if (at + 20 > f->seen || f->bytes[at] >> 4 != 4)
		return;
	header = (f->bytes[at] & 15u) * 4;
	total = net_frame_be16(f, at + 2);
	if (header < 20 || at + header > f->seen)
		return;
	f->ip = at;
	if (net_frame_be16(f, at + 6) & 0x3fff) /* a fragment */
		return;
	if (header > 20) /* a source route has another destination in the pseudo header */
		return;
	f->protocol = f->bytes[at + 9];
	f->transport = at + header;
	f->transport_len = total > header ? total - header : 0;
}

static void parse_ipv6(struct net_frame *f, unsigned at)
{
	if (at + IPV6_HEADER > f->seen || f->bytes[at] >> 4 != 6)
		return;
	f->ip = at;
	f->v6 = true;
	f->protocol = f->bytes[at + 6]; /* behind other headers we do not look */
	f->transport = at + IPV6_HEADER;
	f->transport_len = net_frame_be16(f, at + 4);
}

void net_frame_parse(struct net_frame *f)
{
	unsigned at = NET_IP, type = net_frame_be16(f, NET_IP - 2);

	while ((type == TYPE_VLAN || type == TYPE_QINQ) && at + VLAN_TAG <= f->seen) {
		type = net_frame_be16(f, at + 2);
		at += VLAN_TAG;
	}
	if (type == NET_TYPE_IPV4)
		parse_ipv4(f, at);
	else if (type == NET_TYPE_IPV6)
		parse_ipv6(f, at);
}

bool net_frame_ip_sum_right(const struct net_frame *f)
{
	if (!f->ip || f->v6)
		return true;
	return net_sum_end(net_sum(0, f->bytes + f->ip, (f->bytes[f->ip] & 15u) * 4ul)) == 0;
}

bool net_frame_pseudo(const struct net_frame *f, unsigned off, uint16_t *ret)
{
	unsigned at = f->protocol == NET_TCP ? TCP_CSUM : UDP_CSUM;
	unsigned addresses = f->v6 ? f->ip + 8 : f->ip + 12, bytes = f->v6 ? 32 : 8;
	uint32_t sum;

	if (!f->transport || !f->transport_len ||
	    (f->protocol != NET_TCP && f->protocol != NET_UDP) || off != at ||
	    f->transport + at + 2 > f->seen)
		return false;
	sum = net_sum(f->protocol + f->transport_len, f->bytes + addresses, bytes);
	*ret = (uint16_t)~net_sum_end(sum);
	return true;
}

bool net_frame_same_sum(uint16_t a, uint16_t b)
{
	return a == b || (a == 0xffff && b == 0) || (a == 0 && b == 0xffff);
}

bool net_frame_has_cwr(const struct net_frame *f)
{
	return f->transport && f->protocol == NET_TCP && f->transport + TCP_FLAGS < f->seen &&
	       f->bytes[f->transport + TCP_FLAGS] & TCP_CWR;
}
