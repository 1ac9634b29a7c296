/*
 * DMA_MAP and DMA_UNMAP: the guest's memory, as regions of files. A region without a descriptor is
 * reached by messages (access.c), by queues that are served so (far.c), and is no memory for
 * others. One that the guest cannot write is mapped so that what the device writes there is lost.
 *
 * Memory changes under a device that runs: firmware shadows ROMs while its disk driver waits, and
 * the client says so by taking away all of low memory and giving it again in pieces, a message
 * each. Nothing tells that a change is over. So with the first message the queues are taken away
 * from the device, which completes or gives back what it has in hand (no pointer into memory is
 * left), and they go on when another message comes, or for a while none: the driver's next access
 * comes after the change, for the client makes it as one. A queue whose ring is in no memory then
 * waits until it is again. Until then nothing is sent to memory by messages either.
 */
#include <errno.h>
#include <sys/mman.h>
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
	v->far.suspending = true;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (vdev_in_use(v->dev) && vdev_queue_read(v->dev, q, VQR_ENABLE)) {
			d->held[q].at = vdev_queue_suspend(v->dev, q);
			d->held[q].is = true;
			d->holding = true;
		}
	v->far.suspending = false;
	vfu_far_collect(v);
	if (!d->holding)
		return;
	d->changing = true;
	d->timer = g_timeout_source_new(WAIT_MS);
	g_source_set_callback(d->timer, vfu_dma_timeout, v, NULL);
	g_source_attach(d->timer, loop_context(v->main));
}

/* All parts of a ring lie in memory, in one region each if they are used there: else it could only
 * fail to start. */
