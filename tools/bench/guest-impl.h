/*
 * What the parts of `ringside bench guest` share: the command line and the rounds (guest.c), and
 * one run of a guest (guest-run.c).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/bench/matrix.h"

enum guest_axis {
	GUEST_TRANSPORT, /* pci, mmio */
	GUEST_WAIT,      /* poll, irq */
	GUEST_RING,      /* split, packed */
	GUEST_BATCH,
	N_GUEST_AXES,
};

extern const struct bench_axis_info guest_axes[N_GUEST_AXES];

struct guest_variant {
	unsigned at[N_GUEST_AXES];
};

/* The files a run needs. */
struct guest_files {
	char *program;  /* ourselves */
	char *firmware; /* guest-fw */
	char *disk;     /* a small file that is there for the run */
};

/* @firmware: where guest-fw is, if not beside the program. False with an error; drop them in either
 * case. */
bool guest_files_find(struct guest_files *files, const char *firmware, GError **err);
void guest_files_drop(struct guest_files *files);

/* What one run of a guest counted, setting up included but for requests and ticks. */
struct guest_counts {
	uint64_t requests, ticks; /* of the guest's time stamp counter */
	uint64_t exits, to_process;
	bool exits_known; /* KVM says how many there were in all */
	uint64_t kicks, interrupts;
};

/* Runs a guest that makes @requests, or a few more. False with an error. */
bool guest_run(const struct guest_files *files, const struct guest_variant *v, uint64_t requests,
	       struct guest_counts *ret, GError **err);
