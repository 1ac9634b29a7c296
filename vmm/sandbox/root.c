/*
 * Namespaces, and a root directory with nothing in it.
 *
 * A user namespace comes first: in it an ordinary user may make the others, and root is root no
 * more. (Where it is not to be had, a real root may still make the others.) The new root is a small
 * file system in memory, put over /proc for the moment it takes to make it the root; the old one is
 * then let go. What the process still has to reach by name, directories of its sockets, is bound
 * to the same names in the new root first, and the working directory has the same name again, so
 * that relative paths mean what they meant. At last the root is made read-only.
 *
 * Not made: a process namespace, since only children enter one, and there are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox/sandbox-int.h"

#define PLACE "/proc" /* where the new root is built: nothing in it is looked for any more then */

/*
 * Namespaces.
 */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* In the new user namespace we are who we were. */
static int map_ids(uid_t uid, gid_t gid)
{
	char uids[40], gids[40];
	int ret;

	(void)snprintf(uids, sizeof(uids), "%u %u 1", uid, uid);
	(void)snprintf(gids, sizeof(gids), "%u %u 1", gid, gid);
	/* A program that was started with capabilities of its file does not own its files in /proc.
	 * sandbox_enter() takes this back. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)write_file("/proc/self/setgroups", "deny"); /* the condition for the third */
	ret = write_file("/proc/self/uid_map", uids);
	return ret < 0 ? ret : write_file("/proc/self/gid_map", gids);
}

static int enter_namespaces(const struct sandbox_plan *plan)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int flags = CLONE_NEWNS | (plan->network ? 0 : CLONE_NEWNET);

	if (plan->level == SANDBOX_STRICT)
		flags |= CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	if (unshare(flags | CLONE_NEWUSER) == 0)
		return map_ids(uid, gid);
	if (unshare(flags) == 0)
		return 0;
	return errno == ENOSPC ? -EPERM : -errno; /* so many are permitted, perhaps none */
}

/*
 * The root.
 */

/* Makes directory @path, absolute, below the working directory, with all above it. */
static int make_dirs(const char *path)
{
	g_autofree char *rest = g_strdup(path + strspn(path, "/"));

	for (char *p = rest; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(rest, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (*rest && mkdir(rest, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

bool sandbox_root_can_keep(const char *path)
{
	return strcmp(path, "/") != 0 && strcmp(path, PLACE) != 0 &&
	       !g_str_has_prefix(path, PLACE "/");
}

/* Binds directory @path to the same name below the working directory. */
static int root_keep(const char *path)
{
	int ret = make_dirs(path);

	if (ret < 0)
		return ret;
	/* With what is mounted in it: an ordinary user may not take it apart. */
	return mount(path, path + 1, NULL, MS_BIND | MS_REC, NULL) == 0 ? 0 : -errno;
}

static int keep_all(const struct sandbox_plan *plan)
{
	for (const char *const *path = plan->keep; path && *path; path++) {
		int ret = root_keep(*path);

		if (ret < 0 && plan->level == SANDBOX_STRICT)
			return ret;
	}
	return 0;
}

static int build(const struct sandbox_plan *plan, const char *cwd)
{
	if (mount("", "/", "", MS_SLAVE | MS_REC, NULL) < 0 ||
	    mount("ringside", PLACE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=755,size=64k,nr_inodes=256") < 0 ||
	    chdir(PLACE) < 0)
		return -errno;
	if (cwd && sandbox_root_can_keep(cwd) && make_dirs(cwd) < 0)
		return -errno;
	return keep_all(plan);
}

static int change_root(const char *cwd)
{
	/* The old root is then mounted over the new one: the last time its name is of use. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0 ||
	    mount("", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return -errno;
	if (cwd)
		(void)!chdir(cwd);
	return 0;
}

int sandbox_root_enter(const struct sandbox_plan *plan, const char **ret_what)
{
	g_autofree char *cwd = g_get_current_dir();
	int ret;

	*ret_what = "namespaces";
	ret = enter_namespaces(plan);
	if (ret < 0)
		return ret;
	*ret_what = "an empty root directory";
	ret = build(plan, cwd);
	return ret < 0 ? ret : change_root(cwd);
}
