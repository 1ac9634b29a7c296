#include "tools/bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/eventfd.h"
#include "tools/bench/ends.h"

#define PATIENCE_MS   5000
#define LOOKS_IN_VAIN (1u << 20) /* then it is asked whether it lives */

bool peer_fail(GError **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err)
		*err = g_error_new_valist(RINGSIDE_ERROR, RINGSIDE_ERROR_HOST, fmt, ap);
	va_end(ap);
	return false;
}

/* What went wrong on the connection. */
static bool peer_lost(const struct peer *p, GError **err)
{
	return peer_fail(err, "the back-end: %s", p->link.wrong);
}

static int peer_connect(const char *path, GError **err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >=
	    sizeof(address.sun_path)) {
		ringside_usage(err, "too long a name for a socket");
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	ringside_error_errno(err, errno, "no back-end to be reached");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool peer_ask_config(struct peer *p, uint32_t size)
{
	struct vhu_config config = { .len = size };
	const struct vhu_question q = {
		.request = VHU_GET_CONFIG,
		.payload = &config,
		.size = offsetof(struct vhu_config, bytes) + size,
		.answer = &config,
		.answer_size = offsetof(struct vhu_config, bytes) + size,
	};

	if (!vhu_link_has(&p->link, VHU_PF_CONFIG))
		return vhu_link_fail(&p->link, "it does not show its configuration space (CONFIG)");
	if (!vhu_link_ask(&p->link, &q))
		return false;
	memcpy(p->config, config.bytes, size);
	return true;
}

/* The first words. */
static bool peer_greet(struct peer *p, uint64_t accepted)
{
	struct vhu_link *l = &p->link;
	uint64_t protocol;

	if (!vhu_link_ask_u64(l, VHU_GET_FEATURES, &p->features) ||
	    !vhu_link_tell(l, VHU_SET_OWNER, NULL, 0, NULL, 0))
		return false;
	if (!(p->features >> VHU_F_PROTOCOL_FEATURES & 1))
		return vhu_link_fail(l, "it has no protocol features");
	if (!vhu_link_ask_u64(l, VHU_GET_PROTOCOL_FEATURES, &protocol))
		return false;
	protocol &= accepted;
	if (!vhu_link_tell_u64(l, VHU_SET_PROTOCOL_FEATURES, protocol))
		return false;
	l->protocol = protocol;
	return true;
}

static void peer_init(struct peer *p)
{
	*p = (struct peer){ .memory_fd = -1 };
	for (unsigned q = 0; q < PEER_QUEUES; q++)
		p->queue[q].kick_fd = p->queue[q].call_fd = -1;
	vhu_link_init(&p->link);
}

bool peer_open(struct peer *p, const char *path, uint64_t protocol, uint32_t config_size,
	       GError **err)
{
	int fd;

	peer_init(p);
	fd = peer_connect(path, err);
	if (fd < 0)
		return false;
	vhu_link_open(&p->link, fd);
	return (peer_greet(p, protocol) && (!config_size || peer_ask_config(p, config_size))) ||
	       peer_lost(p, err);
}

void peer_close(struct peer *p)
{
	vhu_link_close(&p->link);
	if (p->memory)
		munmap(p->memory, p->memory_size);
	if (p->memory_fd >= 0)
		close(p->memory_fd);
	for (unsigned q = 0; q < PEER_QUEUES; q++) {
		eventfd_close(&p->queue[q].kick_fd);
		eventfd_close(&p->queue[q].call_fd);
	}
	peer_init(p);
}

static bool peer_make_memory(struct peer *p, size_t size, GError **err)
{
	void *at = MAP_FAILED;

	p->memory_fd = memfd_create("ringside-bench", MFD_CLOEXEC);
	if (p->memory_fd >= 0 && ftruncate(p->memory_fd, (off_t)size) == 0)
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			  p->memory_fd, 0);
	if (at == MAP_FAILED)
		return ringside_error_errno(err, errno, "%zu bytes of memory for the driver", size);
	p->memory = at;
	p->memory_size = size;
	return true;
}

uint64_t peer_take(struct peer *p, size_t len)
{
	uint64_t at = p->used;

	p->used += (len + 4095) & ~(uint64_t)4095;
	g_assert(p->used <= p->memory_size);
	return at;
}

static bool peer_tell_memory(struct peer *p)
{
	struct vhu_mem_table table = {
		.n = 1,
		.region = { { .gpa = 0, .len = p->memory_size, .user = (uintptr_t)p->memory } },
	};

	return vhu_link_tell(&p->link, VHU_SET_MEM_TABLE, &table,
			     offsetof(struct vhu_mem_table, region) + sizeof(table.region[0]),
			     &p->memory_fd, 1);
}

struct vhu_small peer_base(const struct peer *p, unsigned q)
{
	/* Packed: both places of a new ring, their wrap counters at 1. (vhost-user.rst,
	 * VHOST_USER_SET_VRING_BASE) */
	const uint32_t base = p->queue[q].vq.cfg.packed ? 0x80008000u : 0;

	return (struct vhu_small){ .request = VHU_SET_VRING_BASE,
				   .size = sizeof(struct vhu_state),
				   .value.state = { q, base },
				   .fd = -1 };
}

