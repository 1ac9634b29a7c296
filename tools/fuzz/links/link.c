#include "tools/fuzz/links/link.h"

#include <glib.h>
#include <string.h>

/* The cheap ones more often: what a device does with its queues does not depend on the link. */
static const struct link_ops *const links[] = {
	&link_direct,      &link_mmio,   &link_mmio_cached, &link_pci,
	&link_pci_intx,    &link_direct, &link_direct,      &link_mmio,
	&link_pci_access,  &link_direct, &link_direct,      &link_pci,
	&link_mmio_cached, &link_direct, &link_direct,      &link_direct,
};

const struct link_ops *link_nth(unsigned n)
{
	return links[n % G_N_ELEMENTS(links)];
}

struct name {
	uint16_t off;
	const char *name;
};

static const struct name mmio_names[] = {
	{ 0x000, "MagicValue" },     { 0x004, "Version" },
	{ 0x008, "DeviceID" },       { 0x00c, "VendorID" },
	{ 0x010, "DeviceFeatures" }, { 0x014, "DeviceFeaturesSel" },
	{ 0x020, "DriverFeatures" }, { 0x024, "DriverFeaturesSel" },
	{ 0x030, "QueueSel" },       { 0x034, "QueueSizeMax" },
	{ 0x038, "QueueSize" },      { 0x044, "QueueReady" },
	{ 0x050, "QueueNotify" },    { 0x060, "InterruptStatus" },
	{ 0x064, "InterruptACK" },   { 0x070, "Status" },
	{ 0x080, "QueueDescLow" },   { 0x084, "QueueDescHigh" },
	{ 0x090, "QueueDriverLow" }, { 0x094, "QueueDriverHigh" },
	{ 0x0a0, "QueueDeviceLow" }, { 0x0a4, "QueueDeviceHigh" },
	{ 0x0c0, "QueueReset" },     { 0x0fc, "ConfigGeneration" },
};

static const struct name pci_names[] = {
	{ 0x00, "device_feature_select" }, { 0x04, "device_feature" },
	{ 0x08, "driver_feature_select" }, { 0x0c, "driver_feature" },
	{ 0x10, "config_msix_vector" },    { 0x12, "num_queues" },
	{ 0x14, "device_status" },         { 0x15, "config_generation" },
	{ 0x16, "queue_select" },          { 0x18, "queue_size" },
	{ 0x1a, "queue_msix_vector" },     { 0x1c, "queue_enable" },
	{ 0x1e, "queue_notify_off" },      { 0x20, "queue_desc" },
	{ 0x28, "queue_driver" },          { 0x30, "queue_device" },
	{ 0x3a, "queue_reset" },
};

const char *link_register_name(const struct link_ops *link, enum link_area area, uint32_t off,
			       char buf[24])
{
	static const char *const areas[] = { "register", "config", "PCI config", "BAR" };
	bool mmio = g_str_has_prefix(link->name, "mmio");
	const struct name *names = mmio ? mmio_names : pci_names;
	size_t n = mmio ? G_N_ELEMENTS(mmio_names) : G_N_ELEMENTS(pci_names);

	for (size_t i = 0; i < n && area == LINK_REGISTERS; i++)
		if (names[i].off == off)
			return names[i].name;
	(void)g_snprintf(buf, 24, "%s %#x", areas[area % N_LINK_AREAS], off);
	return buf;
}
