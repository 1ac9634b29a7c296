/* The head of an Ethernet frame, as far as a virtio header speaks of it. Pure; whatever the frame
 * claims, nothing beyond what was copied is looked at. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_frame {
	uint8_t bytes[128]; /* its first, */
	size_t seen, len;   /* so many of them; and how many it has */

	/* net_frame_parse(): offsets, 0 where there is none that is whole */
	unsigned ip, transport;
	uint8_t protocol;       /* 6 TCP, 17 UDP */
	uint32_t transport_len; /* by the IP header; 0: it does not say */
	bool v6;
};

void net_frame_parse(struct net_frame *f);

uint16_t net_frame_be16(const struct net_frame *f, unsigned at); /* 0 beyond what was seen */

/* True, too, where there is no whole IPv4 header. */
bool net_frame_ip_sum_right(const struct net_frame *f);

/* The sum of the pseudo header, if @off is where the protocol has its checksum. */
bool net_frame_pseudo(const struct net_frame *f, unsigned off, uint16_t *ret);

/* 0 and 0xffff are the same. */
bool net_frame_same_sum(uint16_t a, uint16_t b);

/* A TCP segment with the CWR flag. */
bool net_frame_has_cwr(const struct net_frame *f);
