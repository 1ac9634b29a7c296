#include "vmm/sandbox/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/sandbox/sandbox-int.h"

const struct sandbox_level_text sandbox_levels[N_SANDBOX_LEVELS] = {
	[SANDBOX_OFF] = { "off", "nothing is given up: for debuggers" },
	[SANDBOX_ON] = { "on",
			 "once all is open, no capabilities, no new privileges, no core dumps, "
			 "limits on memory and open files, and for each thread a filter that "
			 "lets through the system calls it needs; where the host permits, an "
			 "empty root directory in a user, a mount and (unless a device connects "
			 "to the host's network) a network namespace" },
	[SANDBOX_STRICT] = { "strict",
			     "all of that or no guest; also namespaces for IPC, host name and "
			     "cgroup, and tighter limits" },
};

bool sandbox_find_level(const char *name, enum sandbox_level *ret)
{
	for (unsigned i = 0; i < N_SANDBOX_LEVELS; i++)
		if (strcmp(sandbox_levels[i].name, name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

/*
 * Capabilities. All sets, also the bounding set where we may: in a user namespace, or as root.
 */
int sandbox_drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	(void)capng_apply(CAPNG_SELECT_BOUNDS);                  /* else no_new_privs has to do */
	return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM; /* ambient ones go with them */
}

/*
 * Limits.
 */

/* Bytes of private memory that may be written to, as RLIMIT_DATA counts. */
static bool data_now(rlim_t *ret)
{
	unsigned long pages;
	FILE *f = fopen("/proc/self/statm", "re");
	bool ok = f && fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages) == 1;

	if (f)
		fclose(f);
	if (ok)
		*ret = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
	return ok;
}

static rlim_t files_now(void)
{
	int fd = dup(STDERR_FILENO); /* the first that is free: below it all are in use */

	if (fd < 0)
		return 0;
	close(fd);
	return (rlim_t)fd;
}

/* For good: neither may be raised again. What is lower stays. */
static int lower(__rlimit_resource_t what, rlim_t to)
{
	struct rlimit old, new;

	if (getrlimit(what, &old) < 0)
		return -errno;
	new.rlim_cur = MIN(old.rlim_cur, to);
	new.rlim_max = MIN(old.rlim_max, to);
	return setrlimit(what, &new) == 0 ? 0 : -errno;
}

static int set_limits(const struct sandbox_plan *plan, rlim_t data, rlim_t files)
{
	int ret = lower(RLIMIT_CORE, 0);

	if (ret == 0 && data)
		ret = lower(RLIMIT_DATA, data + plan->more_memory);
	if (ret == 0 && files)
		ret = lower(RLIMIT_NOFILE, files + plan->more_files);
	return ret;
}

/*
 * All of it.
 */
void sandbox_warm_up(void)
{
	/* What the locale's characters are, and how to convert them. */
	g_assert(*g_strerror(EINVAL));
}

/* The kernel has filters: it would look at one that is nowhere. */
static bool filters_are_to_be_had(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
}

static bool give_up(const char *what, int errnum, GError **err)
{
	return ringside_error_errno(err, errnum, "--sandbox: %s (--sandbox off runs without it)",
				    what);
}

static bool can_keep_all(const struct sandbox_plan *plan, GError **err)
{
	const char *level = sandbox_levels[plan->level].name;

	for (const char *const *path = plan->keep; path && *path; path++)
		if (!sandbox_root_can_keep(*path))
			return ringside_usage(err,
					      "--sandbox %s: a socket in %s: it needs a directory "
					      "of its own (--sandbox off runs without it)",
					      level, *path);
	return true;
}

bool sandbox_enter(const struct sandbox_plan *plan, GError **err)
{
	rlim_t data = 0, files = files_now();
	const char *what;
	int ret;

	if (plan->level == SANDBOX_OFF)
		return true;
	if (!can_keep_all(plan, err))
		return false;
	if (!filters_are_to_be_had())
		return give_up("system call filters", errno, err);
	sandbox_warm_up();
	(void)data_now(&data); /* while there is a /proc */
	ret = sandbox_root_enter(plan, &what);
	if (ret < 0 && plan->level == SANDBOX_STRICT)
		return ringside_error_errno(err, -ret,
					    "--sandbox strict: %s (--sandbox on runs "
					    "without it where it must)",
					    what);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return give_up("no new privileges", errno, err);
	ret = sandbox_drop_capabilities();
	if (ret < 0)
		return give_up("dropping capabilities", -ret, err);
	ret = set_limits(plan, data, files);
	if (ret < 0)
		return give_up("limits", -ret, err);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return give_up("no core dumps", errno, err);
	return true;
}

void sandbox_seal_or_end(const struct sandbox_filter *f, const char *who)
{
	int ret = f ? sandbox_seal(f) : 0;

	if (ret < 0)
		g_error("--sandbox: the filter of %s: %s", who, g_strerror(-ret));
}

void sandbox_keep_directory_of(GPtrArray *dirs, const char *path)
{
	g_autofree char *file = g_canonicalize_filename(path, NULL);
	g_autofree char *dir = g_path_get_dirname(file);

	if (!g_ptr_array_find_with_equal_func(dirs, dir, g_str_equal, NULL))
		g_ptr_array_add(dirs, g_steal_pointer(&dir));
}
