/* Between the two halves of the tap backend. */
#pragma once

#include "devices/backend/net/net.h"

/* A tap's descriptors, one for each queue, non-blocking. */
struct tap_fds {
	unsigned n;
	bool vnet; /* frames have a header that tells what work is left to do */
	int fd[NET_CHANNELS_MAX];
};

/* Opens the tap that @opt names, or takes over its descriptors. On failure, too, the descriptors in
 * @fds are the caller's to close. */
bool tap_find(const struct net_options *opt, struct tap_fds *fds, GError **err);
