#include "transport/vhost-user/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct syscall_use vhu_socket_syscalls[] = {
	{ .name = "recvmsg" },
	{ .name = "sendmsg" },
	{ .name = NULL },
};

void vhu_socket_open(struct vhu_socket *s, int fd)
{
	*s = (struct vhu_socket){ .fd = fd };
}

void vhu_socket_close(struct vhu_socket *s)
{
	vhu_socket_next(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void vhu_socket_next(struct vhu_socket *s)
{
	for (unsigned i = 0; i < s->n_fds; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	s->n_fds = 0;
	s->have = 0;
}

int vhu_socket_take_fd(struct vhu_socket *s, unsigned n)
{
	int fd = n < s->n_fds ? s->fds[n] : -1;

	if (n < s->n_fds)
		s->fds[n] = -1;
	return fd;
}

/* Those beyond VHU_FDS_MAX are closed. False if there were such. */
static bool vhu_socket_keep_fds(struct vhu_socket *s, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool fit = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (s->n_fds < VHU_FDS_MAX) {
			s->fds[s->n_fds++] = fd;
		} else {
			close(fd);
			fit = false;
		}
	}
	return fit;
}

/* Where the next byte goes: behind the header the payload begins anew. */
static char *vhu_socket_next_byte(struct vhu_socket *s)
{
	size_t head = sizeof(s->in.header);

	return s->have < head ? (char *)&s->in.header + s->have
			      : (char *)s->in.payload.bytes + (s->have - head);
}

/* recv() of up to @want bytes behind those it has. */
static ssize_t vhu_socket_receive_some(struct vhu_socket *s, size_t want, bool *ret_fds_fit)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 2 * VHU_FDS_MAX)];
	} control;
	struct iovec iov = { vhu_socket_next_byte(s), want };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fds_fit = n < 0 || !(msg.msg_flags & MSG_CTRUNC);
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			*ret_fds_fit &= vhu_socket_keep_fds(s, c);
	return n;
}

static bool vhu_header_is_sound(const struct vhu_header *h)
{
	return (h->flags & VHU_VERSION_MASK) == VHU_VERSION && h->size <= VHU_PAYLOAD;
}

enum vhu_received vhu_socket_receive(struct vhu_socket *s)
{
	size_t whole = sizeof(s->in.header);
	bool fds_fit;

	for (;;) {
		ssize_t n;

		if (s->have >= sizeof(s->in.header)) {
			if (!vhu_header_is_sound(&s->in.header))
				return VHU_BROKEN;
			whole = sizeof(s->in.header) + s->in.header.size;
		}
		if (s->have == whole)
			return VHU_MESSAGE;
		n = vhu_socket_receive_some(s, whole - s->have, &fds_fit);
		if (!fds_fit)
			return VHU_BROKEN;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? VHU_MORE : VHU_CLOSED;
		if (n == 0)
			return VHU_CLOSED;
		s->have += (size_t)n;
	}
}

bool vhu_send(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size)
{
	struct vhu_header header = { request, flags | VHU_VERSION, size };
	struct iovec iov[] = { { &header, sizeof(header) }, { (void *)payload, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = G_N_ELEMENTS(iov) };

	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(sizeof(header) + size);
}
