/* The life of a connection, and what the device tells the driver through it. */
#include "transport/vhost-user/vhost-user.h"

#include <fcntl.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

static const struct syscall_use vhost_user_other_syscalls[] = {
	{ .name = "dup3" },
	{ .name = "eventfd2" },
	{ .name = NULL },
};

const struct syscall_use vhost_user_queue_syscalls[] = {
	{ .name = "sendmsg" },
	{ .name = NULL },
};

const struct syscall_use *const vhost_user_syscalls[] = { msg_socket_syscalls, given_syscalls,
							  vhu_inflight_syscalls,
							  vhost_user_other_syscalls, NULL };

/*
 * From the device.
 */
static void vhost_user_queue_changed(struct vdev *dev, unsigned q)
{
	const struct vhost_user *v = dev->transport_data;

	vhu_log_tell(v);
	eventfd_signal(v->ring[q].call_fd);
}

static int vhost_user_queue_call_fd(struct vdev *dev, unsigned q)
{
	const struct vhost_user *v = dev->transport_data;

	return v->ring[q].call_fd;
}

/* A front-end that does not take the message has one to read already, or is not well. */
static void vhost_user_config_changed(struct vdev *dev)
{
	struct vhost_user *v = dev->transport_data;

	pthread_mutex_lock(&v->lock);
	if (v->backend_fd >= 0 && v->wants_config)
		(void)vhu_send(v->backend_fd, VHU_BACKEND_CONFIG_CHANGE, 0, NULL, 0);
	pthread_mutex_unlock(&v->lock);
	if (vdev_status(dev) & VIRTIO_S_NEEDS_RESET)
		for (unsigned q = 0; q < dev->n_queues; q++)
			eventfd_signal(v->ring[q].err_fd);
}

static const struct vdev_transport_ops vhost_user_ops = {
	.queue_changed = vhost_user_queue_changed,
	.queue_call_fd = vhost_user_queue_call_fd,
	.config_changed = vhost_user_config_changed,
	.keeps_control = true,
	.untold_queue_size = 1024, /* no front-end known to us makes larger ones */
};

/*
 * Connections.
 */

/* What the front-end set up is forgotten; its descriptors give place to ones of our own. */
static void vhost_user_forget_rings(struct vhost_user *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		struct vhu_ring *ring = &v->ring[q];
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd >= 0) {
			(void)vdev_queue_set_kick_fd(v->dev, q, fd);
			(void)dup3(fd, ring->call_fd, O_CLOEXEC);
			(void)dup3(fd, ring->err_fd, O_CLOEXEC);
			close(fd);
		}
		*ring = (struct vhu_ring){ .call_fd = ring->call_fd, .err_fd = ring->err_fd };
	}
}

static void vhost_user_disconnect(struct vhost_user *v)
{
	loop_unwatch(g_steal_pointer(&v->watch));
	vhu_reset(v);
	vhost_user_forget_rings(v);
	vhu_state_forget(v);
	vhu_inflight_forget(v);
	vhu_log_forget(v);
	vhu_memory_clear(&v->memory);
	msg_socket_close(&v->socket);
	pthread_mutex_lock(&v->lock);
	eventfd_close(&v->backend_fd);
	v->wants_config = false;
	pthread_mutex_unlock(&v->lock);
	v->features = v->protocol = 0;
	v->status = 0;
	v->lost = false;
}

static void vhost_user_complain(struct vhost_user *v, const char *wrong)
{
	uint32_t request = v->in.header.request;
	bool whole = v->socket.have >= sizeof(v->in.header);
	const char *name = whole ? vhu_request_name(request) : "half a header";
	g_autofree char *number = g_strdup_printf("message %u", request);

	g_log("ringside", G_LOG_LEVEL_WARNING, "%s: front-end: %s: %s; the connection is closed",
	      vdev_name(v->dev), name ? name : number, wrong);
}

