/*
 * What else of the machine a guest reaches by instructions: the serial port, the clock, fw_cfg, the
 * debug console and the debug exit device, the power management registers, the panic device and the
 * other ports that end it (0xcf9 is the target pci's), on the machine's own bus, and what is read
 * out of the guest's prints.
 */
#include <string.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "vmm/console/debugcon.h"
#include "vmm/console/serial.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/panic-text.h"
#include "vmm/x86/debug-exit.h"
#include "vmm/x86/fw-cfg.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/legacy.h"
#include "vmm/x86/pm.h"
#include "vmm/x86/pvpanic.h"
#include "vmm/x86/rtc.h"

#define DEBUG_EXIT 0xf4u
#define RAM        0x10000u

struct ports {
	struct bus *bus;
	struct serial *serial;
	struct pm *pm;
	struct board_region pm_region;
	struct pm *fixed; /* of a machine with firmware */
	struct board_region fixed_region;
	struct pvpanic pvpanic;
	struct legacy legacy;
	struct rtc *rtc;
	struct gmem mem;
	struct fw_cfg *fw_cfg;
	struct debugcon *debugcon;
	struct debug_exit debug_exit;
	struct panic_watch panic;
	struct fakes fakes;
	GMainContext *context;
	struct loop *loop;
};

static void serial_irq(void *opaque, bool level)
{
	(void)opaque;
	trace("serial: interrupt line %s", level ? "up" : "down");
}

static void printed(void *opaque, const uint8_t *data, size_t len)
{
	struct ports *p = opaque;
	const char *reason;

	panic_watch_feed(&p->panic, data, len);
	reason = panic_watch_reason(&p->panic);
	if (reason)
		trace("panic: %s", reason);
}

static const struct serial_ops serial_ops = { serial_irq, printed };

static void power_off(void *opaque)
{
	(void)opaque;
	trace("machine: powered off");
}

static void reset(void *opaque)
{
	(void)opaque;
	trace("machine: reset");
}

static const struct pm_ops pm_ops = { power_off, reset, serial_irq };

static void rtc_periodic(void *opaque, int64_t us)
{
	(void)opaque;
	trace("clock: wants a tick every %ld us", us);
}

static const struct rtc_ops rtc_ops = { serial_irq, rtc_periodic };

static void panicked(void *opaque)
{
	(void)opaque;
	trace("machine: panicked");
}

static void crash_loaded(void *opaque)
{
	(void)opaque;
	trace("machine: a crash kernel takes over");
}

static const struct pvpanic_ops pvpanic_ops = { panicked, crash_loaded };

static void debug_exit(void *opaque, uint32_t value)
{
	(void)opaque;
	trace("machine: debug exit with %#x", value);
}

static uint64_t pm_read(void *opaque, uint64_t off, unsigned len)
{
	return len == 1 ? pm_io_read(opaque, (unsigned)off) : 0;
}

static void pm_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (len == 1)
		pm_io_write(opaque, (unsigned)off, (uint8_t)value);
}

static uint64_t fixed_read(void *opaque, uint64_t off, unsigned len)
{
	return len == 2 ? pm_fixed_read(opaque, (unsigned)off) : 0;
}

static void fixed_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (len == 2)
		pm_fixed_write(opaque, (unsigned)off, (uint16_t)value);
}

/*
 * The guest and the host.
 */
static uint8_t ram[RAM];

static uint16_t port_of(struct input *in)
{
	static const uint16_t others[] = {
		LAYOUT_KBD_DATA,   LAYOUT_KBD_PORT,     LAYOUT_PORT_A,    LAYOUT_PVPANIC_PORT,
		LAYOUT_PM1_QEMU,   LAYOUT_PM1_BOCHS,    DEBUGCON_PORT,    DEBUG_EXIT,
		LAYOUT_RTC_PORT,   LAYOUT_RTC_PORT + 1, LAYOUT_FW_CFG,    LAYOUT_FW_CFG + 1,
		LAYOUT_FW_CFG + 4, LAYOUT_FW_CFG + 8,   LAYOUT_PM1_EVENT, LAYOUT_PM1_EVENT + 2
	};
	unsigned n = in8(in);

	if (n >= 128)
		return others[n % G_N_ELEMENTS(others)];
	return (uint16_t)(n & 16 ? LAYOUT_PM_PORT + n % 4 : LAYOUT_SERIAL_PORT + n % 8);
}

static void port_read(struct ports *p, struct input *in)
{
	uint16_t port = port_of(in);
	unsigned len = 1u << in8(in) % 3;
	uint64_t value = bus_read(p->bus, true, port, len);

	trace("guest: port %#x reads as %#lx", port, value);
}

/* A descriptor, of the input's next bytes, at the address that is written. */
static void put_descriptor(struct input *in, uint64_t value)
{
	uint32_t at = GUINT32_FROM_BE((uint32_t)value);

	for (unsigned i = 0; i < 16 && at < RAM - 16; i++)
		ram[at + i] = in8(in);
}

static void port_write(struct ports *p, struct input *in)
{
	uint16_t port = port_of(in);
	unsigned len = 1u << in8(in) % 3;
	uint64_t value = in32(in);

	trace("guest: writes %#lx to port %#x", value, port);
	if (port == LAYOUT_FW_CFG + 8)
		put_descriptor(in, value);
	bus_write(p->bus, true, port, len, value);
}

static void print(struct ports *p, struct input *in)
{
	while (in_left(in))
		bus_write(p->bus, true, LAYOUT_SERIAL_PORT, 1, in8(in));
}

