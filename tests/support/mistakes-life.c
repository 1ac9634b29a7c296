/*
 * Mistakes in a driver's life, from its probe to the end: registers and their order.
 */
#include "tests/support/mistakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/core/vdev-impl.h"
#include "tests/support/check-case.h"
#include "tests/support/echo.h"
#include "tests/support/rig-impl.h"
#include "transport/mmio/regs.h"

/*
 * 1: notifications before DRIVER_OK.
 */

static void asks_in_its_probe(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	life_negotiate(r, RIG_ALL);
	life_start_queues(r);
	rig_submit(r, 0, &b, 0, 1);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

/*
 * 3: the status.
 */

static void set_status_without_ack(const struct virtio_dev *v, uint8_t status)
{
	if (status != VIRTIO_S_ACKNOWLEDGE)
		planted.right->set_status(v, status & ~VIRTIO_S_ACKNOWLEDGE);
}

static void forgets_acknowledge_the_second_time(struct rig *r)
{
	life(r, RIG_NONE);
	planted.wrong.set_status = set_status_without_ack;
	life(r, RIG_NONE);
}

static void set_status_but_ack(const struct virtio_dev *v, uint8_t status)
{
	if (status != VIRTIO_S_ACKNOWLEDGE)
		planted.right->set_status(v, status);
}

static void sets_two_bits_at_once(struct rig *r)
{
	planted.wrong.set_status = set_status_but_ack;
	life(r, RIG_NONE);
}

/*
 * 4: queues before the features.
 */

static void accept_before_features_ok(struct rig *r)
{
	rig_reset(r);
	virtio_acknowledge(&r->driver);
	if (r->link->ops->driver_set)
		r->link->ops->driver_set(r);
	r->driver.features = (struct virtio_features){ { 1ull << VIRTIO_F_VERSION_1 } };
	planted.right->accept(&r->driver, 1, 1u << (VIRTIO_F_VERSION_1 - 32));
}

static void features_ok(struct rig *r)
{
	rig_set_status(r, rig_status(r) | VIRTIO_S_FEATURES_OK);
	assert_true(rig_status(r) & VIRTIO_S_FEATURES_OK);
}

static void enable_later(const struct virtio_dev *v)
{
	(void)v;
}

/* The rig asks before it enables a queue, and then: a driver that does not look. */
static bool asked;

static bool enabled_as_we_know(const struct virtio_dev *v, unsigned index)
{
	(void)v, (void)index;
	asked = !asked;
	return !asked;
}

/* The device takes that for nothing. */
static void enables_queues_before_features_ok(struct rig *r)
{
	planted.wrong.queue_enabled = enabled_as_we_know;
	accept_before_features_ok(r);
	life_start_queues(r);
	features_ok(r);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

static void writes_addresses_before_features_ok(struct rig *r)
{
	planted.wrong.queue_enable = enable_later;
	planted.wrong.queue_enabled = enabled_as_we_know;
	accept_before_features_ok(r);
	life_start_queues(r);
	features_ok(r);
	for (unsigned q = 0; q < ECHO_QUEUES; q++) {
		(void)planted.right->queue_max(&r->driver, q); /* selects it */
		planted.right->queue_enable(&r->driver);
	}
	rig_driver_ok(r);
	life_requests(r, 1);
}

/*
 * 5: FEATURES_OK.
 */

/* What it wrote, once a reset is over. */
static uint8_t remembered_status(const struct virtio_dev *v)
{
	return v->status ? v->status : planted.right->status(v);
}

static void does_not_read_features_ok(struct rig *r)
{
	planted.wrong.status = remembered_status;
	life_negotiate(r, RIG_ALL);
	life_start_queues(r);
	r->driver.status |= VIRTIO_S_DRIVER_OK;
	planted.right->set_status(&r->driver, r->driver.status);
	life_requests(r, 3);
}

static void goes_on_when_refused(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	vfeatures_set(&f, ECHO_F_NEEDS_BASE, true);
	assert_false(rig_negotiate(r, f));
	rig_set_status(r, rig_status(r) | VIRTIO_S_DRIVER_OK);
	rig_wait_idle(r);
}

/*
 * 6: VERSION_1.
 */

static void accepts_what_it_knows(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_EVENT_IDX, true);
	assert_false(rig_negotiate(r, f));
}

static void accept_32_bits(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	if (word == 0)
		planted.right->accept(v, word, bits);
}

static void accepts_32_bits_alone(struct rig *r)
{
	planted.wrong.accept = accept_32_bits;
	assert_false(rig_negotiate(r, rig_offered(r)));
}

/*
 * 15: what takes time.
 */

/* For a driver that has written 0 it is over. */
static uint8_t status_at_once(const struct virtio_dev *v)
{
	return v->status ? planted.right->status(v) : 0;
}

static void does_not_await_a_reset(struct rig *r)
{
	planted.wrong.status = status_at_once;
	life(r, RIG_ALL);
	life(r, RIG_ALL);
}

static bool resetting_no_more(const struct virtio_dev *v)
{
	(void)v;
	return false;
}

static bool not_enabled_any_more(const struct virtio_dev *v, unsigned index)
{
	(void)v, (void)index;
	return false;
}

static void does_not_await_a_queue_s_reset(struct rig *r)
{
	planted.wrong.queue_resetting = resetting_no_more;
	rig_start(r, rig_all_but(VIRTIO_F_IN_ORDER));
	life_requests(r, 3);
	planted.wrong.queue_enabled = not_enabled_any_more;
	rig_queue_reset(r, ECHO_COPY);
	planted.wrong.queue_enabled = enabled_as_we_know;
	rig_queue_start(r, ECHO_COPY, 0);
	life_requests(r, 3);
}

static void mmio_put(const struct virtio_dev *v, unsigned reg, uint64_t value)
{
	v->io->write(v->io->opaque, v->mmio + reg, 4, (uint32_t)value);
}

static void does_not_read_queue_ready_back(struct rig *r)
{
	rig_start(r, RIG_ALL);
	life_requests(r, 3);
	mmio_put(&r->driver, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(&r->driver, R_QUEUE_READY, 0);
	mmio_put(&r->driver, R_QUEUE_READY, 1);
	life_requests(r, 3);
}

/*
 * 16: the end without a reset.
 */

/* The ring's memory is somebody else's, who fills it. */
static void give_ring_away(struct rig *r, uint8_t byte)
{
	const struct drv_vq *vq;

	rig_start(r, life_direct());
	life_requests(r, 3);
	check_pass(r, 60);
	vq = rig_vq(r, ECHO_COPY);
	memset(vq->cfg.base, byte, drv_ring_bytes(&vq->cfg));
	RIG_UNTIL(r, check_told());
}

static void frees_its_memory(struct rig *r)
{
	give_ring_away(r, 0x5a);
}

static void zeroes_its_memory(struct rig *r)
{
	give_ring_away(r, 0);
}

static void set_status_but_0(const struct virtio_dev *v, uint8_t status)
{
	if (status)
		planted.right->set_status(v, status);
}

static void begins_without_a_reset(struct rig *r)
{
	planted.wrong.set_status = set_status_but_0;
	planted.wrong.status = status_at_once;
	life(r, RIG_NONE);
}

/* Whoever was there before, a boot loader, let the device run. */
static void takes_over_without_a_reset(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
}

/*
 * 17: widths and offsets.
 */

/* Registers of 32 bits in halves. */
static uint64_t read_by_halves(void *opaque, uint64_t addr, unsigned len)
{
	if (len < 4)
		return planted.right_io.read(opaque, addr, len);
	return planted.right_io.read(opaque, addr, 2) | planted.right_io.read(opaque, addr + 2, 2)
								<< 16;
}

static void reads_registers_by_halves(struct rig *r)
{
	r->io.read = read_by_halves;
	(void)rig_offered(r);
}

static uint32_t config_read_by_halves(const struct virtio_dev *v, unsigned off, unsigned len)
{
	if (len < 4)
		return planted.right->config_read(v, off, len);
	return planted.right->config_read(v, off, 2) | planted.right->config_read(v, off + 2, 2)
							       << 16;
}

static void reads_fields_by_halves(struct rig *r)
{
	planted.wrong.config_read = config_read_by_halves;
	rig_start(r, RIG_ALL);
	assert_int_equal(virtio_config_read64(&r->driver, 0), 2048);
}

/* That of the ISR structure's vector is meant. */
static void reads_at_another_offset(struct rig *r)
{
	rig_start(r, RIG_ALL);
	(void)virtio_pci_read(&r->driver, &r->driver.pci.common, 1, 2);
}

/* As if there were no MSI-X. */
static uint64_t read_config_at_20(void *opaque, uint16_t port, unsigned len)
{
	return planted.right_io.port_read(opaque, port - RIG_PCI_IO < 24 ? port : port - 4, len);
}

static void reads_fields_where_they_are_without_msix(struct rig *r)
{
	rig_start(r, RIG_ALL);
	r->io.port_read = read_config_at_20;
	(void)rig_config8(r, 0); /* mac */
}

/*
 * 18: sizes and selectors.
 */

static unsigned size_factor; /* in quarters */

static void queue_set_with_another_size(const struct virtio_dev *v, const struct virtio_queue *q)
{
	struct virtio_queue other = *q;

	other.size = (uint16_t)(q->size * size_factor / 4);
	planted.right->queue_set(v, &other);
}

static void start_with_another_size(struct rig *r, unsigned quarters)
{
	size_factor = quarters;
	planted.wrong.queue_set = queue_set_with_another_size;
	rig_start(r, life_direct());
}

static void writes_twice_the_maximum(struct rig *r)
{
	start_with_another_size(r, 8);
}

static void writes_no_power_of_two(struct rig *r)
{
	start_with_another_size(r, 3);
}

static void queue_set_without_a_size(const struct virtio_dev *v, const struct virtio_queue *q)
{
	const uint64_t at[] = { q->desc, q->driver, q->device };
	static const unsigned regs[] = { R_QUEUE_DESC, R_QUEUE_DRIVER, R_QUEUE_DEVICE };

	mmio_put(v, R_QUEUE_SEL, q->index);
	for (unsigned i = 0; i < G_N_ELEMENTS(regs); i++) {
		mmio_put(v, regs[i], at[i]);
		mmio_put(v, regs[i] + 4, at[i] >> 32);
	}
}

static void writes_no_size(struct rig *r)
{
	planted.wrong.queue_set = queue_set_without_a_size;
	life(r, life_direct());
}

/* It has looked at all queues, and then sets them up: the last is selected. */
static void write_unselected(void *opaque, uint64_t addr, unsigned len, uint64_t value)
{
	if (addr != RIG_MMIO_BASE + R_QUEUE_SEL || value == ECHO_QUEUES - 1)
		planted.right_io.write(opaque, addr, len, value);
}

static void selects_no_queue(struct rig *r)
{
	life_negotiate(r, RIG_ALL);
	r->io.write = write_unselected;
	planted.wrong.queue_enabled = enabled_as_we_know;
	life_start_queues(r);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

/*
 * 19: MSI-X vectors.
 */

static bool queue_vector_unread(const struct virtio_dev *v, uint16_t vector)
{
	virtio_pci_write(v, &v->pci.common, VPCI_QUEUE_MSIX_VECTOR, 2, vector);
	return true;
}

static void does_not_read_a_vector_back(struct rig *r)
{
	planted.wrong.queue_vector = queue_vector_unread;
	life(r, RIG_ALL);
}

static bool vector_later(const struct virtio_dev *v, uint16_t vector)
{
	(void)v, (void)vector;
	return true;
}

static void sets_the_configuration_s_vector_late(struct rig *r)
{
	planted.wrong.config_vector = vector_later;
	rig_start(r, RIG_ALL);
	assert_true(planted.right->config_vector(&r->driver, 0));
	life_requests(r, 3);
}

static void sets_a_queue_s_vector_late(struct rig *r)
{
	planted.wrong.queue_vector = vector_later;
	life_negotiate(r, RIG_ALL);
	life_start_queues(r);
	for (unsigned q = 0; q < ECHO_QUEUES; q++) {
		(void)planted.right->queue_max(&r->driver, q); /* selects it */
		assert_true(planted.right->queue_vector(&r->driver, (uint16_t)(q + 1)));
	}
	rig_driver_ok(r);
	life_requests(r, 3);
}

/*
 * 20: interrupts.
 */

static unsigned interrupt_without_ack(const struct virtio_dev *v)
{
	return (unsigned)v->io->read(v->io->opaque, v->mmio + R_INTERRUPT_STATUS, 4);
}

static void never_acknowledges(struct rig *r)
{
	planted.wrong.interrupt = interrupt_without_ack;
	rig_start(r, RIG_NONE);
	life_requests(r, 20);
	for (unsigned i = 0; i < 20; i++)
		(void)interrupt_without_ack(&r->driver);
}

static unsigned interrupt_acked_with_ones(const struct virtio_dev *v)
{
	unsigned causes = interrupt_without_ack(v);

	mmio_put(v, R_INTERRUPT_ACK, UINT32_MAX);
	return causes;
}

static void acknowledges_all_bits(struct rig *r)
{
	planted.wrong.interrupt = interrupt_acked_with_ones;
	life(r, RIG_NONE);
}

static unsigned interrupt_unread(const struct virtio_dev *v)
{
	mmio_put(v, R_INTERRUPT_ACK, VIRTIO_INT_QUEUE);
	return VIRTIO_INT_QUEUE;
}

static void acknowledges_without_a_look(struct rig *r)
{
	planted.wrong.interrupt = interrupt_unread;
	life(r, RIG_NONE);
}

/*
 * 21: configuration space.
 */

static uint32_t no_generation(const struct virtio_dev *v)
{
	(void)v;
	return 0;
}

static void reads_no_generation(struct rig *r)
{
	planted.wrong.generation = no_generation;
	rig_start(r, RIG_ALL);
	(void)virtio_config_read64(&r->driver, 0);
}

/*
 * 25: the device's end.
 */

/* Its ring broke, by something that is not the driver's mistake here. */
static void does_not_look_for_needs_reset(struct rig *r)
{
	rig_start(r, RIG_ALL);
	life_requests(r, 3);
	vdev_needs_reset(rig_dev(r));
	RIG_UNTIL(r, rig_logged(r, "the driver does not reset the device"));
}

static void kicks_after_a_reset(struct rig *r)
{
	struct virtio_queue q;

	rig_start(r, RIG_NONE);
	q = r->queue[ECHO_COPY].regs;
	rig_reset(r);
	virtio_notify(&r->driver, &q, 0);
}

static void goes_on_after_failed(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_FAILED);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_FAILED | VIRTIO_S_DRIVER);
}

static const struct mistake rows[] = {
	{ 1, "makes a request in its probe", RULE_NOTIFY_EARLY, "rng", ALL,
	  .run = asks_in_its_probe },
	{ 3, "leaves ACKNOWLEDGE out after the second reset", RULE_STATUS_ORDER, NULL, ALL,
	  .run = forgets_acknowledge_the_second_time },
	{ 3, "sets ACKNOWLEDGE and DRIVER at once", RULE_STATUS_ORDER, NULL, ALL,
	  .run = sets_two_bits_at_once },
	{ 4, "enables queues before FEATURES_OK", RULE_STATUS_ORDER, NULL, BOTH,
	  .run = enables_queues_before_features_ok },
	{ 4, "writes queues' sizes and addresses before FEATURES_OK", RULE_STATUS_ORDER, NULL, BOTH,
	  .run = writes_addresses_before_features_ok },
	{ 5, "does not read FEATURES_OK back", CHECK_FEATURES_UNREAD, NULL, ALL,
	  .run = does_not_read_features_ok },
	{ 5, "goes on when FEATURES_OK is refused", RULE_STATUS_NO_FEATURES_OK, NULL, ALL,
	  .run = goes_on_when_refused, .also = "feature-needs" },
	{ 6, "accepts the features that it knows, and VERSION_1 is none of them",
	  RULE_FEATURE_VERSION_1, NULL, ALL, .run = accepts_what_it_knows },
	{ 6, "accepts 32 bits of features alone", RULE_FEATURE_VERSION_1, NULL, BOTH,
	  .run = accepts_32_bits_alone },
	{ 15, "does not await a reset", CHECK_PCI_RESET_UNREAD, NULL, PCI,
	  .run = does_not_await_a_reset },
	{ 15, "does not await a queue's reset", CHECK_QUEUE_RESET_UNREAD, NULL, BOTH,
	  .run = does_not_await_a_queue_s_reset },
	{ 15, "does not read QueueReady back", CHECK_MMIO_READY_UNREAD, NULL, MMIO,
	  .run = does_not_read_queue_ready_back },
	{ 16, "gives a live ring's memory to somebody who fills it", FAULT(AVAIL_JUMP), NULL, BOTH,
	  .run = frees_its_memory },
	{ 16, "gives a live ring's memory to somebody who zeroes it", CHECK_SPLIT_BACK, NULL, BOTH,
	  .run = zeroes_its_memory },
	{ 16, "takes a device over without a reset", RULE_STATUS_CLEARED, NULL, ALL,
	  .run = takes_over_without_a_reset },
	{ 16, "begins without a reset", CHECK_NO_RESET, NULL, ALL, .run = begins_without_a_reset },
	{ 16, "powers off while the device runs", NONE,
	  .why = "no rule: nothing is left to be overwritten" },
	{ 17, "reads a register of 32 bits in halves (pci)", RULE_PCI_WIDTH, NULL, PCI,
	  .run = reads_registers_by_halves },
	{ 17, "reads a register of 32 bits in halves (mmio)", RULE_MMIO_WIDTH, NULL, MMIO,
	  .run = reads_registers_by_halves },
	{ 17, "reads a field of 64 bits in quarters (pci)", RULE_PCI_CONFIG_WIDTH, DISK, "pci",
	  .run = reads_fields_by_halves },
	{ 17, "reads a field of 64 bits in quarters (mmio)", RULE_MMIO_CONFIG_WIDTH, DISK, "mmio",
	  .run = reads_fields_by_halves },
	{ 17, "reads a register at another one's offset", RULE_PCI_WIDTH, NULL, "pci",
	  .run = reads_at_another_offset },
	{ 17, "has the legacy configuration at 20 with MSI-X", RULE_PCI_LEGACY_CONFIG, NET,
	  "legacy-pci", .run = reads_fields_where_they_are_without_msix },
	{ 18, "writes its own queue size, larger than QueueSizeMax", RULE_MMIO_QUEUE_SIZE, NULL,
	  "mmio", .run = writes_twice_the_maximum, .also = "size" },
	{ 18, "writes a size that is no power of two", RULE_PCI_QUEUE_SIZE, NULL, "pci",
	  .run = writes_no_power_of_two, .also = "size" },
	{ 18, "never writes QueueSize", CHECK_MMIO_SIZE_UNWRITTEN, NULL, "mmio",
	  .run = writes_no_size },
	{ 18, "selects the last queue for all", RULE_MMIO_QUEUE_LIVE, NULL, MMIO,
	  .run = selects_no_queue },
	{ 19, "does not read a vector back", CHECK_PCI_VECTOR_UNREAD, NULL, PCI,
	  .run = does_not_read_a_vector_back },
	{ 19, "sets the configuration's vector after DRIVER_OK", CHECK_PCI_VECTOR_LATE, NULL, PCI,
	  .run = sets_the_configuration_s_vector_late },
	{ 19, "sets a queue's vector after enabling it", CHECK_PCI_QUEUE_VECTOR_LATE, NULL, PCI,
	  .run = sets_a_queue_s_vector_late },
	{ 20, "never acknowledges", CHECK_MMIO_NOT_ACKED, NULL, MMIO, .run = never_acknowledges },
	{ 20, "acknowledges bits that are none", RULE_MMIO_ACK, NULL, MMIO,
	  .run = acknowledges_all_bits },
	{ 20, "acknowledges what it has not read", CHECK_MMIO_ACK_UNREAD, NULL, MMIO,
	  .run = acknowledges_without_a_look },
	{ 20, "acknowledges after it has handled the interrupt, not before", NONE,
	  .why = "the specification says just that (4.2.3.4.1); it loses interrupts where the handler does not look again" },
	{ 21, "reads a field of 64 bits and no generation", CHECK_CONFIG_GENERATION, DISK, BOTH,
	  .run = reads_no_generation },
	{ 25, "does not look for DEVICE_NEEDS_RESET", CHECK_NEEDS_RESET, NULL, ALL,
	  .run = does_not_look_for_needs_reset },
	{ 25, "notifies after a reset", RULE_NOTIFY_EARLY, NULL, BOTH, .run = kicks_after_a_reset },
	{ 25, "goes on after FAILED", RULE_STATUS_AFTER_FAILED, NULL, ALL,
	  .run = goes_on_after_failed },
};

const struct mistakes mistakes_of_life = { rows, G_N_ELEMENTS(rows) };
