/*
 * virtio-mmio, version 2 (VIRTIO 1.4, 4.2.2 MMIO Device Register Layout); what version 1 has in
 * place of some of its registers is in legacy.c.
 *
 * Every register access traps until the driver sets DRIVER_OK. From then on the data path reaches
 * this process once for each interrupt, when the driver reads InterruptStatus: kicks are
 * ioeventfds, one a queue, told apart by the value written to QueueNotify; an interrupt is an
 * eventfd wired to the line, and its acknowledgement an ioeventfd, too (irq.c). With
 * `cached-registers=on` that read needs no exit either, and one MUST of the specification is broken
 * for it (regpage.c).
 *
 * With NOTIFICATION_DATA the value says more than the queue, and an ioeventfd matches the whole of
 * it or nothing. A device of one queue takes any value for that queue's kick; with several the
 * kicks trap, which is exact (docs/design.md).
 *
 * Locks: `lock` serialises trapped register writes (selectors, ioeventfds) and is held across calls
 * into the device, which may wait for the queues' owners. `page_lock` guards the cached register
 * page; `irq_lock` InterruptStatus, from owners too, and is a leaf.
 */
#include "transport/mmio/mmio.h"

#include <string.h>

#include "devices/base/eventfd.h"
#include "devices/core/legacy.h"
#include "devices/core/observe.h"
#include "devices/core/rules.h"
#include "transport/mmio/impl.h"
#include "transport/registry.h"

/*
 * Ioeventfds and the cached register page follow the device's state.
 */

static void doorbell_set(struct mmio *m, unsigned q, bool on)
{
	struct board_doorbell doorbell = { .addr = m->region.base + R_QUEUE_NOTIFY,
					   .len = 4,
					   .has_match = m->dev->n_queues > 1,
					   .match = q,
					   .fd = m->dev->queue[q].kick_fd };

	if (on == m->doorbell[q])
		return;
	/* Should the board refuse, kicks trap and arrive all the same. */
	if (m->board->ops->doorbell(m->board, &doorbell, on) == 0)
		m->doorbell[q] = on;
}

void mmio_follow_state(struct mmio *m)
{
	bool running = vdev_in_use(m->dev), tell;

	m->kick_data = running && vdev_accepted(m->dev, VIRTIO_F_NOTIFICATION_DATA);
	tell = !m->kick_data || (m->dev->n_queues == 1 && !m->dev->checked);
	for (unsigned q = 0; q < m->dev->n_queues; q++)
		doorbell_set(m, q, running && tell && vdev_queue_read(m->dev, q, VQR_ENABLE));
	if (m->cached)
		mmio_regpage_set(m, running);
	/* Who checks the driver wants to see them. */
	mmio_irq_acks(m, running && (!m->cached || m->regpage_on) && !m->dev->checked);
}

/*
 * Registers.
 */

uint32_t mmio_register(struct mmio *m, unsigned off)
{
	uint32_t value;

	if (m->legacy && mmio_legacy_read(m, off, &value))
		return value;
	switch (off) {
	case R_MAGIC:
		return MMIO_MAGIC;
	case R_VERSION:
		return MMIO_VERSION;
	case R_DEVICE_ID:
		return m->dev->type;
	case R_VENDOR_ID:
		return 0x1af4;
	case R_DEVICE_FEATURES:
		return vdev_features_offered(m->dev, m->device_features_sel);
	case R_QUEUE_SIZE_MAX:
		return (uint32_t)vdev_queue_read(m->dev, m->queue_sel, VQR_SIZE_MAX);
	case R_QUEUE_READY:
		return (uint32_t)vdev_queue_read(m->dev, m->queue_sel, VQR_ENABLE);
	case R_QUEUE_RESET:
		return (uint32_t)vdev_queue_read(m->dev, m->queue_sel, VQR_RESET);
	case R_INTERRUPT_STATUS:
		return mmio_irq_status(m);
	case R_STATUS:
		return vdev_status(m->dev);
	case R_SHM_LEN: /* a length of all ones: there is no such region (4.2.2) */
	case R_SHM_LEN + 4:
	case R_SHM_BASE:
	case R_SHM_BASE + 4:
		return UINT32_MAX;
	case R_CONFIG_GENERATION:
		return vdev_config_generation(m->dev);
	default:
		return 0;
	}
}

