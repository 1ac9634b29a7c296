/* vmm/kvm/arch.h for x86-64: what is inside a vCPU. */
#include <errno.h>
#include <string.h>

#include "devices/base/error.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/vcpu-int.h"

#define TSC_MSR        0x10u
#define TSC_ADJUST_MSR 0x3bu

/* KVM_GET_SUPPORTED_CPUID; free with g_free(). */
static struct kvm_cpuid2 *supported_cpuid(const struct kvm *kvm, GError **err)
{
	for (uint32_t room = 128;; room *= 2) {
		g_autofree struct kvm_cpuid2 *list =
			g_malloc0(sizeof(*list) + room * sizeof(list->entries[0]));
		int ret;

		list->nent = room;
		ret = kvm_ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, list);
		if (ret >= 0)
			return g_steal_pointer(&list);
		if (ret != -E2BIG) {
			ringside_error_errno(err, -ret, "/dev/kvm: KVM_GET_SUPPORTED_CPUID");
			return NULL;
		}
	}
}

static int set_cpuid(int vcpu, const struct kvm_cpuid2 *supported, const struct cpuid_params *p)
{
	uint32_t room = supported->nent + CPUID_EXTRA;
	g_autofree struct kvm_cpuid2 *list =
		g_malloc0(sizeof(*list) + room * sizeof(list->entries[0]));

	list->nent = room;
	if (!cpuid_build(supported, p, list))
		return -E2BIG;
	return kvm_ioctl(vcpu, KVM_SET_CPUID2, list);
}

/*
 * Copying. The parts with a fixed size, in the order in which they are set: the mode before the
 * APIC, the APIC before what is pending in it.
 */
union part {
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
};

static const struct {
	unsigned long get, set;
	bool optional;
} parts[] = {
	{ KVM_GET_SREGS, KVM_SET_SREGS, false },
	{ KVM_GET_REGS, KVM_SET_REGS, false },
	{ KVM_GET_XCRS, KVM_SET_XCRS, true },
	{ KVM_GET_FPU, KVM_SET_FPU, false },
	{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, true },
	{ KVM_GET_LAPIC, KVM_SET_LAPIC, false },
	{ KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, true },
	{ KVM_GET_MP_STATE, KVM_SET_MP_STATE, false },
};

static struct kvm_msr_list *msr_indices(const struct kvm *kvm)
{
	struct kvm_msr_list probe = { 0 };
	struct kvm_msr_list *list;

	(void)kvm_ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, &probe); /* fails, but says how many */
	list = g_malloc0(sizeof(*list) + probe.nmsrs * sizeof(list->indices[0]));
	list->nmsrs = probe.nmsrs;
	if (kvm_ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, list) < 0)
		list->nmsrs = 0;
	return list;
}

/* struct kvm_msrs with one entry in its flexible array. */
struct one_msr {
	uint32_t nmsrs, pad;
	struct kvm_msr_entry entry;
};
G_STATIC_ASSERT(offsetof(struct one_msr, entry) == offsetof(struct kvm_msrs, entries));

/* One at a time and with a blind eye: some can be neither read nor written unless the guest was
 * given a feature. */
static void copy_msrs(const struct kvm *kvm, int to, int from)
{
	g_autofree struct kvm_msr_list *list = msr_indices(kvm);
	struct one_msr one = { .nmsrs = 1 };

	for (unsigned i = 0; i < list->nmsrs; i++) {
		one.entry.index = list->indices[i];
		if (one.entry.index != TSC_MSR && one.entry.index != TSC_ADJUST_MSR &&
		    kvm_ioctl(from, KVM_GET_MSRS, &one) == 1)
			(void)kvm_ioctl(to, KVM_SET_MSRS, &one);
	}
}

int vcpu_copy_state(const struct kvm *kvm, int to, int from)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		union part part;
		int ret = kvm_ioctl(from, parts[i].get, &part);

		if (ret >= 0)
			ret = kvm_ioctl(to, parts[i].set, &part);
		if (ret < 0 && !parts[i].optional)
			return ret;
	}
	copy_msrs(kvm, to, from);
	return 0;
}

