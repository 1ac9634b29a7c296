#include "tools/fuzz/links/link.h"

#include <glib.h>
#include <string.h>

#include "tools/fuzz/fixture/fixture.h"
#include "transport/mmio/regs.h"
#include "transport/virtio-pci/regs.h"

/* The cheap ones more often: what a device does with its queues does not depend on the link. */
static const struct link_ops *const links[] = {
	&link_direct,      &link_mmio,   &link_mmio_cached, &link_pci,
	&link_pci_intx,    &link_direct, &link_direct,      &link_mmio,
	&link_pci_access,  &link_direct, &link_direct,      &link_pci,
	&link_mmio_cached, &link_direct, &link_legacy_mmio, &link_legacy_pci,
};

const struct link_ops *link_nth(unsigned n)
{
	return links[n % G_N_ELEMENTS(links)];
}

/*
 * The driver.
 */

uint32_t link_offered(struct fixture *fx, unsigned word)
{
	fx->selected_word = word;
	return fx->driver.ops->offered(&fx->driver, word);
}

void link_accept(struct fixture *fx, unsigned word, uint32_t bits)
{
	fx->driver.ops->accept(&fx->driver, word, bits);
}

void link_set_status(struct fixture *fx, uint8_t status)
{
	fx->driver.ops->set_status(&fx->driver, status);
	if (status == (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER) && fx->link->vector)
		fx->link->vector(fx, -1);
}

void link_queue_set(struct fixture *fx, const struct virtio_queue *q)
{
	fx->selected_queue = q->index;
	fx->driver.ops->queue_set(&fx->driver, q);
	if (fx->link->vector)
		fx->link->vector(fx, q->index);
	fx->driver.ops->queue_enable(&fx->driver);
}

void link_queue_reset(struct fixture *fx, unsigned q)
{
	fx->driver.ops->queue_reset(&fx->driver, q);
}

/* Where the queue's notifications would be, whether there is such a queue or not. */
void link_kick(struct fixture *fx, unsigned q, uint32_t value)
{
	const struct virtio_queue queue = { .index = (uint16_t)q,
					    .notify_off = q * fx->driver.pci.notify_multiplier };

	fx->driver.ops->notify(&fx->driver, &queue, value);
}

/*
 * For the trace.
 */

struct name {
	uint16_t off;
	const char *name;
};

static const struct name mmio_names[] = {
	{ R_MAGIC, "MagicValue" },
	{ R_VERSION, "Version" },
	{ R_DEVICE_ID, "DeviceID" },
	{ R_VENDOR_ID, "VendorID" },
	{ R_DEVICE_FEATURES, "DeviceFeatures" },
	{ R_DEVICE_FEATURES_SEL, "DeviceFeaturesSel" },
	{ R_DRIVER_FEATURES, "DriverFeatures" },
	{ R_DRIVER_FEATURES_SEL, "DriverFeaturesSel" },
	{ R_QUEUE_SEL, "QueueSel" },
	{ R_QUEUE_SIZE_MAX, "QueueSizeMax" },
	{ R_QUEUE_SIZE, "QueueSize" },
	{ R_QUEUE_READY, "QueueReady" },
	{ R_QUEUE_NOTIFY, "QueueNotify" },
	{ R_INTERRUPT_STATUS, "InterruptStatus" },
	{ R_INTERRUPT_ACK, "InterruptACK" },
	{ R_STATUS, "Status" },
	{ R_QUEUE_DESC, "QueueDescLow" },
	{ R_QUEUE_DESC + 4, "QueueDescHigh" },
	{ R_QUEUE_DRIVER, "QueueDriverLow" },
	{ R_QUEUE_DRIVER + 4, "QueueDriverHigh" },
	{ R_QUEUE_DEVICE, "QueueDeviceLow" },
	{ R_QUEUE_DEVICE + 4, "QueueDeviceHigh" },
	{ R_QUEUE_RESET, "QueueReset" },
	{ R_CONFIG_GENERATION, "ConfigGeneration" },
};

