/*
 * What the parts of `ringside bench blk` share: the command line and the rounds (blk.c), one
 * measurement (blk-run.c), writing down (blk-report.c).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/bench/matrix.h"

enum blk_axis {
	BLK_OP,    /* randread, read, randwrite, write */
	BLK_SIZE,  /* KiB of a request */
	BLK_DEPTH, /* requests in flight */
	BLK_RING,  /* split, packed */
	BLK_WAIT,  /* irq: asleep until there is something; poll */
	N_BLK_AXES,
};

/* Values of BLK_OP. */
enum blk_op { BLK_RANDREAD, BLK_READ, BLK_RANDWRITE, BLK_WRITE };

#define BLK_SIZE_MAX  1024u
#define BLK_DEPTH_MAX 256u

extern const struct bench_axis_info blk_axes[N_BLK_AXES];

struct blk_variant {
	unsigned at[N_BLK_AXES];
};

/* How a variant's value is called; a number is text in @buf. */
const char *blk_value(const struct blk_variant *v, enum blk_axis axis, char buf[16]);

/*
 * Latencies, in buckets that are a thirty-second of their value wide.
 */
#define LATENCY_BUCKETS 1920u

struct latencies {
	uint64_t n, in[LATENCY_BUCKETS];
};

void latencies_add(struct latencies *l, uint64_t ns);

/* Below which @part of them are (0 to 1); a bucket's upper end. 0: there are none. */
double latencies_ns(const struct latencies *l, double part);

/* One connection, for @time_ms and until what was begun is there: requests a second. Latencies are
 * added to @l. False with an error. */
bool blk_run(const char *path, const struct blk_variant *v, unsigned time_ms, struct latencies *l,
	     double *ret_rate, GError **err);

/* Rates are medians over the rounds, latencies of all of them. */
struct blk_row {
	struct blk_variant v;
	unsigned socket;       /* which */
	double thousand;       /* requests a second */
	double spread;         /* distance of its quartiles in percent */
	double mib;            /* a second */
	double p50, p99, p999; /* microseconds */
	double ratio; /* of the rates: the first one's to this one's; 0: this is the first */
};

struct blk_report {
	const GArray *rows; /* of struct blk_row */
	const char *const *sockets;
	unsigned n_sockets;
	const char *command, *cpu;
	unsigned rounds, time_ms;
};

void blk_write_table(FILE *out, const struct blk_report *report);
void blk_write_csv(FILE *out, const struct blk_report *report);
void blk_write_json(FILE *out, const struct blk_report *report);
