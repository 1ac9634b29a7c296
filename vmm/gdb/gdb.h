/*
 * `--gdb`: a server for GDB's remote serial protocol ("Debugging with GDB", appendix E), one client
 * at a time, in all-stop mode; vCPU n is thread n + 1.
 *
 * The guest is stopped when a client connects. It goes on when the client says so, detaches, or is
 * gone. What is debugged is behind struct gdb_ops, so this is tested without KVM; vmm/gdb/machine.c
 * answers with a machine. Everything runs on the main thread, over the default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

struct gdb_ops {
	unsigned (*cpus)(void *opaque);
	/* Is the guest stopped? Only then are the others called, but for stop() and the monitor's.
	 */
	bool (*stopped)(void *opaque);
	/* What it stopped at; false: somebody wanted it to stop. */
	bool (*stopped_at)(struct vcpu_stop *ret, void *opaque);
	/* gdb_stopped() tells when it has; that may be before this returns. */
	void (*stop)(void *opaque);
	/* Each vCPU as @how, an array, says. */
	bool (*resume)(const enum vcpu_run *how, void *opaque);
	/* All registers, as in vmm/gdb/arch.h. */
	bool (*read_regs)(unsigned cpu, uint8_t *regs, void *opaque);
	bool (*write_regs)(unsigned cpu, const uint8_t *regs, void *opaque);
	/* Linear addresses, as @cpu sees them. False if a byte of it is not RAM. */
	bool (*read_memory)(unsigned cpu, uint64_t addr, void *dst, size_t len, void *opaque);
	bool (*write_memory)(unsigned cpu, uint64_t addr, const void *src, size_t len,
			     void *opaque);
	/* Breakpoints. False: there is no room for it, or it cannot be there. */
	bool (*insert)(unsigned cpu, const struct vcpu_hw_break *b, void *opaque);
	bool (*remove)(const struct vcpu_hw_break *b, void *opaque);
	void (*remove_all)(void *opaque);
	/* One line about @cpu for `info threads`; free with g_free(). */
	char *(*describe)(unsigned cpu, void *opaque);
	/* The words of GDB's `monitor`. */
	void (*reset)(void *opaque);
	void (*powerdown)(void *opaque);
	void (*quit)(void *opaque);
};

struct gdb;

/* Listens on @spec, "unix:PATH" or "tcp:[HOST:]PORT" (127.0.0.1). NULL with a usage error that
 * begins with "--gdb". @ops and @opaque must outlive the result. */
struct gdb *gdb_new(const char *spec, const struct gdb_ops *ops, void *opaque, GError **err);

/* Hangs up; a unix socket's file is removed. NULL is fine. */
void gdb_free(struct gdb *gdb);

void gdb_stopped(struct gdb *gdb); /* the guest has stopped */
void gdb_ended(struct gdb *gdb);   /* and will not go on */
