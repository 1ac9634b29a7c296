#include "vmm/machine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "devices/backend/unix-listen.h"
#include "devices/base/error.h"

#define TOO_SOON_S 2       /* one that ends earlier cannot do its work; */
#define TOO_OFTEN  5       /* so many in a row are enough */
#define REST_US    200000u /* between two such; any other is started again at once */

/*
 * The process that watches.
 */
struct watcher {
	const char *given;     /* the option */
	char *const *argv;     /* the back-end's */
	const char *name;      /* its name, for messages */
	int listener, machine; /* the latter: a pipe that nobody writes to */
};

static void watcher_exec(const struct watcher *w)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(w->listener, CHILD_SOCKET_FD) < 0)
		_exit(127);
	execv(w->argv[0], w->argv);
	(void)dprintf(STDERR_FILENO, "ringside: %s: %s: %s\n", w->given, w->argv[0],
		      strerror(errno));
	_exit(127);
}

/* Until it ends, whose status is then in @status; false: the machine has gone first. */
static bool watcher_wait(const struct watcher *w, pid_t pid, int *status)
{
	int fd = pidfd_open(pid, 0);
	struct pollfd p[] = { { .fd = w->machine, .events = POLLIN },
			      { .fd = fd, .events = POLLIN } };
	bool gone;

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	gone = p[0].revents;
	if (gone || fd < 0)
		(void)kill(pid, SIGKILL);
	close(fd);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return !gone;
}

/* Its front-end went, which is no fault; but the machine would be gone, too, unless it is to be
 * connected with anew. */
static bool watcher_is_content(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void watcher_tell(const struct watcher *w, int status, bool again)
{
	(void)dprintf(STDERR_FILENO, "ringside: %s: %s has ended (%s %d)%s\n", w->given, w->name,
		      WIFSIGNALED(status) ? "signal" : "status",
		      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		      again ? "; it is started again" : "; it is not started again");
}

static void watcher_run(const struct watcher *w)
{
	unsigned soon = 0;
	bool first = true;

	for (;; first = false) {
		time_t begun = time(NULL);
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			watcher_exec(w);
		if (pid < 0 || !watcher_wait(w, pid, &status))
			return;
		if (watcher_is_content(status))
			continue;
		soon = time(NULL) - begun < TOO_SOON_S ? soon + 1 : 0;
		if ((first && soon && !WIFSIGNALED(status)) || soon == TOO_OFTEN) {
			watcher_tell(w, status, false);
			return;
		}
		watcher_tell(w, status, true);
		if (soon)
			usleep(REST_US);
	}
}

/* Of what is open it keeps what it needs, and standard error. */
static void watcher_begin(struct watcher *w, struct unix_listener *l)
{
	g_autofree char *dir = g_path_get_dirname(l->path);

	(void)setsid(); /* a terminal's Ctrl-C is the guest's */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	(void)open("/dev/null", O_RDWR);
	(void)open("/dev/null", O_RDWR);
	w->listener = fcntl(l->fd, F_DUPFD_CLOEXEC, 64);
	w->machine = fcntl(w->machine, F_DUPFD_CLOEXEC, 64);
	(void)close_range(3, 63, 0);
	for (int fd = 64; fd < 1024; fd++)
		if (fd != w->listener && fd != w->machine)
			close(fd);
	watcher_run(w);
	(void)unlink(l->path);
	(void)rmdir(dir);
	_exit(0);
}

/*
 * The machine's side.
 */
static bool child_listen(struct unix_listener *l, const char *given, GError **err)
{
	g_autofree char *dir = g_dir_make_tmp("ringside-back-end-XXXXXX", err), *path = NULL;

	if (!dir) {
		g_prefix_error(err, "%s: ", given);
		return false;
	}
	path = g_build_filename(dir, "socket", NULL);
	if (unix_listen(l, path, given, err))
		return fcntl(l->fd, F_SETFL, O_RDWR) == 0; /* it may wait in accept() */
	(void)rmdir(dir);
	return false;
}

static bool child_fork(struct child *ret, struct watcher *w, struct unix_listener *l, GError **err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ringside_error_errno(err, errno, "%s: pipe", w->given);
	w->machine = ends[0];
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		watcher_begin(w, l);
	}
	close(ends[0]);
	ret->alive = ends[1];
	return pid > 0 || ringside_error_errno(err, errno, "%s: fork", w->given);
}

bool child_start(struct child *ret, char *const *argv, const char *name, const char *given,
		 GError **err)
{
	struct watcher w = { .given = given, .argv = argv, .name = name };
	struct unix_listener l = { .fd = -1 };
	bool ok;

	*ret = (struct child){ .alive = -1 };
	if (!child_listen(&l, given, err))
		return false;
	ok = child_fork(ret, &w, &l, err);
	ret->socket = g_strdup(l.path);
	close(l.fd);
	g_free(l.path);
	return ok;
}

void child_clear(struct child *c)
{
	if (c->alive >= 0)
		close(c->alive);
	c->alive = -1;
	g_clear_pointer(&c->socket, g_free);
}
