/*
 * The kernel's device: opening it, features, memory.
 */
#include "devices/vhost/vhost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/base/eventfd.h"
#include "devices/vhost/sys.h"

#define BIT(n) (1ull << (n))

/* Feature bits of what is neither a type's nor free for it (VIRTIO 1.4, 2.2). */
#define COMMON_FIRST 24u
#define COMMON_LAST  49u

bool vhost_call_named(struct vhost *v, unsigned long request, const char *name, void *arg)
{
	int ret = vhost_sys_ioctl(v->fd, request, arg);

	if (ret < 0)
		(void)g_snprintf(v->wrong, sizeof(v->wrong), "%s: %s: %s", v->kind->path, name,
				 g_strerror(-ret));
	return ret >= 0;
}

/*
 * Opening.
 */
static bool vhost_not_there(const struct vhost *v, int errnum, const char *context, GError **err)
{
	const struct vhost_kind *k = v->kind;

	if (errnum == ENOENT || errnum == ENODEV || errnum == ENXIO)
		return ringside_usage(err,
				      "%s: there is no %s; the kernel's module %s makes it: "
				      "modprobe %s",
				      context, k->path, k->module, k->module);
	if (errnum == EACCES || errnum == EPERM)
		return ringside_usage(err,
				      "%s: this user may not open %s; it takes the device's group "
				      "(often kvm), or: setfacl -m u:$USER:rw %s",
				      context, k->path, k->path);
	return ringside_error_errno(err, errnum, "%s: %s", context, k->path);
}

static const struct syscall_use vhost_syscalls[] = {
	{ SYSCALL_IOCTL(VHOST_SET_OWNER) },      { SYSCALL_IOCTL(VHOST_SET_FEATURES) },
	{ SYSCALL_IOCTL(VHOST_SET_MEM_TABLE) },  { SYSCALL_IOCTL(VHOST_SET_LOG_BASE) },
	{ SYSCALL_IOCTL(VHOST_SET_VRING_NUM) },  { SYSCALL_IOCTL(VHOST_SET_VRING_BASE) },
	{ SYSCALL_IOCTL(VHOST_SET_VRING_ADDR) }, { SYSCALL_IOCTL(VHOST_SET_VRING_KICK) },
	{ SYSCALL_IOCTL(VHOST_SET_VRING_CALL) }, { SYSCALL_IOCTL(VHOST_SET_VRING_ERR) },
	{ SYSCALL_IOCTL(VHOST_GET_VRING_BASE) }, { .name = NULL },
};

static void vhost_give_queues(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		v->dev->queue[v->first + i].engine = &vhost_engine;
		v->dev->queue[v->first + i].engine_data = v;
	}
}

bool vhost_open(struct vhost *v, const struct vhost_kind *kind, struct vdev *dev, unsigned first,
		const char *context, GError **err)
{
	*v = (struct vhost){ .kind = kind, .dev = dev, .first = first };
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		v->ring[i].err_fd = -1;
	v->fd = vhost_sys_open(kind->path);
	if (v->fd < 0)
		return vhost_not_there(v, -v->fd, context, err);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		if (!eventfd_open(&v->ring[i].err_fd, context, err))
			return false;
	if (!vhost_call(v, VHOST_GET_FEATURES, &v->features))
		return ringside_usage(err, "%s: %s", context, v->wrong);
	vhost_give_queues(v);
	vdev_add_syscalls(dev, vhost_syscalls);
	return true;
}

void vhost_close(struct vhost *v)
{
	if (!v->kind)
		return;
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		eventfd_close(&v->ring[i].err_fd);
	if (v->fd >= 0)
		vhost_sys_close(v->fd);
	g_free(v->memory);
	*v = (struct vhost){ 0 };
}

/*
 * Features.
 */
bool vhost_offer(struct vhost *v, uint64_t own, const char *context, GError **err)
{
	struct vdev *dev = v->dev;

	if (dev->opt_ring == VDEV_RING_PACKED && !(v->features & BIT(VIRTIO_F_RING_PACKED)))
		return ringside_usage(err,
				      "%s: the kernel's vhost has no packed rings; leave "
				      "ring=packed out",
				      context);
	for (unsigned bit = 0; bit < 64; bit++) {
		bool asked = (bit >= COMMON_FIRST && bit <= COMMON_LAST) || own >> bit & 1;

		if (asked && !(VDEV_TRANSPORT_FEATURES >> bit & 1) && !(v->features >> bit & 1))
			vdev_offer(dev, bit, false);
	}
	return true;
}

/* Of the driver's features those that the kernel has to know. */
static uint64_t vhost_features(const struct vhost *v)
{
	const struct gmem *mem = v->dev->mem;

	return (v->dev->accepted.w[0] & v->features & ~VDEV_TRANSPORT_FEATURES &
		~(BIT(VHOST_F_LOG_ALL) | BIT(VHOST_NET_F_VIRTIO_NET_HDR))) |
	       v->own | (mem->log ? BIT(VHOST_F_LOG_ALL) : 0);
}

static bool vhost_tell_features(struct vhost *v)
{
	uint64_t features = vhost_features(v);

	if (features == v->told)
		return true;
	if (!vhost_call(v, VHOST_SET_FEATURES, &features))
		return false;
	v->told = features;
	return true;
}

/*
 * Memory.
 */
static size_t table_bytes(const struct vhost_memory *t)
{
	return sizeof(*t) + t->nregions * sizeof(t->regions[0]);
}

static struct vhost_memory *table_of(const struct gmem *mem)
{
	struct vhost_memory *t =
		g_malloc0(sizeof(*t) + mem->n * sizeof(struct vhost_memory_region));

	t->nregions = mem->n;
	for (unsigned i = 0; i < mem->n; i++)
		t->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = mem->region[i].gpa,
			.memory_size = mem->region[i].len,
			.userspace_addr = (uintptr_t)mem->region[i].hva,
		};
	return t;
}

static bool vhost_tell_memory(struct vhost *v)
{
	struct vhost_memory *t = table_of(v->dev->mem);

	bool same = v->memory && table_bytes(v->memory) == table_bytes(t) &&
		    memcmp(v->memory, t, table_bytes(t)) == 0;

	if (!same && !vhost_call(v, VHOST_SET_MEM_TABLE, t)) {
		g_free(t);
		return false;
	}
	g_free(v->memory);
	v->memory = t;
	return true;
}

/* It writes bits of all pages that there are, and does not ask how many the log has. */
static bool log_covers_memory(const struct gmem *mem)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];

		if ((r->gpa + (r->len - 1)) / GMEM_PAGE >= mem->log_pages)
			return false;
	}
	return true;
}

static bool vhost_tell_log(struct vhost *v)
{
	const struct gmem *mem = v->dev->mem;
	uint64_t base = (uintptr_t)mem->log_bits;

	if (!mem->log || mem->log_bits == v->log)
		return true;
	if (!mem->log_bits || !log_covers_memory(mem)) {
		(void)g_snprintf(v->wrong, sizeof(v->wrong),
				 "the log of written pages is not one that the kernel can write");
		return false;
	}
	if (!vhost_call(v, VHOST_SET_LOG_BASE, &base))
		return false;
	v->log = mem->log_bits;
	return true;
}

bool vhost_ready(struct vhost *v)
{
	if (!v->owned && !vhost_call(v, VHOST_SET_OWNER, NULL))
		return false;
	v->owned = true;
	return vhost_tell_memory(v) && vhost_tell_log(v) && vhost_tell_features(v);
}
