/*
 * Cached registers (`cached-registers=on`): a page that the board maps in place of a running
 * device's registers, so that reading them needs no exit (KVM: a read-only memory slot). It holds
 * what a trapped read would give and is brought up to date before the write that changes a register
 * returns to the driver. The driver's acknowledgement of the used-buffer bit alone (the value 1) is
 * an ioeventfd whose count nobody takes.
 *
 * This breaks a MUST (DEV-MMIO-REGS-04; VIRTIO 1.4, 4.2.2.1: InterruptStatus bits without an event
 * are 0), which is why it is an option and off by default: the used-buffer bit, once set, stays set
 * while the cached register page is on. A driver that reads InterruptStatus until it is 0 never
 * ends. For others nothing gets lost: the bit is set before the line is pulsed, so each pulse finds
 * it set, and the driver looks at its queues after each pulse. What it costs them is a look at the
 * queues when a configuration change alone interrupts. No page can be exact: whoever takes the
 * acknowledgement from the count needs to run first, and a driver that reads the page at once is
 * quicker. Acknowledgements with the configuration bit (2 and 3) trap and are exact, as is
 * everything before DRIVER_OK and, with a board that has no cached register pages
 * (board_ops.regpage gives -ENOTSUP), after it.
 *
 * The configuration space in the cached register page must never be seen half old and half new
 * under one generation (2.5.2), and no order of plain stores guarantees that: a driver may read
 * generation, fields and generation all between two of them. Therefore a change that comes from the
 * device takes the cached register page away, writes it and puts it back; reads in between trap. A
 * change that the driver's own write made is stored in place before that write returns.
 */
#include "transport/mmio/impl.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/base/error.h"

static void page_store(struct mmio *m, unsigned off, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)(m->page + off), GUINT32_TO_LE(value),
			 __ATOMIC_RELAXED);
}

static int show_page(struct mmio *m, bool on)
{
	return m->board->ops->regpage(m->board, m->region.base, on ? m->page : NULL);
}

/* A copy of the configuration space and the generation it belongs to. */
static uint32_t snapshot_config(struct vdev *dev, uint8_t config[VDEV_CONFIG_MAX])
{
	uint32_t before, after = vdev_config_generation(dev);

	do {
		before = after;
		vdev_config_read(dev, 0, config, VDEV_CONFIG_MAX);
		after = vdev_config_generation(dev);
	} while (before != after);
	return after;
}

/* With page_lock held. @in_place: the driver knows that it is changing. */
static void page_update_config(struct mmio *m, bool in_place)
{
	uint8_t config[VDEV_CONFIG_MAX];
	uint32_t generation = snapshot_config(m->dev, config);
	bool same = memcmp(m->page + R_CONFIG, config, sizeof(config)) == 0;
	bool hide = !same && !in_place && m->regpage_on;

	if (hide)
		show_page(m, false);
	for (unsigned off = 0; off < sizeof(config); off += 4) {
		uint32_t word;

		memcpy(&word, config + off, sizeof(word));
		page_store(m, R_CONFIG + off, GUINT32_FROM_LE(word));
	}
	page_store(m, R_CONFIG_GENERATION, generation);
	if (hide)
		m->regpage_on = show_page(m, true) == 0;
}

/* Registers that a trapped write may change, by value or by selector; then shows the page if
 * @show. With `lock` held, for the selectors: none of these values changes without it, except the
 * status. */
static void page_update(struct mmio *m, bool config_written, bool show)
{
	static const uint16_t changing[] = { R_DEVICE_FEATURES, R_QUEUE_SIZE_MAX, R_QUEUE_READY,
					     R_QUEUE_RESET };
	uint32_t value[G_N_ELEMENTS(changing)];

	/* Asked for before page_lock is taken: the device's lock may be held for long. */
	for (unsigned i = 0; i < G_N_ELEMENTS(changing); i++)
		value[i] = mmio_register(m, changing[i]);
	pthread_mutex_lock(&m->page_lock);
	for (unsigned i = 0; i < G_N_ELEMENTS(changing); i++)
		page_store(m, changing[i], value[i]);
	page_store(m, R_STATUS, vdev_status(m->dev));
	page_update_config(m, config_written);
	if (show)
		m->regpage_on = show_page(m, true) == 0;
	pthread_mutex_unlock(&m->page_lock);
}

static void page_init(struct mmio *m)
{
	static const uint16_t constant[] = {
		R_MAGIC,   R_VERSION,     R_DEVICE_ID, R_VENDOR_ID,
		R_SHM_LEN, R_SHM_LEN + 4, R_SHM_BASE,  R_SHM_BASE + 4
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(constant); i++)
		page_store(m, constant[i], mmio_register(m, constant[i]));
}

void mmio_regpage_set(struct mmio *m, bool on)
{
	if (!on)
		m->no_regpage = false; /* the next driver may find room */
	if (on && !m->regpage_on && !m->no_regpage) {
		page_update(m, false, true);
		m->no_regpage = !m->regpage_on;
	} else if (!on && m->regpage_on) {
		pthread_mutex_lock(&m->page_lock);
		m->regpage_on = show_page(m, false) != 0;
		pthread_mutex_unlock(&m->page_lock);
	}
}

/* Other processors read the page while the queue's owner takes its time (DEV-MMIO-REGS-11). */
void mmio_regpage_resetting(struct mmio *m)
{
	if (!m->regpage_on)
		return;
	pthread_mutex_lock(&m->page_lock);
	page_store(m, R_QUEUE_RESET, 1);
	pthread_mutex_unlock(&m->page_lock);
}

bool mmio_regpage_read(struct mmio *m, uint64_t off, unsigned len, uint64_t *ret_bytes)
{
	bool on;

	if (!m->regpage_on)
		return false;
	if (off > R_CONFIG + VDEV_CONFIG_MAX || len > R_CONFIG + VDEV_CONFIG_MAX - off)
		return false;
	pthread_mutex_lock(&m->page_lock);
	on = m->regpage_on;
	if (on)
		memcpy(ret_bytes, m->page + off, len);
	pthread_mutex_unlock(&m->page_lock);
	return on;
}

void mmio_regpage_written(struct mmio *m, bool config)
{
	if (m->regpage_on)
		page_update(m, config, false);
}

void mmio_regpage_changed(struct mmio *m)
{
	if (!m->cached)
		return;
	pthread_mutex_lock(&m->page_lock);
	if (m->regpage_on) {
		page_store(m, R_STATUS, vdev_status(m->dev));
		page_update_config(m, false);
	}
	pthread_mutex_unlock(&m->page_lock);
}

bool mmio_regpage_new(struct mmio *m, GError **err)
{
	void *page;

	if (!m->cached)
		return true;
	page = mmap(NULL, MMIO_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return ringside_error_errno(err, errno, "%s: register page", vdev_name(m->dev));
	m->page = page;
	m->isr = (_Atomic uint32_t *)(void *)(m->page + R_INTERRUPT_STATUS);
	page_init(m);
	return true;
}

void mmio_regpage_free(struct mmio *m)
{
	if (m->page)
		munmap(m->page, MMIO_SIZE);
}
