#include "tests/support/vhost-kernel.h"

#include <errno.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/vhost/sys.h"
#include "tests/support/vhost-kernel-int.h"

#define DEVICES 64u
#define BIT(n)  (1ull << (n))

#define COMMON                                                                                   \
	(BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | \
	 BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_VERSION_1) |             \
	 BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER))

static struct {
	pthread_mutex_t lock;
	struct vhk *device[DEVICES], *last;
	uint64_t only;
	int absent;
	unsigned long fail_request;
	int fail_errnum;
	GString *calls;
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER, .only = VHOST_KERNEL_ALL };

/*
 * Calls of both types.
 */
static int set_owner(struct vhk *k, void *arg)
{
	(void)arg;
	if (k->owned)
		return -EBUSY;
	k->owned = true;
	return 0;
}

static int get_features(struct vhk *k, void *arg)
{
	*(uint64_t *)arg = k->offered;
	return 0;
}

static int set_features(struct vhk *k, void *arg)
{
	uint64_t f = *(uint64_t *)arg;

	if (f & ~k->offered)
		return -EOPNOTSUPP;
	if (f & BIT(VHOST_F_LOG_ALL) && !k->log)
		return -EFAULT;
	k->features = f;
	return 0;
}

static int set_mem_table(struct vhk *k, void *arg)
{
	const struct vhost_memory *t = arg;

	for (unsigned i = 0; i < VHK_RINGS; i++)
		if (k->ring[i].runs) /* Linux would take it: here it is a mistake */
			return -EBUSY;
	gmem_log_stop(&k->mem);
	k->mem.n = 0;
	for (unsigned i = 0; i < t->nregions; i++)
		if (gmem_add(&k->mem, t->regions[i].guest_phys_addr, t->regions[i].memory_size,
			     vhk_user(t->regions[i].userspace_addr)) < 0)
			return -EFAULT;
	return 0;
}

static int set_log_base(struct vhk *k, void *arg)
{
	k->log = *(uint64_t *)arg;
	return 0;
}

/* False: there is no such ring, or it may not be changed just now. */
static bool ring_of(struct vhk *k, unsigned index, struct vhk_ring **ret)
{
	*ret = &k->ring[index % VHK_RINGS];
	return index < VHK_RINGS;
}

static int set_vring_num(struct vhk *k, void *arg)
{
	const struct vhost_vring_state *s = arg;
	struct vhk_ring *r;

	if (!ring_of(k, s->index, &r))
		return -ENOBUFS;
	if (r->runs)
		return -EBUSY;
	if (!s->num || s->num > 0xffff)
		return -EINVAL;
	r->size = s->num;
	return 0;
}

static int set_vring_base(struct vhk *k, void *arg)
{
	const struct vhost_vring_state *s = arg;
	struct vhk_ring *r;

	if (!ring_of(k, s->index, &r))
		return -ENOBUFS;
	if (r->runs)
		return -EBUSY;
	r->base = s->num;
	return 0;
}

static int get_vring_base(struct vhk *k, void *arg)
{
	struct vhost_vring_state *s = arg;
	struct vhk_ring *r;

	if (!ring_of(k, s->index, &r))
		return -ENOBUFS;
	s->num = r->base;
	return 0;
}

