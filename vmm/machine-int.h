/* What the machine's own files share. */
#pragma once

#include <pthread.h>

#include "transport/mmio.h"
#include "transport/pci-root.h"
#include "transport/pci.h"
#include "vmm/board-kvm.h"
#include "vmm/bus.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"
#include "vmm/panic.h"
#include "vmm/ram.h"
#include "vmm/serial.h"
#include "vmm/terminal.h"
#include "vmm/vcpu.h"
#include "vmm/x86/pm.h"

struct iothread {
	char *name;
	struct loop *loop;
	bool private;                  /* a device's own: no iothread=NAME means it */
	struct sandbox_filter *filter; /* its thread is sealed with */
};

struct device {
	struct vdev *dev;
	bool on_mmio;
	bool cached_registers;
	uint32_t slot;     /* on pci; 0: any */
	struct mmio *mmio; /* one of these two */
	struct vpci *pci;
};

/* What vCPU threads ask of the main thread, as bits. */
enum { ASK_POWEROFF = 1, ASK_RESET = 2, ASK_FAILED = 4 };

struct machine {
	const struct machine_config *cfg;
	struct cpu_model model;
	struct loop *main;
	GPtrArray *iothreads; /* of struct iothread */
	struct terminal *terminal;

	struct kvm kvm;
	struct ram ram;
	struct bus *bus;
	struct board_kvm *board;
	struct pci_root *pci;
	GPtrArray *devices; /* of struct device */
	struct serial *serial;
	struct chr *serial_chr; /* the serial port's own */
	struct boot_files files;
	struct pm *pm;
	struct board_window pm_window;
	struct vcpus *cpus;

	struct sandbox_filter *filter[N_SANDBOX_ROLES]; /* for main and vCPU threads; NULL: none */

	/* Written by vCPU threads. */
	_Atomic unsigned asked;
	pthread_mutex_t lock; /* of these: */
	enum vcpu_exit why;   /* the first failure */
	char *failure;

	/* The main thread's. */
	enum machine_end end;
	char *text;
	bool loaded;                   /* guest memory has held a kernel before */
	bool stopped;                  /* by machine_stop() */
	bool want_stopped, want_reset; /* what was asked for last */
	bool changing;                 /* being seen to, further up the stack */
	struct panic_watch panic;
	int panic_timer; /* goes off when the guest was silent after a panic */
	GSource *panic_watch;
	int signals;
	GSource *signal_watch;
	unsigned terminations; /* SIGTERM or SIGINT so far */
	GSource *overdue;      /* goes off some time after machine_quit() */
	machine_event_fn event;
	void *event_opaque;
};

/* machine-devices.c: parses and opens all devices of the configuration. */
bool machine_open_devices(struct machine *m, GError **err);
/* Puts them on their transports. */
bool machine_plug_devices(struct machine *m, GError **err);
void machine_unplug_devices(struct machine *m);
void machine_close_devices(struct machine *m);
/* The rows of --device that are the machine's and no device's. */
extern const struct prop machine_device_props[];

/* machine-sandbox.c, in this order: shuts the process in; starts the event loops' threads; puts the
 * calling thread under the filter of its role. */
bool machine_confine(struct machine *m, GError **err);
void machine_start_loops(struct machine *m);
void machine_seal(struct machine *m, enum sandbox_role role);
void machine_free_filters(struct machine *m);

/* machine-boot.c: tables, kernel and vCPUs as they are at the guest's first instruction. */
bool machine_load(struct machine *m, GError **err);
/* Processors and interrupt controllers as after power-on, while no vCPU runs. */
bool machine_power_on(struct machine *m, GError **err);

/* machine-watch.c: signals and timers of the main loop. Blocking comes before the first thread, which
 * would inherit the mask; until machine_watch() the signals wait. */
void machine_block_signals(void);
bool machine_watch(struct machine *m, GError **err);
void machine_unwatch(struct machine *m);
/* The guest has panicked: that is its end. */
void machine_panicked(struct machine *m);
extern const struct serial_ops machine_serial_ops;

/* machine-run.c: tells the control socket; remembers the first end there is (@text becomes its). */
void machine_tell(struct machine *m, const char *event, bool guest);
void machine_finish(struct machine *m, enum machine_end end, char *text);
extern const struct vcpu_ops machine_vcpu_ops;
extern const struct pm_ops machine_pm_ops;
