/*
 * The recorder: writes down in a file what happens to devices, for `ringside trace'.
 *
 * It is an observer of each device (docs/observers.md). A thread that something happens on puts it
 * into a ring of its own (ring.h) and goes on: no lock, no allocation, and no system call but to
 * wake the writer, at most once as a ring fills. The writer is a thread that sorts what the rings
 * hold by time, makes it small, and writes blocks of it (writer.c). docs/record.md has the format.
 *
 * Whatever is asked for beside payload=none is copied, or hashed, while the queue waits; for that
 * alone the recorder keeps where the writable buffers of chains in flight are, in memory that grows
 * with them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/base/syscalls.h"

struct recorder;
struct vdev;

/* Bytes of memory that payload= may take beside what is there when the process shuts itself in. */
#define RECORD_MEMORY_MORE ((size_t)64 << 20)

/*
 * Opens FILE[,payload=none|digest|head=N|all], which is made or, if it is a record, written over.
 * All address space that its rings take is taken here. @context ("--record") is for messages. NULL
 * with a usage or host error.
 */
struct recorder *recorder_open(const char *spec, const char *context, GError **err);

/* @dev's events are recorded from now on, until it is freed or removed, which it is before
 * recorder_close(). Nobody calls the device yet. */
void recorder_add(struct recorder *r, struct vdev *dev);

/* No more, while nobody calls the device (it is paused, say), which lives on. */
void recorder_remove(struct recorder *r, struct vdev *dev);

/* Starts the writer's thread, which first calls @first(@arg). Until then the rings hold what they
 * can. */
void recorder_start(struct recorder *r, void (*first)(void *arg), void *arg);

/* Writes all there is, and frees. Nobody is recorded any more. NULL is fine. */
void recorder_close(struct recorder *r);

/* Of the kernel: what any recorded thread asks for, and the writer's alone. */
extern const struct syscall_use recorder_syscalls[], recorder_writer_syscalls[];
