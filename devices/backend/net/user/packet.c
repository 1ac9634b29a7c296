#include "devices/backend/net/user/packet.h"

#include <string.h>

enum {
	ETHER_SOURCE = 6,
	ETHER_TYPE = 12,
	IPV4_MIN = 20,
	IPV4_LENGTH = NET_IP + 2,
	IPV4_FRAGMENT = NET_IP + 6,
	IPV4_PROTOCOL = NET_IP + 9,
	IPV4_SUM = NET_IP + 10,
	IPV4_SOURCE = NET_IP + 12,
	IPV4_TARGET = NET_IP + 16,
	IPV6_HEADER = 40,
	IPV6_LENGTH = NET_IP + 4,
	IPV6_NEXT = NET_IP + 6,
	IPV6_SOURCE = NET_IP + 8,
	IPV6_TARGET = NET_IP + 24,
	TCP_MIN = 20,
	TCP_SUM = 16,
	UDP_MIN = 8,
};

#define MORE_OR_OFFSET 0x3fffu /* more fragments follow, or this one is not the first */
#define HOPS           255u    /* neighbor discovery demands it */

unsigned net_be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

uint32_t net_be32(const uint8_t *p)
{
	return (uint32_t)net_be16(p) << 16 | net_be16(p + 2);
}

void net_put_be16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void net_put_be32(uint8_t *p, uint32_t value)
{
	net_put_be16(p, value >> 16);
	net_put_be16(p + 2, value & 0xffff);
}

/*
 * Reading.
 */
static bool net_packet_parse_ipv4(const uint8_t *f, size_t len, struct net_packet *p)
{
	size_t header, total;

	if (len < NET_IP + IPV4_MIN)
		return false;
	header = (size_t)(f[NET_IP] & 0xfu) * 4;
	total = net_be16(f + IPV4_LENGTH);
	if (f[NET_IP] >> 4 != 4 || header < IPV4_MIN || total < header || total > len - NET_IP)
		return false;
	p->version = 4;
	p->protocol = f[IPV4_PROTOCOL];
	p->fragment = net_be16(f + IPV4_FRAGMENT) & MORE_OR_OFFSET;
	p->end = NET_IP + total;
	p->at = p->fragment ? 0 : NET_IP + header;
	memcpy(p->src, f + IPV4_SOURCE, 4);
	memcpy(p->dst, f + IPV4_TARGET, 4);
	return true;
}

static bool net_packet_parse_ipv6(const uint8_t *f, size_t len, struct net_packet *p)
{
	size_t payload;

	if (len < NET_IP + IPV6_HEADER)
		return false;
	payload = net_be16(f + IPV6_LENGTH);
	if (f[NET_IP] >> 4 != 6 || payload > len - NET_IP - IPV6_HEADER)
		return false;
	p->version = 6;
	p->protocol = f[IPV6_NEXT];
	p->end = NET_IP + IPV6_HEADER + payload;
	p->at = NET_IP + IPV6_HEADER;
	memcpy(p->src, f + IPV6_SOURCE, 16);
	memcpy(p->dst, f + IPV6_TARGET, 16);
	return true;
}

static bool net_packet_parse_tcp(const uint8_t *f, struct net_packet *p)
{
	const uint8_t *tcp = f + p->at;
	size_t header;

	if (p->end - p->at < TCP_MIN)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_MIN || header > p->end - p->at)
		return false;
	p->sport = (uint16_t)net_be16(tcp);
	p->dport = (uint16_t)net_be16(tcp + 2);
	p->seq = net_be32(tcp + 4);
	p->ack = net_be32(tcp + 8);
	p->flags = tcp[13];
	p->len = p->end - p->at - header;
	return true;
}

static bool net_packet_parse_transport(const uint8_t *f, struct net_packet *p)
{
	if (!p->at)
		return true;
	if (p->protocol == NET_TCP)
		return net_packet_parse_tcp(f, p);
	if (p->protocol == NET_UDP) {
		if (p->end - p->at < UDP_MIN)
			return false;
		p->sport = (uint16_t)net_be16(f + p->at);
		p->dport = (uint16_t)net_be16(f + p->at + 2);
	}
	if (p->protocol == NET_ICMP || p->protocol == NET_ICMPV6) {
		if (p->end == p->at)
			return false;
		p->icmp = f[p->at];
	}
	return true;
}

