/*
 * The control socket: `--control unix:PATH`, JSON in lines, with the conventions of QMP, so that
 * clients written for QEMU's monitor can talk to it.
 *
 * What it controls is behind struct control_ops, so it is tested without KVM;
 * vmm/control/machine.c answers with the machine's own functions. Everything runs on the main
 * thread, over the default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/core/vdev.h"
#include "vmm/check/check.h"
#include "vmm/machine/unanswered.h"

typedef void (*control_device_fn)(struct vdev *dev, const char *transport, void *arg);

/* One figure: what it is about ("vcpu0", "net0/1") and its name there ("exits-io", "kicks").
 * Figures about one thing come one after the other. */
typedef void (*control_stat_fn)(const char *object, const char *name, uint64_t value, void *arg);

/* An access that nobody answered: what a PC has there, the option that gives it, or NULL. */
typedef void (*control_unanswered_fn)(const struct unanswered *u, const char *name,
				      const char *gives, void *arg);

/* How long device @dev had chains of queue @q (machine_for_each_latency()). */
struct latencies;
typedef void (*control_latency_fn)(struct vdev *dev, unsigned q, const struct latencies *l,
				   void *arg);

/* Of a vCPU: "running", "halted" or "off"; where in the guest; NULL @where: no name is known. */
struct vcpu_registers;
typedef void (*control_registers_fn)(unsigned cpu, const struct vcpu_registers *r,
				     const char *where, void *arg);

struct control_ops {
	const char *(*status)(void *opaque); /* "running", "paused", "io-error", "shutdown" */
	const char *(*name)(void *opaque);   /* the guest's, or NULL */
	void (*quit)(void *opaque);
	void (*powerdown)(void *opaque);
	void (*reset)(void *opaque);
	void (*stop)(void *opaque);
	void (*cont)(void *opaque);
	/* Calls fn while no vCPU runs. 0, or -EBUSY: not now, and nothing was called. */
	int (*while_paused)(void *opaque, void (*fn)(void *arg), void *arg);
	bool (*send_break)(void *opaque); /* to the serial port; false: there is none */
	/* Calls fn(dev, "pci" or "mmio", arg) for each device, in the order of the command line. */
	void (*for_each_device)(void *opaque, control_device_fn fn, void *arg);
	/* Calls fn for each figure that is not a queue's: those are asked of the devices. */
	void (*for_each_stat)(void *opaque, control_stat_fn fn, void *arg);
	/* Calls fn for each queue; -EBUSY: not now. */
	int (*for_each_latency)(void *opaque, control_latency_fn fn, void *arg);
	/* Calls fn for each vCPU; -errno. */
	int (*for_each_vcpu)(void *opaque, control_registers_fn fn, void *arg);
	unsigned (*n_vcpus)(void *opaque);
	gint64 (*vcpu_thread)(void *opaque, unsigned cpu); /* the kernel's number of its thread */
	/* Those with most accesses first. */
	void (*for_each_unanswered)(void *opaque, control_unanswered_fn fn, void *arg);
	/* Calls fn for each rule that a device's driver broke. False: nobody checks. */
	bool (*for_each_finding)(void *opaque, check_finding_fn fn, void *arg);
};

struct control;

/*
 * Listens on @spec ("unix:PATH"); clients are served from now on by whoever runs the default
 * context. A socket file that a dead process left is replaced. NULL with a usage error that begins
 * with "--control" when the address is malformed, in use, or no socket can be made there. @ops and
 * @opaque must outlive the result.
 */
struct control *control_new(const char *spec, const struct control_ops *ops, void *opaque,
			    GError **err);

/* Sends what is still unsent (within a tenth of a second), hangs up, removes the socket's file.
 * NULL is fine. */
void control_free(struct control *ctl);

/*
 * Tells all clients of an event: "STOP", "RESUME", "POWERDOWN", "GUEST_PANICKED",
 * "GUEST_CRASHLOADED", or, with who wanted it, "RESET" and "SHUTDOWN". On the main thread. NULL
 * @ctl is fine. The signature of a machine_event_fn with a struct control as its @opaque.
 */
void control_event(const char *event, bool guest, void *ctl);

/* The same for "DRIVER_VIOLATION"; a machine_violation_fn. */
void control_violation(const struct check_violation *v, void *ctl);

/* The same for "BLOCK_IO_ERROR", of the device called @name; a machine_io_error_fn. */
void control_io_error(const char *name, const struct vdev_io_error *error, void *ctl);

/* The program's version as query-version gives it, "MAJOR.MINOR.MICRO". */
#define CONTROL_VERSION_MAJOR 0
#define CONTROL_VERSION_MINOR 1
#define CONTROL_VERSION_MICRO 0
