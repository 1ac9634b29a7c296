/*
 * exits.c: runs in the machine of tools/kvm-box before its command does, and makes each
 * interrupt that KVM injects be followed by an exit at once.
 *
 * QEMU's VMRUN leaves the injected vector standing as the processor's pending exception
 * (target/i386/tcg/system/svm_helper.c: helper_vmrun, SVM_EVTINJ_TYPE_INTR) until the next exit or
 * exception of the guest, or the next interrupt, takes its place. When anything else brings the
 * processor out of its loop before that (with -icount each timer of the outer machine; with several
 * processors each one that wants to be alone), the vector is delivered a second time: with
 * interrupts off, locks held or the user's GS base still loaded. An exit is what clears it, so
 * there is one before the guest's first instruction after an injection.
 *
 * KVM has no switch for that, and needs none: a perf event on a kprobe at svm_vcpu_run(), which
 * counts only entries with a valid EVENTINJ, asks for a wakeup each time it overflows; perf does
 * that by an interrupt to its own processor (irq_work), and svm_vcpu_run() is called with
 * interrupts off. So the interrupt is pending at VMRUN, and the guest exits (SVM_EXIT_INTR) with
 * the frame of its own interrupt pushed and nothing run. Nobody is woken: the event has no owner.
 *
 * Where the control block is found in struct vcpu_svm is asked of the module's type data (BTF).
 *
 * usage: exits, with debugfs and tracefs mounted; goes into the background when all is set.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"

/* AMD's manual, volume 2, appendix B: EVENTINJ in the control block, and its valid bit. */
#define EVENTINJ       0xa8
#define EVENTINJ_VALID "0x80000000"

/* One file of /sys/kernel/btf, in memory. */
struct types {
	char *data;
	const struct btf_header *header;
	const char *strings;
};

/* All of a file, with a zero behind it; the caller's until the end. */
static char *read_all(const char *path)
{
	size_t size = 0, room = 16 << 20; /* the kernel's types have 6 MiB */
	char *data = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	while (fd >= 0 && data != NULL && n > 0 && size < room - 1) {
		n = read(fd, data + size, room - 1 - size);
		size += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || data == NULL || n != 0)
		err(1, "cannot read %s", path);
	data[size] = '\0';
	close(fd);
	return data;
}

static struct types types_read(const char *path)
{
	struct types t = { .data = read_all(path) };

	t.header = (const struct btf_header *)t.data;
	if (t.header->magic != BTF_MAGIC)
		errx(1, "%s is no type data", path);
	t.strings = t.data + t.header->hdr_len + t.header->str_off;
	return t;
}

/* Bytes behind a type's head. (Documentation/bpf/btf.rst, "Type Encoding") */
static size_t type_tail(const struct btf_type *type)
{
	size_t n = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return n * 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return n * 8;
	default:
		return 0;
	}
}

/* A module's strings are numbered on from the kernel's. */
static const char *name_at(const struct types *kernel, const struct types *module, __u32 at)
{
	__u32 first = kernel->header->str_len;

	return at < first ? kernel->strings + at : module->strings + (at - first);
}

/* Offset of the member in the module's struct, in bytes. */
static unsigned member_offset(const char *module_path, const char *structure, const char *member)
{
	struct types kernel = types_read("/sys/kernel/btf/vmlinux");
	struct types module = types_read(module_path);
	const char *at = module.data + module.header->hdr_len + module.header->type_off;
	const char *end = at + module.header->type_len;
	const struct btf_type *type;

	for (; at < end; at += sizeof(*type) + type_tail(type)) {
		const struct btf_member *m;

		type = (const struct btf_type *)at;
		m = (const struct btf_member *)(type + 1);
		if (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT ||
		    strcmp(name_at(&kernel, &module, type->name_off), structure) != 0)
			continue;
		for (unsigned i = 0; i < BTF_INFO_VLEN(type->info); i++)
			if (strcmp(name_at(&kernel, &module, m[i].name_off), member) == 0)
				return BTF_MEMBER_BIT_OFFSET(m[i].offset) / 8;
	}
	errx(1, "%s knows no %s.%s", module_path, structure, member);
}

/* Makes the kprobe; its number as a tracepoint. */
static unsigned long long probe_entry(void)
{
	unsigned vmcb = member_offset("/sys/kernel/btf/kvm_amd", "vcpu_svm", "vmcb");
	const char *probe = "p:kvm_box/entry kvm_amd:svm_vcpu_run inject=+%d(+%u(%%di)):u32\n";
	int fd = open(TRACING "kprobe_events", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, probe, EVENTINJ, vmcb) < 0)
		err(1, "cannot set a probe at svm_vcpu_run");
	close(fd);
	return strtoull(read_all(TRACING "events/kvm_box/entry/id"), NULL, 10);
}

/* On one processor, for as long as this process lives. */
static void exit_after_injections(unsigned long long probe, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = probe,
		.sample_period = 1,
		.wakeup_events = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0UL);

	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_FILTER, "inject & " EVENTINJ_VALID) != 0 ||
	    fcntl(fd, F_SETFL, O_ASYNC) != 0)
		err(1, "cannot count injections on processor %d", cpu);
}

int main(void)
{
	unsigned long long probe = probe_entry();
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	for (int cpu = 0; cpu < n; cpu++)
		exit_after_injections(probe, cpu);
	if (daemon(0, 0) != 0)
		err(1, "cannot go into the background");
	for (;;)
		pause();
}
