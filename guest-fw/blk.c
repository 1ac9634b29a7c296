/*
 * Block device (VIRTIO 1.4, 5.2). The disk's first half carries a known text, a line of 16 bytes
 * for each sector, 32 times over: "sector 00000007\n"; it is read. The second half is written and
 * read back, and has something else each time.
 */
#include "devices/blk/wire.h"
#include "guest-fw/virtio.h"

#define LINE     16u
#define SECTORS  8ul /* in a request */
#define REQUESTS 8u  /* under way together */
#define DATA     (SECTORS * BLK_SECTOR)

struct request {
	struct blk_header header;
	uint8_t data[DATA]; /* adjoins both its neighbours, for queue_add() */
	uint8_t status;
};

static void write_line(uint8_t line[LINE], const char *word, uint64_t n)
{
	__builtin_memcpy(line, word, 7);
	for (unsigned i = LINE - 2; i >= 7; i--, n /= 10)
		line[i] = (uint8_t)('0' + n % 10);
	line[LINE - 1] = '\n';
}

/* What sector @n should hold, or does. */
static void fw_blk_fill(uint8_t *data, const char *word, uint64_t n)
{
	for (unsigned i = 0; i < BLK_SECTOR; i += LINE)
		write_line(data + i, word, n);
}

static bool fw_blk_holds(const uint8_t *data, const char *word, uint64_t n)
{
	uint8_t line[LINE];

	write_line(line, word, n);
	for (unsigned i = 0; i < BLK_SECTOR; i += LINE)
		if (!fw_same(data + i, line, LINE))
			return false;
	return true;
}

/* Header, data in two pieces, status: chains of four buffers. False if there is no room. */
static bool fw_blk_add(struct queue *q, struct request *r, uint32_t type, uint64_t sector)
{
	bool out = type == BLK_T_OUT;
	const struct drv_buf bufs[] = {
		buf_of(&r->header, sizeof(r->header)),
		buf_of(r->data, BLK_SECTOR),
		buf_of(r->data + BLK_SECTOR, DATA - BLK_SECTOR),
		buf_of(&r->status, 1),
	};

	r->header = (struct blk_header){ .type = cpu_le32(type), .sector = cpu_le64(sector) };
	r->status = 0xff;
	return queue_add(q, bufs, out ? 3 : 1, out ? 1 : 3, r);
}

static bool fw_blk_done(struct queue *q, unsigned n)
{
	while (n--) {
		struct request *r;
		uint32_t len;

		if (!queue_wait(q, (void **)&r, &len))
			return false;
		if (r->status != BLK_S_OK)
			return virtio_fail(q->v, "a request failed");
		if (len != (r->header.type == cpu_le32(BLK_T_IN) ? DATA + 1 : 1))
			return virtio_fail(q->v, "a used length is wrong");
	}
	return true;
}

/* REQUESTS requests from @sector on, together as far as the ring has room. */
static bool fw_blk_many(struct queue *q, struct request *r, uint32_t type, uint64_t sector)
{
	unsigned under_way = 0;

	for (unsigned i = 0; i < REQUESTS; i++, under_way++)
		while (!fw_blk_add(q, &r[i], type, sector + i * SECTORS)) {
			if (under_way == 0)
				return virtio_fail(q->v, "the ring is too short for a request");
			queue_kick(q);
			if (!fw_blk_done(q, 1))
				return false;
			under_way--;
		}
	queue_kick(q);
	return fw_blk_done(q, under_way);
}

static bool all_hold(struct virtio *v, const struct request *r, const char *word, uint64_t sector,
		     uint64_t salt)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		for (size_t s = 0; s < SECTORS; s++, sector++)
			if (!fw_blk_holds(r[i].data + s * BLK_SECTOR, word, sector + salt))
				return virtio_fail(v, "a sector does not hold what it should");
	return true;
}