static bool vfu_ring_in_memory(struct vfio_user *v, unsigned q)
{
	const struct vq_config at = { .desc = vdev_queue_read(v->dev, q, VQR_DESC),
				      .driver = vdev_queue_read(v->dev, q, VQR_DRIVER),
				      .device = vdev_queue_read(v->dev, q, VQR_DEVICE) };
	uint64_t size = vdev_queue_read(v->dev, q, VQR_SIZE);
	bool packed = vdev_accepted(v->dev, VIRTIO_F_RING_PACKED);
	uint64_t driver = packed ? 4 : vring_avail_bytes((unsigned)size);
	uint64_t device = packed ? 4 : vring_used_bytes((unsigned)size);
	const struct gmem *far = &v->far.mem, *mem = v->dma.mem;

	if (vfu_far_wants(v, &at))
		return gmem_has(far, at.desc, 16 * size) && gmem_has(far, at.driver, driver) &&
		       gmem_has(far, at.device, device);
	return gmem_at(mem, at.desc, 16 * size) && gmem_at(mem, at.driver, driver) &&
	       gmem_at(mem, at.device, device);
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

void vfu_dma_settle(struct vfio_user *v)
{
	bool holding = v->dma.holding;

	vfu_dma_stop_timer(v);
	v->dma.changing = false;
	if (!holding)
		return;
	v->dma.holding = false;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (v->dma.held[q].is)
			vfu_go_on(v, q);
	vfu_far_go_on(v);
}

void vfu_dma_forget_held(struct vfio_user *v)
{
	vfu_dma_stop_timer(v);
	v->dma.holding = v->dma.changing = false;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		v->dma.held[q].is = false;
}

/*
 * The table.
 */
const struct vfu_region_of_memory *vfu_dma_find(const struct vfio_user *v, uint64_t address)
{
	for (unsigned i = 0; i < v->dma.n; i++)
		if (address - v->dma.region[i].address < v->dma.region[i].size)
			return &v->dma.region[i];
	return NULL;
}

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
static int vfu_dma_to_table(struct vfio_user *v, const struct vfu_region_of_memory *r,
			    uint64_t offset)
{
	if (r->writeable)
		return -gmem_add_file(v->dma.mem, r->address, r->size, r->map.bytes, r->fd, offset);
	return -gmem_add(v->dma.mem, r->address, r->size, r->map.bytes);
}

/* 0, or errno. */
static int vfu_dma_map_file(struct vfio_user *v, const struct vfu_dma_map *w,
			    struct vfu_region_of_memory *r)
{
	enum given_access access = r->writeable ? GIVEN_SHARED : GIVEN_READ_ONLY;
	const char *wrong = given_map(&r->map, r->fd, w->offset, w->size, access);
	int ret;

	if (wrong)
		return vfu_dma_refuse(v, w, wrong);
	vfu_dma_hold(v);
	ret = vfu_dma_to_table(v, r, w->offset);
	if (ret)
		given_unmap(&r->map);
	else
		(void)gmem_add(&v->far.mem, r->address, r->size, r->map.bytes);
	return ret;
}

/* Memory of ours for copies of it, which takes room as it is used, and is not of the private kind
 * that a process may have so much of. */
static int vfu_dma_copy(struct vfio_user *v, struct vfu_region_of_memory *r)
{
	void *at = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return errno;
	if (v->far.n)
		vfu_dma_hold(v);
	if (gmem_add(&v->far.mem, r->address, r->size, at) == 0)
		r->copies = at;
	else
		munmap(at, r->size);
	return 0;
}

static int vfu_dma_add(struct vfio_user *v, const struct vfu_dma_map *w,
		       struct vfu_region_of_memory *r)
{
	int ret;

	if (!vfu_dma_is_sound(w))
		return EINVAL;
	if (vfu_dma_taken(&v->dma, w->address, w->size))
		return EEXIST;
	if (v->dma.n == VFU_DMA_MAX)
		return ENOSPC;
	ret = r->fd >= 0 ? vfu_dma_map_file(v, w, r) : vfu_dma_copy(v, r);
	if (ret == 0)
		v->dma.region[v->dma.n++] = *r;
	return ret;
}

const char *vfu_dma_map(struct vfio_user *v, struct vfu_message *m)
{
	struct vfu_region_of_memory r = { .address = m->p->map.address,
					  .size = m->p->map.size,
					  .writeable = m->p->map.flags & VFU_DMA_WRITEABLE,
					  .fd = msg_socket_take_fd(&v->socket, 0) };

	m->error = vfu_dma_add(v, &m->p->map, &r);
	m->size = 0;
	if (m->error && r.fd >= 0)
		close(r.fd);
	return NULL;
}

static void vfu_dma_remove(struct vfio_user *v, unsigned i)
{
	struct vfu_dma *d = &v->dma;
	struct vfu_region_of_memory *r = &d->region[i];

	if (r->map.at)
		(void)gmem_remove(d->mem, r->address);
	if (r->map.at || r->copies)
		(void)gmem_remove(&v->far.mem, r->address);
	given_unmap(&r->map);
	if (r->copies) {
		vfu_access_forget(v, r->copies, r->size);
		munmap(r->copies, r->size);
	}
	if (r->fd >= 0)
		close(r->fd);
	*r = d->region[--d->n];
}

void vfu_dma_clear(struct vfio_user *v)
{
	vfu_dma_forget_held(v);
	while (v->dma.n)
		vfu_dma_remove(v, v->dma.n - 1);
}

static int vfu_dma_unmap_one(struct vfio_user *v, const struct vfu_dma_unmap *w)
{
	struct vfu_dma *d = &v->dma;
	unsigned i = 0;

	while (i < d->n && (d->region[i].address != w->address || d->region[i].size != w->size))
		i++;
	if (i == d->n)
		return ENOENT;
	if (d->region[i].map.at || v->far.n)
		vfu_dma_hold(v);
	vfu_dma_remove(v, i);
	return 0;
}

static int vfu_dma_unmap_all(struct vfio_user *v, const struct vfu_dma_unmap *w)
{
	if (w->address || w->size)
		return EINVAL;
	vfu_dma_hold(v);
	while (v->dma.n)
		vfu_dma_remove(v, v->dma.n - 1);
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
