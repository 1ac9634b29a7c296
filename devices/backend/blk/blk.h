/*
 * The block seam: what stands behind a disk on the host. No virtio in here.
 *
 * A backend is one disk. A channel is the way to it for one event loop: a device makes one for each
 * of its queues, on the loop that owns the queue, and everything about a channel happens on that
 * loop's thread. Channels of one backend share nothing that needs a lock.
 *
 *	ch = be->ops->channel_new(be, &owner);
 *	ch->ops->submit(ch, io);    any number of times: collects,
 *	ch->ops->flush(ch);         starts what was collected, with as few system calls as can be
 *	ch->ops->stop(ch);          starts nothing any more; cancels what the host has in hand
 *	ch->ops->undone(ch);        when it has stopped: what was submitted and not done
 *	ch->ops->free(ch);
 *
 * What the host has in hand for a channel is bounded: a request is carried out in pieces of a few
 * megabytes, and a channel stops between two of them. So stopping takes as long as the host needs
 * for a few pieces, or for a flush, and not as long as what a guest has asked for.
 *
 * A filter (faults, delays, logs) is a backend whose channels hand each request on to the channels
 * of another.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/base/loop.h"
#include "devices/base/syscalls.h"

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,   /* writes completed before it was submitted are on persistent storage */
	BLK_DISCARD, /* the range's contents are of no interest any more: a hint */
	BLK_ZERO,    /* the range reads as zeroes */
};

/* what offsets and lengths are multiples of, whatever the disk's blocks are */
#define BLK_UNIT 512u

#define BLK_IO_STABLE 1u /* BLK_WRITE, BLK_ZERO: on persistent storage before it is done */
#define BLK_IO_UNMAP  2u /* BLK_ZERO: may give the host's space back */

/*
 * One request. The submitter fills in the first part and keeps it, the iovecs and the memory they
 * name alive and unchanged until done(). @offset and @len are in bytes, inside the disk and
 * multiples of BLK_UNIT; the iovecs of a read or write add up to @len, and may be any
 * number and aligned anyhow.
 *
 * done() is called once, on the channel's loop: from within submit(), flush() or stop(), or later;
 * or never, if undone() gives the request back. @result is 0 or a negative errno; then any part of
 * the request may have taken place. It may submit further requests.
 */
struct blk_io {
	enum blk_op op;
	unsigned flags;
	const struct iovec *iov;
	unsigned n_iov;
	uint64_t offset, len;
	void (*done)(struct blk_io *io, int result);

	/* The backend's own, from submit() to done() or undone(). */
	struct blk_io *next;
	struct blk_progress {
		uint64_t seq;   /* its number among its channel's requests */
		uint64_t bytes; /* done so far */
		unsigned iov;   /* where in the iovecs that is: this one, */
		size_t skip;    /* and so far into it */
		unsigned phase; /* of operations with several ways to go about them */
		struct iovec one;
		struct blk_claim { /* blocks that its present step writes: claim.c */
			struct blk_io *next, **prev;
			uint64_t start, end;
			bool held, alone;
		} claim;
		unsigned sqe_flags; /* of a ring: how to go about the next step */

		/* While a worker has it: whose it is, and what came of it. */
		struct blk_file_channel *channel;
		int64_t result;
	} at;
};

struct blk_channel;

/* Who makes a channel. The functions are called on @loop's thread and are never NULL. */
struct blk_owner {
	struct loop *loop;
	/* After each group of done() calls that came from the loop, that is, from none of the
	 * channel's functions. */
	void (*batch_done)(void *arg);
	/* It has stopped: nothing is in hand. Once, if stop() said false. It may free the channel.
	 */
	void (*stopped)(void *arg);
	void *arg;
};

struct blk_channel_ops {
	void (*submit)(struct blk_channel *ch, struct blk_io *io);
	void (*flush)(struct blk_channel *ch);
	/*
	 * Once. From here on nothing is begun; what done() still submits is among the undone. What
	 * the host has in hand is cancelled where it can be, and waited for where not. True:
	 * nothing is in hand. False: the owner's stopped() comes.
	 */
	bool (*stop)(struct blk_channel *ch);
	/*
	 * After it has stopped: the requests that are not done (not begun, cancelled, or done in
	 * part), in the order in which they were submitted, as a list by ->next. They are the
	 * caller's again; carried out once more from their beginning they do no harm.
	 */
	struct blk_io *(*undone)(struct blk_channel *ch);
	void (*free)(struct blk_channel *ch); /* stopped, and nothing undone is left in it */
};

struct blk_channel {
	const struct blk_channel_ops *ops;
};

/* What the operator's and the host's side know about a disk. All sizes in bytes. */
struct blk_info {
	uint64_t size;         /* a multiple of BLK_UNIT; resize() alone changes it */
	uint32_t block_size;   /* logical block size it would suggest, at least BLK_UNIT */
	uint32_t block_phys;   /* physical block size, at least block_size */
	uint32_t align_offset; /* of the first naturally aligned physical block */
	uint32_t io_min;       /* smallest efficient request, 0: unknown */
	uint32_t io_opt;       /* best request size, 0: unknown */
	uint32_t discard_align;
	bool ro;
	bool discard; /* BLK_DISCARD and BLK_IO_UNMAP can do something here */
};

struct blk_backend;

struct blk_backend_ops {
	/* Opens a channel on the owner's loop; call it on its thread, or while nothing runs it. */
	struct blk_channel *(*channel_new)(struct blk_backend *be, const struct blk_owner *owner);
	void (*close)(struct blk_backend *be); /* all channels freed before */
	/*
	 * Makes ahead what @n channels will need of the host, while the process may still ask for
	 * it: they ask for nothing later. 0, or -errno if the host refuses what the operator asked
	 * for by name. NULL: nothing to make. Need not be called.
	 */
	int (*prepare)(struct blk_backend *be, unsigned n);
	/*
	 * Makes the disk @size bytes, a multiple of BLK_UNIT, and info.size what it is then. What
	 * has a size of its own (a block device) takes that alone, or 0: whatever it is now. No
	 * channel has anything in hand. On the thread that closes. False with @err, which does not
	 * name the device, and nothing has changed. NULL: it has the size that it has.
	 */
	bool (*resize)(struct blk_backend *be, uint64_t size, GError **err);
};

struct blk_backend {
	const struct blk_backend_ops *ops;
	const struct syscall_use *syscalls; /* of the kernel, from its channels' threads */
	struct blk_info info;
};

/* ops->resize(), or an error if there is none (channel.c). */
bool blk_backend_resize(struct blk_backend *be, uint64_t size, GError **err);
