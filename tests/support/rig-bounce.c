/*
 * The link through our own front-end with memory=bounce: the device is served by vhost-user, and
 * its driver has a device of devices/vhost-user/ before it, which copies. The ring that the driver
 * has is of one format, and that of the device (by the link's options) of the other.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/backend/unix-listen.h"
#include "devices/registry.h"
#include "tests/support/rig-impl.h"
#include "transport/direct.h"
#include "transport/vhost-user/vhost-user.h"

struct bounce_link {
	struct vhost_user *back;
	struct vdev *front;
	struct loop *worker; /* the front-end's own */
	struct gmem mem;
	struct direct *direct;
	uint64_t queue[VDEV_QUEUES_MAX], config; /* interrupts already told of */
	char *spec;
	struct rig *r;
	GError *err;
	_Atomic bool opened;
};

static void rig_bounce_ended(void *opaque)
{
	(void)opaque;
}

static struct loop *rig_bounce_worker(void *opaque, const char *name)
{
	struct bounce_link *l = opaque;

	l->worker = loop_new(name);
	loop_start(l->worker, NULL, NULL);
	return l->worker;
}

/* On a thread of its own: it asks, and ours answers. */
static void *rig_bounce_open_front(void *arg)
{
	struct bounce_link *l = arg;
	struct vdev_env env = { .mem = &l->mem,
				.main_loop = l->r->main,
				.worker = rig_bounce_worker,
				.opaque = l,
				.n_cpus = 1 };
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(l->spec, &name);

	l->front = vdev_new(vdev_class_find(name), pairs, &env, &l->err);
	l->opened = true;
	g_main_context_wakeup(loop_context(l->r->main));
	return NULL;
}

static char *rig_bounce_spec(const struct rig *r, const char *socket)
{
	const struct vdev *dev = r->dev;

	return g_strdup_printf(
		"vhost-user,id=front,socket=%s,type=%u,queue-size=%u,memory=bounce,"
		"size=32M%s%s",
		socket, dev->type, dev->queue[0].size_max, r->link->variant ? ",ring=packed" : "",
		g_strcmp0(dev->class->name, "echo") == 0 ? ",queues=3,config-size=20" : "");
}

static void rig_bounce_connect(struct bounce_link *l)
{
	g_autofree char *path = g_build_filename(l->r->dir, "bounce", NULL);
	struct unix_listener listener = { .fd = -1 };
	pthread_t thread;
	int fd;

	assert_true(unix_listen(&listener, path, "bounce", NULL));
	l->spec = rig_bounce_spec(l->r, path);
	assert_int_equal(pthread_create(&thread, NULL, rig_bounce_open_front, l), 0);
	while ((fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
		g_usleep(100);
	assert_true(vhost_user_connect(l->back, fd));
	while (!l->opened)
		g_main_context_iteration(loop_context(l->r->main), TRUE);
	pthread_join(thread, NULL);
	unix_unlisten(&listener);
	if (!l->front)
		fail_msg("%s: %s", l->spec, l->err->message);
}

static void rig_bounce_link_open(struct rig *r)
{
	struct bounce_link *l = g_new0(struct bounce_link, 1);

	r->transport = l;
	l->r = r;
	/* This thread runs the loop that the back-end is on, so it serves it while it waits. */
	assert_true(g_main_context_acquire(loop_context(r->main)));
	l->mem = r->mem;
	r->mem = (struct gmem){ 0 };
	l->back = vhost_user_new(r->dev, &r->mem, r->main, rig_bounce_ended, l, &l->err);
	assert_non_null(l->back);
	rig_bounce_connect(l);
	l->direct = direct_new(l->front);
	direct_driver(l->direct, &r->driver);
	r->io = rig_io(r);
	r->driver.io = &r->io; /* to wait */
}

static void rig_bounce_link_close(struct rig *r)
{
	struct bounce_link *l = r->transport;

	direct_free(l->direct);
	vdev_free(l->front);
	loop_free(l->worker);
	vhost_user_free(l->back);
	g_main_context_release(loop_context(r->main));
	g_free(l->spec);
	g_free(l);
	rig_remember_memory(r);
}

static void rig_bounce_nothing(void *arg)
{
	(void)arg;
}

static void rig_bounce_interrupts(struct rig *r)
{
	struct bounce_link *l = r->transport;

	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		while (l->queue[q] != direct_queue_interrupts(l->direct, q)) {
			l->queue[q]++;
			rig_interrupted(r, q);
		}
	while (l->config != direct_config_interrupts(l->direct)) {
		l->config++;
		rig_config_interrupted(r);
	}
	loop_call_serving(l->worker, rig_bounce_nothing, NULL);
}

const struct rig_link_ops rig_bounce_ops = {
	.open = rig_bounce_link_open,
	.close = rig_bounce_link_close,
	.interrupts = rig_bounce_interrupts,
};
