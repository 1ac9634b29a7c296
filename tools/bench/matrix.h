/*
 * What can be varied in a ring, and which combinations a run measures.
 *
 * Each axis is a row of one table: its option, its values. A variant is one value of each. The
 * command line's choices make a plan: a list of variants without repetition, in the order of the
 * axes, with a bare ring (bare.c) beside each combination of mode, size and batch.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum bench_axis {
	AXIS_MODE,
	AXIS_LENGTH,
	AXIS_DESC,
	AXIS_EVENT,
	AXIS_ORDER,
	AXIS_SIZE,
	AXIS_RING,
	AXIS_BATCH,
	N_AXES,
};

/* Values of AXIS_MODE. */
enum bench_mode {
	MODE_POLL,   /* two threads that never sleep and want no notifications */
	MODE_SLEEP,  /* two threads, each asleep in an eventfd whenever it finds nothing to do */
	MODE_SINGLE, /* one thread: the driver fills the ring, the device empties it */
};

/* Values of AXIS_DESC. */
enum bench_desc { DESC_DIRECT, DESC_INDIRECT };

/* Values of AXIS_RING; the bare ring is not the user's to choose. */
enum bench_ring { RING_SPLIT, RING_PACKED, RING_BARE };

#define BENCH_VALUES 8u /* of an axis, at most */

struct bench_axis_info {
	const char *option, *head; /* --option; heading of a column */
	const char *help;
	const char *names[4];       /* of the values 0, 1, ...; none: the values are numbers */
	unsigned all[BENCH_VALUES]; /* for --full and help, */
	unsigned n_all, n_defaults; /* how many of them; those in a plan by default: */
	unsigned defaults[BENCH_VALUES];
	unsigned min, max; /* of numbers */
};

extern const struct bench_axis_info bench_axes[N_AXES];

struct bench_variant {
	unsigned at[N_AXES];
};

/* What the command line said about an axis; n is 0 if nothing. */
struct bench_choice {
	unsigned n, value[BENCH_VALUES];
};

/* Sets *ret_choice from "split,packed" or "1,64". False with a usage error. */
bool bench_choice_parse(const struct bench_axis_info *info, const char *text,
			struct bench_choice *ret_choice, GError **err);

/* The variants to measure, as a GArray of struct bench_variant; NULL with a usage error if there is
 * none, or one of them cannot be. */
GArray *bench_plan(const struct bench_choice choices[N_AXES], bool full, GError **err);

/* The name of a variant's value, or the number as text in @buf. */
const char *bench_value_name(enum bench_axis axis, unsigned value, char buf[16]);

/* Do two variants differ in no axis but @axis? */
bool bench_differ_only(const struct bench_variant *a, const struct bench_variant *b,
		       enum bench_axis axis);

/* The bare ring to compare a variant with. */
struct bench_variant bench_bare_beside(const struct bench_variant *v);
