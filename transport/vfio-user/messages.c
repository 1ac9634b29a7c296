/*
 * Messages: a row for each that is understood, with what it must bring. One that brings something
 * else ends the connection; one that is not known, or is not for this device, is answered with an
 * error.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "transport/vfio-user/impl.h"

static const char *vfu_get_info(struct vfio_user *v, struct vfu_message *m)
{
	(void)v;
	m->p->info = (struct vfu_info){ .argsz = sizeof(struct vfu_info),
					.flags = VFU_INFO_RESET | VFU_INFO_PCI,
					.num_regions = VFU_N_REGIONS,
					.num_irqs = VFU_N_IRQS };
	return NULL;
}

static const char *vfu_reset(struct vfio_user *v, struct vfu_message *m)
{
	(void)m;
	pci_config_reset(vpci_function(v->pci));
	vfu_dma_forget_held(v);
	vfu_irqs_restore(v);
	return NULL;
}

/* Migration, and the log of what the device writes to memory. */
static const char *vfu_unsupported(struct vfio_user *v, struct vfu_message *m)
{
	(void)v;
	m->error = EOPNOTSUPP;
	return NULL;
}

static const char *vfu_wrong_way(struct vfio_user *v, struct vfu_message *m)
{
	(void)v;
	(void)m;
	return "which is for a server to send";
}

/*
 * The table.
 */
#define EXACTLY(type) sizeof(type), sizeof(type)

struct vfu_row {
	const char *name;
	const char *(*serve)(struct vfio_user *v, struct vfu_message *m);
	uint32_t size, size_max; /* of its payload */
	unsigned char fds;       /* descriptors, at most */
	bool of_memory;          /* it may be one of several that change memory together */
};

static const struct vfu_row vfu_rows[VFU_N_COMMANDS] = {
	[VFU_VERSION] = { "VERSION", vfu_version, sizeof(struct vfu_version), 1024, 0, false },
	[VFU_DMA_MAP] = { "DMA_MAP", vfu_dma_map, EXACTLY(struct vfu_dma_map), 1, true },
	[VFU_DMA_UNMAP] = { "DMA_UNMAP", vfu_dma_unmap, EXACTLY(struct vfu_dma_unmap), 0, true },
	[VFU_GET_INFO] = { "GET_INFO", vfu_get_info, EXACTLY(struct vfu_info), 0, false },
	[VFU_GET_REGION_INFO] = { "GET_REGION_INFO", vfu_get_region_info,
				  EXACTLY(struct vfu_region_info), 0, false },
	[VFU_GET_REGION_IO_FDS] = { "GET_REGION_IO_FDS", vfu_get_region_io_fds,
				    EXACTLY(struct vfu_io_fds), 0, false },
	[VFU_GET_IRQ_INFO] = { "GET_IRQ_INFO", vfu_get_irq_info, EXACTLY(struct vfu_irq_info), 0,
			       false },
	[VFU_SET_IRQS] = { "SET_IRQS", vfu_set_irqs, sizeof(struct vfu_irq_set),
			   sizeof(struct vfu_irq_set) + VFU_VECTORS_MAX, MSG_FDS_MAX, false },
	[VFU_REGION_READ] = { "REGION_READ", vfu_region_read, EXACTLY(struct vfu_access), 0,
			      false },
	[VFU_REGION_WRITE] = { "REGION_WRITE", vfu_region_write, sizeof(struct vfu_access),
			       sizeof(struct vfu_access) + VFU_XFER, 0, false },
	[VFU_DMA_READ] = { "DMA_READ", vfu_wrong_way, 0, VFU_PAYLOAD, 0, false },
	[VFU_DMA_WRITE] = { "DMA_WRITE", vfu_wrong_way, 0, VFU_PAYLOAD, 0, false },
	[VFU_RESET] = { "DEVICE_RESET", vfu_reset, 0, 0, 0, false },
	[VFU_DIRTY_PAGES] = { "DIRTY_PAGES", vfu_unsupported, 0, VFU_PAYLOAD, 0, false },
	[VFU_REGION_WRITE_MULTI] = { "REGION_WRITE_MULTI", vfu_region_write_multi,
				     sizeof(struct vfu_write_multi), VFU_PAYLOAD, 0, false },
	[VFU_FEATURE] = { "DEVICE_FEATURE", vfu_unsupported, 8, VFU_PAYLOAD, 0, false },
	[VFU_MIG_DATA_READ] = { "MIG_DATA_READ", vfu_unsupported, 8, VFU_PAYLOAD, 0, false },
	[VFU_MIG_DATA_WRITE] = { "MIG_DATA_WRITE", vfu_unsupported, 8, VFU_PAYLOAD, 0, false },
};

static const struct vfu_row vfu_unknown = { NULL, vfu_unsupported, 0, VFU_PAYLOAD, 0, false };

static const struct vfu_row *vfu_find_row(uint32_t command)
{
	return command < VFU_N_COMMANDS && vfu_rows[command].serve ? &vfu_rows[command]
								   : &vfu_unknown;
}

const char *vfu_command_name(uint32_t command)
{
	return vfu_find_row(command)->name;
}

static const char *vfu_check(const struct vfio_user *v, const struct vfu_row *r, uint32_t size)
{
	const struct vfu_header *h = &v->in.header;

	if ((h->flags & ~VFU_NO_REPLY) != VFU_REQUEST)
		return "an answer to what was not asked, or flags that there are not";
	if (!v->versioned && r != &vfu_rows[VFU_VERSION])
		return "before a version";
	if (size < r->size || size > r->size_max)
		return "a payload of another size than such a message has";
	if (v->socket.n_fds > r->fds)
		return "more descriptors than belong to it";
	return NULL;
}

/* An error has no payload. */
static bool vfu_answer(struct vfio_user *v, const struct vfu_message *m)
{
	const struct vfu_header *h = &v->in.header;
	uint32_t payload = m->error ? 0 : m->size;
	struct vfu_header answer = { .id = h->id,
				     .command = h->command,
				     .size = (uint32_t)sizeof(answer) + payload,
				     .flags = VFU_REPLY | (m->error ? VFU_ERROR : 0),
				     .error = (uint32_t)m->error };

	return h->flags & VFU_NO_REPLY ||
	       msg_send(v->socket.fd, &(struct msg_out){ .header = &answer,
							 .header_size = sizeof(answer),
							 .payload = m->p,
							 .payload_size = payload,
							 .fds = m->fds,
							 .n_fds = m->error ? 0 : m->n_fds });
}

static void vfu_tell_calls(struct vfio_user *v)
{
	if (!v->board.calls_moved)
		return;
	v->board.calls_moved = false;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		vdev_call_changed(v->dev, q);
}

static const char *vfu_serve_row(struct vfio_user *v, const struct vfu_row *r,
				 struct vfu_message *m)
{
	const char *wrong = vfu_check(v, r, m->size);

	if (wrong)
		return wrong;
	if (!r->of_memory)
		vfu_dma_settle(v);
	wrong = r->serve(v, m);
	vfu_tell_calls(v);
	if (!wrong && !vfu_answer(v, m))
		wrong = "its answer is not taken";
	return wrong;
}

static const char *vfu_serve_request(struct vfio_user *v)
{
	struct vfu_message m = { .p = &v->in.payload,
				 .size = v->in.header.size - (uint32_t)sizeof(v->in.header) };

	return vfu_serve_row(v, vfu_find_row(v->in.header.command), &m);
}

const char *vfu_serve(struct vfio_user *v)
{
	if (vfu_access_is_answer(v))
		return vfu_access_answer(v);
	return vfu_serve_request(v);
}
