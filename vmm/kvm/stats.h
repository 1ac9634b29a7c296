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

/* A descriptor to read a vCPU's from, or -1 where the host has no such statistics. To be had before
 * the vCPU runs: asking for one waits until KVM_RUN returns, and for a processor that idles that is
 * never. */
int kvm_stats_open(int vcpu);

/* Reads them. False and all 0 if @fd is -1. */
bool kvm_stats_read(int fd, struct kvm_stats *ret);
