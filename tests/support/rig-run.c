/* Opening and closing a rig, and the two tables with one loop. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/core/engine.h"
#include "devices/record/record.h"
#include "devices/registry.h"
#include "tests/support/rig-impl.h"
#include "tools/replay/play.h"

#define RIG_RECORD "/record-of-the-rig"

/*
 * Each way to a device by itself, with a packed ring, with all the features that a device offers on
 * request, and with both. The product of all is for `make device-all' (RIG_LINKS=all); the usual
 * run has each of them once.
 */
#define ASKED ",features=+in_order,+notification_data,+access_platform,+order_platform"

enum { PACKED = 1, ORDER = 2, PACKED_ORDER = 4 };

#define WAY(name, ops, variant, thread, more, usual)                                      \
	{ name, ops, variant, thread, "", true },                                         \
		{ name "-packed", ops, variant, thread, ",ring=packed", (usual)&PACKED }, \
		{ name "-order", ops, variant, thread, ASKED more, (usual)&ORDER },       \
	{                                                                                 \
		name "-packed-order", ops, variant, thread, ",ring=packed" ASKED more,    \
			(usual)&PACKED_ORDER                                              \
	}

#define PCI_MORE ",+notif_config_data"

static const struct rig_link links[] = {
	WAY("direct", &rig_direct_ops, 0, false, "", 0),
	WAY("mmio", &rig_mmio_ops, RIG_MMIO_EXACT, false, "", 0),
	WAY("mmio-cached", &rig_mmio_ops, RIG_MMIO_CACHED, false, "", 0),
	WAY("pci", &rig_pci_ops, RIG_PCI_MSIX, false, PCI_MORE, PACKED),
	WAY("pci-intx", &rig_pci_ops, RIG_PCI_INTX, false, PCI_MORE, 0),
	WAY("pci-cfg", &rig_pci_ops, RIG_PCI_CFG, false, PCI_MORE, 0),
	WAY("direct-thread", &rig_direct_ops, 0, true, "", 0),
	WAY("mmio-thread", &rig_mmio_ops, RIG_MMIO_EXACT, true, "", PACKED_ORDER),
	WAY("mmio-cached-thread", &rig_mmio_ops, RIG_MMIO_CACHED, true, "", 0),
	WAY("pci-thread", &rig_pci_ops, RIG_PCI_MSIX, true, PCI_MORE, ORDER),
	{ "vhost-user", &rig_vhost_user_ops, 0, false, "", false },
	{ "vhost-user-packed", &rig_vhost_user_ops, 0, false, ",ring=packed", true },
	{ "vhost-user-thread", &rig_vhost_user_ops, 0, true, ",poll=100us", true },
	{ "vhost-user-thread-packed", &rig_vhost_user_ops, 0, true, ",ring=packed", false },
	{ "vhost-user-bounce", &rig_bounce_ops, 0, true, ",ring=packed", true },
	{ "vhost-user-bounce-packed", &rig_bounce_ops, 1, false, "", true },
	{ "vfio-user", &rig_vfio_user_ops, RIG_VFIO_MSIX, false, "", false },
	{ "vfio-user-intx", &rig_vfio_user_ops, RIG_VFIO_INTX, false, ",ring=packed", false },
	{ "vfio-user-thread", &rig_vfio_user_ops, RIG_VFIO_MSIX, true, "", false },
	{ "vfio-user-thread-packed", &rig_vfio_user_ops, RIG_VFIO_MSIX, true, ",ring=packed",
	  true },
	{ "vfio-user-thread-order", &rig_vfio_user_ops, RIG_VFIO_MSIX, true, ASKED PCI_MORE,
	  false },
	{ "vfio-user-far", &rig_vfio_user_ops, RIG_VFIO_FAR, false, "", true },
	{ "vfio-user-far-packed", &rig_vfio_user_ops, RIG_VFIO_FAR, false, ",ring=packed", false },
	{ "vfio-user-far-thread", &rig_vfio_user_ops, RIG_VFIO_FAR, true, "", false },
	{ "vfio-user-far-thread-packed", &rig_vfio_user_ops, RIG_VFIO_FAR, true, ",ring=packed",
	  true },
	{ "vfio-user-far-thread-order", &rig_vfio_user_ops, RIG_VFIO_FAR, true, ASKED PCI_MORE,
	  false },
	{ "vfio-user-far-packed-order", &rig_vfio_user_ops, RIG_VFIO_FAR, false,
	  ",ring=packed" ASKED PCI_MORE, false },
	{ "vfio-user-far-rings-thread", &rig_vfio_user_ops, RIG_VFIO_FAR_RINGS, true, "", false },
	{ "vfio-user-far-buffers-thread-packed", &rig_vfio_user_ops, RIG_VFIO_FAR_BUFFERS, true,
	  ",ring=packed", false },
	{ "legacy-vfio-user", &rig_vfio_user_ops, RIG_VFIO_LEGACY, false, ",legacy=on", false },
	{ "legacy-mmio", &rig_mmio_ops, RIG_MMIO_LEGACY, false, ",legacy=on", true },
	{ "legacy-pci", &rig_pci_ops, RIG_PCI_LEGACY, false, ",legacy=on", false },
	{ "legacy-pci-intx", &rig_pci_ops, RIG_PCI_LEGACY_INTX, false, ",legacy=only", true },
	{ "legacy-pci-thread", &rig_pci_ops, RIG_PCI_LEGACY, true, ",legacy=on", true },
};

