#include "devices/blk/wire.h"
#include "guest-fw/fuzz.h"

static const char magic[] = "ringside fuzz 1";

/* In memory that stays: one disk, driven from open to close. */
static struct disk {
	struct blk_header header;
	struct fuzz_slot slot;
	uint8_t status;
} * disk;

static bool read_slot(struct virtio *v, uint32_t n)
{
	const struct drv_buf bufs[] = {
		buf_of(&disk->header, sizeof(disk->header)),
		buf_of(&disk->slot, sizeof(disk->slot)),
		buf_of(&disk->status, 1),
	};
	uint64_t sector = (uint64_t)n * (FUZZ_SLOT / BLK_SECTOR);
	uint32_t len;

	disk->header = (struct blk_header){ .type = cpu_le32(BLK_T_IN),
					    .sector = cpu_le64(sector) };
	disk->status = 0xff;
	return queue_do(v->queue[0], bufs, 1, 2, &len) && disk->status == BLK_S_OK;
}

bool fuzz_disk_open(struct virtio *v, uint32_t *ret_n)
{
	static const struct virtio_plan plan = { .irq = VIRTIO_POLL,
						 .n_queues = 1,
						 .queue_size = 8 };

	if (v->dev.id != blk_driver.id)
		return false;
	if (!disk)
		disk = fw_take(sizeof(*disk));
	if (!virtio_begin(v, &plan) || !read_slot(v, 0) ||
	    !fw_same(&disk->slot, magic, sizeof(magic))) {
		virtio_end(v);
		return false;
	}
	__builtin_memcpy(ret_n, (const uint8_t *)&disk->slot + sizeof(magic), sizeof(*ret_n));
	return true;
}

void fuzz_disk_read(struct virtio *v, uint32_t n, struct fuzz_slot *ret)
{
	if (!read_slot(v, n + 1))
		fw_panic("the disk of inputs cannot be read");
	*ret = disk->slot;
	ret->target[sizeof(ret->target) - 1] = '\0';
}

void fuzz_disk_close(struct virtio *v)
{
	virtio_end(v);
}