static void type(struct ports *p, struct input *in)
{
	fake_chr_bytes(p->fakes.chr[0], *in);
}

static void peer(struct ports *p, struct input *in)
{
	unsigned how = in8(in);

	if (how & 1)
		fake_chr_connect(p->fakes.chr[0], how & 2);
	if (how & 4)
		fake_chr_room(p->fakes.chr[0], in16(in));
	if (how & 8) {
		pm_power_button(p->pm);
		pm_power_button(p->fixed);
	}
	if (how & 128) {
		pm_probe(p->pm);
		trace("host: %s", pm_probed(p->pm) ? "somebody is there" : "nobody answers");
	}
	if (how & 16)
		fake_chr_trouble(p->fakes.chr[0]);
	if (how & 32) {
		serial_reset(p->serial);
		pm_reset(p->pm);
		pm_reset(p->fixed);
		rtc_reset(p->rtc);
		panic_watch_reset(&p->panic);
	}
	if (how & 64)
		serial_flush(p->serial);
	if (how & 2)
		rtc_tick(p->rtc);
}

static void turn(struct ports *p, struct input *in)
{
	host_advance(100000ull * in8(in));
	for (unsigned n = 4; n && g_main_context_iteration(p->context, FALSE); n--)
		;
}

static void (*const run[N_PORT_OPS])(struct ports *p, struct input *in) = {
	[PORT_READ] = port_read, [PORT_WRITE] = port_write, [PORT_PRINT] = print,
	[PORT_TYPE] = type,      [PORT_PEER] = peer,        [PORT_TURN] = turn,
};

static void ports_open(struct ports *p)
{
	GError *err = NULL;

	p->context = g_main_context_new();
	g_main_context_set_poll_func(p->context, host_poll);
	host_set_context(p->context);
	fakes_collect(&p->fakes);
	p->loop = loop_main();
	p->bus = bus_new();
	p->serial = serial_new(chr_open("fake", NULL, "--serial", &err), p->loop, &serial_ops, p,
			       &err);
	if (!p->serial)
		fuzz_bug("%s", err->message);
	serial_unthrottle(p->serial, true); /* no processor is here that could wait */
	p->pm = pm_new(&pm_ops, p, false);
	p->pm_region = (struct board_region){ .base = LAYOUT_PM_PORT,
					      .size = LAYOUT_PM_PORTS,
					      .io = true,
					      .read = pm_read,
					      .write = pm_write,
					      .opaque = p->pm };
	p->fixed = pm_new(&pm_ops, p, true);
	p->fixed_region = (struct board_region){ .base = LAYOUT_PM1_EVENT,
						 .size = LAYOUT_PM1_EVENT_LEN,
						 .io = true,
						 .read = fixed_read,
						 .write = fixed_write,
						 .opaque = p->fixed };
	pvpanic_init(&p->pvpanic, &pvpanic_ops, p);
	p->rtc = rtc_new(1u << 30, 1u << 30, NULL, &rtc_ops, p);
	legacy_init(&p->legacy, &pm_ops, p, bus_unanswered(p->bus));
	(void)gmem_add(&p->mem, 0, RAM, ram);
	p->fw_cfg = fw_cfg_new(&p->mem);
	fw_cfg_add_file(p->fw_cfg, "etc/file", "contents", 8);
	p->debugcon = debugcon_new(chr_open("fake", NULL, "--debugcon", &err), p->loop, &err);
	if (!p->debugcon)
		fuzz_bug("%s", err->message);
	debugcon_unthrottle(p->debugcon, true);
	debug_exit_init(&p->debug_exit, DEBUG_EXIT, debug_exit, p);
	if (serial_plug(p->serial, p->bus, LAYOUT_SERIAL_PORT) < 0 ||
	    debugcon_plug(p->debugcon, p->bus) < 0 || bus_add(p->bus, rtc_region(p->rtc)) < 0 ||
	    bus_add(p->bus, fw_cfg_region(p->fw_cfg)) < 0 ||
	    bus_add(p->bus, &p->debug_exit.region) < 0 || bus_add(p->bus, &p->pm_region) < 0 ||
	    bus_add(p->bus, &p->fixed_region) < 0 || bus_add(p->bus, &p->pvpanic.region) < 0)
		fuzz_bug("the ports are taken");
	for (unsigned i = 0; i < LEGACY_REGIONS; i++)
		if (bus_add(p->bus, &p->legacy.region[i]) < 0)
			fuzz_bug("the ports are taken");
}

static void ports_close(struct ports *p)
{
	debugcon_free(p->debugcon);
	bus_del(p->bus, rtc_region(p->rtc));
	rtc_free(p->rtc);
	bus_del(p->bus, fw_cfg_region(p->fw_cfg));
	fw_cfg_free(p->fw_cfg);
	serial_free(p->serial);
	bus_del(p->bus, &p->pm_region);
	pm_free(p->pm);
	bus_del(p->bus, &p->fixed_region);
	pm_free(p->fixed);
	bus_free(p->bus);
	loop_free(p->loop);
	fakes_collect(NULL);
	host_set_context(NULL);
	g_main_context_unref(p->context);
}

void fuzz_ports_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	struct ports p = { 0 };
	uint8_t op;

	(void)t;
	memset(ram, 0, sizeof(ram));
	host_begin(1);
	host_running(true);
	ports_open(&p);
	panic_watch_reset(&p.panic);
	while (in_record(&in, &op, &args))
		run[op % N_PORT_OPS](&p, &args);
	ports_close(&p);
	host_running(false);
}
