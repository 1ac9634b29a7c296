/*
 * The machine: memory, vCPUs, board, devices and the order in which they are made, run, stopped,
 * reset and taken apart.
 *
 * Everything here is called on the main thread, which runs the default GMainContext. Changes that
 * need the vCPUs to be paused (stop, reset, the end) iterate that context while they wait, since
 * a vCPU may itself be waiting for the main thread in loop_call(). A change asked for meanwhile is
 * remembered and made next.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "devices/core/vdev.h"
#include "vmm/check/check.h"
#include "vmm/sandbox/sandbox.h"

/* One --device, or a shorthand for it. */
struct machine_device {
	char *spec;  /* "blk,path=...": as --device takes it */
	char *given; /* what the operator wrote, where that was a shorthand: "--disk FILE" */
	char *share; /* --share: the folder that a virtiofsd is to serve for it; NULL: none */
	bool share_read_only;
};

struct terminal_mode;
struct vcpu_stop;
struct vcpus;

/* What of a PC's past there is (--pc). */
struct machine_pc {
	bool pit; /* the interval timer, in KVM */
	bool rtc; /* the clock and its memory */
};

/* The rows of --pc, of a struct machine_pc. */
struct prop;
extern const struct prop machine_pc_props[];

/* How a run ended. cli.h gives each its exit status. */
enum machine_end {
	MACHINE_RUNNING, /* not yet */
	MACHINE_POWEROFF,
	MACHINE_REBOOT, /* with --no-reboot */
	MACHINE_PANIC,
	MACHINE_TRIPLE_FAULT,
	MACHINE_KVM_ERROR,  /* KVM could not run the guest */
	MACHINE_HOST_ERROR, /* this host failed us while the guest ran */
	MACHINE_QUIT,       /* the operator's wish */
	MACHINE_VIOLATION,  /* a driver broke a rule, and --check=fatal was given */
	MACHINE_DEBUG_EXIT, /* the guest wrote to the debug exit port: machine_debug_value() */
	N_MACHINE_ENDS,
};

/* What the operator asked for; cli.c fills it in. */
struct machine_config {
	char *name;            /* the guest's, for who looks at it; NULL: it has none */
	char *kernel, *append; /* append: NULL means the default */
	char *firmware;        /* starts instead of a kernel; NULL: a kernel does */
	char *protocol;        /* by which the kernel is entered; NULL: its best */
	GPtrArray *initrds;    /* of struct boot_initrd (boot-files.h), in their order */
	uint64_t memory;       /* bytes */
	bool memory_shared;    /* in a memfd: other processes may be given it */
	unsigned cpus;
	char *cpu;          /* --cpu, NULL: host */
	bool mmio_cmdline;  /* the kernel's command line names the devices on mmio */
	GPtrArray *devices; /* of struct machine_device */
	char *serial;   /* a stream as in backend/chr.h; NULL: the terminal unless it is taken */
	char *debugcon; /* a stream for the debug console, NULL: there is none */
	struct machine_pc pc;
	int debug_exit; /* I/O port of the debug exit device, -1: there is none */
	char *control;  /* unix:PATH or NULL */
	bool stats;     /* print them at the end */
	char *record;   /* a file for what happens to devices (devices/record/record.h), or NULL */
	struct check_config check; /* of the guest's drivers */
	char *symbols;             /* an ELF file with names for the guest's addresses, or NULL */
	char *gdb;                 /* unix:PATH or tcp:[ADDRESS:]PORT, or NULL */
	bool paused;               /* the guest begins when somebody says so: machine_cont() */
	bool no_reboot;
	int grace; /* seconds from the first SIGTERM to the end; -1: as long as the guest likes */
	/* Threads of event loops that are made at the start for devices that come later, since
	 * none can be made once the process is sealed. */
	unsigned spare_iothreads;
	enum sandbox_level sandbox;
	struct terminal_mode *mode; /* of the terminal; outlives the machine */
	/* The run has ended in @end because machine_quit() was called, and yet the process cannot
	 * end in order: the host does not give back what it has in hand. Ends it; NULL: waits.
	 * @value is machine_debug_value()'s. */
	void (*overdue)(enum machine_end end, uint32_t value);
};

struct machine_config *machine_config_new(void);      /* with what holds when nothing is said */
void machine_config_free(struct machine_config *cfg); /* NULL is fine */

struct machine;

/* Opens all that the configuration names. NULL with @err. @cfg outlives it. */
struct machine *machine_new(const struct machine_config *cfg, GError **err);

/*
 * The second step: the process gives up what it does not need to run this guest, as cfg->sandbox
 * says; then the machine is built up to the guest's first instruction. Whatever else the process is
 * to have open has to be so by now, and it has no other thread. False with @err.
 */
bool machine_build(struct machine *m, GError **err);

/* Runs the guest until it, or the operator, ends it. *ret_text, owned by the machine, is one line
 * that says what happened, or NULL where there is nothing to say. */
enum machine_end machine_run(struct machine *m, const char **ret_text);

/* What the guest wrote to the debug exit port, if that is how the run ended. */
uint32_t machine_debug_value(const struct machine *m);

/* Stops whatever still runs, closes the devices, frees. NULL is fine. */
void machine_free(struct machine *m);

/*
 * ---- for the control socket, the terminal and signals ----
 */

enum machine_status {
	MACHINE_STATUS_RUNNING,
	MACHINE_STATUS_PAUSED,   /* machine_stop() */
	MACHINE_STATUS_IO_ERROR, /* paused, since a device could not go on (werror=stop) */
	MACHINE_STATUS_SHUTDOWN, /* over, or about to be */
};

