/*
 * The guest's memory as a front-end gives it out: regions of files, each known by two addresses,
 * the guest's and the front-end's own. Rings are told of in the front-end's, buffers in the
 * guest's.
 *
 * The table may only change while no queue of the device runs (virtqueue/gmem.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/base/given.h"
#include "transport/vhost-user/wire.h"
#include "virtqueue/gmem.h"

struct vhu_mapping {
	struct vhu_region region;
	struct given_map map;
};

struct vhu_memory {
	struct gmem *mem; /* the device's; nobody else changes it */
	unsigned n;
	struct vhu_mapping mapping[GMEM_REGIONS_MAX];
};

void vhu_memory_init(struct vhu_memory *m, struct gmem *mem);

/*
 * Maps @r out of @fd, which is the table's from now on, whatever the answer. NULL, or what is wrong
 * with it: it overlaps another, there is no room, or its file is not mapped (too short a file
 * is: what lies behind its end cannot be touched).
 */
const char *vhu_memory_add(struct vhu_memory *m, const struct vhu_region *r, int fd);

/* Takes away the region that has the same three figures (not the offset). False: there is none. */
bool vhu_memory_remove(struct vhu_memory *m, const struct vhu_region *r);

void vhu_memory_clear(struct vhu_memory *m);

/* A guest address for one of the front-end's. False if it lies in no region. */
bool vhu_memory_gpa(const struct vhu_memory *m, uint64_t user, uint64_t *ret);
