/*
 * From the device to the driver. A queue's owner interrupts without a lock: each queue has a
 * target, published when the driver maps vectors or switches MSI-X on or off. A vector's target is
 * its eventfd (see transport/pci/msix.h on masking); targets never dangle, for the eventfds live as
 * long as the function does. An owner that read a target just before it changed sends where the
 * driver wanted it a moment ago, as hardware would.
 *
 * INTx is a level: asserted while ISR status is not 0 and the command register allows. Owners set
 * the bit, then write intx_fd, which raises the line. The line stays up until the guest ends the
 * interrupt; the board then lowers it, writes resample_fd, and we raise it again if ISR status is
 * not 0 by then. No interrupt is lost between the two: an owner's bit that the look at ISR status
 * missed was set after it, so that owner's write of intx_fd comes after the line was lowered.
 *
 * The same with INTX_DISABLE: the owner sets its bit [A], then looks at the flag; the vCPU clears
 * the flag [B], then looks at the bits. All four are sequentially consistent, so at least one of
 * the two sees the other's and raises the line.
 */
#include "devices/base/eventfd.h"
#include "transport/virtio-pci/impl.h"

static void vpci_interrupt(struct vpci *p, int target, unsigned isr_bit)
{
	if (target >= 0) {
		eventfd_signal(target);
	} else if (target == TARGET_INTX) {
		atomic_fetch_or(&p->isr, isr_bit); /* [A] */
		if (!atomic_load(&p->intx_off))
			eventfd_signal(p->intx_fd);
	}
}

static void queue_changed(struct vdev *dev, unsigned q)
{
	struct vpci *p = dev->transport_data;

	vpci_interrupt(p, atomic_load_explicit(&p->queue_target[q], memory_order_acquire),
		       VPCI_ISR_QUEUE);
}

/* With INTx there is the ISR status to be set first. */
static int queue_call_fd(struct vdev *dev, unsigned q)
{
	struct vpci *p = dev->transport_data;
	int target = atomic_load_explicit(&p->queue_target[q], memory_order_acquire);

	return target >= 0 ? target : -1;
}

static void config_changed(struct vdev *dev)
{
	struct vpci *p = dev->transport_data;

	/* This bit is set in either mode (4.1.4.5.1). */
	atomic_fetch_or(&p->isr, VPCI_ISR_CONFIG);
	vpci_interrupt(p, atomic_load_explicit(&p->config_target, memory_order_acquire),
		       VPCI_ISR_CONFIG);
}

const struct vdev_transport_ops vpci_transport_ops = {
	.queue_changed = queue_changed,
	.config_changed = config_changed,
	.name = "pci",
	.save = vpci_save,
	.load = vpci_load,
	.queue_call_fd = queue_call_fd,
};

static int target_of(const struct vpci *p, uint16_t vector)
{
	if (!p->msix_on)
		return TARGET_INTX;
	return vector < p->msix.n ? p->msix.vector[vector].fd : TARGET_NONE;
}

void vpci_irq_retarget(struct vpci *p)
{
	atomic_store_explicit(&p->config_target, target_of(p, p->config_vector),
			      memory_order_release);
	for (unsigned q = 0; q < p->dev->n_queues; q++) {
		int target = target_of(p, p->queue_vector[q]);
		int before = atomic_exchange_explicit(&p->queue_target[q], target,
						      memory_order_acq_rel);

		if (target != before)
			vdev_call_changed(p->dev, q);
	}
}

/*
 * INTx.
 */

void vpci_irq_raise(struct vpci *p)
{
	if (atomic_load(&p->isr) && !atomic_load(&p->intx_off))
		eventfd_signal(p->intx_fd);
}

static void resampled(void *arg, GIOCondition revents)
{
	struct vpci *p = arg;
	uint64_t count;

	(void)revents;
	if (read(p->resample_fd, &count, sizeof(count)) == sizeof(count))
		vpci_irq_raise(p);
}

void vpci_irq_line(struct vpci *p, bool on)
{
	struct board *board = p->f.board;
	uint64_t count;
	int ret;

	if (on == p->irq_line_on)
		return;
	ret = board->ops->irq_line(board, p->f.gsi, p->intx_fd, p->resample_fd, on);
	if (ret < 0)
		vdev_host_error(p->dev, "interrupt line %u: %s", p->f.gsi, g_strerror(-ret));
	p->irq_line_on = on && ret == 0;
	if (!on)
		(void)!read(p->intx_fd, &count, sizeof(count)); /* nothing left for next time */
}

void vpci_irq_command(struct vpci *p, bool intx_off)
{
	if (atomic_exchange(&p->intx_off, intx_off) && !intx_off) /* [B] */
		vpci_irq_raise(p);
}

unsigned vpci_irq_isr(struct vpci *p)
{
	return atomic_exchange(&p->isr, 0);
}

void vpci_irq_reset(struct vpci *p)
{
	p->config_vector = VPCI_NO_VECTOR;
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		p->queue_vector[q] = VPCI_NO_VECTOR;
	vpci_irq_retarget(p);
	atomic_store(&p->isr, 0);
}

bool vpci_irq_open(struct vpci *p, GError **err)
{
	if (!eventfd_open(&p->intx_fd, vdev_name(p->dev), err) ||
	    !eventfd_open(&p->resample_fd, vdev_name(p->dev), err))
		return false;
	p->resample_watch = loop_watch(p->dev->main_loop, p->resample_fd, G_IO_IN, resampled, p);
	return true;
}

void vpci_irq_close(struct vpci *p)
{
	vpci_irq_line(p, false);
	loop_unwatch(g_steal_pointer(&p->resample_watch));
	eventfd_close(&p->intx_fd);
	eventfd_close(&p->resample_fd);
}
