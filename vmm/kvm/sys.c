#include "vmm/kvm/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int kvm_sys_open(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do
		ret = ioctl(fd, request, arg);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int kvm_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	int ret;

	do
		ret = ioctl(fd, request, value);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int kvm_sys_run(int vcpu)
{
	return ioctl(vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
}

int kvm_sys_map(int vcpu, size_t len, void **ret)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}
