/*
 * The machine's I/O ports that are no device's: power management, the panic device, and the ways in
 * which a PC without ACPI ends. (The serial port plugs itself, PCI's ports are
 * transport/pci/root.c's.)
 */
#include "devices/base/error.h"
#include "vmm/machine/machine-int.h"
#include "vmm/x86/layout.h"

static uint64_t pm_read(void *opaque, uint64_t off, unsigned len)
{
	return len == 1 ? pm_io_read(opaque, (unsigned)off) : UINT64_MAX;
}

static void pm_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (len == 1)
		pm_io_write(opaque, (unsigned)off, (uint8_t)value);
}

static bool plug(struct machine *m, struct board_region *w, const char *what, GError **err)
{
	int ret = bus_add(m->bus, w);

	return ret == 0 || ringside_error_errno(err, -ret, "%s", what);
}

bool machine_plug_ports(struct machine *m, GError **err)
{
	m->pm = pm_new(&machine_pm_ops, m);
	m->pm_region = (struct board_region){
		.base = LAYOUT_PM_PORT,
		.size = LAYOUT_PM_PORTS,
		.io = true,
		.read = pm_read,
		.write = pm_write,
		.opaque = m->pm,
	};
	pvpanic_init(&m->pvpanic, &machine_pvpanic_ops, m);
	legacy_init(&m->legacy, &machine_pm_ops, m);
	if (!plug(m, &m->pm_region, "power management ports", err) ||
	    !plug(m, &m->pvpanic.region, "panic device", err))
		return false;
	for (unsigned i = 0; i < LEGACY_REGIONS; i++)
		if (!plug(m, &m->legacy.region[i], "reset ports", err))
			return false;
	return true;
}
