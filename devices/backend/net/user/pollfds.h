/*
 * The descriptors that one GSource waits for, when it is told anew before each sleep.
 *
 * GLib wakes the loop whenever a descriptor is added to a source or its events are changed by call.
 * Here a descriptor stays from turn to turn and its GPollFD's events are set in place, so that a
 * turn in which nothing comes or goes costs nothing.
 *
 *	pollfds_begin(p);                      in the source's prepare():
 *	index = pollfds_want(p, fd, events);   for each descriptor, in whatever order
 *	pollfds_end(p);                        those not wanted this time leave
 *	...
 *	pollfds_ready(p)                       in check()
 *	pollfds_revents(p, index)              in dispatch()
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct pollfds {
	GSource *source;
	GPtrArray *all;   /* struct pollfds_entry */
	GPtrArray *order; /* those wanted this time, by index; owned by `all` */
	unsigned next;    /* where the next one is expected: usually they come in the same order */
};

void pollfds_init(struct pollfds *p, GSource *source);
void pollfds_free(struct pollfds *p);

void pollfds_begin(struct pollfds *p);
/* Once a turn for each descriptor. */
unsigned pollfds_want(struct pollfds *p, int fd, GIOCondition events);
void pollfds_end(struct pollfds *p);

bool pollfds_ready(const struct pollfds *p);
/* @index as pollfds_want() gave it, good since pollfds_end(). */
GIOCondition pollfds_revents(const struct pollfds *p, unsigned index);
int pollfds_fd(const struct pollfds *p, unsigned index);