const struct rig_link *rig_link_find(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(links); i++)
		if (strcmp(links[i].name, name) == 0)
			return &links[i];
	fail_msg("no link is called %s", name);
	return NULL;
}

const char *rig_link_name(const struct rig *r)
{
	return r->link->name;
}

/*
 * Opening.
 */

static void arena_open(struct rig *r, struct rig_arena *a, uint64_t gpa, uint64_t len)
{
	a->fd = memfd_create("rig", MFD_CLOEXEC);
	assert_int_equal(ftruncate(a->fd, (off_t)len), 0);
	a->base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a->fd, 0);
	assert_ptr_not_equal(a->base, MAP_FAILED);
	a->gpa = gpa;
	a->len = len;
	assert_int_equal(gmem_add_file(&r->mem, gpa, len, a->base, a->fd, 0), 0);
}

static void arena_close(struct rig_arena *a)
{
	munmap(a->base, a->len);
	close(a->fd);
}

void rig_remember_memory(struct rig *r)
{
	const struct rig_arena *all[] = { &r->low, &r->high };

	r->mem = (struct gmem){ 0 };
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		assert_int_equal(gmem_add_file(&r->mem, all[i]->gpa, all[i]->len, all[i]->base,
					       all[i]->fd, 0),
				 0);
}

pthread_mutex_t rig_log_lock = PTHREAD_MUTEX_INITIALIZER;

static void logged(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
	struct rig *r = data;

	(void)domain;
	if (level & G_LOG_FLAG_FATAL)
		print_error("%s\n", message);
	pthread_mutex_lock(&rig_log_lock);
	g_string_append_printf(r->log, "%s\n", message);
	pthread_mutex_unlock(&rig_log_lock);
}

static struct loop *own_thread(void *opaque, const char *name, const uint64_t *poll_ns,
			       GError **err)
{
	struct rig *r = opaque;

	(void)err;
	if (!r->thread) {
		r->thread = loop_new(name);
		loop_set_poll(r->thread, poll_ns ? *poll_ns : 0);
		loop_start(r->thread, NULL, NULL);
	}
	return r->thread;
}

static struct loop *worker(void *opaque, const char *name)
{
	struct rig *r = opaque;

	assert_null(r->worker);
	r->worker = loop_new(name);
	loop_start(r->worker, NULL, NULL);
	return r->worker;
}

/* @spec with "@/" replaced by the directory. */
static char *expand(struct rig *r, const char *spec)
{
	g_auto(GStrv) parts = g_strsplit(spec, "@/", -1);
	g_autofree char *dir = g_strdup_printf("%s/", r->dir);
	g_autofree char *whole = g_strjoinv(dir, parts);

	return g_strdup_printf("%s,id=rig%s%s", whole, r->link->thread ? ",iothread=rig" : "",
			       r->link->options);
}