/*
 * Local vector table entries (SDM volume 3, 11.5.1): delivery mode in bits 8 to 10.
 */
#define LAPIC_LVT_LINT0 0x350u
#define LAPIC_LVT_LINT1 0x360u
#define LVT_EXTINT      0x700u
#define LVT_NMI         0x400u

/* These return -errno with the name of the ioctl that failed in *ret_what. */
static int init_lapic(int vcpu, const char **ret_what)
{
	struct kvm_lapic_state lapic;
	uint32_t extint = LVT_EXTINT, nmi = LVT_NMI;
	int ret = kvm_ioctl(vcpu, KVM_GET_LAPIC, &lapic);

	*ret_what = "KVM_GET_LAPIC";
	if (ret < 0)
		return ret;
	memcpy(&lapic.regs[LAPIC_LVT_LINT0], &extint, sizeof(extint));
	memcpy(&lapic.regs[LAPIC_LVT_LINT1], &nmi, sizeof(nmi));
	*ret_what = "KVM_SET_LAPIC";
	return kvm_ioctl(vcpu, KVM_SET_LAPIC, &lapic);
}

/* What firmware does on every processor: LINT0 takes the PIC, LINT1 the NMI, and a few MSRs. */
static int init_firmware(int vcpu, const char **ret_what)
{
	struct one_msr one = { .nmsrs = 1 };
	int ret = init_lapic(vcpu, ret_what);

	for (unsigned i = 0; i < boot_n_msrs && ret >= 0; i++) {
		*ret_what = "KVM_SET_MSRS";
		one.entry.index = boot_msrs[i].index;
		one.entry.data = boot_msrs[i].value;
		ret = kvm_ioctl(vcpu, KVM_SET_MSRS, &one);
	}
	return MIN(ret, 0);
}

bool vcpu_set_up(const struct kvm *kvm, const struct cpu_model *model, const int *vcpu, unsigned n,
		 GError **err)
{
	g_autofree struct kvm_cpuid2 *supported = supported_cpuid(kvm, err);

	for (unsigned i = 0; supported && i < n; i++) {
		int khz = kvm_ioctl_value(vcpu[i], KVM_GET_TSC_KHZ, 0);
		struct cpuid_params p = {
			.model = model,
			.cpu = i,
			.n_cpus = n,
			.tsc_deadline = kvm->tsc_deadline,
			.tsc_khz = (uint32_t)MAX(khz, 0),
		};
		const char *what = "KVM_SET_CPUID2";
		int ret = set_cpuid(vcpu[i], supported, &p);

		if (ret >= 0)
			ret = init_firmware(vcpu[i], &what);
		if (ret < 0)
			return ringside_error_errno(err, -ret, "/dev/kvm: %s of vCPU %u", what, i);
	}
	return supported != NULL;
}

static struct kvm_segment kvm_segment_of(const struct boot_segment *s)
{
	return (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->type,
		.present = 1,
		.db = s->wide,
		.s = !s->system,
		.l = s->lng,
		.g = s->granularity,
	};
}

int vcpu_set_entry(int vcpu, const struct boot_entry *entry, const char **ret_what)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rsi = entry->rsi,
		.rflags = entry->rflags,
	};
	struct kvm_sregs sregs;
	int ret = kvm_ioctl(vcpu, KVM_GET_SREGS, &sregs);

	*ret_what = "KVM_GET_SREGS";
	if (ret < 0)
		return ret;
	sregs.cs = kvm_segment_of(&entry->code);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = kvm_segment_of(&entry->data);
	sregs.tr = kvm_segment_of(&entry->task);
	sregs.gdt.base = entry->gdt_base;
	sregs.gdt.limit = entry->gdt_limit;
	sregs.idt = (struct kvm_dtable){ 0 };
	sregs.cr0 = entry->cr0;
	sregs.cr3 = entry->cr3;
	sregs.cr4 = entry->cr4;
	sregs.efer = entry->efer;
	*ret_what = "KVM_SET_SREGS";
	ret = kvm_ioctl(vcpu, KVM_SET_SREGS, &sregs);
	if (ret < 0)
		return ret;
	*ret_what = "KVM_SET_REGS";
	return kvm_ioctl(vcpu, KVM_SET_REGS, &regs);
}