static const struct name pci_names[] = {
	{ VPCI_DEVICE_FEATURE_SELECT, "device_feature_select" },
	{ VPCI_DEVICE_FEATURE, "device_feature" },
	{ VPCI_DRIVER_FEATURE_SELECT, "driver_feature_select" },
	{ VPCI_DRIVER_FEATURE, "driver_feature" },
	{ VPCI_CONFIG_MSIX_VECTOR, "config_msix_vector" },
	{ VPCI_NUM_QUEUES, "num_queues" },
	{ VPCI_DEVICE_STATUS, "device_status" },
	{ VPCI_CONFIG_GENERATION, "config_generation" },
	{ VPCI_QUEUE_SELECT, "queue_select" },
	{ VPCI_QUEUE_SIZE, "queue_size" },
	{ VPCI_QUEUE_MSIX_VECTOR, "queue_msix_vector" },
	{ VPCI_QUEUE_ENABLE, "queue_enable" },
	{ VPCI_QUEUE_NOTIFY_OFF, "queue_notify_off" },
	{ VPCI_QUEUE_DESC, "queue_desc" },
	{ VPCI_QUEUE_DRIVER, "queue_driver" },
	{ VPCI_QUEUE_DEVICE, "queue_device" },
	{ VPCI_QUEUE_RESET, "queue_reset" },
};

static const struct name mmio_legacy_names[] = {
	{ R_MAGIC, "MagicValue" },
	{ R_VERSION, "Version" },
	{ R_DEVICE_FEATURES, "HostFeatures" },
	{ R_DEVICE_FEATURES_SEL, "HostFeaturesSel" },
	{ R_DRIVER_FEATURES, "GuestFeatures" },
	{ R_DRIVER_FEATURES_SEL, "GuestFeaturesSel" },
	{ R_GUEST_PAGE_SIZE, "GuestPageSize" },
	{ R_QUEUE_SEL, "QueueSel" },
	{ R_QUEUE_SIZE_MAX, "QueueNumMax" },
	{ R_QUEUE_SIZE, "QueueNum" },
	{ R_QUEUE_ALIGN, "QueueAlign" },
	{ R_QUEUE_PFN, "QueuePFN" },
	{ R_QUEUE_NOTIFY, "QueueNotify" },
	{ R_INTERRUPT_STATUS, "InterruptStatus" },
	{ R_INTERRUPT_ACK, "InterruptACK" },
	{ R_STATUS, "Status" },
};

static const struct name pci_legacy_names[] = {
	{ VPCI_LEGACY_DEVICE_FEATURES, "device features" },
	{ VPCI_LEGACY_DRIVER_FEATURES, "driver features" },
	{ VPCI_LEGACY_QUEUE_ADDRESS, "queue address" },
	{ VPCI_LEGACY_QUEUE_SIZE, "queue size" },
	{ VPCI_LEGACY_QUEUE_SELECT, "queue select" },
	{ VPCI_LEGACY_QUEUE_NOTIFY, "queue notify" },
	{ VPCI_LEGACY_STATUS, "device status" },
	{ VPCI_LEGACY_ISR, "ISR status" },
	{ VPCI_LEGACY_CONFIG_VECTOR, "config vector" },
	{ VPCI_LEGACY_QUEUE_VECTOR, "queue vector" },
};

/* By two: mmio's and pci's. */
static const struct table {
	const struct name *names;
	size_t n;
} tables[] = {
	{ mmio_names, G_N_ELEMENTS(mmio_names) },
	{ pci_names, G_N_ELEMENTS(pci_names) },
	{ mmio_legacy_names, G_N_ELEMENTS(mmio_legacy_names) },
	{ pci_legacy_names, G_N_ELEMENTS(pci_legacy_names) },
};

const char *link_register_name(const struct link_ops *link, enum link_area area, uint32_t off,
			       char buf[24])
{
	static const char *const areas[] = { "register", "config", "PCI config", "BAR" };
	const struct table *t = &tables[(link->legacy ? 2 : 0) + !strstr(link->name, "mmio")];
	const struct name *names = t->names;

	for (size_t i = 0; i < t->n && area == LINK_REGISTERS; i++)
		if (names[i].off == off)
			return names[i].name;
	(void)g_snprintf(buf, 24, "%s %#x", areas[area % N_LINK_AREAS], off);
	return buf;
}
