/*
 * KVM's own figures about a vCPU, from its binary statistics (KVM_GET_STATS_FD): among them the
 * exits that KVM handled itself and this process never saw.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kvm_stats {
	uint64_t exits, halts, irq_injections;
};

/* Reads them from the vCPU's file descriptor. False where the host has no such statistics. */
bool kvm_stats_read(int vcpu, struct kvm_stats *ret);
