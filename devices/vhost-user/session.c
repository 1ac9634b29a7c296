/*
 * What is said to a back-end besides rings, in the order in which front-ends say it (QEMU, DPDK):
 * features and protocol features first; features again when the driver has chosen, then memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost-user/front.h"

#define BIT(n) (1ull << (n))

/* What this front-end makes use of. */
#define PROTOCOL                                                                                   \
	(BIT(VHU_PF_MQ) | BIT(VHU_PF_REPLY_ACK) | BIT(VHU_PF_BACKEND_REQ) | BIT(VHU_PF_CONFIG) |   \
	 BIT(VHU_PF_INFLIGHT_SHMFD) | BIT(VHU_PF_RESET_DEVICE) | BIT(VHU_PF_CONFIGURE_MEM_SLOTS) | \
	 BIT(VHU_PF_STATUS))

/* Features that are not the device's own; those of the protocol, too. */
#define FRONT_END (VDEV_TRANSPORT_FEATURES | BIT(VHU_F_PROTOCOL_FEATURES) | BIT(VHU_F_LOG_ALL))

/* And those of the ring: with memory=bounce the guest's is served here, and that towards the
 * back-end is another. */
#define RING                                                                                     \
	(BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | \
	 BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER))

#define STATUS_BEGUN (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)

unsigned vhu_front_served(const struct vhu_front *f)
{
	return f->vdev.n_queues - f->kind.apart;
}

uint64_t vhu_session_passed(const struct vhu_front *f)
{
	return ~(FRONT_END | f->kind.withheld | f->own | (f->opt_memory ? RING : 0));
}

/*
 * The beginning.
 */
static bool session_protocol(struct vhu_front *f)
{
	/* Without the guest's memory: all that it has in hand is known here. */
	uint64_t wanted = PROTOCOL & ~(f->opt_memory ? BIT(VHU_PF_INFLIGHT_SHMFD) : 0), offered;

	if (!(f->features & BIT(VHU_F_PROTOCOL_FEATURES)))
		return true;
	if (!vhu_link_ask_u64(&f->link, VHU_GET_PROTOCOL_FEATURES, &offered) ||
	    !vhu_link_tell_u64(&f->link, VHU_SET_PROTOCOL_FEATURES, offered & wanted))
		return false;
	f->link.protocol = offered & wanted;
	return true;
}

