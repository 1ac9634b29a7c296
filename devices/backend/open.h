/*
 * Opening a backend from its spec (devices/backend/spec.h): one function for each type. A spec that
 * names no wrapper is what these types always took.
 */
#pragma once

#include <glib.h>

#include "devices/backend/spec.h"

struct blk_file_options;
struct loop;
struct net_events;
struct net_options;

/*
 * A disk: "[WRAPPER...,]file:PATH". @o is as for blk_file_open(), except that its path is taken
 * from the spec;
 * @o->what ends with @spec. @more: wrappers beside backend_wrappers, or NULL. NULL with @err.
 */
struct blk_backend *blk_spec_open(const char *spec, const struct blk_file_options *o,
				  const struct backend_wrapper *const *more, GError **err);

/*
 * A network: "[WRAPPER...,]user|tap[:IFNAME]|socket[:PATH]". What the spec says is put into @opt
 * (which says the rest), and else as net_backend_open().
 */
struct net_backend *net_spec_open(const char *spec, struct net_options *opt, struct loop *loop,
				  const struct net_events *events, void *opaque,
				  const struct backend_wrapper *const *more, GError **err);

/* A stream: "[WRAPPER...,]" and what chr_open() takes. */
struct chr *chr_spec_open(const char *spec, struct chr *terminal,
			  const struct backend_wrapper *const *more, const char *context,
			  GError **err);
