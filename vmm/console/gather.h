/*
 * What vCPUs print, on its way to a stream of bytes on the host (devices/backend/chr/chr.h).
 *
 * A byte costs the guest an exit, and need not cost the host a write: bytes are gathered for a
 * millisecond before the main loop writes them together. Whoever prints faster than the host reads
 * is made to wait, so what is kept has a bound and nothing is lost.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/chr/chr.h"
#include "devices/base/loop.h"

struct gather;

/* On the main thread. */
struct gather_ops {
	/* The guest printed this, which is about to be written. May be NULL. */
	void (*printed)(void *opaque, const uint8_t *data, size_t len);
	/* The stream was written to; chr_want() is to ask for `writable` if @writable. */
	void (*want)(void *opaque, bool writable);
};

/* @chr stays the caller's, who attaches it to @main before the guest prints; @name begins the error
 * ("--serial"). All must outlive it. NULL with a host error. */
struct gather *gather_new(struct chr *chr, struct loop *main, const struct gather_ops *ops,
			  void *opaque, const char *name, GError **err);

/* Writes what the host still takes at once, and frees. NULL is fine. */
void gather_free(struct gather *g);

/* Takes @len bytes; never waits. From any thread. */
void gather_put(struct gather *g, const uint8_t *data, size_t len);

/* Waits while too much is kept, unless gather_unthrottle() says not to. On a vCPU's thread. */
void gather_wait(struct gather *g);
void gather_unthrottle(struct gather *g, bool unthrottled); /* from any thread */

/* On the main thread. */
void gather_flush(struct gather *g);         /* all there is, as far as the host takes it at once */
void gather_writable(struct gather *g);      /* chr_user's callback of that name */
bool gather_pending(const struct gather *g); /* the stream was full: `writable` is to be wanted */
