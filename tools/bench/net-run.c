/*
 * One measurement: a driver that transmits, receives, or waits for what it transmitted to come
 * back, for so long. A frame that is to come back carries the time at which it was sent, and is
 * known by a mark: whatever else comes is nobody's.
 */
#include <string.h>

#include "devices/net/net.h"
#include "tools/bench/net-impl.h"
#include "tools/bench/peer.h"

#define RX         0u
#define TX         1u
#define RING       256u
#define STAMP_AT   (NET_HEADER_BYTES + NET_ETH_HEADER) /* in a buffer */
#define ETHERTYPE  0x88b5u                             /* for local experiments */
#define PATIENCE_S 5u

struct stamp {
	uint64_t begun, mark;
};
#define MARK 0x9e3779b97f4a7c15ull

struct buffer {
	uint64_t at; /* guest address */
	uint64_t begun;
};

struct run {
	struct peer peer;
	const unsigned *at; /* of each axis */
	struct latencies *latencies;
	uint32_t rx_bytes; /* of a receive buffer */
	struct buffer rx[RING], tx[NET_DEPTH_MAX];
	struct buffer *idle[NET_DEPTH_MAX];
	unsigned n_idle;
	unsigned in_flight; /* frames that are not gone, or not back */
	unsigned more;      /* buffers of a merged frame that are to come, */
	uint64_t first;     /* the one that it begins in, */
	uint32_t len;       /* and its bytes up to there */
	uint64_t done;
	uint32_t wrong; /* length of a frame that is none of ours */
};

static bool run_transmits(const struct run *r)
{
	return r->at[NET_OP] != NET_RECEIVE;
}

static bool run_receives(const struct run *r)
{
	return r->at[NET_OP] != NET_TRANSMIT;
}

/*
 * Transmit.
 */
static void run_send(struct run *r, struct buffer *b, uint64_t now)
{
	const struct drv_buf buf = { b->at, NET_HEADER_BYTES + r->at[NET_SIZE] };
	const struct stamp stamp = { now, MARK };

	b->begun = now;
	memcpy(r->peer.memory + b->at + STAMP_AT, &stamp, sizeof(stamp));
	if (drv_add(&r->peer.queue[TX].vq, &buf, 1, 0, b) < 0)
		g_assert_not_reached(); /* there is a ring entry for each */
	r->in_flight++;
}

static void run_send_all(struct run *r, uint64_t now)
{
	while (r->n_idle && r->in_flight < r->at[NET_DEPTH])
		run_send(r, r->idle[--r->n_idle], now);
	peer_publish(&r->peer, TX);
}

static void run_finish(struct run *r, uint64_t now, uint64_t begun)
{
	latencies_add(r->latencies, now - begun);
	r->in_flight--;
	r->done++;
}

/* False: there was nothing. */
static bool run_collect_sent(struct run *r, uint64_t now)
{
	unsigned before = r->n_idle;
	void *cookie;
	uint32_t len;

	while (drv_used(&r->peer.queue[TX].vq, &cookie, &len)) {
		struct buffer *b = cookie;

		r->idle[r->n_idle++] = b;
		if (!run_receives(r))
			run_finish(r, now, b->begun);
	}
	return r->n_idle != before;
}

/*
 * Receive.
 */
static void run_offer(struct run *r, struct buffer *b)
{
	const struct drv_buf buf = { b->at, r->rx_bytes };

	if (drv_add(&r->peer.queue[RX].vq, &buf, 0, 1, b) < 0)
		g_assert_not_reached();
}

/* All of a frame is there. */
static void run_received(struct run *r, uint64_t now)
{
	bool ours = r->len == NET_HEADER_BYTES + r->at[NET_SIZE];
	struct stamp stamp;

	if (r->at[NET_OP] == NET_RECEIVE) {
		if (!ours)
			r->wrong = r->len - NET_HEADER_BYTES;
		r->done++;
		return;
	}
	memcpy(&stamp, r->peer.memory + r->first + STAMP_AT, sizeof(stamp));
	if (ours && stamp.mark == MARK && r->in_flight)
		run_finish(r, now, stamp.begun);
}

static void run_receive(struct run *r, struct buffer *b, uint32_t len, uint64_t now)
{
	le16 buffers;

	if (r->more) {
		r->len += len;
		r->more--;
	} else {
		memcpy(&buffers, r->peer.memory + b->at + offsetof(struct net_header, num_buffers),
		       sizeof(buffers));
		r->len = len;
		r->more = r->at[NET_MERGE] ? MAX(le16_cpu(buffers), 1) - 1u : 0;
		r->first = b->at;
	}
	if (!r->more)
		run_received(r, now);
	run_offer(r, b);
}

