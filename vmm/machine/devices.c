/*
 * The devices of the command line: from text to a struct vdev on its transport.
 */
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "vmm/machine/habits.h"
#include "vmm/machine/machine-int.h"
#include "vmm/x86/layout.h"

/* What the machine itself wants to know of each device. */
struct place {
	unsigned transport;
	uint32_t slot;
	bool cached_registers;
};

enum { ON_PCI, ON_MMIO };

static const char *const transports[] = { [ON_PCI] = "pci", [ON_MMIO] = "mmio", NULL };

const struct prop machine_device_props[] = {
	{ .key = "transport",
	  .type = PROP_ENUM,
	  .offset = offsetof(struct place, transport),
	  .preset = "pci",
	  .choices = transports,
	  .also = "bus virtio-transport",
	  .help = "how the driver reaches it" },
	{ .key = "slot",
	  .type = PROP_U32,
	  .offset = offsetof(struct place, slot),
	  .max = PCI_SLOTS - 1,
	  .also = "addr",
	  .help = "on pci: 00:SLOT.0; 0 is the first free one" },
	{ .key = "cached-registers",
	  .type = PROP_BOOL,
	  .offset = offsetof(struct place, cached_registers),
	  .preset = "off",
	  .help = "on mmio: a running driver reads registers without an exit; breaks a MUST (4.2.2.1, "
		  "DEV-MMIO-REGS-04: InterruptStatus keeps the used-buffer bit after InterruptACK), so "
		  "a driver that reads it until it is 0 never ends" },
	{ 0 },
};

static struct iothread *new_iothread(struct machine *m, const char *name)
{
	struct iothread *t = g_new0(struct iothread, 1);

	t->name = g_strdup(name);
	t->loop = loop_new_later(name); /* machine_confine() */
	g_ptr_array_add(m->iothreads, t);
	return t;
}

static struct loop *find_iothread(void *opaque, const char *name)
{
	struct machine *m = opaque;

	for (guint i = 0; i < m->iothreads->len; i++) {
		const struct iothread *t = g_ptr_array_index(m->iothreads, i);

		if (!t->private && strcmp(t->name, name) == 0)
			return t->loop;
	}
	return new_iothread(m, name)->loop;
}

static struct loop *new_worker(void *opaque, const char *name)
{
	g_autofree char *whose = g_strdup_printf("work-%s", name);
	struct iothread *t = new_iothread(opaque, whose);

	t->private = true;
	return t->loop;
}

static bool same_id(struct machine *m, const char *id)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		if (d->dev->id && strcmp(d->dev->id, id) == 0)
			return true;
	}
	return false;
}

/* Without an id: blk0, blk1, ..., the first that is free. Before the device is opened, since what
 * it presets (a network address) may depend on it. */
static void name_device(struct machine *m, const struct vdev_class *class, GPtrArray *pairs)
{
	struct prop_pair *pair;

	for (guint i = 0; i < pairs->len; i++) {
		pair = g_ptr_array_index(pairs, i);
		if (strcmp(pair->key, "id") == 0)
			return;
	}
	pair = g_new0(struct prop_pair, 1);
	pair->key = g_strdup("id");
	for (unsigned n = 0; !pair->value || same_id(m, pair->value); n++) {
		g_free(pair->value);
		pair->value = g_strdup_printf("%s%u", class->name, n);
	}
	g_ptr_array_add(pairs, pair);
}

/* An id that is given twice is refused before the device is opened. */
static bool check_id(struct machine *m, GPtrArray *pairs, const char *context, GError **err)
{
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (strcmp(pair->key, "id") == 0 && pair->value && same_id(m, pair->value))
			return ringside_usage(err, "%s,id=%s: another device has this id", context,
					      pair->value);
	}
	return true;
}

static const struct vdev_class *find_class(const char *name, GError **err)
{
	const struct vdev_class *class = name && *name ? vdev_class_find(name) : NULL;

	if (class)
		return class;
	if (!name || !*name)
		ringside_usage(err, "--device: begins with the device's name, as "
				    "--device blk,path=disk.img; --device help lists them");
	else
		habit_unknown_device(name, err);
	return NULL;
}

/* A key that no row has is told first: it may be a misspelt one that is required. */
static bool check_keys(GPtrArray *pairs, const struct prop *const *tables, const char *context,
		       GError **err)
{
	bool ok;

	for (guint i = 0; i < pairs->len; i++) {
		struct prop_pair *pair = g_ptr_array_index(pairs, i);

		for (const struct prop *const *t = tables; *t; t++)
			for (const struct prop *row = *t; row->type != PROP_END; row++)
				pair->used |= strcmp(row->key, pair->key) == 0;
	}
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);
		const char *here = pair->used ? NULL : habit_key(pair->key);

		if (here)
			return ringside_usage(err, "%s: unknown key '%s': %s (%s,help lists all)",
					      context, pair->key, here, context);
	}
	ok = prop_all_used(pairs, tables, context, err);
	for (guint i = 0; i < pairs->len; i++)
		((struct prop_pair *)g_ptr_array_index(pairs, i))->used = false;
	return ok;
}

