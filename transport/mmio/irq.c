/*
 * InterruptStatus and InterruptACK, exact on every board (VIRTIO 1.4, 4.2.2.1): a bit is set by its
 * event, and gone when it has been acknowledged. A read of InterruptStatus is an exit to this
 * process; the acknowledgement of the used-buffer bit alone (the value 1, one for each interrupt)
 * is an ioeventfd, `ack_fd', whose count is looked at when it matters: before the status is read
 * and before it is changed. Other values (config changes are rare) trap. So an interrupt costs the
 * process one exit, and its acknowledgement none.
 *
 * Three things happen to the bit: R, a queue's owner raises it; S, the driver reads it; A, the
 * driver acknowledges it, which is an increment of ack_fd's count by the kernel, before the
 * driver's write returns. R and S are under irq_lock, and both begin by taking the count [T]: if
 * there was one, the bit is cleared. All increments and takes of the count are in one order, the
 * eventfd's own lock's.
 *
 * Exact: an A is taken by the first T after it, so every S after it sees the bit clear, unless an R
 * came after that T. And an A never clears what was raised after it: an R that begins after A takes
 * it (or finds that somebody did) before it sets the bit.
 *
 * If A falls into an R, after its T and before it is over, the bit is set after A and cleared again
 * by the next T, as if A had come after R as a whole. That is an order which the driver cannot tell
 * from the true one, and no interrupt is lost in it: the owner published its buffers before R and
 * so before T, T came before A in the order of the eventfd's lock, and what the driver reads of the
 * rings after A is therefore no older than those buffers. What is left is R's pulse of the line: an
 * interrupt whose InterruptStatus reads 0, as it is on hardware when an acknowledgement meets a new
 * event.
 *
 * No lost pulse: R sets the bit, then writes irq_fd. The line is edge-triggered, and an edge starts
 * the driver's handler anew if the last one has begun. The handler's S comes after the edge, so
 * after R.
 *
 * Acknowledgements without a bit (a driver may write 1 whenever it likes) stay in the count until
 * the next T and clear nothing that was not there when they were made. The same goes for those that
 * come between a reset's clearing of the bits and the end of the ioeventfd: they are taken before
 * the next driver's first event.
 *
 * With cached registers (regpage.c) the bits are in the page and acknowledgements of 1 are never
 * taken.
 */
#include "devices/base/eventfd.h"
#include "devices/core/legacy.h"
#include "transport/mmio/impl.h"

/* [T], with irq_lock held. */
static void take_acks(struct mmio *m)
{
	uint64_t count;

	if (!m->cached && read(m->ack_fd, &count, sizeof(count)) == sizeof(count))
		atomic_fetch_and(m->isr, ~GUINT32_TO_LE(MMIO_INT_USED));
}

uint32_t mmio_irq_status(struct mmio *m)
{
	uint32_t status;

	pthread_mutex_lock(&m->irq_lock);
	take_acks(m);
	status = GUINT32_FROM_LE(atomic_load(m->isr));
	pthread_mutex_unlock(&m->irq_lock);
	return status;
}

void mmio_irq_raise(struct mmio *m, uint32_t bit)
{
	bool running;

	pthread_mutex_lock(&m->irq_lock);
	/* A reset may have overtaken us; it clears the bits under the same lock. */
	running = vdev_in_use(m->dev);
	if (running) {
		take_acks(m);
		atomic_fetch_or(m->isr, GUINT32_TO_LE(bit));
	}
	pthread_mutex_unlock(&m->irq_lock);
	if (running)
		eventfd_signal(m->irq_fd);
}

void mmio_irq_ack(struct mmio *m, uint32_t bits)
{
	pthread_mutex_lock(&m->irq_lock);
	take_acks(m);
	atomic_fetch_and(m->isr, ~GUINT32_TO_LE(bits));
	pthread_mutex_unlock(&m->irq_lock);
}

void mmio_irq_restore(struct mmio *m, uint32_t bits)
{
	pthread_mutex_lock(&m->irq_lock);
	take_acks(m);
	atomic_store(m->isr, GUINT32_TO_LE(bits));
	pthread_mutex_unlock(&m->irq_lock);
}

void mmio_irq_reset(struct mmio *m)
{
	mmio_irq_restore(m, 0);
}

void mmio_irq_acks(struct mmio *m, bool on)
{
	struct board_doorbell doorbell = { .addr = m->region.base + R_INTERRUPT_ACK,
					   .len = 4,
					   .has_match = true,
					   .match = MMIO_INT_USED,
					   .fd = m->ack_fd };

	/* Should the board refuse, they trap. */
	if (on != m->acks_on && m->board->ops->doorbell(m->board, &doorbell, on) == 0)
		m->acks_on = on;
}

bool mmio_irq_open(struct mmio *m, GError **err)
{
	const char *name = vdev_name(m->dev);

	pthread_mutex_init(&m->irq_lock, NULL);
	m->irq_fd = m->ack_fd = -1;
	m->isr = &m->own_isr;
	return eventfd_open(&m->irq_fd, name, err) && eventfd_open(&m->ack_fd, name, err);
}

void mmio_irq_close(struct mmio *m)
{
	eventfd_close(&m->ack_fd);
	eventfd_close(&m->irq_fd);
	pthread_mutex_destroy(&m->irq_lock);
}
