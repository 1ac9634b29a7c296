/* What is read of a vCPU, for who tells of it: vcpu-state.c and registers.c. */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>

struct vcpu_x86 {
	struct kvm_mp_state mp;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
};

/* On the vCPU's own thread, or while it is paused. 0 or -errno. */
int vcpu_x86_get(int vcpu, struct vcpu_x86 *ret);

/* It waits for another one to start it; for an interrupt. */
static inline bool vcpu_x86_is_halted(const struct vcpu_x86 *v)
{
	return v->mp.mp_state == KVM_MP_STATE_HALTED;
}

static inline bool vcpu_x86_is_off(const struct vcpu_x86 *v)
{
	return v->mp.mp_state != KVM_MP_STATE_RUNNABLE && !vcpu_x86_is_halted(v);
}
