#include "tools/attack/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/eventfd.h"
#include "tools/attack/rings.h"

#define ANSWER_MS 20  /* to wait for an answer, which need not come: half a message has none */
#define TOUCH_US  500 /* for a device to touch what is not there any more */

void attack_files_init(struct attack_files *f)
{
	for (unsigned i = 0; i < N_ATTACK_FILES; i++)
		f->fd[i] = -1;
}

void attack_files_close(struct attack_files *f)
{
	for (unsigned i = FILE_SHORT; i < N_ATTACK_FILES; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	attack_files_init(f);
}

/* The other ends are nobody's. */
static bool files_open_pairs(struct attack_files *f)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	close(pair[0]);
	f->fd[FILE_PIPE] = pair[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return false;
	close(pair[1]);
	f->fd[FILE_SOCKET] = pair[0];
	return true;
}

bool attack_files_open(struct attack_files *f, GError **err)
{
	f->fd[FILE_SHORT] = memfd_create("ringside-short", MFD_CLOEXEC);
	f->fd[FILE_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (f->fd[FILE_SHORT] >= 0 && f->fd[FILE_NULL] >= 0 &&
	    ftruncate(f->fd[FILE_SHORT], ATTACK_PAGE) == 0 && files_open_pairs(f))
		return true;
	return ringside_error_errno(err, errno, "files for hostile messages");
}

/* One of its own for each session: it is shortened while it is mapped. */
static bool session_open_shrinks(struct attack_files *f)
{
	if (f->fd[FILE_SHRINKS] >= 0)
		close(f->fd[FILE_SHRINKS]);
	f->fd[FILE_SHRINKS] = memfd_create("ringside-shrinks", MFD_CLOEXEC);
	return f->fd[FILE_SHRINKS] >= 0 && ftruncate(f->fd[FILE_SHRINKS], ATTACK_MEMORY) == 0;
}

static bool session_send(const struct attack_files *f, int fd, const struct attack_message *msg)
{
	const struct vhu_header header = { msg->request, msg->flags, msg->size };
	int fds[ATTACK_FDS];

	for (unsigned i = 0; i < msg->n_fds; i++)
		fds[i] = f->fd[msg->fd[i]];
	return msg_send(fd, &(struct msg_out){ .header = &header,
					       .header_size = sizeof(header),
					       .payload = msg->payload,
					       .payload_size = msg->sent,
					       .fds = fds,
					       .n_fds = msg->n_fds });
}

/* Answers are read, or what was not seen to yet would be lost with the connection. The one to the
 * last message tells that all was, unless what came before has swallowed it. */
static bool session_drain(struct vhu_link *l)
{
	struct pollfd p = { .fd = l->s.fd, .events = POLLIN };
	const struct vhu_header last = { VHU_GET_QUEUE_NUM, VHU_VERSION, 0 };

	if (!msg_send(l->s.fd, &(struct msg_out){ .header = &last, .header_size = sizeof(last) }))
		return false;
	while (poll(&p, 1, ANSWER_MS) > 0) {
		enum msg_received got = msg_socket_receive(&l->s);
		uint32_t request = l->in.header.request;

		if (got == MESSAGE_MORE)
			continue;
		msg_socket_next(&l->s);
		if (got != MESSAGE_WHOLE || request == last.request)
			return got == MESSAGE_WHOLE;
	}
	return false;
}

bool attack_session(struct attack_files *f, struct attack_back_end *b,
		    const struct attack_input *in)
{
	struct vhu_link *l = &b->peer.link;
	bool taken;

	f->fd[FILE_MEMORY] = b->peer.memory_fd;
	f->fd[FILE_EVENT] = b->peer.queue[0].kick_fd;
	if (!session_open_shrinks(f))
		return false;
	for (unsigned i = 0; i < in->n_messages; i++)
		if (!session_send(f, l->s.fd, &in->message[i]))
			break; /* it has closed the connection */
	taken = session_drain(l);
	if (ftruncate(f->fd[FILE_SHRINKS], 0) == 0)
		eventfd_signal(f->fd[FILE_EVENT]);
	g_usleep(TOUCH_US);
	vhu_link_close(l);
	return taken;
}
