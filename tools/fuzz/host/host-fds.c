/*
 * Descriptors that another program sends, and what is asked about them: recvmsg() with descriptors
 * of this harness, memory in "files", statx(), dup3(). (The linker's names, as in host-wrap.c.)
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/fuzz/host/host-int.h"

/* Sent with the next bytes, of whatever stream: the reader is the only one. File-scope like the
 * host itself. */
static struct {
	int fd[HOST_SENT_MAX];
	unsigned n;
	uint8_t *memory; /* of all files that are mapped */
	size_t bytes;
	uint8_t *own; /* of those that the code under test makes */
	size_t own_bytes;
	int pair;
	uint64_t pair_serial;
} sent;

void host_send_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < sent.n; i++) /* that nobody took */
		close(sent.fd[i]);
	if (n)
		memcpy(sent.fd, fds, n * sizeof(*fds));
	sent.n = n;
}

void host_memory(uint8_t *memory, size_t bytes)
{
	sent.memory = memory;
	sent.bytes = bytes;
}

void host_memfd(uint8_t *memory, size_t room)
{
	sent.own = memory;
	sent.own_bytes = room;
	sent.pair_serial = 0;
}

int host_pair(void)
{
	return sent.pair_serial && host_fd(sent.pair)->serial == sent.pair_serial &&
			       host_fd(sent.pair)->kind == HOST_STREAM
		       ? sent.pair
		       : -1;
}

void *host_map(int fd, size_t len, uint64_t off)
{
	const struct host_fd *f = host_fd(fd);

	if (f->kind != HOST_FILE || !f->memory || off > f->room || len > f->room - off) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	return f->memory + off;
}

int host_file_new(uint8_t *memory, size_t room, uint64_t size)
{
	int fd = host_fd_new(HOST_FILE);

	if (fd >= 0) {
		host_fd(fd)->memory = memory;
		host_fd(fd)->room = room;
		host_fd(fd)->count = size;
	}
	return fd;
}

static unsigned host_put_fds(struct msghdr *msg)
{
	size_t room = msg->msg_controllen < CMSG_LEN(0)
			      ? 0
			      : (msg->msg_controllen - CMSG_LEN(0)) / sizeof(int);
	unsigned n = sent.n < room ? sent.n : (unsigned)room;
	struct cmsghdr *c = msg->msg_control;

	msg->msg_flags = n < sent.n ? MSG_CTRUNC : 0;
	for (unsigned i = n; i < sent.n; i++)
		close(sent.fd[i]);
	sent.n = 0;
	if (!n)
		return 0;
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), sent.fd, n * sizeof(int));
	return n;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	gssize n;

	if (!host_fd_ours(fd))
		return __real_recvmsg(fd, msg, flags);
	n = host_read(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len);
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	msg->msg_flags = 0;
	if (!n || !sent.n || !host_put_fds(msg))
		msg->msg_controllen = 0;
	else
		msg->msg_controllen = ((struct cmsghdr *)msg->msg_control)->cmsg_len;
	return n;
}

int __real_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags)
{
	if (!host_fd_ours(from) || !host_fd_ours(to))
		return __real_dup3(from, to, flags);
	host_fd(to)->count = host_fd(from)->count;
	return to;
}

int __real_statx(int dir, const char *path, int flags, unsigned mask, struct statx *st);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *st);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
	if (!host_fd_ours(dir))
		return __real_statx(dir, path, flags, mask, st);
	*st = (struct statx){ .stx_blksize = 4096, .stx_size = host_fd(dir)->count };
	st->stx_mode = host_fd_kind(dir) == HOST_EVENT  ? 0
		       : host_fd_kind(dir) == HOST_FILE ? S_IFREG
							: S_IFSOCK;
	return 0;
}

int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len)
{
	return (sent.memory && (uintptr_t)at - (uintptr_t)sent.memory < sent.bytes) ||
			       (sent.own && at == sent.own)
		       ? 0
		       : __real_munmap(at, len);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
	return sent.memory ? host_file_new(sent.own, sent.own_bytes, 0)
			   : __real_memfd_create(name, flags);
}

int __real_socketpair(int domain, int type, int protocol, int pair[2]);
int __wrap_socketpair(int domain, int type, int protocol, int pair[2]);
int __wrap_socketpair(int domain, int type, int protocol, int pair[2])
{
	if (!host_now())
		return __real_socketpair(domain, type, protocol, pair);
	pair[0] = host_fd_new(HOST_STREAM);
	pair[1] = host_fd_new(HOST_STREAM);
	sent.pair = pair[0];
	sent.pair_serial = host_fd(pair[0])->serial;
	return 0;
}

/* Nothing of the host's files is seen. */
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_init1(int flags)
{
	if (!host_now())
		return __real_inotify_init1(flags);
	errno = ENOSYS;
	return -1;
}

int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
	if (!host_fd_ours(fd))
		return __real_ftruncate(fd, len);
	host_fd(fd)->count = (uint64_t)len;
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */
