/*
 * A disk that was recorded: a file in memory. What was read from a sector that nobody had written
 * before was there from the beginning; what was not read does not matter.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/blk/disk.h"
#include "devices/blk/wire.h"
#include "tools/replay/outside.h"

#define FIELD(name) \
	offsetof(struct blk_config, name), (unsigned)sizeof(((struct blk_config *)NULL)->name)

/* Sectors that have been read or written, eight in a row under one key. */
struct blk_seen {
	GHashTable *sectors;
};

static bool blk_see(struct blk_seen *seen, uint64_t sector)
{
	guint64 key = sector / 8;
	guint8 *mask = g_hash_table_lookup(seen->sectors, &key);
	guint8 bit = (guint8)(1u << sector % 8);
	bool first;

	if (!mask) {
		mask = g_new0(guint8, 1);
		g_hash_table_insert(seen->sectors, g_memdup2(&key, sizeof(key)), mask);
	}
	first = !(*mask & bit);
	*mask |= bit;
	return first;
}

static void blk_see_range(struct blk_seen *seen, uint64_t sector, uint64_t n, uint64_t capacity)
{
	for (uint64_t i = 0; i < n && sector < capacity && i < capacity - sector; i++)
		blk_see(seen, sector + i);
}

/* The segments of a DISCARD or WRITE_ZEROES. */
static void blk_see_segments(struct blk_seen *seen, const GByteArray *read, uint64_t capacity)
{
	struct blk_range range;

	for (guint at = sizeof(struct blk_header); at + sizeof(range) <= read->len;
	     at += sizeof(range)) {
		memcpy(&range, read->data + at, sizeof(range));
		blk_see_range(seen, le64_cpu(range.sector), le32_cpu(range.n_sectors), capacity);
	}
}

/* It was done, as far as the record goes. */
static bool blk_went_well(const struct replay_chain *c)
{
	return !c->pushed ||
	       (c->len && c->written->len >= c->len && c->written->data[c->len - 1] == BLK_S_OK);
}

/* A request begins: what it writes is not the disk's any more. */
static void blk_begins(struct blk_seen *seen, const struct replay_chain *c, uint64_t capacity)
{
	struct blk_header h;

	if (c->read->len < sizeof(h) || !blk_went_well(c))
		return;
	memcpy(&h, c->read->data, sizeof(h));
	switch (le32_cpu(h.type)) {
	case BLK_T_OUT:
		blk_see_range(seen, le64_cpu(h.sector), (c->read->len - sizeof(h)) / BLK_SECTOR,
			      capacity);
		break;
	case BLK_T_DISCARD:
	case BLK_T_WRITE_ZEROES:
		blk_see_segments(seen, c->read, capacity);
		break;
	default:
		break;
	}
}

/* It ends: what it read, and nobody wrote before, was there. */
static bool blk_ends(struct blk_seen *seen, const struct replay_chain *c, uint64_t capacity, int fd)
{
	const uint8_t *data = c->written->data;
	struct blk_header h;
	uint64_t sector;

	if (c->read->len < sizeof(h) || !c->len || !blk_went_well(c))
		return true;
	memcpy(&h, c->read->data, sizeof(h));
	sector = le64_cpu(h.sector);
	if (le32_cpu(h.type) != BLK_T_IN)
		return true;
	for (uint32_t at = 0; at + BLK_SECTOR < c->len && sector < capacity;
	     at += BLK_SECTOR, sector++)
		if (blk_see(seen, sector) &&
		    pwrite(fd, data + at, BLK_SECTOR, (off_t)(sector * BLK_SECTOR)) != BLK_SECTOR)
			return false;
	return true;
}

static bool blk_fill(struct outside *o, uint64_t capacity)
{
	struct blk_seen seen = { g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
						       g_free) };
	bool ok = true;

	for (guint i = 0; ok && i < o->script->steps->len; i++) {
		const struct replay_step *step = replay_step(o->script, i);

		if (step->device != o->number)
			continue;
		if (step->type == RECORD_POPPED)
			blk_begins(&seen, step->chain, capacity);
		else if (step->type == RECORD_PUSHED)
			ok = blk_ends(&seen, step->chain, capacity, o->disk_fd);
	}
	g_hash_table_unref(seen.sectors);
	return ok;
}

static void blk_tell_blocks(struct outside *o, GPtrArray *pairs)
{
	uint64_t block = outside_config(o, FIELD(blk_size));

	if (!outside_offered(o, BLK_F_BLK_SIZE) || !block)
		block = BLK_SECTOR;
	outside_option(pairs, "block-size", "%" G_GUINT64_FORMAT, block);
	outside_option(pairs, "physical-block-size", "%" G_GUINT64_FORMAT,
		       block << (outside_config(o, FIELD(physical_block_exp)) & 15));
	outside_option(pairs, "min-io", "%" G_GUINT64_FORMAT,
		       block * outside_config(o, FIELD(min_io_size)));
	outside_option(pairs, "opt-io", "%" G_GUINT64_FORMAT,
		       block * outside_config(o, FIELD(opt_io_size)));
}

static bool outside_blk_options(struct outside *o, GPtrArray *pairs, const char **ret_why)
{
	uint64_t capacity = outside_config(o, FIELD(capacity));

	*ret_why = "no file in memory can be as large as its disk";
	o->disk_fd = memfd_create("replay", MFD_CLOEXEC);
	if (o->disk_fd < 0 || capacity > INT64_MAX / BLK_SECTOR ||
	    ftruncate(o->disk_fd, (off_t)(capacity * BLK_SECTOR)) < 0 || !blk_fill(o, capacity))
		return false;
	outside_option(pairs, "path", "/proc/self/fd/%d", o->disk_fd);
	prop_add(pairs, "aio", "sync"); /* one thread: the same each time */
	outside_option(pairs, "queues", "%" G_GUINT64_FORMAT,
		       replay_device(o->script, o->number)->n_queues);
	outside_option(pairs, "seg-max", "%" G_GUINT64_FORMAT, outside_config(o, FIELD(seg_max)));
	prop_add(pairs, "discard", outside_offered(o, BLK_F_DISCARD) ? "on" : "off");
	prop_add(pairs, "write-zeroes", outside_offered(o, BLK_F_WRITE_ZEROES) ? "on" : "off");
	blk_tell_blocks(o, pairs);
	return true;
}

/* The disk became larger or smaller. */
static void outside_blk_configured(struct outside *o, struct vdev *dev, const uint8_t *bytes)
{
	le64 capacity;

	(void)o;
	memcpy(&capacity, bytes, sizeof(capacity));
	if (le64_cpu(capacity) <= INT64_MAX / BLK_SECTOR)
		(void)blk_resize(dev, le64_cpu(capacity) * BLK_SECTOR, NULL);
}

const struct outside_class outside_blk = {
	.name = "blk",
	.drop = " path backend direct lock aio werror queues seg-max discard write-zeroes block-size "
		"physical-block-size min-io opt-io ",
	.options = outside_blk_options,
	.field = offsetof(struct blk_config, capacity),
	.field_len = sizeof(le64),
	.configured = outside_blk_configured,
};
