/*
 * The system calls by which all of vmm/ reaches KVM, and nothing else, in a file of their own: a
 * test that is linked with others in its place (tests/support/kvm/fake.h) has a KVM without a
 * kernel's. Each returns 0 or more, or -errno.
 */
#pragma once

#include <stddef.h>

/* /dev/kvm, to be closed with close(), as all descriptors that ioctls return. */
int kvm_sys_open(void);

/* ioctl() with EINTR retried. */
int kvm_ioctl(int fd, unsigned long request, void *arg);
int kvm_ioctl_value(int fd, unsigned long request, unsigned long value);

/* KVM_RUN. -EINTR: a signal came, or immediate_exit is set. */
int kvm_sys_run(int vcpu);

/* Maps the vCPU's struct kvm_run, to be unmapped with munmap(). */
int kvm_sys_map(int vcpu, size_t len, void **ret);
