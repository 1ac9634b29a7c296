/*
 * What is in flight, in memory that the front-end keeps for us: should this process end, of
 * whatever, the next one gets it back, and goes on with what was not completed
 * (virtqueue/vq-inflight.c, which also says what is in it: that is the back-end's business).
 *
 * A buffer has an account for each queue, one after the other, in equal shares. It is in use from
 * SET_INFLIGHT_FD until the device is reset.
 *
 * The queue size that a front-end asks with is the one that it offers its driver, and a driver may
 * be let choose a larger one (QEMU 10.0 asks for 128 and starts a ring of 1024). So a share of ours
 * has room for any; what no ring uses of it costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

const struct syscall_use vhu_inflight_syscalls[] = {
	{ .name = "memfd_create" },
	{ .name = "ftruncate" },
	{ SYSCALL_FCNTL(F_ADD_SEALS) },
	{ .name = NULL },
};

static const char *vhu_inflight_check(const struct vhost_user *v, const struct vhu_message *m)
{
	const struct vhu_inflight *i = &m->p->inflight;

	if (m->size < VHU_INFLIGHT_MIN || m->size > sizeof(*i))
		return "a payload of another size than such a message has";
	if (!i->n_queues || i->n_queues > v->dev->n_queues)
		return vhu_no_such_ring;
	if (!i->queue_size || i->queue_size > VRING_QUEUE_SIZE_MAX)
		return "a queue size that there is not";
	return NULL;
}

/* A queue's share of a buffer that somebody gives us. */
static uint64_t vhu_inflight_share(const struct vhu_inflight *i)
{
	return (i->size / i->n_queues) & ~(uint64_t)63;
}

/* Zeroes, which nobody can make shorter. */
static int vhu_inflight_file(uint64_t bytes)
{
	int fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

const char *vhu_get_inflight_fd(struct vhost_user *v, struct vhu_message *m)
{
	const char *wrong = vhu_inflight_check(v, m);

	if (wrong)
		return wrong;
	m->p->inflight.size = m->p->inflight.n_queues *
			      (uint64_t)vq_inflight_bytes(VRING_QUEUE_SIZE_MAX);
	m->p->inflight.offset = 0;
	m->fd = vhu_inflight_file(m->p->inflight.size);
	return m->fd < 0 ? "there is no memory for it" : NULL;
}

const char *vhu_set_inflight_fd(struct vhost_user *v, struct vhu_message *m)
{
	const struct vhu_inflight i = m->p->inflight;
	int fd = msg_socket_take_fd(&v->socket, 0);
	struct given_map map = { 0 };
	const char *wrong = vhu_inflight_check(v, m);

	if (!wrong && fd < 0)
		wrong = vhu_no_descriptor;
	if (!wrong && (vhu_inflight_share(&i) < vq_inflight_bytes(i.queue_size) ||
		       i.offset % sizeof(uint64_t)))
		wrong = "a buffer that is too small for its queues, or not aligned";
	if (!wrong)
		wrong = given_map(&map, fd, i.offset, i.size, GIVEN_SHARED);
	if (fd >= 0)
		close(fd);
	if (wrong)
		return wrong;
	vhu_inflight_forget(v);
	v->inflight = map;
	v->inflight_queues = i.n_queues;
	v->inflight_share = vhu_inflight_share(&i);
	return vhu_rings_settle(v);
}

void vhu_inflight_forget(struct vhost_user *v)
{
	vhu_rings_stop(v);
	given_unmap(&v->inflight);
	v->inflight_share = v->inflight_queues = 0;
}

const char *vhu_inflight_settle(struct vhost_user *v, unsigned q)
{
	struct vq_inflight_area *area = NULL;

	if (q < v->inflight_queues) {
		if (vq_inflight_bytes(v->ring[q].size) > v->inflight_share)
			return "a ring that is larger than the buffer for what is in flight";
		area = (void *)(v->inflight.bytes + q * v->inflight_share);
	}
	vdev_queue_set_inflight(v->dev, q, area);
	return NULL;
}

/* Who was here before may have ended between what he showed the driver and his telling it. */
void vhu_inflight_tell(const struct vhost_user *v, unsigned q)
{
	if (q < v->inflight_queues)
		eventfd_signal(v->ring[q].call_fd);
}
