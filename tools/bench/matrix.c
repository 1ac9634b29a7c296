/*
 * Axes and plans: see matrix.h.
 *
 * Without any choice a plan varies one axis at a time from the defaults; with one it is the product
 * of what was chosen and the defaults of the rest; with --full, of what was chosen and all of the
 * rest.
 */
#include "tools/bench/matrix.h"

#include <stdlib.h>
#include <string.h>

#include "devices/base/error.h"

#define ONOFF .names = { "off", "on" }, .all = { 0, 1 }, .n_all = 2

const struct bench_axis_info bench_axes[N_AXES] = {
	[AXIS_MODE] = { "mode", "mode", "two threads that poll, or sleep; or one",
			.names = { "poll", "sleep", "single" },
			.all = { MODE_POLL, MODE_SLEEP, MODE_SINGLE }, .n_all = 3,
			.defaults = { MODE_POLL }, .n_defaults = 1 },
	[AXIS_LENGTH] = { "length", "len", "buffers in a chain", .all = { 1, 2, 3 }, .n_all = 3,
			  .defaults = { 1 }, .n_defaults = 1, .min = 1, .max = 16 },
	[AXIS_DESC] = { "desc", "desc", "a chain's descriptors", .names = { "direct", "indirect" },
			.all = { 0, 1 }, .n_all = 2, .defaults = { DESC_DIRECT }, .n_defaults = 1 },
	[AXIS_EVENT] = { "event-idx", "event_idx", "VIRTIO_F_EVENT_IDX", ONOFF, .defaults = { 1 },
			 .n_defaults = 1 },
	[AXIS_ORDER] = { "in-order", "in_order", "VIRTIO_F_IN_ORDER", ONOFF, .defaults = { 0 },
			 .n_defaults = 1 },
	[AXIS_SIZE] = { "size", "size", "entries in the ring", .all = { 64, 256, 1024 }, .n_all = 3,
			.defaults = { 256 }, .n_defaults = 1, .min = 2, .max = 1024 },
	[AXIS_RING] = { "ring", "ring", "layout of the ring",
			.names = { "split", "packed", "bare" }, .all = { 0, 1 }, .n_all = 2,
			.defaults = { 0, 1 }, .n_defaults = 2 },
	[AXIS_BATCH] = { "batch", "batch", "chains made available, and used, together",
			 .all = { 1, 4, 16, 64 }, .n_all = 4, .defaults = { 1, 4, 16, 64 },
			 .n_defaults = 4, .min = 1, .max = 256 },
};

const char *bench_value_name(enum bench_axis axis, unsigned value, char buf[16])
{
	if (bench_axes[axis].names[0])
		return bench_axes[axis].names[value];
	(void)g_snprintf(buf, 16, "%u", value);
	return buf;
}

bool bench_differ_only(const struct bench_variant *a, const struct bench_variant *b,
		       enum bench_axis axis)
{
	struct bench_variant c = *a;

	c.at[axis] = b->at[axis];
	return a->at[axis] != b->at[axis] && memcmp(&c, b, sizeof(c)) == 0;
}

/*
 * Choices.
 */
static char *values_text(const struct bench_axis_info *axis)
{
	GString *text = g_string_new(NULL);

	if (!axis->names[0])
		g_string_printf(text, "numbers from %u to %u", axis->min, axis->max);
	for (unsigned i = 0; axis->names[0] && i < axis->n_all; i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", axis->names[axis->all[i]]);
	return g_string_free(text, FALSE);
}

static bool parse_value(const struct bench_axis_info *axis, const char *text, unsigned *ret_value)
{
	guint64 n;

	for (unsigned i = 0; axis->names[0] && i < axis->n_all; i++)
		if (strcmp(axis->names[axis->all[i]], text) == 0) {
			*ret_value = axis->all[i];
			return true;
		}
	if (axis->names[0] || !g_ascii_string_to_unsigned(text, 10, axis->min, axis->max, &n, NULL))
		return false;
	*ret_value = (unsigned)n;
	return true;
}

bool bench_choice_parse(const struct bench_axis_info *info, const char *text,
			struct bench_choice *ret_choice, GError **err)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	struct bench_choice choice = { 0 };

	for (unsigned i = 0; words[i]; i++) {
		if (choice.n < BENCH_VALUES &&
		    parse_value(info, words[i], &choice.value[choice.n])) {
			choice.n++;
			continue;
		}
		g_autofree char *values = values_text(info);

		return ringside_usage(err, "--%s %s: it takes %s, up to %u of them with commas",
				      info->option, text, values, BENCH_VALUES);
	}
	if (choice.n == 0)
		return ringside_usage(err, "--%s: is empty", info->option);
	*ret_choice = choice;
	return true;
}

/*
 * Plans.
 */
static int matrix_compare(gconstpointer a, gconstpointer b)
{
	const struct bench_variant *x = a, *y = b;

	for (unsigned i = 0; i < N_AXES; i++)
		if (x->at[i] != y->at[i])
			return x->at[i] < y->at[i] ? -1 : 1;
	return 0;
}

