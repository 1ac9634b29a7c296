/* What vcpu.c (running) and vcpu-make.c (making) share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/kvm/vcpu.h"

struct vcpu {
	struct vcpus *all;
	unsigned id;
	int fd, stats_fd;
	struct kvm_run *run;
	pthread_t thread;
	pid_t thread_id;                      /* 0: it has not begun; under the lock */
	bool started, paused;                 /* under the lock */
	enum vcpu_run how;                    /* changed while paused */
	bool seen;                            /* since vcpus_look(); under the lock */
	struct vcpu_look look;                /* likewise */
	_Atomic bool look_wanted;             /* changed under the lock */
	_Atomic uint64_t exits[N_VCPU_EXITS]; /* counted by the thread, read by anybody */
};

struct vcpus {
	struct kvm *kvm;
	struct bus *bus;
	const struct gmem *mem;
	const struct vcpu_ops *ops;
	void *opaque;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic bool pause; /* the wish; changed under the lock */
	bool quit;
	unsigned n_paused;
	struct vcpu_debug debug; /* changed while all are paused */

	unsigned n;
	struct vcpu vcpu[];
};
