#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"

static int kvm_check_cap(const struct kvm *kvm, unsigned cap)
{
	int ret = kvm_ioctl_value(kvm->fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

/* What there is no doing without. */
static const struct {
	unsigned cap;
	const char *name;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
};

static bool check_needed(const struct kvm *kvm, GError **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
		if (!kvm_check_cap(kvm, needed[i].cap)) {
			g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST,
				    "/dev/kvm: this kernel's KVM lacks %s", needed[i].name);
			return false;
		}
	return true;
}

static bool open_failed(int errnum, GError **err)
{
	switch (errnum) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return ringside_usage(
			err, "/dev/kvm: does not exist; load kvm-intel or kvm-amd (and enable "
			     "virtualisation in the firmware), or run under tools/kvm-box");
	case EACCES:
	case EPERM:
		return ringside_usage(err, "/dev/kvm: permission denied; join its group with `sudo "
					   "usermod -aG kvm $USER` and log in again, or run under "
					   "tools/kvm-box");
	default:
		return ringside_error_errno(err, errnum, "/dev/kvm");
	}
}

bool kvm_open(struct kvm *kvm, GError **err)
{
	int fd, version, size, cpus;

	*kvm = (struct kvm){ .fd = -1, .vm = -1 };
	fd = kvm_sys_open();
	if (fd < 0)
		return open_failed(-fd, err);
	kvm->fd = fd;
	version = kvm_ioctl_value(kvm->fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return ringside_error_errno(err, -version, "/dev/kvm: KVM_GET_API_VERSION");
	if (version != KVM_API_VERSION) {
		g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST,
			    "/dev/kvm: KVM API version %d; version %d is needed", version,
			    KVM_API_VERSION);
		return false;
	}
	if (!check_needed(kvm, err))
		return false;
	size = kvm_ioctl_value(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return ringside_error_errno(err, -size, "/dev/kvm: KVM_GET_VCPU_MMAP_SIZE");
	kvm->run_size = (size_t)size;
	cpus = kvm_check_cap(kvm, KVM_CAP_MAX_VCPUS); /* outside MAX(), which asks twice */
	kvm->max_cpus = (unsigned)MAX(cpus, 1);
	kvm->max_routes = (unsigned)kvm_check_cap(kvm, KVM_CAP_IRQ_ROUTING);
	kvm->max_slots = (unsigned)kvm_check_cap(kvm, KVM_CAP_NR_MEMSLOTS);
	kvm->binary_stats = kvm_check_cap(kvm, KVM_CAP_BINARY_STATS_FD);
	kvm->readonly_slots = kvm_check_cap(kvm, KVM_CAP_READONLY_MEM);
	kvm->tsc_deadline = kvm_check_cap(kvm, KVM_CAP_TSC_DEADLINE_TIMER);
	kvm->debug_flags = (uint32_t)kvm_check_cap(kvm, KVM_CAP_SET_GUEST_DEBUG2);
	kvm->any_length_doorbells = kvm_check_cap(kvm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
	return true;
}

void kvm_close(struct kvm *kvm)
{
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->fd >= 0)
		close(kvm->fd);
	kvm->vm = kvm->fd = -1;
}

bool kvm_create_machine(struct kvm *kvm, GError **err)
{
	int ret = kvm_ioctl_value(kvm->fd, KVM_CREATE_VM, 0);

	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: KVM_CREATE_VM");
	kvm->vm = ret;
	return kvm_create_irqchips(kvm, err);
}

int kvm_create_vcpu(struct kvm *kvm, unsigned id)
{
	return kvm_ioctl_value(kvm->vm, KVM_CREATE_VCPU, id);
}

int kvm_set_slot(struct kvm *kvm, const struct kvm_slot *slot)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot->n,
		.flags = slot->readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->len,
		.userspace_addr = (uintptr_t)slot->hva,
	};

	return kvm_ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

int kvm_set_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *io)
{
	return kvm_ioctl(kvm->vm, KVM_IOEVENTFD, (void *)io);
}

int kvm_set_irqfd(struct kvm *kvm, const struct kvm_irqfd *irq)
{
	return kvm_ioctl(kvm->vm, KVM_IRQFD, (void *)irq);
}

int kvm_set_routing(struct kvm *kvm, const struct kvm_irq_routing *table)
{
	return kvm_ioctl(kvm->vm, KVM_SET_GSI_ROUTING, (void *)table);
}

int kvm_irq_line(struct kvm *kvm, unsigned gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	return kvm_ioctl(kvm->vm, KVM_IRQ_LINE, &line);
}
