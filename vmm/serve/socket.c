/* The socket: one that others connect to, one after another; or one connection. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/serve/serve-int.h"

#define CONNECT "connect:"
#define FD      "fd:"

static bool connect_to(struct serve *s, const char *context, const char *path, GError **err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return ringside_usage(err, "%s: the path is too long", context);
	g_strlcpy(to.sun_path, path, sizeof(to.sun_path));
	s->connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->connection < 0 || connect(s->connection, (struct sockaddr *)&to, sizeof(to)) < 0)
		return ringside_error_errno(err, errno, "%s", context);
	return true;
}

/* Does others' connecting end there? -1: it is no stream socket. */
static int is_listening(int fd)
{
	int type = 0, accepts = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) < 0)
		return -1;
	return accepts;
}

static bool inherit(struct serve *s, const char *context, const char *number, GError **err)
{
	guint64 fd;
	int listening;

	if (!g_ascii_string_to_unsigned(number, 10, 0, INT_MAX, &fd, NULL))
		return ringside_usage(err, "%s: no number of a descriptor", context);
	listening = is_listening((int)fd);
	if (listening < 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl((int)fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return ringside_usage(err, "%s: no stream socket that was inherited", context);
	if (listening)
		s->listener.fd = (int)fd;
	else
		s->connection = (int)fd;
	return true;
}

bool serve_open_socket(struct serve *s, GError **err)
{
	const char *spec = s->cfg->where;
	g_autofree char *context = g_strdup_printf("%s %s", s->protocol->option, spec);

	if (g_str_has_prefix(spec, CONNECT))
		return connect_to(s, context, spec + strlen(CONNECT), err);
	if (g_str_has_prefix(spec, FD))
		return inherit(s, context, spec + strlen(FD), err);
	return unix_listen(&s->listener, spec, context, err);
}

/* While there is a front-end, others wait to be accepted. */
static void on_listener(void *arg, GIOCondition revents)
{
	struct serve *s = arg;
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	loop_watch_events(s->listening, 0);
	s->protocol->connect(s->transport, fd);
}

void serve_begin(struct serve *s)
{
	if (s->listener.fd >= 0)
		s->listening = loop_watch(s->main, s->listener.fd, G_IO_IN, on_listener, s);
	else
		s->protocol->connect(s->transport, s->connection);
	s->connection = -1;
	if (!g_str_has_prefix(s->cfg->where, FD)) /* whoever handed it over knows */
		g_message("serve: %s is at %s", vdev_name(s->dev), s->cfg->where);
}

void serve_ended(void *opaque)
{
	struct serve *s = opaque;

	if (s->cfg->once || !s->listening)
		s->over = true;
	else
		loop_watch_events(s->listening, G_IO_IN);
}

void serve_close_socket(struct serve *s)
{
	g_clear_pointer(&s->listening, loop_unwatch);
	unix_unlisten(&s->listener);
	if (s->connection >= 0)
		close(s->connection);
	s->connection = -1;
}
