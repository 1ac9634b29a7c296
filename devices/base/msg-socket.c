#include "devices/base/msg-socket.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct syscall_use msg_socket_syscalls[] = {
	{ .name = "recvmsg" },
	{ .name = "sendmsg" },
	{ .name = NULL },
};

void msg_socket_open(struct msg_socket *s, int fd, const struct msg_format *format, void *header,
		     void *payload)
{
	*s = (struct msg_socket){
		.fd = fd, .format = format, .header = header, .payload = payload
	};
}

void msg_socket_close(struct msg_socket *s)
{
	msg_socket_next(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void msg_socket_next(struct msg_socket *s)
{
	for (unsigned i = 0; i < s->n_fds; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	s->n_fds = 0;
	s->have = 0;
}

int msg_socket_take_fd(struct msg_socket *s, unsigned n)
{
	int fd = n < s->n_fds ? s->fds[n] : -1;

	if (n < s->n_fds)
		s->fds[n] = -1;
	return fd;
}

/* Those beyond MSG_FDS_MAX are closed. False if there were such. */
static bool msg_socket_keep_fds(struct msg_socket *s, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool fit = true;

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (s->n_fds < MSG_FDS_MAX) {
			s->fds[s->n_fds++] = fd;
		} else {
			close(fd);
			fit = false;
		}
	}
	return fit;
}

/* Where the next byte goes: behind the header the payload begins anew. */
static char *msg_socket_next_byte(struct msg_socket *s)
{
	size_t head = s->format->header_size;

	return s->have < head ? (char *)s->header + s->have : (char *)s->payload + (s->have - head);
}

/* recv() of up to @want bytes behind those it has. */
static ssize_t msg_socket_receive_some(struct msg_socket *s, size_t want, bool *ret_fds_fit)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 2 * MSG_FDS_MAX)];
	} control;
	struct iovec iov = { msg_socket_next_byte(s), want };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fds_fit = n < 0 || !(msg.msg_flags & MSG_CTRUNC);
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			*ret_fds_fit &= msg_socket_keep_fds(s, c);
	return n;
}

enum msg_received msg_socket_receive(struct msg_socket *s)
{
	const size_t head = s->format->header_size;
	bool fds_fit;

	for (;;) {
		ssize_t payload = s->have < head ? 0 : s->format->payload_size(s->header), n;
		size_t whole = head + (size_t)payload;

		if (payload < 0)
			return MESSAGE_BROKEN;
		if (s->have == whole)
			return MESSAGE_WHOLE;
		n = msg_socket_receive_some(s, whole - s->have, &fds_fit);
		if (!fds_fit)
			return MESSAGE_BROKEN;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? MESSAGE_MORE : MESSAGE_CLOSED;
		if (n == 0)
			return MESSAGE_CLOSED;
		s->have += (size_t)n;
	}
}

static void msg_add_fds(struct msghdr *msg, const struct msg_out *out)
{
	struct cmsghdr *c = msg->msg_control;

	msg->msg_controllen = CMSG_SPACE(sizeof(int) * out->n_fds);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * out->n_fds),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), out->fds, sizeof(int) * out->n_fds);
}

bool msg_send(int fd, const struct msg_out *out)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
	} control = { 0 };
	struct iovec iov[] = { { (void *)out->header, out->header_size },
			       { (void *)out->payload, out->payload_size } };
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = G_N_ELEMENTS(iov),
			      .msg_control = &control };

	g_assert(out->n_fds <= MSG_FDS_MAX);
	if (out->n_fds)
		msg_add_fds(&msg, out);
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)(out->header_size + out->payload_size);
}
