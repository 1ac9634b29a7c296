/*
 * A socket's file outlives its process, so "address in use" may mean a stale file. The way to tell
 * is to connect: only a listening socket takes the connection.
 */
#include "devices/backend/unix-listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/error.h"

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* True if @addr is the name of a socket that nobody listens on. */
static bool is_stale(const struct sockaddr_un *addr)
{
	int fd = new_socket();
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static bool bind_socket(int fd, const struct sockaddr_un *addr, const char *context, GError **err)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr;
	struct stat st;

	if (bind(fd, sa, sizeof(*addr)) == 0)
		return true;
	if (errno != EADDRINUSE)
		return ringside_error_errno(err, errno, "%s: unix:%s", context, addr->sun_path);
	if (lstat(addr->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return ringside_usage(err,
				      "%s: unix:%s: there is a file of that name; give a path that "
				      "does not exist yet",
				      context, addr->sun_path);
	if (!is_stale(addr))
		return ringside_usage(err,
				      "%s: unix:%s: in use by another process; give another path",
				      context, addr->sun_path);
	if (unlink(addr->sun_path) < 0 || bind(fd, sa, sizeof(*addr)) < 0)
		return ringside_error_errno(err, errno, "%s: unix:%s", context, addr->sun_path);
	return true;
}

int unix_listen(const char *path, const char *context, GError **err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (!path[0] || strlen(path) >= sizeof(addr.sun_path)) {
		ringside_usage(err, "%s: unix:%s: the path of a socket has 1 to %zu characters",
			       context, path, sizeof(addr.sun_path) - 1);
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path));
	fd = new_socket();
	if (fd < 0) {
		ringside_error_errno(err, errno, "%s: unix:%s", context, path);
		return -1;
	}
	/* The file's mode comes from the socket's, so there is no moment when others may connect. */
	(void)fchmod(fd, 0600);
	if (!bind_socket(fd, &addr, context, err)) {
		close(fd);
		return -1;
	}
	if (listen(fd, 8) < 0) {
		ringside_error_errno(err, errno, "%s: unix:%s", context, path);
		unix_unlisten(fd, path);
		return -1;
	}
	return fd;
}

void unix_unlisten(int fd, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0)
		return;
	close(fd);
	/* Closed first: if it still connects, somebody else has taken the name. */
	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	if (is_stale(&addr))
		(void)unlink(path);
}