static int set_vring_addr(struct vhk *k, void *arg)
{
	const struct vhost_vring_addr *a = arg;
	struct vhk_ring *r;

	if (!ring_of(k, a->index, &r))
		return -ENOBUFS;
	if (a->flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	r->addr = *a;
	r->has_addr = true;
	return 0;
}

static int set_fd(struct vhk *k, void *arg, size_t which)
{
	const struct vhost_vring_file *f = arg;
	struct vhk_ring *r;
	int *fd;

	if (!ring_of(k, f->index, &r))
		return -ENOBUFS;
	fd = (int *)(void *)((char *)r + which);
	eventfd_close(fd);
	*fd = f->fd < 0 ? -1 : dup(f->fd);
	return 0;
}

static int set_vring_kick(struct vhk *k, void *arg)
{
	return set_fd(k, arg, offsetof(struct vhk_ring, kick));
}

static int set_vring_call(struct vhk *k, void *arg)
{
	return set_fd(k, arg, offsetof(struct vhk_ring, call));
}

static int set_vring_err(struct vhk *k, void *arg)
{
	return set_fd(k, arg, offsetof(struct vhk_ring, err));
}

static int net_set_backend(struct vhk *k, void *arg)
{
	const struct vhost_vring_file *f = arg;
	struct ifreq ifr = { 0 };
	struct vhk_ring *r;

	if (!k->net)
		return -ENOTTY;
	if (!ring_of(k, f->index, &r))
		return -ENOBUFS;
	if (f->fd < 0) {
		vhk_ring_end(r);
		if (f->index == VHK_RX)
			k->held = 0;
		return 0;
	}
	if (ioctl(f->fd, TUNGETIFF, &ifr) < 0)
		return -ENOTSOCK;
	if (ifr.ifr_flags & IFF_DETACH_QUEUE)
		return -EINVAL;
	k->tap = f->fd;
	return vhk_ring_begin(k, r);
}

static int vsock_set_running(struct vhk *k, void *arg)
{
	int ret = 0;

	if (k->net)
		return -ENOTTY;
	for (unsigned i = 0; i < VHK_RINGS && ret == 0; i++)
		if (*(int *)arg)
			ret = vhk_ring_begin(k, &k->ring[i]);
		else
			vhk_ring_end(&k->ring[i]);
	return ret;
}

static int vsock_set_guest_cid(struct vhk *k, void *arg)
{
	uint64_t cid = *(uint64_t *)arg;

	if (k->net)
		return -ENOTTY;
	if (cid < 3 || cid >= UINT32_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < DEVICES; i++)
		if (kernel.device[i] && kernel.device[i] != k && kernel.device[i]->cid == cid)
			return -EADDRINUSE;
	k->cid = cid;
	return 0;
}

static const struct {
	unsigned long request;
	const char *name;
	int (*run)(struct vhk *k, void *arg);
	bool unowned; /* may come before SET_OWNER */
} calls[] = {
	{ VHOST_SET_OWNER, "SET_OWNER", set_owner, true },
	{ VHOST_GET_FEATURES, "GET_FEATURES", get_features, true },
	{ VHOST_SET_FEATURES, "SET_FEATURES", set_features, true },
	{ VHOST_SET_MEM_TABLE, "SET_MEM_TABLE", set_mem_table, false },
	{ VHOST_SET_LOG_BASE, "SET_LOG_BASE", set_log_base, false },
	{ VHOST_SET_VRING_NUM, "SET_VRING_NUM", set_vring_num, false },
	{ VHOST_SET_VRING_BASE, "SET_VRING_BASE", set_vring_base, false },
	{ VHOST_GET_VRING_BASE, "GET_VRING_BASE", get_vring_base, false },
	{ VHOST_SET_VRING_ADDR, "SET_VRING_ADDR", set_vring_addr, false },
	{ VHOST_SET_VRING_KICK, "SET_VRING_KICK", set_vring_kick, false },
	{ VHOST_SET_VRING_CALL, "SET_VRING_CALL", set_vring_call, false },
	{ VHOST_SET_VRING_ERR, "SET_VRING_ERR", set_vring_err, false },
	{ VHOST_NET_SET_BACKEND, "NET_SET_BACKEND", net_set_backend, false },
	{ VHOST_VSOCK_SET_GUEST_CID, "VSOCK_SET_GUEST_CID", vsock_set_guest_cid, true },
	{ VHOST_VSOCK_SET_RUNNING, "VSOCK_SET_RUNNING", vsock_set_running, false },
};

/*
 * In the place of devices/vhost/sys.c.
 */
int vhost_sys_open(const char *path)
{
	struct vhk *k;
	unsigned i = 0;

	if (kernel.absent)
		return -kernel.absent;
	k = g_new0(struct vhk, 1);
	k->net = strcmp(path, "/dev/vhost-net") == 0;
	k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->offered = COMMON | (k->net ? BIT(VHK_NET_F_MRG_RXBUF) | BIT(VHOST_NET_F_VIRTIO_NET_HDR)
				      : BIT(VHK_VSOCK_F_SEQPACKET));
	k->offered &= kernel.only;
	k->tap = -1;
	pthread_mutex_init(&k->lock, NULL);
	for (unsigned r = 0; r < VHK_RINGS; r++) {
		k->ring[r].vq = vq_new();
		k->ring[r].kick = k->ring[r].call = k->ring[r].err = -1;
	}
	pthread_mutex_lock(&kernel.lock);
	while (kernel.device[i])
		i++;
	g_assert(i < DEVICES);
	kernel.device[i] = kernel.last = k;
	pthread_mutex_unlock(&kernel.lock);
	g_assert(pthread_create(&k->thread, NULL, vhk_work, k) == 0);
	return k->fd;
}

static struct vhk *kernel_find(int fd, unsigned *ret_slot)
{
	for (unsigned i = 0; i < DEVICES; i++)
		if (kernel.device[i] && kernel.device[i]->fd == fd) {
			*ret_slot = i;
			return kernel.device[i];
		}
	return NULL;
}

void vhost_sys_close(int fd)
{
	struct vhk *k;
	unsigned slot;

	pthread_mutex_lock(&kernel.lock);
	k = kernel_find(fd, &slot);
	g_assert(k);
	kernel.device[slot] = NULL;
	if (kernel.last == k)
		kernel.last = NULL;
	pthread_mutex_unlock(&kernel.lock);
	pthread_mutex_lock(&k->lock);
	k->over = true;
	pthread_mutex_unlock(&k->lock);
	eventfd_signal(k->fd);
	pthread_join(k->thread, NULL);
	for (unsigned i = 0; i < VHK_RINGS; i++) {
		vhk_ring_end(&k->ring[i]);
		vq_free(k->ring[i].vq);
		eventfd_close(&k->ring[i].kick);
		eventfd_close(&k->ring[i].call);
		eventfd_close(&k->ring[i].err);
	}
	pthread_mutex_destroy(&k->lock);
	close(k->fd);
	g_free(k);
}

/* Whether call @name is to fail. */
static int kernel_note(unsigned long request, const char *name)
{
	int errnum = 0;

	if (!kernel.calls)
		kernel.calls = g_string_new(NULL);
	g_string_append_printf(kernel.calls, "%s%s", kernel.calls->len ? " " : "", name);
	if (kernel.fail_errnum && request == kernel.fail_request) {
		errnum = kernel.fail_errnum;
		kernel.fail_errnum = 0;
	}
	return -errnum;
}

static int kernel_call(struct vhk *k, unsigned long request, void *arg)
{
	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
		int ret;

		if (calls[i].request != request)
			continue;
		ret = kernel_note(request, calls[i].name);
		if (ret < 0)
			return ret;
		if (!calls[i].unowned && !k->owned)
			return -EPERM;
		pthread_mutex_lock(&k->lock);
		ret = calls[i].run(k, arg);
		pthread_mutex_unlock(&k->lock);
		eventfd_signal(k->fd);
		return ret;
	}
	return -ENOTTY;
}

