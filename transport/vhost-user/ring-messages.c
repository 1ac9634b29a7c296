/* What a front-end says of a ring: its place, its descriptors, and that it is to run. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

static struct vhu_ring *vhu_ring_of(struct vhost_user *v, uint64_t index)
{
	return index < v->dev->n_queues ? &v->ring[index] : NULL;
}

const char vhu_no_such_ring[] = "a queue that the device does not have";

const char *vhu_set_vring_num(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->state.index);

	if (!r)
		return vhu_no_such_ring;
	if (!m->p->state.value || m->p->state.value > VRING_QUEUE_SIZE_MAX)
		return "a queue size that there is not";
	vhu_ring_stop(v, m->p->state.index);
	r->size = (uint16_t)m->p->state.value;
	return vhu_ring_settle(v, m->p->state.index);
}

const char *vhu_set_vring_addr(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->addr.index);

	if (!r)
		return vhu_no_such_ring;
	vhu_ring_stop(v, m->p->addr.index);
	r->addr = m->p->addr;
	r->has_addr = true;
	return vhu_ring_settle(v, m->p->addr.index);
}

const char *vhu_set_vring_base(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->state.index);

	if (!r)
		return vhu_no_such_ring;
	if (r->running)
		return "another base for a ring that runs";
	r->base = m->p->state.value;
	return NULL;
}

/* The ring is the front-end's again: it starts anew with a kick descriptor. */
const char *vhu_get_vring_base(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->state.index);

	if (!r)
		return vhu_no_such_ring;
	vhu_ring_stop(v, m->p->state.index);
	r->has_kick = false;
	m->p->state.value = r->base;
	return NULL;
}

const char *vhu_set_vring_enable(struct vhost_user *v, struct vhu_message *m)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->state.index);

	if (!r)
		return vhu_no_such_ring;
	r->enabled = m->p->state.value != 0;
	if (!r->enabled)
		vhu_ring_stop(v, m->p->state.index);
	return r->enabled ? vhu_ring_settle(v, m->p->state.index) : NULL;
}

int vhu_eventfd_of(struct vhost_user *v, bool none)
{
	int fd = none ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : msg_socket_take_fd(&v->socket, 0);

	if (given_eventfd(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

const char vhu_no_descriptor[] = "without the descriptor that belongs to it";

const char *vhu_set_vring_kick(struct vhost_user *v, struct vhu_message *m)
{
	unsigned q = m->p->u64 & VHU_QUEUE_MASK;
	struct vhu_ring *r = vhu_ring_of(v, q);
	int fd, ret;

	if (!r)
		return vhu_no_such_ring;
	if (m->p->u64 & VHU_NO_FD)
		return "a ring that is to be polled: not supported";
	fd = vhu_eventfd_of(v, false);
	if (fd < 0)
		return vhu_no_descriptor;
	vhu_ring_stop(v, q);
	ret = vdev_queue_set_kick_fd(v->dev, q, fd);
	close(fd);
	if (ret < 0)
		return g_strerror(-ret);
	r->has_kick = true;
	return vhu_ring_settle(v, q);
}

static const char *vhu_replace_fd(struct vhost_user *v, struct vhu_message *m, size_t which)
{
	struct vhu_ring *r = vhu_ring_of(v, m->p->u64 & VHU_QUEUE_MASK);
	int fd, ret;

	if (!r)
		return vhu_no_such_ring;
	fd = vhu_eventfd_of(v, m->p->u64 & VHU_NO_FD);
	if (fd < 0)
		return vhu_no_descriptor;
	ret = dup3(fd, G_STRUCT_MEMBER(int, r, which), O_CLOEXEC) < 0 ? errno : 0;
	close(fd);
	return ret ? g_strerror(ret) : NULL;
}

/* What was to be told before it came is told now. */
const char *vhu_set_vring_call(struct vhost_user *v, struct vhu_message *m)
{
	unsigned q = m->p->u64 & VHU_QUEUE_MASK;
	const char *wrong = vhu_replace_fd(v, m, offsetof(struct vhu_ring, call_fd));

	if (wrong || !v->ring[q].running)
		return wrong;
	vdev_call_changed(v->dev, q);
	eventfd_signal(v->ring[q].call_fd);
	return NULL;
}

const char *vhu_set_vring_err(struct vhost_user *v, struct vhu_message *m)
{
	return vhu_replace_fd(v, m, offsetof(struct vhu_ring, err_fd));
}
