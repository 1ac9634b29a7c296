/*
 * The log of pages that the device writes, which front-ends want while they copy memory that is in
 * use (migration): a bit for each page, from guest address 0 on, in a file of theirs.
 *
 * The device's own log (virtqueue/gmem.h) is written there. It is on while VHOST_F_LOG_ALL is among
 * the features and there is a file; whether a ring is in it, SET_VRING_ADDR says (rings.c). Rings
 * are stopped while it comes, goes or moves, so all that was written before is in the log that was
 * there then.
 */
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

/* Bits are set in words of eight bytes, which may be longer than the log is, by less than one. */
static uint64_t vhu_log_pages(const struct vhost_user *v)
{
	return v->log_size * 8;
}

void vhu_log_settle(struct vhost_user *v)
{
	struct gmem *mem = v->memory.mem;

	if (v->features >> VHU_F_LOG_ALL & 1 && v->log.bytes)
		gmem_log_to(mem, (void *)v->log.bytes, vhu_log_pages(v));
	else
		gmem_log_stop(mem);
}

bool vhu_log_covers_memory(const struct vhost_user *v)
{
	const struct gmem *mem = v->memory.mem;

	for (unsigned i = 0; mem->log && i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];

		if ((r->gpa + (r->len - 1)) / GMEM_PAGE >= mem->log_pages)
			return false;
	}
	return true;
}

void vhu_log_tell(const struct vhost_user *v)
{
	if (v->log_fd >= 0 && v->memory.mem->log)
		eventfd_signal(v->log_fd);
}

void vhu_log_forget(struct vhost_user *v)
{
	gmem_log_stop(v->memory.mem);
	given_unmap(&v->log);
	eventfd_close(&v->log_fd);
}

/* The one that it had is not written any more when the answer is sent. */
const char *vhu_set_log_base(struct vhost_user *v, struct vhu_message *m)
{
	const struct vhu_area area = m->p->area;
	int fd = msg_socket_take_fd(&v->socket, 0);
	struct given_map log = { 0 };
	const char *wrong = fd < 0 ? vhu_no_descriptor
			    : area.offset % sizeof(uint64_t)
				    ? "a log that does not begin at a multiple of 8 bytes"
				    : given_map(&log, fd, area.offset, area.size, GIVEN_SHARED);

	if (fd >= 0)
		close(fd);
	if (wrong)
		return wrong;
	vhu_rings_stop(v);
	given_unmap(&v->log);
	v->log = log;
	v->log_size = area.size;
	vhu_log_settle(v);
	m->p->u64 = 0;
	m->size = sizeof(m->p->u64);
	return vhu_rings_settle(v);
}

const char *vhu_set_log_fd(struct vhost_user *v, struct vhu_message *m)
{
	int fd = vhu_eventfd_of(v, false);

	(void)m;
	if (fd < 0)
		return vhu_no_descriptor;
	vhu_rings_stop(v);
	eventfd_close(&v->log_fd);
	v->log_fd = fd;
	return vhu_rings_settle(v);
}