/* The back-end's own messages; only those about the configuration are of interest. */
static bool session_events(struct vhu_front *f)
{
	int pair[2];
	bool ok;

	if (!vhu_link_has(&f->link, VHU_PF_BACKEND_REQ) || !vhu_link_has(&f->link, VHU_PF_CONFIG))
		return true;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return vhu_link_fail(&f->link, "socketpair: %s", g_strerror(errno));
	vhu_link_listen(&f->link, pair[0]);
	ok = vhu_link_tell(&f->link, VHU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	close(pair[1]);
	return ok;
}

static bool session_limits(struct vhu_front *f)
{
	f->queues_max = 1;
	f->slots_max = VHU_MEM_MAX;
	return (!vhu_link_has(&f->link, VHU_PF_MQ) ||
		vhu_link_ask_u64(&f->link, VHU_GET_QUEUE_NUM, &f->queues_max)) &&
	       (!vhu_link_has(&f->link, VHU_PF_CONFIGURE_MEM_SLOTS) ||
		vhu_link_ask_u64(&f->link, VHU_GET_MAX_MEM_SLOTS, &f->slots_max));
}

bool vhu_session_begin(struct vhu_front *f)
{
	f->ready = f->driver_ok = false;
	f->memory.n = 0;
	if (f->bounce && !vhu_bounce_begin(f))
		return false;
	if (!vhu_link_ask_u64(&f->link, VHU_GET_FEATURES, &f->features) || !session_protocol(f) ||
	    !vhu_link_tell(&f->link, VHU_SET_OWNER, NULL, 0, NULL, 0))
		return false;
	if (!(f->features & BIT(VIRTIO_F_VERSION_1)))
		return vhu_link_fail(&f->link, "it does not offer VERSION_1");
	return session_limits(f) && session_events(f);
}

/*
 * The configuration space.
 */
static void put(uint8_t *config, size_t at, uint64_t value, size_t bytes)
{
	value = GUINT64_TO_LE(value);
	memcpy(config + at, &value, bytes);
}

/* What the operator says has the last word. */
static void session_own_config(const struct vhu_front *f, uint8_t *config)
{
	static const uint8_t no_mac[6];
	const struct vhu_kind *k = &f->kind;
	unsigned n = f->vdev.n_queues - k->queues;

	if (f->tag)
		strncpy((char *)config, f->tag, 36);
	if (memcmp(f->mac, no_mac, sizeof(no_mac)) != 0)
		memcpy(config, f->mac, sizeof(f->mac));
	if (k->count_bytes && (f->queues || !vhu_link_has(&f->link, VHU_PF_CONFIG)))
		put(config, k->count_at, n, k->count_bytes);
}

bool vhu_session_config(struct vhu_front *f, uint8_t *ret)
{
	struct vhu_config c = { .len = (uint32_t)f->vdev.config_size };
	const uint32_t size = (uint32_t)offsetof(struct vhu_config, bytes) + c.len;
	const struct vhu_question q = { .request = VHU_GET_CONFIG,
					.payload = &c,
					.size = size,
					.answer = &c,
					.answer_size = size };

	f->link.config_changed = false;
	if (vhu_link_has(&f->link, VHU_PF_CONFIG) && c.len && !vhu_link_ask(&f->link, &q))
		return false;
	memcpy(ret, c.bytes, f->vdev.config_size);
	session_own_config(f, ret);
	return true;
}

/*
 * Memory.
 */
static struct vhu_region region_of(const struct vhu_front *f, const struct gmem_region *r)
{
	return (struct vhu_region){ .gpa = r->gpa,
				    .len = r->len,
				    .user = f->bounce ? r->gpa : (uintptr_t)r->hva,
				    .offset = r->offset };
}

static bool has_region(const struct gmem *mem, const struct gmem_region *r)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *have = &mem->region[i];

		if (have->gpa == r->gpa && have->len == r->len && have->hva == r->hva &&
		    have->fd == r->fd && have->offset == r->offset)
			return true;
	}
	return false;
}

static bool session_slots(struct vhu_front *f, const struct gmem *mem)
{
	for (unsigned i = 0; i < f->memory.n; i++) {
		const struct vhu_mem_region m = { .region = region_of(f, &f->memory.region[i]) };

		if (!has_region(mem, &f->memory.region[i]) &&
		    !vhu_link_tell(&f->link, VHU_REM_MEM_REG, &m, sizeof(m), NULL, 0))
			return false;
	}
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhu_mem_region m = { .region = region_of(f, &mem->region[i]) };

		if (!has_region(&f->memory, &mem->region[i]) &&
		    !vhu_link_tell(&f->link, VHU_ADD_MEM_REG, &m, sizeof(m), &mem->region[i].fd, 1))
			return false;
	}
	return true;
}

static bool session_table(struct vhu_front *f, const struct gmem *mem)
{
	struct vhu_mem_table t = { .n = mem->n };
	int fds[VHU_MEM_MAX];

	for (unsigned i = 0; i < mem->n; i++) {
		t.region[i] = region_of(f, &mem->region[i]);
		fds[i] = mem->region[i].fd;
	}
	return vhu_link_tell(
		&f->link, VHU_SET_MEM_TABLE, &t,
		(uint32_t)(offsetof(struct vhu_mem_table, region) + mem->n * sizeof(t.region[0])),
		fds, mem->n);
}

/* All of it lies in files: machines see to that for this class, and opening it did. With
 * memory=bounce it is not the guest's. */
