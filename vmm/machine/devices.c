/*
 * The devices of the command line: from text to a struct vdev on its transport.
 */
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "vmm/machine/back-ends.h"
#include "vmm/machine/habits.h"
#include "vmm/machine/machine-int.h"

/* What the machine itself wants to know of each device. */
struct common_options {
	unsigned transport; /* transport_nth() */
	bool process;       /* back-ends.h; here it is too late */
};

const struct prop machine_device_props[] = {
	{ .key = "transport",
	  .type = PROP_ENUM,
	  .offset = offsetof(struct common_options, transport),
	  .default_value = "pci",
	  .choices = transport_names,
	  .also = "bus virtio-transport",
	  .help = "virtio transport" },
	{ .key = "process",
	  .type = PROP_BOOL,
	  .offset = offsetof(struct common_options, process),
	  .default_value = "off",
	  .help = "the device model has a process of its own, which is started again when it dies; "
		  "with memory=bounce[,size=64M] it sees no guest memory "
		  "(docs/vhost-user-front-end.md)" },
	{ 0 },
};

/*
 * Event loops. Their threads are made when the machine is built, each sealed with a filter for the
 * devices that it serves; then the process can make no more. Devices that come later take one of
 * the spare ones, whose filter has what all devices of the start ask for, and leave it to the next.
 */
static struct iothread *make_iothread(struct machine *m, const char *thread_name)
{
	struct iothread *t = g_new0(struct iothread, 1);

	t->loop = loop_new(thread_name); /* machine_start_loops() */
	g_ptr_array_add(m->iothreads, t);
	return t;
}

static struct iothread *find_spare_iothread(struct machine *m)
{
	for (guint i = 0; i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		if (t->spare && !t->name)
			return t;
	}
	return NULL;
}

/* NULL: there is none any more. */
static struct iothread *new_iothread(struct machine *m, const char *name)
{
	struct iothread *t = m->loops_run ? find_spare_iothread(m) : make_iothread(m, name);

	if (t)
		t->name = g_strdup(name);
	return t;
}

static void make_spare_iothreads(struct machine *m)
{
	for (unsigned i = 0; i < m->cfg->spare_iothreads; i++) {
		g_autofree char *name = g_strdup_printf("spare-%u", i);

		make_iothread(m, name)->spare = true;
	}
}

/* Those that no device has anything on any more. */
static void release_iothreads(struct machine *m)
{
	for (guint i = 0; i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);
		bool used = false;

		for (guint k = 0; k < m->devices->len && !used; k++) {
			const struct device *d = g_ptr_array_index(m->devices, k);

			used = machine_lives_on(d->dev, t->loop);
		}
		if (t->spare && !used) {
			g_clear_pointer(&t->name, g_free);
			t->private = false;
			t->poll = (struct poller_wish){ 0 };
			loop_set_poll(t->loop, 0);
		}
	}
}

