/*
 * Attacks on a device: a driver that breaks no ring, but asks for what hurts the process behind it.
 *
 * `hostile=NAME` on the kernel's command line runs one attack on the first device of its type and
 * prints "hostile: NAME: " with what became of it; then the guest powers off, or does what the
 * attack is about (it may never come back: what counts is what the process does meanwhile, and that
 * is for the test to watch: tests/guest/hostile). An attack is one function and one row in
 * hostile.c.
 */
#pragma once

#include "guest-fw/virtio.h"

struct attack {
	const char *name;  /* hostile=NAME */
	uint32_t id;       /* device type; 0: the attack is on no device, and run() gets NULL */
	uint64_t features; /* to accept, beside VERSION_1, as far as they are offered */
	unsigned n_queues; /* to set up, at most */
	uint16_t queue_size;
	/* The device is live (DRIVER_OK), its queues are polled. Returns what to print. */
	const char *(*run)(struct virtio *v);
};

/* Runs the attack that the command line names, on the devices of @list. Panics if there is none, or
 * no device for it. */
void hostile(struct virtio *list, unsigned n);

extern const struct attack blk_attacks[], net_attacks[],
	text_attacks[]; /* each ends with an empty row */
