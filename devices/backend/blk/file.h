/*
 * A disk that is a raw image file or a block device of the host (devices/backend/blk/blk.h).
 *
 * The upper half is for who opens one. The lower half is shared by the two kinds of channel, the
 * synchronous one (sync.c) and the io_uring one (uring.c): both drive the same little state
 * machine (step.c), which says what system call a request needs next, keep the same list and budget
 * (channel.c), and hand what would hold up their loop to a thread for that (worker.c).
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/backend/blk/blk.h"
#include "devices/base/error.h"

enum blk_aio {
	BLK_AIO_AUTO,  /* io_uring where it helps and is permitted, else synchronous */
	BLK_AIO_URING, /* io_uring or an error */
	BLK_AIO_SYNC,  /* pread and pwrite, on a thread of the disk's own where they would wait */
};

struct blk_file_options {
	const char *path;
	const char *what; /* begins every message: "--device blk,path=disk.img" */
	bool ro;          /* opened for reading only; shared with others who do the same */
	bool unlocked;    /* whoever else uses it; nor is it locked */
	bool direct;      /* O_DIRECT: past the host's page cache */
	enum blk_aio aio;
	/* Makes a loop with a thread of its own for what would hold up a channel's; asked for once
	 * at most, in prepare(). NULL, or answers NULL: the channel's loop waits. */
	struct loop *(*worker)(void *opaque);
	void *opaque;
};

/*
 * Opens @o->path and locks it: one writer, or any number of readers. NULL with an operator's error
 * if it is missing, not permitted, in use, no file or block device, empty, of a size that is no
 * multiple of 512, or cannot do what is asked. Closed with ->ops->close().
 */
struct blk_backend *blk_file_open(const struct blk_file_options *o, GError **err);

/*
 * ---- for the channels ----
 */

#ifndef BLK_LOCK_WAIT_MS       /* the fuzzers' is 0 */
#define BLK_LOCK_WAIT_MS 1000u /* for a lock that somebody has */
#endif
#define BLK_LOCK_STEP_MS 10u

#ifndef BLK_SLICE_BYTES            /* the fuzzers' is smaller */
#define BLK_SLICE_BYTES (1u << 20) /* at most this in one system call */
#endif
#define BLK_ZERO_BYTES  16384u      /* of the block of zeroes */
#define BLK_ZERO_IOVS   64u         /* how often it is named in one write */
#define BLK_SLICE_IOVS  1024u       /* IOV_MAX */
#define BLK_BOUNCE      131072u     /* bytes of a channel's bounce buffer */
#define BLK_RANGE_BYTES (64u << 20) /* at most this discarded or zeroed in one system call, */
#define BLK_RANGE_QUICK (8u << 20)  /* or this where the channel's loop makes it */

struct blk_file_channel;

/* What steps in progress write, of a file with blocks larger than BLK_UNIT (claim.c). */
struct blk_claims {
	pthread_mutex_t lock;
	struct blk_io *first;
	struct blk_file_channel *waiting; /* for one of them to end */
};

struct blk_file {
	struct blk_backend base;
	int fd;
	enum blk_aio aio;
	bool is_bdev, direct;
	bool in_memory;             /* tmpfs and the like: a read never waits for a disk */
	uint32_t mem_align;         /* direct: of buffers */
	uint32_t dio_align;         /* direct: of offsets and lengths; else 1 */
	_Atomic bool no_punch;      /* the host said "not supported" once */
	_Atomic bool no_zero_range; /* likewise */
	_Atomic int flush_error;    /* a failed flush lost data: no later one may succeed */
	_Atomic bool fell_back;     /* said that io_uring is not to be had */
	_Atomic bool read_waits;    /* RWF_NOWAIT is not to be had for reads, */
	_Atomic bool write_waits;   /* or writes */
	uint64_t range;             /* most bytes in one discard or zeroing, and its alignment */
	struct iovec zeroes[BLK_ZERO_IOVS];
	struct blk_rings *rings; /* blk_uring_prepare(); or NULL */

	char *path;
	struct loop *(*new_worker)(void *opaque);
	void *opaque;
	struct blk_worker *worker; /* or NULL: channels' loops wait */
	struct blk_claims claims;
};

/* What all channels to a file begin with. */
struct blk_file_channel {
	struct blk_channel base;
	struct blk_file *file;
	struct blk_owner owner;
	struct blk_io *first, **last; /* those that wait: collected, or to be continued */
	uint64_t seq;                 /* of the next request */
	uint64_t spent;               /* bytes moved in this turn of the loop */
	bool blocked;                 /* the first of them waits for another step's blocks */
	struct blk_file_channel *next_waiting, **prev_waiting; /* claims.lock; NULL: does not */
	enum { BLK_RUNS, BLK_STOPS, BLK_STOPPED } state;
	unsigned in_ring, at_worker; /* in hand: more than 0 */
	GSource *again;
	void *bounce;           /* made when first needed */
	struct blk_io *answers; /* from the worker; its lock */
};

