#include "devices/backend/net/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/base/error.h"

static bool net_socket_set_path(struct sockaddr_un *sun, const char *path)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return g_strlcpy(sun->sun_path, path, sizeof(sun->sun_path)) < sizeof(sun->sun_path);
}

int net_socket_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd, ret;

	if (!net_socket_set_path(&sun, path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static bool net_socket_path_fits(const char *path, GError **err)
{
	struct sockaddr_un sun;

	if (net_socket_set_path(&sun, path))
		return true;
	return ringside_usage(err,
			      "--device net,path=%s: longer than the %zu bytes of a socket's name",
			      path, sizeof(sun.sun_path) - 1);
}

bool net_socket_check(const char *path, GError **err)
{
	g_autofree char *dir = g_path_get_dirname(path);
	struct stat st;

	if (!net_socket_path_fits(path, err))
		return false;
	if (stat(dir, &st) < 0)
		return ringside_error_errno(err, errno, "--device net,path=%s", path);
	if (stat(path, &st) < 0 && errno == ENOENT)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return ringside_usage(err, "--device net,path=%s: not a socket", path);
	if (access(path, W_OK) < 0)
		return ringside_error_errno(err, errno, "--device net,path=%s", path);
	return true;
}