static bool session_memory(struct vhu_front *f)
{
	const struct gmem *mem = f->bounce ? &f->bounce->region.mem : f->vdev.mem;
	bool same = f->memory.n == mem->n;

	for (unsigned i = 0; i < mem->n; i++) {
		same = same && has_region(&f->memory, &mem->region[i]);
		if (mem->region[i].fd < 0)
			return vhu_link_fail(&f->link,
					     "guest memory that no other process can map");
	}
	if (same)
		return true;
	if (mem->n > f->slots_max)
		return vhu_link_fail(&f->link, "it takes %u regions of memory, and there are %u",
				     (unsigned)f->slots_max, mem->n);
	if (!(vhu_link_has(&f->link, VHU_PF_CONFIGURE_MEM_SLOTS) ? session_slots(f, mem)
								 : session_table(f, mem)))
		return false;
	f->memory = *mem;
	return true;
}

/*
 * What the back-end has in hand, noted where it outlives it.
 */
static bool session_make_inflight(struct vhu_front *f)
{
	struct vhu_inflight asked = { .n_queues = (uint16_t)vhu_front_served(f),
				      .queue_size = f->vdev.queue[0].size_max };
	const struct vhu_question q = { .request = VHU_GET_INFLIGHT_FD,
					.payload = &asked,
					.size = sizeof(asked),
					.answer = &f->inflight,
					.answer_size = sizeof(f->inflight),
					.ret_fd = &f->inflight_fd };

	if (!vhu_link_ask(&f->link, &q))
		return false;
	if (f->inflight_fd < 0 && f->inflight.size)
		return vhu_link_fail(&f->link, "GET_INFLIGHT_FD: no descriptor comes with it");
	return true;
}

static bool session_inflight(struct vhu_front *f)
{
	if (!vhu_link_has(&f->link, VHU_PF_INFLIGHT_SHMFD))
		return true;
	if (f->inflight_fd < 0 && !session_make_inflight(f))
		return false;
	return f->inflight_fd < 0 || vhu_link_tell(&f->link, VHU_SET_INFLIGHT_FD, &f->inflight,
						   sizeof(f->inflight), &f->inflight_fd, 1);
}

/*
 * A driver.
 */
static bool session_set_status(struct vhu_front *f, uint64_t status)
{
	return !vhu_link_has(&f->link, VHU_PF_STATUS) ||
	       vhu_link_tell_u64(&f->link, VHU_SET_STATUS, status);
}

static bool session_features_held(struct vhu_front *f)
{
	uint64_t status;

	if (!vhu_link_has(&f->link, VHU_PF_STATUS))
		return true;
	if (!vhu_link_ask_u64(&f->link, VHU_GET_STATUS, &status))
		return false;
	return status & VIRTIO_S_FEATURES_OK ||
	       vhu_link_fail(&f->link, "it refuses the driver's features");
}

static bool session_features(struct vhu_front *f)
{
	uint64_t protocol = f->features & BIT(VHU_F_PROTOCOL_FEATURES);
	uint64_t ring = f->bounce ? vhu_bounce_ring_features(f->features) : 0;

	return session_set_status(f, STATUS_BEGUN) &&
	       vhu_link_tell_u64(&f->link, VHU_SET_FEATURES,
				 (f->vdev.accepted.w[0] & vhu_session_passed(f)) | protocol |
					 ring) &&
	       session_set_status(f, STATUS_BEGUN | VIRTIO_S_FEATURES_OK) &&
	       session_features_held(f);
}

bool vhu_session_ready(struct vhu_front *f)
{
	if (!f->ready && !session_features(f))
		return false;
	if (!session_memory(f) || (!f->ready && !session_inflight(f)))
		return false;
	f->ready = true;
	return true;
}

bool vhu_session_driver_ok(struct vhu_front *f)
{
	if (f->driver_ok)
		return true;
	f->driver_ok = true;
	return session_set_status(f, STATUS_BEGUN | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

void vhu_session_reset(struct vhu_front *f)
{
	bool ok = true;

	if (f->inflight_fd >= 0)
		close(f->inflight_fd);
	f->inflight_fd = -1;
	if (f->ready && vhu_link_has(&f->link, VHU_PF_RESET_DEVICE))
		ok = vhu_link_tell(&f->link, VHU_RESET_DEVICE, NULL, 0, NULL, 0);
	else if (f->ready)
		ok = session_set_status(f, 0);
	f->ready = f->driver_ok = false;
	if (!ok)
		vhu_front_lost(f);
}