/* What fails, tests see by what becomes of their requests. */
static void io_error(void *opaque, const struct vdev *dev, const struct vdev_io_error *error)
{
	(void)opaque;
	(void)dev;
	(void)error;
}

static void open_device(struct rig *r, const struct rig_case *c)
{
	struct vdev_env env = { .mem = &r->mem,
				.main_loop = r->main,
				.iothread = own_thread,
				.worker = worker,
				.io_error = io_error,
				.opaque = r,
				.n_cpus = 1,
				.wrappers = c->wrappers };
	g_autofree char *spec = expand(r, c->spec);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	const struct vdev_class *class = c->class ? c->class : vdev_class_find(name);
	const struct prop *const tables[] = { vdev_common_props, class ? class->props : NULL,
					      NULL };
	GError *err = NULL;

	if (!class)
		fail_msg("%s: no such device", spec);
	r->dev = vdev_new(class, pairs, &env, &err);
	if (!r->dev || !prop_all_used(pairs, tables, "rig", &err))
		fail_msg("%s: %s", spec, err->message);
	if (c->opened)
		c->opened(r->dev);
}

/* The only device on a page: where the links expect it. */
static bool rig_page(void *opaque, struct transport_page *ret, GError **err)
{
	(void)opaque;
	(void)err;
	*ret = (struct transport_page){ RIG_MMIO_BASE, RIG_MMIO_GSI };
	return true;
}

static void rig_page_free(void *opaque, const struct transport_page *page)
{
	(void)opaque;
	assert_int_equal(page->base, RIG_MMIO_BASE);
	assert_int_equal(page->gsi, RIG_MMIO_GSI);
}

void *rig_attach(struct rig *r, const char *name, const char *options, struct pci_root *pci)
{
	const struct transport_env env = { .board = board_fake_board(r->board),
					   .pci = pci,
					   .page = rig_page,
					   .page_free = rig_page_free };
	g_autofree char *spec = g_strdup_printf("%s,%s", name, options), *first = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &first);
	GError *err = NULL;

	r->row = transport_find(name);
	assert_non_null(r->row);
	r->row_options = g_malloc0(r->row->options_size);
	r->env = env;
	if (prop_parse(r->row->props, r->row_options, pairs, name, &err))
		r->handle = r->row->attach(r->dev, &r->env, r->row_options, &err);
	if (!r->handle)
		fail_msg("%s: %s", name, err->message);
	return r->handle;
}

void rig_detach(struct rig *r)
{
	if (r->handle)
		r->row->detach(g_steal_pointer(&r->handle));
	if (r->row)
		prop_free(r->row->props, r->row_options);
	g_clear_pointer(&r->row_options, g_free);
}

struct rig *rig_open(const struct rig_link *link, const struct rig_case *c)
{
	struct rig *r = g_new0(struct rig, 1);

	signal(SIGPIPE, SIG_IGN); /* as in the program: net sockets count on it */
	r->link = link;
	r->c = c;
	r->bufs = g_array_new(FALSE, FALSE, sizeof(struct rig_buf));
	r->reqs = g_ptr_array_new_with_free_func(g_free);
	/* GLib has a lock of its own, which the thread sanitizer does not see. */
	pthread_mutex_lock(&rig_log_lock);
	r->log = g_string_new(NULL);
	pthread_mutex_unlock(&rig_log_lock);
	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
	r->log_handler = g_log_set_handler("ringside", G_LOG_LEVEL_MASK, logged, r);
	r->dir = g_dir_make_tmp("ringside-test-XXXXXX", NULL);
	assert_non_null(r->dir);
	if (c->setup)
		c->setup(r->dir);
	r->main = loop_main();
	arena_open(r, &r->low, RIG_LOW_GPA, RIG_LOW_LEN);
	arena_open(r, &r->high, RIG_HIGH_GPA, RIG_HIGH_LEN);
	open_device(r, c);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) /* a kick of one that was never started */
		r->queue[q].regs.index = r->queue[q].regs.notify_id = (uint16_t)q;
	link->ops->open(r);
	return r;
}

