/* One measurement: a driver that keeps so many requests in flight, for so long. */
#include <string.h>

#include "devices/blk/wire.h"
#include "tools/bench/blk-impl.h"
#include "tools/bench/ends.h"
#include "tools/bench/peer.h"

struct request {
	uint64_t header, data, status; /* guest addresses */
	uint64_t begun;                /* ns */
};

struct run {
	struct peer peer;
	const unsigned *at; /* of each axis */
	struct latencies *latencies;
	uint64_t blocks; /* of the disk, as large as a request */
	uint64_t next, random;
	struct request request[BLK_DEPTH_MAX];
	struct request *idle[BLK_DEPTH_MAX];
	unsigned n_idle;
	uint64_t done;
	uint8_t failed; /* the status of a request that was not carried out */
};

/*
 * Requests.
 */
static bool run_writes(const struct run *r)
{
	return r->at[BLK_OP] == BLK_RANDWRITE || r->at[BLK_OP] == BLK_WRITE;
}

static size_t run_bytes(const struct run *r)
{
	return (size_t)r->at[BLK_SIZE] * 1024;
}

/* xorshift64: the same places in each run. */
static uint64_t run_block(struct run *r)
{
	if (r->at[BLK_OP] == BLK_READ || r->at[BLK_OP] == BLK_WRITE)
		return r->next++ % r->blocks;
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random % r->blocks;
}

static void run_begin(struct run *r, struct request *q, uint64_t now)
{
	bool writes = run_writes(r);
	struct blk_header h = {
		.type = cpu_le32(writes ? BLK_T_OUT : BLK_T_IN),
		.sector = cpu_le64(run_block(r) * (run_bytes(r) / BLK_SECTOR)),
	};
	const struct drv_buf bufs[] = {
		{ q->header, sizeof(h) },
		{ q->data, (uint32_t)run_bytes(r) },
		{ q->status, 1 },
	};

	memcpy(r->peer.memory + q->header, &h, sizeof(h));
	r->peer.memory[q->status] = 0xff;
	q->begun = now;
	if (drv_add(&r->peer.queue[0].vq, bufs, writes ? 2 : 1, writes ? 1 : 2, q) < 0)
		g_assert_not_reached(); /* there is a ring entry for each buffer */
}

/* False: one has failed. */
static bool run_collect(struct run *r)
{
	uint64_t now = 0;
	void *cookie;
	uint32_t len;

	while (drv_used(&r->peer.queue[0].vq, &cookie, &len)) {
		struct request *q = cookie;

		now = now ? now : peer_now_ns();
		r->failed = r->peer.memory[q->status];
		if (r->failed != BLK_S_OK)
			return false;
		latencies_add(r->latencies, now - q->begun);
		r->idle[r->n_idle++] = q;
		r->done++;
	}
	return true;
}

/* Until @end, and until nothing is in flight. */
static bool run_until(struct run *r, uint64_t end, GError **err)
{
	unsigned depth = r->at[BLK_DEPTH], turns = 0;
	uint64_t now = peer_now_ns();

	while (now < end || r->n_idle < depth) {
		while (now < end && r->n_idle)
			run_begin(r, r->idle[--r->n_idle], now);
		peer_publish(&r->peer, 0);
		if (!run_collect(r))
			return peer_fail(err, "a request failed with status %u", r->failed);
		now = peer_now_ns();
		if (r->n_idle) {
			turns = 0;
			continue;
		}
		if (r->at[BLK_WAIT] == 0 ? !peer_await(&r->peer, 0, err)
					 : !peer_look(&r->peer, 0, &turns, err))
			return false;
		now = peer_now_ns();
	}
	return true;
}

static void run_lay_out(struct run *r)
{
	unsigned depth = r->at[BLK_DEPTH];
	uint64_t small = peer_take(&r->peer, depth * (size_t)64);

	for (unsigned i = 0; i < depth; i++) {
		struct request *q = &r->request[i];

		q->header = small + i * (uint64_t)64;
		q->status = q->header + sizeof(struct blk_header);
		q->data = peer_take(&r->peer, run_bytes(r));
		r->idle[r->n_idle++] = q;
	}
}

static bool run_open(struct run *r, const char *path, GError **err)
{
	struct drv_config ring = { .packed = r->at[BLK_RING], .event_idx = true, .size = 4 };
	size_t each = (run_bytes(r) + 4095) & ~(size_t)4095;
	struct blk_config config;

	while (ring.size < 3 * r->at[BLK_DEPTH])
		ring.size *= 2;
	if (!peer_open(&r->peer, path, PEER_PROTOCOL,
		       offsetof(struct blk_config, max_discard_sectors), err))
		return false;
	memcpy(&config, r->peer.config, sizeof(config));
	r->blocks = le64_cpu(config.capacity) / (run_bytes(r) / BLK_SECTOR);
	if (r->blocks == 0)
		return peer_fail(err, "the disk is smaller than one request");
	if (run_writes(r) && r->peer.features >> BLK_F_RO & 1)
		return peer_fail(err, "the disk is read-only");
	if (!peer_start(&r->peer, 1, &ring, 0, r->at[BLK_DEPTH] * (each + 64) + 4096, err))
		return false;
	run_lay_out(r);
	return true;
}

bool blk_run(const char *path, const unsigned *at, unsigned time_ms, struct latencies *l,
	     double *ret_rate, GError **err)
{
	struct run *r = g_new0(struct run, 1);
	uint64_t begin, end;
	bool ok;

	r->at = at;
	r->latencies = l;
	r->random = 0x9e3779b97f4a7c15u;
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
