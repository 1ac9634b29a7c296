/* Eventfds as interrupt and doorbell wires. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/base/error.h"

/* False with a host error. @ret_fd is closed by eventfd_close(). */
static inline bool eventfd_open(int *ret_fd, const char *what, GError **err)
{
	*ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*ret_fd < 0)
		return ringside_error_errno(err, errno, "%s: eventfd", what);
	return true;
}

static inline void eventfd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What was signalled so far is forgotten. */
static inline void eventfd_clear(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

/* Cannot fail: a full counter is already signalled. */
static inline void eventfd_signal(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}
