/*
 * What a machine asks of its architecture: where RAM and devices are, the processor model, loading
 * a kernel, and the platform devices that have no bus to be found on. vmm/x86/ answers and is the
 * only one that is there; nothing else under vmm/ knows x86 or its ACPI tables. (What is inside a
 * vCPU is vmm/kvm/arch.h's.)
 *
 * Another architecture is another folder that answers the same.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "transport/registry.h"
#include "virtqueue/gmem.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/machine.h"

/* Guest-physical addresses. */
struct arch_range {
	uint64_t base, len;
};

#define ARCH_RAM_MAX 2u

/* Where @size bytes of RAM are, the lowest first. Returns in how many pieces. */
unsigned arch_ram(uint64_t size, struct arch_range ret[ARCH_RAM_MAX]);

/* Where a firmware's image of @size bytes has to be for the first processor to start in it; 0:
 * there is room for arch_firmware_max bytes. */
uint64_t arch_firmware_place(uint64_t size);
extern const uint64_t arch_firmware_max;

/* Where devices are. */
struct arch_places {
	uint64_t serial_port; /* the 16550A's first I/O port, */
	unsigned serial_gsi;  /* and its interrupt line */
	struct arch_range pci_ecam;
	struct arch_range pci_mem; /* for BARs, below 4 GiB */
	struct arch_range pci_io;  /* for those of I/O ports */
	unsigned n_mmio;           /* virtio-mmio devices there is room for */
};
extern const struct arch_places arch_places;

/* The register page and the interrupt line of the @n-th virtio-mmio device (below n_mmio). */
struct transport_page arch_mmio_page(unsigned n);

/* --cpu, parsed: "host", or "host,-FEATURE,...". NULL with a usage error; free with g_free(). */
struct cpu_model;
struct cpu_model *arch_cpu_model(const char *text, GError **err);

/* --cpu help: what can be given. */
void arch_print_cpu_help(FILE *out);

/*
 * Power management, the panic device, and the ways in which a guest without ACPI ends. Every
 * function may be called from any thread.
 */
struct platform;

/* Called on the vCPU's thread that wrote a register. */
struct platform_ops {
	void (*power_off)(void *opaque);
	void (*reset)(void *opaque);
	void (*panicked)(void *opaque);     /* and halts, or is about to reset */
	void (*crash_loaded)(void *opaque); /* a crash kernel takes over: the guest goes on */
	void (*debug_exit)(void *opaque, uint32_t value); /* written to the debug exit port */
};

struct platform_config {
	struct bus *bus; /* these outlive it */
	struct loop *main;
	struct kvm *kvm;
	uint64_t mem_size; /* bytes of RAM */
	const struct machine_pc *pc;
	int debug_exit; /* I/O port, of four, of the debug exit device; -1: there is none */
	const struct gmem *firmware; /* the memory of a machine with firmware; NULL: it has none */
	const struct platform_ops *ops;
	void *opaque;
};

/* Puts their registers on the bus. NULL with a host error, or a usage error that names the option
 * whose port is another's. */
struct platform *platform_new(const struct platform_config *cfg, GError **err);
void platform_free(struct platform *p); /* takes NULL; when no vCPU runs any more */

/* The machine starts again: no event is pending. */
void platform_reset(struct platform *p);

void platform_power_button(struct platform *p); /* presses it */

/*
 * Is somebody there? platform_probe() raises an interrupt without an event; the guest's driver,
 * which runs in a thread where that is Linux, finds nothing. platform_probed() takes the interrupt
 * back and tells whether somebody looked. A guest without such a driver never does.
 */
void platform_probe(struct platform *p);
bool platform_probed(struct platform *p);

/* What the guest has told one of them to do that it never does, or NULL: "enabled ...". */
const char *platform_missed(struct platform *p);

/* Names of the protocols by which a kernel can be entered, the last one NULL. */
extern const char *const *const arch_protocols;

/* What a start of the guest needs. */
struct arch_load {
	const struct gmem *mem;
	uint64_t mem_size;  /* bytes of RAM */
	struct vcpus *cpus; /* paused, in the state after power-on */
	struct platform *platform;
	unsigned n_cpus;
	const struct machine_pc *pc;          /* what of a PC's past there is */
	bool serial, pci;                     /* whether there is a serial port, a PCI bus */
	const struct transport_place *places; /* of the devices */
	unsigned n_places;
	const void *firmware; /* its image, already in its place; NULL: the kernel is entered */
	uint64_t firmware_size;
	struct boot_files *files;
	const char *protocol; /* of arch_protocols, or NULL: the kernel's best */
	const char *cmdline;  /* what the kernel is told */
	bool used; /* the memory holds an earlier run: what must be zero has to be made so */
};

/*
 * From power-on to the guest's first instruction: the tables that describe the machine, the kernel,
 * and the first vCPU's registers; or what firmware is to find. False with an error that names the
 * option to change.
 */
bool arch_load(const struct arch_load *p, GError **err);

/* What is at a place where nobody answered. */
struct arch_known {
	const char *name;
	const char *gives; /* the option that gives it, or what would help; NULL: nothing does */
	bool there;        /* it is there; the access was of a width that it does not take */
	bool idle;         /* kernels write there to lose time, and miss nothing */
	bool ticks;        /* who sets it up waits for its interrupts, and reads nothing */
};

/* False if it has no name. */
bool arch_known_place(bool io, uint64_t addr, const struct machine_pc *pc, struct arch_known *ret);

/* The last line of what the guest wrote to the text screen of a PC, of which there is none; NULL if
 * it has not. Free with g_free(). */
char *arch_screen_text(const struct gmem *mem);

/* What a Linux kernel with this command line will miss: one line for the operator, or NULL. */
const char *arch_will_miss(const char *cmdline);
