/*
 * What libslirp gets to see of a guest's frames, so that it keeps none of them for long but those
 * that flow.h counts.
 *
 * Fragments: put together before (reassembly.h). TCP in fragments, which no stack needs to send, is
 * not shown at all.
 *
 * Urgent data: libslirp's care for it is old and was found wanting (CVE-2026-9539: reads far beyond
 * a buffer, before version 4.9.2). Urgent data is nothing but data with a mark, so the mark is
 * taken off.
 *
 * Neighbors: a packet for a guest's address that libslirp does not know waits for ARP or NDP, with
 * any number of others behind it. So it is told of a packet's source before it is given the packet:
 * whoever sends something has said how to be reached. It remembers sixteen addresses; there may be
 * more.
 *
 * DHCP: with its sixteen addresses leased, libslirp loses the memory of each answer that it cannot
 * give (4.7.0, bootp_reply()). So it is not asked then by those who have none.
 *
 * IPv6 padding: TCP would take for data what is in a frame behind a packet.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/net/user/packet.h"
#include "devices/backend/net/user/reassembly.h"

#define NET_FRAME_FILTER_LEASES 16u /* addresses that libslirp gives by DHCP, and no more */

struct net_frame_filter {
	struct in_addr host, first; /* libslirp's address, and the first of those it leases */
	struct net_reassembly reassembly;

	unsigned n_leases;
	struct {
		bool taken;
		uint8_t mac[6];
	} lease[NET_FRAME_FILTER_LEASES];

	/* Who libslirp was told of last, as long as it cannot have forgotten it. */
	struct net_frame_filter_neighbor {
		uint16_t version;
		uint8_t mac[6], address[16];
	} neighbor;
};

/*
 * Judges a guest's frame. False: it is not for libslirp (yet). Otherwise *@frame and *@len are what
 * it may see, which *@ret tells of: the same bytes, altered, or a packet that this was the last
 * fragment of. *@frame is no memory of the guest's. @now: microseconds, monotonic.
 */
bool net_frame_filter_pass(struct net_frame_filter *f, int64_t now, uint8_t **frame, size_t *len,
			   struct net_packet *ret);

/*
 * Makes the frame that tells libslirp that @address is at @mac. Returns its length, at most
 * NET_FRAME_FILTER_NEIGHBOR; or 0 if it knows.
 */
#define NET_FRAME_FILTER_NEIGHBOR 80u
size_t net_frame_filter_neighbor(struct net_frame_filter *f, uint8_t *frame, unsigned version,
				 const uint8_t *address, const uint8_t *mac);

/* What libslirp sends to the guest. */
void net_frame_filter_sent(struct net_frame_filter *f, const uint8_t *frame,
			   const struct net_packet *p);

/* Frees what it keeps. */
void net_frame_filter_clear(struct net_frame_filter *f);
