/* The rules for a driver that virtio-mmio's registers have (VIRTIO 1.4, 4.2.2.2). */
#include "devices/core/rules.h"
#include "transport/mmio/impl.h"

enum direction { R = 1, W = 2 };

enum version { V_BOTH, V1, V2 };

static const struct {
	uint16_t off;
	uint8_t dir;
	uint8_t version; /* that has it */
	const char *name;
} registers[] = {
	{ R_MAGIC, R, V_BOTH, "MagicValue" },
	{ R_VERSION, R, V_BOTH, "Version" },
	{ R_DEVICE_ID, R, V_BOTH, "DeviceID" },
	{ R_VENDOR_ID, R, V_BOTH, "VendorID" },
	{ R_DEVICE_FEATURES, R, V_BOTH, "DeviceFeatures" },
	{ R_DEVICE_FEATURES_SEL, W, V_BOTH, "DeviceFeaturesSel" },
	{ R_DRIVER_FEATURES, W, V_BOTH, "DriverFeatures" },
	{ R_DRIVER_FEATURES_SEL, W, V_BOTH, "DriverFeaturesSel" },
	{ R_QUEUE_SEL, W, V_BOTH, "QueueSel" },
	{ R_QUEUE_SIZE_MAX, R, V_BOTH, "QueueSizeMax" },
	{ R_QUEUE_SIZE, W, V_BOTH, "QueueSize" },
	{ R_GUEST_PAGE_SIZE, W, V1, "GuestPageSize" },
	{ R_QUEUE_ALIGN, W, V1, "QueueAlign" },
	{ R_QUEUE_PFN, R | W, V1, "QueuePFN" },
	{ R_QUEUE_READY, R | W, V2, "QueueReady" },
	{ R_QUEUE_NOTIFY, W, V_BOTH, "QueueNotify" },
	{ R_INTERRUPT_STATUS, R, V_BOTH, "InterruptStatus" },
	{ R_INTERRUPT_ACK, W, V_BOTH, "InterruptACK" },
	{ R_STATUS, R | W, V_BOTH, "Status" },
	{ R_QUEUE_DESC, W, V2, "QueueDescLow" },
	{ R_QUEUE_DESC + 4, W, V2, "QueueDescHigh" },
	{ R_QUEUE_DRIVER, W, V2, "QueueDriverLow" },
	{ R_QUEUE_DRIVER + 4, W, V2, "QueueDriverHigh" },
	{ R_QUEUE_DEVICE, W, V2, "QueueDeviceLow" },
	{ R_QUEUE_DEVICE + 4, W, V2, "QueueDeviceHigh" },
	{ R_SHM_SEL, W, V2, "SHMSel" },
	{ R_SHM_LEN, R, V2, "SHMLenLow" },
	{ R_SHM_LEN + 4, R, V2, "SHMLenHigh" },
	{ R_SHM_BASE, R, V2, "SHMBaseLow" },
	{ R_SHM_BASE + 4, R, V2, "SHMBaseHigh" },
	{ R_QUEUE_RESET, R | W, V2, "QueueReset" },
	{ R_CONFIG_GENERATION, R, V2, "ConfigGeneration" },
};

/* QueueReset is there if RING_RESET was accepted. */
static bool is_there(struct mmio *m, unsigned reg, enum version version)
{
	bool there = version == V_BOTH || (version == V1) == m->legacy;

	if (there && reg == R_QUEUE_RESET) {
		pthread_mutex_lock(&m->lock); /* against another processor's reset */
		there = vdev_accepted(m->dev, VIRTIO_F_RING_RESET);
		pthread_mutex_unlock(&m->lock);
	}
	return there;
}

/* What the access is to: the register's name, or its number in @number; and its directions, 0:
 * none. */
static const char *name_of(struct mmio *m, unsigned off, char number[24], unsigned *ret_dir)
{
	*ret_dir = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
		if (registers[i].off != (off & ~3u))
			continue;
		if (is_there(m, registers[i].off, registers[i].version))
			*ret_dir = registers[i].dir;
		return registers[i].name;
	}
	(void)g_snprintf(number, 24, "offset %#x", off);
	return number;
}

void mmio_judge_read(struct mmio *m, unsigned off, unsigned len)
{
	char number[24];
	unsigned dir;
	const char *name = name_of(m, off, number, &dir);

	if (!dir)
		vdev_access_broken(m->dev, RULE_MMIO_NOTHING, name, false, len);
	else if (len != 4 || off % 4)
		vdev_access_broken(m->dev, RULE_MMIO_WIDTH, name, false, len);
	else if (!(dir & R))
		vdev_access_broken(m->dev, RULE_MMIO_WRITE_ONLY, name, false, len);
	else if (off == R_DEVICE_FEATURES && !m->device_sel_written && !m->legacy)
		vdev_access_broken(m->dev, RULE_MMIO_DEVICE_SEL, name, false, len);
}

bool mmio_judge_write(struct mmio *m, unsigned off, unsigned len)
{
	char number[24];
	unsigned dir;
	const char *name = name_of(m, off, number, &dir);

	if (!dir)
		vdev_access_broken(m->dev, RULE_MMIO_NOTHING, name, true, len);
	else if (len != 4 || off % 4)
		vdev_access_broken(m->dev, RULE_MMIO_WIDTH, name, true, len);
	else if (!(dir & W))
		vdev_access_broken(m->dev, RULE_MMIO_READ_ONLY, name, true, len);
	else if (off == R_DRIVER_FEATURES && !m->driver_sel_written && !m->legacy)
		vdev_access_broken(m->dev, RULE_MMIO_DRIVER_SEL, name, true, len);
	return len == 4 && off % 4 == 0;
}

void mmio_judge_queue(struct mmio *m, unsigned off, uint32_t value)
{
	static const struct vdev_queue_rules rules = { RULE_MMIO_QUEUE_LIVE, RULE_MMIO_QUEUE_SIZE,
						       RULE_MMIO_QUEUE_SIZE };
	static const struct {
		uint16_t off;
		enum vdev_queue_reg reg;
	} queue[] = {
		{ R_QUEUE_SIZE, VQR_SIZE },     { R_QUEUE_READY, VQR_ENABLE },
		{ R_QUEUE_DESC, VQR_DESC },     { R_QUEUE_DESC + 4, VQR_DESC },
		{ R_QUEUE_DRIVER, VQR_DRIVER }, { R_QUEUE_DRIVER + 4, VQR_DRIVER },
		{ R_QUEUE_DEVICE, VQR_DEVICE }, { R_QUEUE_DEVICE + 4, VQR_DEVICE },
		{ R_QUEUE_RESET, VQR_RESET },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(queue); i++)
		if (queue[i].off == off)
			vdev_judge_queue(m->dev, m->queue_sel, queue[i].reg, value, &rules);
}
