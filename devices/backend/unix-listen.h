/* Listening on a unix socket that has a name in the file system. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Makes a listening stream socket at @path, for its owner only, non-blocking and close-on-exec. A
 * socket file that nobody listens on any more is replaced. Returns the descriptor, or -1 with an
 * error that begins with @context ("--control").
 */
int unix_listen(const char *path, const char *context, GError **err);

/* Closes @fd and removes @path if it is still the socket that unix_listen() made. -1 is fine. */
void unix_unlisten(int fd, const char *path);