/* Half an address: @off says which. */
static void write_address(struct mmio *m, enum vdev_queue_reg reg, unsigned off, uint64_t value)
{
	unsigned shift = off & 4 ? 32 : 0;

	vdev_queue_write(m->dev, m->queue_sel, reg, value << shift, 0xffffffffull << shift);
}

static void write_status(struct mmio *m, uint32_t value)
{
	if (m->legacy)
		vdev_legacy_set_status(m->dev, value);
	else
		vdev_set_status(m->dev, value);
	if (value == 0)
		mmio_irq_reset(m);
	mmio_follow_state(m);
}

static void register_write(struct mmio *m, unsigned off, uint32_t value)
{
	if (m->legacy && mmio_legacy_write(m, off, value))
		return;
	mmio_judge_queue(m, off, value);
	switch (off) {
	case R_DEVICE_FEATURES_SEL:
		m->device_features_sel = value;
		m->device_sel_written = true;
		break;
	case R_DRIVER_FEATURES_SEL:
		m->driver_features_sel = value;
		m->driver_sel_written = true;
		break;
	case R_DRIVER_FEATURES:
		vdev_features_accept(m->dev, m->driver_features_sel, value);
		break;
	case R_QUEUE_SEL:
		m->queue_sel = value;
		break;
	case R_QUEUE_SIZE:
		vdev_queue_write(m->dev, m->queue_sel, VQR_SIZE, value, UINT32_MAX);
		break;
	case R_QUEUE_READY:
		vdev_queue_write(m->dev, m->queue_sel, VQR_ENABLE, value, UINT32_MAX);
		mmio_follow_state(m);
		break;
	case R_QUEUE_RESET:
		if (value == 1 && vdev_accepted(m->dev, VIRTIO_F_RING_RESET))
			mmio_regpage_resetting(m);
		vdev_queue_write(m->dev, m->queue_sel, VQR_RESET, value, UINT32_MAX);
		mmio_follow_state(m);
		break;
	case R_STATUS:
		write_status(m, value);
		break;
	case R_QUEUE_DESC:
	case R_QUEUE_DESC + 4:
		write_address(m, VQR_DESC, off, value);
		break;
	case R_QUEUE_DRIVER:
	case R_QUEUE_DRIVER + 4:
		write_address(m, VQR_DRIVER, off, value);
		break;
	case R_QUEUE_DEVICE:
	case R_QUEUE_DEVICE + 4:
		write_address(m, VQR_DEVICE, off, value);
		break;
	default:
		break;
	}
}

/*
 * Trapped accesses. Registers are 32 bits wide (4.2.2.2). Other widths are told of; they read the
 * bytes that are there and write nothing.
 */

static enum vdev_rule config_width(const struct mmio *m)
{
	return m->legacy ? N_VDEV_RULES : RULE_MMIO_CONFIG_WIDTH;
}

static uint64_t config_read(struct mmio *m, uint64_t off, unsigned len)
{
	uint64_t value = 0;

	vdev_judge_config(m->dev, off - R_CONFIG, len, false, config_width(m));
	if (!mmio_regpage_read(m, off, len, &value))
		vdev_config_read(m->dev, off - R_CONFIG, &value, len);
	return GUINT64_FROM_LE(value);
}

static uint64_t register_read(struct mmio *m, unsigned off)
{
	uint64_t value;

	if (off == R_CONFIG_GENERATION && mmio_regpage_read(m, off, 4, &value))
		return (uint32_t)GUINT64_FROM_LE(value);
	if (off == R_INTERRUPT_STATUS)
		return mmio_irq_status(m);
	pthread_mutex_lock(&m->lock);
	value = mmio_register(m, off);
	pthread_mutex_unlock(&m->lock);
	return value;
}

static uint64_t mmio_read(struct mmio *m, uint64_t off, unsigned len)
{
	unsigned first = (unsigned)off & ~3u, skip = (unsigned)off & 3;
	uint64_t value;

	if (off == R_INTERRUPT_STATUS && len == 4)
		return mmio_irq_status(m);
	if (off >= R_CONFIG)
		return config_read(m, off, len);
	mmio_judge_read(m, (unsigned)off, len);
	value = register_read(m, first);
	if (skip + len > 4 && first + 4 < R_CONFIG)
		value |= register_read(m, first + 4) << 32;
	return value >> (8 * skip);
}

