/*
 * Watching what a device takes off its queues and gives back: for the story, and to judge it. What a
 * sound driver's chain becomes on the device's side is known exactly, and a used length must not
 * promise bytes that were never written.
 */
#pragma once

#include "tools/fuzz/language/twin.h"
#include "virtqueue/vq.h"

/* A run begins: no queue is watched. */
void observe_begin(void);

/* The driver's side of @vq is @t, from now on. */
void observe_queue(const struct vq *vq, struct twin *t);