/* A table for one buffer is no table: the reference driver writes the buffer itself. */
static bool pointless(const struct bench_variant *v)
{
	return v->at[AXIS_DESC] == DESC_INDIRECT && v->at[AXIS_LENGTH] == 1;
}

static void add_product(GArray *plan, const struct bench_choice choices[N_AXES])
{
	unsigned count[N_AXES] = { 0 };
	unsigned axis;

	do {
		struct bench_variant v;

		for (unsigned i = 0; i < N_AXES; i++)
			v.at[i] = choices[i].value[count[i]];
		if (!pointless(&v))
			g_array_append_val(plan, v);
		/* An odometer. */
		for (axis = 0; axis < N_AXES && ++count[axis] == choices[axis].n; axis++)
			count[axis] = 0;
	} while (axis < N_AXES);
}

static struct bench_choice choice_of(const unsigned *values, unsigned n)
{
	struct bench_choice c = { .n = n };

	memcpy(c.value, values, n * sizeof(*values));
	return c;
}

static bool matrix_has(const struct bench_choice *c, unsigned value)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->value[i] == value)
			return true;
	return false;
}

/* Defaults where nothing was chosen. Indirect tables want chains that are worth one. */
static void fill_in(struct bench_choice choices[N_AXES], bool full)
{
	static const unsigned long_chain = 3;

	if (choices[AXIS_LENGTH].n == 0 && !full && matrix_has(&choices[AXIS_DESC], DESC_INDIRECT))
		choices[AXIS_LENGTH] = choice_of(&long_chain, 1);
	for (unsigned i = 0; i < N_AXES; i++) {
		const struct bench_axis_info *axis = &bench_axes[i];

		if (choices[i].n == 0)
			choices[i] = full ? choice_of(axis->all, axis->n_all)
					  : choice_of(axis->defaults, axis->n_defaults);
	}
}

/* The defaults, then each axis by itself. */
static void add_selection(GArray *plan)
{
	for (unsigned i = 0; i < N_AXES; i++) {
		struct bench_choice choices[N_AXES] = { 0 };

		choices[i] = choice_of(bench_axes[i].all, bench_axes[i].n_all);
		fill_in(choices, false);
		add_product(plan, choices);
	}
}

struct bench_variant bench_bare_beside(const struct bench_variant *v)
{
	struct bench_variant bare = { 0 };

	bare.at[AXIS_MODE] = v->at[AXIS_MODE] == MODE_SLEEP ? MODE_POLL : v->at[AXIS_MODE];
	bare.at[AXIS_SIZE] = v->at[AXIS_SIZE];
	bare.at[AXIS_RING] = RING_BARE;
	bare.at[AXIS_BATCH] = v->at[AXIS_BATCH];
	return bare;
}

static void drop_repetitions(GArray *plan)
{
	g_array_sort(plan, matrix_compare);
	for (guint i = plan->len; i-- > 1;)
		if (matrix_compare(&g_array_index(plan, struct bench_variant, i - 1),
				   &g_array_index(plan, struct bench_variant, i)) == 0)
			g_array_remove_index(plan, i);
}

static bool matrix_possible(const struct bench_variant *v, GError **err)
{
	unsigned size = v->at[AXIS_SIZE];
	unsigned slots = v->at[AXIS_DESC] == DESC_INDIRECT ? 1 : v->at[AXIS_LENGTH];

	if (v->at[AXIS_RING] != RING_PACKED && size & (size - 1))
		return ringside_usage(err,
				      "--size %u: only packed rings can have a size that is no "
				      "power of two (add --ring packed)",
				      size);
	if (slots > size)
		return ringside_usage(err, "--length %u: does not fit in a ring of %u entries",
				      slots, size);
	return true;
}

GArray *bench_plan(const struct bench_choice chosen[N_AXES], bool full, GError **err)
{
	g_autoptr(GArray) plan = g_array_new(FALSE, FALSE, sizeof(struct bench_variant));
	struct bench_choice choices[N_AXES];
	bool any = full;
	guint n;

	memcpy(choices, chosen, sizeof(choices));
	for (unsigned i = 0; i < N_AXES; i++)
		any = any || choices[i].n > 0;
	if (any) {
		fill_in(choices, full);
		add_product(plan, choices);
	} else {
		add_selection(plan);
	}
	n = plan->len;
	if (n == 0)
		ringside_usage(err, "--desc indirect: chains of one buffer use no table; add "
				    "--length 3");
	for (guint i = 0; i < n; i++) {
		struct bench_variant bare =
			bench_bare_beside(&g_array_index(plan, struct bench_variant, i));

		if (!matrix_possible(&g_array_index(plan, struct bench_variant, i), err))
			return NULL;
		g_array_append_val(plan, bare);
	}
	drop_repetitions(plan);
	return n ? g_steal_pointer(&plan) : NULL;
}