struct vhu_small peer_kick(const struct peer *p, unsigned q)
{
	return (struct vhu_small){ .request = VHU_SET_VRING_KICK,
				   .size = sizeof(uint64_t),
				   .value.u64 = q,
				   .fd = p->queue[q].kick_fd };
}

bool peer_tell_ring(struct peer *p, unsigned q)
{
	const struct peer_queue *queue = &p->queue[q];
	const struct vhu_addr addr = {
		.index = q,
		.desc = (uintptr_t)p->memory + queue->vq.desc,
		.avail = (uintptr_t)p->memory + queue->vq.driver,
		.used = (uintptr_t)p->memory + queue->vq.device,
	};
	const struct vhu_small base = peer_base(p, q), kick = peer_kick(p, q);
	struct vhu_small call = kick;
	struct vhu_link *l = &p->link;

	call.request = VHU_SET_VRING_CALL;
	call.fd = queue->call_fd;
	return vhu_link_tell_ring(l, VHU_SET_VRING_NUM, q, queue->vq.cfg.size) &&
	       vhu_link_tell_small(l, &base) &&
	       vhu_link_tell(l, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0) &&
	       vhu_link_tell_small(l, &call) && vhu_link_tell_small(l, &kick) &&
	       vhu_link_tell_ring(l, VHU_SET_VRING_ENABLE, q, 1) && vhu_link_settle(l);
}

static uint64_t peer_ring_features(const struct drv_config *cfg)
{
	return 1ull << VIRTIO_F_VERSION_1 | (uint64_t)cfg->packed << VIRTIO_F_RING_PACKED |
	       (uint64_t)cfg->in_order << VIRTIO_F_IN_ORDER |
	       (uint64_t)cfg->event_idx << VIRTIO_F_EVENT_IDX;
}

static bool peer_make_queue(struct peer *p, unsigned q, const struct drv_config *wanted,
			    GError **err)
{
	struct peer_queue *queue = &p->queue[q];
	struct drv_config cfg = *wanted;

	if (!eventfd_open(&queue->kick_fd, "a queue", err) ||
	    !eventfd_open(&queue->call_fd, "a queue", err))
		return false;
	cfg.gpa = peer_take(p, cfg.len);
	cfg.base = p->memory + cfg.gpa;
	return drv_vq_init(&queue->vq, &cfg) || peer_fail(err, "a ring of %u entries", cfg.size);
}

static bool peer_tell_rings(struct peer *p, unsigned n)
{
	for (unsigned q = 0; q < n; q++)
		if (!peer_tell_ring(p, q))
			return false;
	return true;
}

bool peer_start(struct peer *p, unsigned n, const struct drv_config *wanted, uint64_t features,
		size_t size, GError **err)
{
	struct drv_config cfg = *wanted;
	uint64_t all;

	cfg.event_idx = cfg.event_idx && p->features >> VIRTIO_F_EVENT_IDX & 1;
	all = peer_ring_features(&cfg) | features;
	if (all & ~p->features)
		return peer_fail(err, "the back-end does not offer %s",
				 cfg.packed && !(p->features >> VIRTIO_F_RING_PACKED & 1)
					 ? "packed rings"
					 : "the features that this takes");
	cfg.len = drv_bytes(&cfg);
	if (!peer_make_memory(p, size + n * ((cfg.len + 4095) & ~(size_t)4095), err))
		return false;
	for (unsigned q = 0; q < n; q++)
		if (!peer_make_queue(p, q, &cfg, err))
			return false;
	return (vhu_link_tell_u64(&p->link, VHU_SET_FEATURES,
				  all | 1ull << VHU_F_PROTOCOL_FEATURES) &&
		peer_tell_memory(p) && peer_tell_rings(p, n)) ||
	       peer_lost(p, err);
}

void peer_publish(struct peer *p, unsigned q)
{
	uint64_t one = 1;

	if (drv_publish(&p->queue[q].vq))
		(void)!write(p->queue[q].kick_fd, &one, sizeof(one));
}

bool peer_await(struct peer *p, unsigned q, GError **err)
{
	struct peer_queue *queue = &p->queue[q];
	struct pollfd fd[] = { { .fd = queue->call_fd, .events = POLLIN },
			       { .fd = p->link.s.fd, .events = POLLIN } };
	uint64_t count;
	int n;

	if (queue->vq.broken)
		return peer_fail(err, "the back-end broke its ring: %s", queue->vq.broken);
	if (!drv_enable_notify(&queue->vq))
		return true;
	do
		n = poll(fd, G_N_ELEMENTS(fd), PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return peer_fail(err, "the back-end has completed nothing for %d s",
				 PATIENCE_MS / 1000);
	if (!fd[0].revents)
		return peer_fail(err, "the back-end has closed the connection");
	(void)!read(queue->call_fd, &count, sizeof(count));
	return true;
}

bool peer_look(struct peer *p, unsigned q, unsigned *turns, GError **err)
{
	if (p->queue[q].vq.broken)
		return peer_fail(err, "the back-end broke its ring: %s", p->queue[q].vq.broken);
	bench_relax(turns);
	if (*turns < LOOKS_IN_VAIN)
		return true;
	*turns = 0;
	return peer_await(p, q, err);
}

uint64_t peer_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