static uint64_t trapped_read(void *opaque, uint64_t off, unsigned len)
{
	struct mmio *m = opaque;
	uint64_t value = mmio_read(m, off, len);

	vdev_saw_access(m->dev,
			&(struct vdev_access){ VDEV_SPACE_MMIO, off, off, value, len, false });
	return value;
}

/* Before DRIVER_OK this may be what the device begins with. */
static void legacy_notify(struct mmio *m, unsigned q)
{
	pthread_mutex_lock(&m->lock);
	if (vdev_legacy_notify(m->dev, q))
		mmio_follow_state(m);
	pthread_mutex_unlock(&m->lock);
}

static bool is_data_path(struct mmio *m, uint64_t off, uint32_t value)
{
	unsigned q = m->kick_data ? value & 0xffff : value;

	switch (off) {
	case R_QUEUE_NOTIFY:
		vdev_judge_notify(m->dev, q);
		if (m->legacy)
			legacy_notify(m, q);
		else
			vdev_notify(m->dev, q);
		return true;
	case R_INTERRUPT_ACK:
		if (value & ~(MMIO_INT_USED | MMIO_INT_CONFIG))
			vdev_rule_broken(m->dev, RULE_MMIO_ACK, "InterruptACK, %#x", value);
		mmio_irq_ack(m, value);
		return true;
	default:
		return false;
	}
}

static void trapped_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct mmio *m = opaque;
	uint64_t bytes = GUINT64_TO_LE(value);

	vdev_saw_access(m->dev,
			&(struct vdev_access){ VDEV_SPACE_MMIO, off, off, value, len, true });
	if (off >= R_CONFIG)
		vdev_judge_config(m->dev, off - R_CONFIG, len, true, config_width(m));
	else if (!mmio_judge_write(m, (unsigned)off, len) || is_data_path(m, off, (uint32_t)value))
		return;
	pthread_mutex_lock(&m->lock);
	if (off >= R_CONFIG && m->legacy)
		vdev_legacy_config_write(m->dev, off - R_CONFIG, &bytes, len);
	else if (off >= R_CONFIG)
		vdev_config_write(m->dev, off - R_CONFIG, &bytes, len);
	else
		register_write(m, (unsigned)off, (uint32_t)value);
	mmio_regpage_written(m, off >= R_CONFIG);
	pthread_mutex_unlock(&m->lock);
}

/*
 * From the device.
 */

static void queue_changed(struct vdev *dev, unsigned q)
{
	(void)q;
	mmio_irq_raise(dev->transport_data, MMIO_INT_USED);
}

static void config_stale(struct vdev *dev)
{
	mmio_regpage_changed(dev->transport_data);
}

static void config_changed(struct vdev *dev)
{
	mmio_regpage_changed(dev->transport_data);
	mmio_irq_raise(dev->transport_data, MMIO_INT_CONFIG);
}

static const struct vdev_transport_ops mmio_transport_ops = {
	.queue_changed = queue_changed,
	.config_changed = config_changed,
	.config_stale = config_stale,
	.name = "mmio",
	.save = mmio_save,
	.load = mmio_load,
};

/*
 * Life.
 */

static bool plug_in(struct mmio *m, GError **err)
{
	const char *name = vdev_name(m->dev);
	int ret;

	if (!mmio_irq_open(m, err) || !mmio_regpage_new(m, err))
		return false;
	ret = m->board->ops->irq_line(m->board, m->gsi, m->irq_fd, -1, true);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "%s: interrupt line %u", name, m->gsi);
	ret = m->board->ops->region_add(m->board, &m->region);
	if (ret < 0) {
		m->board->ops->irq_line(m->board, m->gsi, m->irq_fd, -1, false);
		return ringside_error_errno(err, -ret, "%s: registers at 0x%" G_GINT64_MODIFIER "x",
					    name, m->region.base);
	}
	return true;
}

static void mmio_destroy(struct mmio *m)
{
	mmio_regpage_free(m);
	mmio_irq_close(m);
	pthread_mutex_destroy(&m->page_lock);
	pthread_mutex_destroy(&m->lock);
	g_free(m);
}

