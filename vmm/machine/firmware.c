#include "vmm/machine/firmware.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/arch.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/read-all.h"

#define FIRMWARE_PAGE 4096u

static bool read_image(struct firmware *f, int fd, const char *path, GError **err)
{
	f->image = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->image == MAP_FAILED) {
		f->image = NULL;
		return ringside_error_errno(err, errno, "--firmware: memory for '%s'", path);
	}
	return read_all(fd, f->image, f->size, 0) ||
	       ringside_error_errno(err, errno, "--firmware: cannot read '%s'", path);
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
	int fd = boot_file_open("--firmware", path, err);
	bool ok;

	*f = (struct firmware){ 0 };
	if (fd < 0)
		return false;
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
