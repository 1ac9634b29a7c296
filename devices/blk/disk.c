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
	};
}
