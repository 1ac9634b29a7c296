/*
 * What wrappers of streams share (devices/backend/spec.h): bytes and all else go on, both ways. A
 * wrapper puts functions of its own in the place of some of these, and calls these from them.
 */
#pragma once

#include "devices/backend/chr/chr.h"

struct chr_wrap {
	struct chr base; /* what there is to know of it, as the one behind */
	struct chr *next;
	const struct chr_user *events; /* what next tells: from chr_attach() to chr_detach() */
};

/* @w is zeroed, made with g_malloc(). What its user asks for goes to @ops, what @next tells to
 * @events with @w as argument; chr_wrap_ops and chr_wrap_user pass everything on. */
void chr_wrap_init(struct chr_wrap *w, struct chr *next, const struct chr_ops *ops,
		   const struct chr_user *events);

extern const struct chr_ops chr_wrap_ops;
extern const struct chr_user chr_wrap_user;
