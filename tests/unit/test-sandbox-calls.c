/*
 * Filters: each role, put over a thread as the program does it, kills the process for what it has
 * no use for, and says so in one line; what it has a use for works. As who runs the tests, and if
 * that is root, as an ordinary user, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/net/net.h"
#include "vmm/sandbox/sandbox.h"

#define NOBODY   65534u
#define FINISHED 42 /* exit status of a child that was not killed */

static void on_sys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	if (sandbox_trapped(info) && sandbox_trap_answer(info, context))
		return;
	sandbox_trap_die(info);
}

/*
 * Roles: a filter, and on which thread.
 */
struct role {
	const char *name; /* as the line has it */
	enum sandbox_role role;
	bool user_network;
};

static const struct role roles[] = {
	{ "the main thread", SANDBOX_MAIN, false },
	{ "a vCPU's thread", SANDBOX_VCPU, false },
	{ "an event loop's thread", SANDBOX_LOOP, false },
	{ "an event loop's thread", SANDBOX_LOOP, true },
	{ "the main thread", SANDBOX_MAIN, true },
	{ "the main thread", SANDBOX_SERVE, false },
};

static void no_link(void *opaque, bool up)
{
	(void)opaque;
	(void)up;
}

/* What a user network asks for: told by one. */
static const struct syscall_use *user_network_syscalls(void)
{
	static const struct net_events events = { .link = no_link };
	const struct net_options opt = { .kind = NET_USER };
	struct loop *loop = loop_main();
	struct net_backend *be = net_backend_open(&opt, loop, &events, NULL, NULL);
	const struct syscall_use *syscalls;

	assert_non_null(be);
	syscalls = be->syscalls[0];
	net_backend_close(be);
	loop_free(loop);
	return syscalls;
}

static struct sandbox_filter *filter_of(const struct role *r)
{
	struct sandbox_syscalls syscalls = { NULL, false };
	struct sandbox_filter *f;
	GError *err = NULL;

	if (r->user_network)
		syscalls.table = user_network_syscalls();
	f = sandbox_filter_new(r->role, &syscalls, r->user_network, &err);
	if (!f)
		fail_msg("%s", err->message);
	return f;
}

/*
 * A child that is sealed and then does something.
 */
typedef void (*act_fn)(void);

struct job {
	const struct sandbox_filter *filter;
	act_fn act;
};

static void *sealed(void *arg)
{
	const struct job *job = arg;

	if (sandbox_seal(job->filter) < 0)
		_exit(1);
	job->act();
	syscall(SYS_exit_group, FINISHED);
	return NULL;
}

