/*
 * Regions: the BARs, each under the number of its first register, and the configuration space. An
 * access of any length is made of the largest aligned ones that a processor would make.
 *
 * BARs are reached whether they are decoded or not: where the guest has them is the client's
 * business. What it writes to their registers goes to configuration space, and nothing follows from
 * it on this board.
 */
#include <errno.h>
#include <string.h>

#include "transport/vfio-user/impl.h"

/* The BAR whose first register @index is; NULL: there is none. */
static struct pci_bar *vfu_bar(const struct vfio_user *v, uint32_t index)
{
	struct pci_bar *bar = index <= VFU_BAR5 && index % 2 == 0
				      ? &vpci_function(v->pci)->bar[index / 2]
				      : NULL;

	return bar && bar->size ? bar : NULL;
}

static uint64_t vfu_region_size(const struct vfio_user *v, uint32_t index)
{
	const struct pci_bar *bar = vfu_bar(v, index);

	if (index == VFU_CONFIG)
		return PCI_CONFIG_BYTES;
	return bar ? bar->size : 0;
}

const char *vfu_get_region_info(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_region_info *info = &m->p->region;
	uint64_t size = vfu_region_size(v, info->index);

	if (info->argsz < sizeof(*info) || info->index >= VFU_N_REGIONS)
		m->error = EINVAL;
	*info = (struct vfu_region_info){
		.argsz = sizeof(*info),
		.flags = size ? VFU_REGION_INFO_READ | VFU_REGION_INFO_WRITE : 0,
		.index = info->index,
		.size = size
	};
	return NULL;
}

/*
 * Accesses.
 */
static uint64_t vfu_read_one(struct vfio_user *v, uint32_t index, uint64_t off, unsigned len)
{
	const struct pci_bar *bar = vfu_bar(v, index);

	if (!bar)
		return pci_config_read(vpci_function(v->pci), (unsigned)off, len);
	return bar->region.read(bar->region.opaque, off, len);
}

static void vfu_write_one(struct vfio_user *v, uint32_t index, uint64_t off, unsigned len,
			  uint64_t value)
{
	const struct pci_bar *bar = vfu_bar(v, index);

	if (!bar)
		pci_config_write(vpci_function(v->pci), (unsigned)off, len, (uint32_t)value);
	else
		bar->region.write(bar->region.opaque, off, len, value);
}

/* Of memory a processor takes up to eight bytes at once, of the rest four. */
static unsigned vfu_step(const struct vfio_user *v, uint32_t index, uint64_t off, uint32_t left)
{
	const struct pci_bar *bar = vfu_bar(v, index);
	unsigned len = bar && !bar->io ? 8 : 4;

	while (len > left || off % len)
		len /= 2;
	return len;
}

static bool vfu_in_region(const struct vfio_user *v, uint32_t index, uint64_t off, uint32_t count)
{
	uint64_t size = vfu_region_size(v, index);

	return off <= size && count <= size - off && size;
}

const char *vfu_region_read(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_access *a = &m->p->access;
	unsigned len;

	if (a->count > VFU_XFER || !vfu_in_region(v, a->region, a->offset, a->count)) {
		m->error = EINVAL;
		return NULL;
	}
	for (uint32_t done = 0; done < a->count; done += len) {
		uint64_t value;

		len = vfu_step(v, a->region, a->offset + done, a->count - done);
		value = GUINT64_TO_LE(vfu_read_one(v, a->region, a->offset + done, len));
		memcpy(a->data + done, &value, len);
	}
	m->size += a->count;
	return NULL;
}

static void vfu_write(struct vfio_user *v, const struct vfu_access *a, const uint8_t *data)
{
	unsigned len;

	for (uint32_t done = 0; done < a->count; done += len) {
		uint64_t value = 0;

		len = vfu_step(v, a->region, a->offset + done, a->count - done);
		memcpy(&value, data + done, len);
		vfu_write_one(v, a->region, a->offset + done, len, GUINT64_FROM_LE(value));
	}
}

const char *vfu_region_write(struct vfio_user *v, struct vfu_message *m)
{
	const struct vfu_access *a = &m->p->access;

	if (a->count != m->size - sizeof(*a))
		return "another number of bytes than it says";
	if (vfu_in_region(v, a->region, a->offset, a->count))
		vfu_write(v, a, a->data);
	else
		m->error = EINVAL;
	m->size = sizeof(*a);
	return NULL;
}

const char *vfu_region_write_multi(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_write_multi *all = &m->p->multi;
	uint64_t room = (m->size - sizeof(*all)) / sizeof(all->one[0]), done = 0;

	if (all->count != room || (m->size - sizeof(*all)) % sizeof(all->one[0]))
		return "another number of writes than it says";
	for (; done < all->count; done++) {
		const struct vfu_write_one *one = &all->one[done];
		struct vfu_access a = { one->offset, one->region, one->count };

		if (one->count > VFU_MULTI_BYTES ||
		    !vfu_in_region(v, one->region, one->offset, one->count))
			break;
		vfu_write(v, &a, one->data);
	}
	if (done < all->count)
		m->error = EINVAL;
	all->count = done;
	m->size = sizeof(*all);
	return NULL;
}

/*
 * Doorbells: where the client may have eventfds written in place of messages.
 */
static struct vfu_io_fd vfu_io_fd_of(const struct vpci_doorbell *at, unsigned index)
{
	return (struct vfu_io_fd){ .offset = at->offset,
				   .size = at->len,
				   .fd_index = index,
				   .type = VFU_IO_FD_IOEVENTFD,
				   .flags = at->io ? VFU_IO_FD_PIO | VFU_IO_FD_DATAMATCH : 0,
				   .datamatch = at->match };
}

/* As many as the client takes descriptors; the rest of the queues is kicked by messages. */
const char *vfu_get_region_io_fds(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_io_fds *head = &m->p->io_fds;
	struct vfu_io_fd all[MSG_FDS_MAX];
	uint32_t argsz = head->argsz, n = 0;

	if (argsz < sizeof(*head) || head->index >= VFU_N_REGIONS) {
		m->error = EINVAL;
		return NULL;
	}
	for (unsigned q = 0; q < v->dev->n_queues && n < v->max_msg_fds; q++) {
		struct vpci_doorbell at;

		if (!vpci_doorbell(v->pci, q, head->index, &at))
			continue;
		m->fds[n] = at.fd;
		all[n] = vfu_io_fd_of(&at, n);
		n++;
	}
	*head = (struct vfu_io_fds){ .argsz = (uint32_t)(sizeof(*head) + n * sizeof(all[0])),
				     .index = head->index,
				     .count = n };
	if (argsz < head->argsz) /* it asks again, with room */
		return NULL;
	memcpy(m->p->bytes + sizeof(*head), all, n * sizeof(all[0]));
	m->size = head->argsz;
	m->n_fds = n;
	v->gave_kicks |= n > 0;
	return NULL;
}
