/*
 * Shutting the process in: everything is open by then but the guest's memory, which comes as
 * descriptors. (vmm/sandbox/sandbox.h; vmm/machine/sandbox.c is the same for a whole machine.)
 */
#include "devices/base/error.h"
#include "vmm/serve/serve-int.h"

#define FILES_ANYWAY   64u
#define FILES_A_QUEUE  4u
#define FILES_A_REGION 2u
#define MEMORY         ((size_t)512 << 20)

/* The device's tables and, for the main thread, the transport's. Which of a device's queues run
 * where is the class's choice: each thread may do what the device does. */
static struct sandbox_filter *make_filter(struct serve *s, enum sandbox_role role, GError **err)
{
	struct sandbox_syscalls all[VDEV_SYSCALLS_MAX + 8];
	unsigned n = 0;

	if (s->dev->class->syscalls)
		all[n++] = (struct sandbox_syscalls){ s->dev->class->syscalls, false };
	for (unsigned i = 0; i < s->dev->n_syscalls; i++)
		all[n++] = (struct sandbox_syscalls){ s->dev->syscalls[i], false };
	if (s->protocol->queue_syscalls)
		all[n++] = (struct sandbox_syscalls){ s->protocol->queue_syscalls, false };
	if (s->recorder)
		all[n++] = (struct sandbox_syscalls){ recorder_syscalls, false };
	if (role == SANDBOX_SERVE) {
		for (unsigned i = 0; s->protocol->syscalls[i]; i++)
			all[n++] = (struct sandbox_syscalls){ s->protocol->syscalls[i], false };
		all[n++] = (struct sandbox_syscalls){ unix_listen_syscalls, false };
	}
	return sandbox_filter_new(role, all, n, err);
}

static bool make_writer_filter(struct serve *s, GError **err)
{
	const struct sandbox_syscalls all = { recorder_writer_syscalls, false };

	s->writer_filter = sandbox_filter_new(SANDBOX_LOOP, &all, 1, err);
	return s->writer_filter != NULL;
}

static bool make_filters(struct serve *s, GError **err)
{
	if (s->recorder && !make_writer_filter(s, err))
		return false;
	s->filter = make_filter(s, SANDBOX_SERVE, err);
	for (guint i = 0; i < s->threads->len && s->filter; i++) {
		struct serve_thread *t = g_ptr_array_index(s->threads, i);

		t->filter = make_filter(s, SANDBOX_LOOP, err);
		if (!t->filter)
			return false;
	}
	return s->filter != NULL;
}

void serve_free_filters(struct serve *s)
{
	g_clear_pointer(&s->filter, sandbox_filter_free);
	g_clear_pointer(&s->writer_filter, sandbox_filter_free);
	for (guint i = 0; i < s->threads->len; i++) {
		struct serve_thread *t = g_ptr_array_index(s->threads, i);

		g_clear_pointer(&t->filter, sandbox_filter_free);
	}
}

/* The directory of each file that is used by its name. */
static GPtrArray *directories(struct serve *s)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < s->dev->kept_paths->len; i++)
		sandbox_keep_directory_of(all, g_ptr_array_index(s->dev->kept_paths, i));
	if (s->listener.path)
		sandbox_keep_directory_of(all, s->listener.path);
	g_ptr_array_add(all, NULL);
	return all;
}

static void seal_thread(void *arg)
{
	const struct serve_thread *t = arg;

	sandbox_seal_or_end(t->filter, t->name);
}

static void seal_writer(void *arg)
{
	sandbox_seal_or_end(((struct serve *)arg)->writer_filter, "the recorder's thread");
}

/* One processor is the driver's. */
static void start_threads(struct serve *s)
{
	unsigned spare = g_get_num_processors() - 1;

	for (guint i = 0; i < s->threads->len; i++) {
		struct serve_thread *t = g_ptr_array_index(s->threads, i);

		if (!t->private)
			loop_set_poll(t->loop, poller_choose(&t->poll, &spare));
		loop_start(t->loop, seal_thread, t);
	}
	if (s->recorder)
		recorder_start(s->recorder, seal_writer, s);
}

bool serve_confine(struct serve *s, GError **err)
{
	g_autoptr(GPtrArray) keep = directories(s);
	struct sandbox_plan plan = {
		.level = s->cfg->sandbox,
		.keep = (const char *const *)keep->pdata,
		.network = s->dev->needs_network,
		.more_files = FILES_ANYWAY + FILES_A_QUEUE * s->dev->n_queues +
			      FILES_A_REGION * GMEM_REGIONS_MAX + s->dev->more_files,
		.more_memory = MEMORY + vdev_memory_max(s->dev) +
			       (s->recorder ? RECORD_MEMORY_MORE : 0) +
			       (s->checker ? checker_memory(s->dev) : 0),
	};

	if (plan.level != SANDBOX_OFF && (!make_filters(s, err) || !sandbox_enter(&plan, err)))
		return false;
	start_threads(s);
	sandbox_seal_or_end(s->filter, "the main thread");
	return true;
}
