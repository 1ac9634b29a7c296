/*
 * The example of docs/engines.md: an engine (devices/core/engine.h) that runs a queue in a thread
 * which knows no device, no transport and no event loop. It gets orders through a pipe, with
 * nothing in them but descriptors, addresses, a size, features and a position; it does what queue 0
 * of the echo device does (tests/support/echo.h), with a vq of its own; and it answers through
 * another pipe.
 *
 * Everything here belongs to the test's thread, unless it says otherwise.
 */
#pragma once

#include <stdbool.h>

#include "devices/core/engine.h"

struct elsewhere;

extern const struct vdev_engine elsewhere_engine;

/* Starts the thread; it serves one queue. What vdev_queue_set_engine() wants as @data. */
struct elsewhere *elsewhere_new(void);
void elsewhere_free(struct elsewhere *e); /* its queue must have been stopped */

/* How many chains it has completed so far. From any thread. */
unsigned elsewhere_completed(const struct elsewhere *e);

/* And how many it has begun that it has not. From any thread. */
unsigned elsewhere_in_hand(const struct elsewhere *e);

/* Does it use guest memory just now? False as soon as a stop is over. From any thread. */
bool elsewhere_runs(const struct elsewhere *e);

/* From now on its host is busy: what it has begun is not completed, so that it does not stop,
 * until it is idle again. From any thread. */
void elsewhere_busy(struct elsewhere *e, bool busy);
