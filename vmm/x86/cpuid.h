/*
 * What the guest's CPUID instruction says: KVM's list of what it supports, less what the operator
 * masks, with the topology of this machine and what a guest would otherwise have to measure.
 * No ioctl in here; vmm/kvm/vcpu.c gets the list and sets it.
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CPUID_FEATURES_MAX 256

/* --cpu, parsed: which rows of the feature table are masked. */
struct cpu_model {
	uint64_t masked[CPUID_FEATURES_MAX / 64];
};

/*
 * Parses "host", or "host,-NAME,-NAME...": the host's processor without some features. What
 * depends on a masked feature goes with it. False with @err for anything else.
 */
bool cpuid_parse_model(const char *text, struct cpu_model *ret_model, GError **err);

/* Whether the model leaves the feature called @name alone. */
bool cpuid_model_has(const struct cpu_model *model, const char *name);

/* --cpu help: what can be given, with the place of each feature. */
void cpuid_print_help(FILE *out);

struct cpuid_params {
	const struct cpu_model *model; /* NULL: the host's */
	unsigned cpu, n_cpus; /* this processor, also its APIC id; and how many there are */
	bool tsc_deadline;    /* KVM_CAP_TSC_DEADLINE_TIMER, with the in-kernel APIC */
	uint32_t tsc_khz;     /* KVM_GET_TSC_KHZ; 0: unknown */
};

#define CPUID_APIC_KHZ 1000000u /* KVM's local APIC timer counts nanoseconds */

/*
 * Makes a processor's list out of @supported (KVM_GET_SUPPORTED_CPUID). ret->nent is the room on
 * entry and the number of entries on return; CPUID_EXTRA more than @supported has are always
 * enough. False if there is less.
 */
#define CPUID_EXTRA 16
bool cpuid_build(const struct kvm_cpuid2 *supported, const struct cpuid_params *p,
		 struct kvm_cpuid2 *ret);
