/*
 * KVM's ioctls by name: each returns 0 (or what it opens) or -errno and does nothing else. What a
 * machine needs of KVM is checked once, in kvm_open().
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm {
	int fd; /* /dev/kvm */
	int vm;
	bool pit;            /* wanted: kvm_create_machine() makes one; set after kvm_open() */
	size_t run_size;     /* of a vCPU's struct kvm_run */
	unsigned max_cpus;   /* vCPUs of one machine */
	unsigned max_routes; /* interrupt routes of one machine */
	unsigned max_slots;  /* memory slots */
	bool binary_stats;   /* KVM_GET_STATS_FD */
	bool readonly_slots; /* KVM_MEM_READONLY */
	bool tsc_deadline;   /* the local APIC's timer has that mode */
	bool any_length_doorbells; /* ioeventfd of length 0 */
	uint32_t debug_flags;      /* KVM_GUESTDBG_* that it says it knows; 0: it does not say */
};

/* Opens /dev/kvm and checks what it can do. A usage error tells how to get it when it is missing
 * or forbidden. @kvm is safe to close whatever the result. */
bool kvm_open(struct kvm *kvm, GError **err);
void kvm_close(struct kvm *kvm);

/* Makes the machine with its interrupt controllers; memory and vCPUs follow. */
bool kvm_create_machine(struct kvm *kvm, GError **err);

int kvm_create_vcpu(struct kvm *kvm, unsigned id);

struct kvm_slot {
	unsigned n;
	uint64_t gpa, len; /* len 0 removes the slot */
	void *hva;
	bool readonly; /* writes leave the guest as MMIO */
};
int kvm_set_slot(struct kvm *kvm, const struct kvm_slot *slot);

int kvm_set_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *io);
int kvm_set_irqfd(struct kvm *kvm, const struct kvm_irqfd *irq);
int kvm_set_routing(struct kvm *kvm, const struct kvm_irq_routing *table);
int kvm_irq_line(struct kvm *kvm, unsigned gsi, bool level);
