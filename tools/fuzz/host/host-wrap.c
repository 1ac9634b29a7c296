/*
 * The linker gives each call of NAME to __wrap_NAME (fuzz.mk lists them), and __real_NAME is what
 * it would have been. Nothing of the code under test is changed or built differently for it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "devices/backend/input/evdev.h"
#include "devices/backend/unix-listen.h"
#include "devices/base/error.h"
#include "devices/base/loop.h"
#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/trace.h"

/* Names that begin with two underscores are the linker's here, not the compiler's.
 * NOLINTBEGIN(bugprone-reserved-identifier) */

#define WRAP(type, name, args)   \
	type __real_##name args; \
	type __wrap_##name args; \
	type __wrap_##name args

static gssize host_wrap_result(gssize ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

WRAP(ssize_t, recv, (int fd, void *buf, size_t len, int flags))
{
	return host_fd_ours(fd) ? host_wrap_result(host_read(fd, buf, len))
				: __real_recv(fd, buf, len, flags);
}

WRAP(ssize_t, send, (int fd, const void *buf, size_t len, int flags))
{
	return host_fd_ours(fd) ? host_wrap_result(host_write(fd, buf, len))
				: __real_send(fd, buf, len, flags);
}

/* All the pieces in one, so that every byte of them is looked at. */
static gssize write_pieces(int fd, const struct iovec *iov, size_t n)
{
	g_autoptr(GByteArray) whole = g_byte_array_new();

	for (size_t i = 0; i < n; i++)
		g_byte_array_append(whole, iov[i].iov_base, (guint)iov[i].iov_len);
	return host_write(fd, whole->data, whole->len);
}

WRAP(ssize_t, writev, (int fd, const struct iovec *iov, int n))
{
	return host_fd_ours(fd) ? host_wrap_result(write_pieces(fd, iov, (size_t)n))
				: __real_writev(fd, iov, n);
}

WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags))
{
	return host_fd_ours(fd) ? host_wrap_result(write_pieces(fd, msg->msg_iov, msg->msg_iovlen))
				: __real_sendmsg(fd, msg, flags);
}

WRAP(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags))
{
	return host_fd_ours(fd) ? (int)host_wrap_result(host_accept(fd))
				: __real_accept4(fd, addr, len, flags);
}

/* Who waits for nothing waits as long as it said. */
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout))
{
	int ready = 0;

	if (!n || !host_fd_ours(fds->fd))
		return __real_poll(fds, n, timeout);
	for (nfds_t i = 0; i < n; i++) {
		GIOCondition has = fds[i].fd < 0 ? 0 : host_ready(fds[i].fd);

		fds[i].revents = (short)(has & (fds[i].events | POLLHUP | POLLERR));
		ready += fds[i].revents != 0;
	}
	if (!ready && timeout > 0)
		host_advance((uint64_t)timeout * 1000000u);
	return ready;
}

/* What a tap answers that was made for several queues. */
static int tap_ioctl(unsigned long request, void *arg)
{
	struct ifreq *ifr = arg;

	switch (request) {
	case TUNGETIFF:
		*ifr = (struct ifreq){ .ifr_name = "fuzz",
				       .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
		return 0;
	case TUNSETOFFLOAD:
		return host_fails(HOST_FAIL_OFFLOAD) ? -EINVAL : 0;
	case TUNSETQUEUE:
	case TUNSETVNETHDRSZ:
	case TUNSETVNETLE:
		return 0;
	default:
		return -ENOTTY;
	}
}

WRAP(int, ioctl, (int fd, unsigned long request, ...))
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!host_fd_ours(fd))
		return __real_ioctl(fd, request, arg);
	if (request == FIONREAD) {
		*(int *)arg = host_pending(fd);
		return 0;
	}
	return (int)host_wrap_result(host_fd_kind(fd) == HOST_PACKET ? tap_ioctl(request, arg)
								     : -ENOTTY);
}

/* What a disk of the project's own asks of its file. File-scope like the host itself. */
static unsigned disk_calls;

unsigned host_disk_calls(void)
{
	return disk_calls;
}

WRAP(ssize_t, pread, (int fd, void *buf, size_t len, off_t off))
{
	if (host_fd_ours(fd))
		return host_wrap_result(host_pread(fd, buf, len, (uint64_t)off));
	disk_calls++;
	return __real_pread(fd, buf, len, off);
}

WRAP(ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t off))
{
	disk_calls++;
	return __real_preadv(fd, iov, n, off);
}

WRAP(ssize_t, preadv2, (int fd, const struct iovec *iov, int n, off_t off, int flags))
{
	disk_calls++;
	return __real_preadv2(fd, iov, n, off, flags);
}

WRAP(ssize_t, pwritev2, (int fd, const struct iovec *iov, int n, off_t off, int flags))
{
	disk_calls++;
	return __real_pwritev2(fd, iov, n, off, flags);
}

