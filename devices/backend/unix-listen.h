/* Listening on a unix socket that has a name in the file system. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/base/syscalls.h"

struct unix_listener {
	int fd; /* -1: closed */
	char *path;
	uint64_t file[2]; /* what tells its file from others */
};

/*
 * Makes a listening stream socket at @path, for its owner only, non-blocking and close-on-exec. A
 * socket file that nobody listens on any more is replaced. False with an error that begins with
 * @context, the option as it was given ("--control unix:PATH"); then @l is closed.
 */
bool unix_listen(struct unix_listener *l, const char *path, const char *context, GError **err);

/* Closes it and removes its file, unless that is another one by now. Closed already is fine. */
void unix_unlisten(struct unix_listener *l);

/* Accepting, and unix_unlisten(). */
extern const struct syscall_use unix_listen_syscalls[];