struct mmio *mmio_new(struct vdev *dev, struct board *board, const struct mmio_config *config,
		      GError **err)
{
	struct mmio *m;

	if (vfeatures_has(dev->offered, VIRTIO_F_NOTIF_CONFIG_DATA)) {
		ringside_usage(err,
			       "features=+notif_config_data: virtio-mmio has no register for it; "
			       "use transport=pci");
		return NULL;
	}
	if (config->cached_registers && dev->opt_legacy != VDEV_LEGACY_OFF) {
		ringside_usage(err, "cached-registers=on: version 1, which legacy=on and "
				    "legacy=only are on mmio, has no cached registers");
		return NULL;
	}
	m = g_new0(struct mmio, 1);
	m->dev = dev;
	m->legacy = dev->opt_legacy != VDEV_LEGACY_OFF;
	m->board = board;
	m->gsi = config->gsi;
	m->cached = dev->unseen_reads = config->cached_registers;
	m->region = (struct board_region){ .base = config->base,
					   .size = MMIO_SIZE,
					   .read = trapped_read,
					   .write = trapped_write,
					   .opaque = m };
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->page_lock, NULL);
	if (!plug_in(m, err)) {
		mmio_destroy(m);
		return NULL;
	}
	vdev_attach(dev, &mmio_transport_ops, m);
	return m;
}

void mmio_reset(struct mmio *m)
{
	pthread_mutex_lock(&m->lock);
	write_status(m, 0);
	m->device_features_sel = 0;
	m->driver_features_sel = 0;
	m->queue_sel = 0;
	m->guest_page_size = 0;
	memset(m->queue_align, 0, sizeof(m->queue_align));
	m->device_sel_written = false;
	m->driver_sel_written = false;
	pthread_mutex_unlock(&m->lock);
}

void mmio_free(struct mmio *m)
{
	if (!m)
		return;
	mmio_reset(m);
	vdev_detach(m->dev);
	m->board->ops->region_del(m->board, &m->region);
	m->board->ops->irq_line(m->board, m->gsi, m->irq_fd, -1, false);
	mmio_destroy(m);
}

/*
 * The row of transport/registry.h.
 */

struct mmio_options {
	bool cached_registers;
};

static const struct prop mmio_props[] = {
	{ .key = "cached-registers",
	  .type = PROP_BOOL,
	  .offset = offsetof(struct mmio_options, cached_registers),
	  .default_value = "off",
	  .help = "a running driver reads registers without an exit; breaks a MUST (4.2.2.1, "
		  "DEV-MMIO-REGS-04: InterruptStatus keeps the used-buffer bit after InterruptACK), so "
		  "a driver that reads it until it is 0 never ends" },
	{ 0 },
};

static void *mmio_attach(struct vdev *dev, const struct transport_env *env, const void *options,
			 GError **err)
{
	const struct mmio_options *chosen = options;
	struct mmio_config config = { .cached_registers = chosen->cached_registers };
	struct transport_page page;
	struct mmio *m;

	if (!env->page(env->opaque, &page, err))
		return NULL;
	config.base = page.base;
	config.gsi = page.gsi;
	m = mmio_new(dev, env->board, &config, err);
	if (m)
		m->env = env;
	else
		env->page_free(env->opaque, &page);
	return m;
}

static void mmio_detach(void *handle)
{
	const struct mmio *m = handle;
	const struct transport_env *env = m->env;
	const struct transport_page page = { m->region.base, m->gsi };

	mmio_free(handle);
	env->page_free(env->opaque, &page);
}

static void mmio_machine_reset(void *handle)
{
	mmio_reset(handle);
}

static void mmio_place(const void *handle, struct transport_place *ret)
{
	const struct mmio *m = handle;

	*ret = (struct transport_place){ .has_page = true, .page = { m->region.base, m->gsi } };
}

const struct transport mmio_transport = {
	.name = "mmio",
	.summary = "virtio-mmio: a page of registers and an interrupt line",
	.props = mmio_props,
	.options_size = sizeof(struct mmio_options),
	.attach = mmio_attach,
	.detach = mmio_detach,
	.reset = mmio_machine_reset,
	.place = mmio_place,
};
