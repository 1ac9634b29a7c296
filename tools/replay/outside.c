#include "tools/replay/outside.h"

#include <string.h>
#include <unistd.h>

#include "devices/core/vdev.h"
#include "devices/registry.h"

struct outside *outside_opening;

static const struct outside_class *const classes[] = {
	&outside_blk, &outside_net, &outside_console, &outside_input, &outside_rng,
};

const struct outside_class *outside_class_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
		if (strcmp(classes[i]->name, name) == 0)
			return classes[i];
	return NULL;
}

static const struct prop no_options[] = { { 0 } };

static const struct backend_wrapper recorded = {
	.name = "recorded",
	.help = "what was recorded arrives again",
	.size = 1,
	.props = no_options,
	.net = outside_wrap_net,
	.chr = outside_wrap_chr,
};

const struct backend_wrapper *const outside_wrappers[] = { &recorded, NULL };

uint64_t outside_config(const struct outside *o, size_t off, unsigned bytes)
{
	gsize len;
	const uint8_t *config = g_bytes_get_data(replay_device(o->script, o->number)->config, &len);
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && off + i < len; i++)
		v |= (uint64_t)config[off + i] << 8 * i;
	return v;
}

bool outside_offered(const struct outside *o, unsigned bit)
{
	return replay_device(o->script, o->number)->offered[bit / 64 % 2] >> bit % 64 & 1;
}

void outside_option(GPtrArray *pairs, const char *key, const char *fmt, ...)
{
	g_autofree char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	value = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	prop_add(pairs, key, value);
}

static bool outside_has_row(const struct prop *rows, const char *key)
{
	for (; rows && rows->key; rows++)
		if (strcmp(rows->key, key) == 0)
			return true;
	return false;
}

/* The device's own, and none that reaches out of it: which loop runs it, or where it is plugged in,
 * is the machine's affair. */
static bool outside_keeps(const struct outside *o, const struct vdev_class *class, const char *key)
{
	g_autofree char *word = g_strdup_printf(" %s ", key);

	return (outside_has_row(class->props, key) || outside_has_row(vdev_common_props, key)) &&
	       !strstr(o->class->drop, word) && !strstr(" id iothread poll ", word);
}

GPtrArray *outside_options(struct outside *o, const char **ret_why)
{
	const struct replay_device *how = replay_device(o->script, o->number);
	const struct vdev_class *class = vdev_class_find(how->class);
	g_autofree char *spec = g_strconcat(how->class, how->options, NULL);
	g_autofree char *name = NULL;
	GPtrArray *pairs;

	o->class = outside_class_find(how->class);
	*ret_why = "what it is fed with is not in a record";
	if (!class || !o->class)
		return NULL;
	pairs = prop_split(spec, &name);
	for (guint i = pairs->len; i > 0; i--) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i - 1);

		if (!outside_keeps(o, class, pair->key))
			g_ptr_array_remove_index(pairs, i - 1);
	}
	outside_option(pairs, "id", "%s", how->id);
	if (how->max_size > class->queue_size && !prop_has(pairs, "queue-size"))
		outside_option(pairs, "queue-size", "%" G_GUINT64_FORMAT, how->max_size);
	if (!o->class->options || o->class->options(o, pairs, ret_why))
		return pairs;
	g_ptr_array_unref(pairs);
	return NULL;
}

void outside_close(struct outside *o)
{
	if (o->disk_fd >= 0)
		close(o->disk_fd);
	o->disk_fd = -1;
}
