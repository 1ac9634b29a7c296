/* What a frame of a user network holds, read once: addresses, ports, and where TCP stands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NET_IP = 14, /* where the packet begins in a frame */
	NET_TYPE_IPV4 = 0x0800,
	NET_TYPE_ARP = 0x0806,
	NET_TYPE_IPV6 = 0x86dd,
	NET_ICMP = 1,
	NET_TCP = 6,
	NET_UDP = 17,
	NET_ICMPV6 = 58,
};

enum { NET_FIN = 0x01, NET_SYN = 0x02, NET_RST = 0x04, NET_ACK = 0x10, NET_URG = 0x20 };

struct net_packet {
	unsigned type;            /* of the frame */
	unsigned version;         /* 4, 6, or 0: no IP, and nothing below is set */
	unsigned protocol;        /* the next header, for IPv6: extensions are not looked through */
	bool fragment;            /* IPv4 */
	size_t end;               /* of the packet in the frame: what follows is padding */
	size_t at;                /* of the transport header; 0: a fragment, or too short for one */
	uint8_t src[16], dst[16]; /* IPv4: the first four bytes, the others are 0 */
	uint8_t mac[6];           /* who sent the frame */

	uint16_t sport, dport; /* TCP, UDP; ICMP: 0 */
	uint8_t icmp;          /* its type, for both versions */

	/* TCP. */
	uint8_t flags;
	uint32_t seq, ack;
	size_t len; /* of its data */
};

/* False: a packet whose lengths contradict each other, or a frame too short for an Ethernet header.
 */
bool net_packet_parse(const uint8_t *frame, size_t len, struct net_packet *ret);

unsigned net_be16(const uint8_t *p);
uint32_t net_be32(const uint8_t *p);
void net_put_be16(uint8_t *p, unsigned value);
void net_put_be32(uint8_t *p, uint32_t value);

/* The internet checksum (RFC 1071) of @len bytes, and of what @sum has already. */
uint32_t net_sum(uint32_t sum, const uint8_t *p, size_t len);
unsigned net_sum_end(uint32_t sum);

/*
 * Makes a frame from @p's addresses, ports, flags and numbers, without data: an IPv4 or IPv6 packet
 * of TCP, or the header alone with room for @len bytes behind it for another protocol. Lengths and,
 * for TCP, checksums are right. Returns its length, at most NET_PACKET_BARE + @len.
 */
#define NET_PACKET_BARE 74u
size_t net_packet_make(uint8_t *frame, const struct net_packet *p, size_t len);

/* Sums that include the pseudo header: stores the transport checksum at @at + @offset of a frame
 * that net_packet_make() began. */
void net_packet_sum(uint8_t *frame, const struct net_packet *p, size_t len, size_t offset);