void rig_replace(struct rig *r)
{
	const struct virtio_dev known = r->driver;
	bool judged = r->referee;
	const char *wrong = referee_end(g_steal_pointer(&r->referee));

	if (wrong)
		fail_msg("over %s: %s", r->link->name, wrong);
	r->link->ops->interrupts(r); /* those that are on their way */
	r->link->ops->close(r);
	vdev_free(r->dev);
	board_fake_free(g_steal_pointer(&r->board));
	loop_free(g_steal_pointer(&r->worker));
	open_device(r, r->c);
	r->link->ops->open(r);
	r->driver.features = known.features;
	r->driver.status = known.status;
	if (judged)
		r->referee = referee_new(r->dev);
}

/*
 * Closing.
 */

static bool is_guard(const uint8_t *at)
{
	for (unsigned i = 0; i < RIG_GUARD; i++)
		if (at[i] != RIG_GUARD_VAL)
			return false;
	return true;
}

static void check_guards(struct rig *r)
{
	for (guint i = 0; i < r->bufs->len; i++) {
		struct rig_buf *b = &g_array_index(r->bufs, struct rig_buf, i);

		if (!is_guard((uint8_t *)b->p - RIG_GUARD) || !is_guard((uint8_t *)b->p + b->len))
			fail_msg("the device wrote outside buffer %u of %u bytes", i, b->len);
	}
}

static void remove_dir(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		if (unlink(file) < 0)
			remove_dir(file);
	}
	(void)rmdir(path);
}

/* What the driver did, done again to another device of these options, has to come to the same. */
static void play_again(struct rig *r)
{
	g_autofree char *file = g_strconcat(r->dir, RIG_RECORD, NULL);
	g_autoptr(GError) err = NULL;
	struct replay_result result = { 0 };
	struct replay_script *s;

	recorder_close(g_steal_pointer(&r->recorder));
	s = replay_script_read(file, &err);
	if (!s && strstr(err->message, " lost")) {
		print_message("over %s: %s\n", r->link->name, err->message);
		return;
	}
	if (!s || !replay_play(s, REPLAY_WAIT_MS, &result, &err)) {
		fail_msg("over %s: %s", r->link->name, err->message);
		return;
	}
	for (guint i = 0; i < result.notes->len; i++)
		print_message("over %s: %s\n", r->link->name,
			      (char *)g_ptr_array_index(result.notes, i));
	if (result.divergence)
		fail_msg("over %s: %s", r->link->name, result.divergence);
	replay_clear(&result);
	replay_script_free(s);
}

void rig_close(struct rig *r)
{
	const char *wrong;

	if (!r)
		return;
	r->link->ops->close(r);
	wrong = referee_end(r->referee);
	vdev_free(r->dev);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		g_free(r->queue[q].vq);
	board_fake_free(r->board);
	loop_free(r->thread);
	loop_free(r->worker);
	loop_free(r->main);
	check_guards(r);
	if (wrong)
		fail_msg("over %s: %s", r->link->name, wrong);
	if (r->recorder)
		play_again(r);
	arena_close(&r->low);
	arena_close(&r->high);
	if (!g_getenv("RIG_KEEP"))
		remove_dir(r->dir);
	g_log_remove_handler("ringside", r->log_handler);
	g_string_free(r->log, TRUE);
	g_array_unref(r->bufs);
	g_ptr_array_unref(r->reqs);
	g_free(r->dir);
	g_free(r);
}

/*
 * Cases x links.
 */

struct run {
	const struct rig_case *c;
	const struct rig_link *link;
	struct rig *r;
};

static void record(struct rig *r)
{
	g_autofree char *spec = g_strconcat(r->dir, RIG_RECORD, ",payload=all", NULL);

	r->recorder = recorder_open(spec, "RIG_REPLAY", NULL);
	assert_non_null(r->recorder);
	recorder_add(r->recorder, r->dev);
	recorder_start(r->recorder, NULL, NULL);
}

