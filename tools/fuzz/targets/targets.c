#include <string.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/language/variants.h"

static void fuzz_targets_add(GPtrArray *all, char *name, const struct fuzz_target *like)
{
	struct fuzz_target *t = g_memdup2(like, sizeof(*like));

	t->name = name;
	g_ptr_array_add(all, t);
}

static void fuzz_targets_add_devices(GPtrArray *all)
{
	const struct vdev_class *class;

	for (unsigned i = 0; (class = variant_class(i)); i++)
		for (unsigned packed = 0; packed < 2; packed++)
			fuzz_targets_add(
				all,
				g_strdup_printf("%s-%s", class->name, packed ? "packed" : "split"),
				&(struct fuzz_target){
					.run = fuzz_device_run, .arg = class, .packed = packed });
}

/* Families that are not made of the registry. */
static const struct fuzz_target others[] = {
	{ .name = (char *)"ring-split", .run = fuzz_ring_run },
	{ .name = (char *)"ring-packed", .run = fuzz_ring_run, .packed = true },
	{ .name = (char *)"driver-split", .run = fuzz_driver_run },
	{ .name = (char *)"driver-packed", .run = fuzz_driver_run, .packed = true },
	{ .name = (char *)"pci", .run = fuzz_bus_run, .arg = "pci" },
	{ .name = (char *)"mmio", .run = fuzz_bus_run },
	{ .name = (char *)"ports", .run = fuzz_ports_run },
	{ .name = (char *)"control", .run = fuzz_control_run },
	{ .name = (char *)"boot", .run = fuzz_boot_run },
	{ .name = (char *)"options", .run = fuzz_options_run },
	{ .name = (char *)"acpi", .run = fuzz_acpi_run },
	{ .name = (char *)"net-socket", .run = fuzz_net_run, .arg = "socket" },
	{ .name = (char *)"net-tap", .run = fuzz_net_run, .arg = "tap" },
	{ .name = (char *)"net-user", .run = fuzz_net_run, .arg = "user" },
	{ .name = (char *)"state", .run = fuzz_state_run },
	{ .name = (char *)"front-end", .run = fuzz_front_end_run },
	{ .name = (char *)"back-end", .run = fuzz_back_end_run },
	{ .name = (char *)"vfio-user", .run = fuzz_vfio_user_run },
};

GPtrArray *fuzz_targets(void)
{
	static GPtrArray *all;

	if (all)
		return all;
	all = g_ptr_array_new();
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		fuzz_targets_add(all, g_strdup(others[i].name), &others[i]);
	fuzz_targets_add_devices(all);
	return all;
}

const struct fuzz_target *fuzz_target_find(const char *path)
{
	g_autofree char *name = g_path_get_basename(path);
	GPtrArray *all = fuzz_targets();

	for (guint i = 0; i < all->len; i++) {
		const struct fuzz_target *t = g_ptr_array_index(all, i);

		if (strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

static void fuzz_targets_on_log(const gchar *domain, GLogLevelFlags level, const gchar *message,
				gpointer data)
{
	(void)data;
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		fuzz_bug("%s: %s", domain ? domain : "GLib", message);
	trace("log: %s", message);
}

void fuzz_init(void)
{
	g_log_set_default_handler(fuzz_targets_on_log, NULL);
	host_begin(0);
}
