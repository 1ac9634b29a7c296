/*
 * Backends by a spec: one line of text says what stands behind a device, and what stands in
 * between.
 *
 *	SPEC := WRAPPER[:KEY=VALUE]...,SPEC | KIND[:ARGUMENT]
 *
 *	fault:every=100,file:disk.img        a file, of which every 100th request fails
 *
 * A wrapper is a backend that hands on to another one what it is given, and changes, delays or
 * drops some of it; the device sees a backend like any other. Between the parts stands a comma or a
 * colon: what has a '=' is the wrapper's, what has none begins the next SPEC. The argument is the
 * rest of the text, whatever is in it. (In --device a comma of a value is doubled, but for one
 * before KIND: and before WRAPPER:.)
 *
 * To add a wrapper: a const struct backend_wrapper, with a function for each type of backend that
 * it can stand before, and a row in wrappers.c. devices/backend/blk/fault.c is the example.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "devices/base/prop.h"

struct blk_backend;
struct net_backend;
struct chr;

struct backend_wrapper {
	const char *name; /* of letters, digits and '-' */
	const char *help; /* one line: what it does */
	size_t size; /* of the struct that @props fill in; it is freed when the wrapper is made */
	const struct prop *props;

	/*
	 * Makes one in front of @next, which is its own from then on, to be closed with it; it
	 * cannot fail. Called before anything is opened on @next (blk), attached to it (chr) or
	 * received from it (net: on its loop, and it has to put itself in the place of
	 * next->events). NULL: it is no wrapper of these.
	 */
	struct blk_backend *(*blk)(struct blk_backend *next, const void *options);
	struct net_backend *(*net)(struct net_backend *next, const void *options);
	struct chr *(*chr)(struct chr *next, const void *options);
};

enum backend_type { BACKEND_BLK, BACKEND_NET, BACKEND_CHR };

/* What everybody may name: ends with NULL. */
extern const struct backend_wrapper *const backend_wrappers[];

/* One part of a spec that names a wrapper. */
struct backend_link {
	const struct backend_wrapper *wrapper;
	void *options;
};

/* A spec, taken apart. */
struct backend_spec {
	GArray *links;    /* of struct backend_link, the outermost first */
	const char *kind; /* "KIND[:ARGUMENT]": the end of the text that was parsed */
};

/*
 * Takes @spec apart, as far as it is about wrappers of @type: those of backend_wrappers and of
 * @more, which ends with NULL (NULL: none). @context begins each message and ends with @spec
 * ("--device blk,backend=fault:every=x,file:disk"). False with a usage error, and nothing to be
 * cleared.
 */
bool backend_spec_parse(struct backend_spec *ret, const char *spec, enum backend_type type,
			const struct backend_wrapper *const *more, const char *context,
			GError **err);
void backend_spec_clear(struct backend_spec *s);

/* For option help: the wrappers there are for @type with their options, or NULL if there are none.
 * Free with g_free(). */
char *backend_wrappers_help(enum backend_type type, unsigned width);
