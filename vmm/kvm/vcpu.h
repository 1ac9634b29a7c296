/*
 * The virtual processors: a thread each that runs KVM_RUN, hands accesses to the bus, counts the
 * exits that reach this process, and pauses when asked.
 *
 * Whoever asks (the main thread) never waits for a vCPU inside a call: it asks, goes on iterating
 * its GMainContext, and is told by vcpu_ops.paused when the last one is paused.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "devices/base/syscalls.h"
#include "virtqueue/gmem.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/bus.h"

/* Why KVM_RUN came back. vcpu_exit_name() has their names. */
enum vcpu_exit {
	VCPU_EXIT_IO_READ,
	VCPU_EXIT_IO_WRITE,
	VCPU_EXIT_MMIO_READ,
	VCPU_EXIT_MMIO_WRITE,
	VCPU_EXIT_SIGNAL, /* asked to pause, or a signal of the process's */
	VCPU_EXIT_DEBUG,  /* a breakpoint, a watchpoint, a single step */
	VCPU_EXIT_SHUTDOWN,
	VCPU_EXIT_INTERNAL_ERROR,
	VCPU_EXIT_FAIL_ENTRY,
	VCPU_EXIT_OTHER,
	N_VCPU_EXITS,
};

const char *vcpu_exit_name(enum vcpu_exit why);

/* What a debugger stops a vCPU at. */
enum vcpu_stop_reason {
	VCPU_STOP_STEP,
	VCPU_STOP_INSTRUCTION, /* a breakpoint instruction in memory, or what stands for one */
	VCPU_STOP_EXECUTE,     /* a hardware breakpoint */
	VCPU_STOP_WRITE,       /* a hardware watchpoint: written, */
	VCPU_STOP_ACCESS,      /* or read or written */
};

struct vcpu_stop {
	unsigned cpu;
	enum vcpu_stop_reason reason;
	uint64_t addr; /* linear: of the instruction, or of what is watched */
};

/* Called on a vCPU's thread. */
struct vcpu_ops {
	/* The thread is there and has done nothing yet. */
	void (*started)(unsigned cpu, void *opaque);
	/* This vCPU cannot go on; all are paused, or about to be. @text is one line with its
	 * registers, valid during the call. */
	void (*failed)(unsigned cpu, enum vcpu_exit why, const char *text, void *opaque);
	/* This vCPU came to what vcpus_debug() or VCPU_STEP is about; all are paused, or about to
	 * be. */
	void (*stopped)(const struct vcpu_stop *stop, void *opaque);
	/* All vCPUs are paused. */
	void (*paused)(void *opaque);
};

struct vcpus;
struct cpu_model;  /* what --cpu says: the architecture's (vmm/machine/arch.h) */
struct boot_entry; /* registers at the first instruction: likewise */

struct vcpus_config {
	struct kvm *kvm; /* these outlive the vCPUs */
	struct bus *bus;
	const struct gmem *mem; /* for messages: the code at rip */
	unsigned n;
	const struct cpu_model *model; /* NULL: the host's; for vcpus_new() only */
};

/* Makes vCPUs in the state after power-on; they are paused. NULL with a host error. */
struct vcpus *vcpus_new(const struct vcpus_config *cfg, GError **err);

/* Ends the threads (they must be paused or about to be) and frees. NULL is fine. */
void vcpus_free(struct vcpus *cpus);

/* Starts the threads, which are paused until vcpus_resume(). Once. */
void vcpus_start(struct vcpus *cpus, const struct vcpu_ops *ops, void *opaque);

/* Puts paused vCPUs into the state of as many others, which were never started. 0 or
 * -errno. */
int vcpus_copy_state(struct vcpus *to, const struct vcpus *from);

/* The first one will begin with @entry; the others wait for it to wake them. 0, or -errno
 * with the ioctl's name in *ret_what. */
int vcpus_enter(struct vcpus *cpus, const struct boot_entry *entry, const char **ret_what);

/* Asks all to pause, from any thread; does not wait. */
void vcpus_pause(struct vcpus *cpus);
bool vcpus_all_paused(struct vcpus *cpus);

/* Lets them go on. The guest's watchdogs are told that time was lost. */
void vcpus_resume(struct vcpus *cpus);

/*
 * For a debugger (KVM_SET_GUEST_DEBUG). All of this is called while every vCPU is paused.
 */
#define VCPU_HW_BREAKS_MAX 4u

struct vcpu_hw_break {
	enum vcpu_stop_reason reason; /* to be told; INSTRUCTION is as EXECUTE */
	uint64_t addr;                /* linear */
	unsigned len;                 /* 1, 2, 4 or 8 bytes, and @addr a multiple; 1 for code */
};

struct vcpu_debug {
	const uint64_t *instruction; /* linear addresses of breakpoint instructions; not owned */
	unsigned n_instructions;     /* 0: a guest's own go to the guest without an exit */
	struct vcpu_hw_break hw[VCPU_HW_BREAKS_MAX];
	unsigned n_hw; /* with some, the guest's own debug registers are without effect */
};

/* What all vCPUs stop at from now on; copied but for the addresses, which must not change while one
 * of them runs. 0 or -errno. */
int vcpus_debug(struct vcpus *cpus, const struct vcpu_debug *debug);

/* The system calls of vcpus_debug() and vcpus_set_run(), and of a debugger that reads memory: for
 * the main thread and for vCPUs' threads. */
extern const struct syscall_use vcpus_debug_syscalls[];

enum vcpu_run {
	VCPU_RUN,
	VCPU_STEP, /* one instruction, with interrupts held back where KVM can do that */
	VCPU_HOLD, /* it stays paused; vcpus_all_paused() counts it all the same */
};

/* How vCPU @cpu goes on at the next vcpus_resume(), and at each one after that. 0 or -errno. */
int vcpus_set_run(struct vcpus *cpus, unsigned cpu, enum vcpu_run how);

/* The descriptor of vCPU @cpu, for ioctls that read or set registers. */
int vcpus_fd(const struct vcpus *cpus, unsigned cpu);

unsigned vcpus_count(const struct vcpus *cpus);

/* The kernel's number of vCPU @cpu's thread, which was started. Waits for it to begin. */
pid_t vcpus_thread_id(struct vcpus *cpus, unsigned cpu);

/* What a processor was found doing. */
struct vcpu_look {
	bool off;        /* it waits for another one to start it */
	bool halted;     /* it waits for an interrupt */
	bool interrupts; /* and takes them */
	unsigned level;  /* of privilege; 0: kernel */
	uint64_t rip;
};

/* Asks each vCPU to leave the guest for a moment and note what it was doing; does not wait. One
 * that is paused does so when it runs again. */
void vcpus_look(struct vcpus *cpus);

/* What vCPU @cpu noted. False: nothing since vcpus_look(). */
bool vcpus_seen(struct vcpus *cpus, unsigned cpu, struct vcpu_look *ret);

/* How many exits of each kind vCPU @cpu had; from any thread. */
void vcpus_exits(const struct vcpus *cpus, unsigned cpu, uint64_t ret[N_VCPU_EXITS]);

/* Where KVM's own statistics of it are, for kvm_stats_read(). */
int vcpus_stats_fd(const struct vcpus *cpus, unsigned cpu);
