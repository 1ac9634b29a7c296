/* Requests of a block device (VIRTIO 1.4, 5.2.6.1). Limits are those of the configuration space. */
#include <string.h>

#include "devices/blk/wire.h"
#include "vmm/check/check-int.h"

#define AT(field) offsetof(struct blk_config, field)

static struct blk_config blk_config(struct check_dev *d)
{
	struct blk_config c = { 0 };

	vdev_config_get(d->dev, 0, &c, MIN(sizeof(c), d->dev->config_size));
	return c;
}

/* A disk that became smaller is as large as it was to a driver that has not looked since. */
struct blk_seen {
	_Atomic uint64_t capacity;
};

static uint64_t blk_capacity(struct check_dev *d)
{
	struct blk_seen *s = d->own;
	le64 now;

	vdev_config_get(d->dev, AT(capacity), &now, sizeof(now));
	if (le64_cpu(now) > s->capacity)
		s->capacity = le64_cpu(now);
	return s->capacity;
}

struct blk_request {
	struct check_dev *d;
	int q, head;
	uint32_t type;
	uint64_t sector;
	size_t out, in; /* bytes of data */
};

static void blk_judge_place(const struct blk_request *r, uint64_t sector, uint64_t n)
{
	uint64_t capacity = blk_capacity(r->d);

	if (sector > capacity || n > capacity - sector)
		check_broken(r->d, CHECK_BLK_CAPACITY, r->q, r->head,
			     "sector %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT
			     " of them, of %" G_GUINT64_FORMAT,
			     sector, n, capacity);
}

static void blk_judge_transfer(const struct blk_request *r, size_t bytes)
{
	if (bytes % BLK_SECTOR)
		check_broken(r->d, CHECK_BLK_LENGTH, r->q, r->head, "%zu bytes", bytes);
	blk_judge_place(r, r->sector, (bytes + BLK_SECTOR - 1) / BLK_SECTOR);
}

static void blk_judge_flush(const struct blk_request *r)
{
	if (r->sector)
		check_broken(r->d, CHECK_BLK_FLUSH_SECTOR, r->q, r->head,
			     "sector %" G_GUINT64_FORMAT, r->sector);
	if (r->in || r->out)
		check_broken(r->d, CHECK_BLK_FLUSH_DATA, r->q, r->head, "%zu bytes",
			     r->in + r->out);
}

static void blk_judge_range(const struct blk_request *r, const struct blk_range *range)
{
	if (r->type == BLK_T_DISCARD && le32_cpu(range->flags) & BLK_RANGE_UNMAP)
		check_broken(r->d, CHECK_BLK_DISCARD_UNMAP, r->q, r->head, NULL);
	blk_judge_place(r, le64_cpu(range->sector), le32_cpu(range->n_sectors));
}

#define RANGES_JUDGED 64u

static void blk_judge_ranges(const struct blk_request *r, const struct vq_chain *chain)
{
	struct blk_config c = blk_config(r->d);
	bool discard = r->type == BLK_T_DISCARD;
	uint32_t most = discard ? le32_cpu(c.max_discard_seg) : le32_cpu(c.max_write_zeroes_seg);
	size_t n = r->out / sizeof(struct blk_range);

	if (r->out % sizeof(struct blk_range))
		check_broken(r->d, CHECK_BLK_RANGES_LENGTH, r->q, r->head, "%zu bytes", r->out);
	else if (n > most)
		check_broken(r->d, discard ? CHECK_BLK_DISCARD_SEGMENTS : CHECK_BLK_ZEROES_SEGMENTS,
			     r->q, r->head, "%zu of %u", n, most);
	for (size_t i = 0; i < MIN(n, RANGES_JUDGED); i++) {
		struct blk_range range;
		size_t at = sizeof(struct blk_header) + i * sizeof(range);

		if (check_peek(chain, at, &range, sizeof(range)) == sizeof(range))
			blk_judge_range(r, &range);
	}
}

/* 5.2.6.4: of a legacy driver that did not accept ANY_LAYOUT. */
static void blk_judge_framing(struct check_dev *d, int q, const struct vq_chain *c)
{
	const struct iovec *status = c->wr.n ? &c->wr.iov[c->wr.n - 1] : NULL;

	if (!d->dev->legacy || check_accepted(d, VIRTIO_F_ANY_LAYOUT))
		return;
	if (c->rd.n == 0 || c->rd.iov[0].iov_len != sizeof(struct blk_header) || !status ||
	    status->iov_len != 1)
		check_broken(d, CHECK_BLK_LEGACY_FRAMING, q, c->id, NULL);
}

