#include "devices/blk/disk.h"

#include "devices/blk/blk.h"

bool blk_is(const struct vdev *dev)
{
	return dev->class == &blk_class;
}

void blk_disk(const struct vdev *dev, struct blk_disk *ret)
{
	const struct blk *blk = (const struct blk *)dev;

	*ret = (struct blk_disk){
		.file = blk->path ? blk->path : blk->spec,
		.size = blk->limits.capacity * BLK_SECTOR,
		.ro = blk->ro,
		.direct = blk->direct,
		.writeback = blk->writeback,
		.no_flush = blk->cache == BLK_CACHE_UNSAFE,
		.discard = blk->discard,
		.stops = blk->werror != BLK_WERROR_REPORT,
	};
	for (unsigned q = 0; q < dev->n_queues && !ret->held_for; q++)
		ret->held_for = blk->queue[q].held_for;
}

/*
 * Its size.
 */
static bool blk_check_size(const struct blk *blk, uint64_t size, GError **err)
{
	if (blk->ro)
		return ringside_usage(err, "it is read-only");
	if (size % blk->block_size)
		return ringside_usage(
			err, "a size is a multiple of its block size, %" G_GUINT64_FORMAT " bytes",
			blk->block_size);
	return true;
}

/* With all queues paused: nothing is in hand that could write beyond a new end, and so make the
 * file longer again. What waits is judged once more when it is begun. */
static bool blk_set_size(struct blk *blk, uint64_t size, GError **err)
{
	bool ok = blk_backend_resize(blk->backend, size, err);

	if (ok)
		blk->limits.capacity = blk->backend->info.size / BLK_SECTOR;
	return ok;
}

static void blk_tell_size(struct blk *blk)
{
	blk->config.capacity = cpu_le64(blk->limits.capacity);
	vdev_config_set(&blk->vdev, offsetof(struct blk_config, capacity), &blk->config.capacity,
			sizeof(blk->config.capacity), true);
}

bool blk_resize(struct vdev *dev, uint64_t size, GError **err)
{
	struct blk *blk = (struct blk *)dev;
	bool ran = dev->running, ok = blk_check_size(blk, size, err);

	if (ok && ran)
		vdev_pause(dev);
	ok = ok && blk_set_size(blk, size, err);
	if (ok)
		blk_tell_size(blk);
	if (ran)
		vdev_resume(dev);
	if (!ok)
		g_prefix_error(err, "%s: ", vdev_name(dev));
	return ok;
}