static void be_child(const struct role *r, act_fn act, bool ordinary)
{
	struct sigaction sys = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	struct job job = { filter_of(r), act };
	pthread_t thread;

	if (ordinary &&
	    (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(1);
	sigaction(SIGSYS, &sys, NULL);
	if (r->role != SANDBOX_MAIN && pthread_create(&thread, NULL, sealed, &job) == 0)
		pthread_join(thread, NULL);
	else
		(void)sealed(&job);
	_exit(1);
}

/* Runs @act in a child of role @r; its standard error goes to @said, NUL-terminated. */
static int run(const struct role *r, act_fn act, bool ordinary, char *said, size_t size)
{
	int pipe_fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fd[1], STDERR_FILENO);
		be_child(r, act, ordinary);
	}
	close(pipe_fd[1]);
	while ((n = read(pipe_fd[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = 0;
	close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/*
 * What nobody may do.
 */
static void do_open(void)
{
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static void do_old_open(void)
{
	syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static void do_creat(void)
{
	syscall(SYS_openat, AT_FDCWD, "/etc/resolv.conf/..", O_RDWR | O_CREAT, 0600);
}

static void do_execve(void)
{
	const char *const argv[] = { "sh", NULL };

	syscall(SYS_execve, "/bin/sh", argv, NULL);
}

static void do_socket(void)
{
	syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static void do_unix_socket(void)
{
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void do_ptrace(void)
{
	syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, 1, 0, 0);
}

static void do_mprotect(void)
{
	syscall(SYS_mprotect, (uintptr_t)do_ptrace & ~4095ul, 4096,
		PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void do_mmap_exec(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_mmap_shared(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void do_mmap_stack(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
}

static void do_clone(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void do_kill(void)
{
	syscall(SYS_kill, 1, 0);
}

static void do_tgkill(void)
{
	syscall(SYS_tgkill, getpid() + 1, getpid() + 1, 0);
}

static void do_io_uring(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
}

static void do_unlink(void)
{
	syscall(SYS_unlink, "/tmp/no such file");
}

static void do_prctl(void)
{
	syscall(SYS_prctl, 22 /* PR_SET_SECCOMP */, 0, 0, 0, 0);
}

static void do_sigaction(void)
{
	syscall(SYS_rt_sigaction, SIGSYS, NULL, NULL, 8);
}

static void do_tiocsti(void)
{
	syscall(SYS_ioctl, 0, TIOCSTI, "x"); /* types into the terminal */
}

static void do_x32(void)
{
	syscall(0x40000000 | SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static const struct forbidden {
	const char *name; /* as the line has it; NULL: killed without a word */
	act_fn act;
} forbidden[] = {
	{ "openat", do_open },
	{ "open", do_old_open },
	{ "openat", do_creat },
	{ "execve", do_execve },
	{ "socket", do_socket },
	{ "socket", do_unix_socket },
	{ "ptrace", do_ptrace },
	{ "mprotect", do_mprotect },
	{ "mmap", do_mmap_exec },
	{ "mmap", do_mmap_shared }, /* neither of these does the limit on memory count */
	{ "mmap", do_mmap_stack },
	{ "clone", do_clone },
	{ "kill", do_kill },
	{ "tgkill", do_tgkill },
	{ "io_uring_setup", do_io_uring },
	{ "unlink", do_unlink },
	{ "prctl", do_prctl },
	{ "rt_sigaction", do_sigaction },
	{ "ioctl", do_tiocsti },
	{ NULL, do_x32 },
};

static void dies(const struct role *r, const struct forbidden *f, bool ordinary)
{
	g_autofree char *call = g_strdup_printf(" (%s), ", f->name);
	char said[512];
	int status = run(r, f->act, ordinary, said, sizeof(said));

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s lives after %s: status %#x, '%s'", r->name, f->name, status, said);
	if (!f->name)
		return;
	if (!g_str_has_prefix(said, "ringside: sandbox: ") || !strstr(said, r->name) ||
	    !strstr(said, call) || strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("%s, %s: says '%s'", r->name, f->name, said);
}

static void each_role_dies_of_what_it_has_no_use_for(void **state)
{
	(void)state;
	for (size_t r = 0; r < G_N_ELEMENTS(roles); r++)
		for (size_t f = 0; f < G_N_ELEMENTS(forbidden); f++)
			dies(&roles[r], &forbidden[f], false);
}

static void an_ordinary_user_dies_of_it_too(void **state)
{
	(void)state;
	for (size_t r = 0; r < G_N_ELEMENTS(roles); r++)
		for (size_t f = 0; f < G_N_ELEMENTS(forbidden); f++)
			dies(&roles[r], &forbidden[f], getuid() == 0);
}

/*
 * What everybody may do.
 */
#define MUST(condition) ((condition) ? (void)0 : (void)syscall(SYS_exit_group, 1))

static void go_on(void)
{
	struct timespec now, nap = { .tv_nsec = 1000 };
	char *small = g_malloc0(100), *large = g_malloc0(4 << 20);
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	int n = 0;

	large = g_realloc(large, 8 << 20);
	MUST(large[4 << 20] == large[0]);
	g_free(small);
	g_free(large);
	MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	MUST(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
	MUST(nanosleep(&nap, NULL) == 0);
	MUST(sched_yield() == 0);
	MUST(poll(&p, 1, 0) >= 0);
	MUST(ioctl(STDERR_FILENO, FIONREAD, &n) == 0);
	MUST(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0);
	MUST(write(STDERR_FILENO, "fine", 4) == 4);
	MUST(g_strerror(ENOENT) != NULL);
}

static void each_role_can_do_its_work(void **state)
{
	char said[64];

	(void)state;
	sandbox_warm_up();
	for (size_t r = 0; r < G_N_ELEMENTS(roles); r++) {
		int status = run(&roles[r], go_on, getuid() == 0, said, sizeof(said));

		assert_string_equal(said, "fine");
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), FINISHED);
	}
}

static void run_kvm(void)
{
	MUST(ioctl(-1, KVM_RUN, 0) < 0 && errno == EBADF);
}

static void make_machine(void)
{
	MUST(ioctl(-1, KVM_CREATE_VM, 0) < 0 && errno == EBADF);
}

static void only_vcpus_run_guests_and_only_the_main_thread_makes_them(void **state)
{
	char said[512];

	(void)state;
	for (size_t r = 0; r < G_N_ELEMENTS(roles); r++) {
		bool vcpu = roles[r].role == SANDBOX_VCPU, main = roles[r].role == SANDBOX_MAIN;

		assert_int_equal(WIFEXITED(run(&roles[r], run_kvm, false, said, sizeof(said))),
				 vcpu);
		assert_int_equal(WIFEXITED(run(&roles[r], make_machine, false, said, sizeof(said))),
				 main);
	}
}

/*
 * A user network.
 */
static void look_up_name_servers(void)
{
	struct stat st, again;
	char line[256];
	FILE *f;

	MUST(stat("/etc/resolv.conf", &st) == 0);
	for (unsigned i = 0; i < 3; i++) { /* from its beginning each time */
		f = fopen("/etc/resolv.conf", "r");
		MUST(f != NULL);
		MUST(fstat(fileno(f), &again) == 0 && again.st_ino == st.st_ino);
		MUST(st.st_size == 0 || fgets(line, sizeof(line), f));
		fclose(f);
	}
	errno = 0;
	MUST(open("/etc/resolv.conf", O_RDWR) < 0 && errno == EACCES);
}

static void look_up_none(void)
{
	struct stat st;

	MUST(stat("/etc/resolv.conf", &st) < 0 && errno == ENOENT);
	MUST(open("/etc/resolv.conf", O_RDONLY) < 0 && errno == ENOENT);
}

static void make_connections(void)
{
	MUST(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	MUST(socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT);
}

static void stat_another(void)
{
	struct stat st;

	(void)stat("/etc/passwd", &st);
}

static void a_user_network_reads_its_one_file_and_makes_connections(void **state)
{
	static const struct role with = { "an event loop's thread", SANDBOX_LOOP, true };
	static const struct forbidden other = { "newfstatat", stat_another };
	char said[512];
	bool there = access("/etc/resolv.conf", R_OK) == 0;
	int status;

	(void)state;
	status = run(&with, there ? look_up_name_servers : look_up_none, getuid() == 0, said,
		     sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINISHED);
	status = run(&with, make_connections, getuid() == 0, said, sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINISHED);
	dies(&with, &other, getuid() == 0);
}

/* Nobody may ask for a call as a whole that another has only for its one file. */
static void a_call_is_either_trapped_or_free(void **state)
{
	static const struct syscall_use table[] = {
		{ .name = SYSCALLS_RESOLV },
		{ .name = "newfstatat" },
		{ .name = NULL },
	};
	const struct sandbox_syscalls syscalls = { table, false };
	GError *err = NULL;

	(void)state;
	assert_null(sandbox_filter_new(SANDBOX_LOOP, &syscalls, 1, &err));
	assert_true(g_str_has_prefix(err->message, "--sandbox"));
	g_error_free(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_dies_of_what_it_has_no_use_for),
		cmocka_unit_test(an_ordinary_user_dies_of_it_too),
		cmocka_unit_test(each_role_can_do_its_work),
		cmocka_unit_test(only_vcpus_run_guests_and_only_the_main_thread_makes_them),
		cmocka_unit_test(a_call_is_either_trapped_or_free),
		cmocka_unit_test(a_user_network_reads_its_one_file_and_makes_connections),
	};

	mallopt(M_ARENA_MAX, 1); /* as the program does: another arena would want mprotect() */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
