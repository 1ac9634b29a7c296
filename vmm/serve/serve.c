#include "vmm/serve/serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "vmm/serve/serve-int.h"

/*
 * Event loops.
 */
static struct serve_thread *make_thread(struct serve *s, const char *name)
{
	struct serve_thread *t = g_new0(struct serve_thread, 1);

	t->name = g_strdup(name);
	t->loop = loop_new(name);
	g_ptr_array_add(s->threads, t);
	return t;
}

static struct serve_thread *thread_of_name(struct serve *s, const char *name)
{
	for (guint i = 0; i < s->threads->len; i++) {
		struct serve_thread *t = g_ptr_array_index(s->threads, i);

		if (!t->private && strcmp(t->name, name) == 0)
			return t;
	}
	return make_thread(s, name);
}

static struct loop *find_iothread(void *opaque, const char *name, const uint64_t *poll_ns,
				  GError **err)
{
	struct serve_thread *t = thread_of_name(opaque, name);

	if (poller_wish(&t->poll, poll_ns))
		return t->loop;
	ringside_usage(err, "another queue on that thread has another poll=");
	return NULL;
}

static struct loop *new_worker(void *opaque, const char *name)
{
	g_autofree char *whose = g_strdup_printf("work-%s", name);
	struct serve_thread *t = make_thread(opaque, whose);

	t->private = true;
	return t->loop;
}

/*
 * The device.
 */
static bool open_device(struct serve *s, GError **err)
{
	g_autofree char *name = NULL, *context = NULL, *id = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(s->cfg->device, &name);
	const struct vdev_class *class = name ? vdev_class_find(name) : NULL;
	const struct prop *tables[] = { vdev_common_props, class ? class->props : NULL, NULL };
	struct vdev_env env = {
		.mem = &s->mem,
		.main_loop = s->main,
		.iothread = find_iothread,
		.worker = new_worker,
		.opaque = s,
		.n_cpus = 1,
		.terminal = terminal_chr(s->terminal),
	};

	if (!class)
		return ringside_usage(err,
				      "serve %s: there is no such device; ringside run --device "
				      "help lists them",
				      s->cfg->device);
	context = g_strdup_printf("--device %s", class->name);
	id = g_strdup_printf("%s0", class->name);
	if (!prop_has(pairs, "id"))
		prop_add(pairs, "id", id);
	s->dev = vdev_new(class, pairs, &env, err);
	if (s->dev && s->recorder)
		recorder_add(s->recorder, s->dev);
	if (s->dev && s->checker)
		checker_watch(s->checker, s->dev);
	return s->dev && prop_all_used(pairs, tables, context, err);
}

/*
 * The end.
 */
static void on_signal(void *arg, GIOCondition revents)
{
	struct serve *s = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(s->signals, &info, sizeof(info)) == sizeof(info))
		s->over = true;
}

static bool watch_signals(struct serve *s, GError **err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return ringside_error_errno(err, errno, "signalfd");
	s->signal_watch = loop_watch(s->main, s->signals, G_IO_IN, on_signal, s);
	return true;
}

static void leave(void *opaque)
{
	((struct serve *)opaque)->over = true;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

/* There are no processors to be asked about, and no serial port. */
static const struct terminal_ops terminal_ops = { .leave = leave,
						  .info = nothing,
						  .send_break = nothing };

/* The checker finds things on any thread. */
static void on_violation(const struct check_violation *v, void *opaque)
{
	struct serve *s = opaque;

	if (s->cfg->check.fatal && !v->advice)
		loop_post(s->main, leave, s);
}

static bool open_checker(struct serve *s, GError **err)
{
	s->checker = checker_new(&s->cfg->check, err);
	if (s->checker)
		checker_on_first(s->checker, on_violation, s);
	return s->checker;
}

static bool prepare(struct serve *s, GError **err)
{
	s->terminal = terminal_new(s->main, s->cfg->mode, &terminal_ops, s);
	if (s->cfg->record) {
		s->recorder = recorder_open(s->cfg->record, "--record", err);
		if (!s->recorder)
			return false;
	}
	if (s->cfg->check.on && !open_checker(s, err))
		return false;
	if (!watch_signals(s, err) || !open_device(s, err) ||
	    (s->protocol->connect && !serve_open_socket(s, err)))
		return false;
	s->transport = s->protocol->open(s->dev, &s->mem, s, err);
	return s->transport && serve_confine(s, err);
}

static void clean_up(struct serve *s)
{
	s->protocol->free(s->transport);
	serve_close_socket(s);
	if (s->checker && s->dev)
		checker_leave(s->checker, s->dev);
	checker_free(s->checker);
	vdev_free(s->dev);
	recorder_close(s->recorder);
	serve_free_filters(s);
	for (guint i = 0; i < s->threads->len; i++) {
		struct serve_thread *t = g_ptr_array_index(s->threads, i);

		loop_free(t->loop);
		g_free(t->name);
		g_free(t);
	}
	g_ptr_array_unref(s->threads);
	loop_unwatch(s->signal_watch);
	if (s->signals >= 0)
		close(s->signals);
	terminal_free(s->terminal);
}

bool serve_run(const struct serve_config *cfg, uint64_t *ret_violations, GError **err)
{
	struct serve s = {
		.cfg = cfg,
		.protocol = &serve_protocols[cfg->protocol],
		.main = loop_main(),
		.threads = g_ptr_array_new(),
		.listener.fd = -1,
		.connection = -1,
		.signals = -1,
	};
	bool ok = prepare(&s, err);

	if (ok) {
		terminal_start(s.terminal);
		if (s.protocol->connect)
			serve_begin(&s);
		while (!s.over)
			g_main_context_iteration(loop_context(s.main), TRUE);
	}
	if (ok && s.checker) {
		*ret_violations = checker_count(s.checker);
		checker_print(s.checker, stderr);
		ok = checker_write(s.checker, err);
	}
	clean_up(&s);
	return ok;
}
