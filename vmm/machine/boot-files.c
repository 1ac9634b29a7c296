#include "vmm/machine/boot-files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/initramfs.h"
#include "vmm/unpack/unpack.h"

#define MIB ((uint64_t)1 << 20)

void boot_initrd_free(struct boot_initrd *initrd)
{
	if (!initrd)
		return;
	g_free(initrd->path);
	g_free(initrd->words);
	g_free(initrd);
}

static void boot_file_close(struct boot_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	g_free(file->name);
	g_free(file->words);
	*file = (struct boot_file){ .fd = -1 };
}

/*
 * Pipes.
 */

/* Waits for bytes, or the end; by one of these signals the operator gives up. */
static void pipe_wait(int fd)
{
	static const int gives_up[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (unsigned i = 0; i < G_N_ELEMENTS(gives_up); i++)
		sigdelset(&mask, gives_up[i]);
	(void)ppoll(&p, 1, NULL, &mask);
}

/* Copies @from up to its end into @to. Bytes, -errno, or more than @limit. */
static gint64 pipe_copy(int from, int to, uint64_t limit)
{
	g_autofree uint8_t *buf = g_malloc(64 << 10);
	uint64_t sum = 0;

	while (sum <= limit) {
		ssize_t got = read(from, buf, 64 << 10);

		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			pipe_wait(from);
			continue;
		}
		if (got <= 0)
			return got < 0 ? -errno : (gint64)sum;
		if (pwrite(to, buf, (size_t)got, (off_t)sum) != got)
			return errno ? -errno : -EIO;
		sum += (uint64_t)got;
	}
	return (gint64)sum;
}

/* Puts a copy of what comes out of the pipe into its place. */
static bool pipe_keep(const char *option, struct boot_file *file, uint64_t limit, GError **err)
{
	int copy = memfd_create("ringside-pipe", MFD_CLOEXEC);
	gint64 got;

	if (copy < 0)
		return ringside_error_errno(err, errno, "%s: memory for a copy of '%s'", option,
					    file->name);
	pipe_wait(file->fd); /* one that nobody has opened yet seems to be at its end */
	got = pipe_copy(file->fd, copy, limit);
	close(file->fd);
	file->fd = copy;
	file->size = (uint64_t)MAX(got, 0);
	if (got < 0)
		return ringside_error_errno(err, (int)-got, "%s: cannot read '%s'", option,
					    file->name);
	if (file->size > limit)
		return ringside_usage(err,
				      "%s: more than %lu MiB come out of '%s'; give a larger "
				      "--memory",
				      option, limit / MIB, file->name);
	return true;
}

/*
 * Opening.
 */
static bool refuse(const char *option, const struct boot_file *file, const char *wrong,
		   GError **err)
{
	return ringside_usage(err, "%s: '%s' %s; give %s", option, file->name, wrong,
			      strcmp(option, "--kernel") == 0
				      ? "a bzImage or an ELF kernel"
				      : "an initramfs image, or --initrd-dir");
}

int boot_file_open(const char *option, const char *path, GError **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		ringside_usage(err, "%s: '%s' does not exist; give the path of a file", option,
			       path);
	else if (fd < 0)
		ringside_error_errno(err, errno, "%s: cannot open '%s'", option, path);
	return fd;
}

static bool open_file(const char *option, const char *path, uint64_t limit, struct boot_file *file,
		      GError **err)
{
	struct stat st;

	*file = (struct boot_file){ .name = g_strdup(path) };
	file->fd = boot_file_open(option, path, err);
	if (file->fd < 0)
		return false;
	if (fstat(file->fd, &st) < 0)
		return refuse(option, file, "cannot be examined", err);
	if (S_ISDIR(st.st_mode))
		return refuse(option, file, "is a directory", err);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return refuse(option, file, "is neither a regular file nor a pipe", err);
	file->size = (uint64_t)st.st_size;
	if (S_ISFIFO(st.st_mode) && !pipe_keep(option, file, limit, err))
		return false;
	return file->size || refuse(option, file, "is empty", err);
}

/* The library for it, while libraries can be opened. */
static bool prepare_unpacking(const struct boot_file *kernel, GError **err)
{
	uint8_t head[8];
	ssize_t got = pread(kernel->fd, head, sizeof(head), 0);
	const struct unpack_format *format = got > 0 ? unpack_find(head, (size_t)got) : NULL;

	return !format || unpack_load(format, err);
}

static bool open_initrd(const struct boot_initrd *initrd, uint64_t limit, struct boot_file *file,
			GError **err)
{
	bool ok;

	if (initrd->folder)
		ok = initramfs_make(initrd->path, limit, file, err);
	else
		ok = open_file("--initrd", initrd->path, limit, file, err);
	file->words = g_strdup(initrd->words);
	return ok;
}

bool boot_files_open(struct boot_files *files, const char *kernel, const GPtrArray *initrds,
		     uint64_t limit, GError **err)
{
	guint n = initrds ? initrds->len : 0;
	bool ok;

	*files = BOOT_FILES_NONE;
	ok = open_file("--kernel", kernel, limit, &files->kernel, err) &&
	     prepare_unpacking(&files->kernel, err);
	files->initrd = g_new0(struct boot_file, n);
	while (ok && files->n_initrds < n) {
		const struct boot_initrd *initrd = g_ptr_array_index(initrds, files->n_initrds);

		ok = open_initrd(initrd, limit, &files->initrd[files->n_initrds++], err);
	}
	if (!ok)
		boot_files_close(files);
	return ok;
}

void boot_files_close(struct boot_files *files)
{
	boot_file_close(&files->kernel);
	for (unsigned i = 0; i < files->n_initrds; i++)
		boot_file_close(&files->initrd[i]);
	g_free(files->initrd);
	*files = BOOT_FILES_NONE;
}
