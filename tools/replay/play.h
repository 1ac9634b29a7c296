/*
 * Playing a script against the device models: the driver's side of each recorded queue, over the
 * shortest transport (transport/direct.h), in memory laid out as the guest's was.
 *
 * The order is the record's. A chain is made available where the device took it; where the device
 * gave it back, it has to give it back again, with the same used length and the same bytes. When it
 * does is its own affair: what came early waits to be compared, what is late is waited for. So what
 * the order of two requests in flight leaves open is no divergence, and what a driver can see is.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/replay/script.h"

/* What was played. */
struct replay_result {
	uint64_t chains, configs, statuses; /* compared; chains that the device had to give back */
	uint64_t bytes;                     /* of them, that it wrote and that were compared */
	uint64_t adopted;                   /* changes of configuration by the outside */
	double seconds;                     /* playing */
	GPtrArray *notes;                   /* of char *: what was not played, and why */
	char *divergence; /* NULL: none; else what the record has, and what the device did */
};

#define REPLAY_WAIT_MS 10000u /* what is usual */

/* False with @err: it cannot be played at all. @ret_result is cleared with replay_clear() then,
 * too. @wait_ms: how long a device may take for what it has to do. */
bool replay_play(const struct replay_script *s, unsigned wait_ms, struct replay_result *ret,
		 GError **err);
void replay_clear(struct replay_result *r);