/* False: there was nothing. */
static bool run_collect_received(struct run *r, uint64_t now)
{
	bool any = false;
	void *cookie;
	uint32_t len;

	for (; drv_used(&r->peer.queue[RX].vq, &cookie, &len); any = true)
		run_receive(r, cookie, len, now);
	if (any)
		peer_publish(&r->peer, RX);
	return any;
}

/*
 * The whole.
 */
static bool run_lost(const struct run *r, GError **err)
{
	return peer_fail(err, "%u frames are not back after %u s", r->in_flight, PATIENCE_S);
}

static bool run_wait(struct run *r, unsigned *turns, GError **err)
{
	unsigned q = run_receives(r) ? RX : TX;
	bool ok = r->at[NET_WAIT] == 0 ? peer_await(&r->peer, q, err)
				       : peer_look(&r->peer, q, turns, err);

	if (!ok && r->at[NET_OP] == NET_ECHO)
		g_prefix_error(err, "%u frames are not back: ", r->in_flight);
	return ok;
}

/* Until @end, and until nothing is in flight. */
static bool run_until(struct run *r, uint64_t end, GError **err)
{
	unsigned turns = 0;
	uint64_t now = peer_now_ns();

	while (now < end || r->in_flight) {
		bool any = false;

		if (now < end && run_transmits(r))
			run_send_all(r, now);
		now = peer_now_ns();
		if (run_transmits(r))
			any = run_collect_sent(r, now) && !run_receives(r);
		if (run_receives(r))
			any |= run_collect_received(r, now);
		if (r->wrong)
			return peer_fail(err, "a frame of %u bytes came, and not of %u", r->wrong,
					 r->at[NET_SIZE]);
		if (now > end + PATIENCE_S * 1000000000ull)
			return run_lost(r, err);
		if (any)
			turns = 0;
		else if (!run_wait(r, &turns, err))
			return false;
	}
	return true;
}

/* A broadcast, from an address of no vendor's. */
static void run_make_frame(struct run *r, const struct buffer *b)
{
	static const uint8_t header[NET_ETH_HEADER] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,           0x52,
		0x54, 0,    0,    0,    2,    ETHERTYPE >> 8, ETHERTYPE & 0xff,
	};

	memcpy(r->peer.memory + b->at + NET_HEADER_BYTES, header, sizeof(header));
}

static void run_lay_out(struct run *r)
{
	size_t each = (NET_HEADER_BYTES + r->at[NET_SIZE] + 63) & ~(size_t)63;
	uint64_t tx = peer_take(&r->peer, each * NET_DEPTH_MAX);
	uint64_t rx = peer_take(&r->peer, (size_t)r->rx_bytes * RING);

	for (unsigned i = 0; i < NET_DEPTH_MAX; i++) {
		r->tx[i].at = tx + i * each;
		run_make_frame(r, &r->tx[i]);
		r->idle[r->n_idle++] = &r->tx[i];
	}
	for (unsigned i = 0; i < RING && run_receives(r); i++) {
		r->rx[i].at = rx + (uint64_t)i * r->rx_bytes;
		run_offer(r, &r->rx[i]);
	}
	drv_disable_notify(&r->peer.queue[RX].vq);
	drv_disable_notify(&r->peer.queue[TX].vq);
	peer_publish(&r->peer, RX);
}

static bool run_open(struct run *r, const char *path, GError **err)
{
	const struct drv_config ring = { .packed = r->at[NET_RING],
					 .event_idx = true,
					 .size = RING };
	uint64_t features = (uint64_t)r->at[NET_MERGE] << NET_F_MRG_RXBUF;
	size_t frame = (NET_HEADER_BYTES + r->at[NET_SIZE] + 63) & ~(size_t)63;
	size_t memory;

	r->rx_bytes = r->at[NET_MERGE] ? NET_SMALL : (uint32_t)frame;
	memory = frame * NET_DEPTH_MAX + (size_t)r->rx_bytes * RING + 2ul * 4096;
	if (!peer_open(&r->peer, path, PEER_PROTOCOL, 0, err) ||
	    !peer_start(&r->peer, 2, &ring, features, memory, err))
		return false;
	run_lay_out(r);
	return true;
}

bool net_run(const char *path, const unsigned *at, unsigned time_ms, struct latencies *l,
	     double *ret_rate, GError **err)
{
	struct run *r = g_new0(struct run, 1);
	uint64_t begin, end;
	bool ok;

	r->at = at;
	r->latencies = l;
	ok = run_open(r, path, err);
	begin = peer_now_ns();
	ok = ok && run_until(r, begin + time_ms * 1000000ull, err);
	end = peer_now_ns();
	*ret_rate = (double)r->done * 1e9 / (double)(end - begin);
	if (!ok)
		g_prefix_error(err, "%s: ", path);
	peer_close(&r->peer);
	g_free(r);
	return ok;
}
