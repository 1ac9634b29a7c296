/*
 * The guest's memory, as far as a script names it: buffers lie where they lay. Rings, whose layout
 * is not recorded, lie behind all of that.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "tools/replay/script.h"
#include "virtqueue/driver/drv.h"
#include "virtqueue/gmem.h"

struct replay_memory;

/* NULL with @err: what it names is more than a process can have. Pages take memory when they are
 * touched. */
struct replay_memory *replay_memory_new(const struct replay_script *s, GError **err);
void replay_memory_free(struct replay_memory *m); /* NULL is fine */

const struct gmem *replay_memory_map(const struct replay_memory *m);

/* Has @cfg, of which all else is set, say where the ring of that queue is to lie: in the same place
 * each time, for the same size or a smaller one. False: there is no room. */
bool replay_memory_ring(struct replay_memory *m, uint32_t device, unsigned queue,
			struct drv_config *cfg);
