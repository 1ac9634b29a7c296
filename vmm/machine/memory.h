/*
 * The guest's address space: which memory lies where, and who has to know.
 *
 * Regions come and go while all devices are paused (vdev_pause()). Each has a slot, the lowest that
 * is free, as long as it is there. A listener is told of each; who may still use a region can keep
 * it (uses()), and who cannot take one can refuse it (added()): then nothing has changed for
 * anybody.
 *
 *	static const struct memory_listener_ops ops = { .added = ..., .removed = ... };
 *
 *	memory_listen(m, &ops, kvm);
 *	memory_add(m, &(struct gmem_region){ .gpa = 4ull << 30, .len = len, .hva = p, .fd = fd });
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/gmem.h"

/* NULL functions are nothing to do. */
struct memory_listener_ops {
	/* Is it used, so that it has to stay? */
	bool (*uses)(void *opaque, const struct gmem_region *r);
	/* It is there. 0 or -errno: it cannot be. Those that were there are told to a new listener.
	 */
	int (*added)(void *opaque, const struct gmem_region *r, unsigned slot);
	void (*removed)(void *opaque, const struct gmem_region *r, unsigned slot);
	/* The table is another one, or its log was switched: after all others were told. */
	void (*changed)(void *opaque, const struct gmem *mem);
};

struct memory {
	struct gmem mem;
	GArray *listeners;
	uint64_t slots;                     /* a bit for each that is taken */
	unsigned slot_of[GMEM_REGIONS_MAX]; /* of the regions in mem, in that order */
};

void memory_init(struct memory *m);
void memory_clear(struct memory *m); /* tells nobody */

/* 0, or the -errno with which it cannot take a region that is there. */
int memory_listen(struct memory *m, const struct memory_listener_ops *ops, void *opaque);
void memory_unlisten(struct memory *m, void *opaque);

/* @r: but for `dirty', which is the log's. 0, or -EINVAL or -ENOSPC as gmem_add(), or a listener's.
 */
int memory_add(struct memory *m, const struct gmem_region *r);

/* The region that begins at @gpa. 0, -ENOENT, or -EBUSY if somebody uses it. */
int memory_remove(struct memory *m, uint64_t gpa);

/* Of what devices write (gmem_log_take()). 0 or -ENOMEM. */
int memory_log(struct memory *m, bool on);

/* For a device: keeps what it uses, and looks at the table anew. @opaque is its struct vdev, which
 * is paused whenever the table changes. */
extern const struct memory_listener_ops memory_vdev_listener;