static struct iothread *iothread_of_name(struct machine *m, const char *name)
{
	for (guint i = 0; i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		if (t->name && !t->private && strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

/* Processors that are neither for a vCPU nor for a thread that polls already are counted when the
 * threads are made (machine_start_loops()); one that is there already polls for what it is told. */
static struct loop *find_iothread(void *opaque, const char *name, const uint64_t *poll_ns,
				  GError **err)
{
	struct machine *m = opaque;
	struct iothread *t = iothread_of_name(m, name);
	unsigned none = 0;

	if (!t)
		t = new_iothread(m, name);
	if (!t) {
		ringside_usage(err,
			       "all of the %u spare threads are taken, and a sealed process makes "
			       "no more; name a thread that there is, or leave it out",
			       m->cfg->spare_iothreads);
		return NULL;
	}
	if (!poller_wish(&t->poll, poll_ns)) {
		ringside_usage(err, "another device on that thread has another poll=");
		return NULL;
	}
	if (m->loops_run && poll_ns)
		loop_set_poll(t->loop, poller_choose(&t->poll, &none));
	return t->loop;
}

static struct loop *new_worker(void *opaque, const char *name)
{
	g_autofree char *whose = g_strdup_printf("work-%s", name);
	struct iothread *t = new_iothread(opaque, whose);

	if (!t)
		return NULL;
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
 * it sets by default (a network address) may depend on it. */
static void name_device(struct machine *m, const struct vdev_class *class, GPtrArray *pairs)
{
	g_autofree char *id = NULL;

	if (prop_has(pairs, "id"))
		return;
	for (unsigned n = 0; !id || same_id(m, id); n++) {
		g_free(id);
		id = g_strdup_printf("%s%u", class->name, n);
	}
	prop_add(pairs, "id", id);
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

/* All rows that a key of --device can be in. */
static GPtrArray *list_tables(const struct vdev_class *class)
{
	GPtrArray *tables = g_ptr_array_new();
	const struct transport *t;

	g_ptr_array_add(tables, (gpointer)vdev_common_props);
	g_ptr_array_add(tables, (gpointer)machine_device_props);
	for (unsigned i = 0; (t = transport_nth(i)); i++)
		g_ptr_array_add(tables, (gpointer)t->props);
	if (class->props)
		g_ptr_array_add(tables, (gpointer) class->props);
	g_ptr_array_add(tables, NULL);
	return tables;
}

/* A key that is left over, but another transport's: which one's? */
static const struct transport *owner_of(const char *key)
{
	const struct transport *t;

	for (unsigned i = 0; (t = transport_nth(i)); i++)
		for (const struct prop *row = t->props; row->type != PROP_END; row++)
			if (strcmp(row->key, key) == 0)
				return t;
	return NULL;
}

static bool choose_transport(struct device *d, GPtrArray *pairs, const char *context, GError **err)
{
	struct common_options common = { 0 };

	if (!prop_parse(machine_device_props, &common, pairs, context, err))
		return false;
	if (common.process)
		return ringside_usage(err,
				      "%s,process=on: only devices of the start can have a "
				      "process of their own",
				      context);
	d->transport = transport_nth(common.transport);
	d->options = g_malloc0(d->transport->options_size);
	if (!prop_parse(d->transport->props, d->options, pairs, context, err))
		return false;
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);
		const struct transport *other = pair->used ? NULL : owner_of(pair->key);

		if (other)
			return ringside_usage(err, "%s,%s: only devices with transport=%s have it",
					      context, pair->key, other->name);
	}
	return true;
}

static void device_free(struct device *d)
{
	vdev_free(d->dev);
	g_free(d->stats);
	machine_latency_free(d->latency);
	if (d->options)
		prop_free(d->transport->props, d->options);
	g_free(d->options);
	g_free(d);
}

static struct vdev *open_vdev(struct machine *m, const struct vdev_class *class, GPtrArray *pairs,
			      GError **err)
{
	struct vdev_env env = {
		.mem = &m->ram.memory.mem,
		.main_loop = m->main,
		.iothread = find_iothread,
		.opaque = m,
		.n_cpus = m->cfg->cpus,
		.console_tap = machine_console_tap,
		.terminal = terminal_chr(m->terminal),
		.worker = new_worker,
		.io_error = machine_on_io_error,
	};

	name_device(m, class, pairs);
	return vdev_new(class, pairs, &env, err);
}

static void forget_device(struct machine *m, struct device *d)
{
	g_ptr_array_remove(m->devices, d);
	memory_unlisten(&m->ram.memory, d->dev);
	if (m->checker)
		checker_leave(m->checker, d->dev);
	device_free(d);
}

/* The last of m->devices now, without a place on its transport. */
static struct device *open_device(struct machine *m, const char *spec, GError **err)
{
	g_autofree char *name = NULL, *context = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name), tables = NULL;
	const struct vdev_class *class = find_class(name, err);
	const struct prop *const *rows;
	struct device *d;

	if (!class)
		return NULL;
	context = g_strdup_printf("--device %s", class->name);
	tables = list_tables(class);
	rows = (const struct prop *const *)tables->pdata;
	if (!check_keys(pairs, rows, context, err))
		return NULL;
	d = g_new0(struct device, 1);
	if (choose_transport(d, pairs, context, err) && check_id(m, pairs, context, err))
		d->dev = open_vdev(m, class, pairs, err);
	if (!d->dev) {
		device_free(d);
		return NULL;
	}
	g_ptr_array_add(m->devices, d);
	(void)memory_listen(&m->ram.memory, &memory_vdev_listener, d->dev); /* it takes all */
	if (m->cfg->stats)
		machine_stats_begin(d);
	if (m->recorder)
		recorder_add(m->recorder, d->dev);
	if (m->checker)
		checker_watch(m->checker, d->dev);
	if (prop_all_used(pairs, rows, context, err))
		return d;
	forget_device(m, d);
	return NULL;
}

/* A mistake in a shorthand names that, and what it stands for only where that says more. */
static void tell_shorthand(const struct machine_device *given, GError *err)
{
	g_autofree char *whole = g_strdup_printf("--device %s: ", given->spec);
	g_autofree char *text = g_steal_pointer(&err->message);
	const char *rest = g_str_has_prefix(text, whole) ? text + strlen(whole) : text;

	err->message = g_strdup_printf("%s: %s", given->given, rest);
}

/* The @i-th device with an id, since two processes call it the same: the one that name_device()
 * would find, unless somebody took that. */
static char *spec_with_id(const struct machine *m, guint i)
{
	const struct machine_device *given = g_ptr_array_index(m->cfg->devices, i);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(given->spec, &name);
	unsigned n = 0;

	if (prop_has(pairs, "id"))
		return g_strdup(given->spec);
	while (i--) {
		const struct machine_device *before = g_ptr_array_index(m->cfg->devices, i);
		size_t len = strcspn(before->spec, ",");

		n += len == strlen(name) && strncmp(before->spec, name, len) == 0;
	}
	return g_strdup_printf("%s,id=%s%u", given->spec, name, n);
}

/* @ret: none, if it needs none. */
static bool start_back_end(const struct machine *m, guint i, struct child *ret, GError **err)
{
	const struct machine_device *given = g_ptr_array_index(m->cfg->devices, i);
	g_autofree char *spec = NULL;
	bool process;

	*ret = (struct child){ .alive = -1 };
	if (given->share)
		return share_start(ret, given->share, given->share_read_only, given->given, err);
	if (!process_is_asked(given->spec, &process, err))
		return false;
	spec = process ? spec_with_id(m, i) : NULL;
	return !process || process_start(ret, spec, m->cfg->sandbox, err);
}

bool machine_start_back_ends(struct machine *m, GError **err)
{
	m->back_ends = g_array_new(FALSE, TRUE, sizeof(struct child));
	for (guint i = 0; i < m->cfg->devices->len; i++) {
		struct child c;
		bool ok = start_back_end(m, i, &c, err);

		g_array_append_val(m->back_ends, c);
		if (!ok)
			return false;
	}
	return true;
}

void machine_forget_back_ends(struct machine *m)
{
	for (guint i = 0; m->back_ends && i < m->back_ends->len; i++)
		child_clear(&g_array_index(m->back_ends, struct child, i));
	g_clear_pointer(&m->back_ends, g_array_unref);
}

/* As it is opened: one with a back-end finds it there. */
static char *whole_spec(const struct machine *m, guint i)
{
	const struct machine_device *given = g_ptr_array_index(m->cfg->devices, i);
	const char *socket = g_array_index(m->back_ends, struct child, i).socket;
	g_autofree char *spec = NULL;

	if (!socket)
		return g_strdup(given->spec);
	if (given->share) {
		GString *whole = g_string_new(given->spec);

		prop_append(whole, "socket", socket);
		return g_string_free(whole, FALSE);
	}
	spec = spec_with_id(m, i);
	return process_front(spec, socket);
}

/* What its process did not like it has said itself. */
static void tell_process(const struct machine_device *given, GError *err)
{
	g_autofree char *text = g_steal_pointer(&err->message);
	const char *rest = strrchr(text, ':');

	err->message = g_strdup_printf("--device %s: its process does not serve it:%s", given->spec,
				       rest ? rest + 1 : text);
}

bool machine_open_devices(struct machine *m, GError **err)
{
	m->devices = g_ptr_array_new();
	m->iothreads = g_ptr_array_new();
	for (guint i = 0; i < m->cfg->devices->len; i++) {
		const struct machine_device *given = g_ptr_array_index(m->cfg->devices, i);
		g_autofree char *spec = whole_spec(m, i);

		if (open_device(m, spec, err))
			continue;
		if (given->given && err && *err)
			tell_shorthand(given, *err);
		else if (err && *err && g_array_index(m->back_ends, struct child, i).socket)
			tell_process(given, *err);
		return false;
	}
	make_spare_iothreads(m);
	return true;
}

/*
 * Places on transports.
 */
static bool take_page(void *opaque, struct transport_page *ret, GError **err)
{
	struct machine *m = opaque;
	unsigned n = 0;

	while (n < arch_places.n_mmio && m->page_taken[n])
		n++;
	if (n == arch_places.n_mmio)
		return ringside_usage(err,
				      "there are %u places for devices on mmio and all are taken; "
				      "use transport=pci",
				      arch_places.n_mmio);
	m->page_taken[n] = true;
	*ret = arch_mmio_page(n);
	return true;
}

static void free_page(void *opaque, const struct transport_page *page)
{
	struct machine *m = opaque;

	for (unsigned n = 0; n < arch_places.n_mmio; n++)
		if (arch_mmio_page(n).base == page->base)
			m->page_taken[n] = false;
}

static bool plug_device(struct machine *m, struct device *d, GError **err)
{
	d->handle = d->transport->attach(d->dev, &m->transports, d->options, err);
	if (!d->handle)
		g_prefix_error(err, "--device %s,id=%s: ", d->dev->class->name, vdev_name(d->dev));
	return d->handle;
}

static void unplug_device(struct device *d)
{
	if (d->handle)
		d->transport->detach(g_steal_pointer(&d->handle));
}

static bool wants_place(const struct device *d)
{
	return d->transport->wants_place && d->transport->wants_place(d->options);
}

/* With --check=bait and devices on mmio: register pages without one, as far as there is room. */
static bool plug_baits(struct machine *m, GError **err)
{
	if (!m->cfg->check.bait || !m->page_taken[0])
		return true;
	for (unsigned n = 0; n < CHECK_PAGES && take_page(m, &m->bait_page[n], NULL); n++) {
		m->bait[n] = check_page_new(m->checker, n, board_kvm_board(m->board),
					    m->bait_page[n].base, err);
		if (!m->bait[n])
			return false;
	}
	return true;
}

/* Those that want a certain place first. */
bool machine_plug_devices(struct machine *m, GError **err)
{
	m->page_taken = g_new0(bool, arch_places.n_mmio);
	m->transports = (struct transport_env){ .board = board_kvm_board(m->board),
						.pci = m->pci,
						.page = take_page,
						.page_free = free_page,
						.opaque = m };
	for (unsigned pass = 0; pass < 2; pass++)
		for (guint i = 0; i < m->devices->len; i++) {
			struct device *d = g_ptr_array_index(m->devices, i);

			if (wants_place(d) == (pass == 0) && !plug_device(m, d, err))
				return false;
		}
	return plug_baits(m, err);
}

void machine_unplug_devices(struct machine *m)
{
	for (guint i = 0; m->devices && i < m->devices->len; i++)
		unplug_device(g_ptr_array_index(m->devices, i));
	for (unsigned n = 0; n < CHECK_PAGES; n++)
		check_page_free(g_steal_pointer(&m->bait[n]));
}

struct device *machine_add_device(struct machine *m, const char *spec, GError **err)
{
	struct device *d = open_device(m, spec, err);

	if (d && machine_check_late_device(m, d->dev, err) && plug_device(m, d, err)) {
		if (m->stopped)
			vdev_pause(d->dev); /* as all others are */
		return d;
	}
	if (d)
		forget_device(m, d);
	release_iothreads(m);
	return NULL;
}

void machine_remove_device(struct machine *m, struct device *d)
{
	unplug_device(d);
	forget_device(m, d);
	release_iothreads(m);
}

void machine_close_devices(struct machine *m)
{
	while (m->devices && m->devices->len)
		forget_device(m, g_ptr_array_index(m->devices, 0));
	for (guint i = 0; m->iothreads && i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		loop_free(t->loop);
		sandbox_filter_free(t->filter);
		g_clear_pointer(&t->syscalls, g_array_unref);
		g_free(t->name);
		g_free(t);
	}
	g_clear_pointer(&m->devices, g_ptr_array_unref);
	g_clear_pointer(&m->iothreads, g_ptr_array_unref);
	g_clear_pointer(&m->page_taken, g_free);
}

void machine_for_each_device(struct machine *m, machine_device_fn fn, void *opaque)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		fn(d->dev, d->transport->name, opaque);
	}
}
