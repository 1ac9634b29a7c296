/*
 * A pseudo terminal. The kernel does not tell when somebody opens its slave, only (by a hang-up on
 * the master) when the last one has left, and reports that for ever. So while nobody is there the
 * hang-up is looked at ten times a second, and nothing is polled.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/chr/chr-impl.h"
#include "devices/base/error.h"

#define LOOK_MS 100u

struct chr_pty {
	struct chr_stream s;
	char *link; /* or NULL */
};

static gboolean pty_look(void *arg)
{
	struct chr_pty *p = arg;
	struct pollfd pfd = { .fd = p->s.fd };

	if (poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP)
		return G_SOURCE_CONTINUE;
	loop_unwatch(g_steal_pointer(&p->s.timer));
	chr_stream_arrived(&p->s);
	return G_SOURCE_REMOVE;
}

static void pty_slave_closed(struct chr_stream *s)
{
	chr_stream_timer(s, LOOK_MS, pty_look);
}

static void pty_attach(struct chr *chr)
{
	struct chr_stream *s = (struct chr_stream *)chr;

	chr_stream_attach(chr);
	if (!chr->connected)
		chr_stream_timer(s, LOOK_MS, pty_look);
}

static void pty_close(struct chr *chr)
{
	struct chr_pty *p = (struct chr_pty *)chr;

	chr_stream_free(&p->s);
	if (p->link)
		(void)unlink(p->link);
	g_free(p->link);
	g_free(p);
}

static const struct chr_ops pty_ops = {
	.read = chr_stream_read,
	.write = chr_stream_write,
	.want = chr_stream_want,
	.attach = pty_attach,
	.detach = chr_stream_detach,
	.close = pty_close,
};

/* Opens the slave once: to make it raw, and because only a slave that was closed counts as hung
 * up. */
static bool pty_prepare_slave(const char *name)
{
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	bool ok;

	if (fd < 0)
		return false;
	ok = tcgetattr(fd, &t) == 0;
	cfmakeraw(&t);
	ok = ok && tcsetattr(fd, TCSANOW, &t) == 0;
	close(fd);
	return ok;
}

static bool pty_open_master(struct chr_pty *p)
{
	char name[64];

	p->s.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (p->s.fd < 0 || grantpt(p->s.fd) < 0 || unlockpt(p->s.fd) < 0)
		return false;
	errno = ptsname_r(p->s.fd, name, sizeof(name));
	if (errno)
		return false;
	p->s.chr.where = g_strdup(name);
	return pty_prepare_slave(name);
}

static const struct syscall_use link_syscalls[] = {
	{ .name = "unlink", .closing = true },
	{ .name = NULL },
};

/* A link that an earlier run left is replaced; anything else of that name is not touched. */
static bool pty_make_link(struct chr_pty *p, const char *path, const char *context, GError **err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		(void)unlink(path);
	if (symlink(p->s.chr.where, path) < 0) {
		if (errno == EEXIST)
			return ringside_usage(err,
					      "%s: there is a file of that name; give a path that "
					      "does not exist yet",
					      context);
		return ringside_error_errno(err, errno, "%s", context);
	}
	p->link = g_strdup(path);
	p->s.chr.syscalls = link_syscalls;
	p->s.chr.kept_path = p->link;
	return true;
}

struct chr *chr_pty_open(const char *arg, const char *context, GError **err)
{
	struct chr_pty *p = g_new0(struct chr_pty, 1);

	chr_stream_init(&p->s, &pty_ops);
	p->s.left = pty_slave_closed;
	if (!pty_open_master(p))
		ringside_error_errno(err, errno, "%s", context);
	else if (!arg || pty_make_link(p, arg, context, err))
		return &p->s.chr;
	chr_close(&p->s.chr);
	return NULL;
}
