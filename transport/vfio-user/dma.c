/*
 * DMA_MAP and DMA_UNMAP: the guest's memory, as regions of files. A region without a descriptor
 * could only be reached by messages (DMA_READ, DMA_WRITE), which no ring can be kept in: it is
 * remembered, and is no memory for the device. One that the guest cannot write is mapped so that
 * what the device writes there is lost.
 *
 * Memory changes under a device that runs: firmware shadows ROMs while its disk driver waits, and
 * the client says so by taking away all of low memory and giving it again in pieces, a message
 * each. Nothing tells that a change is over. So with the first message the queues are taken away
 * from the device, which completes or gives back what it has in hand (no pointer into memory is
 * left), and they go on when another message comes, or for a while none: the driver's next access
 * comes after the change, for the client makes it as one. A queue whose ring is in no memory then
 * waits until it is again.
 */
#include <errno.h>
#include <unistd.h>

#include "devices/core/legacy.h"
#include "transport/vfio-user/impl.h"

#define PAGE    4096u
#define WAIT_MS 300

/*
 * Queues.
 */
static void vfu_dma_over(void *arg)
{
	vfu_dma_settle(arg);
}

static gboolean vfu_dma_timeout(gpointer arg)
{
	vfu_dma_over(arg);
	return G_SOURCE_CONTINUE;
}

static void vfu_dma_stop_timer(struct vfio_user *v)
{
	loop_unwatch(g_steal_pointer(&v->dma.timer));
}

/* Of those that run. The timer begins anew with each message. */
static void vfu_dma_hold(struct vfio_user *v)
{
	struct vfu_dma *d = &v->dma;

	vfu_dma_stop_timer(v);
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (vdev_in_use(v->dev) && vdev_queue_read(v->dev, q, VQR_ENABLE)) {
			d->held[q].at = vdev_queue_suspend(v->dev, q);
			d->held[q].is = true;
			d->holding = true;
		}
	if (!d->holding)
		return;
	d->timer = g_timeout_source_new(WAIT_MS);
	g_source_set_callback(d->timer, vfu_dma_timeout, v, NULL);
	g_source_attach(d->timer, loop_context(v->main));
}

/* All parts of a ring lie in memory, each in one region: else it could only fail to start. */
static bool vfu_ring_in_memory(struct vfio_user *v, unsigned q)
{
	const struct gmem *mem = v->dma.mem;
	uint64_t size = vdev_queue_read(v->dev, q, VQR_SIZE);
	bool packed = vdev_accepted(v->dev, VIRTIO_F_RING_PACKED);

	return gmem_at(mem, vdev_queue_read(v->dev, q, VQR_DESC), 16 * size) &&
	       gmem_at(mem, vdev_queue_read(v->dev, q, VQR_DRIVER), packed ? 4 : 6 + 2 * size) &&
	       gmem_at(mem, vdev_queue_read(v->dev, q, VQR_DEVICE), packed ? 4 : 6 + 8 * size);
}

/* Is there a driver yet that has given the queue, and not taken it back? */
static bool vfu_still_held(struct vfio_user *v, unsigned q)
{
	return vdev_in_use(v->dev) && !(vdev_status(v->dev) & VIRTIO_S_NEEDS_RESET) &&
	       !vdev_queue_read(v->dev, q, VQR_ENABLE);
}

static void vfu_go_on(struct vfio_user *v, unsigned q)
{
	struct vfu_held *held = &v->dma.held[q];

	if (vfu_still_held(v, q) && !vfu_ring_in_memory(v, q)) {
		v->dma.holding = true;
		return;
	}
	held->is = false;
	if (vfu_still_held(v, q) && vdev_queue_go_on_from(v->dev, q, held->at))
		vdev_queue_write(v->dev, q, VQR_ENABLE, 1, UINT64_MAX);
}

static bool vfu_any_shared(const struct vfu_dma *d)
{
	return d->mem->n > 0;
}

static void vfu_tell_unshared(struct vfio_user *v)
{
	struct vfu_dma *d = &v->dma;

	if (!d->n || vfu_any_shared(d) || d->told_short)
		return;
	d->told_short = true;
	g_log("ringside", G_LOG_LEVEL_WARNING,
	      "%s: client: none of the guest's memory comes with a descriptor (share=on): the "
	      "device reaches none of it",
	      vdev_name(v->dev));
}

void vfu_dma_settle(struct vfio_user *v)
{
	bool holding = v->dma.holding;

	vfu_dma_stop_timer(v);
	vfu_tell_unshared(v);
	if (!holding)
		return;
	v->dma.holding = false;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (v->dma.held[q].is)
			vfu_go_on(v, q);
}

void vfu_dma_forget_held(struct vfio_user *v)
{
	vfu_dma_stop_timer(v);
	v->dma.holding = false;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		v->dma.held[q].is = false;
}

/*
 * The table.
 */
static bool vfu_overlaps(const struct vfu_region_of_memory *r, uint64_t address, uint64_t size)
{
	return address < r->address + r->size && r->address < address + size;
}

