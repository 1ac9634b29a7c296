/* vmm/kvm/registers.h for x86-64. */
#include "vmm/kvm/registers.h"

#include <linux/kvm.h>
#include <string.h>

#include "vmm/kvm/sys.h"
#include "vmm/x86/vcpu-int.h"

#define LSTAR_MSR 0xc0000082u

static void add(struct vcpu_registers *r, const char *name, unsigned bits, uint64_t value)
{
	g_assert(r->n < VCPU_REGISTERS_MAX);
	r->reg[r->n++] = (struct vcpu_register){ name, bits, value };
}

static void add_general(struct vcpu_registers *r, const struct kvm_regs *k)
{
	add(r, "rax", 64, k->rax);
	add(r, "rbx", 64, k->rbx);
	add(r, "rcx", 64, k->rcx);
	add(r, "rdx", 64, k->rdx);
	add(r, "rsi", 64, k->rsi);
	add(r, "rdi", 64, k->rdi);
	add(r, "rbp", 64, k->rbp);
	add(r, "rsp", 64, k->rsp);
	add(r, "r8", 64, k->r8);
	add(r, "r9", 64, k->r9);
	add(r, "r10", 64, k->r10);
	add(r, "r11", 64, k->r11);
	add(r, "r12", 64, k->r12);
	add(r, "r13", 64, k->r13);
	add(r, "r14", 64, k->r14);
	add(r, "r15", 64, k->r15);
	add(r, "rip", 64, k->rip);
	add(r, "rflags", 64, k->rflags);
}

static void add_control(struct vcpu_registers *r, const struct kvm_sregs *s)
{
	add(r, "cr0", 64, s->cr0);
	add(r, "cr2", 64, s->cr2);
	add(r, "cr3", 64, s->cr3);
	add(r, "cr4", 64, s->cr4);
	add(r, "cr8", 64, s->cr8);
	add(r, "efer", 64, s->efer);
	add(r, "gdt", 64, s->gdt.base);
	add(r, "gdt.lim", 16, s->gdt.limit);
	add(r, "idt", 64, s->idt.base);
	add(r, "idt.lim", 16, s->idt.limit);
}

static void add_segments(struct vcpu_registers *r, const struct kvm_sregs *s)
{
	static const struct {
		const char *name, *base, *limit;
		size_t at;
	} rows[] = {
#define SEGMENT(x) { #x, #x ".base", #x ".lim", offsetof(struct kvm_sregs, x) }
		SEGMENT(cs), SEGMENT(ss), SEGMENT(ds), SEGMENT(es),
		SEGMENT(fs), SEGMENT(gs), SEGMENT(tr), SEGMENT(ldt),
#undef SEGMENT
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct kvm_segment *k = (const void *)((const char *)s + rows[i].at);

		add(r, rows[i].name, 16, k->selector);
		add(r, rows[i].base, 64, k->base);
		add(r, rows[i].limit, 32, k->limit);
	}
}

/* As far as memory has it: the next page may be missing. */
static void read_code(int vcpu, const struct gmem *mem, struct vcpu_registers *r)
{
	while (r->n_code < VCPU_CODE_BYTES_MAX) {
		struct kvm_translation tr = { .linear_address = r->pc + r->n_code };

		if (kvm_ioctl(vcpu, KVM_TRANSLATE, &tr) < 0 || !tr.valid ||
		    !gmem_read(mem, tr.physical_address, &r->code[r->n_code], 1))
			break;
		r->n_code++;
	}
}

static uint64_t read_system_call(int vcpu)
{
	struct {
		uint32_t nmsrs, pad;
		struct kvm_msr_entry entry;
	} one = { .nmsrs = 1, .entry.index = LSTAR_MSR };

	return kvm_ioctl(vcpu, KVM_GET_MSRS, &one) == 1 ? one.entry.data : 0;
}

int vcpu_get_registers(int vcpu, const struct gmem *mem, struct vcpu_registers *ret)
{
	struct vcpu_x86 v;
	int err = vcpu_x86_get(vcpu, &v);

	if (err < 0)
		return err;
	*ret = (struct vcpu_registers){
		.off = vcpu_x86_is_off(&v),
		.halted = vcpu_x86_is_halted(&v),
		.pc = v.sregs.cs.base + v.regs.rip,
		.system_call = read_system_call(vcpu),
	};
	add_general(ret, &v.regs);
	add_control(ret, &v.sregs);
	add_segments(ret, &v.sregs);
	read_code(vcpu, mem, ret);
	return 0;
}
