/*
 * A device on a link, on the harness's host: made once in a process (devices are costly to make) and
 * used for run after run, since a reset has to bring a device back to where it began. That it does is
 * tested: build/fuzz/replay --twice makes everything anew and must tell the same story.
 *
 * Everything happens on one thread: the world's loop is turned by hand.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/vdev.h"
#include "tools/fuzz/board.h"
#include "tools/fuzz/fakes.h"
#include "tools/fuzz/link.h"
#include "tools/fuzz/twin.h"

struct world {
	const struct link_ops *link;
	void *transport; /* the link's */
	struct fuzz_board *board;
	GMainContext *context;
	struct loop *loop;
	struct vdev *dev;
	struct fakes fakes;
	bool plain;     /* its loop has none but loop_watch()'s sources */
	bool stale;     /* holds something of this run: not to be used again */
	bool moved;     /* the transport is not as a driver finds it after ready() */
	bool clean;     /* no driver has done anything in this run */
	bool unsettled; /* the transport's selectors are as the last run left them */
	bool paused;    /* the machine is stopped: its processors stand still */

	unsigned starts;           /* in this run */
	bool loose;                /* features were written that the twins do not know of */
	struct vfeatures accepted; /* by the harness's driver, at its last start */
};

struct world_plan {
	const char *spec; /* as after --device; one pointer for one text */
	unsigned link;    /* number, modulo how many there are */
	bool packed;      /* offer what packed rings need */
};

/* The same plan gives the same world again. Aborts if it cannot be made. */
struct world *world_get(const struct world_plan *plan);
void world_forget_all(void); /* what was kept */
void world_keep(bool on);    /* false: nothing is kept */
bool world_kept(void);

/* A run. world_end() resets the device and judges what is left. */
void world_begin(struct world *w);
void world_end(struct world *w);

/* Before registers are used as they are. */
void world_settle(struct world *w);

/* Turns the loop, until nothing more happens but @turns times at most. */
void world_turn(struct world *w, unsigned turns);

/* What a driver does: resets, negotiates all that is offered but @without, lays out the first @n
 * queues with @size entries, and sets DRIVER_OK. */
void world_start(struct world *w, struct vfeatures without, unsigned n, unsigned size);
void world_reset(struct world *w);
bool world_queue_start(struct world *w, unsigned q, unsigned size); /* false: there is none */
struct twin *world_twin(unsigned q); /* NULL: no such queue is laid out */

void world_kick(struct world *w, unsigned q);

/* For a queue of its own: what was negotiated. */
struct twin_kind world_kind(const struct world *w);
