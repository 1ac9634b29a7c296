#include "tests/support/vhost-user-back.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/backend/unix-listen.h"
#include "devices/registry.h"
#include "tests/support/echo.h"
#include "transport/vhost-user/vhost-user.h"

struct back {
	struct loop *loop;
	struct gmem mem;
	struct vdev *dev;
	struct vhost_user *v;
	struct unix_listener listener;
	GSource *watch;
};

static void back_ended(void *opaque)
{
	struct back *b = opaque;

	if (b->watch)
		loop_watch_events(b->watch, G_IO_IN);
}

static void back_called(void *arg, GIOCondition revents)
{
	struct back *b = arg;
	int fd = accept4(b->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	loop_watch_events(b->watch, 0);
	assert_true(fd >= 0 && vhost_user_connect(b->v, fd));
}

static struct vdev *back_device(struct back *b, const char *spec)
{
	struct vdev_env env = { .mem = &b->mem, .main_loop = b->loop, .n_cpus = 1 };
	g_autofree char *name = NULL, *whole = g_strdup_printf("%s,id=back", spec);
	g_autoptr(GPtrArray) pairs = prop_split(whole, &name);
	const struct vdev_class *class = g_str_equal(name, "echo") ? &echo_class
								   : vdev_class_find(name);
	GError *err = NULL;
	struct vdev *dev = vdev_new(class, pairs, &env, &err);

	if (!dev)
		fail_msg("%s: %s", spec, err->message);
	return dev;
}

struct back *back_open(const char *path, const char *spec)
{
	struct back *b = g_new0(struct back, 1);

	b->loop = loop_new("back");
	b->dev = back_device(b, spec);
	b->v = vhost_user_new(b->dev, &b->mem, b->loop, back_ended, b, NULL);
	assert_non_null(b->v);
	assert_true(unix_listen(&b->listener, path, "back", NULL));
	b->watch = loop_watch(b->loop, b->listener.fd, G_IO_IN, back_called, b);
	loop_start(b->loop, NULL, NULL);
	return b;
}

static void back_stop(void *arg)
{
	struct back *b = arg;

	loop_unwatch(g_steal_pointer(&b->watch));
	unix_unlisten(&b->listener);
	vhost_user_free(b->v);
	vdev_free(b->dev);
}

void back_close(struct back *b)
{
	if (!b)
		return;
	loop_call(b->loop, back_stop, b);
	loop_free(b->loop);
	g_free(b);
}

struct vdev *back_dev(struct back *b)
{
	return b->dev;
}

struct loop *back_loop(struct back *b)
{
	return b->loop;
}

static struct back *kept;

struct back *back_kept(void)
{
	return kept;
}

void back_unkeep(void)
{
	back_close(g_steal_pointer(&kept));
}

void back_keep(const char *path, const char *spec)
{
	back_unkeep();
	kept = back_open(path, spec);
}