static bool blk_known(uint32_t type)
{
	return type == BLK_T_IN || type == BLK_T_OUT || type == BLK_T_FLUSH ||
	       type == BLK_T_GET_ID || type == BLK_T_DISCARD || type == BLK_T_WRITE_ZEROES;
}

static void blk_judge_segments(const struct blk_request *r)
{
	unsigned n = r->d->queue[r->q].n_data;
	le32 most;

	if (!check_accepted(r->d, BLK_F_SEG_MAX) || r->d->queue[r->q].blind)
		return;
	vdev_config_get(r->d->dev, AT(seg_max), &most, sizeof(most));
	if (le32_cpu(most) && n > le32_cpu(most))
		check_broken(r->d, CHECK_BLK_SEGMENTS, r->q, r->head, "%u of %u", n,
			     le32_cpu(most));
}

/* Said of one that was told of already, there is nothing to add. */
static bool blk_judge_direction(const struct blk_request *r)
{
	bool in = r->type == BLK_T_IN || r->type == BLK_T_GET_ID;
	bool out = r->type == BLK_T_OUT || r->type == BLK_T_DISCARD ||
		   r->type == BLK_T_WRITE_ZEROES;
	bool wrong = (in && r->out) || (out && r->in);

	if (wrong)
		check_broken(r->d, CHECK_BLK_DIRECTION, r->q, r->head,
			     "type %u, %zu readable bytes and %zu writable ones", r->type, r->out,
			     r->in);
	return wrong;
}

static void blk_popped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct blk_request r = { .d = d, .q = (int)q, .head = c->id };
	struct blk_header h;

	blk_judge_framing(d, (int)q, c);
	if (check_peek(c, 0, &h, sizeof(h)) < sizeof(h) || c->wr.left == 0) {
		check_broken(d, CHECK_BLK_REQUEST, (int)q, c->id, "%zu and %zu bytes", c->rd.left,
			     c->wr.left);
		return;
	}
	r.type = le32_cpu(h.type);
	r.sector = le64_cpu(h.sector);
	r.out = c->rd.left - sizeof(h);
	r.in = c->wr.left - 1;
	blk_judge_segments(&r);
	if (blk_judge_direction(&r))
		return;
	if (d->dev->legacy && !blk_known(r.type) && blk_known(GUINT32_SWAP_LE_BE(r.type)))
		check_broken(d, CHECK_BLK_LEGACY_ENDIAN, r.q, r.head, "%#x", r.type);
	switch (r.type) {
	case BLK_T_IN:
		blk_judge_transfer(&r, r.in);
		break;
	case BLK_T_OUT:
		blk_judge_transfer(&r, r.out);
		break;
	case BLK_T_FLUSH:
		blk_judge_flush(&r);
		break;
	case BLK_T_GET_ID:
		if (r.in != BLK_ID_BYTES)
			check_broken(d, CHECK_BLK_ID_LENGTH, r.q, r.head, "%zu bytes", r.in);
		break;
	case BLK_T_DISCARD:
	case BLK_T_WRITE_ZEROES:
		blk_judge_ranges(&r, c);
		break;
	default:
		break;
	}
}

static void blk_config_seen(struct check_dev *d, size_t off, const uint8_t *bytes, size_t len,
			    bool write)
{
	(void)bytes;
	if (!write && off < AT(size_max))
		((struct blk_seen *)d->own)->capacity = 0;
	if (!write && !d->dev->legacy && off <= AT(writeback) && AT(writeback) < off + len &&
	    !(vdev_status(d->dev) & VIRTIO_S_FEATURES_OK))
		check_broken(d, CHECK_BLK_WRITEBACK_EARLY, -1, -1, NULL);
}

static const struct check_field fields[] = {
	{ AT(size_max), 4, BLK_F_SIZE_MAX },
	{ AT(seg_max), 4, BLK_F_SEG_MAX },
	{ AT(cylinders), 4, BLK_F_GEOMETRY },
	{ AT(blk_size), 4, BLK_F_BLK_SIZE },
	{ AT(physical_block_exp), 8, BLK_F_TOPOLOGY },
	{ AT(writeback), 1, BLK_F_CONFIG_WCE },
	{ AT(num_queues), 2, BLK_F_MQ },
	{ AT(max_discard_sectors), 12, BLK_F_DISCARD },
	{ AT(max_write_zeroes_sectors), 9, BLK_F_WRITE_ZEROES },
	{ 0 },
};

const struct check_type check_blk = {
	.class = "blk",
	.group = CHECK_BLK,
	.state_size = sizeof(struct blk_seen),
	.fields = fields,
	.popped = blk_popped,
	.config = blk_config_seen,
	.head = sizeof(struct blk_header),
	.tail = 1,
};
