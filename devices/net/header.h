/*
 * The header before each frame (VIRTIO 1.4, 5.1.6), and the work that it says is left to do.
 *
 * Pure functions: nothing here touches a queue.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/net/net.h"
#include "virtqueue/le.h"

struct net_header {
	uint8_t flags;
	uint8_t gso_type;
	le16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
#define NET_HEADER_BYTES sizeof(struct net_header)
/* A legacy driver's without MRG_RXBUF: there is no num_buffers (5.1.6.1). */
#define NET_HEADER_BYTES_LEGACY offsetof(struct net_header, num_buffers)

#define NET_HDR_F_NEEDS_CSUM 1u
#define NET_HDR_F_DATA_VALID 2u

/*
 * Judges a driver's header for a frame of @len bytes; @takes are the NET_DO_* that were negotiated.
 * NULL and *ret if it is sound, otherwise what is wrong with it.
 */
const char *net_header_parse(const struct net_header *h, size_t len, unsigned takes,
			     struct net_offload *ret);

/* The header for a driver that agreed to @gives; false if @off has work that it did not agree to.
 * A missing checksum is not work in this sense: complete it first. */
bool net_header_make(const struct net_offload *off, size_t len, unsigned gives,
		     unsigned num_buffers, struct net_header *ret);

/* Are @off's offsets within a frame of @len bytes? */
bool net_offload_fits(const struct net_offload *off, size_t len);

/*
 * Completes the checksum in place. For a segment (off->segment) the whole is made one correct
 * packet, as large as it is: lengths and checksums of its IP and TCP headers are put right. False
 * if the headers are not what the offload says; the frame is then of no use.
 */
bool net_complete(uint8_t *frame, size_t len, const struct net_offload *off);