static bool vfu_dma_taken(const struct vfu_dma *d, uint64_t address, uint64_t size)
{
	for (unsigned i = 0; i < d->n; i++)
		if (vfu_overlaps(&d->region[i], address, size))
			return true;
	return false;
}

static bool vfu_dma_is_sound(const struct vfu_dma_map *w)
{
	return w->argsz >= sizeof(*w) && w->flags & VFU_DMA_READABLE &&
	       !(w->flags & ~(VFU_DMA_READABLE | VFU_DMA_WRITEABLE)) && w->size &&
	       (w->address | w->offset | w->size) % PAGE == 0 && w->address + w->size > w->address;
}

static int vfu_dma_refuse(struct vfio_user *v, const struct vfu_dma_map *w, const char *why)
{
	vdev_host_error(v->dev, "client: DMA_MAP of %#" G_GINT64_MODIFIER "x: %s", w->address, why);
	return EINVAL;
}

/* What devices can write is memory that another process may map for them, too (gmem.h). */
static int vfu_dma_to_table(struct vfio_user *v, const struct vfu_dma_map *w,
			    const struct vfu_region_of_memory *r)
{
	if (w->flags & VFU_DMA_WRITEABLE)
		return -gmem_add_file(v->dma.mem, w->address, w->size, r->map.bytes, r->fd,
				      w->offset);
	return -gmem_add(v->dma.mem, w->address, w->size, r->map.bytes);
}

/* 0, or errno. */
static int vfu_dma_map_file(struct vfio_user *v, const struct vfu_dma_map *w,
			    struct vfu_region_of_memory *r)
{
	enum given_access access = w->flags & VFU_DMA_WRITEABLE ? GIVEN_SHARED : GIVEN_READ_ONLY;
	const char *wrong = given_map(&r->map, r->fd, w->offset, w->size, access);
	int ret;

	if (wrong)
		return vfu_dma_refuse(v, w, wrong);
	vfu_dma_hold(v);
	ret = vfu_dma_to_table(v, w, r);
	if (ret)
		given_unmap(&r->map);
	return ret;
}

static int vfu_dma_add(struct vfio_user *v, const struct vfu_dma_map *w,
		       struct vfu_region_of_memory *r)
{
	int ret = 0;

	if (!vfu_dma_is_sound(w))
		return EINVAL;
	if (vfu_dma_taken(&v->dma, w->address, w->size))
		return EEXIST;
	if (v->dma.n == VFU_DMA_MAX)
		return ENOSPC;
	if (r->fd >= 0)
		ret = vfu_dma_map_file(v, w, r);
	if (ret == 0)
		v->dma.region[v->dma.n++] = *r;
	return ret;
}

const char *vfu_dma_map(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_region_of_memory r = { .address = m->p->map.address,
					  .size = m->p->map.size,
					  .fd = msg_socket_take_fd(&v->socket, 0) };

	m->error = vfu_dma_add(v, &m->p->map, &r);
	m->size = 0;
	if (m->error && r.fd >= 0)
		close(r.fd);
	return NULL;
}

static void vfu_dma_remove(struct vfu_dma *d, unsigned i)
{
	if (d->region[i].map.at)
		(void)gmem_remove(d->mem, d->region[i].address);
	given_unmap(&d->region[i].map);
	if (d->region[i].fd >= 0)
		close(d->region[i].fd);
	d->region[i] = d->region[--d->n];
}

void vfu_dma_clear(struct vfio_user *v)
{
	vfu_dma_forget_held(v);
	while (v->dma.n)
		vfu_dma_remove(&v->dma, v->dma.n - 1);
	v->dma.told_short = false;
}

static int vfu_dma_unmap_one(struct vfio_user *v, const struct vfu_dma_unmap *w)
{
	struct vfu_dma *d = &v->dma;
	unsigned i = 0;

	while (i < d->n && (d->region[i].address != w->address || d->region[i].size != w->size))
		i++;
	if (i == d->n)
		return ENOENT;
	if (d->region[i].map.at)
		vfu_dma_hold(v);
	vfu_dma_remove(d, i);
	return 0;
}

static int vfu_dma_unmap_all(struct vfio_user *v, const struct vfu_dma_unmap *w)
{
	if (w->address || w->size)
		return EINVAL;
	vfu_dma_hold(v);
	while (v->dma.n)
		vfu_dma_remove(&v->dma, v->dma.n - 1);
	return 0;
}

/* The answer is the message. */
const char *vfu_dma_unmap(struct vfio_user *v, struct vfu_message *m)
{
	const struct vfu_dma_unmap *w = &m->p->unmap;

	if (w->argsz < sizeof(*w) || w->flags & ~VFU_DMA_UNMAP_ALL)
		m->error = EINVAL;
	else
		m->error = w->flags ? vfu_dma_unmap_all(v, w) : vfu_dma_unmap_one(v, w);
	return NULL;
}