enum machine_status machine_status(const struct machine *m);
unsigned machine_cpus(const struct machine *m);
const char *machine_name(const struct machine *m); /* or NULL */
/* The kernel's number of vCPU @cpu's thread; from machine_run() on. */
pid_t machine_cpu_thread(struct machine *m, unsigned cpu);

void machine_quit(struct machine *m);       /* ends the process's run at once */
bool machine_send_break(struct machine *m); /* to the serial port; false: there is none */
void machine_powerdown(struct machine *m);  /* presses the power button */
void machine_reset(struct machine *m);      /* as the reset button; does not heed --no-reboot */
void machine_stop(struct machine *m);       /* vCPUs and queues are paused; idempotent */
void machine_cont(struct machine *m);       /* go on; idempotent */

/* Called for events worth telling a control client. Names as in QMP: "STOP", "RESUME", "RESET",
 * "POWERDOWN", "SHUTDOWN", "GUEST_PANICKED", "GUEST_CRASHLOADED". */
typedef void (*machine_event_fn)(const char *event, bool guest, void *opaque);
void machine_observe(struct machine *m, machine_event_fn fn, void *opaque);
void machine_unobserve(struct machine *m, machine_event_fn fn, void *opaque);

/* Called, on the main thread, for what the host could not do for a device called @name; before the
 * machine stops, if it does. One at a time. NULL @fn: no more. */
typedef void (*machine_io_error_fn)(const char *name, const struct vdev_io_error *error,
				    void *opaque);
void machine_observe_io_errors(struct machine *m, machine_io_error_fn fn, void *opaque);

/*
 * ---- for a debugger, while the status is "paused" ----
 */

/* What a vCPU stopped at, of what vcpus_debug() and vcpus_set_run() asked for. False: the machine
 * was stopped otherwise. */
bool machine_stopped_at(struct machine *m, struct vcpu_stop *ret);

struct vcpus *machine_vcpus(struct machine *m);
const struct gmem *machine_memory(const struct machine *m);

/* Calls @fn for each device in the order of the command line. @transport is its
 * transport's name (transport/registry.h). */
typedef void (*machine_device_fn)(struct vdev *dev, const char *transport, void *opaque);
void machine_for_each_device(struct machine *m, machine_device_fn fn, void *opaque);

/* Guest time is lost to exits: how many, by what caused them. */
struct machine_cpu_stats {
	unsigned n;             /* reasons below */
	const char *reason[32]; /* exits to this process: "io", "mmio", ... */
	uint64_t count[32];
	uint64_t to_process;     /* their sum */
	bool kvm_known;          /* the host has KVM's own statistics */
	uint64_t all;            /* exits in all, most of them handled by KVM */
	uint64_t halts;          /* HLT */
	uint64_t irq_injections; /* interrupts injected */
};

/* Statistics of vCPU @cpu (below machine_cpus()). May lag a little while the guest runs. */
void machine_cpu_stats(struct machine *m, unsigned cpu, struct machine_cpu_stats *ret);

/* Calls @fn while no vCPU runs; those that do pause for it, and go on. What is asked for meanwhile
 * (stop, reset) is seen to afterwards. 0, or -EBUSY and nothing was called while the machine is
 * about to stop or reset, and wants to be asked again. */
int machine_while_paused(struct machine *m, void (*fn)(void *arg), void *arg);

/* The registers of vCPU @cpu (below machine_cpus()), which leaves the guest for it if it runs.
 * *ret_where: the name of its next instruction's address, or NULL; free with g_free(). 0; -EBUSY
 * while the machine is about to stop or reset, and wants to be asked again; or what KVM says. */
struct vcpu_registers;
int machine_registers(struct machine *m, unsigned cpu, struct vcpu_registers *ret,
		      char **ret_where);

/*
 * Accesses that nobody answered, since the guest started: calls @fn for each place, those with most
 * first. @name is what a PC has there, @gives the option that gives it here; NULL: no such thing.
 */
struct unanswered;
typedef void (*machine_unanswered_fn)(const struct unanswered *u, const char *name,
				      const char *gives, void *opaque);
void machine_for_each_unanswered(struct machine *m, machine_unanswered_fn fn, void *opaque);

/*
 * How long devices had chains, from the pop to the push, since somebody began to ask: calls @fn for
 * each queue. The first call begins (the guest pauses for some microseconds), and some seconds
 * without one are the end. 0, or -EBUSY and nothing was called while the machine is about to stop
 * or reset, and wants to be asked again.
 */
struct latencies;
typedef void (*machine_latency_fn)(struct vdev *dev, unsigned q, const struct latencies *l,
				   void *opaque);
int machine_for_each_latency(struct machine *m, machine_latency_fn fn, void *opaque);

/* What a guest that was ended from outside may have waited for: one line, or NULL. Free with
 * g_free(). */
char *machine_missed(struct machine *m);

/* Who checks the guest's drivers, or NULL. */
struct checker *machine_checker(struct machine *m);

/* Called, on the main thread, for the first violation of each rule by each device's driver. One at
 * a time. NULL @fn: no more. */
typedef void (*machine_violation_fn)(const struct check_violation *v, void *opaque);
void machine_observe_violations(struct machine *m, machine_violation_fn fn, void *opaque);

/* All statistics as an aligned table. Those of the queues are in vq_stats(dev->queue[q].vq). */
void machine_stats_print(struct machine *m, FILE *to);