static bool write_and_read(struct virtio *v, struct request *r, uint64_t sector)
{
	uint64_t salt = fw_ticks() % 1000000;

	for (unsigned i = 0; i < REQUESTS; i++)
		for (size_t s = 0; s < SECTORS; s++)
			fw_blk_fill(r[i].data + s * BLK_SECTOR, "wrote  ",
				    sector + i * SECTORS + s + salt);
	if (!fw_blk_many(v->queue[0], r, BLK_T_OUT, sector))
		return false;
	for (unsigned i = 0; i < REQUESTS; i++)
		__builtin_memset(r[i].data, 0, DATA);
	return fw_blk_many(v->queue[0], r, BLK_T_IN, sector) &&
	       all_hold(v, r, "wrote  ", sector, salt);
}

/* A request with a header and, in r->data, room for @n bytes. */
static bool fw_blk_simple(struct virtio *v, struct request *r, uint32_t type, uint32_t n)
{
	const struct drv_buf bufs[] = {
		buf_of(&r->header, sizeof(r->header)), buf_of(r->data, n + 1), /* and the status */
	};
	uint32_t len;

	r->header = (struct blk_header){ .type = cpu_le32(type) };
	r->data[n] = 0xff;
	if (!queue_do(v->queue[0], bufs, 1, 1, &len))
		return false;
	return (r->data[n] == BLK_S_OK && len == n + 1) || virtio_fail(v, "a request failed");
}

static bool fw_blk_test(struct virtio *v)
{
	struct request *r = fw_take(REQUESTS * sizeof(*r));
	uint64_t half = virtio_config_read64(&v->dev, 0) / 2;

	if (half < (uint64_t)REQUESTS * SECTORS)
		return virtio_fail(v, "the disk has less than 64 KiB");
	if (!fw_blk_many(v->queue[0], r, BLK_T_IN, 0) || !all_hold(v, r, "sector ", 0, 0))
		return false;
	v->did = "known sectors read, flushed, its serial number";
	if (!virtio_has(&v->dev, BLK_F_RO)) {
		v->did =
			"known sectors read, others written and read back, flushed, its serial number";
		if (!write_and_read(v, r, half))
			return false;
	}
	if (virtio_has(&v->dev, BLK_F_FLUSH) && !fw_blk_simple(v, r, BLK_T_FLUSH, 0))
		return false;
	return fw_blk_simple(v, r, BLK_T_GET_ID, BLK_ID_BYTES);
}

/* The known text, where it was written over. */
static bool fw_blk_mend(struct virtio *v)
{
	static const struct virtio_plan plan = {
		.features = 1ull << BLK_F_RO,
		.irq = VIRTIO_POLL,
		.n_queues = 1,
		.queue_size = 64,
	};
	struct request *r = fw_take(REQUESTS * sizeof(*r));
	bool ok = virtio_begin(v, &plan);

	for (unsigned i = 0; i < REQUESTS; i++)
		for (size_t s = 0; s < SECTORS; s++)
			fw_blk_fill(r[i].data + s * BLK_SECTOR, "sector ", i * SECTORS + s);
	ok = ok && (virtio_has(&v->dev, BLK_F_RO) || fw_blk_many(v->queue[0], r, BLK_T_OUT, 0));
	virtio_end(v);
	return ok;
}

const struct driver blk_driver = {
	.id = 2,
	.name = "blk",
	.features = 1ull << BLK_F_RO | 1ull << BLK_F_FLUSH | 1ull << BLK_F_SEG_MAX |
		    1ull << BLK_F_BLK_SIZE | 1ull << BLK_F_TOPOLOGY | 1ull << BLK_F_CONFIG_WCE |
		    1ull << BLK_F_MQ | 1ull << BLK_F_DISCARD | 1ull << BLK_F_WRITE_ZEROES,
	.n_queues = 1,
	.test = fw_blk_test,
	.mend = fw_blk_mend,
};
