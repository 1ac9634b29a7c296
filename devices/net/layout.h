/* Where a frame's headers end, and whether a packet is whole: as much of its protocols as the
 * receive header tells the driver of (VIRTIO 1.4, 5.1.6.4). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_layout {
	uint16_t headers; /* bytes up to the payload: with the transport header, if there is one we
			     know */
	bool fragment; /* of an IP packet: nobody can tell by it alone that a checksum is right */
};

/* @frame has at least an Ethernet header. Whatever the frame claims, headers end within its @len
 * bytes. */
struct net_layout net_layout(const uint8_t *frame, size_t len);
