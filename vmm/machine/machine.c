#include "vmm/machine/machine.h"

#include <string.h>
#include <unistd.h>

#include "devices/backend/open.h"
#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "vmm/kvm/registers.h"
#include "vmm/machine/back-ends.h"
#include "vmm/machine/machine-int.h"
#include "vmm/machine/symbols.h"

static void device_free(void *p)
{
	struct machine_device *d = p;

	g_free(d->spec);
	g_free(d->given);
	g_free(d->share);
	g_free(d);
}

const struct prop machine_pc_props[] = {
	{ "pit", PROP_BOOL, offsetof(struct machine_pc, pit), "on",
	  .help = "interval timer (8254), in KVM, with port 0x61" },
	{ "rtc", PROP_BOOL, offsetof(struct machine_pc, rtc), "on",
	  .help = "clock and battery-backed memory (MC146818), with its periodic interrupt" },
	{ 0 },
};

struct machine_config *machine_config_new(void)
{
	struct machine_config *cfg = g_new0(struct machine_config, 1);

	cfg->memory = 256u << 20;
	cfg->cpus = 1;
	cfg->initrds = g_ptr_array_new_with_free_func((GDestroyNotify)boot_initrd_free);
	cfg->devices = g_ptr_array_new_with_free_func(device_free);
	cfg->sandbox = SANDBOX_DEFAULT;
	cfg->grace = 10;
	cfg->debug_exit = -1;
	cfg->pc = (struct machine_pc){ .pit = true, .rtc = true };
	return cfg;
}

void machine_config_free(struct machine_config *cfg)
{
	if (!cfg)
		return;
	g_free(cfg->name);
	g_free(cfg->kernel);
	g_free(cfg->firmware);
	g_ptr_array_unref(cfg->initrds);
	g_free(cfg->append);
	g_free(cfg->protocol);
	g_free(cfg->cpu);
	g_free(cfg->serial);
	g_free(cfg->debugcon);
	g_free(cfg->record);
	g_free(cfg->symbols);
	g_free(cfg->control);
	g_free(cfg->gdb);
	check_config_clear(&cfg->check);
	g_ptr_array_unref(cfg->devices);
	g_free(cfg);
}

/*
 * The serial port has the terminal unless a console took it; then it only prints there. One that
 * was asked for by name gets what it asked for or an error.
 */
static struct chr *open_serial(struct machine *m, GError **err)
{
	struct chr *terminal = terminal_chr(m->terminal);
	g_autofree char *context = NULL;

	if (m->cfg->serial) {
		context = g_strdup_printf("--serial %s", m->cfg->serial);
		return chr_spec_open(m->cfg->serial, terminal, NULL, context, err);
	}
	if (terminal->taken)
		return terminal_output(m->terminal);
	return chr_open("stdio", terminal, "--serial", err);
}

static bool make_serial(struct machine *m, GError **err)
{
	if (m->cfg->serial && strcmp(m->cfg->serial, "none") == 0)
		return true;
	m->serial_chr = open_serial(m, err);
	if (!m->serial_chr)
		return false;
	if (m->serial_chr->where)
		g_message("--serial: %s", m->serial_chr->where);
	m->serial = serial_new(m->serial_chr, m->main, &machine_serial_ops, m, err);
	return m->serial != NULL;
}

static bool plug_serial(struct machine *m, GError **err)
{
	int ret = m->serial ? serial_plug(m->serial, m->bus, arch_places.serial_port) : 0;

	return ret == 0 || ringside_error_errno(err, -ret, "serial port");
}

/* The terminal is not taken by who only prints there. */
static bool make_debugcon(struct machine *m, GError **err)
{
	const char *spec = m->cfg->debugcon;
	g_autofree char *context = g_strdup_printf("--debugcon %s", spec);

	if (!spec)
		return true;
	if (strcmp(spec, "stdio") == 0)
		m->debugcon_chr = terminal_debug(m->terminal);
	else
		m->debugcon_chr = chr_spec_open(spec, NULL, NULL, context, err);
	if (!m->debugcon_chr)
		return false;
	if (m->debugcon_chr->where)
		g_message("--debugcon: %s", m->debugcon_chr->where);
	m->debugcon = debugcon_new(m->debugcon_chr, m->main, err);
	return m->debugcon != NULL;
}

