/*
 * A socket's file outlives its process, so "address in use" may mean a stale file. The way to tell
 * is to connect: only a listening socket takes the connection.
 */
#include "devices/backend/unix-listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/base/error.h"

static int unix_listen_new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* True if @addr is the name of a socket that nobody listens on. */
static bool unix_listen_is_stale(const struct sockaddr_un *addr)
{
	int fd = unix_listen_new_socket();
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static bool unix_listen_bind_socket(int fd, const struct sockaddr_un *addr, const char *context,
				    GError **err)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr;
	struct stat st;

	if (bind(fd, sa, sizeof(*addr)) == 0)
		return true;
	if (errno != EADDRINUSE)
		return ringside_error_errno(err, errno, "%s", context);
	if (lstat(addr->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return ringside_usage(err,
				      "%s: there is a file of that name; give a path that "
				      "does not exist yet",
				      context);
	if (!unix_listen_is_stale(addr))
		return ringside_usage(err, "%s: is in use already; give another path", context);
	if (unlink(addr->sun_path) < 0 || bind(fd, sa, sizeof(*addr)) < 0)
		return ringside_error_errno(err, errno, "%s", context);
	return true;
}

/* By statx(): who may call stat() may, under the sandbox, be somebody else. */
static bool unix_listen_identify(const char *path, uint64_t ret[2])
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO, &st) < 0)
		return false;
	ret[0] = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	ret[1] = st.stx_ino;
	return true;
}

bool unix_listen(struct unix_listener *l, const char *path, const char *context, GError **err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*l = (struct unix_listener){ .fd = -1 };
	if (!path[0] || strlen(path) >= sizeof(addr.sun_path))
		return ringside_usage(err, "%s: the path of a socket has 1 to %zu characters",
				      context, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	l->fd = unix_listen_new_socket();
	if (l->fd < 0)
		return ringside_error_errno(err, errno, "%s", context);
	/* The file's mode comes from the socket's, so there is no moment when others may connect.
	 */
	(void)fchmod(l->fd, 0600);
	if (!unix_listen_bind_socket(l->fd, &addr, context, err)) {
		unix_unlisten(l);
		return false;
	}
	l->path = g_strdup(path);
	(void)unix_listen_identify(path, l->file);
	if (listen(l->fd, 8) == 0)
		return true;
	ringside_error_errno(err, errno, "%s", context);
	unix_unlisten(l);
	return false;
}

void unix_unlisten(struct unix_listener *l)
{
	uint64_t file[2];

	if (l->fd >= 0)
		close(l->fd);
	if (l->path && unix_listen_identify(l->path, file) &&
	    memcmp(file, l->file, sizeof(file)) == 0)
		(void)unlink(l->path);
	g_free(l->path);
	*l = (struct unix_listener){ .fd = -1 };
}

const struct syscall_use unix_listen_syscalls[] = {
	{ .name = "accept4" },
	{ .name = "statx", .closing = true },
	{ .name = "unlink", .closing = true },
	{ .name = NULL },
};
