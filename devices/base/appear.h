/*
 * Waits for a file to appear under a name, such as the socket of a process that is to come: made
 * there, or moved there. inotify(7) on its folder, so nothing is looked at again and again.
 *
 * It tells of what happens after it began, and no more than that it may be worth a look: whoever
 * binds a socket listens on it a moment later. A folder that cannot be watched, is not there, or
 * goes, is not told of; whoever waits needs a timer as well, which may be a slow one.
 */
#pragma once

#include "devices/base/loop.h"
#include "devices/base/syscalls.h"

struct appear {
	int fd; /* inotify; -1: it does not watch */
	char *name;
	GSource *watch;
	void (*fn)(void *arg);
	void *arg;
};

/* What appear_begin() asks of the kernel; ends with an empty row. */
extern const struct syscall_use appear_syscalls[];

/* Calls fn(@arg) on @loop's thread, on which this is called, whenever a file has come to be at
 * @path, which has a folder in it. False: it cannot be watched. */
bool appear_begin(struct appear *a, struct loop *loop, const char *path, void (*fn)(void *arg),
		  void *arg);

/* On the same thread; may be called from within fn, and for one that is zeroed or has ended. */
void appear_end(struct appear *a);
