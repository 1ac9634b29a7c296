/*
 * GET_IRQ_INFO and SET_IRQS: INTx and MSI-X. There is no MSI, and nothing to be said by the
 * interrupts for errors and for requests to let go of the device.
 *
 * The client keeps the MSI-X table, as VFIO's clients do: a vector that it has given an eventfd is
 * one that is not masked. So the function's own table says that, and its rules for masked vectors
 * hold (pci/msix.h).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/pci/msix.h"
#include "transport/vfio-user/impl.h"

static uint32_t vfu_irq_count(const struct vfio_user *v, uint32_t index)
{
	switch (index) {
	case VFU_INTX:
		return 1;
	case VFU_MSIX:
		return vpci_msix(v->pci)->n;
	default:
		return 0;
	}
}

const char *vfu_get_irq_info(struct vfio_user *v, struct vfu_message *m)
{
	static const uint32_t flags[VFU_N_IRQS] = {
		[VFU_INTX] = VFU_IRQ_INFO_EVENTFD | VFU_IRQ_INFO_MASKABLE | VFU_IRQ_INFO_AUTOMASKED,
		[VFU_MSIX] = VFU_IRQ_INFO_EVENTFD,
	};
	struct vfu_irq_info *info = &m->p->irq;
	uint32_t index = info->index;

	if (info->argsz < sizeof(*info) || index >= VFU_N_IRQS) {
		m->error = EINVAL;
		return NULL;
	}
	*info = (struct vfu_irq_info){ .argsz = sizeof(*info),
				       .flags = flags[index],
				       .index = index,
				       .count = vfu_irq_count(v, index) };
	return NULL;
}

/* The function's own table: no guest does this. */
static void vfu_mask_vector(struct vfio_user *v, unsigned vector, bool masked)
{
	(void)pci_msix_table_write(vpci_msix(v->pci),
				   vector * PCI_MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_CONTROL, 4,
				   masked ? PCI_MSIX_ENTRY_MASKED : 0);
}

static void vfu_give_vector(struct vfio_user *v, unsigned vector, int fd)
{
	if (fd < 0)
		vfu_mask_vector(v, vector, true);
	vfu_board_give_vector(&v->board, vector, fd);
	if (fd >= 0)
		vfu_mask_vector(v, vector, false);
}

void vfu_irqs_restore(struct vfio_user *v)
{
	for (unsigned i = 0; i < v->board.n_vectors; i++)
		if (v->board.vector[i].given >= 0)
			vfu_mask_vector(v, i, false);
	vfu_board_mask_intx(&v->board, false);
}

/* As if the device had interrupted. */
static void vfu_trigger(struct vfio_user *v, uint32_t index, uint32_t n)
{
	int fd = index == VFU_INTX ? v->board.intx.given : v->board.vector[n].given;

	if (fd >= 0)
		eventfd_signal(fd);
}

/*
 * What is to happen to one interrupt: @fd is the client's descriptor or -1, and ours from now on.
 */
static void vfu_set_one(struct vfio_user *v, const struct vfu_irq_set *s, uint32_t n, int fd)
{
	bool given = s->flags & VFU_IRQ_DATA_EVENTFD;

	switch (s->flags & VFU_IRQ_ACTION) {
	case VFU_IRQ_ACTION_TRIGGER:
		if (!given)
			vfu_trigger(v, s->index, n);
		else if (s->index == VFU_INTX)
			vfu_board_give_intx(&v->board, fd);
		else
			vfu_give_vector(v, n, fd);
		break;
	case VFU_IRQ_ACTION_UNMASK:
		if (given)
			vfu_board_give_unmask(&v->board, fd);
		else
			vfu_board_mask_intx(&v->board, false);
		break;
	default:
		vfu_board_mask_intx(&v->board, true);
		break;
	}
}

/* None of them is used any more. */
static void vfu_disable(struct vfio_user *v, uint32_t index)
{
	if (index == VFU_INTX) {
		vfu_board_give_intx(&v->board, -1);
		vfu_board_give_unmask(&v->board, -1);
		return;
	}
	for (uint32_t n = 0; n < vfu_irq_count(v, index); n++)
		vfu_give_vector(v, n, -1);
}

/* Is that something to be done to such an interrupt? MSI-X has no masks but the table's, and nobody
 * is told that INTx is masked. */
static bool vfu_can(const struct vfu_irq_set *s)
{
	switch (s->flags & VFU_IRQ_ACTION) {
	case VFU_IRQ_ACTION_TRIGGER:
		return true;
	case VFU_IRQ_ACTION_UNMASK:
		return s->index == VFU_INTX;
	case VFU_IRQ_ACTION_MASK:
		return s->index == VFU_INTX && !(s->flags & VFU_IRQ_DATA_EVENTFD);
	default: /* none, or several */
		return false;
	}
}

static bool vfu_is_one_flag(uint32_t flags)
{
	return flags && !(flags & (flags - 1));
}

/* What the message brings must be what it says. */
static const char *vfu_check_data(const struct vfio_user *v, const struct vfu_message *m)
{
	const struct vfu_irq_set *s = &m->p->irqs;
	size_t bytes = m->size - sizeof(*s);
	bool fds = s->flags & VFU_IRQ_DATA_EVENTFD;

	if (!vfu_is_one_flag(s->flags & VFU_IRQ_DATA) ||
	    s->flags & ~(VFU_IRQ_DATA | VFU_IRQ_ACTION))
		return "flags that do not hold together";
	if (bytes != (s->flags & VFU_IRQ_DATA_BOOL ? s->count : 0))
		return "another number of bytes than it says";
	if (v->socket.n_fds && (!fds || v->socket.n_fds != s->count))
		return "another number of descriptors than it says";
	return NULL;
}

static bool vfu_fds_are_sound(const struct vfio_user *v)
{
	for (unsigned i = 0; i < v->socket.n_fds; i++)
		if (!given_eventfd(v->socket.fds[i]))
			return false;
	return true;
}

const char *vfu_set_irqs(struct vfio_user *v, struct vfu_message *m)
{
	const struct vfu_irq_set *s = &m->p->irqs;
	uint32_t n = vfu_irq_count(v, s->index);
	const char *wrong = vfu_check_data(v, m);

	if (wrong)
		return wrong;
	m->size = 0;
	if (!n || s->start > n || s->count > n - s->start || !vfu_can(s) || !vfu_fds_are_sound(v)) {
		m->error = EINVAL;
		return NULL;
	}
	if (!s->count && s->flags == (VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER))
		vfu_disable(v, s->index);
	for (uint32_t i = 0; i < s->count; i++)
		if (!(s->flags & VFU_IRQ_DATA_BOOL) || s->data[i])
			vfu_set_one(v, s, s->start + i, msg_socket_take_fd(&v->socket, i));
	return NULL;
}
