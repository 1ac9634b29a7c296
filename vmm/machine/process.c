/*
 * Devices in processes of their own (process=on): `ringside serve' has the device model, and the
 * machine a device of vhost-user (docs/vhost-user-front-end.md).
 *
 * Keys that are about the device's place in the machine go to the one, those of the device to the
 * other; what both have to know of goes to both.
 */
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "transport/registry.h"
#include "vmm/machine/back-ends.h"

/* Where a key of the specification goes. */
enum { TO_FRONT = 1, TO_DEVICE = 2 };

static bool process_in_rows(const struct prop *rows, const char *key)
{
	for (; rows && rows->type != PROP_END; rows++)
		if (strcmp(rows->key, key) == 0)
			return true;
	return false;
}

static unsigned process_goes_to(const char *key)
{
	static const char *const both[] = { "id", "ring", "queue-size" };
	static const char *const front[] = { "transport", "memory", "size" };
	const struct transport *t;

	if (strcmp(key, "process") == 0)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(front); i++)
		if (strcmp(key, front[i]) == 0)
			return TO_FRONT;
	for (size_t i = 0; i < G_N_ELEMENTS(both); i++)
		if (strcmp(key, both[i]) == 0)
			return TO_FRONT | TO_DEVICE;
	for (unsigned i = 0; (t = transport_nth(i)); i++)
		if (process_in_rows(t->props, key))
			return TO_FRONT;
	return TO_DEVICE;
}

static void process_append_all(GString *spec, GPtrArray *pairs, unsigned to)
{
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (process_goes_to(pair->key) & to)
			prop_append(spec, pair->key, pair->value);
	}
}

static const char *process_value(GPtrArray *pairs, const char *key)
{
	const char *ret = NULL;

	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (strcmp(pair->key, key) == 0)
			ret = pair->value ? pair->value : "on";
	}
	return ret;
}

/* What needs the machine's own process. */
static bool process_can(const char *name, GPtrArray *pairs, GError **err)
{
	const char *legacy = process_value(pairs, "legacy"), *chr = process_value(pairs, "chr");
	const struct vdev_class *class = name ? vdev_class_find(name) : NULL;

	if (class && class->shares_memory)
		return ringside_usage(
			err, "--device %s,process=on: another process serves it anyway", name);
	if (legacy && strcmp(legacy, "off") != 0)
		return ringside_usage(err,
				      "--device %s,process=on,legacy=%s: legacy drivers need the "
				      "device in this process",
				      name, legacy);
	if (chr && strcmp(chr, "stdio") == 0)
		return ringside_usage(err,
				      "--device %s,process=on,chr=stdio: the terminal is this "
				      "process's; chr=pty is the next best",
				      name);
	return true;
}

bool process_is_asked(const char *spec, bool *ret, GError **err)
{
	static const struct prop row[] = { { .key = "process", .type = PROP_BOOL }, { 0 } };
	g_autofree char *name = NULL, *context = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);

	context = g_strdup_printf("--device %s", name ? name : "");
	*ret = false;
	return prop_parse(row, ret, pairs, context, err) &&
	       (!*ret || process_can(name, pairs, err));
}

bool process_is_bounced(const char *spec)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);

	return g_strcmp0(process_value(pairs, "memory"), "bounce") == 0;
}

bool process_start(struct child *ret, const char *spec, enum sandbox_level level, GError **err)
{
	g_autofree char *name = NULL, *given = g_strdup_printf("--device %s", spec);
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	g_autoptr(GString) device = g_string_new(name);
	g_autofree char *whose = g_strdup_printf("%s's process", name);
	char *argv[] = { (char *)"/proc/self/exe",
			 (char *)"serve",
			 device->str,
			 (char *)"--vhost-user",
			 (char *)"fd:3", /* CHILD_SOCKET_FD */
			 (char *)"--sandbox",
			 (char *)sandbox_levels[level].name,
			 NULL };

	process_append_all(device, pairs, TO_DEVICE);
	argv[2] = device->str;
	return child_start(ret, argv, whose, given, err);
}

char *process_front(const char *spec, const char *socket)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	GString *front = g_string_new(NULL);

	g_string_printf(front, "vhost-user,type=%s", name);
	prop_append(front, "socket", socket);
	process_append_all(front, pairs, TO_FRONT);
	return g_string_free(front, FALSE);
}