static int run_setup(void **state)
{
	struct run *run = *state;

	run->r = rig_open(run->link, run->c);
	/* It goes by chains, and sees none of queues that are served elsewhere. */
	if (g_str_has_prefix(run->link->name, "pci") &&
	    run->r->dev->queue[0].engine == &vdev_engine_here)
		run->r->referee = referee_new(run->r->dev);
	if (g_getenv("RIG_REPLAY"))
		record(run->r);
	return 0;
}

static void run_case(void **state)
{
	struct run *run = *state;

	run->c->run(run->r);
}

static int run_teardown(void **state)
{
	struct run *run = *state;

	rig_close(g_steal_pointer(&run->r));
	return 0;
}

/* The links of RIG_LINKS */
static bool chosen(const struct rig_link *link)
{
	return link->usual || g_strcmp0(g_getenv("RIG_LINKS"), "all") == 0;
}

/* Is the device, or who stands between it and its driver, on a thread of its own? */
static bool has_thread(const struct rig_link *link)
{
	return link->thread || link->ops == &rig_bounce_ops;
}

/* Of a case's device. */
static bool has_legacy(const struct rig_case *c)
{
	g_autofree char *name = g_strndup(c->spec, strcspn(c->spec, ","));
	const struct vdev_class *class = c->class ? c->class : vdev_class_find(name);

	return class && class->legacy_id;
}

/* RIG_COPIES */
static bool copies(const struct rig_link *link)
{
	return link->ops == &rig_bounce_ops ||
	       (link->ops == &rig_vfio_user_ops && link->variant >= RIG_VFIO_FAR);
}

static bool applies(const struct rig_case *c, const struct rig_link *link, bool copied)
{
	g_auto(GStrv) globs = g_strsplit(c->links ? c->links : "*", " ", -1);
	bool own = strstr(c->spec, "ring=") || strstr(c->spec, "features=");
	bool fits = false;

	for (char **glob = globs; *glob; glob++)
		if (**glob == '!')
			fits = fits && !g_pattern_match_simple(*glob + 1, link->name);
		else
			fits |= g_pattern_match_simple(*glob, link->name);
	if (!fits || !chosen(link) || (copies(link) && !copied) || (own && *link->options))
		return false;
	if (g_str_has_prefix(link->name, "legacy") && !has_legacy(c))
		return false;
	return !c->direct_only || (link->ops == &rig_direct_ops && !link->thread);
}

/* Of a case that has links with a second thread RIG_LINKS=threads runs no others. */
static bool left_out(const struct rig_case *c, const struct rig_link *link, bool copied)
{
	if (g_strcmp0(g_getenv("RIG_LINKS"), "threads") != 0 || has_thread(link))
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(links); i++)
		if (has_thread(&links[i]) && applies(c, &links[i], copied))
			return true;
	return false;
}

static int run_all(const char *group, const struct rig_case *cases, size_t n, bool copied)
{
	g_autoptr(GArray) tests = g_array_new(FALSE, TRUE, sizeof(struct CMUnitTest));
	g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; i < n * G_N_ELEMENTS(links); i++) {
		const struct rig_case *c = &cases[i / G_N_ELEMENTS(links)];
		struct run run = { c, &links[i % G_N_ELEMENTS(links)], NULL };
		struct CMUnitTest test = { .test_func = run_case,
					   .setup_func = run_setup,
					   .teardown_func = run_teardown };

		if (!applies(c, run.link, copied) || left_out(c, run.link, copied))
			continue;
		g_ptr_array_add(names, g_strdup_printf("%s over %s", c->name, run.link->name));
		g_ptr_array_add(runs, g_memdup2(&run, sizeof(run)));
		test.name = g_ptr_array_index(names, names->len - 1);
		test.initial_state = g_ptr_array_index(runs, runs->len - 1);
		g_array_append_val(tests, test);
	}
	if (g_getenv("TESTS"))
		cmocka_set_test_filter(g_getenv("TESTS"));
	return _cmocka_run_group_tests(group, (const struct CMUnitTest *)(void *)tests->data,
				       tests->len, NULL, NULL);
}

int rig_run(const char *group, const struct rig_case *cases, size_t n)
{
	return run_all(group, cases, n, false);
}

int rig_run_copied(const char *group, const struct rig_case *cases, size_t n)
{
	return run_all(group, cases, n, true);
}
