/*
 * A device of the host's own: VDUSE, vDPA devices in userspace (Linux, userspace-api/vduse.rst).
 * The driver is the host's kernel, by virtio_vdpa (or, through vhost-vdpa, the guest of another).
 * It is a transport like others: the kernel keeps registers and configuration space, and says by
 * messages when the driver has set the status; rings and buffers lie in memory of the kernel's that
 * is mapped here; kicks come by eventfds, interrupts go by ioctls.
 *
 * The kernel is trusted, its driver as any driver is.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/core/vdev.h"

struct vduse;

/*
 * Makes @dev the VDUSE device @name. @mem is the table that the device was made with
 * (vdev_env.mem), empty and from now on this transport's; both outlive it. Messages are served on
 * @main's thread. NULL with a usage or host error; @context begins it.
 */
struct vduse *vduse_new(struct vdev *dev, struct gmem *mem, struct loop *main, const char *name,
			const char *context, GError **err);

/* Resets the device, and takes it away from the kernel if no driver has it. NULL is fine. */
void vduse_free(struct vduse *v);

/* What it asks of the kernel on @main's thread, and on those that queues run on. */
extern const struct syscall_use *const vduse_syscalls[];
extern const struct syscall_use vduse_queue_syscalls[];
