/*
 * What the process gives up: each promise is looked at from inside a child that was shut in. Where
 * the host permits no namespaces (told by a child that tries), "strict" has to refuse and "on" has
 * to do without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/sandbox/sandbox.h"

#define NOBODY 65534u
#define MIB    ((size_t)1 << 20)

struct place {
	char *dir, *kept, *other; /* kept and other are in dir */
};

static int set_up(void **state)
{
	struct place *p = g_new0(struct place, 1);

	p->dir = g_dir_make_tmp("sandbox-XXXXXX", NULL);
	assert_non_null(p->dir);
	assert_int_equal(g_chmod(p->dir, 0777), 0);
	p->kept = g_build_filename(p->dir, "a", "kept", NULL);
	p->other = g_build_filename(p->dir, "other", NULL);
	assert_int_equal(g_mkdir_with_parents(p->kept, 0777), 0);
	assert_int_equal(g_chmod(p->kept, 0777), 0);
	assert_int_equal(g_mkdir(p->other, 0777), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	g_autofree char *above = g_path_get_dirname(p->kept);

	g_rmdir(p->kept);
	g_rmdir(above);
	g_rmdir(p->other);
	g_rmdir(p->dir);
	g_free(p->dir);
	g_free(p->kept);
	g_free(p->other);
	g_free(p);
	return 0;
}

/*
 * In a child.
 */
static bool as_root; /* the child stays what we are, if we are root */

static void become(bool root)
{
	if (root || getuid() != 0)
		return;
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(99);
}

/* Exit status of a child in which fn(place) ran. */
static int in_child(int (*fn)(const struct place *p), const struct place *p)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		become(as_root);
		_exit(fn(p));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_namespaces(const struct place *p)
{
	(void)p;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 && unshare(CLONE_NEWNS) < 0;
}

static bool enter(const struct place *p, enum sandbox_level level, bool network)
{
	const char *keep[] = { p->kept, NULL };
	struct sandbox_plan plan = {
		.level = level,
		.keep = keep,
		.network = network,
		.more_files = 10,
		.more_memory = 64 * MIB,
	};
	g_autoptr(GError) err = NULL;
	bool ok = sandbox_enter(&plan, &err);

	if (!ok && !g_str_has_prefix(err->message, "--sandbox"))
		_exit(98);
	return ok;
}

/* The line in which the child's promise was broken; 0 is fine. */
#define KEEP(condition)                                                                        \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			(void)fprintf(stderr, "line %d: %s, errno %d\n", __LINE__, #condition, \
				      errno);                                                  \
			return 1;                                                              \
		}                                                                              \
	} while (0)

/*
 * Promises of both levels, whatever the host permits.
 */
static int has_no_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	KEEP(syscall(SYS_capget, &h, d) == 0);
	for (unsigned i = 0; i < 2; i++)
		KEEP(!d[i].effective && !d[i].permitted && !d[i].inheritable);
	return 0;
}

static int is_limited(void)
{
	struct rlimit core, files;
	void *p;

	KEEP(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
	KEEP(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 1000 &&
	     files.rlim_cur == files.rlim_max);
	for (rlim_t i = 0; i < files.rlim_cur; i++)
		(void)!dup(STDERR_FILENO);
	KEEP(dup(STDERR_FILENO) < 0 && errno == EMFILE);
	p = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	KEEP(p != MAP_FAILED);
	p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	KEEP(p == MAP_FAILED && errno == ENOMEM);
	return 0;
}

static int gives_up_privileges(const struct place *p)
{
	KEEP(enter(p, SANDBOX_ON, false));
	KEEP(has_no_capabilities() == 0);
	KEEP(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	KEEP(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	return is_limited();
}

static void privileges_are_gone_and_limits_hold(void **state)
{
	for (unsigned root = 0; root < 2; root++) {
		as_root = root;
		assert_int_equal(in_child(gives_up_privileges, *state), 0);
	}
}

/*
 * Promises of namespaces.
 */
static int bounding_set_is_empty(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		KEEP(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0);
	return 0;
}

/* @path below the root has @n entries. */
static int has_entries(const char *path, unsigned n)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	KEEP(d != NULL);
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			n--;
	closedir(d);
	KEEP(n == 0);
	return 0;
}

static int sees_only_what_it_keeps(const struct place *p)
{
	char cwd[512];

	KEEP(has_entries("/", 1) == 0); /* the beginning of the kept directory's name */
	KEEP(has_entries(p->dir, 1) == 0);
	KEEP(access(p->kept, W_OK) == 0);
	KEEP(access(p->other, F_OK) < 0 && errno == ENOENT);
	KEEP(access("/etc", F_OK) < 0 && access("/proc", F_OK) < 0 && access("/dev", F_OK) < 0);
	KEEP(mkdir("/new", 0700) < 0 && errno == EROFS);
	KEEP(access("../..", F_OK) == 0 && getcwd(cwd, sizeof(cwd)) && cwd[0] == '/');
	return 0;
}

/* A file of the kept directory by its absolute and by its relative name. */
static int reaches_kept_files(const struct place *p)
{
	g_autofree char *file = g_build_filename(p->kept, "file", NULL);
	int fd = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);

	KEEP(fd >= 0);
	close(fd);
	KEEP(access("a/kept/file", F_OK) == 0);
	KEEP(unlink("a/kept/file") == 0);
	KEEP(access(file, F_OK) < 0);
	return 0;
}

static int goes_to_an_empty_root(const struct place *p)
{
	KEEP(chdir(p->dir) == 0);
	KEEP(enter(p, SANDBOX_ON, false));
	KEEP(bounding_set_is_empty() == 0);
	KEEP(sees_only_what_it_keeps(p) == 0);
	return reaches_kept_files(p);
}

static int refuses_strict(const struct place *p)
{
	KEEP(!enter(p, SANDBOX_STRICT, false));
	return 0;
}

static void the_root_is_empty_but_for_what_is_kept(void **state)
{
	for (unsigned root = 0; root < 2; root++) {
		as_root = root;
		if (in_child(try_namespaces, *state) == 0)
			assert_int_equal(in_child(goes_to_an_empty_root, *state), 0);
		else
			assert_int_equal(in_child(refuses_strict, *state), 0);
	}
}

/* A name in this network namespace that somebody listens to. */
static struct sockaddr_un network_mark(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "sandbox-test-%d",
		       (int)getpid());
	return addr;
}

