/*
 * The platform devices of vmm/machine/arch.h: power management, the panic device, and the ways in
 * which a PC without ACPI ends. (The serial port is vmm/console/'s, PCI's ports are
 * transport/pci/root.c's.)
 */
#include "vmm/x86/platform.h"
#include "devices/base/error.h"
#include "vmm/machine/arch.h"
#include "vmm/x86/debug-exit.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/legacy.h"
#include "vmm/x86/pm.h"
#include "vmm/x86/pvpanic.h"
#include "vmm/x86/rtc-timer.h"
#include "vmm/x86/rtc.h"

/* Ports that KVM answers itself: on the bus, so that nobody else is given them. */
#define KERNEL_REGIONS 4u

static const struct {
	uint16_t base, size;
	bool pit;
} kernel_ports[KERNEL_REGIONS] = {
	{ LAYOUT_PIC, 2, false },
	{ LAYOUT_PIC + 0x80, 2, false },
	{ LAYOUT_PIT, 4, true },
	{ LAYOUT_PORT_B, 1, true },
};

struct platform {
	struct bus *bus;
	struct kvm *kvm;
	const struct platform_ops *ops;
	void *opaque;
	struct pm *pm;
	struct board_region pm_region, pm1_region;
	struct pvpanic pvpanic;
	struct legacy legacy;
	struct debug_exit debug_exit;
	struct rtc *rtc; /* NULL: there is none */
	struct rtc_timer rtc_timer;
	struct fw_cfg *fw_cfg; /* likewise */
	struct board_region kernels[KERNEL_REGIONS];
};

/*
 * What the guest asks for, on vCPU threads.
 */
static void on_power_off(void *opaque)
{
	struct platform *p = opaque;

	p->ops->power_off(p->opaque);
}

static void on_reset(void *opaque)
{
	struct platform *p = opaque;

	p->ops->reset(p->opaque);
}

static void on_sci(void *opaque, bool level)
{
	struct platform *p = opaque;

	(void)kvm_irq_line(p->kvm, LAYOUT_GSI_SCI, level);
}

static const struct pm_ops pm_ops = { .power_off = on_power_off, .reset = on_reset, .irq = on_sci };

static void on_rtc_irq(void *opaque, bool level)
{
	struct platform *p = opaque;

	(void)kvm_irq_line(p->kvm, LAYOUT_GSI_RTC, level);
}

static void on_rtc_periodic(void *opaque, int64_t us)
{
	rtc_timer_set(&((struct platform *)opaque)->rtc_timer, us);
}

static const struct rtc_ops rtc_ops = { .irq = on_rtc_irq, .periodic = on_rtc_periodic };

static void on_panicked(void *opaque)
{
	struct platform *p = opaque;

	p->ops->panicked(p->opaque);
}

static void on_crash_loaded(void *opaque)
{
	struct platform *p = opaque;

	p->ops->crash_loaded(p->opaque);
}

static void on_debug_exit(void *opaque, uint32_t value)
{
	struct platform *p = opaque;

	p->ops->debug_exit(p->opaque, value);
}

static const struct pvpanic_ops pvpanic_ops = {
	.panicked = on_panicked,
	.crash_loaded = on_crash_loaded,
};

/*
 * On the bus.
 */
static uint64_t pm_read(void *opaque, uint64_t off, unsigned len)
{
	return len == 1 ? pm_io_read(opaque, (unsigned)off) : UINT64_MAX;
}

static void pm_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (len == 1)
		pm_io_write(opaque, (unsigned)off, (uint8_t)value);
}

static uint64_t on_pm1_read(void *opaque, uint64_t off, unsigned len)
{
	return len == 2 && off % 2 == 0 ? pm_fixed_read(opaque, (unsigned)off) : 0;
}

static void on_pm1_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (len == 2 && off % 2 == 0)
		pm_fixed_write(opaque, (unsigned)off, (uint16_t)value);
}

static bool plug(struct bus *bus, struct board_region *region, const char *what, GError **err)
{
	int ret = bus_add(bus, region);

	return ret == 0 || ringside_error_errno(err, -ret, "%s", what);
}

static bool plug_kernels(struct platform *p, struct bus *bus, bool pit, GError **err)
{
	for (unsigned i = 0; i < KERNEL_REGIONS; i++) {
		p->kernels[i] = (struct board_region){ .base = kernel_ports[i].base,
						       .size = kernel_ports[i].size,
						       .io = true };
		if ((pit || !kernel_ports[i].pit) && !plug(bus, &p->kernels[i], "KVM's ports", err))
			return false;
	}
	return true;
}

