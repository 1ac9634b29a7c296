/*
 * What wrappers of disks share (devices/backend/spec.h): all that is given to one goes on to the
 * disk behind it. A wrapper puts functions of its own in the place of some of these, and calls
 * these from them.
 */
#pragma once

#include "devices/backend/blk/blk.h"

struct blk_wrap {
	struct blk_backend base; /* info and syscalls as the one behind */
	struct blk_backend *next;
	const struct blk_channel_ops *channel_ops;
};

struct blk_wrap_channel {
	struct blk_channel base;
	struct blk_wrap *wrap;
	struct blk_channel *next; /* its owner is the outer one's */
	bool stopped;             /* stop() was called: submit() may but pass on */
};

/* @w is zeroed, and made with g_malloc(). Channels are called by @ops. */
void blk_wrap_init(struct blk_wrap *w, struct blk_backend *next, const struct blk_channel_ops *ops);

void blk_wrap_submit(struct blk_channel *ch, struct blk_io *io);
void blk_wrap_flush(struct blk_channel *ch);
bool blk_wrap_stop(struct blk_channel *ch);
struct blk_io *blk_wrap_undone(struct blk_channel *ch);
void blk_wrap_free(struct blk_channel *ch);
