/* What the files of this transport share. */
#pragma once

#include <linux/vduse.h>
#include <sys/ioctl.h>

#include "devices/base/given.h"
#include "transport/vduse/vduse.h"

struct vduse_ring {
	bool runs;
	struct vq_position position; /* while it does not */
	_Atomic bool owed;           /* an interrupt that the kernel did not take yet */
};

struct vduse {
	struct vdev *dev;
	struct loop *main;
	char *name;
	int control; /* /dev/vduse/control; -1 */
	bool made;   /* the device is there */
	int fd;      /* /dev/vduse/NAME; -1 */
	GSource *watch;

	/* Memory: memory.c. */
	struct gmem *mem; /* the device's; nobody else changes it */
	unsigned n_maps;
	struct given_map map[GMEM_REGIONS_MAX];
	int kick_fd; /* an eventfd: kicks of a driver whose memory is not all known yet */
	GSource *kick_watch;

	int owed_fd; /* an eventfd: a ring owes an interrupt */
	GSource *owed_watch, *retry;
	unsigned retry_ms;
	int lost_fd; /* an eventfd: memory that was mapped is not there */
	GSource *lost_watch;

	struct vduse_ring ring[VDEV_QUEUES_MAX];
};

/* ioctl() on the device, which says what failed; false then. */
#define vduse_call(v, request, arg) vduse_call_named((v), (request), #request, (arg))
bool vduse_call_named(struct vduse *v, unsigned long request, const char *name, void *arg);

/*
 * memory.c: the table as the kernel has it now. With no ring running. False: it is not to be had,
 * and the table is empty.
 */
bool vduse_memory_renew(struct vduse *v);
void vduse_memory_clear(struct vduse *v);

/* Kernel drivers get the memory that their buffers are copied to with their first buffer; it is
 * the first there is. Until then their rings have to be looked at with new eyes at each kick. */
bool vduse_memory_complete(const struct vduse *v);

/*
 * rings.c.
 */

/* Takes over what the driver has set up, and starts the rings that are ready; false if that cannot
 * be. */
bool vduse_rings_begin(struct vduse *v);
void vduse_rings_end(struct vduse *v);

/* They go on with the memory that there is now. */
void vduse_rings_renew(struct vduse *v);

/* The interrupts that are owed are tried again; false: some still are. */
bool vduse_rings_pay(struct vduse *v);

/* An interrupt of ring @q. From any thread. */
void vduse_ring_interrupt(struct vduse *v, unsigned q);
