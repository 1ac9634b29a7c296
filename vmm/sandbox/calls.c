/*
 * What every thread of a role may call, whatever its devices. What devices need beyond this stands
 * in their own tables (devices/base/syscalls.h).
 *
 * No row opens a file, starts a program or a thread, makes a socket, changes what memory may be
 * executed, or looks into another process.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/sandbox/sandbox-int.h"

/* Memory is private and of no file: what is shared, or a stack that grows, the limit does not
 * count. */
#define MMAP(kind)                                               \
	.name = "mmap", .arg = 2, .mask = PROT_EXEC, .value = 0, \
	.also = { 3, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, (kind) }

/* Of whoever has the main thread: connections of streams (and of the control socket), the terminal.
 */
#define STREAMS                                                                            \
	{ .name = "accept4" }, { SYSCALL_FCNTL(F_DUPFD_CLOEXEC) }, { .name = "recvfrom" }, \
		{ SYSCALL_SEND }, { SYSCALL_IOCTL(TCGETS) }, { SYSCALL_IOCTL(TIOCGPGRP) }, \
		{ SYSCALL_IOCTL(TIOCGWINSZ) },                                             \
	{                                                                                  \
		.name = "getpgrp"                                                          \
	}

const struct syscall_use sandbox_common_calls[] = {
	/* Descriptors it has. */
	{ .name = "read" },
	{ .name = "write" },
	{ .name = "readv" },
	{ .name = "writev" },
	{ .name = "close" },
	{ .name = "poll" },
	{ .name = "ppoll" },
	{ SYSCALL_IOCTL(FIONREAD) },
	{ SYSCALL_IOCTL(TCSETS) }, /* a dying process puts the terminal's mode back */

	/* Memory. */
	{ .name = "brk" },
	{ MMAP(MAP_ANONYMOUS) },
	{ .name = "munmap" },
	{ .name = "mremap" },
	{ .name = "madvise" },

	/* Locks, time. Clocks come here when the host's cannot be read without the kernel. */
	{ .name = "futex" },
	{ .name = "sched_yield" },
	{ .name = "clock_gettime" },
	{ .name = "gettimeofday" },
	{ .name = "time" },
	{ .name = "nanosleep" },
	{ .name = "clock_nanosleep" },
	{ .name = "getcpu" },

	/* Signals, and the end. */
	{ .name = "rt_sigreturn" },
	{ .name = "rt_sigprocmask" },
	{ .name = "sigaltstack" },
	{ .name = "restart_syscall" },
	{ .name = "getpid" },
	{ .name = "gettid" },
	{ .name = "exit" },
	{ .name = "exit_group" },
	{ .name = NULL },
};

/* A guest programs its devices from a vCPU: doorbells, interrupts and their routes. */
static const struct syscall_use vcpu_calls[] = {
	{ SYSCALL_IOCTL(KVM_RUN) },
	{ SYSCALL_IOCTL(KVM_IRQ_LINE) },
	{ SYSCALL_IOCTL(KVM_IRQFD) },
	{ SYSCALL_IOCTL(KVM_IOEVENTFD) },
	{ SYSCALL_IOCTL(KVM_SET_GSI_ROUTING) },
	{ SYSCALL_IOCTL(KVM_SET_USER_MEMORY_REGION) },
	{ SYSCALL_IOCTL(KVM_GET_REGS) }, /* what a failure's message tells */
	{ SYSCALL_IOCTL(KVM_TRANSLATE) },
	{ SYSCALL_IOCTL(KVM_GET_SREGS) },
	{ SYSCALL_IOCTL(KVM_GET_MP_STATE) }, /* whether it is stuck: vmm/machine/panic-look.h */
	{ .name = "timerfd_settime" },       /* of the serial port */
	{ .name = NULL },
};

/* A loop is made of descriptors it has. */
static const struct syscall_use loop_calls[] = {
	{ .name = NULL },
};

/*
 * The main thread serves the control socket, and starts the guest again after a reset: a second
 * machine of KVM, the kernel read from descriptors that stayed open.
 */
