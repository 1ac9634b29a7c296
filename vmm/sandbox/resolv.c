/*
 * The one file that is looked up again and again: /etc/resolv.conf.
 *
 * It is replaced when the host comes to another network: by another file of its name, or the one
 * that a link leads to is. So a descriptor that was opened before the process was shut in goes
 * stale, and a name cannot be let through a filter, nor one file by its name alone out of a
 * directory. So there is a process beside this one, with all the names of the host, which does one
 * thing: asked by a byte, it opens that file and sends the descriptor. What it is asked has no
 * content, so there is nothing it could be talked into; its own filter allows what this takes. It
 * ends when the socket between them closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox/sandbox-int.h"

/* What is sent for each byte: why there is no file, or 0 and its descriptor. */
struct reply {
	struct iovec iov;
	struct msghdr msg;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
};

static void prepare(struct reply *r, int *error)
{
	memset(r, 0, sizeof(*r));
	r->iov = (struct iovec){ error, sizeof(*error) };
	r->msg.msg_iov = &r->iov;
	r->msg.msg_iovlen = 1;
	r->msg.msg_control = r->control.bytes;
	r->msg.msg_controllen = sizeof(r->control.bytes);
}

/*
 * The other process.
 */

/* As _exit() does; before a call of that, the address sanitizer makes calls that the filter knows
 * nothing of. */
static void resolv_leave(int status)
{
	(void)syscall(SYS_exit_group, status);
}

static void resolv_answer(int sock)
{
	int fd = open(SYSCALLS_RESOLV, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = fd < 0 ? errno : 0;
	struct cmsghdr *c;
	struct reply r;

	prepare(&r, &error);
	if (fd < 0) {
		r.msg.msg_controllen = 0;
	} else {
		c = CMSG_FIRSTHDR(&r.msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &r.msg, MSG_NOSIGNAL) < 0)
		resolv_leave(1);
	if (fd >= 0)
		close(fd);
}

/* Nothing of what the process had open stays but @sock, as descriptor 0. */
static int keep_one(int sock)
{
	if (dup2(sock, 0) < 0)
		return -errno;
	return close_range(1, ~0u, 0) == 0 ? 0 : -errno;
}

static void resolv_serve(int sock) G_GNUC_NORETURN;
static void resolv_serve(int sock)
{
	char byte;

	prctl(PR_SET_NAME, "ringside-resolv");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (keep_one(sock) < 0 || sandbox_drop_capabilities() < 0 || sandbox_seal_opener() < 0)
		_exit(1);
	while (read(0, &byte, 1) == 1)
		resolv_answer(0);
	for (;;)
		resolv_leave(0);
}

int sandbox_resolv_start(void)
{
	sigset_t all, old;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	sigfillset(&all); /* the terminal's signals are for the other one */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0)
		resolv_serve(pair[1]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	return -EAGAIN;
}

/*
 * This process, from a signal handler.
 */
int sandbox_resolv_ask(int sock)
{
	int error = 0, fd = -1;
	struct cmsghdr *c;
	struct reply r;

	prepare(&r, &error);
	if (sock < 0 || write(sock, "", 1) != 1 ||
	    recvmsg(sock, &r.msg, MSG_CMSG_CLOEXEC) != sizeof(error))
		return -ENOENT;
	c = CMSG_FIRSTHDR(&r.msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd >= 0 ? fd : -(error ? error : ENOENT);
}
