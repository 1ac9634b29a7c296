/*
 * `ringside bench rings --model`: why one ring is faster than another, counted and not timed.
 *
 * Driver and device engine (the traced copy, trace.h) move chains as two processors would that wait
 * for each other: the driver makes a batch available; the device takes it, uses it, publishes and
 * looks once more; the driver takes it back. What travels between them is counted twice: as cache
 * lines (caches.h), and as the packets of a device in hardware (pcie.h). The counts are exact and
 * the same on each run. Two that do not wait for each other, but poll what the other one is just
 * writing, make more lines travel than this.
 */
#pragma once

#include <glib.h>
#include <stdio.h>

#include "tools/bench/matrix.h"

/* All figures are for one chain. */
struct model_row {
	struct bench_variant v;
	/* Cache lines that came from the other processor, for the sake of: */
	double desc;        /* descriptor table, or packed ring */
	double avail, used; /* those rings of split ones, without */
	double suppression; /* flags and event indices, or event suppression structures */
	double tables;      /* of indirect descriptors */
	double lines;       /* all of these */
	double claims;      /* of lines that were there, but shared */
	/* PCI Express: requests and packets of the device, kicks, messages; bytes over the link. */
	double reads, writes, kicks, interrupts, bytes;
	double told_reads, told_bytes; /* with VIRTIO_F_NOTIFICATION_DATA */
};

/* Counts for all variants of @plan but bare rings and one thread (MODE_SINGLE), which are left out.
 * Returns a GArray of struct model_row; NULL with an error. */
GArray *bench_model(const GArray *plan, GError **err);

void model_write_table(FILE *out, const GArray *rows);
void model_write_csv(FILE *out, const GArray *rows);
void model_write_json(FILE *out, const GArray *rows, const char *command);
