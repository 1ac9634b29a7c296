#include "devices/net/header.h"

#include <string.h>

#define ETHERTYPE_AT   12u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define VLAN_TAG       4u
#define PROTO_TCP      6u
#define IPV4_HEADER    20u
#define IPV6_HEADER    40u
#define TCP_HEADER     20u
#define TCP_CSUM_AT    16u

/* Segment kinds, and which negotiated work allows each. */
static const struct {
	uint8_t segment;
	unsigned needs;
} segments[] = {
	{ NET_SEG_TCP4, NET_DO_TSO4 },
	{ NET_SEG_TCP6, NET_DO_TSO6 },
	{ NET_SEG_UDP, NET_DO_UFO },
	{ NET_SEG_UDP_L4, NET_DO_USO4 | NET_DO_USO6 },
};

static bool net_header_segment_allowed(uint8_t segment, unsigned work)
{
	if (segment & NET_SEG_ECN && !(work & NET_DO_ECN))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(segments); i++)
		if (segments[i].segment == (segment & ~NET_SEG_ECN))
			return segments[i].needs & work;
	return false;
}

bool net_offload_fits(const struct net_offload *off, size_t len)
{
	return !off->need_csum || (size_t)off->csum_start + off->csum_offset + 2 <= len;
}

const char *net_header_parse(const struct net_header *h, size_t len, unsigned takes,
			     struct net_offload *ret)
{
	struct net_offload off = { 0 };

	/* Flags we do not know are ignored (DEV-NET-TX-01), and without NEEDS_CSUM the two fields
	 * (DEV-NET-TX-02). */
	if (h->flags & NET_HDR_F_NEEDS_CSUM) {
		off.need_csum = true;
		off.csum_start = le16_cpu(h->csum_start);
		off.csum_offset = le16_cpu(h->csum_offset);
		if (!(takes & NET_DO_CSUM))
			return "NEEDS_CSUM without VIRTIO_NET_F_CSUM";
		if (!net_offload_fits(&off, len))
			return "csum_start and csum_offset beyond the frame";
	}
	if (h->gso_type != NET_SEG_NONE) {
		off.segment = h->gso_type;
		off.seg_size = le16_cpu(h->gso_size);
		/* Right or wrong, hdr_len is only a hint (DEV-NET-TX-07). */
		off.hdr_len = (uint16_t)MIN(le16_cpu(h->hdr_len), len);
		if (!net_header_segment_allowed(off.segment, takes))
			return "a gso_type that was not negotiated";
		if (!off.need_csum)
			return "a gso_type without NEEDS_CSUM";
		if (off.seg_size == 0)
			return "gso_size 0";
	}
	*ret = off;
	return NULL;
}

/* @h, put together in registers and stored in two pieces, which is how vq_put() will read it: a
 * load that is wider than the stores it needs waits until these are in the cache, and so for all
 * stores before them, which went to lines that a driver on another processor has. */
static void net_header_write(struct net_header *to, struct net_header h)
{
	uint64_t first = h.flags | (uint64_t)h.gso_type << 8 | (uint64_t)le16_cpu(h.hdr_len) << 16 |
			 (uint64_t)le16_cpu(h.gso_size) << 32 |
			 (uint64_t)le16_cpu(h.csum_start) << 48;
	uint32_t rest = le16_cpu(h.csum_offset) | (uint32_t)le16_cpu(h.num_buffers) << 16;

	first = cpu_le64(first);
	rest = cpu_le32(rest);
	memcpy(to, &first, sizeof(first));
	memcpy((uint8_t *)to + sizeof(first), &rest, sizeof(rest));
}

bool net_header_make(const struct net_offload *off, size_t len, unsigned gives,
		     unsigned num_buffers, struct net_header *ret)
{
	struct net_header h = { .num_buffers = cpu_le16((uint16_t)num_buffers) };

	if (!net_offload_fits(off, len))
		return false;
	if (off->need_csum) {
		if (!(gives & NET_DO_CSUM))
			return false;
		h.flags = NET_HDR_F_NEEDS_CSUM;
		h.csum_start = cpu_le16(off->csum_start);
		h.csum_offset = cpu_le16(off->csum_offset);
	} else if (off->csum_valid && gives & NET_DO_CSUM) {
		h.flags = NET_HDR_F_DATA_VALID;
	}
	if (off->segment != NET_SEG_NONE) {
		if (!off->need_csum || !net_header_segment_allowed(off->segment, gives))
			return false;
		h.gso_type = off->segment;
		h.gso_size = cpu_le16(off->seg_size);
	}
	h.hdr_len = cpu_le16((uint16_t)MIN(off->hdr_len, len));
	net_header_write(ret, h);
	return true;
}