static struct sockaddr_un mark;

static bool in_the_hosts_network(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&mark, sizeof(mark)) == 0;
}

static enum sandbox_level its_level;

static int leaves_the_network(const struct place *p)
{
	KEEP(in_the_hosts_network());
	KEEP(enter(p, its_level, false));
	KEEP(!in_the_hosts_network());
	return 0;
}

static int stays_in_the_network(const struct place *p)
{
	KEEP(enter(p, its_level, true));
	KEEP(in_the_hosts_network());
	return 0;
}

static void the_network_is_left_unless_it_is_needed(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	mark = network_mark();
	assert_int_equal(bind(fd, (struct sockaddr *)&mark, sizeof(mark)), 0);
	assert_int_equal(listen(fd, 8), 0);
	for (unsigned root = 0; root < 2; root++) {
		as_root = root;
		if (in_child(try_namespaces, *state) != 0) {
			assert_int_equal(in_child(refuses_strict, *state), 0);
			continue;
		}
		for (its_level = SANDBOX_ON; its_level <= SANDBOX_STRICT; its_level++) {
			assert_int_equal(in_child(leaves_the_network, *state), 0);
			assert_int_equal(in_child(stays_in_the_network, *state), 0);
		}
	}
	close(fd);
}

/* A host without namespaces: in a user namespace that permits no further one. */
static int has_none(const struct place *p)
{
	int fd;

	if (unshare(CLONE_NEWUSER) < 0)
		return refuses_strict(p); /* it is such a host */
	fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY);
	KEEP(fd >= 0 && write(fd, "0", 1) == 1);
	close(fd);
	fd = open("/proc/sys/user/max_mnt_namespaces", O_WRONLY);
	KEEP(fd >= 0 && write(fd, "0", 1) == 1);
	close(fd);
	return refuses_strict(p);
}

static int has_none_and_goes_on(const struct place *p)
{
	KEEP(has_none(p) == 0);
	KEEP(enter(p, SANDBOX_ON, false));
	return has_no_capabilities();
}

static void without_namespaces_strict_refuses_and_on_does_without(void **state)
{
	as_root = false;
	assert_int_equal(in_child(has_none, *state), 0);
	assert_int_equal(in_child(has_none_and_goes_on, *state), 0);
}

static void levels_have_names(void **state)
{
	enum sandbox_level level;

	(void)state;
	for (unsigned i = 0; i < N_SANDBOX_LEVELS; i++) {
		assert_true(sandbox_find_level(sandbox_levels[i].name, &level));
		assert_int_equal(level, i);
	}
	assert_false(sandbox_find_level("lax", &level));
	assert_false(sandbox_find_level("", &level));
}

static int keeps_all(const struct place *p)
{
	KEEP(enter(p, SANDBOX_OFF, false));
	KEEP(access(p->other, F_OK) == 0);
	KEEP(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	return 0;
}

static void off_gives_nothing_up(void **state)
{
	as_root = true;
	assert_int_equal(in_child(keeps_all, *state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(privileges_are_gone_and_limits_hold, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_root_is_empty_but_for_what_is_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_network_is_left_unless_it_is_needed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			without_namespaces_strict_refuses_and_on_does_without, set_up, tear_down),
		cmocka_unit_test_setup_teardown(off_gives_nothing_up, set_up, tear_down),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