WRAP(int, fallocate, (int fd, int mode, off_t off, off_t len))
{
	disk_calls++;
	return __real_fallocate(fd, mode, off, len);
}

WRAP(int, fdatasync, (int fd))
{
	disk_calls++;
	return __real_fdatasync(fd);
}

WRAP(off_t, lseek, (int fd, off_t off, int whence))
{
	return host_fd_ours(fd)
		       ? host_wrap_result(host_seek(fd, (uint64_t)off, whence == SEEK_HOLE))
		       : __real_lseek(fd, off, whence);
}

WRAP(int, timerfd_create, (int clock, int flags))
{
	(void)clock;
	(void)flags;
	return (int)host_wrap_result(host_fd_new(HOST_TIMER));
}

WRAP(int, timerfd_settime,
     (int fd, int flags, const struct itimerspec *new, struct itimerspec *old))
{
	(void)flags;
	(void)old;
	host_timer_set(fd, (uint64_t) new->it_value.tv_sec * 1000000000u +
				   (uint64_t) new->it_value.tv_nsec);
	return 0;
}

WRAP(int, fcntl, (int fd, int command, ...))
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!host_fd_ours(fd))
		return __real_fcntl(fd, command, arg);
	return command == F_GETFL ? O_RDWR | O_NONBLOCK : 0;
}

WRAP(ssize_t, getrandom, (void *buf, size_t len, unsigned flags))
{
	(void)flags;
	return host_random(buf, len) ? (ssize_t)len : host_wrap_result(-ENOSYS);
}

WRAP(GMainContext *, g_main_context_default, (void))
{
	return host_context() ? host_context() : __real_g_main_context_default();
}

WRAP(int, pthread_mutex_lock, (pthread_mutex_t * mutex))
{
	host_lock(mutex);
	return 0;
}

WRAP(int, pthread_mutex_trylock, (pthread_mutex_t * mutex))
{
	if (host_locked(mutex))
		return EBUSY;
	host_lock(mutex);
	return 0;
}

WRAP(int, pthread_mutex_unlock, (pthread_mutex_t * mutex))
{
	host_unlock(mutex);
	return 0;
}

WRAP(gint64, g_get_real_time, (void))
{
	return host_now() ? (gint64)(host_now() / 1000u) : __real_g_get_real_time();
}

WRAP(bool, unix_listen,
     (struct unix_listener * l, const char *path, const char *context, GError **err))
{
	(void)path;
	(void)context;
	(void)err;
	*l = (struct unix_listener){ .fd = host_fd_new(HOST_LISTEN) };
	return true;
}

WRAP(void, unix_unlisten, (struct unix_listener * l))
{
	if (l->fd >= 0)
		host_fd_close(l->fd);
	l->fd = -1;
}

WRAP(int, net_socket_connect, (const char *path))
{
	(void)path;
	return host_connect();
}

WRAP(bool, net_socket_check, (const char *path, GError **err))
{
	(void)path;
	(void)err;
	return true;
}

/* NOLINTEND(bugprone-reserved-identifier) */

/*
 * Those that GLib calls, too, are not wrapped but defined: the dynamic linker then gives them to
 * everybody. The sanitizer's own eventfd() and so on step back for it.
 */
static void *libc_function(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		fuzz_bug("libc has no %s", name);
	return function;
}

int eventfd(unsigned count, int flags)
{
	int fd = host_fd_new(HOST_EVENT);

	(void)flags;
	if (fd >= 0)
		host_event_add(fd, count);
	return (int)host_wrap_result(fd);
}

ssize_t read(int fd, void *buf, size_t len)
{
	static ssize_t (*libc)(int fd, void *buf, size_t len);

	if (host_fd_ours(fd))
		return host_wrap_result(host_read(fd, buf, len));
	if (!libc)
		*(void **)&libc = libc_function("read");
	return libc(fd, buf, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	static ssize_t (*libc)(int fd, const void *buf, size_t len);

	if (host_fd_ours(fd))
		return host_wrap_result(host_write(fd, buf, len));
	if (!libc)
		*(void **)&libc = libc_function("write");
	return libc(fd, buf, len);
}

int close(int fd)
{
	static int (*libc)(int fd);

	if (host_fd_ours(fd)) {
		host_fd_close(fd);
		return 0;
	}
	if (!libc)
		*(void **)&libc = libc_function("close");
	return libc(fd);
}

/* The fuzzers' own look at the clock while nothing runs, or at another clock. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*libc)(clockid_t id, struct timespec * ts);
	uint64_t now = id == CLOCK_MONOTONIC ? host_now() : 0;

	if (now) {
		*ts = (struct timespec){ .tv_sec = (time_t)(now / 1000000000u),
					 .tv_nsec = (long)(now % 1000000000u) };
		return 0;
	}
	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "clock_gettime");
	return libc ? libc(id, ts) : (int)syscall(SYS_clock_gettime, id, ts);
}
