/*
 * The link over vfio-user: the driver is that of virtio-pci, its registers are messages, as a
 * client sends them for its guest, interrupts are the client's eventfds, and memory comes to the
 * device as descriptors, mapped there a second time. The MSI-X table is the client's, too: it is
 * not written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/rig-impl.h"
#include "tests/support/vfio-user-client.h"
#include "transport/pci/regs.h"
#include "transport/vfio-user/vfio-user.h"

#define VECTORS_MAX (VDEV_QUEUES_MAX + 1)

struct vfio_link {
	struct vfio_user *server;
	struct vfu_client client;
	struct gmem mem; /* the guest's */
	unsigned n_irqs;
	int irq[VECTORS_MAX]; /* of INTx the first */
};

static bool is_intx(const struct rig *r)
{
	return r->link->variant == RIG_VFIO_INTX;
}

/* As in rig-vhost-user.c: the thread sanitizer goes by the numbers of descriptors. */
static void nothing(void *arg)
{
	(void)arg;
}

static void meet_owner(struct rig *r)
{
	if (r->thread)
		loop_call(r->thread, nothing, NULL);
}

/*
 * The link.
 */

static void give_memory(const struct rig *r, struct vfio_link *l)
{
	unsigned variant = r->link->variant;

	for (unsigned i = 0; i < l->mem.n; i++) {
		const struct gmem_region *m = &l->mem.region[i];
		bool far = variant == RIG_VFIO_FAR ||
			   variant == (m->gpa == RIG_LOW_GPA ? RIG_VFIO_FAR_RINGS
							     : RIG_VFIO_FAR_BUFFERS);

		assert_int_equal(client_map(&l->client, m->gpa, m->len, far ? 0 : m->offset,
					    far ? -1 : m->fd),
				 0);
	}
	client_serve_memory(&l->client, r->main, &l->mem);
}

static void find_device(struct rig *r)
{
	bool legacy = r->link->variant == RIG_VFIO_LEGACY;

	assert_true(legacy ? virtio_pci_legacy_probe(&r->driver, &r->io, 0)
			   : virtio_pci_probe(&r->driver, &r->io, 0));
	virtio_pci_command(&r->driver,
			   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
}

/* In as many messages as it takes. */
static void give_interrupts(struct rig *r)
{
	const uint32_t flags = VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER;
	struct vfio_link *l = r->transport;
	unsigned n;

	l->n_irqs = is_intx(r) ? 1 : r->driver.pci.msix_entries;
	assert_in_range(l->n_irqs, 1, VECTORS_MAX);
	for (unsigned i = 0; i < l->n_irqs; i++)
		assert_true(eventfd_open(&l->irq[i], "irq", NULL));
	for (unsigned i = 0; i < l->n_irqs; i += n) {
		n = MIN(MSG_FDS_MAX, l->n_irqs - i);
		assert_int_equal(client_set_irqs(&l->client, is_intx(r) ? VFU_INTX : VFU_MSIX,
						 flags, i, n, &l->irq[i]),
				 0);
	}
	if (!is_intx(r))
		virtio_pci_msix(&r->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void ended(void *opaque)
{
	(void)opaque;
}

static void link_open(struct rig *r)
{
	struct vfio_link *l = g_new0(struct vfio_link, 1);
	GError *err = NULL;

	r->transport = l;
	l->mem = r->mem;
	r->mem = (struct gmem){ 0 };
	l->server = vfio_user_new(r->dev, &r->mem, r->main, ended, r, &err);
	if (!l->server)
		fail_msg("%s", err->message);
	client_open(&l->client, l->server);
	assert_int_equal(client_version(&l->client, NULL), 0);
	give_memory(r, l);
	client_place_bars(&l->client);
	r->io = client_io(&l->client);
	find_device(r);
	give_interrupts(r);
}

/* The next device finds the table as the first did. */
static void link_close(struct rig *r)
{
	struct vfio_link *l = r->transport;

	vfio_user_free(l->server);
	client_close(&l->client);
	for (unsigned i = 0; i < l->n_irqs; i++)
		eventfd_close(&l->irq[i]);
	g_free(l);
	rig_remember_memory(r);
}

static void driver_set(struct rig *r)
{
	if (!is_intx(r))
		assert_true(virtio_pci_config_vector(&r->driver, 0));
}

static bool take(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

/* The handler, and the end of the interrupt, which unmasks it. */
static void take_intx(struct rig *r)
{
	struct vfio_link *l = r->transport;

	if (!take(l->irq[0]))
		return;
	meet_owner(r);
	rig_interrupted_by(r, virtio_interrupt(&r->driver));
	assert_int_equal(client_set_irqs(&l->client, VFU_INTX,
					 VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_UNMASK, 0, 1, NULL),
			 0);
}

static void interrupts(struct rig *r)
{
	const struct vfio_link *l = r->transport;
	bool any = false;

	if (is_intx(r)) {
		take_intx(r);
		return;
	}
	for (unsigned i = 0; i < l->n_irqs; i++) {
		if (!take(l->irq[i]))
			continue;
		any = true;
		if (i == 0)
			rig_config_interrupted(r);
		else
			rig_interrupted(r, i - 1);
	}
	if (any)
		meet_owner(r);
}

const struct rig_link_ops rig_vfio_user_ops = {
	.open = link_open,
	.close = link_close,
	.driver_set = driver_set,
	.interrupts = interrupts,
};