int vhost_sys_ioctl(int fd, unsigned long request, void *arg)
{
	struct vhk *k;
	unsigned slot;
	int ret;

	pthread_mutex_lock(&kernel.lock);
	k = kernel_find(fd, &slot);
	ret = k ? kernel_call(k, request, arg) : -EBADF;
	pthread_mutex_unlock(&kernel.lock);
	return ret;
}

/*
 * For tests.
 */
void vhost_kernel_features(uint64_t only)
{
	kernel.only = only;
}

void vhost_kernel_absent(int errnum)
{
	kernel.absent = errnum;
}

void vhost_kernel_fail(unsigned long request, int errnum)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.fail_request = request;
	kernel.fail_errnum = errnum;
	pthread_mutex_unlock(&kernel.lock);
}

char *vhost_kernel_calls(void)
{
	char *text;

	pthread_mutex_lock(&kernel.lock);
	text = g_strdup(kernel.calls ? kernel.calls->str : "");
	if (kernel.calls)
		g_string_free(g_steal_pointer(&kernel.calls), TRUE);
	pthread_mutex_unlock(&kernel.lock);
	return text;
}

uint64_t vhost_kernel_features_set(void)
{
	return kernel.last->features;
}

uint64_t vhost_kernel_cid(void)
{
	return kernel.last->cid;
}

bool vhost_kernel_runs(unsigned ring)
{
	bool runs;

	pthread_mutex_lock(&kernel.last->lock);
	runs = kernel.last->ring[ring].runs;
	pthread_mutex_unlock(&kernel.last->lock);
	return runs;
}

void vhost_kernel_break(unsigned ring)
{
	pthread_mutex_lock(&kernel.last->lock);
	vhk_ring_break(&kernel.last->ring[ring]);
	pthread_mutex_unlock(&kernel.last->lock);
}
