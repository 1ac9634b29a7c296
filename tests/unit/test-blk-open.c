/* Opening disks: what is none is refused in one line, nobody writes to a disk that somebody else
 * uses, and a host without io_uring is no obstacle. */
#include <errno.h>
#include <linux/io_uring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/blk-disk.h"

static const struct disk_variant synchronous = { "sync", BLK_AIO_SYNC, false, false, NULL, false };
static const struct disk_variant uring = { "uring", BLK_AIO_URING, false, false, NULL, false };
static const struct disk_variant automatic = { "auto", BLK_AIO_AUTO, false, false, NULL, false };

static void expect_refusal(const char *path, bool ro, const char *says)
{
	GError *err = NULL;
	struct blk_backend *be = disk_open_path(path, &synchronous, ro, &err);

	assert_null(be);
	assert_non_null(err);
	if (!strstr(err->message, path) || !strstr(err->message, says))
		fail_msg("'%s' should name %s and say '%s'", err->message, path, says);
	assert_int_equal(err->code, RINGSIDE_ERROR_USAGE);
	assert_null(strchr(err->message, '\n'));
	g_clear_error(&err);
}

static void what_is_no_disk_is_refused_in_one_line(void **state)
{
	g_autofree char *odd = disk_new_file(false, 1000);
	g_autofree char *empty = disk_new_file(false, 0);
	g_autofree char *fifo = g_strdup_printf("%s.fifo", odd);

	(void)state;
	expect_refusal("/nonexistent/disk.img", false, "No such file");
	expect_refusal(g_get_tmp_dir(), false, "directory");
	expect_refusal(g_get_tmp_dir(), true, "directory");
	expect_refusal("/dev/zero", false, "neither a file nor a block device");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	expect_refusal(fifo, true, "neither a file nor a block device"); /* and does not hang */
	expect_refusal(empty, false, "is empty");
	expect_refusal(odd, true, "multiple of 512");
	unlink(fifo);
	unlink(odd);
	unlink(empty);
}

static void what_is_not_permitted_is_refused_in_one_line(void **state)
{
	g_autofree char *path = disk_new_file(true, MIB);
	GError *err = NULL;
	struct blk_backend *be;

	(void)state;
	assert_int_equal(chmod(path, 0444), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0); /* root may do anything */
	expect_refusal(path, false, "ro=on");
	be = disk_open_path(path, &synchronous, true, &err);
	assert_non_null(be);
	be->ops->close(be);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(path, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	expect_refusal(path, true, "Permission denied");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	unlink(path);
}

static void one_writer_or_many_readers(void **state)
{
	g_autofree char *path = disk_new_file(false, MIB);
	struct blk_backend *a, *b;

	(void)state;
	a = disk_open_path(path, &synchronous, false, NULL);
	assert_non_null(a);
	expect_refusal(path, false, "already in use");
	expect_refusal(path, true, "already in use");
	a->ops->close(a);
	a = disk_open_path(path, &synchronous, true, NULL);
	assert_non_null(a);
	b = disk_open_path(path, &synchronous, true, NULL);
	assert_non_null(b);
	expect_refusal(path, false, "already in use");
	a->ops->close(a);
	b->ops->close(b);
	a = disk_open_path(path, &synchronous, false, NULL);
	assert_non_null(a);
	a->ops->close(a);
	unlink(path);
}

/* A ring must not keep the file, and with it the lock, beyond its channel. */
static void a_closed_disk_can_be_opened_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct disk *d = disk_open(&uring, MIB);
		struct blk_backend *again;
		uint8_t *buf = disk_buffer(4096);

		assert_int_equal(disk_rw(d, BLK_WRITE, 0, buf, 4096), 0);
		disk_free_channel(d);
		d->be->ops->close(d->be);
		again = disk_open_path(d->path, &uring, false, NULL);
		assert_non_null(again);
		d->be = again;
		d->ch = disk_channel(d);
		free(buf);
		disk_close(d);
	}
}

