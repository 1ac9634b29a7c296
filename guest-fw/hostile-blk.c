/*
 * Attacks on a disk. All of them ask for gigabytes by naming the same piece of memory again and
 * again; they want 512 MiB of it, and a disk of 2 GiB, which may be one large hole.
 */
#include "devices/blk/wire.h"
#include "guest-fw/hostile.h"

#define PIECE (256u << 20) /* at the end of memory, where nothing else is */
#define QUEUE 1024u

/* As many requests as the ring takes, of 1.5 GiB each; and one kick. Returns how many. */
static unsigned hostile_blk_fill(struct queue *q)
{
	struct blk_header *header = fw_take(sizeof(*header));
	uint8_t *status = fw_take(QUEUE);
	struct drv_buf bufs[CHAIN_MAX];
	unsigned n = 0;

	header->type = cpu_le32(BLK_T_IN);
	bufs[0] = buf_of(header, sizeof(*header));
	for (unsigned i = 1; i < CHAIN_MAX - 1; i++)
		bufs[i] = (struct drv_buf){ .gpa = fw.memory_end[0] - PIECE, .len = PIECE };
	for (; n < QUEUE; n++) {
		bufs[CHAIN_MAX - 1] = buf_of(&status[n], 1);
		if (!queue_add(q, bufs, 1, CHAIN_MAX - 1, &status[n]))
			break;
	}
	queue_kick(q);
	return n;
}

static _Noreturn void hostile_blk_stay(void)
{
	for (;;)
		fw_relax();
}

static const char *hostile_blk_reads(struct virtio *v)
{
	say("hostile: %u reads of 1.5 GiB are in flight\n", hostile_blk_fill(v->queue[0]));
	hostile_blk_stay();
}

static const char *reads_then_reset(struct virtio *v)
{
	say("hostile: %u reads of 1.5 GiB are in flight\n", hostile_blk_fill(v->queue[0]));
	virtio_end(v);
	return "the reset came back";
}

#define RINGS (1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_INDIRECT_DESC)

const struct attack blk_attacks[] = {
	{ "blk-reads", 2, RINGS, 1, QUEUE, hostile_blk_reads },
	{ "blk-reads-then-reset", 2, RINGS, 1, QUEUE, reads_then_reset },
	{ 0 },
};
