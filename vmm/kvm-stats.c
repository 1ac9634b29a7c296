#include "vmm/kvm-stats.h"

#include <glib.h>
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kvm.h"

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

/* The descriptor's first value, if it is one of those we want. */
static void take(int fd, const struct kvm_stats_header *head, const struct kvm_stats_desc *desc,
		 struct kvm_stats *ret)
{
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (strncmp(desc->name, wanted[i].name, head->name_size) == 0 && desc->size == 1 &&
		    read_at(fd, &value, sizeof(value), (uint64_t)head->data_offset + desc->offset))
			memcpy((char *)ret + wanted[i].offset, &value, sizeof(value));
}

static bool read_stats(int fd, struct kvm_stats *ret)
{
	g_autofree struct kvm_stats_desc *desc = NULL;
	struct kvm_stats_header head;
	size_t len;

	if (!read_at(fd, &head, sizeof(head), 0))
		return false;
	len = sizeof(*desc) + head.name_size;
	desc = g_malloc0(len + 1);
	for (uint32_t i = 0; i < head.num_desc; i++) {
		if (!read_at(fd, desc, len, (uint64_t)head.desc_offset + (uint64_t)i * len))
			return false;
		take(fd, &head, desc, ret);
	}
	return true;
}

bool kvm_stats_read(int vcpu, struct kvm_stats *ret)
{
	int fd = kvm_ioctl_value(vcpu, KVM_GET_STATS_FD, 0);
	bool ok;

	*ret = (struct kvm_stats){ 0 };
	if (fd < 0)
		return false;
	ok = read_stats(fd, ret);
	close(fd);
	return ok;
}
