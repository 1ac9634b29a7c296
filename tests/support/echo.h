/*
 * A device for testing transports: it has one of everything that a device may have, and no backend.
 *
 *	queue 0  copies each chain's readable bytes to its writable ones
 *	queue 1  keeps chains until echo_release(), through a pause, too; a reset drops them. While
 *	         echo_busy() says so its host has something in hand, and it does not stop
 *	queue 2  is fed by echo_feed()
 *
 * Configuration: two 32-bit fields that are always equal, then four bytes that the driver may write
 * (the device adds one to each); then zeroes up to 20 bytes. Feature 5 needs feature 0; feature 70
 * and NOTIFICATION_DATA are offered, too.
 */
#pragma once

#include "devices/core/vdev.h"

enum { ECHO_COPY, ECHO_KEEP, ECHO_FED, ECHO_QUEUES };
enum { ECHO_F_BASE = 0, ECHO_F_NEEDS_BASE = 5, ECHO_F_HIGH = 70 };
#define ECHO_PAIR     0u
#define ECHO_WRITABLE 8u

extern const struct vdev_class echo_class;

/* From any thread: sets both fields to @value. */
void echo_set_pair(struct vdev *dev, uint32_t value, bool notify);

/* On the owner's thread: how many chains are kept; completes them all, last first. */
unsigned echo_kept(struct vdev *dev);
void echo_release(void *dev);

/* On the owner's thread: queue 1's host gets busy (echo_busy), and free again (echo_idle). */
void echo_busy(void *dev);
void echo_idle(void *dev);

/* On the owner's thread: sends one byte into queue 2 if there is a chain for it. */
void echo_feed(void *dev);
