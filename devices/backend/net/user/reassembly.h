/*
 * IPv4 fragments, put together here, so that libslirp sees whole packets only: it would keep as
 * many pieces as a guest likes to send, and look from end to end for where each belongs.
 *
 * Of what is incomplete, NET_REASSEMBLY_PACKETS are kept, each in a buffer of the largest packet's
 * size; the oldest makes room for a new one. A fragment that overlaps with what is there is
 * dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/net/user/packet.h"

#define NET_REASSEMBLY_PACKETS 16u
#define NET_REASSEMBLY_TIMEOUT INT64_C(30000000) /* microseconds, from the first fragment */
/* Memory of all of them, once each was in use. */
#define NET_REASSEMBLY_MEMORY (NET_REASSEMBLY_PACKETS * ((size_t)75 << 10))

struct net_reassembly {
	struct net_partial *partial[NET_REASSEMBLY_PACKETS]; /* made when first needed */
};

/*
 * Takes a fragment (@p->fragment). Returns the frame with the whole packet, or NULL as long as
 * something is missing; it is kept here, good until the next call.
 */
uint8_t *net_reassembly_add(struct net_reassembly *r, int64_t now, const uint8_t *frame,
			    const struct net_packet *p, size_t *ret_len);
void net_reassembly_clear(struct net_reassembly *r);