bool net_packet_parse(const uint8_t *frame, size_t len, struct net_packet *ret)
{
	*ret = (struct net_packet){ .end = len };
	if (len < NET_IP)
		return false;
	ret->type = net_be16(frame + ETHER_TYPE);
	memcpy(ret->mac, frame + ETHER_SOURCE, 6);
	if (ret->type == NET_TYPE_IPV4)
		return net_packet_parse_ipv4(frame, len, ret) &&
		       net_packet_parse_transport(frame, ret);
	if (ret->type == NET_TYPE_IPV6)
		return net_packet_parse_ipv6(frame, len, ret) &&
		       net_packet_parse_transport(frame, ret);
	return true;
}

/*
 * Checksums.
 */
uint32_t net_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += net_be16(p);
	if (len)
		sum += (uint32_t)*p << 8;
	return (sum & 0xffff) + (sum >> 16);
}

unsigned net_sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

void net_packet_sum(uint8_t *frame, const struct net_packet *p, size_t len, size_t offset)
{
	size_t address = p->version == 4 ? 4 : 16;
	uint8_t *at = frame + NET_IP + (p->version == 4 ? IPV4_MIN : IPV6_HEADER);
	uint32_t sum = net_sum(p->protocol + (uint32_t)len, p->src, address);

	net_put_be16(at + offset, 0);
	net_put_be16(at + offset, net_sum_end(net_sum(net_sum(sum, p->dst, address), at, len)));
}

/*
 * Making.
 */
static size_t net_packet_make_ip(uint8_t *f, const struct net_packet *p, size_t payload)
{
	size_t header = p->version == 4 ? IPV4_MIN : IPV6_HEADER;

	memset(f + NET_IP, 0, header);
	if (p->version == 4) {
		f[NET_IP] = 0x45;
		net_put_be16(f + IPV4_LENGTH, (unsigned)(header + payload));
		f[NET_IP + 8] = HOPS;
		f[IPV4_PROTOCOL] = (uint8_t)p->protocol;
		memcpy(f + IPV4_SOURCE, p->src, 4);
		memcpy(f + IPV4_TARGET, p->dst, 4);
		net_put_be16(f + IPV4_SUM, net_sum_end(net_sum(0, f + NET_IP, header)));
	} else {
		f[NET_IP] = 0x60;
		net_put_be16(f + IPV6_LENGTH, (unsigned)payload);
		f[IPV6_NEXT] = (uint8_t)p->protocol;
		f[IPV6_NEXT + 1] = HOPS;
		memcpy(f + IPV6_SOURCE, p->src, 16);
		memcpy(f + IPV6_TARGET, p->dst, 16);
	}
	return NET_IP + header;
}

size_t net_packet_make(uint8_t *frame, const struct net_packet *p, size_t len)
{
	size_t payload = len + (p->protocol == NET_TCP ? TCP_MIN : 0);
	size_t at;
	uint8_t *tcp;

	memset(frame, 0, ETHER_SOURCE);
	memcpy(frame + ETHER_SOURCE, p->mac, 6);
	net_put_be16(frame + ETHER_TYPE, p->version == 4 ? NET_TYPE_IPV4 : NET_TYPE_IPV6);
	at = net_packet_make_ip(frame, p, payload);
	if (p->protocol == NET_TCP) {
		tcp = frame + at;
		memset(tcp, 0, TCP_MIN);
		net_put_be16(tcp, p->sport);
		net_put_be16(tcp + 2, p->dport);
		net_put_be32(tcp + 4, p->seq);
		net_put_be32(tcp + 8, p->ack);
		tcp[12] = TCP_MIN / 4 << 4;
		tcp[13] = p->flags;
		net_packet_sum(frame, p, payload, TCP_SUM);
	}
	return at + payload;
}
