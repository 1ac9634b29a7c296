#include "devices/blk/command.h"

#include "devices/blk/wire.h"

static bool in_disk(const struct blk_limits *l, uint64_t sector, uint64_t n_sectors)
{
	return sector <= l->capacity && n_sectors <= l->capacity - sector;
}

/* Whole blocks? The unit on the wire is the sector whatever the block size is (5.2.5), so a driver
 * may ask for less than the disk can do. */
static bool in_blocks(const struct blk_limits *l, uint64_t sector, uint64_t n_sectors)
{
	return (sector | n_sectors) % (l->block_size / BLK_SECTOR) == 0;
}

static uint8_t parse_data(uint64_t sector, uint64_t len, const struct blk_limits *l,
			  struct blk_command *cmd)
{
	if (len % BLK_SECTOR || !in_disk(l, sector, len / BLK_SECTOR) ||
	    !in_blocks(l, sector, len / BLK_SECTOR))
		return BLK_S_IOERR;
	cmd->offset = sector * BLK_SECTOR;
	cmd->len = len;
	return BLK_S_OK;
}

static uint8_t parse_range(const struct blk_range *wire, const struct blk_limits *l, bool discard,
			   struct blk_command_range *r)
{
	uint32_t flags = le32_cpu(wire->flags);

	r->sector = le64_cpu(wire->sector);
	r->n_sectors = le32_cpu(wire->n_sectors);
	r->unmap = flags & BLK_RANGE_UNMAP;
	if (flags & ~BLK_RANGE_UNMAP || (discard && r->unmap)) /* DEV-BLK-OP-05, -06 */
		return BLK_S_UNSUPP;
	if (r->n_sectors > (discard ? l->max_discard : l->max_zeroes) ||
	    !in_disk(l, r->sector, r->n_sectors) || !in_blocks(l, r->sector, r->n_sectors))
		return BLK_S_IOERR;
	return BLK_S_OK;
}

static uint8_t parse_ranges(struct vq_chain *c, const struct blk_limits *l, bool discard,
			    struct blk_command *cmd)
{
	struct blk_range wire;
	uint8_t worst = BLK_S_OK;

	if (c->rd.left == 0 || c->rd.left % sizeof(wire) ||
	    c->rd.left / sizeof(wire) > BLK_RANGES_MAX)
		return BLK_S_IOERR;
	while (vq_pull(c, &wire, sizeof(wire))) {
		uint8_t status = parse_range(&wire, l, discard, &cmd->range[cmd->n_ranges++]);

		worst = status > worst ? status : worst; /* UNSUPP is a must, IOERR is not */
	}
	return worst;
}

uint8_t blk_parse(struct vq_chain *c, const struct blk_limits *l, struct blk_command *cmd)
{
	struct blk_header h;

	cmd->n_ranges = 0;
	if (!vq_pull(c, &h, sizeof(h)))
		return BLK_S_IOERR;
	cmd->type = le32_cpu(h.type);
	switch (cmd->type) {
	case BLK_T_IN:
		return parse_data(le64_cpu(h.sector), c->wr.left, l, cmd);
	case BLK_T_OUT:
		if (l->ro) /* DEV-BLK-OP-03 */
			return BLK_S_IOERR;
		return parse_data(le64_cpu(h.sector), c->rd.left, l, cmd);
	case BLK_T_FLUSH:
	case BLK_T_GET_ID:
		return BLK_S_OK;
	case BLK_T_DISCARD:
		return l->discard ? parse_ranges(c, l, true, cmd) : BLK_S_UNSUPP;
	case BLK_T_WRITE_ZEROES:
		return l->write_zeroes ? parse_ranges(c, l, false, cmd) : BLK_S_UNSUPP;
	default: /* those of SCSI, LIFETIME, SECURE_ERASE and ZONED too (DEV-BLK-OP-18) */
		return BLK_S_UNSUPP;
	}
}
