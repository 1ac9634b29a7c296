#include "devices/base/appear.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

const struct syscall_use appear_syscalls[] = {
	{ .name = "inotify_init1" },
	{ .name = "inotify_add_watch" },
	{ .name = NULL },
};

/* Of the events in @buf is one about our name? */
static bool appear_is_ours(const struct appear *a, const char *buf, size_t len)
{
	const struct inotify_event *e;

	for (size_t at = 0; at + sizeof(*e) <= len; at += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(buf + at);
		if (e->mask & IN_Q_OVERFLOW || (e->len && strcmp(e->name, a->name) == 0))
			return true;
	}
	return false;
}

static void appear_happened(void *arg, GIOCondition revents)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct appear *a = arg;
	ssize_t n = read(a->fd, buf, sizeof(buf));

	(void)revents;
	if (n > 0 && appear_is_ours(a, buf, (size_t)n))
		a->fn(a->arg);
}

bool appear_begin(struct appear *a, struct loop *loop, const char *path, void (*fn)(void *arg),
		  void *arg)
{
	g_autofree char *dir = g_path_get_dirname(path);

	*a = (struct appear){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .fn = fn, .arg = arg };
	if (a->fd >= 0 &&
	    inotify_add_watch(a->fd, dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0) {
		a->name = g_path_get_basename(path);
		a->watch = loop_watch(loop, a->fd, G_IO_IN, appear_happened, a);
		return true;
	}
	if (a->fd >= 0)
		close(a->fd);
	*a = (struct appear){ .fd = -1 };
	return false;
}

void appear_end(struct appear *a)
{
	if (!a->watch)
		return;
	loop_unwatch(a->watch);
	close(a->fd);
	g_free(a->name);
	*a = (struct appear){ .fd = -1 };
}
