/* The files of a boot: those that are read as they are, pipes, and folders that become an
 * initramfs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "devices/base/error.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/initramfs.h"

#define MIB ((uint64_t)1 << 20)

struct rig {
	char *dir, *kernel, *folder;
	struct boot_files files;
};

static char *under(const char *dir, const char *name)
{
	return g_build_filename(dir, name, NULL);
}

/* Runs a command of the shell in the rig's directory. */
static void sh(const struct rig *r, const char *command)
{
	const char *argv[] = { "/bin/sh", "-ec", command, NULL };
	g_autofree char *said = NULL;
	GError *err = NULL;
	int status;

	if (!g_spawn_sync(r->dir, (char **)argv, NULL, 0, NULL, NULL, NULL, &said, &status, &err))
		fail_msg("%s", err->message);
	if (status != 0)
		fail_msg("%s: status %d: %s", command, status, said);
}

static int setup(void **state)
{
	struct rig *r = g_new0(struct rig, 1);

	r->dir = g_dir_make_tmp("ringside-files-XXXXXX", NULL);
	r->kernel = under(r->dir, "kernel");
	r->folder = under(r->dir, "folder");
	r->files = BOOT_FILES_NONE;
	assert_true(g_file_set_contents(r->kernel, "a kernel", -1, NULL));
	assert_int_equal(g_mkdir(r->folder, 0755), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	boot_files_close(&r->files);
	sh(r, "chmod -R u+rwX . && rm -rf folder out kernel fifo archive");
	assert_int_equal(g_rmdir(r->dir), 0);
	g_free(r->dir);
	g_free(r->kernel);
	g_free(r->folder);
	g_free(r);
	return 0;
}

static void opens(struct rig *r, const char *kernel, GPtrArray *initrds)
{
	GError *err = NULL;

	if (!boot_files_open(&r->files, kernel, initrds, MIB, &err))
		fail_msg("%s", err->message);
}

static void open_fails(struct rig *r, const char *kernel, GPtrArray *initrds, const char *says)
{
	g_autoptr(GError) err = NULL;

	assert_false(boot_files_open(&r->files, kernel, initrds, MIB, &err));
	if (!strstr(err->message, says) || strchr(err->message, '\n'))
		fail_msg("no '%s' in: %s", says, err->message);
	assert_int_equal(r->files.kernel.fd, -1);
	assert_int_equal(r->files.n_initrds, 0);
}

/* Free with g_free(). */
static char *contents(const struct boot_file *file)
{
	char *bytes = g_malloc0(file->size + 1);

	assert_int_equal(pread(file->fd, bytes, file->size + 1, 0), file->size);
	return bytes;
}

static void a_file_is_read_as_it_is(void **state)
{
	struct rig *r = *state;
	g_autofree char *bytes = NULL;

	opens(r, r->kernel, NULL);
	bytes = contents(&r->files.kernel);
	assert_string_equal(bytes, "a kernel");
	assert_string_equal(r->files.kernel.name, r->kernel);
	assert_int_equal(r->files.n_initrds, 0);
}

/* ---- pipes ---- */

/* The name of a pipe out of which @len bytes come, more than it holds if need be. */
static char *pipe_of(size_t len, int *ret_fd, pid_t *ret_child)
{
	int end[2];

	assert_int_equal(pipe(end), 0);
	*ret_child = fork();
	if (*ret_child == 0) {
		close(end[0]);
		for (size_t i = 0; i < len; i++)
			if (write(end[1], &"abcdefg"[i % 7], 1) != 1)
				break;
		_exit(0);
	}
	close(end[1]);
	*ret_fd = end[0];
	return g_strdup_printf("/dev/fd/%d", end[0]);
}

static void a_pipe_is_read_to_its_end(void **state)
{
	struct rig *r = *state;
	g_autofree char *name = NULL, *bytes = NULL;
	pid_t child;
	int fd;

	name = pipe_of(200000, &fd, &child);
	opens(r, name, NULL);
	assert_int_equal(r->files.kernel.size, 200000);
	bytes = contents(&r->files.kernel);
	for (size_t i = 0; i < 200000; i++)
		assert_int_equal(bytes[i], "abcdefg"[i % 7]);
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_pipe_has_no_more_than_fits(void **state)
{
	struct rig *r = *state;
	g_autofree char *name = NULL;
	pid_t child;
	int fd;

	(void)signal(SIGPIPE, SIG_DFL);
	name = pipe_of(MIB + 70000, &fd, &child);
	open_fails(r, name, NULL, "--kernel: more than 1 MiB come out of '/dev/fd/");
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
	name = (g_free(name), pipe_of(0, &fd, &child));
	open_fails(r, name, NULL, "is empty; give a bzImage");
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* One by name, that nobody has opened for writing yet. */
static void a_fifo_is_waited_for(void **state)
{
	struct rig *r = *state;
	g_autofree char *fifo = under(r->dir, "fifo"), *bytes = NULL;
	struct boot_initrd initrd = { .path = fifo, .words = NULL };
	g_autoptr(GPtrArray) initrds = g_ptr_array_new();
	pid_t child;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	g_ptr_array_add(initrds, &initrd);
	child = fork();
	if (child == 0) {
		int fd = open(fifo, O_WRONLY); /* waits for the reader */

		_exit(write(fd, "070701", 6) != 6);
	}
	opens(r, r->kernel, initrds);
	bytes = contents(&r->files.initrd[0]);
	assert_string_equal(bytes, "070701");
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void who_waits_for_a_pipe_can_be_ended(void **state)
{
	struct rig *r = *state;
	g_autofree char *fifo = under(r->dir, "fifo");
	int status, ready[2];
	pid_t child;
	char byte;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct boot_files files;
		sigset_t all;

		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		if (write(ready[1], "!", 1) == 1)
			(void)boot_files_open(&files, fifo, NULL, MIB, NULL);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(child, SIGINT), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	close(ready[0]);
	close(ready[1]);
}

/* ---- folders ---- */

static bool make(struct rig *r, const char *folder, uint64_t limit, GError **err)
{
	struct boot_initrd initrd = { .path = (char *)folder, .folder = true };
	g_autoptr(GPtrArray) initrds = g_ptr_array_new();

	g_ptr_array_add(initrds, &initrd);
	boot_files_close(&r->files);
	return boot_files_open(&r->files, r->kernel, initrds, limit, err);
}

static void makes(struct rig *r, const char *folder)
{
	GError *err = NULL;

	if (!make(r, folder, MIB, &err))
		fail_msg("%s", err->message);
}

static void make_fails(struct rig *r, const char *folder, uint64_t limit, const char *says)
{
	g_autoptr(GError) err = NULL;

	assert_false(make(r, folder, limit, &err));
	if (!strstr(err->message, says))
		fail_msg("no '%s' in: %s", says, err->message);
}

#define FOLDER                                                                               \
	"cd folder && mkdir -p bin etc/empty && printf init >init && chmod 755 init && "     \
	"head -c 70001 /dev/urandom >bin/busybox && chmod 4711 bin/busybox && "              \
	"ln bin/busybox bin/sh && ln -s ../init bin/start && ln -s /no/where etc/broken && " \
	"mkfifo -m 620 etc/fifo && : >etc/nothing && chmod 1777 etc/empty && printf xyz >'a b'"

/* What cpio makes of it is what went in. */
static void cpio_unpacks_what_was_packed(void **state)
{
	struct rig *r = *state;
	g_autofree char *bytes = NULL, *archive = under(r->dir, "archive");

	sh(r, FOLDER);
	makes(r, r->folder);
	bytes = contents(&r->files.initrd[0]);
	assert_true(g_file_set_contents(archive, bytes, (gssize)r->files.initrd[0].size, NULL));
	sh(r, "mkdir out && cd out && cpio -id --quiet <../archive");
	sh(r, "cd folder && find . ! -path . -printf '%P %M %y %l %s\\n' | sort >../kernel");
	sh(r, "cd out && find . ! -path . -printf '%P %M %y %l %s\\n' | sort | diff ../kernel -");
	sh(r, "cmp folder/bin/busybox out/bin/busybox && cmp folder/init out/init");
	sh(r, "test $(stat -c %i out/bin/sh) = $(stat -c %i out/bin/busybox)");
	/* once, for two names */
	assert_true(r->files.initrd[0].size < 72000);
}

static void the_same_folder_gives_the_same_bytes(void **state)
{
	struct rig *r = *state;
	g_autofree char *first = NULL, *second = NULL;
	uint64_t size;

	sh(r, FOLDER);
	makes(r, r->folder);
	size = r->files.initrd[0].size;
	first = contents(&r->files.initrd[0]);
	sh(r, "cp -a folder out && mv folder/bin folder/x && mv folder/x folder/bin && "
	      "touch -d 2001-01-01 folder/init");
	makes(r, r->folder);
	assert_int_equal(r->files.initrd[0].size, size);
	second = contents(&r->files.initrd[0]);
	assert_memory_equal(first, second, size);
	second = (g_free(second), under(r->dir, "out"));
	makes(r, second); /* another place, other inodes */
	assert_int_equal(r->files.initrd[0].size, size);
	second = (g_free(second), contents(&r->files.initrd[0]));
	assert_memory_equal(first, second, size);
}

/* A header's field, of eight hexadecimal digits. */
static uint32_t field(const char *head, unsigned n)
{
	char digits[9] = { 0 };

	memcpy(digits, head + 6 + 8ul * n, 8);
	return (uint32_t)g_ascii_strtoull(digits, NULL, 16);
}

/* /dev/pts always has this one, 5:2. */
static void a_device_node_stays_one(void **state)
{
	struct rig *r = *state;
	g_autofree char *bytes = NULL;
	const char *name;

	makes(r, "/dev/pts");
	bytes = contents(&r->files.initrd[0]);
	name = memmem(bytes, r->files.initrd[0].size, "ptmx", 5);
	assert_non_null(name);
	name -= 110;
	assert_memory_equal(name, "070701", 6);
	assert_true(S_ISCHR(field(name, 1)));
	assert_int_equal(field(name, 2), 0);
	assert_int_equal(field(name, 5), 0);
	assert_int_equal(field(name, 6), 0);
	assert_int_equal(field(name, 9), 5);
	assert_int_equal(field(name, 10), 2);
}

static void bad_folders_are_refused(void **state)
{
	struct rig *r = *state;

	make_fails(r, r->kernel, MIB, "--initrd-dir: '");
	make_fails(r, r->kernel, MIB, "is not a folder; give the path of one");
	make_fails(r, "/no/such/folder", MIB, "is not a folder");
	sh(r, "head -c 2M /dev/zero >folder/large");
	make_fails(r, r->folder, MIB, "makes more than 1 MiB; give a larger --memory");
	sh(r, "rm folder/large && truncate -s 5G folder/huge");
	make_fails(r, r->folder, 8ull << 30, "huge': File too large");
	sh(r, "rm folder/huge && cd folder && for i in $(seq 250); do mkdir d && cd d; done");
	make_fails(r, r->folder, MIB, "/d/d/d");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_read_as_it_is),
		TEST(a_pipe_is_read_to_its_end),
		TEST(a_pipe_has_no_more_than_fits),
		TEST(a_fifo_is_waited_for),
		TEST(who_waits_for_a_pipe_can_be_ended),
		TEST(cpio_unpacks_what_was_packed),
		TEST(the_same_folder_gives_the_same_bytes),
		TEST(a_device_node_stays_one),
		TEST(bad_folders_are_refused),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
