/*
 * The back-end's side of vhost-user: a device whose driver is reached through another program, the
 * front-end (QEMU, DPDK, ...). It is a transport like others: messages on a socket take the place
 * of registers, eventfds that of doorbells and interrupts, and the guest's memory comes as
 * descriptors. The device does not know.
 *
 * (QEMU, docs/interop/vhost-user.rst; docs/vhost-user.md tells what is supported.)
 *
 * A front-end is as little to be trusted as a driver: what it gets wrong ends its connection with
 * one line, resets the device, and ends nothing else.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/core/vdev.h"

struct vhost_user;

/*
 * Puts @dev on vhost-user. @mem is the table that the device was made with (vdev_env.mem), empty
 * and from now on this transport's; both outlive it. Messages are served on @main's thread.
 * ended(@opaque) is called there when a connection is over. NULL with a host error.
 */
struct vhost_user *vhost_user_new(struct vdev *dev, struct gmem *mem, struct loop *main,
				  void (*ended)(void *opaque), void *opaque, GError **err);

/* Resets the device and takes it off. NULL is fine. */
void vhost_user_free(struct vhost_user *v);

/* Serves the front-end on @fd, a connected unix stream socket, which is the transport's now. One at
 * a time: false, and @fd is closed, while there is another. */
bool vhost_user_connect(struct vhost_user *v, int fd);

/* What it asks of the kernel on @main's thread; and on those that a device's queues run on, for a
 * change of the configuration is told from there. */
extern const struct syscall_use *const vhost_user_syscalls[];
extern const struct syscall_use vhost_user_queue_syscalls[];
