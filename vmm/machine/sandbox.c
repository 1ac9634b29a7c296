/*
 * Shutting the machine in.
 *
 *	machine_new()    opens everything, on the one thread there is: event loops wait for theirs
 *	                 (the control socket begins to listen)
 *	machine_build()  makes filters out of what the devices say they use, and
 *	                 shuts the process in; makes the virtual machine; starts the event loops,
 *	                 which are sealed before they do anything
 *	machine_run()    vCPUs' threads start and seal themselves; then the main
 *	                 thread does; then the guest begins
 */
#include <string.h>
#include <sys/socket.h>

#include "devices/backend/unix-listen.h"
#include "devices/base/error.h"
#include "vmm/machine/machine-int.h"

#define FILES_ANYWAY   64u /* clients of sockets, statistics */
#define FILES_A_CPU    4u  /* a reset makes all of them a second time */
#define FILES_A_DEVICE 8u
#define FILES_A_QUEUE  4u
#define MEMORY_USUAL   ((size_t)1 << 30)
#define MEMORY_STRICT  ((size_t)512 << 20)
#define UNIX_PREFIX    "unix:"

/*
 * What the machine uses.
 */
static void add_syscalls(GArray *all, const struct syscall_use *table, bool closing)
{
	struct sandbox_syscalls syscalls = { table, closing };

	for (guint i = 0; i < all->len; i++) {
		const struct sandbox_syscalls *have = &g_array_index(all, struct sandbox_syscalls,
								     i);

		if (have->table == table && have->closing <= closing)
			return;
	}
	if (table)
		g_array_append_val(all, syscalls);
}

bool machine_lives_on(const struct vdev *dev, const struct loop *loop)
{
	if (dev->loop == loop || dev->worker == loop)
		return true;
	for (unsigned q = 0; q < dev->n_queues; q++)
		if (dev->queue[q].loop == loop)
			return true;
	return false;
}

/* Of the devices on @loop (NULL: of all); @all_close: of the others what closing them takes. */
static void add_devices(struct machine *m, GArray *all, const struct loop *loop, bool all_close)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);
		bool here = !loop || machine_lives_on(d->dev, loop);

		if (!here && !all_close)
			continue;
		add_syscalls(all, d->dev->class->syscalls, !here);
		for (unsigned n = 0; n < d->dev->n_syscalls; n++)
			add_syscalls(all, d->dev->syscalls[n], !here);
	}
}

static struct sandbox_filter *make_filter(enum sandbox_role role, const GArray *syscalls,
					  GError **err)
{
	return sandbox_filter_new(role,
				  (const struct sandbox_syscalls *)(const void *)syscalls->data,
				  syscalls->len, err);
}

/* Doorbells and interrupts of a device that comes when the process is sealed. */
static const struct syscall_use late_device_syscalls[] = {
	{ .name = "eventfd2" },
	{ .name = NULL },
};

static GArray *syscalls_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(struct sandbox_syscalls));
}

static bool make_main_filter(struct machine *m, GError **err)
{
	GArray *syscalls = m->main_syscalls = syscalls_new();

	add_devices(m, syscalls, m->main, true);
	if (m->serial_chr)
		add_syscalls(syscalls, m->serial_chr->syscalls, false);
	if (m->debugcon_chr)
		add_syscalls(syscalls, m->debugcon_chr->syscalls, false);
	if (m->cfg->control || m->cfg->gdb)
		add_syscalls(syscalls, unix_listen_syscalls, false);
	if (m->cfg->spare_iothreads)
		add_syscalls(syscalls, late_device_syscalls, false);
	if (m->cfg->gdb)
		add_syscalls(syscalls, vcpus_debug_syscalls, false);
	if (m->recorder)
		add_syscalls(syscalls, recorder_syscalls, false);
	m->filter[SANDBOX_MAIN] = make_filter(SANDBOX_MAIN, syscalls, err);
	return m->filter[SANDBOX_MAIN] != NULL;
}

