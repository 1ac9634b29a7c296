/*
 * /etc/resolv.conf from within the sandbox, while the host replaces it: as network managers do, by
 * another file of its name, and the one that a link leads to. In a mount namespace of the test's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/sandbox/sandbox.h"

#define FINISHED 42
#define FAILED   43
#define MUST(what)                                                                        \
	do                                                                                \
		if (!(what)) {                                                            \
			(void)!write(STDERR_FILENO, "# " #what "\n", sizeof("# " #what)); \
			_exit(FAILED);                                                    \
		}                                                                         \
	while (0)

static void on_sys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	if (sandbox_trapped(info) && sandbox_trap_answer(info, context))
		return;
	sandbox_trap_die(info);
}

/*
 * The host, one step at a time.
 */
static void write_conf(const char *path, const char *server)
{
	FILE *f = fopen(path, "we");

	MUST(f && fprintf(f, "nameserver %s\n", server) > 0 && fclose(f) == 0);
}

static void make_one(void)
{
	write_conf("/etc/resolv.conf", "10.0.0.1");
}

static void replace_it(void)
{
	write_conf("/etc/resolv.conf.new", "10.0.0.2");
	MUST(rename("/etc/resolv.conf.new", "/etc/resolv.conf") == 0);
}

static void take_it_away(void)
{
	MUST(unlink("/etc/resolv.conf") == 0);
}

static void link_it(void)
{
	MUST(mkdir("/etc/run", 0755) == 0);
	write_conf("/etc/run/stub", "10.0.0.3");
	MUST(symlink("../etc/run/stub", "/etc/resolv.conf") == 0);
}

static void replace_the_links_end(void)
{
	write_conf("/etc/run/new", "10.0.0.4");
	MUST(rename("/etc/run/new", "/etc/run/stub") == 0);
}

static void link_by_full_name(void)
{
	MUST(unlink("/etc/resolv.conf") == 0);
	write_conf("/etc/run/full", "10.0.0.5");
	MUST(symlink("/etc/run/full", "/etc/resolv.conf") == 0);
}

static void write_into_it(void)
{
	write_conf("/etc/resolv.conf", "10.0.0.6");
}

static const struct step {
	void (*host)(void);
	const char *server; /* that is found afterwards; NULL: there is no file */
} steps[] = {
	{ NULL, NULL },
	{ make_one, "10.0.0.1" },
	{ replace_it, "10.0.0.2" },
	{ take_it_away, NULL },
	{ link_it, "10.0.0.3" },
	{ replace_the_links_end, "10.0.0.4" },
	{ link_by_full_name, "10.0.0.5" },
	{ write_into_it, "10.0.0.6" },
};

/* Takes a step for each byte, and answers with one. */
static void be_host(int sock)
{
	uint8_t i;

	while (read(sock, &i, 1) == 1) {
		if (steps[i].host)
			steps[i].host();
		MUST(write(sock, &i, 1) == 1);
	}
	_exit(0);
}

/*
 * The sandbox.
 */
static void look(const char *server)
{
	struct stat st;
	char line[80] = "";
	FILE *f;

	if (!server) {
		MUST(stat("/etc/resolv.conf", &st) < 0 && errno == ENOENT);
		MUST(open("/etc/resolv.conf", O_RDONLY) < 0 && errno == ENOENT);
		return;
	}
	for (unsigned i = 0; i < 2; i++) { /* from its beginning each time */
		f = fopen("/etc/resolv.conf", "r");
		MUST(f && fgets(line, sizeof(line), f));
		MUST(stat("/etc/resolv.conf", &st) == 0 && (size_t)st.st_size == strlen(line));
		line[strcspn(line, "\n")] = 0;
		MUST(strcmp(line + strlen("nameserver "), server) == 0);
		fclose(f);
	}
}

static bool has_own_etc(void)
{
	int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);

	return unshare(flags) == 0 && mount("", "/", "", MS_PRIVATE | MS_REC, NULL) == 0 &&
	       mount("etc", "/etc", "tmpfs", 0, "mode=755") == 0;
}

static void be_sandboxed(enum sandbox_level level)
{
	static const struct syscall_use table[] = { { .name = SYSCALLS_RESOLV }, { .name = NULL } };
	const struct sandbox_syscalls syscalls = { table, false };
	const struct sandbox_plan plan = {
		.level = level, .network = true, .more_files = 10, .more_memory = 1 << 30
	};
	struct sigaction sys = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	struct sandbox_filter *f;
	int pair[2];

	if (!has_own_etc())
		_exit(0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	if (fork() == 0) {
		close(pair[0]);
		be_host(pair[1]);
	}
	close(pair[1]);
	f = sandbox_filter_new(SANDBOX_MAIN, &syscalls, 1, NULL);
	MUST(f && sandbox_enter(&plan, NULL));
	MUST(sigaction(SIGSYS, &sys, NULL) == 0 && sandbox_seal(f) == 0);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		uint8_t step = (uint8_t)i;

		MUST(write(pair[0], &step, 1) == 1 && read(pair[0], &step, 1) == 1);
		look(steps[i].server);
	}
	_exit(FINISHED);
}

static void check(enum sandbox_level level)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		be_sandboxed(level);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (level != SANDBOX_OFF && WEXITSTATUS(status) == 0)
		return; /* no namespaces here: then it is filters alone, which has a test */
	assert_int_equal(WEXITSTATUS(status), FINISHED);
}

static void what_replaces_the_file_is_found(void **state)
{
	(void)state;
	check(SANDBOX_OFF); /* filters alone */
}

static void what_replaces_the_file_is_found_from_an_empty_root(void **state)
{
	(void)state;
	check(SANDBOX_ON);
}

/* Not even a process that stays when all else is gone. */
static void who_opens_it_ends_with_the_filter(void **state)
{
	static const struct syscall_use table[] = { { .name = SYSCALLS_RESOLV }, { .name = NULL } };
	const struct sandbox_syscalls syscalls = { table, false };
	struct sandbox_filter *f;
	int status;

	(void)state;
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	f = sandbox_filter_new(SANDBOX_LOOP, &syscalls, 1, NULL);
	assert_non_null(f);
	assert_int_equal(waitpid(-1, &status, WNOHANG), 0); /* it lives */
	sandbox_filter_free(f);
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_replaces_the_file_is_found),
		cmocka_unit_test(what_replaces_the_file_is_found_from_an_empty_root),
		cmocka_unit_test(who_opens_it_ends_with_the_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
