#include "devices/blk/command.h"

#include "devices/blk/wire.h"

static bool blk_command_in_disk(const struct blk_limits *l, uint64_t sector, uint64_t n_sectors)
{
	uint64_t capacity = atomic_load_explicit(&l->capacity, memory_order_relaxed);

	return sector <= capacity && n_sectors <= capacity - sector;
}

/* Sectors, whatever block size the driver was told: that does not affect the units (5.2.5). */
static uint8_t blk_command_parse_data(uint64_t sector, uint64_t len, const struct blk_limits *l,
				      struct blk_command *cmd)
{
	if (len % BLK_SECTOR || !blk_command_in_disk(l, sector, len / BLK_SECTOR))
		return BLK_S_IOERR;
	cmd->offset = sector * BLK_SECTOR;
	cmd->len = len;
	return BLK_S_OK;
}

static uint8_t blk_command_parse_range(const struct blk_range *wire, const struct blk_limits *l,
				       bool discard, struct blk_command_range *r)
{
	uint32_t flags = le32_cpu(wire->flags);

	r->sector = le64_cpu(wire->sector);
	r->n_sectors = le32_cpu(wire->n_sectors);
	r->unmap = flags & BLK_RANGE_UNMAP;
	if (flags & ~BLK_RANGE_UNMAP || (discard && r->unmap)) /* DEV-BLK-OP-05, -06 */
		return BLK_S_UNSUPP;
	if (r->n_sectors > (discard ? l->max_discard : l->max_zeroes) ||
	    !blk_command_in_disk(l, r->sector, r->n_sectors))
		return BLK_S_IOERR;
	return BLK_S_OK;
}

/* A flag that is not known comes before all else that is wrong (DEV-BLK-OP-05): it may be what
 * makes the rest look wrong. It is looked for in as many ranges as a request may have. */
static uint8_t blk_command_parse_ranges(struct vq_chain *c, const struct blk_limits *l,
					bool discard, struct blk_command *cmd)
{
	struct blk_range wire;
	bool whole = c->rd.left && c->rd.left % sizeof(wire) == 0 &&
		     c->rd.left / sizeof(wire) <= BLK_RANGES_MAX;
	uint8_t worst = whole ? BLK_S_OK : BLK_S_IOERR;

	while (cmd->n_ranges < BLK_RANGES_MAX && vq_pull(c, &wire, sizeof(wire))) {
		uint8_t status = blk_command_parse_range(&wire, l, discard,
							 &cmd->range[cmd->n_ranges++]);

		worst = status > worst ? status : worst; /* UNSUPP is the larger */
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
	if (cmd->type == BLK_T_FLUSH_OUT && l->legacy) /* DEV-BLK-LEGOP-02 */
		cmd->type = BLK_T_FLUSH;
	switch (cmd->type) {
	case BLK_T_IN:
		return blk_command_parse_data(le64_cpu(h.sector), c->wr.left, l, cmd);
	case BLK_T_OUT:
		if (l->ro) /* DEV-BLK-OP-03 */
			return BLK_S_IOERR;
		return blk_command_parse_data(le64_cpu(h.sector), c->rd.left, l, cmd);
	case BLK_T_FLUSH:
		return l->no_flush ? BLK_S_UNSUPP : BLK_S_OK;
	case BLK_T_GET_ID:
		return BLK_S_OK;
	case BLK_T_DISCARD:
		return l->discard ? blk_command_parse_ranges(c, l, true, cmd) : BLK_S_UNSUPP;
	case BLK_T_WRITE_ZEROES:
		return l->write_zeroes ? blk_command_parse_ranges(c, l, false, cmd) : BLK_S_UNSUPP;
	default: /* those of SCSI, LIFETIME, SECURE_ERASE and ZONED too (DEV-BLK-OP-18) */
		return BLK_S_UNSUPP;
	}
}
