#include "vmm/gdb/listen.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/base/error.h"

/* The socket of @a, listening; -1 with errno. */
static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	int errnum;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

static bool listen_tcp(struct gdb_listener *l, const char *spec, GError **err)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	const char *where = spec + strlen("tcp:");
	const char *colon = strrchr(where, ':');
	const char *port = colon ? colon + 1 : where;
	g_autofree char *host = colon ? g_strndup(where, (gsize)(colon - where))
				      : g_strdup("127.0.0.1");
	struct addrinfo *found;
	guint64 n;

	if (!g_ascii_string_to_unsigned(port, 10, 1, UINT16_MAX, &n, NULL) ||
	    getaddrinfo(host, port, &hints, &found) != 0)
		return ringside_usage(err,
				      "--gdb %s: it takes tcp:PORT or tcp:ADDRESS:PORT, an "
				      "address of this host in numbers",
				      spec);
	l->fd = listen_at(found);
	freeaddrinfo(found);
	return l->fd >= 0 || ringside_error_errno(err, errno, "--gdb %s", spec);
}

bool gdb_listen(struct gdb_listener *l, const char *spec, GError **err)
{
	g_autofree char *context = g_strdup_printf("--gdb %s", spec);

	*l = (struct gdb_listener){ .fd = -1, .file.fd = -1 };
	if (g_str_has_prefix(spec, "tcp:"))
		return listen_tcp(l, spec, err);
	if (!g_str_has_prefix(spec, "unix:"))
		return ringside_usage(err, "--gdb %s: it takes unix:PATH or tcp:[ADDRESS:]PORT",
				      spec);
	if (!unix_listen(&l->file, spec + strlen("unix:"), context, err))
		return false;
	l->fd = l->file.fd;
	return true;
}

void gdb_unlisten(struct gdb_listener *l)
{
	if (l->file.fd >= 0)
		unix_unlisten(&l->file);
	else if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
