/* What the machine's own files share. */
#pragma once

#include <pthread.h>

#include "devices/record/record.h"
#include "transport/pci/root.h"
#include "transport/registry.h"
#include "vmm/console/debugcon.h"
#include "vmm/console/serial.h"
#include "vmm/console/terminal.h"
#include "vmm/kvm/board.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/arch.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/firmware.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/panic-look.h"
#include "vmm/machine/panic-text.h"
#include "vmm/machine/ram.h"

struct iothread {
	char *name;
	struct loop *loop;
	bool private; /* a device's own: no iothread=NAME means it */
	struct poller_wish poll;
	bool spare;                    /* for devices that come later; without a name: it is free */
	struct sandbox_filter *filter; /* its thread is sealed with */
	GArray *syscalls; /* of struct sandbox_syscalls: the filter's, beside the role's */
};

struct device {
	struct vdev *dev;
	const struct transport *transport;
	void *options;                  /* the transport's, parsed */
	void *handle;                   /* of the attached transport; NULL: not yet */
	struct device_stats *stats;     /* NULL: nobody asked for them */
	struct device_latency *latency; /* NULL: nobody asks just now */
};

/* What is known of the guest's panic; panic.c's. The main thread's, but for what is atomic. */
struct machine_panic {
	struct panic_watch serial;
	GPtrArray *consoles; /* of struct console_watch */
	_Atomic bool posted; /* judging is asked for */
	_Atomic bool crash_loaded;
	int timer; /* goes off after silence, and for each look at the processors */
	GSource *source;
	bool looking;
	unsigned n_looks;
	struct panic_looks looks;
};

/* What vCPU threads ask of the main thread, as bits. */
enum {
	ASK_POWEROFF = 1,
	ASK_RESET = 2,
	ASK_FAILED = 4,
	ASK_PANICKED = 8,
	ASK_DEBUG_EXIT = 16,
	ASK_STOP = 32,
	ASK_IO_ERROR = 64,
};

/* Somebody who is told of events. */
struct machine_observer {
	machine_event_fn fn;
	void *opaque;
};

struct machine {
	const struct machine_config *cfg;
	struct cpu_model *model;
	struct checker *checker; /* NULL: nobody checks */
	struct loop *main;
	GPtrArray *iothreads; /* of struct iothread */
	bool loops_run;       /* threads are made, and no more will be */
	struct terminal *terminal;

	struct kvm kvm;
	struct ram ram;
	struct bus *bus;
	struct board_kvm *board;
	struct pci_root *pci;
	struct transport_env transports;
	struct check_page *bait[CHECK_PAGES]; /* register pages without a device; the first that is
						 NULL is the end */
	struct transport_page bait_page[CHECK_PAGES];
	bool *page_taken;   /* arch_places.n_mmio of them: has a device that register page? */
	GPtrArray *devices; /* of struct device */
	struct recorder *recorder; /* NULL: nothing is recorded */
	GArray *back_ends; /* of struct child, one for each of the configuration's devices */
	struct serial *serial;
	struct chr *serial_chr; /* the serial port's own */
	struct debugcon *debugcon;
	struct chr *debugcon_chr;
	struct boot_files files;
	struct firmware firmware; /* in the place of a kernel */
	struct symbols *symbols;  /* NULL: none were given */
	struct platform *platform;
	struct vcpus *cpus;

	struct sandbox_filter *writer_filter;           /* the recorder's thread's */
	struct sandbox_filter *filter[N_SANDBOX_ROLES]; /* for main and vCPU threads; NULL: none */
	GArray *main_syscalls;                          /* as in struct iothread */

	/* Written by vCPU threads. */
	_Atomic unsigned asked;
	pthread_mutex_t lock; /* of these: */
	enum vcpu_exit why;   /* the first failure */
	char *failure;
	bool debug_written;   /* to the debug exit port; */
	uint32_t debug_value; /* the first value that was */
	GQueue io_errors;     /* of struct machine_io_error: to be told of */
	GQueue violations;    /* of struct check_violation: the same */
	machine_violation_fn violation_fn;
	void *violation_opaque;
	bool at_stop;          /* a vCPU stopped for the debugger since the guest last ran: */
	struct vcpu_stop stop; /* the first that did */

	/* The main thread's. */
	enum machine_end end;
	char *text;
	bool loaded;                   /* guest memory has held a kernel before */
	bool stopped;                  /* by machine_stop() */
	bool io_error;                 /* or since a device could not go on */
	bool want_stopped, want_reset; /* what was asked for last */
	bool changing;                 /* being seen to, further up the stack */
	struct machine_panic panic;
	int signals;
	GSource *signal_watch;
	unsigned terminations; /* SIGTERM or SIGINT so far */
	GSource *overdue;      /* goes off some time after machine_quit() */
	int64_t terminated_at; /* by the last of them: g_get_monotonic_time() */
	int grace_timer;       /* goes off when the guest has had time enough after the first */
	GSource *grace_watch;
	GArray *observers;   /* of struct machine_observer */
	guint latency_timer; /* goes off when nobody has asked for some time; 0: nobody measures */
	machine_io_error_fn io_error_fn;
	void *io_error_opaque;
};

