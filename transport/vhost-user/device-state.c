/*
 * The device's state (docs/state.md) on its way to another back-end: out of a device whose rings
 * are stopped, through a pipe of the front-end's, and into another one.
 *
 * Nobody waits for the pipe: it is written as it takes the bytes, and read as they come, and
 * CHECK_DEVICE_STATE says what became of it; a front-end has closed its end by then. What comes in
 * is a record from anywhere, and refused with one line if it does not fit.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "devices/core/state.h"
#include "transport/vhost-user/vhost-user-impl.h"

#define RECORD_MAX ((size_t)4 << 20) /* bytes: no device has as much */
#define PIECE      4096u

static void vhu_state_end(struct vhost_user *v)
{
	struct vhu_transfer *t = &v->transfer;

	g_clear_pointer(&t->watch, loop_unwatch);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void vhu_state_forget(struct vhost_user *v)
{
	vhu_state_end(v);
	g_clear_pointer(&v->transfer.bytes, g_byte_array_unref);
	v->transfer.load = v->transfer.ended = false;
	v->transfer.done = 0;
}

static bool vhu_state_write(struct vhu_transfer *t)
{
	while (t->done < t->bytes->len) {
		ssize_t n = write(t->fd, t->bytes->data + t->done, t->bytes->len - t->done);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		t->done += (size_t)n;
	}
	return true;
}

/* True: there may be more. */
static bool vhu_state_read(struct vhu_transfer *t)
{
	uint8_t piece[PIECE];
	ssize_t n;

	while ((n = read(t->fd, piece, sizeof(piece))) > 0 && t->bytes->len <= RECORD_MAX)
		g_byte_array_append(t->bytes, piece, (guint)n);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	t->ended = n == 0;
	return false;
}

/* Goes on with it, as far as the other side does; and ends it. */
static void vhu_state_go_on(struct vhost_user *v)
{
	struct vhu_transfer *t = &v->transfer;

	if (t->fd < 0)
		return;
	if (t->load ? vhu_state_read(t) : vhu_state_write(t) && t->done < t->bytes->len)
		return;
	vhu_state_end(v);
}

static void vhu_state_on_fd(void *arg, GIOCondition revents)
{
	struct vhost_user *v = arg;

	(void)revents;
	vhu_state_go_on(v);
}

/*
 * Out.
 */
static bool vhu_state_save(struct vhost_user *v, GError **err)
{
	bool ok;

	vdev_pause(v->dev);
	ok = vdev_state_save(v->dev, v->transfer.bytes, err);
	vdev_resume(v->dev);
	return ok;
}

/*
 * In.
 */

/* What the front-end could not have made of the device by its messages. */
static bool vhu_state_fits(const struct vdev_state *s)
{
	bool ok = !s->accepted.w[1] && !s->legacy;

	for (unsigned q = 0; q < s->n_queues; q++)
		ok = ok && !s->queue[q].enabled;
	return ok;
}

/* The device has it; what the front-end is known to have set goes with it. */
static bool vhu_state_adopt(struct vhost_user *v)
{
	struct vdev_state *s = g_new(struct vdev_state, 1);
	bool ok;

	vdev_state_get(v->dev, s);
	ok = vhu_state_fits(s);
	if (ok && s->status & VIRTIO_S_FEATURES_OK)
		v->features = s->accepted.w[0] | (v->features & VHU_F_OWN);
	g_free(s);
	return ok;
}

static bool vhu_state_put(struct vhost_user *v, GError **err)
{
	const GByteArray *bytes = v->transfer.bytes;

	vdev_pause(v->dev);
	if (!vdev_state_load(v->dev, bytes->data, bytes->len, err))
		return false;
	if (!vhu_state_adopt(v))
		return ringside_usage(err,
				      "%s: state: it is not that of a device by vhost-user whose "
				      "rings are stopped",
				      vdev_name(v->dev));
	vdev_resume(v->dev);
	return true;
}

static bool vhu_state_load(struct vhost_user *v)
{
	GError *err = NULL;

	if (v->transfer.ended && !vhu_any_ring_runs(v) && vhu_state_put(v, &err))
		return true;
	g_log("ringside", G_LOG_LEVEL_WARNING, "%s",
	      err ? err->message : "a device's state that did not come to its end");
	g_clear_error(&err);
	vhu_reset(v);
	v->features &= VHU_F_OWN;
	return false;
}

/*
 * Messages.
 */
static bool vhu_state_begin(struct vhost_user *v, const struct vhu_transfer_of *how, int fd)
{
	struct vhu_transfer *t = &v->transfer;
	GError *err = NULL;

	vhu_state_forget(v);
	t->bytes = g_byte_array_new();
	t->load = how->direction == VHU_STATE_LOAD;
	if (!t->load && !vhu_state_save(v, &err)) {
		g_log("ringside", G_LOG_LEVEL_WARNING, "%s", err->message);
		g_clear_error(&err);
		return false;
	}
	t->fd = fd;
	t->watch = loop_watch(v->main, fd, t->load ? G_IO_IN : G_IO_OUT, vhu_state_on_fd, v);
	return true;
}

/* Of another kind is nothing that can be read or written without waiting for others. */
static bool vhu_state_is_channel(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

const char *vhu_set_device_state_fd(struct vhost_user *v, struct vhu_message *m)
{
	const struct vhu_transfer_of how = m->p->transfer;
	int fd = msg_socket_take_fd(&v->socket, 0);
	bool ok = vhu_state_is_channel(fd);
	const char *wrong = NULL;

	if (!ok)
		wrong = vhu_no_descriptor;
	else if (how.direction > VHU_STATE_LOAD || how.phase != 0)
		wrong = "a direction or a phase that there is not";
	else if (vhu_any_ring_runs(v))
		wrong = "a transfer of the state while a ring runs";
	else
		ok = vhu_state_begin(v, &how, fd);
	if (fd >= 0 && (wrong || !ok))
		close(fd);
	m->p->u64 = VHU_NO_FD | !ok;
	m->size = sizeof(m->p->u64);
	return wrong;
}

const char *vhu_check_device_state(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_transfer *t = &v->transfer;

	if (!t->bytes)
		return "there was no transfer";
	vhu_state_go_on(v);
	m->p->u64 = t->load ? !vhu_state_load(v) : t->done < t->bytes->len;
	vhu_state_forget(v);
	return NULL;
}
