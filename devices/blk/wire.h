/*
 * What virtio-blk puts on the wire (VIRTIO 1.4, 5.2 Block Device). Driver's side uses it too.
 */
#pragma once

#include "virtqueue/le.h"

/* Feature bits (5.2.3). GEOMETRY, LIFETIME, SECURE_ERASE and ZONED are never offered: what stands
 * behind the disk has none of them. */
enum {
	BLK_F_SIZE_MAX = 1,
	BLK_F_SEG_MAX = 2,
	BLK_F_GEOMETRY = 4,
	BLK_F_RO = 5,
	BLK_F_BLK_SIZE = 6,
	BLK_F_FLUSH = 9,
	BLK_F_TOPOLOGY = 10,
	BLK_F_CONFIG_WCE = 11,
	BLK_F_MQ = 12,
	BLK_F_DISCARD = 13,
	BLK_F_WRITE_ZEROES = 14,
};

/* 5.2.4 */
struct blk_config {
	le64 capacity; /* in sectors */
	le32 size_max, seg_max;
	le16 cylinders;
	uint8_t heads, sectors;
	le32 blk_size;
	uint8_t physical_block_exp, alignment_offset;
	le16 min_io_size; /* these two in blocks */
	le32 opt_io_size;
	uint8_t writeback, unused0;
	le16 num_queues;
	le32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	le32 max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
	le32 max_secure_erase_sectors, max_secure_erase_seg, secure_erase_sector_alignment;
};

/* 5.2.6: a request is a header, data either way, and one status byte. */
#define BLK_SECTOR 512u

enum {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_FLUSH_OUT = 5, /* a legacy driver's: the same */
	BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11,
	BLK_T_WRITE_ZEROES = 13,
};

enum {
	BLK_S_OK = 0,
	BLK_S_IOERR = 1,
	BLK_S_UNSUPP = 2,
};

struct blk_header {
	le32 type;
	le32 reserved;
	le64 sector;
};

/* Data of DISCARD and WRITE_ZEROES. */
struct blk_range {
	le64 sector;
	le32 n_sectors;
	le32 flags;
};

#define BLK_RANGE_UNMAP 1u

#define BLK_ID_BYTES 20u
