/*
 * What is inside a vCPU: setting it up for its first instruction, giving it the state of another,
 * and telling a person about it.
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>

#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/cpuid.h"

/* KVM_GET_SUPPORTED_CPUID; free with g_free(). NULL with @err set to a host error. */
struct kvm_cpuid2 *vcpu_supported_cpuid(const struct kvm *kvm, GError **err);

/* Gives the vCPU what cpuid_build() makes of @supported. 0 or -errno. */
int vcpu_set_cpuid(int vcpu, const struct kvm_cpuid2 *supported, const struct cpuid_params *p);

/* Puts vCPU @to into the state of @from, a vCPU of another machine that runs neither; time goes on.
 * 0 or -errno. */
int vcpu_copy_state(const struct kvm *kvm, int to, int from);

/* What firmware does on every processor: LINT0 takes the PIC, LINT1 the NMI, and a few MSRs. */
int vcpu_init_firmware(int vcpu);

/* Registers as @entry wants them. */
int vcpu_set_entry(int vcpu, const struct boot_entry *entry);

/* What the vCPU does at the moment, on its own thread. 0 or -errno. */
int vcpu_look_at(int vcpu, struct vcpu_look *ret);

/* Registers as after INIT: KVM puts them into that state after a triple fault on AMD's processors, which keep
 * none for it to tell. */
bool vcpu_is_reset(int vcpu);

/* One line: "rip ... rsp ... " and, with @code, the bytes at rip as far as guest memory has them.
 * Free with g_free(). */
char *vcpu_describe(int vcpu, const struct gmem *mem);
