#include "tests/support/vhost-user-front.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fd-message.h"
#include "transport/vhost-user/vhost-user.h"

void front_turn(void)
{
	if (!g_main_context_iteration(NULL, FALSE))
		g_usleep(20);
}

void front_open(struct front *f, struct vhost_user *v)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*f = (struct front){ .fd = pair[0], .backend_fd = -1, .events_fd = -1 };
	assert_true(vhost_user_connect(v, pair[1]));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void front_close(struct front *f)
{
	close_fd(&f->fd);
	close_fd(&f->backend_fd);
	close_fd(&f->events_fd);
}

bool front_send(struct front *f, uint32_t request, uint32_t flags, const void *payload,
		uint32_t size, const int *fds, unsigned n_fds)
{
	struct vhu_header header = { request, flags | VHU_VERSION, size };

	return send_any_message(f->fd, &(struct msg_out){ .header = &header,
							  .header_size = sizeof(header),
							  .payload = payload,
							  .payload_size = size,
							  .fds = fds,
							  .n_fds = n_fds });
}

/* recv(); *@fd: of the descriptors that came, the last. */
static ssize_t receive_some(const struct front *f, void *dst, size_t len, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { dst, len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(f->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(*fd));
	return n;
}

/* False: the connection was closed. */
static bool receive(struct front *f, void *dst, size_t len, int *fd)
{
	gint64 end = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;

	for (size_t done = 0; done < len;) {
		ssize_t n = receive_some(f, (char *)dst + done, len - done, fd);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n > 0)
			done += (size_t)n;
		else
			front_turn();
		if (g_get_monotonic_time() > end)
			fail_msg("no answer from the back-end");
	}
	return true;
}

int front_answer_fd(struct front *f, uint32_t request, void *payload, uint32_t size, int *ret_fd)
{
	struct vhu_header header;

	*ret_fd = -1;
	if (!receive(f, &header, sizeof(header), ret_fd))
		return -1;
	assert_int_equal(header.request, request);
	assert_int_equal(header.flags, VHU_VERSION | VHU_REPLY);
	assert_true(header.size <= size);
	assert_true(receive(f, payload, header.size, ret_fd));
	return (int)header.size;
}

int front_answer(struct front *f, uint32_t request, void *payload, uint32_t size)
{
	int fd, ret = front_answer_fd(f, request, payload, size, &fd);

	close_fd(&fd);
	return ret;
}

uint64_t front_get(struct front *f, uint32_t request)
{
	uint64_t value = 0;

	assert_true(front_send(f, request, 0, NULL, 0, NULL, 0));
	assert_int_equal(front_answer(f, request, &value, sizeof(value)), sizeof(value));
	return value;
}

bool front_set(struct front *f, uint32_t request, const void *payload, uint32_t size, int fd)
{
	uint64_t refused = 1;

	return front_send(f, request, VHU_NEED_REPLY, payload, size, &fd, fd >= 0) &&
	       front_answer(f, request, &refused, sizeof(refused)) == sizeof(refused) && !refused;
}

bool front_set_u64(struct front *f, uint32_t request, uint64_t value, int fd)
{
	return front_set(f, request, &value, sizeof(value), fd);
}

bool front_set_state(struct front *f, uint32_t request, unsigned index, uint32_t value)
{
	struct vhu_state state = { index, value };

	return front_set(f, request, &state, sizeof(state), -1);
}

void front_begin(struct front *f, uint64_t wanted)
{
	uint64_t has = front_get(f, VHU_GET_PROTOCOL_FEATURES) & wanted;
	int pair[2];

	assert_true(front_send(f, VHU_SET_PROTOCOL_FEATURES, 0, &has, sizeof(has), NULL, 0));
	assert_true(front_send(f, VHU_SET_OWNER, 0, NULL, 0, NULL, 0));
	if (!(has >> VHU_PF_BACKEND_REQ & 1))
		return;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->backend_fd = pair[0];
	f->events_fd = pair[1];
	assert_true(front_set(f, VHU_SET_BACKEND_REQ_FD, NULL, 0, f->events_fd));
}

unsigned front_config_changes(struct front *f)
{
	struct vhu_header header;
	unsigned n = 0;

	while (f->backend_fd >= 0 &&
	       recv(f->backend_fd, &header, sizeof(header), MSG_DONTWAIT) == sizeof(header)) {
		assert_int_equal(header.request, VHU_BACKEND_CONFIG_CHANGE);
		assert_int_equal(header.size, 0);
		n++;
	}
	return n;
}
