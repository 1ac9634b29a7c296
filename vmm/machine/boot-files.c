#include "vmm/machine/boot-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/error.h"

static bool open_file(const char *option, const char *path, struct boot_file *file, GError **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *wrong = NULL;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return ringside_usage(err, "%s: '%s' does not exist; give the path of a file",
				      option, path);
	if (fd < 0)
		return ringside_error_errno(err, errno, "%s: cannot open '%s'", option, path);
	if (fstat(fd, &st) < 0)
		wrong = "cannot be examined";
	else if (S_ISDIR(st.st_mode))
		wrong = "is a directory";
	else if (!S_ISREG(st.st_mode))
		wrong = "is not a regular file";
	else if (st.st_size == 0)
		wrong = "is empty";
	if (wrong) {
		close(fd);
		return ringside_usage(err, "%s: '%s' %s; give %s", option, path, wrong,
				      strcmp(option, "--kernel") == 0
					      ? "a bzImage or an ELF vmlinux"
					      : "an initramfs image");
	}
	file->fd = fd;
	file->size = (uint64_t)st.st_size;
	return true;
}

bool boot_files_open(struct boot_files *files, const char *kernel, const char *initrd, GError **err)
{
	*files = BOOT_FILES_NONE;
	if (open_file("--kernel", kernel, &files->kernel, err) &&
	    (!initrd || open_file("--initrd", initrd, &files->initrd, err)))
		return true;
	boot_files_close(files);
	return false;
}

void boot_files_close(struct boot_files *files)
{
	if (files->kernel.fd >= 0)
		close(files->kernel.fd);
	if (files->initrd.fd >= 0)
		close(files->initrd.fd);
	*files = BOOT_FILES_NONE;
}