#define RFLAGS_IF (1u << 9)

int vcpu_x86_get(int vcpu, struct vcpu_x86 *ret)
{
	int err = kvm_ioctl(vcpu, KVM_GET_MP_STATE, &ret->mp);

	if (err >= 0)
		err = kvm_ioctl(vcpu, KVM_GET_REGS, &ret->regs);
	if (err >= 0)
		err = kvm_ioctl(vcpu, KVM_GET_SREGS, &ret->sregs);
	return MIN(err, 0);
}

int vcpu_look_at(int vcpu, struct vcpu_look *ret)
{
	struct vcpu_x86 v;
	int err = vcpu_x86_get(vcpu, &v);

	if (err < 0)
		return err;
	*ret = (struct vcpu_look){
		.off = vcpu_x86_is_off(&v),
		.halted = vcpu_x86_is_halted(&v),
		.interrupts = v.regs.rflags & RFLAGS_IF,
		.level = v.sregs.ss.dpl,
		.rip = v.regs.rip,
	};
	return 0;
}

/*
 * For people.
 */
#define CODE_BYTES 16u

static void describe_code(GString *out, int vcpu, const struct gmem *mem, uint64_t rip)
{
	struct kvm_translation tr = { .linear_address = rip };
	uint8_t code[CODE_BYTES];

	if (kvm_ioctl(vcpu, KVM_TRANSLATE, &tr) < 0 || !tr.valid ||
	    !gmem_read(mem, tr.physical_address, code, sizeof(code))) {
		g_string_append(out, " code unreadable");
		return;
	}
	g_string_append(out, " code");
	for (size_t i = 0; i < sizeof(code); i++)
		g_string_append_printf(out, " %02x", code[i]);
}

bool vcpu_is_reset(int vcpu)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	return kvm_ioctl(vcpu, KVM_GET_REGS, &r) >= 0 && kvm_ioctl(vcpu, KVM_GET_SREGS, &s) >= 0 &&
	       r.rip == 0xfff0 && r.rsp == 0 && s.cs.base == 0xffff0000 && !(s.cr0 & 1);
}

char *vcpu_describe(int vcpu, const struct gmem *mem)
{
	GString *out = g_string_new(NULL);
	struct kvm_regs r;
	struct kvm_sregs s;

	if (kvm_ioctl(vcpu, KVM_GET_REGS, &r) < 0 || kvm_ioctl(vcpu, KVM_GET_SREGS, &s) < 0) {
		g_string_assign(out, "registers unknown");
		return g_string_free(out, FALSE);
	}
	g_string_append_printf(out, "rip %llx rsp %llx rflags %llx", r.rip, r.rsp, r.rflags);
	g_string_append_printf(out, " rax %llx rbx %llx rcx %llx rdx %llx", r.rax, r.rbx, r.rcx,
			       r.rdx);
	g_string_append_printf(out, " rsi %llx rdi %llx rbp %llx", r.rsi, r.rdi, r.rbp);
	g_string_append_printf(out, " r8 %llx r9 %llx r10 %llx r11 %llx", r.r8, r.r9, r.r10, r.r11);
	g_string_append_printf(out, " r12 %llx r13 %llx r14 %llx r15 %llx", r.r12, r.r13, r.r14,
			       r.r15);
	g_string_append_printf(out, " cs %x cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx",
			       s.cs.selector, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
	describe_code(out, vcpu, mem, s.cs.base + r.rip);
	return g_string_free(out, FALSE);
}
