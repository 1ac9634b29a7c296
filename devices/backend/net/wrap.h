/*
 * What wrappers of networks share (devices/backend/spec.h): frames and all else go on, both ways. A
 * wrapper puts functions of its own in the place of some of these, and calls these from them.
 */
#pragma once

#include "devices/backend/net/net.h"

struct net_wrap {
	struct net_backend
		base; /* events and opaque are the device's; what it can, as the one behind */
	struct net_backend *next;
};

/*
 * @w is zeroed, made with g_malloc(). What @next tells goes to @events with @w as opaque, what the
 * device asks for to @ops; net_wrap_ops and net_wrap_events pass everything on. On next's loop.
 */
void net_wrap_init(struct net_wrap *w, struct net_backend *next, const struct net_backend_ops *ops,
		   const struct net_events *events);

extern const struct net_backend_ops net_wrap_ops;
extern const struct net_events net_wrap_events;
