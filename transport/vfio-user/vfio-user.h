/*
 * The server's side of vfio-user: a virtio-pci function whose bus is another program, the client
 * (QEMU's vfio-user-pci, ...). Configuration space and BARs are reached by messages on a socket,
 * interrupts are the client's eventfds, and the guest's memory comes as descriptors. It is the
 * function that transport/virtio-pci makes for a machine of ours, on a board that consists of
 * messages: neither the device nor the function know.
 *
 * (QEMU, docs/interop/vfio-user.rst; docs/vfio-user.md tells what is supported.)
 *
 * A client is as little to be trusted as a driver: a message that is none ends its connection with
 * one line, resets the device, and ends nothing else. What is sound but cannot be met is answered
 * with an error.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/core/vdev.h"

struct vfio_user;

/*
 * Puts @dev on vfio-user. @mem is the table that the device was made with (vdev_env.mem), empty and
 * from now on this transport's; both outlive it. Messages are served on @main's thread.
 * ended(@opaque) is called there when a connection is over. NULL with a host error.
 */
struct vfio_user *vfio_user_new(struct vdev *dev, struct gmem *mem, struct loop *main,
				void (*ended)(void *opaque), void *opaque, GError **err);

/* Resets the device and takes it off. NULL is fine. */
void vfio_user_free(struct vfio_user *v);

/* Serves the client on @fd, a connected unix stream socket, which is the transport's now. One at a
 * time: false, and @fd is closed, while there is another. */
bool vfio_user_connect(struct vfio_user *v, int fd);

/* What it asks of the kernel on @main's thread. */
extern const struct syscall_use *const vfio_user_syscalls[];
