/*
 * Folders for the guest (vmm/machine/share.c), with a program of the test's in virtiofsd's place:
 * who starts it, starts it again, and ends it. That the real one works is
 * tests/system/vhost-user-front's.
 */
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "vmm/machine/back-ends.h"

struct bench {
	char *dir, *program, *pid_file, *path;
	struct child share;
};

static int setup(void **state)
{
	struct bench *b = g_new0(struct bench, 1);

	b->dir = g_dir_make_tmp("ringside-test-XXXXXX", NULL);
	b->program = g_build_filename(b->dir, "virtiofsd", NULL);
	b->pid_file = g_build_filename(b->dir, "pid", NULL);
	b->path = g_strdup(g_getenv("PATH"));
	b->share.alive = -1;
	g_setenv("PATH", b->dir, TRUE);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	child_clear(&b->share);
	g_setenv("PATH", b->path, TRUE);
	unlink(b->program);
	unlink(b->pid_file);
	rmdir(b->dir);
	g_free(b->dir);
	g_free(b->program);
	g_free(b->pid_file);
	g_free(b->path);
	g_free(b);
	return 0;
}

/* In virtiofsd's place: tells its number and its words, then does @then. */
static void install(struct bench *b, const char *then)
{
	g_autofree char *text = g_strdup_printf("#!/bin/sh\n"
						"[ -S /proc/self/fd/3 ] || exit 9\n"
						"echo $$ \"$@\" >%s.new && /bin/mv %s.new %s\n%s\n",
						b->pid_file, b->pid_file, b->pid_file, then);

	assert_true(g_file_set_contents(b->program, text, -1, NULL));
	assert_int_equal(chmod(b->program, 0755), 0);
}

#define UNTIL(cond)                                                           \
	do {                                                                  \
		gint64 end_ = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC; \
		while (!(cond)) {                                             \
			if (g_get_monotonic_time() > end_)                    \
				fail_msg("%s: it never was", #cond);          \
			g_usleep(1000);                                       \
		}                                                             \
	} while (0)

/* The number of the one that runs, other than @last; and its words. */
static pid_t runs(struct bench *b, pid_t last, char **ret_words)
{
	g_autofree char *text = NULL;
	char *words;
	pid_t pid;

	if (!g_file_get_contents(b->pid_file, &text, NULL, NULL))
		return 0;
	pid = (pid_t)g_ascii_strtoll(text, &words, 10);
	if (pid == last)
		return 0;
	if (ret_words)
		*ret_words = g_strdup(g_strstrip(words));
	return pid;
}

static bool start(struct bench *b, const char *dir, bool read_only, GError **err)
{
	return share_start(&b->share, dir, read_only, "--share t=DIR", err);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0;
}

static void who_serves_is_started_again_and_ends_with_us(void **state)
{
	struct bench *b = *state;
	g_autofree char *words = NULL, *socket = NULL;
	g_autofree char *dir = NULL;
	pid_t pid = 0;

	install(b, "exec /bin/sleep 1000");
	assert_true(start(b, b->dir, false, NULL));
	assert_true(g_file_test(b->share.socket, G_FILE_TEST_EXISTS));
	for (unsigned i = 0; i < 3; i++) {
		pid_t last = pid;

		g_clear_pointer(&words, g_free);
		UNTIL((pid = runs(b, last, &words)));
		if (i < 2)
			assert_int_equal(kill(pid, SIGKILL), 0);
	}
	dir = g_strdup_printf("--fd=3 --log-level=error --shared-dir %s", b->dir);
	assert_string_equal(words, dir);
	socket = g_strdup(b->share.socket);
	child_clear(&b->share);
	UNTIL(is_gone(pid) && !g_file_test(socket, G_FILE_TEST_EXISTS));
	*strrchr(socket, '/') = '\0';
	UNTIL(!g_file_test(socket, G_FILE_TEST_EXISTS));
}

static void one_that_fails_at_once_is_not_started_again(void **state)
{
	struct bench *b = *state;
	g_autofree char *words = NULL;

	install(b, "exit 1");
	assert_true(start(b, b->dir, true, NULL));
	UNTIL(runs(b, 0, &words));
	assert_true(g_str_has_suffix(words, " --readonly"));
	UNTIL(!g_file_test(b->share.socket, G_FILE_TEST_EXISTS));
}

static void one_that_dies_again_and_again_is_given_up(void **state)
{
	struct bench *b = *state;

	install(b, "kill -9 $$");
	assert_true(start(b, b->dir, false, NULL));
	UNTIL(!g_file_test(b->share.socket, G_FILE_TEST_EXISTS));
}

static void what_is_missing_is_said(void **state)
{
	struct bench *b = *state;
	g_autoptr(GError) err = NULL, other = NULL;

	assert_false(start(b, "/nowhere", false, &err));
	assert_string_equal(err->message, "--share t=DIR: /nowhere is no folder");
	if (access("/usr/libexec/virtiofsd", X_OK) == 0)
		return; /* it is installed here */
	assert_false(start(b, b->dir, false, &other));
	assert_non_null(strstr(other->message, "Debian's package virtiofsd"));
	assert_int_equal(other->code, RINGSIDE_ERROR_USAGE);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_serves_is_started_again_and_ends_with_us),
		TEST(one_that_fails_at_once_is_not_started_again),
		TEST(one_that_dies_again_and_again_is_given_up),
		TEST(what_is_missing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
