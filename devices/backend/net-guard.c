#include "devices/backend/net-guard.h"

enum {
	ETHER_TYPE = 12,
	IP = 14,
	IPV4_FRAGMENT = IP + 6,
	IPV4_PROTOCOL = IP + 9,
	IPV4_MIN = 20,
	IPV6_NEXT = IP + 6,
	IPV6_LEN = 40,
	/* In TCP's header: */
	TCP_FLAGS = 12, /* as a word, with the header's length before them */
	TCP_CHECKSUM = 16,
	TCP_URGENT = 18,
	TCP_MIN = 20,
};

enum { IPPROTO_NUMBER_TCP = 6, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

#define MORE_OR_OFFSET 0x3fffu /* more fragments follow, or this one is not the first */
#define URGENT         0x20u

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put_be16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/*
 * Fragments.
 */
static bool is_ipv4(const uint8_t *frame, size_t len)
{
	return len >= IP + IPV4_MIN && be16(frame + ETHER_TYPE) == TYPE_IPV4;
}

static bool is_fragment(const uint8_t *frame, size_t len)
{
	return is_ipv4(frame, len) && be16(frame + IPV4_FRAGMENT) & MORE_OR_OFFSET;
}

static void refill(struct net_guard *g, int64_t now)
{
	const int64_t one = 1000000 / NET_GUARD_SECOND;
	int64_t more = (now - g->time) / one;

	if (!g->time || more >= NET_GUARD_BURST - g->left) {
		g->left = NET_GUARD_BURST;
		g->time = now;
	} else if (more > 0) {
		g->left += (unsigned)more;
		g->time += more * one;
	}
}

/*
 * Urgent data.
 */

/* The TCP header of a packet that is no fragment, or NULL. */
static uint8_t *tcp_header(uint8_t *frame, size_t len)
{
	size_t at = 0;

	if (is_ipv4(frame, len) && frame[IPV4_PROTOCOL] == IPPROTO_NUMBER_TCP)
		at = IP + (frame[IP] & 0xfu) * 4;
	else if (len >= IP + IPV6_LEN && be16(frame + ETHER_TYPE) == TYPE_IPV6 &&
		 frame[IPV6_NEXT] == IPPROTO_NUMBER_TCP)
		at = IP + IPV6_LEN;
	return at >= IP + IPV4_MIN && at + TCP_MIN <= len ? frame + at : NULL;
}

/* Changes a word that the checksum counts (RFC 1624). */
static void change(uint8_t *tcp, unsigned at, unsigned to)
{
	uint32_t sum = (~be16(tcp + TCP_CHECKSUM) & 0xffffu) + (~be16(tcp + at) & 0xffffu) + to;

	put_be16(tcp + at, to);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(tcp + TCP_CHECKSUM, ~sum & 0xffffu);
}

bool net_guard_pass(struct net_guard *g, int64_t now, uint8_t *frame, size_t len)
{
	uint8_t *tcp;

	if (is_fragment(frame, len)) {
		refill(g, now);
		if (!g->left || frame[IPV4_PROTOCOL] == IPPROTO_NUMBER_TCP)
			return false;
		g->left--;
		return true;
	}
	tcp = tcp_header(frame, len);
	if (tcp && be16(tcp + TCP_FLAGS) & URGENT) {
		change(tcp, TCP_FLAGS, be16(tcp + TCP_FLAGS) & ~URGENT);
		change(tcp, TCP_URGENT, 0);
	}
	return true;
}