static bool plug_debugcon(struct machine *m, GError **err)
{
	int ret = m->debugcon ? debugcon_plug(m->debugcon, m->bus) : 0;

	return ret == 0 || ringside_error_errno(err, -ret, "debug console");
}

static bool make_board(struct machine *m, GError **err)
{
	struct pci_root_config root = {
		.ecam_base = arch_places.pci_ecam.base,
		.mem_base = arch_places.pci_mem.base,
		.mem_size = arch_places.pci_mem.len,
		.io_base = (unsigned)arch_places.pci_io.base,
		.io_size = (unsigned)arch_places.pci_io.len,
		.reset = machine_on_reset,
		.opaque = m,
	};

	m->bus = bus_new();
	m->board = board_kvm_new(&m->kvm, m->bus, FIRMWARE_SLOT + 1);
	m->pci = pci_root_new(board_kvm_board(m->board), &root, err);
	return m->pci != NULL;
}

static bool make_platform(struct machine *m, GError **err)
{
	static const struct platform_ops ops = {
		.power_off = machine_on_power_off,
		.reset = machine_on_reset,
		.panicked = machine_on_panicked,
		.crash_loaded = machine_on_crash_loaded,
		.debug_exit = machine_on_debug_exit,
	};
	const struct platform_config cfg = {
		.bus = m->bus,
		.main = m->main,
		.kvm = &m->kvm,
		.mem_size = m->ram.size,
		.pc = &m->cfg->pc,
		.debug_exit = m->cfg->debug_exit,
		.firmware = m->firmware.image ? &m->ram.memory.mem : NULL,
		.ops = &ops,
		.opaque = m,
	};

	m->platform = platform_new(&cfg, err);
	return m->platform != NULL;
}

static bool open_kvm(struct machine *m, GError **err)
{
	if (!kvm_open(&m->kvm, err))
		return false;
	if (m->cfg->cpus > m->kvm.max_cpus)
		return ringside_usage(err, "--cpus %u: this host's KVM supports 1 to %u",
				      m->cfg->cpus, m->kvm.max_cpus);
	return true;
}

static bool make_kvm(struct machine *m, GError **err)
{
	int ret;

	m->kvm.pit = m->cfg->pc.pit;
	if (!kvm_create_machine(&m->kvm, err))
		return false;
	ret = ram_plug(&m->ram, &m->kvm);
	if (ret < 0)
		return ringside_error_errno(
			err, -ret, "/dev/kvm: KVM_SET_USER_MEMORY_REGION for guest memory");
	return firmware_plug(&m->firmware, &m->kvm, err);
}

static bool make_vcpus(struct machine *m, GError **err)
{
	struct vcpus_config cfg = {
		.kvm = &m->kvm,
		.bus = m->bus,
		.mem = &m->ram.memory.mem,
		.n = m->cfg->cpus,
		.model = m->model,
	};

	m->cpus = vcpus_new(&cfg, err);
	return m->cpus != NULL;
}

static void on_leave(void *opaque)
{
	machine_quit(opaque);
}

/* Ctrl-A i, later: it is no good place to wait for vCPUs where keys are read. */
static void show_registers(void *opaque)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < m->cfg->cpus && m->end == MACHINE_RUNNING; i++) {
		g_autofree char *where = NULL, *text = NULL;
		struct vcpu_registers r;
		int ret = machine_registers(m, i, &r, &where);

		text = ret < 0 ? g_strdup_printf("vCPU %u: registers: %s\n", i, g_strerror(-ret))
			       : vcpu_registers_text(i, &r, where);
		terminal_say(m->terminal, text);
	}
}

static void on_info(void *opaque)
{
	struct machine *m = opaque;

	loop_post(m->main, show_registers, m);
}

static void on_send_break(void *opaque)
{
	(void)machine_send_break(opaque);
}

static const struct terminal_ops terminal_ops = {
	.leave = on_leave,
	.info = on_info,
	.send_break = on_send_break,
};

/* What the first processor starts in. */
static bool open_boot(struct machine *m, GError **err)
{
	const struct machine_config *cfg = m->cfg;

	if (cfg->firmware)
		return firmware_open(&m->firmware, cfg->firmware, err);
	return boot_files_open(&m->files, cfg->kernel, cfg->initrds, cfg->memory, err);
}