static bool make_rtc(struct platform *p, const struct platform_config *cfg, GError **err)
{
	if (!cfg->pc->rtc)
		return true;
	p->rtc = rtc_new(layout_low_len(cfg->mem_size), layout_high_len(cfg->mem_size), NULL,
			 &rtc_ops, p);
	return rtc_timer_open(&p->rtc_timer, cfg->main, p->rtc, err);
}

static bool plug_all(struct platform *p, struct bus *bus, GError **err)
{
	if (p->rtc && !plug(bus, rtc_region(p->rtc), "clock", err))
		return false;
	if (p->fw_cfg && (!plug(bus, fw_cfg_region(p->fw_cfg), "fw_cfg", err) ||
			  !plug(bus, &p->pm1_region, "power management ports", err)))
		return false;
	if (!plug(bus, &p->pm_region, "power management ports", err) ||
	    !plug(bus, &p->pvpanic.region, "panic device", err))
		return false;
	for (unsigned i = 0; i < LEGACY_REGIONS; i++)
		if (!plug(bus, &p->legacy.region[i], "reset ports", err))
			return false;
	return true;
}

/* Last of all, so that whatever has these ports already is in the way. */
static bool plug_debug_exit(struct platform *p, struct bus *bus, int port, GError **err)
{
	if (port < 0)
		return true;
	debug_exit_init(&p->debug_exit, (uint16_t)port, on_debug_exit, p);
	return bus_add(bus, &p->debug_exit.region) == 0 ||
	       ringside_usage(
		       err,
		       "--debug-exit=0x%x: another device has one of the four ports from there; "
		       "QEMU's habits are 0xf4 and 0x501",
		       (unsigned)port);
}

struct platform *platform_new(const struct platform_config *cfg, GError **err)
{
	struct platform *p = g_new0(struct platform, 1);

	p->bus = cfg->bus;
	p->kvm = cfg->kvm;
	p->ops = cfg->ops;
	p->opaque = cfg->opaque;
	p->pm = pm_new(&pm_ops, p, cfg->firmware != NULL);
	p->pm_region = (struct board_region){
		.base = LAYOUT_PM_PORT,
		.size = LAYOUT_PM_PORTS,
		.io = true,
		.read = pm_read,
		.write = pm_write,
		.opaque = p->pm,
	};
	p->pm1_region = (struct board_region){
		.base = LAYOUT_PM1_EVENT,
		.size = LAYOUT_PM1_EVENT_LEN,
		.io = true,
		.read = on_pm1_read,
		.write = on_pm1_write,
		.opaque = p->pm,
	};
	pvpanic_init(&p->pvpanic, &pvpanic_ops, p);
	legacy_init(&p->legacy, &pm_ops, p, bus_unanswered(cfg->bus));
	if (cfg->firmware)
		p->fw_cfg = fw_cfg_new(cfg->firmware);
	if (!make_rtc(p, cfg, err) || !plug_all(p, cfg->bus, err) ||
	    !plug_kernels(p, cfg->bus, cfg->pc->pit, err) ||
	    !plug_debug_exit(p, cfg->bus, cfg->debug_exit, err)) {
		platform_free(p);
		return NULL;
	}
	return p;
}

static void unplug_all(struct platform *p)
{
	bus_del(p->bus, &p->pm_region);
	bus_del(p->bus, &p->pm1_region);
	bus_del(p->bus, &p->pvpanic.region);
	bus_del(p->bus, &p->debug_exit.region);
	if (p->rtc)
		bus_del(p->bus, rtc_region(p->rtc));
	if (p->fw_cfg)
		bus_del(p->bus, fw_cfg_region(p->fw_cfg));
	for (unsigned i = 0; i < LEGACY_REGIONS; i++)
		bus_del(p->bus, &p->legacy.region[i]);
	for (unsigned i = 0; i < KERNEL_REGIONS; i++)
		bus_del(p->bus, &p->kernels[i]);
}

void platform_free(struct platform *p)
{
	if (!p)
		return;
	unplug_all(p);
	pm_free(p->pm);
	rtc_timer_close(&p->rtc_timer);
	rtc_free(p->rtc);
	fw_cfg_free(p->fw_cfg);
	g_free(p);
}

void platform_reset(struct platform *p)
{
	pm_reset(p->pm);
	if (p->rtc)
		rtc_reset(p->rtc);
}

struct fw_cfg *platform_fw_cfg(struct platform *p)
{
	return p->fw_cfg;
}

void platform_power_button(struct platform *p)
{
	pm_power_button(p->pm);
}

void platform_probe(struct platform *p)
{
	pm_probe(p->pm);
}

bool platform_probed(struct platform *p)
{
	return pm_probed(p->pm);
}

const char *platform_missed(struct platform *p)
{
	return p->rtc && rtc_awaited(p->rtc)
		       ? "enabled the alarm or update interrupt of the clock (RTC), which has none"
		       : NULL;
}
