/*
 * What the part of the machine that is KVM's asks of the processor's architecture: the interrupt
 * controllers, and what is inside a vCPU. vmm/x86/ answers (kvm.c, vcpu-state.c);
 * vmm/machine/arch.h has the rest.
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>

#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"

/* Whether this host's processor runs guests' kernels itself. Where it does not, a /dev/kvm emulates
 * them, and not all of their instructions. */
bool kvm_on_hardware(void);

/* Gives the machine, which has no vCPU yet, its interrupt controllers, and its timer if kvm->pit.
 */
bool kvm_create_irqchips(struct kvm *kvm, GError **err);

/* Puts the interrupt controllers, and the timer, into the state of those of @from. 0 or -errno. */
int kvm_copy_irqchips(struct kvm *kvm, const struct kvm *from);

/* Global system interrupts from 0 on are the controllers' pins; those of MSI messages follow. */
extern const unsigned kvm_n_gsis;

/* Appends the entries of the pins, as many as kvm_n_pin_routes, to a routing table with room for
 * them. */
extern const unsigned kvm_n_pin_routes;
void kvm_add_pin_routes(struct kvm_irq_routing *table);

/* Makes the @n vCPUs of a machine what @model says (NULL: the host's), in the state in which
 * firmware leaves them. False with a host error. */
bool vcpu_set_up(const struct kvm *kvm, const struct cpu_model *model, const int *vcpu, unsigned n,
		 GError **err);

/* Puts vCPU @to into the state of @from, a vCPU of another machine that runs neither; time goes on.
 * 0 or -errno. */
int vcpu_copy_state(const struct kvm *kvm, int to, int from);

/* Registers as @entry wants them. 0, or -errno with the ioctl's name in *ret_what. */
int vcpu_set_entry(int vcpu, const struct boot_entry *entry, const char **ret_what);

/* What the vCPU does at the moment, on its own thread. 0 or -errno. */
int vcpu_look_at(int vcpu, struct vcpu_look *ret);

/* Has the vCPU, which is paused, stop at @debug, and after one instruction if @step is set. 0 or
 * -errno. */
int vcpu_set_debug(const struct kvm *kvm, int vcpu, const struct vcpu_debug *debug, bool step);

/* KVM_EXIT_DEBUG, on the vCPU's thread: true, with what it stopped at, if the debugger wanted that;
 * else it was the guest's own, which gets the exception that it would have got. */
bool vcpu_debug_stop(const struct kvm *kvm, int vcpu, const struct kvm_run *run,
		     const struct vcpu_debug *debug, bool step, struct vcpu_stop *ret);

/* Registers as after INIT: KVM puts them into that state after a triple fault on AMD's processors,
 * which keep none for it to tell. */
bool vcpu_is_reset(int vcpu);

/* One line: "rip ... rsp ... " and, with @code, the bytes at rip as far as guest memory has them.
 * Free with g_free(). */
char *vcpu_describe(int vcpu, const struct gmem *mem);