static bool make_vcpu_filter(struct machine *m, GError **err)
{
	g_autoptr(GArray) syscalls = g_array_new(FALSE, FALSE, sizeof(struct sandbox_syscalls));

	if (m->cfg->gdb)
		add_syscalls(syscalls, vcpus_debug_syscalls, false);
	if (m->recorder)
		add_syscalls(syscalls, recorder_syscalls, false);
	m->filter[SANDBOX_VCPU] = make_filter(SANDBOX_VCPU, syscalls, err);
	return m->filter[SANDBOX_VCPU] != NULL;
}

static bool make_writer_filter(struct machine *m, GError **err)
{
	g_autoptr(GArray) syscalls = syscalls_new();

	add_syscalls(syscalls, recorder_writer_syscalls, false);
	m->writer_filter = make_filter(SANDBOX_LOOP, syscalls, err);
	return m->writer_filter != NULL;
}

static bool make_filters(struct machine *m, GError **err)
{
	for (guint i = 0; i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		t->syscalls = syscalls_new();
		add_devices(m, t->syscalls, t->spare ? NULL : t->loop, false);
		if (m->recorder)
			add_syscalls(t->syscalls, recorder_syscalls, false);
		t->filter = make_filter(SANDBOX_LOOP, t->syscalls, err);
		if (!t->filter)
			return false;
	}
	return make_vcpu_filter(m, err) && make_main_filter(m, err) &&
	       (!m->recorder || make_writer_filter(m, err));
}

void machine_free_filters(struct machine *m)
{
	for (unsigned i = 0; i < N_SANDBOX_ROLES; i++)
		g_clear_pointer(&m->filter[i], sandbox_filter_free);
	g_clear_pointer(&m->writer_filter, sandbox_filter_free);
	g_clear_pointer(&m->main_syscalls, g_array_unref);
}

static bool allows(const GArray *syscalls, const struct syscall_use *table)
{
	bool has = !table || !syscalls; /* NULL: the thread has no filter */

	for (guint i = 0; !has && i < syscalls->len; i++) {
		const struct sandbox_syscalls *have = &g_array_index(syscalls,
								     struct sandbox_syscalls, i);

		has = have->table == table && !have->closing;
	}
	return has;
}

static bool allows_device(const GArray *syscalls, const struct vdev *dev)
{
	bool ok = allows(syscalls, dev->class->syscalls);

	for (unsigned n = 0; n < dev->n_syscalls; n++)
		ok &= allows(syscalls, dev->syscalls[n]);
	return ok;
}

bool machine_check_late_device(struct machine *m, const struct vdev *dev, GError **err)
{
	bool ok = !machine_lives_on(dev, m->main) || allows_device(m->main_syscalls, dev);

	for (guint i = 0; i < m->iothreads->len; i++) {
		const struct iothread *t = g_ptr_array_index(m->iothreads, i);

		ok &= !machine_lives_on(dev, t->loop) || allows_device(t->syscalls, dev);
	}
	return ok || ringside_usage(err,
				    "--device %s,id=%s: its thread is sealed and may not make the "
				    "system calls that it takes; begin with a device of its kind, "
				    "and give this one an iothread of its own",
				    dev->class->name, vdev_name(dev));
}

/*
 * What it still has to reach.
 */

/* Ends with NULL. */
static GPtrArray *directories(struct machine *m)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		for (guint n = 0; n < d->dev->kept_paths->len; n++)
			sandbox_keep_directory_of(all, g_ptr_array_index(d->dev->kept_paths, n));
	}
	if (m->serial_chr && m->serial_chr->kept_path)
		sandbox_keep_directory_of(all, m->serial_chr->kept_path);
	if (m->debugcon_chr && m->debugcon_chr->kept_path)
		sandbox_keep_directory_of(all, m->debugcon_chr->kept_path);
	if (m->cfg->control)
		sandbox_keep_directory_of(all, m->cfg->control + strlen(UNIX_PREFIX));
	if (m->cfg->gdb && g_str_has_prefix(m->cfg->gdb, UNIX_PREFIX))
		sandbox_keep_directory_of(all, m->cfg->gdb + strlen(UNIX_PREFIX));
	g_ptr_array_add(all, NULL);
	return all;
}

