/* Where a debugger connects: a unix socket or a TCP port. */
#pragma once

#include "devices/backend/unix-listen.h"

struct gdb_listener {
	int fd; /* -1: closed */
	struct unix_listener file;
};

/* "unix:PATH" or "tcp:[HOST:]PORT"; HOST is a numeric address. False with a usage error that begins
 * with "--gdb @spec". */
bool gdb_listen(struct gdb_listener *l, const char *spec, GError **err);
void gdb_unlisten(struct gdb_listener *l); /* closed already is fine */