static void read_only_disk_cannot_be_written(void **state)
{
	g_autofree char *path = disk_new_file(false, MIB);
	struct disk d = { .loop = loop_main() };
	uint8_t buf[512] = { 1 };

	(void)state;
	d.be = disk_open_path(path, &synchronous, true, NULL);
	assert_true(d.be->info.ro);
	assert_false(d.be->info.discard);
	d.ch = disk_channel(&d);
	assert_int_equal(disk_rw(&d, BLK_WRITE, 0, buf, 512), -EBADF);
	assert_int_equal(disk_rw(&d, BLK_READ, 0, buf, 512), 0);
	assert_int_equal(buf[0], 0);
	disk_free_channel(&d);
	d.be->ops->close(d.be);
	loop_free(d.loop);
	unlink(path);
}

static void heard(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
	(void)domain;
	(void)level;
	g_string_append_printf(data, "%s\n", message);
}

/* A host that gives us no ring: here for want of descriptors, elsewhere by policy. */
static void without_io_uring_auto_does_without(void **state)
{
	g_autofree char *path = disk_new_file(false, MIB);
	struct disk d = { .loop = loop_main() };
	struct rlimit old, limit;
	g_autoptr(GString) said = g_string_new(NULL), want = g_string_new(path);
	guint handler = g_log_set_handler("ringside", G_LOG_LEVEL_MESSAGE, heard, said);
	GError *err = NULL;
	uint8_t buf[512];

	(void)state;
	d.be = disk_open_path(path, &automatic, false, &err);
	assert_non_null(d.be);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)dup(0);
	close((int)limit.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned i = 0; i < 2; i++) {
		d.ch = disk_channel(&d);
		assert_int_equal(disk_rw(&d, BLK_READ, 0, buf, 512), 0);
		disk_free_channel(&d);
	}
	g_log_remove_handler("ringside", handler);
	g_string_append(want, ": the host refuses io_uring (Too many open files): pread and pwrite "
			      "instead\n");
	assert_string_equal(said->str, want->str); /* once, and where an operator sees it */
	d.be->ops->close(d.be);                    /* makes room for the file, but not for a ring */
	d.be = disk_open_path(path, &uring, false, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_null(d.be);
	assert_non_null(strstr(err->message, "aio=uring"));
	g_clear_error(&err);
	loop_free(d.loop);
	unlink(path);
}

static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* So that no channel needs to ask for one later, when it may not. */
static void rings_are_made_ahead_and_used_again(void **state)
{
	g_autofree char *path = disk_new_file(false, MIB);
	struct disk d = { .loop = loop_main() };
	struct blk_channel *second;
	uint8_t buf[512];
	int before, after;

	(void)state;
	d.be = disk_open_path(path, &uring, false, NULL);
	assert_non_null(d.be);
	before = next_fd();
	assert_int_equal(d.be->ops->prepare(d.be, 2), 0);
	after = next_fd();
	assert_int_equal(after, before + 2);
	for (unsigned i = 0; i < 5; i++) {
		d.ch = disk_channel(&d);
		second = disk_channel(&d);
		assert_int_equal(next_fd(), after);
		assert_int_equal(disk_rw(&d, BLK_READ, 0, buf, 512), 0);
		disk_free_channel(&d);
		d.ch = second;
		disk_free_channel(&d);
	}
	d.be->ops->close(d.be);
	assert_true(next_fd() < before); /* the file's is free, too */
	loop_free(d.loop);
	unlink(path);
}

/* No system call filter sees what goes through a ring: the kernel must hold it to what a disk
 * needs. */
static void a_ring_is_restricted(void **state)
{
	g_autofree char *path = disk_new_file(false, MIB);
	struct blk_backend *be = disk_open_path(path, &uring, false, NULL);
	struct io_uring_probe probe = { 0 };
	int fd = next_fd();

	(void)state;
	assert_int_equal(be->ops->prepare(be, 1), 0);
	assert_int_equal(syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, &probe, 0), -1);
	assert_int_equal(errno, EACCES);
	be->ops->close(be);
	unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_disk_is_refused_in_one_line),
		cmocka_unit_test(what_is_not_permitted_is_refused_in_one_line),
		cmocka_unit_test(one_writer_or_many_readers),
		cmocka_unit_test(a_closed_disk_can_be_opened_at_once),
		cmocka_unit_test(read_only_disk_cannot_be_written),
		cmocka_unit_test(without_io_uring_auto_does_without),
		cmocka_unit_test(rings_are_made_ahead_and_used_again),
		cmocka_unit_test(a_ring_is_restricted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
