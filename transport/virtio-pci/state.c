/*
 * What virtio-pci keeps besides the device's own state: selectors, vectors, ISR status, and of
 * configuration space what a driver can write. Where a BAR may lie is the bus's business: an
 * address that it does not have leaves the BAR undecoded, as a driver's would.
 */
#include "devices/base/eventfd.h"
#include "devices/base/pack.h"
#include "transport/virtio-pci/impl.h"

#define ENTRY_BYTES 16u /* of the MSI-X table */

/* Registers that a driver can write, in the order in which they are written: the command register,
 * which makes the others work, at the end. */
static void each_register(struct vpci *p,
			  void (*fn)(struct vpci *p, unsigned reg, unsigned len, void *arg),
			  void *arg)
{
	for (unsigned reg = 0; reg < (p->legacy ? 4 : 2); reg++)
		fn(p, PCI_BAR0 + 4 * reg, 4, arg);
	fn(p, PCI_INTERRUPT_LINE, 1, arg);
	if (p->modern) {
		fn(p, p->access_cap + VPCI_CAP_BAR, 1, arg);
		fn(p, p->access_cap + VPCI_CAP_OFFSET, 4, arg);
		fn(p, p->access_cap + VPCI_CAP_LENGTH, 4, arg);
	}
	fn(p, p->msix.cap + 2, 2, arg);
	fn(p, PCI_COMMAND, 2, arg);
}

static void save_register(struct vpci *p, unsigned reg, unsigned len, void *arg)
{
	pack_u32(arg, pci_config_read(&p->f, reg, len));
}

static void load_register(struct vpci *p, unsigned reg, unsigned len, void *arg)
{
	pci_config_write(&p->f, reg, len, unpack_u32(arg));
}

static uint64_t pending_word(struct vpci *p, unsigned vector)
{
	return pci_msix_pending_read(&p->msix, vector / 64 * 8ull, 8);
}

void vpci_save(struct vdev *dev, GByteArray *out)
{
	struct vpci *p = dev->transport_data;

	for (unsigned at = 0; at < p->msix.n * ENTRY_BYTES; at += 8)
		pack_u64(out, pci_msix_table_read(&p->msix, at, 8));
	for (unsigned v = 0; v < p->msix.n; v += 64)
		pack_u64(out, pending_word(p, v));
	each_register(p, save_register, out);
	pthread_mutex_lock(&p->lock);
	pack_u32(out, p->device_feature_select);
	pack_u32(out, p->driver_feature_select);
	pack_u16(out, p->queue_select);
	pack_u8(out, (uint8_t)atomic_load(&p->isr));
	pack_u16(out, p->config_vector);
	for (unsigned q = 0; q < dev->n_queues; q++)
		pack_u16(out, p->queue_vector[q]);
	pthread_mutex_unlock(&p->lock);
}

static uint16_t load_vector(const struct vpci *p, struct unpack *in)
{
	uint16_t vector = unpack_u16(in);

	return vector < p->msix.n ? vector : VPCI_NO_VECTOR;
}

/* What was pending is so again: written to its eventfd, which sends it as soon as it may go. */
static void load_pending(struct vpci *p, struct unpack *in)
{
	for (unsigned v = 0; v < p->msix.n; v += 64) {
		uint64_t word = unpack_u64(in);

		for (unsigned i = 0; i < 64 && v + i < p->msix.n; i++)
			if (word >> i & 1)
				eventfd_signal(p->msix.vector[v + i].fd);
	}
}

bool vpci_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct vpci *p = dev->transport_data;

	(void)err;
	for (unsigned at = 0; at < p->msix.n * ENTRY_BYTES; at += 8) {
		int ret = pci_msix_table_write(&p->msix, at, 8, unpack_u64(in));

		if (ret <
		    0) /* as when the driver wrote it: it is in the table, and sends nothing */
			vdev_host_error(dev, "state: MSI-X: %s", g_strerror(-ret));
	}
	load_pending(p, in);
	each_register(p, load_register, in);
	p->caps_read = true; /* where it came from */
	pthread_mutex_lock(&p->lock);
	p->device_feature_select = unpack_u32(in);
	p->driver_feature_select = unpack_u32(in);
	p->queue_select = unpack_u16(in);
	atomic_store(&p->isr, unpack_u8(in) & (VPCI_ISR_QUEUE | VPCI_ISR_CONFIG));
	p->config_vector = load_vector(p, in);
	for (unsigned q = 0; q < dev->n_queues; q++)
		p->queue_vector[q] = load_vector(p, in);
	vpci_irq_retarget(p);
	vpci_follow_state(p);
	if (p->irq_line_on)
		vpci_irq_raise(p);
	pthread_mutex_unlock(&p->lock);
	return true;
}
