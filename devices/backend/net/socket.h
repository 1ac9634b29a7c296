/* The socket backend's connecting end: telling a peer that is not there yet from a mistake. */
#pragma once

#include "devices/backend/net/net.h"

/* False if connecting to @path can never work; that nobody is there yet is no mistake. */
bool net_socket_check(const char *path, GError **err);

/* A connection to @path, or -errno. */
int net_socket_connect(const char *path);