static const struct syscall_use main_calls[] = {
	{ SYSCALL_IOCTL(KVM_CREATE_VM) },
	{ SYSCALL_IOCTL(KVM_SET_IDENTITY_MAP_ADDR) },
	{ SYSCALL_IOCTL(KVM_SET_TSS_ADDR) },
	{ SYSCALL_IOCTL(KVM_CREATE_IRQCHIP) },
	{ SYSCALL_IOCTL(KVM_CREATE_PIT2) },
	{ SYSCALL_IOCTL(KVM_GET_PIT2) },
	{ SYSCALL_IOCTL(KVM_SET_PIT2) },
	{ SYSCALL_IOCTL(KVM_GET_IRQCHIP) },
	{ SYSCALL_IOCTL(KVM_SET_IRQCHIP) },
	{ SYSCALL_IOCTL(KVM_CREATE_VCPU) },
	{ SYSCALL_IOCTL(KVM_GET_SUPPORTED_CPUID) },
	{ SYSCALL_IOCTL(KVM_GET_TSC_KHZ) },
	{ SYSCALL_IOCTL(KVM_SET_CPUID2) },
	{ SYSCALL_IOCTL(KVM_GET_LAPIC) },
	{ SYSCALL_IOCTL(KVM_SET_LAPIC) },
	{ SYSCALL_IOCTL(KVM_GET_MSR_INDEX_LIST) },
	{ SYSCALL_IOCTL(KVM_GET_MSRS) },
	{ SYSCALL_IOCTL(KVM_SET_MSRS) },
	{ SYSCALL_IOCTL(KVM_GET_REGS) },
	{ SYSCALL_IOCTL(KVM_TRANSLATE) }, /* the code at rip */
	{ SYSCALL_IOCTL(KVM_SET_REGS) },
	{ SYSCALL_IOCTL(KVM_GET_SREGS) },
	{ SYSCALL_IOCTL(KVM_SET_SREGS) },
	{ SYSCALL_IOCTL(KVM_GET_XCRS) },
	{ SYSCALL_IOCTL(KVM_SET_XCRS) },
	{ SYSCALL_IOCTL(KVM_GET_FPU) },
	{ SYSCALL_IOCTL(KVM_SET_FPU) },
	{ SYSCALL_IOCTL(KVM_GET_DEBUGREGS) },
	{ SYSCALL_IOCTL(KVM_SET_DEBUGREGS) },
	{ SYSCALL_IOCTL(KVM_GET_VCPU_EVENTS) },
	{ SYSCALL_IOCTL(KVM_SET_VCPU_EVENTS) },
	{ SYSCALL_IOCTL(KVM_GET_MP_STATE) },
	{ SYSCALL_IOCTL(KVM_SET_MP_STATE) },
	{ SYSCALL_IOCTL(KVM_KVMCLOCK_CTRL) },
	{ SYSCALL_IOCTL(KVM_IRQ_LINE) },
	{ SYSCALL_IOCTL(KVM_IRQFD) },
	{ SYSCALL_IOCTL(KVM_IOEVENTFD) },
	{ SYSCALL_IOCTL(KVM_SET_GSI_ROUTING) },
	{ SYSCALL_IOCTL(KVM_SET_USER_MEMORY_REGION) },
	{ SYSCALL_IOCTL(KVM_CHECK_EXTENSION) },
	{ SYSCALL_IOCTL(KVM_GET_STATS_FD) },
	{ MMAP(MAP_SHARED) },  /* a vCPU's run structure */
	{ .name = "pread64" }, /* the kernel, statistics */
	{ .name = "lseek" },   /* holes in the kernel's file */
	{ .name = "timerfd_settime" },

	STREAMS,
	{ .name = NULL },
};

/* What the transport takes beyond that is in its own tables. */
static const struct syscall_use serve_calls[] = {
	STREAMS,
	{ .name = NULL },
};

const struct syscall_use *sandbox_role_calls(enum sandbox_role role)
{
	static const struct syscall_use *const calls[] = {
		[SANDBOX_MAIN] = main_calls,
		[SANDBOX_VCPU] = vcpu_calls,
		[SANDBOX_LOOP] = loop_calls,
		[SANDBOX_SERVE] = serve_calls,
	};

	return calls[role];
}