/* All of guest memory lies in a file if a device has to hand it on. */
static bool shares_memory(const struct machine *m)
{
	const struct machine_config *cfg = m->cfg;
	bool shares = cfg->memory_shared;

	for (guint i = 0; i < cfg->devices->len; i++) {
		const struct machine_device *d = g_ptr_array_index(cfg->devices, i);
		g_autofree char *name = g_strndup(d->spec, strcspn(d->spec, ","));
		const struct vdev_class *class = vdev_class_find(name);
		bool back_end = g_array_index(m->back_ends, struct child, i).socket != NULL;

		shares |= ((class && class->shares_memory) || back_end) &&
			  !process_is_bounced(d->spec);
	}
	return shares;
}

/* All that has a name on the host. The operator's mistakes come to light before KVM is asked for
 * anything. */
static bool open_all(struct machine *m, GError **err)
{
	const char *cpu = m->cfg->cpu ? m->cfg->cpu : "host";

	m->model = arch_cpu_model(cpu, err);
	if (m->cfg->symbols) {
		m->symbols = symbols_open(m->cfg->symbols, err);
		if (!m->symbols)
			return false;
	}
	if (m->cfg->record) {
		m->recorder = recorder_open(m->cfg->record, "--record", err);
		if (!m->recorder)
			return false;
	}
	return m->model && machine_open_checker(m, err) && machine_start_back_ends(m, err) &&
	       ram_open(&m->ram, m->cfg->memory, shares_memory(m), err) &&
	       machine_open_devices(m, err) && machine_check_sandbox(m, err) &&
	       make_serial(m, err) && make_debugcon(m, err) && open_kvm(m, err) &&
	       open_boot(m, err);
}

static void tell_of_words(struct machine *m)
{
	const char *miss = arch_will_miss(m->cfg->append ? m->cfg->append : "");

	if (miss)
		g_message("%s", miss);
}

bool machine_build(struct machine *m, GError **err)
{
	/* First, since KVM starts a thread of its own in this process on some kernels. */
	if (!machine_confine(m, err) || !make_kvm(m, err) || !make_board(m, err) ||
	    !machine_plug_devices(m, err) || !plug_serial(m, err) || !plug_debugcon(m, err) ||
	    !make_platform(m, err) || !make_vcpus(m, err) || !machine_load(m, err) ||
	    !machine_watch(m, err))
		return false;
	machine_start_loops(m);
	tell_of_words(m);
	return true;
}

struct machine *machine_new(const struct machine_config *cfg, GError **err)
{
	struct machine *m = g_new0(struct machine, 1);

	/* Ours for good: what vCPUs ask of the main loop then always runs on this thread. */
	g_main_context_acquire(NULL);
	machine_block_signals();
	m->cfg = cfg;
	m->kvm.fd = m->kvm.vm = -1;
	m->files = BOOT_FILES_NONE;
	m->signals = m->grace_timer = -1;
	m->observers = g_array_new(FALSE, FALSE, sizeof(struct machine_observer));
	machine_panic_init(m);
	pthread_mutex_init(&m->lock, NULL);
	m->main = loop_main();
	m->terminal = terminal_new(m->main, cfg->mode, &terminal_ops, m);
	if (!open_all(m, err)) {
		machine_free(m);
		return NULL;
	}
	return m;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	machine_unwatch(m);
	machine_latency_stop(m);
	vcpus_free(m->cpus);
	machine_unplug_devices(m);
	pci_root_free(m->pci);
	machine_close_devices(m);
	recorder_close(m->recorder);
	machine_forget_back_ends(m);
	loop_unwatch(m->overdue);
	serial_free(m->serial);
	debugcon_free(m->debugcon);
	machine_panic_free(m);
	platform_free(m->platform);
	board_kvm_free(m->board);
	bus_free(m->bus);
	kvm_close(&m->kvm);
	boot_files_close(&m->files);
	firmware_close(&m->firmware);
	symbols_free(m->symbols);
	machine_free_filters(m);
	ram_close(&m->ram);
	terminal_free(m->terminal);
	loop_free(m->main);
	machine_forget_io_errors(m);
	machine_forget_violations(m);
	checker_free(m->checker);
	pthread_mutex_destroy(&m->lock);
	g_array_unref(m->observers);
	g_free(m->model);
	g_free(m->failure);
	g_free(m->text);
	g_free(m);
	g_main_context_release(NULL);
}
