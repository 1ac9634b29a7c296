/* A queue's ring as `ringside top` shows it: lines of text. */
#pragma once

#include "tools/top/client.h"

/*
 * Asks for the ring of queue @q of @device: lines about where both sides are and what they want to
 * be told of, then one for each descriptor, or with @busy for those that are not the driver's
 * alone. Free with g_strfreev(). NULL with @err.
 */
char **top_ring_new(struct top_client *c, const char *device, unsigned q, bool busy, GError **err);