/* False: the connection is over. */
static bool vhost_user_serve(struct vhost_user *v)
{
	const char *wrong = NULL;

	switch (msg_socket_receive(&v->socket)) {
	case MESSAGE_MORE:
		return true;
	case MESSAGE_CLOSED:
		return false;
	case MESSAGE_BROKEN:
		wrong = "no message of vhost-user";
		break;
	case MESSAGE_WHOLE:
		wrong = vhu_serve(v);
		break;
	}
	if (wrong)
		vhost_user_complain(v, wrong);
	msg_socket_next(&v->socket);
	return !wrong;
}

static void vhost_user_end(struct vhost_user *v)
{
	vhost_user_disconnect(v);
	v->ended(v->opaque);
}

/* One message at a time: to stop a ring may take as long as the host's I/O, and the loop goes on
 * meanwhile. If another comes then, it has to wait; not before, as pausing a watch and taking it up
 * again wakes up the loop each time. */
static void vhost_user_on_socket(void *arg, GIOCondition revents)
{
	struct vhost_user *v = arg;

	(void)revents;
	if (v->serving) {
		loop_watch_events(v->watch, 0);
		return;
	}
	v->serving = true;
	if (!vhost_user_serve(v))
		v->lost = true;
	v->serving = false;
	if (v->lost)
		vhost_user_end(v);
	else
		loop_watch_events(v->watch, G_IO_IN);
}

/* The device had zeroes instead. */
static void vhost_user_on_lost(void *arg, GIOCondition revents)
{
	struct vhost_user *v = arg;
	uint64_t count;

	(void)revents;
	if (read(v->lost_fd, &count, sizeof(count)) != sizeof(count) || !v->watch || v->lost)
		return;
	g_log("ringside", G_LOG_LEVEL_WARNING,
	      "%s: front-end: a file that it shares has become shorter; the connection is closed",
	      vdev_name(v->dev));
	v->lost = true;
	if (!v->serving) /* else it ends when its message is done */
		vhost_user_end(v);
}

bool vhost_user_connect(struct vhost_user *v, int fd)
{
	if (v->watch) {
		close(fd);
		return false;
	}
	msg_socket_open(&v->socket, fd, &vhu_format, &v->in.header, &v->in.payload);
	v->watch = loop_watch(v->main, fd, G_IO_IN, vhost_user_on_socket, v);
	return true;
}

/*
 * Making and freeing.
 */
static bool vhost_user_open_rings(struct vhost_user *v, GError **err)
{
	bool ok = eventfd_open(&v->lost_fd, "vhost-user", err);

	for (unsigned q = 0; q < v->dev->n_queues; q++)
		v->ring[q].call_fd = v->ring[q].err_fd = -1;
	for (unsigned q = 0; q < v->dev->n_queues && ok; q++)
		ok = eventfd_open(&v->ring[q].call_fd, "vhost-user", err) &&
		     eventfd_open(&v->ring[q].err_fd, "vhost-user", err);
	return ok;
}

struct vhost_user *vhost_user_new(struct vdev *dev, struct gmem *mem, struct loop *main,
				  void (*ended)(void *opaque), void *opaque, GError **err)
{
	struct vhost_user *v = g_new0(struct vhost_user, 1);

	v->dev = dev;
	v->main = main;
	v->ended = ended;
	v->opaque = opaque;
	v->socket.fd = -1;
	v->lost_fd = v->backend_fd = v->log_fd = v->transfer.fd = -1;
	pthread_mutex_init(&v->lock, NULL);
	vhu_memory_init(&v->memory, mem);
	vdev_attach(dev, &vhost_user_ops, v);
	if (!vhost_user_open_rings(v, err)) {
		vhost_user_free(v);
		return NULL;
	}
	v->lost_watch = loop_watch(main, v->lost_fd, G_IO_IN, vhost_user_on_lost, v);
	given_tell(v->lost_fd);
	return v;
}

void vhost_user_free(struct vhost_user *v)
{
	if (!v)
		return;
	if (v->watch)
		vhost_user_disconnect(v);
	given_tell(-1);
	if (v->lost_watch)
		loop_unwatch(v->lost_watch);
	eventfd_close(&v->lost_fd);
	vdev_detach(v->dev);
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		eventfd_close(&v->ring[q].call_fd);
		eventfd_close(&v->ring[q].err_fd);
	}
	pthread_mutex_destroy(&v->lock);
	g_free(v);
}
