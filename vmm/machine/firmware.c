#include "vmm/machine/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/arch.h"

#define FIRMWARE_PAGE 4096u

/* 0, -errno, or -ENODATA if the file ends before its size. A network file system gives a large read
 * in parts. */
static int read_all(int fd, uint8_t *to, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		ssize_t got = pread(fd, to + at, size - at, (off_t)at);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return -ENODATA;
		at += (uint64_t)MAX(got, 0);
	}
	return 0;
}

static bool read_image(struct firmware *f, int fd, const char *path, GError **err)
{
	int ret;

	f->image = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->image == MAP_FAILED) {
		f->image = NULL;
		return ringside_error_errno(err, errno, "--firmware: memory for '%s'", path);
	}
	ret = read_all(fd, f->image, f->size);
	return ret == 0 || ringside_error_errno(err, -ret, "--firmware: cannot read '%s'", path);
}

static bool check_image(struct firmware *f, int fd, const char *path, GError **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return ringside_usage(err, "--firmware: '%s' is no regular file; give an image",
				      path);
	f->size = (uint64_t)st.st_size;
	f->gpa = f->size && f->size % FIRMWARE_PAGE == 0 ? arch_firmware_place(f->size) : 0;
	return f->gpa ||
	       ringside_usage(err,
			      "--firmware: '%s' has %" G_GUINT64_FORMAT
			      " bytes; a flat image has a multiple of 4 KiB, at most %u MiB",
			      path, f->size, (unsigned)(arch_firmware_max >> 20));
}

bool firmware_open(struct firmware *f, const char *path, GError **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok;

	*f = (struct firmware){ 0 };
	if (fd < 0 && errno == ENOENT)
		return ringside_usage(
			err, "--firmware: '%s' does not exist; give the path of a file", path);
	if (fd < 0)
		return ringside_error_errno(err, errno, "--firmware: cannot open '%s'", path);
	ok = check_image(f, fd, path, err) && read_image(f, fd, path, err);
	close(fd);
	if (!ok)
		firmware_close(f);
	return ok;
}

void firmware_close(struct firmware *f)
{
	if (f->image)
		munmap(f->image, f->size);
	f->image = NULL;
}

bool firmware_plug(const struct firmware *f, struct kvm *kvm, GError **err)
{
	const struct kvm_slot slot = {
		.n = FIRMWARE_SLOT, .gpa = f->gpa, .len = f->size, .hva = f->image, .readonly = true
	};
	int ret = -EOPNOTSUPP;

	if (!f->image)
		return true;
	if (kvm->readonly_slots)
		ret = kvm_set_slot(kvm, &slot);
	return ret == 0 ||
	       ringside_error_errno(err, -ret, "/dev/kvm: read-only memory for --firmware");
}
