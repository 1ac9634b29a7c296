/* The parts of the block device see each other here; nobody else includes this. */
#pragma once

#include "devices/backend/blk/file.h"
#include "devices/blk/command.h"
#include "devices/blk/wire.h"
#include "devices/core/vdev.h"

struct blk;

/* One virtqueue and its way to the disk. Its owner's thread only. */
struct blk_queue {
	struct blk *blk;
	unsigned index;
	struct blk_channel *channel; /* while started, and until it has stopped */
	bool pushed;                 /* something is yet to be published */
	bool paused;                 /* as it stops, its requests are to be kept: */
	struct blk_io *kept;         /* for queue_started(), in order; a list by ->next: what was
					not begun, and what failed and is to be tried again */
	bool finishing;              /* paused, and what was kept is carried out now */
	_Atomic int held_for;        /* why one that failed waits for a start, or 0; read by all */
};

extern const struct vdev_class blk_class;

/* What becomes of a write that the host could not carry out. */
enum blk_werror {
	BLK_WERROR_REPORT, /* the driver is told */
	BLK_WERROR_ENOSPC, /* as BLK_WERROR_STOP if there is no space left; else the driver is told
			    */
	BLK_WERROR_STOP, /* it is kept, the machine stops, and it is tried again when it goes on */
};

enum blk_cache { BLK_CACHE_WRITEBACK, BLK_CACHE_WRITETHROUGH, BLK_CACHE_UNSAFE };

struct blk {
	struct vdev vdev; /* first */

	/* Options. */
	char *path, *spec, *serial;
	bool ro, direct, lock, discard, write_zeroes;
	unsigned aio;    /* enum blk_aio */
	unsigned cache;  /* enum blk_cache */
	unsigned werror; /* enum blk_werror */
	uint16_t queues;
	uint32_t seg_max;
	uint64_t block_size, block_phys, io_min, io_opt;

	struct blk_backend *backend;
	struct blk_queue *queue; /* [vdev.n_queues] */
	struct blk_limits limits;
	struct blk_config config; /* as the space is before a driver has changed it */
	_Atomic bool writeback;   /* volatile writes are allowed */
	bool always_stable;       /* and not: the driver could not flush them */
	_Atomic gint64 told_at;   /* second in which an error was last told of */
};

/* Our state of one request, in its chain's room. */
struct blk_request {
	struct blk_queue *queue;
	struct vq_chain *chain;
	struct iovec status; /* where its status byte goes */
	struct blk_io io;
	unsigned n_done; /* ranges */
	struct blk_command cmd;
};

/* Takes up a request (request.c). Called by vdev_drain(). */
void blk_handle(struct vdev *dev, unsigned q, struct vq_chain *c);
/* Hands one that has a channel on to it; done() comes from within if the disk ends before. */
void blk_request_submit(struct blk_queue *queue, struct blk_io *io);
/* Puts a list behind what the queue keeps. */
void blk_request_keep(struct blk_queue *queue, struct blk_io *list);
