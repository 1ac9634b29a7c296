#include "devices/backend/net/user/reassembly.h"

#include <glib.h>
#include <string.h>

#define PACKET_MAX 65535u
#define HEADER     20u /* options are left out, as libslirp does */
#define UNIT       8u  /* fragments begin at multiples of it */
#define UNITS      (PACKET_MAX / UNIT + 1)
#define DATA       (NET_IP + HEADER)
#define MORE       0x2000u
#define OFFSET     0x1fffu

enum { LENGTH = NET_IP + 2, ID = NET_IP + 4, FRAGMENT = NET_IP + 6, SUM = NET_IP + 10 };

struct net_partial {
	int64_t since; /* microseconds; 0: free */
	uint16_t id;
	uint8_t protocol, src[4], dst[4];
	size_t payload;       /* in all; 0: the last fragment is missing */
	size_t end;           /* of what is there */
	unsigned units;       /* that are there */
	uint8_t there[UNITS]; /* 1: it is */
	uint8_t frame[DATA + PACKET_MAX];
};
G_STATIC_ASSERT(sizeof(struct net_partial) <= NET_REASSEMBLY_MEMORY / NET_REASSEMBLY_PACKETS);

/* Where a fragment belongs. */
struct piece {
	const uint8_t *at;
	size_t offset, len;
	bool last;
};

static bool net_reassembly_read_piece(const uint8_t *frame, const struct net_packet *p,
				      struct piece *ret)
{
	size_t header = (size_t)(frame[NET_IP] & 0xfu) * 4;
	unsigned bits = net_be16(frame + FRAGMENT);

	ret->at = frame + NET_IP + header;
	ret->len = p->end - NET_IP - header;
	ret->offset = (size_t)(bits & OFFSET) * UNIT;
	ret->last = !(bits & MORE);
	return ret->len && (ret->last || ret->len % UNIT == 0) &&
	       ret->offset + ret->len <= PACKET_MAX - HEADER;
}

static bool net_reassembly_is_of(const struct net_partial *q, const struct net_packet *p,
				 uint16_t id)
{
	return q && q->since && q->id == id && q->protocol == p->protocol &&
	       memcmp(q->src, p->src, 4) == 0 && memcmp(q->dst, p->dst, 4) == 0;
}

static void net_reassembly_begin(struct net_partial *q, int64_t now, const struct net_packet *p,
				 uint16_t id)
{
	q->since = MAX(now, 1);
	q->id = id;
	q->protocol = (uint8_t)p->protocol;
	memcpy(q->src, p->src, 4);
	memcpy(q->dst, p->dst, 4);
	q->payload = q->end = 0;
	q->units = 0;
	memset(q->there, 0, sizeof(q->there));
}

/* The packet that a fragment belongs to: one that has begun, or a new one in the place of the
 * oldest. */
static struct net_partial *net_reassembly_find(struct net_reassembly *r, int64_t now,
					       const struct net_packet *p, uint16_t id)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < NET_REASSEMBLY_PACKETS; i++) {
		struct net_partial **q = &r->partial[i], **o = &r->partial[oldest];

		if (*q && (*q)->since && now - (*q)->since > NET_REASSEMBLY_TIMEOUT)
			(*q)->since = 0;
		if (net_reassembly_is_of(*q, p, id))
			return *q;
		if (*o && (*o)->since && (!*q || (*q)->since < (*o)->since))
			oldest = i;
	}
	if (!r->partial[oldest])
		r->partial[oldest] = g_new(struct net_partial, 1);
	net_reassembly_begin(r->partial[oldest], now, p, id);
	return r->partial[oldest];
}

/* False: it does not fit to what is there. */
static bool net_reassembly_join(struct net_partial *q, const uint8_t *frame,
				const struct piece *piece)
{
	size_t end = piece->offset + piece->len;
	unsigned first = (unsigned)(piece->offset / UNIT),
		 n = (unsigned)((piece->len + UNIT - 1) / UNIT);

	if (q->payload ? end > q->payload || piece->last : piece->last && end < q->end)
		return false;
	if (memchr(q->there + first, 1, n))
		return false;
	memset(q->there + first, 1, n);
	memcpy(q->frame + DATA + piece->offset, piece->at, piece->len);
	q->units += n;
	q->end = MAX(q->end, end);
	if (piece->last)
		q->payload = end;
	if (piece->offset == 0)
		memcpy(q->frame, frame, DATA);
	return true;
}

static size_t net_reassembly_finish(struct net_partial *q)
{
	uint8_t *f = q->frame;

	f[NET_IP] = 0x40 | HEADER / 4;
	net_put_be16(f + LENGTH, (unsigned)(HEADER + q->payload));
	net_put_be16(f + FRAGMENT, 0);
	net_put_be16(f + SUM, 0);
	net_put_be16(f + SUM, net_sum_end(net_sum(0, f + NET_IP, HEADER)));
	q->since = 0;
	return DATA + q->payload;
}

uint8_t *net_reassembly_add(struct net_reassembly *r, int64_t now, const uint8_t *frame,
			    const struct net_packet *p, size_t *ret_len)
{
	struct net_partial *q;
	struct piece piece;

	if (!net_reassembly_read_piece(frame, p, &piece))
		return NULL;
	q = net_reassembly_find(r, now, p, (uint16_t)net_be16(frame + ID));
	if (!net_reassembly_join(q, frame, &piece) || !q->payload ||
	    q->units != (q->payload + UNIT - 1) / UNIT)
		return NULL;
	*ret_len = net_reassembly_finish(q);
	return q->frame;
}

void net_reassembly_clear(struct net_reassembly *r)
{
	for (unsigned i = 0; i < NET_REASSEMBLY_PACKETS; i++)
		g_clear_pointer(&r->partial[i], g_free);
}
