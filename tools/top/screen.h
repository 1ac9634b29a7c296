/*
 * `ringside top` in a terminal: drawn anew at each look, steered by keys.
 *
 * It takes a dozen of escape sequences that every terminal has known for forty years, and no
 * library: the program's start is not to load one.
 */
#pragma once

#include "tools/top/client.h"
#include "tools/top/table.h"

/* Until the operator leaves, the machine ends, or a signal asks for an end. Looks every @interval
 * seconds. False with @err. */
bool top_screen(struct top_client *c, enum top_sort sort, double interval, GError **err);
