#include "tests/support/fd-message.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#define FDS_MAX 32u

bool send_any_message(int fd, const struct msg_out *out)
{
	size_t bytes = sizeof(int) * out->n_fds;
	struct iovec iov[] = { { (void *)out->header, out->header_size },
			       { (void *)out->payload, out->payload_size } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = out->payload_size ? 2 : 1 };

	g_assert(out->n_fds <= FDS_MAX);
	if (out->n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(bytes);
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(bytes),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), out->fds, bytes);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)(out->header_size + out->payload_size);
}
