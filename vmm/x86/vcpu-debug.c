/*
 * vmm/kvm/arch.h for x86-64: stopping a vCPU for a debugger.
 *
 * KVM lends the debugger the processor's four debug registers, and takes #DB and #BP for it. What
 * the guest raised for itself (INT3 in a Linux kernel that patches its own text, the trap flag of
 * a debugger inside) has then to be given back to it.
 */
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"

#define VECTOR_DB 1u
#define VECTOR_BP 3u

/* DR6 and DR7: SDM volume 3, 18.2. */
#define DR6_HIT(n)     (1u << (n))
#define DR6_STEP       (1u << 14)
#define DR7_GLOBAL(n)  (2u << 2 * (n))
#define DR7_KIND(n, k) ((uint64_t)(k) << (16 + 4 * (n)))
#define DR7_LEN(n, l)  ((uint64_t)(l) << (18 + 4 * (n)))
#define DR7_ONES       (1u << 10)

static uint64_t dr7_kind(const struct vcpu_hw_break *b)
{
	switch (b->reason) {
	case VCPU_STOP_WRITE:
		return 1;
	case VCPU_STOP_ACCESS:
		return 3;
	default:
		return 0;
	}
}

static uint64_t dr7_len(unsigned len)
{
	return len == 8 ? 2 : len - 1;
}

static void set_hw_breaks(struct kvm_guest_debug *dbg, const struct vcpu_debug *debug)
{
	dbg->arch.debugreg[7] = DR7_ONES;
	for (unsigned i = 0; i < debug->n_hw; i++) {
		const struct vcpu_hw_break *b = &debug->hw[i];

		dbg->arch.debugreg[i] = b->addr;
		dbg->arch.debugreg[7] |= DR7_GLOBAL(i) | DR7_KIND(i, dr7_kind(b)) |
					 DR7_LEN(i, dr7_len(b->len));
	}
}

static struct kvm_guest_debug guest_debug_of(const struct kvm *kvm, const struct vcpu_debug *debug,
					     bool step)
{
	struct kvm_guest_debug dbg = { 0 };

	if (debug->n_instructions)
		dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (step)
		dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
	if (step)
		dbg.control |= kvm->debug_flags & KVM_GUESTDBG_BLOCKIRQ;
	if (debug->n_hw) {
		dbg.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
		set_hw_breaks(&dbg, debug);
	}
	return dbg;
}

int vcpu_set_debug(const struct kvm *kvm, int vcpu, const struct vcpu_debug *debug, bool step)
{
	struct kvm_guest_debug dbg = guest_debug_of(kvm, debug, step);

	return kvm_ioctl(vcpu, KVM_SET_GUEST_DEBUG, &dbg);
}

static bool is_debuggers_instruction(const struct vcpu_debug *debug, uint64_t addr)
{
	for (unsigned i = 0; i < debug->n_instructions; i++)
		if (debug->instruction[i] == addr)
			return true;
	return false;
}

/* A watchpoint before a step: whoever steps over a write wants to hear of the write. */
static bool find_db_stop(const struct kvm_debug_exit_arch *exit, const struct vcpu_debug *debug,
			 bool step, struct vcpu_stop *ret)
{
	for (unsigned i = 0; i < debug->n_hw; i++) {
		if (!(exit->dr6 & DR6_HIT(i)))
			continue;
		ret->reason = debug->hw[i].reason;
		ret->addr = debug->hw[i].addr;
		return true;
	}
	ret->reason = VCPU_STOP_STEP;
	ret->addr = exit->pc;
	return step && exit->dr6 & DR6_STEP;
}

bool vcpu_debug_stop(const struct kvm *kvm, int vcpu, const struct kvm_run *run,
		     const struct vcpu_debug *debug, bool step, struct vcpu_stop *ret)
{
	const struct kvm_debug_exit_arch *exit = &run->debug.arch;
	struct kvm_guest_debug dbg;

	if (exit->exception == VECTOR_BP && is_debuggers_instruction(debug, exit->pc)) {
		ret->reason = VCPU_STOP_INSTRUCTION;
		ret->addr = exit->pc;
		return true;
	}
	if (exit->exception != VECTOR_BP && find_db_stop(exit, debug, step, ret))
		return true;
	dbg = guest_debug_of(kvm, debug, step);
	dbg.control |= KVM_GUESTDBG_ENABLE |
		       (exit->exception == VECTOR_BP ? KVM_GUESTDBG_INJECT_BP
						     : KVM_GUESTDBG_INJECT_DB);
	(void)kvm_ioctl(vcpu, KVM_SET_GUEST_DEBUG, &dbg);
	return false;
}