/* One system call. */
struct blk_step {
	enum {
		STEP_READ,
		STEP_WRITE,
		STEP_FALLOCATE,
		STEP_SYNC,
		STEP_BOUNCE,
		STEP_BLKDISCARD
	} kind;
	const struct iovec *iov; /* READ, WRITE */
	unsigned n_iov;
	uint64_t offset, len;
	int flags; /* READ, WRITE: RWF_*; FALLOCATE: its mode */
};

/* Begins a request. True if there is nothing to be done for it and *ret_result is its result;
 * otherwise call blk_step_next(). */
bool blk_step_begin(struct blk_file *f, struct blk_io *io, int *ret_result);

/* What @io needs next, the same again until its result is there; then blk_claim(). STEP_BOUNCE and
 * STEP_BLKDISCARD can only be had from blk_step_run(). */
void blk_step_next(const struct blk_file *f, struct blk_io *io, struct blk_step *ret_step);

/* Takes the result of the step (bytes, 0 or -errno) and ends its claim. True if the request is
 * over: *ret_result. */
bool blk_step_done(struct blk_file *f, struct blk_io *io, const struct blk_step *step,
		   int64_t result, int *ret_result);

/* Makes the system call, and returns bytes, 0 or -errno. */
int64_t blk_step_run(struct blk_file_channel *ch, const struct blk_io *io,
		     const struct blk_step *step);

/*
 * Before a step is taken. False if another one writes to the same blocks and one of the two reads,
 * changes and writes them: @io is put back as the channel's first, nothing more is begun in this
 * turn, and when the other one is done the channel gets another.
 */
bool blk_claim(struct blk_file_channel *ch, struct blk_io *io, const struct blk_step *step);
void blk_claim_end(struct blk_file *f, struct blk_io *io); /* blk_step_done() does it */
void blk_claim_forget(struct blk_file_channel *ch);        /* it waits no more */

/* Their common part (channel.c). */
void blk_channel_init(struct blk_file_channel *ch, const struct blk_channel_ops *ops,
		      struct blk_file *f, const struct blk_owner *owner);
void blk_channel_fini(struct blk_file_channel *ch);
void blk_channel_append(struct blk_file_channel *ch, struct blk_io *io);
void blk_channel_put_back(struct blk_file_channel *ch, struct blk_io *io); /* as the first */
struct blk_io *blk_channel_take(struct blk_file_channel *ch);              /* there is one */

/* The budget of a turn: begin one, take account of a step, ask whether it is used up, and ask for
 * another turn: flush(), then batch_done(). */
void blk_channel_new_turn(struct blk_file_channel *ch);
void blk_channel_spend(struct blk_file_channel *ch, const struct blk_step *step);
bool blk_channel_spent(const struct blk_file_channel *ch);
void blk_channel_again(struct blk_file_channel *ch);

/* A request is new to the channel. */
static inline void blk_channel_number(struct blk_file_channel *ch, struct blk_io *io)
{
	io->at.seq = ch->seq++;
}

/* The step's result is there: the request is done, or waits for its next step. */
static inline void blk_channel_stepped(struct blk_file_channel *ch, struct blk_io *io,
				       const struct blk_step *step, int64_t res)
{
	int result;

	if (blk_step_done(ch->file, io, step, res, &result))
		io->done(io, result);
	else
		blk_channel_append(ch, io);
}

/* stop()'s end: true if nothing is in hand. And whenever something no longer is, from the loop:
 * tells the owner if that was the last; the channel may be gone then. */
bool blk_channel_stop(struct blk_file_channel *ch);
void blk_channel_maybe_stopped(struct blk_file_channel *ch);
struct blk_io *blk_channel_undone(struct blk_channel *ch);

/*
 * A thread that takes steps which would hold up a channel's loop: one for all channels of a disk
 * (worker.c). Answers are taken on the channel's loop, which then flushes.
 */
struct blk_worker *blk_worker_new(struct loop *loop); /* the loop stays the caller's */
void blk_worker_free(struct blk_worker *w);           /* NULL is fine */
void blk_worker_hand(struct blk_file_channel *ch, struct blk_io *io);
/* What of the channel's it has not begun waits in the channel again. */
void blk_worker_take_back(struct blk_file_channel *ch);

struct blk_channel *blk_sync_channel_new(struct blk_file *f, const struct blk_owner *owner);

/* NULL and *ret_errno set if the host has no io_uring for us. */
struct blk_channel *blk_uring_channel_new(struct blk_file *f, const struct blk_owner *owner,
					  int *ret_errno);

/* 0 if io_uring works here, or -errno. */
int blk_uring_probe(void);

/* Makes @n rings for the channels to come, which give them back when they are freed. 0 or -errno,
 * and then there are none. And ends them: all channels were freed before. */
int blk_uring_prepare(struct blk_file *f, unsigned n);
void blk_uring_close(struct blk_file *f);