static bool needs_network(struct machine *m)
{
	for (guint i = 0; i < m->devices->len; i++)
		if (((struct device *)g_ptr_array_index(m->devices, i))->dev->needs_network)
			return true;
	return false;
}

/* Of its two tables, and of the class's: may it make unix sockets? */
static bool makes_unix_sockets(const struct vdev *dev)
{
	static const struct syscall_use unix_socket = { SYSCALL_SOCKET(AF_UNIX) };

	for (unsigned n = 0; n < dev->n_syscalls; n++)
		for (const struct syscall_use *row = dev->syscalls[n]; row->name; row++)
			if (strcmp(row->name, unix_socket.name) == 0 &&
			    row->value == unix_socket.value && !row->closing)
				return true;
	return false;
}

bool machine_check_sandbox(struct machine *m, GError **err)
{
	if (m->cfg->sandbox != SANDBOX_STRICT || !needs_network(m))
		return true;
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		if (makes_unix_sockets(d->dev))
			return ringside_usage(
				err,
				"--sandbox strict: %s connects to a unix socket in the "
				"network of a device with backend=user, which is the "
				"host's: its abstract sockets would be in reach; give "
				"%s listen=on, or a process of its own",
				vdev_name(d->dev), vdev_name(d->dev));
	}
	return true;
}

static unsigned more_files(struct machine *m)
{
	unsigned n = FILES_ANYWAY + FILES_A_CPU * m->cfg->cpus;

	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		n += FILES_A_DEVICE + FILES_A_QUEUE * d->dev->n_queues + d->dev->more_files;
	}
	return n;
}

/* A driver may start all queues there are; then their chains have to fit. */
static size_t more_memory(struct machine *m)
{
	size_t n = m->cfg->sandbox == SANDBOX_STRICT ? MEMORY_STRICT : MEMORY_USUAL;

	if (m->recorder)
		n += RECORD_MEMORY_MORE;
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		n += vdev_memory_max(d->dev) + (m->checker ? checker_memory(d->dev) : 0);
	}
	return n;
}

bool machine_confine(struct machine *m, GError **err)
{
	g_autoptr(GPtrArray) keep = directories(m);
	struct sandbox_plan plan = {
		.level = m->cfg->sandbox,
		.keep = (const char *const *)keep->pdata,
		.network = needs_network(m),
		.more_files = more_files(m),
		.more_memory = more_memory(m),
	};

	return plan.level == SANDBOX_OFF || (make_filters(m, err) && sandbox_enter(&plan, err));
}

/*
 * Threads.
 */
void machine_seal(struct machine *m, enum sandbox_role role)
{
	sandbox_seal_or_end(m->filter[role],
			    role == SANDBOX_MAIN ? "the main thread" : "a vCPU's thread");
}

static void seal_iothread(void *arg)
{
	const struct iothread *t = arg;

	sandbox_seal_or_end(t->filter, t->name ? t->name : "a spare thread");
}

static void seal_writer(void *arg)
{
	sandbox_seal_or_end(((struct machine *)arg)->writer_filter, "the recorder's thread");
}

void machine_start_loops(struct machine *m)
{
	unsigned processors = g_get_num_processors();
	unsigned spare = processors > m->cfg->cpus ? processors - m->cfg->cpus : 0;

	for (guint i = 0; i < m->iothreads->len; i++) {
		struct iothread *t = g_ptr_array_index(m->iothreads, i);

		if (t->name && !t->private)
			loop_set_poll(t->loop, poller_choose(&t->poll, &spare));
		loop_start(t->loop, seal_iothread, t);
	}
	if (m->recorder)
		recorder_start(m->recorder, seal_writer, m);
	m->loops_run = true;
}
