/*
 * Sockets, for libslirp: a library of its own, so these are defined and not wrapped, and the
 * dynamic linker gives them to everybody. Connections are HOST_STREAM, datagrams HOST_PACKET;
 * whoever is at their other end is the input. They are had only where a target asks for them
 * (host_sockets()).
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/language/trace.h"

#define HOST_PORT 2222u  /* of what listens: hostfwd= */
#define PEER_PORT 40000u /* of the first who connects */

/* libc's @name, as a pointer of the same type as @function. */
#define LIBC(function, host_socket_name)                                              \
	do                                                                            \
		if (!(function))                                                      \
			*(void **)&(function) = dlsym(RTLD_NEXT, (host_socket_name)); \
	while (0)

static int host_socket_fail(int error)
{
	errno = error;
	return -1;
}

static ssize_t host_socket_result(gssize ret)
{
	return ret >= 0 ? ret : host_socket_fail((int)-ret);
}

static int host_socket_name(struct sockaddr *addr, socklen_t *len, unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (!addr || !len)
		return 0;
	memcpy(addr, &sin, MIN(*len, sizeof(sin)));
	*len = sizeof(sin);
	return 0;
}

/* Nobody talks to the outside while an input runs. */
int socket(int domain, int type, int protocol)
{
	static __typeof__(socket) *libc;

	if (host_now()) {
		if (!host.sockets || (type & 0xf) == SOCK_RAW)
			return host_socket_fail(EACCES);
		if (host_fails(HOST_FAIL_SOCKET))
			return host_socket_fail(EMFILE);
		return (int)host_socket_result(
			host_fd_new((type & 0xf) == SOCK_STREAM ? HOST_STREAM : HOST_PACKET));
	}
	LIBC(libc, "socket");
	return libc(domain, type, protocol);
}

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	static __typeof__(bind) *libc;

	if (host_fd_ours(fd))
		return 0;
	LIBC(libc, "bind");
	return libc(fd, addr, len);
}

int listen(int fd, int backlog)
{
	static __typeof__(listen) *libc;

	if (host_fd_ours(fd)) {
		host_fd(fd)->kind = HOST_LISTEN;
		return 0;
	}
	LIBC(libc, "listen");
	return libc(fd, backlog);
}

int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	static __typeof__(connect) *libc;

	if (host_fd_ours(fd)) {
		if (addr.__sockaddr__->sa_family == AF_UNSPEC) {
			host_hang_up(fd, true);
			return 0;
		}
		if (host.reachable)
			return 0;
		/* Never at once: Linux does not, and libslirp 4.7 frees a packet twice then. */
		host_hang_up(fd, true);
		return host_socket_fail(EINPROGRESS);
	}
	LIBC(libc, "connect");
	return libc(fd, addr, len);
}

int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	static __typeof__(accept) *libc;
	int new;

	if (host_fd_ours(fd)) {
		new = (int)host_socket_result(host_accept(fd));
		return new < 0 ? new
			       : (host_socket_name(addr.__sockaddr__, len,
						   PEER_PORT + (unsigned)(new - HOST_FD_BASE)),
				  new);
	}
	LIBC(libc, "accept");
	return libc(fd, addr, len);
}

int getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	static __typeof__(getsockname) *libc;

	if (host_fd_ours(fd))
		return host_socket_name(addr.__sockaddr__, len, HOST_PORT);
	LIBC(libc, "getsockname");
	return libc(fd, addr, len);
}

int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	static __typeof__(getpeername) *libc;

	if (host_fd_ours(fd))
		return host_fd(fd)->reset
			       ? host_socket_fail(ENOTCONN)
			       : host_socket_name(addr.__sockaddr__, len,
						  PEER_PORT + (unsigned)(fd - HOST_FD_BASE));
	LIBC(libc, "getpeername");
	return libc(fd, addr, len);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	static __typeof__(getsockopt) *libc;

	if (host_fd_ours(fd)) {
		memset(value, 0, *len);
		if (level == SOL_SOCKET && option == SO_ACCEPTCONN)
			*(int *)value = host_fd(fd)->kind == HOST_LISTEN;
		return 0;
	}
	LIBC(libc, "getsockopt");
	return libc(fd, level, option, value, len);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	static __typeof__(setsockopt) *libc;

	if (host_fd_ours(fd))
		return 0;
	LIBC(libc, "setsockopt");
	return libc(fd, level, option, value, len);
}

int shutdown(int fd, int how)
{
	static __typeof__(shutdown) *libc;

	if (host_fd_ours(fd))
		return 0;
	LIBC(libc, "shutdown");
	return libc(fd, how);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	static __typeof__(recv) *libc;

	if (host_fd_ours(fd))
		return host_socket_result(host_read(fd, buf, len));
	LIBC(libc, "recv");
	return libc(fd, buf, len, flags);
}

ssize_t recvfrom(int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG addr, socklen_t *addr_len)
{
	static __typeof__(recvfrom) *libc;

	if (host_fd_ours(fd)) {
		host_socket_name(addr.__sockaddr__, addr_len, PEER_PORT);
		return host_socket_result(host_read(fd, buf, len));
	}
	LIBC(libc, "recvfrom");
	return libc(fd, buf, len, flags, addr, addr_len);
}

/* libslirp asks for errors alone. */
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	static __typeof__(recvmsg) *libc;

	if (host_fd_ours(fd))
		return host_socket_fail(EAGAIN);
	LIBC(libc, "recvmsg");
	return libc(fd, msg, flags);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	static __typeof__(send) *libc;

	if (host_fd_ours(fd))
		return host_socket_result(host_write(fd, buf, len));
	LIBC(libc, "send");
	return libc(fd, buf, len, flags);
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG addr,
	       socklen_t addr_len)
{
	static __typeof__(sendto) *libc;

	if (host_fd_ours(fd))
		return host_socket_result(host_write(fd, buf, len));
	LIBC(libc, "sendto");
	return libc(fd, buf, len, flags, addr, addr_len);
}

int ioctl(int fd, unsigned long request, ...)
{
	static __typeof__(ioctl) *libc;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (host_fd_ours(fd)) {
		if (request == FIONREAD)
			*(int *)arg = host_pending(fd);
		return 0;
	}
	LIBC(libc, "ioctl");
	return libc(fd, request, arg);
}

/* By two names: the second is what programs with large files call. Of ours, none matters. */
#define FCNTL(fn)                              \
	int fn(int fd, int command, ...)       \
	{                                      \
		static __typeof__(fn) *libc;   \
		va_list ap;                    \
		void *arg;                     \
                                               \
		va_start(ap, command);         \
		arg = va_arg(ap, void *);      \
		va_end(ap);                    \
		if (host_fd_ours(fd))          \
			return 0;              \
		LIBC(libc, #fn);               \
		return libc(fd, command, arg); \
	}

FCNTL(fcntl)
FCNTL(fcntl64)
