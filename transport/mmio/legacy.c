/*
 * The registers that version 1 has in place of version 2's (VIRTIO 1.4, 4.2.4): a queue's one
 * address is a number of pages, of which the driver says how large they are, and QueueAlign says
 * where its used ring begins. There is no generation, no reset of a queue and no shared memory;
 * features are one word. The configuration space takes accesses of any width (Linux's are of single
 * bytes).
 */
#include "devices/core/legacy.h"
#include "devices/core/rules.h"
#include "transport/mmio/impl.h"

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

bool mmio_legacy_read(struct mmio *m, unsigned off, uint32_t *ret)
{
	switch (off) {
	case R_VERSION:
		*ret = MMIO_VERSION_LEGACY;
		return true;
	case R_DEVICE_FEATURES:
		*ret = m->device_features_sel == 0 ? vdev_legacy_offered(m->dev) : 0;
		return true;
	case R_QUEUE_PFN:
		*ret = m->guest_page_size
			       ? (uint32_t)(vdev_queue_read(m->dev, m->queue_sel, VQR_DESC) /
					    m->guest_page_size)
			       : 0;
		return true;
	case R_QUEUE_READY:
	case R_QUEUE_RESET:
	case R_SHM_LEN:
	case R_SHM_LEN + 4:
	case R_SHM_BASE:
	case R_SHM_BASE + 4:
	case R_CONFIG_GENERATION:
		*ret = 0;
		return true;
	default:
		return false;
	}
}

static void write_pfn(struct mmio *m, uint32_t pfn)
{
	uint32_t page = m->guest_page_size, align;

	if (m->queue_sel >= m->dev->n_queues) {
		vdev_rule_broken(m->dev, RULE_NO_QUEUE, "queue %u", m->queue_sel);
		return;
	}
	align = m->queue_align[m->queue_sel];
	if (pfn && (!is_power_of_two(page) || !is_power_of_two(align))) {
		vdev_rule_broken(m->dev, RULE_LEGACY_SIZE,
				 "queue %u, pages of %#x, used ring at %#x", m->queue_sel, page,
				 align);
		pfn = 0;
	}
	vdev_legacy_queue_set(m->dev, m->queue_sel, (uint64_t)pfn * page, pfn ? align : 1);
	mmio_follow_state(m);
}

bool mmio_legacy_write(struct mmio *m, unsigned off, uint32_t value)
{
	switch (off) {
	case R_DRIVER_FEATURES:
		if (m->driver_features_sel == 0)
			vdev_legacy_accept(m->dev, value);
		return true;
	case R_GUEST_PAGE_SIZE:
		m->guest_page_size = value;
		return true;
	case R_QUEUE_SIZE:
		mmio_judge_queue(m, off, value);
		vdev_legacy_queue_size(m->dev, m->queue_sel, (uint16_t)value);
		return true;
	case R_QUEUE_ALIGN:
		if (m->queue_sel < m->dev->n_queues)
			m->queue_align[m->queue_sel] = value;
		return true;
	case R_QUEUE_PFN:
		write_pfn(m, value);
		return true;
	case R_QUEUE_READY:
	case R_QUEUE_RESET:
	case R_QUEUE_DESC:
	case R_QUEUE_DESC + 4:
	case R_QUEUE_DRIVER:
	case R_QUEUE_DRIVER + 4:
	case R_QUEUE_DEVICE:
	case R_QUEUE_DEVICE + 4:
		return true; /* nothing of that is there */
	default:
		return false;
	}
}