static bool open_device(struct machine *m, const char *spec, GError **err)
{
	struct vdev_env env = {
		.mem = &m->ram.mem,
		.main_loop = m->main,
		.iothread = find_iothread,
		.opaque = m,
		.n_cpus = m->cfg->cpus,
		.console_tap = machine_console_tap,
		.terminal = terminal_chr(m->terminal),
		.worker = new_worker,
	};
	g_autofree char *name = NULL, *context = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	const struct vdev_class *class = find_class(name, err);
	const struct prop *const tables[] = { vdev_common_props, machine_device_props,
					      class ? class->props : NULL, NULL };
	struct place place = { 0 };
	struct device *d;

	if (!class)
		return false;
	context = g_strdup_printf("--device %s", class->name);
	if (!check_keys(pairs, tables, context, err) ||
	    !prop_parse(machine_device_props, &place, pairs, context, err) ||
	    !check_id(m, pairs, context, err))
		return false;
	name_device(m, class, pairs);
	d = g_new0(struct device, 1);
	d->on_mmio = place.transport == ON_MMIO;
	d->slot = place.slot;
	d->cached_registers = place.cached_registers;
	d->dev = vdev_new(class, pairs, &env, err);
	if (!d->dev) {
		g_free(d);
		return false;
	}
	g_ptr_array_add(m->devices, d);
	if (d->on_mmio && d->slot)
		return ringside_usage(err, "%s,slot=%u: only devices on pci have a slot", context,
				      d->slot);
	if (!d->on_mmio && d->cached_registers)
		return ringside_usage(err,
				      "%s,cached-registers=on: only devices on mmio have them; "
				      "with transport=mmio",
				      context);
	return prop_all_used(pairs, tables, context, err);
}

/* A mistake in a shorthand names that, and what it stands for only where that says more. */
static void tell_shorthand(const struct machine_device *given, GError *err)
{
	g_autofree char *whole = g_strdup_printf("--device %s: ", given->spec);
	g_autofree char *text = g_steal_pointer(&err->message);
	const char *rest = g_str_has_prefix(text, whole) ? text + strlen(whole) : text;

	err->message = g_strdup_printf("%s: %s", given->given, rest);
}

bool machine_open_devices(struct machine *m, GError **err)
{
	m->devices = g_ptr_array_new();
	m->iothreads = g_ptr_array_new();
	for (guint i = 0; i < m->cfg->devices->len; i++) {
		const struct machine_device *given = g_ptr_array_index(m->cfg->devices, i);

		if (open_device(m, given->spec, err))
			continue;
		if (given->given && err && *err)
			tell_shorthand(given, *err);
		return false;
	}
	return true;
}

static bool plug_mmio(struct machine *m, struct device *d, unsigned *n, GError **err)
{
	unsigned at = (*n)++;
	struct mmio_config config = { .base = layout_mmio_window(at),
				      .gsi = layout_mmio_gsi(at),
				      .cached_registers = d->cached_registers };

	if (at >= LAYOUT_MMIO_MAX)
		return ringside_usage(err,
				      "--device %s,transport=mmio: there are %u places for devices "
				      "on mmio and all are taken; use transport=pci",
				      d->dev->class->name, LAYOUT_MMIO_MAX);
	d->mmio = mmio_new(d->dev, board_kvm_board(m->board), &config, err);
	if (!d->mmio)
		g_prefix_error(err, "--device %s,id=%s: ", d->dev->class->name, vdev_name(d->dev));
	return d->mmio != NULL;
}

static bool plug_pci(struct machine *m, struct device *d, GError **err)
{
	d->pci = vpci_new(d->dev, m->pci, d->slot, err);
	if (!d->pci)
		g_prefix_error(err, "--device %s,id=%s: ", d->dev->class->name, vdev_name(d->dev));
	return d->pci != NULL;
}

/* Those that want a certain slot first. */
bool machine_plug_devices(struct machine *m, GError **err)
{
	unsigned n_mmio = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (guint i = 0; i < m->devices->len; i++) {
			struct device *d = g_ptr_array_index(m->devices, i);
			bool fixed = !d->on_mmio && d->slot;

			if (fixed != (pass == 0))
				continue;
			if (d->on_mmio ? !plug_mmio(m, d, &n_mmio, err) : !plug_pci(m, d, err))
				return false;
		}
	return true;
}

void machine_unplug_devices(struct machine *m)
{
	for (guint i = 0; m->devices && i < m->devices->len; i++) {
		struct device *d = g_ptr_array_index(m->devices, i);

		g_clear_pointer(&d->mmio, mmio_free);
		g_clear_pointer(&d->pci, vpci_free);
	}
}

void machine_close_devices(struct machine *m)
{
	for (guint i = 0; m->devices && i < m->devices->len; i++) {
		struct device *d = g_ptr_array_index(m->devices, i);

		vdev_free(d->dev);
		g_free(d);
	}
	for (guint i = 0; m->iothreads && i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		loop_free(t->loop);
		sandbox_filter_free(t->filter);
		g_free(t->name);
		g_free(t);
	}
	g_clear_pointer(&m->devices, g_ptr_array_unref);
	g_clear_pointer(&m->iothreads, g_ptr_array_unref);
}

void machine_for_each_device(struct machine *m, machine_device_fn fn, void *opaque)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		fn(d->dev, transports[d->on_mmio ? ON_MMIO : ON_PCI], opaque);
	}
}