/* devices.c: starts what serves folders and devices, before there is guest memory or a thread; lets
 * it go. */
bool machine_start_back_ends(struct machine *m, GError **err);
void machine_forget_back_ends(struct machine *m);

/* devices.c: parses and opens all devices of the configuration. */
bool machine_open_devices(struct machine *m, GError **err);

/* check.c */
bool machine_open_checker(struct machine *m, GError **err);
void machine_forget_violations(struct machine *m);

/* Puts them on their transports. */
bool machine_plug_devices(struct machine *m, GError **err);
void machine_unplug_devices(struct machine *m);
void machine_close_devices(struct machine *m);

/*
 * Devices that come and go when the machine is built, from a text as --device takes it; while no
 * vCPU runs. What the machine gave to one that goes (its place on a transport, its spare event
 * loop) is the next one's. NULL with a usage or host error, and nothing is left behind.
 *
 * The main thread of a sealed process opens no files and makes no sockets. What
 * cfg->spare_iothreads adds to its filter is for devices whose backend needs neither.
 */
struct device *machine_add_device(struct machine *m, const char *spec, GError **err);
void machine_remove_device(struct machine *m, struct device *d);
/* stats.c: counts from now on, for machine_stats_print(); before a driver has the device. */
void machine_stats_begin(struct device *d);
/* latency.c: of a device that goes; no more. */
void machine_latency_free(struct device_latency *l);
void machine_latency_stop(struct machine *m);
/* missed.c: what --stats has to say. */
void machine_print_unanswered(struct machine *m, FILE *to);
/* The rows of --device that are the machine's and no device's. */
extern const struct prop machine_device_props[];

/* sandbox.c: do the devices, which are open, go together with the level that was asked for? */
bool machine_check_sandbox(struct machine *m, GError **err);
/* May the event loops' threads that @dev, which comes later, lives on do what it asks for? */
bool machine_check_late_device(struct machine *m, const struct vdev *dev, GError **err);
/* Has the device anything on @loop? */
bool machine_lives_on(const struct vdev *dev, const struct loop *loop);

/* sandbox.c, in this order: shuts the process in; starts the event loops' threads; puts the
 * calling thread under the filter of its role. */
bool machine_confine(struct machine *m, GError **err);
void machine_start_loops(struct machine *m);
void machine_seal(struct machine *m, enum sandbox_role role);
void machine_free_filters(struct machine *m);

/* boot.c: tables, kernel and vCPUs as they are at the guest's first instruction. */
bool machine_load(struct machine *m, GError **err);
/* Processors and interrupt controllers as after power-on, while no vCPU runs. */
bool machine_power_on(struct machine *m, GError **err);

/* watch.c: signals and what follows them. Blocking comes before the first thread, which
 * would inherit the mask; until machine_watch() the signals wait. */
void machine_block_signals(void);
bool machine_watch(struct machine *m, GError **err);
void machine_unwatch(struct machine *m);
extern const struct serial_ops machine_serial_ops;

/* panic.c, from machine_new() to machine_free(): */
void machine_panic_init(struct machine *m);
bool machine_panic_watch(struct machine *m, GError **err);
void machine_panic_unwatch(struct machine *m);
void machine_panic_free(struct machine *m); /* when no console is open any more */
/* The serial port printed this; a listener for a console (struct vdev_env). */
void machine_printed(struct machine *m, const uint8_t *data, size_t len);
struct chr_tap *machine_console_tap(void *opaque);
/* The guest begins anew. */
void machine_panic_reset(struct machine *m);
/* Why a reset at this moment is a panic, or NULL if it is none; to be freed. */
char *machine_panic_reason(struct machine *m);
/* The guest has panicked: that is its end. */
void machine_panicked(struct machine *m);
/* What the panic device says (struct platform_ops); on vCPU threads. */
void machine_on_panicked(void *opaque);
void machine_on_crash_loaded(void *opaque);

/* run.c: tells the control socket; remembers the first end there is (@text becomes its). */
void machine_tell(struct machine *m, const char *event, bool guest);
void machine_finish(struct machine *m, enum machine_end end, char *text);
/* On vCPU threads, ASK_*: all pause, and do not go on before the main thread has seen to
 * it. */
void machine_ask(struct machine *m, unsigned what);
extern const struct vcpu_ops machine_vcpu_ops;
void machine_on_power_off(void *opaque);
void machine_on_reset(void *opaque);
void machine_on_debug_exit(void *opaque, uint32_t value);

/* io-error.c: what devices say (struct vdev_env), on any thread; tells what was said so far; and
 * forgets it. */
void machine_on_io_error(void *opaque, const struct vdev *dev, const struct vdev_io_error *error);
void machine_tell_io_errors(struct machine *m);
void machine_forget_io_errors(struct machine *m);