/*
 * Checksums: the one's complement sum of 16-bit words, RFC 1071.
 */
static uint64_t net_header_sum(uint64_t acc, const uint8_t *p, size_t len)
{
	uint32_t word;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&word, p, 4);
		acc += word;
	}
	if (len) {
		uint8_t rest[4] = { 0 };

		memcpy(rest, p, len);
		memcpy(&word, rest, 4);
		acc += word;
	}
	return acc;
}

/* Summed in the machine's own byte order, so it goes into the packet as it is. */
static uint16_t net_header_fold(uint64_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)~acc;
}

static void net_header_put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned net_header_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void net_header_store(uint8_t *p, uint16_t raw)
{
	memcpy(p, &raw, 2);
}

/* Source, destination, length and protocol, as TCP's checksum covers them. */
static uint64_t net_header_pseudo_header(const uint8_t *addresses, size_t len, size_t tcp_len)
{
	uint8_t rest[8] = { 0, 0, 0, 0, 0, 0, 0, PROTO_TCP };

	rest[1] = (uint8_t)(tcp_len >> 16);
	net_header_put16(rest + 2, tcp_len);
	return net_header_sum(net_header_sum(0, addresses, len), rest, sizeof(rest));
}

static bool net_header_complete_tcp(uint8_t *tcp, size_t len, uint64_t pseudo)
{
	if (len < TCP_HEADER)
		return false;
	net_header_put16(tcp + TCP_CSUM_AT, 0);
	net_header_store(tcp + TCP_CSUM_AT, net_header_fold(net_header_sum(pseudo, tcp, len)));
	return true;
}

static bool net_header_complete_tcp4(uint8_t *ip, size_t len)
{
	size_t header;

	if (len < IPV4_HEADER || ip[0] >> 4 != 4 || ip[9] != PROTO_TCP || len > UINT16_MAX)
		return false;
	header = (size_t)(ip[0] & 15) * 4;
	if (header < IPV4_HEADER || header > len)
		return false;
	net_header_put16(ip + 2, len);
	net_header_put16(ip + 10, 0);
	net_header_store(ip + 10, net_header_fold(net_header_sum(0, ip, header)));
	return net_header_complete_tcp(ip + header, len - header,
				       net_header_pseudo_header(ip + 12, 8, len - header));
}

/* Only a TCP header right behind the IPv6 header: extensions do not come with segments. */
static bool net_header_complete_tcp6(uint8_t *ip, size_t len)
{
	size_t payload = len - IPV6_HEADER;

	if (len < IPV6_HEADER || ip[0] >> 4 != 6 || ip[6] != PROTO_TCP || payload > UINT16_MAX)
		return false;
	net_header_put16(ip + 4, payload);
	return net_header_complete_tcp(ip + IPV6_HEADER, payload,
				       net_header_pseudo_header(ip + 8, 32, payload));
}

static bool net_header_complete_segment(uint8_t *frame, size_t len, uint8_t segment)
{
	size_t at = ETHERTYPE_AT;

	if (len >= at + VLAN_TAG + 2 && net_header_get16(frame + at) == ETHERTYPE_VLAN)
		at += VLAN_TAG;
	if (len < at + 2)
		return false;
	switch (segment & ~NET_SEG_ECN) {
	case NET_SEG_TCP4:
		return net_header_get16(frame + at) == ETHERTYPE_IPV4 &&
		       net_header_complete_tcp4(frame + at + 2, len - at - 2);
	case NET_SEG_TCP6:
		return net_header_get16(frame + at) == ETHERTYPE_IPV6 &&
		       net_header_complete_tcp6(frame + at + 2, len - at - 2);
	default:
		return false;
	}
}

bool net_complete(uint8_t *frame, size_t len, const struct net_offload *off)
{
	uint8_t *field;
	uint16_t value;

	if (off->segment != NET_SEG_NONE)
		return net_header_complete_segment(frame, len, off->segment);
	if (!off->need_csum)
		return true;
	if (!net_offload_fits(off, len))
		return false;
	field = frame + off->csum_start + off->csum_offset;
	value = net_header_fold(net_header_sum(0, frame + off->csum_start, len - off->csum_start));
	/* In UDP zero means "no checksum"; its complement is the same number (RFC 768). TCP does
	 * not mind. */
	net_header_store(field, value ? value : 0xffff);
	return true;
}
