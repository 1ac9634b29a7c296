/*
 * The descriptors that one GSource waits for, when it is told anew before each sleep.
 *
 * GLib wakes the loop whenever a descriptor is added to a source or its events are changed by call.
 * Here a descriptor stays from turn to turn and its GPollFD's events are set in place, so that a turn
 * in which nothing comes or goes costs nothing.
 *
 *	polls_begin(p);                      in the source's prepare():
 *	index = polls_want(p, fd, events);   for each descriptor, in whatever order
 *	polls_end(p);                        those not wanted this time leave
 *	...
 *	polls_ready(p)                       in check()
 *	polls_revents(p, index)              in dispatch()
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct polls {
	GSource *source;
	GPtrArray *all;   /* struct polls_fd */
	GPtrArray *order; /* those wanted this time, by index; owned by `all` */
	unsigned next;    /* where the next one is expected: usually they come in the same order */
};

void polls_init(struct polls *p, GSource *source);
void polls_free(struct polls *p);

void polls_begin(struct polls *p);
/* Once a turn for each descriptor. */
unsigned polls_want(struct polls *p, int fd, GIOCondition events);
void polls_end(struct polls *p);

bool polls_ready(const struct polls *p);
/* @index as polls_want() gave it, good since polls_end(). */
GIOCondition polls_revents(const struct polls *p, unsigned index);
int polls_fd(const struct polls *p, unsigned index);
