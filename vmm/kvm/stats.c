#include "vmm/kvm/stats.h"

#include <glib.h>
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kvm/sys.h"

static const struct {
	const char *name;
	size_t offset;
} wanted[] = {
	{ "exits", offsetof(struct kvm_stats, exits) },
	{ "halt_exits", offsetof(struct kvm_stats, halts) },
	{ "irq_injections", offsetof(struct kvm_stats, irq_injections) },
};

static bool read_at(int fd, void *buf, size_t len, uint64_t off)
{
	return pread(fd, buf, len, (off_t)off) == (ssize_t)len;
}

/* A descriptor with the name behind it, which is 48 bytes in today's KVM. */
#define NAME_MAX_BYTES 256u

union named_desc {
	struct kvm_stats_desc desc;
	char bytes[sizeof(struct kvm_stats_desc) + NAME_MAX_BYTES];
};

/* The descriptor's first value, if it is one of those we want. */
static void kvm_stats_take(int fd, const struct kvm_stats_header *head, const union named_desc *d,
			   struct kvm_stats *ret)
{
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (strcmp(d->desc.name, wanted[i].name) == 0 && d->desc.size == 1 &&
		    read_at(fd, &value, sizeof(value),
			    (uint64_t)head->data_offset + d->desc.offset))
			memcpy((char *)ret + wanted[i].offset, &value, sizeof(value));
}

static bool read_stats(int fd, struct kvm_stats *ret)
{
	struct kvm_stats_header head;
	union named_desc d = { 0 };
	size_t len;

	if (!read_at(fd, &head, sizeof(head), 0) || head.name_size >= NAME_MAX_BYTES)
		return false;
	len = sizeof(d.desc) + head.name_size;
	for (uint32_t i = 0; i < head.num_desc; i++) {
		if (!read_at(fd, &d, len, (uint64_t)head.desc_offset + (uint64_t)i * len))
			return false;
		kvm_stats_take(fd, &head, &d, ret);
	}
	return true;
}

int kvm_stats_open(int vcpu)
{
	int fd = kvm_ioctl_value(vcpu, KVM_GET_STATS_FD, 0); /* outside MAX(), which asks twice */

	return MAX(fd, -1);
}

bool kvm_stats_read(int fd, struct kvm_stats *ret)
{
	*ret = (struct kvm_stats){ 0 };
	return fd >= 0 && read_stats(fd, ret);
}
