/*
 * An observer that judges what a device does with its queues, in any test over a link that has one
 * (tests/support/rig-run.c): a chain is taken once and given back once, with no more bytes than
 * there was room for; nothing passes through a queue that is not served; and no interrupt comes for
 * nothing.
 */
#pragma once

#include "devices/core/observe.h"

struct referee;

/* Looks at @dev until referee_end(). */
struct referee *referee_new(struct vdev *dev);

/* What went wrong first, or NULL. @referee leaves and is gone; NULL is fine. */
const char *referee_end(struct referee *referee);
