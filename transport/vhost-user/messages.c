/*
 * Messages: a row for each that is understood, with what it must bring. Any other, and one that
 * brings something else, ends the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

#define VIRTIO_ID_NET 1u

/* Features of the device that a front-end cannot serve, or that would need messages which are not
 * here: addresses of an IOMMU's, data with kicks, a reset of one queue. */
#define WITHHELD                                                                   \
	(1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << VIRTIO_F_ORDER_PLATFORM |      \
	 1ull << VIRTIO_F_NOTIFICATION_DATA | 1ull << VIRTIO_F_NOTIF_CONFIG_DATA | \
	 1ull << VIRTIO_F_RING_RESET | 1ull << VHU_F_LOG_ALL | 1ull << VHU_F_PROTOCOL_FEATURES)

#define PROTOCOL_FEATURES                                                            \
	(1ull << VHU_PF_MQ | 1ull << VHU_PF_REPLY_ACK | 1ull << VHU_PF_BACKEND_REQ | \
	 1ull << VHU_PF_CONFIG | 1ull << VHU_PF_RESET_DEVICE |                       \
	 1ull << VHU_PF_CONFIGURE_MEM_SLOTS | 1ull << VHU_PF_STATUS)

/* Of the device status: NEEDS_RESET is the device's. */
#define DRIVER_BITS                                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_FAILED)

/* What a handler has: the payload, in which it leaves its answer, too. */
struct message {
	union vhu_payload *p;
	uint32_t size; /* of the payload; an answer's */
};

/*
 * Features.
 */

/* A network card's control queue is the front-end's, and with it go the features that need it:
 * CTRL_VQ and CTRL_GUEST_OFFLOADS (2), CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, GUEST_ANNOUNCE, MQ,
 * CTRL_MAC_ADDR (17 to 23). (5.1.3) */
#define NET_CONTROL (1ull << 2 | 0x7full << 17)

static uint64_t offered(struct vhost_user *v)
{
	uint64_t withheld = WITHHELD | (v->dev->class->id == VIRTIO_ID_NET ? NET_CONTROL : 0);
	uint64_t f = vdev_features_offered(v->dev, 0) | (uint64_t)vdev_features_offered(v->dev, 1)
								<< 32;

	return (f & ~withheld) | 1ull << VHU_F_PROTOCOL_FEATURES;
}

static const char *get_features(struct vhost_user *v, struct message *m)
{
	m->p->u64 = offered(v);
	return NULL;
}

static bool any_ring_runs(const struct vhost_user *v)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		if (v->ring[q].running)
			return true;
	return false;
}

/* Who has no SET_VRING_ENABLE has its rings enabled from the start. */
static bool enabled_at_first(const struct vhost_user *v)
{
	return !(v->features >> VHU_F_PROTOCOL_FEATURES & 1);
}

/* The same once more, as after a stop of the virtual machine, changes nothing. */
static const char *set_features(struct vhost_user *v, struct message *m)
{
	uint64_t f = m->p->u64;

	if (f & ~offered(v))
		return "features that were not offered";
	if (f == v->features && !(vdev_status(v->dev) & VIRTIO_S_NEEDS_RESET))
		return NULL;
	if (any_ring_runs(v))
		return f == v->features ? NULL : "other features while a ring runs";
	vhu_reset(v);
	v->features = f;
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		v->ring[q].enabled |= enabled_at_first(v);
	return NULL;
}

static const char *get_protocol_features(struct vhost_user *v, struct message *m)
{
	(void)v;
	m->p->u64 = PROTOCOL_FEATURES;
	return NULL;
}

static const char *set_protocol_features(struct vhost_user *v, struct message *m)
{
	if (m->p->u64 & ~PROTOCOL_FEATURES)
		return "protocol features that were not offered";
	v->protocol = m->p->u64;
	pthread_mutex_lock(&v->lock);
	v->wants_config = vhu_has(v, VHU_PF_CONFIG);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

/*
 * The device.
 */
static const char *set_owner(struct vhost_user *v, struct message *m)
{
	(void)v;
	(void)m;
	return NULL;
}

/* No ring runs before it is set up anew; the memory stays. */
static void take_rings(struct vhost_user *v)
{
	vhu_rings_stop(v);
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		v->ring[q].has_kick = false;
		v->ring[q].enabled = enabled_at_first(v);
	}
}

/* Older front-ends end with it. */
static const char *reset_owner(struct vhost_user *v, struct message *m)
{
	(void)m;
	take_rings(v);
	return NULL;
}

static void reset(struct vhost_user *v)
{
	take_rings(v);
	vhu_reset(v);
}

static const char *reset_device(struct vhost_user *v, struct message *m)
{
	(void)m;
	reset(v);
	return NULL;
}

/* Without the control queue, which front-ends keep to themselves, a network device has one pair of
 * queues; and theirs are counted in pairs. */
static const char *get_queue_num(struct vhost_user *v, struct message *m)
{
	m->p->u64 = v->dev->class->id == VIRTIO_ID_NET ? 1 : v->dev->n_queues;
	return NULL;
}

static const char *set_status(struct vhost_user *v, struct message *m)
{
	uint8_t status = (uint8_t)m->p->u64;

	if (m->p->u64 > UINT8_MAX)
		return "a device status of more than 8 bits";
	if (status == 0)
		reset(v);
	if (status & VIRTIO_S_FEATURES_OK && !vhu_negotiate(v))
		status &= (uint8_t)~VIRTIO_S_FEATURES_OK;
	v->status = status ? v->status | (status & DRIVER_BITS) : 0; /* bits only add up */
	return NULL;
}

static const char *get_status(struct vhost_user *v, struct message *m)
{
	m->p->u64 = v->status | (vdev_status(v->dev) & VIRTIO_S_NEEDS_RESET);
	return NULL;
}

/* A front-end asks for what it knows of the device type, which may be more than this device has:
 * that reads as 0. */
static const char *config_range(const struct message *m)
{
	const struct vhu_config *c = &m->p->config;
	size_t head = offsetof(struct vhu_config, bytes);

	if (m->size < head || c->len > m->size - head)
		return "a configuration access of another size than it says";
	if (c->offset > VHU_CONFIG_MAX || c->len > VHU_CONFIG_MAX - c->offset)
		return "a configuration access beyond the space";
	return NULL;
}

static const char *get_config(struct vhost_user *v, struct message *m)
{
	const char *wrong = config_range(m);

	if (!wrong)
		vdev_config_read(v->dev, m->p->config.offset, m->p->config.bytes, m->p->config.len);
	return wrong;
}

static const char *set_config(struct vhost_user *v, struct message *m)
{
	const char *wrong = config_range(m);

	if (!wrong)
		vdev_config_write(v->dev, m->p->config.offset, m->p->config.bytes,
				  m->p->config.len);
	return wrong;
}

static const char *set_backend_req_fd(struct vhost_user *v, struct message *m)
{
	int fd = vhu_socket_take_fd(&v->socket, 0), old;

	(void)m;
	pthread_mutex_lock(&v->lock);
	old = v->backend_fd;
	v->backend_fd = fd;
	pthread_mutex_unlock(&v->lock);
	if (old >= 0)
		close(old);
	return NULL;
}

/*
 * Memory. Rings that run are stopped meanwhile, since devices look at the table without a lock.
 */
static const char *set_mem_table(struct vhost_user *v, struct message *m)
{
	const struct vhu_mem_table *t = &m->p->table;
	size_t head = offsetof(struct vhu_mem_table, region);
	const char *wrong = NULL;

	if (m->size < head || t->n > VHU_MEM_MAX || m->size < head + t->n * sizeof(t->region[0]))
		return "a memory table of another size than it says";
	if (v->socket.n_fds != t->n)
		return "a memory table with another number of descriptors than regions";
	vhu_rings_stop(v);
	vhu_memory_clear(&v->memory);
	for (unsigned i = 0; i < t->n && !wrong; i++)
		wrong = vhu_memory_add(&v->memory, &t->region[i],
				       vhu_socket_take_fd(&v->socket, i));
	return wrong ? wrong : vhu_rings_settle(v);
}

static const char *get_max_mem_slots(struct vhost_user *v, struct message *m)
{
	(void)v;
	m->p->u64 = GMEM_REGIONS_MAX;
	return NULL;
}

static const char *add_mem_reg(struct vhost_user *v, struct message *m)
{
	const char *wrong;

	vhu_rings_stop(v);
	wrong = vhu_memory_add(&v->memory, &m->p->region.region, vhu_socket_take_fd(&v->socket, 0));
	return wrong ? wrong : vhu_rings_settle(v);
}

static const char *rem_mem_reg(struct vhost_user *v, struct message *m)
{
	vhu_rings_stop(v);
	if (!vhu_memory_remove(&v->memory, &m->p->region.region))
		return "the removal of a memory region that is not there";
	return vhu_rings_settle(v);
}

/*
 * Rings.
 */
static struct vhu_ring *ring(struct vhost_user *v, uint64_t index)
{
	return index < v->dev->n_queues ? &v->ring[index] : NULL;
}

static const char no_such_ring[] = "a queue that the device does not have";

static const char *set_vring_num(struct vhost_user *v, struct message *m)
{
	struct vhu_ring *r = ring(v, m->p->state.index);

	if (!r)
		return no_such_ring;
	if (!m->p->state.value || m->p->state.value > VRING_QUEUE_SIZE_MAX)
		return "a queue size that there is not";
	vhu_ring_stop(v, m->p->state.index);
	r->size = (uint16_t)m->p->state.value;
	return vhu_ring_settle(v, m->p->state.index);
}

static const char *set_vring_addr(struct vhost_user *v, struct message *m)
{
	struct vhu_ring *r = ring(v, m->p->addr.index);

	if (!r)
		return no_such_ring;
	vhu_ring_stop(v, m->p->addr.index);
	r->addr = m->p->addr;
	r->has_addr = true;
	return vhu_ring_settle(v, m->p->addr.index);
}

static const char *set_vring_base(struct vhost_user *v, struct message *m)
{
	struct vhu_ring *r = ring(v, m->p->state.index);

	if (!r)
		return no_such_ring;
	if (r->running)
		return "another base for a ring that runs";
	r->base = m->p->state.value;
	return NULL;
}

/* The ring is the front-end's again: it starts anew with a kick descriptor. */
static const char *get_vring_base(struct vhost_user *v, struct message *m)
{
	struct vhu_ring *r = ring(v, m->p->state.index);

	if (!r)
		return no_such_ring;
	vhu_ring_stop(v, m->p->state.index);
	r->has_kick = false;
	m->p->state.value = r->base;
	return NULL;
}

static const char *set_vring_enable(struct vhost_user *v, struct message *m)
{
	struct vhu_ring *r = ring(v, m->p->state.index);

	if (!r)
		return no_such_ring;
	r->enabled = m->p->state.value != 0;
	if (!r->enabled)
		vhu_ring_stop(v, m->p->state.index);
	return r->enabled ? vhu_ring_settle(v, m->p->state.index) : NULL;
}

/* An eventfd is in no file system, and of no type that fstat() knows. */
static bool is_eventfd(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && !(st.stx_mode & S_IFMT);
}

/* The message's descriptor, or a new eventfd if it says that it has none. -1: neither. The
 * caller's. Neither reading nor writing it makes us wait, unless its other owner has it so. */
static int eventfd_of(struct vhost_user *v, const struct message *m)
{
	bool none = m->p->u64 & VHU_NO_FD;
	int fd = none ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : vhu_socket_take_fd(&v->socket, 0);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) == O_RDWR && is_eventfd(fd) &&
	    (flags & O_NONBLOCK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static const char no_descriptor[] = "without the descriptor that belongs to it";

static const char *set_vring_kick(struct vhost_user *v, struct message *m)
{
	unsigned q = m->p->u64 & VHU_QUEUE_MASK;
	struct vhu_ring *r = ring(v, q);
	int fd, ret;

	if (!r)
		return no_such_ring;
	if (m->p->u64 & VHU_NO_FD)
		return "a ring that is to be polled: not supported";
	fd = eventfd_of(v, m);
	if (fd < 0)
		return no_descriptor;
	vhu_ring_stop(v, q);
	ret = vdev_queue_set_kick_fd(v->dev, q, fd);
	close(fd);
	if (ret < 0)
		return g_strerror(-ret);
	r->has_kick = true;
	return vhu_ring_settle(v, q);
}

static const char *replace(struct vhost_user *v, struct message *m, size_t which)
{
	struct vhu_ring *r = ring(v, m->p->u64 & VHU_QUEUE_MASK);
	int fd, ret;

	if (!r)
		return no_such_ring;
	fd = eventfd_of(v, m);
	if (fd < 0)
		return no_descriptor;
	ret = dup3(fd, G_STRUCT_MEMBER(int, r, which), O_CLOEXEC) < 0 ? errno : 0;
	close(fd);
	return ret ? g_strerror(ret) : NULL;
}

/* What was to be told before it came is told now. */
static const char *set_vring_call(struct vhost_user *v, struct message *m)
{
	unsigned q = m->p->u64 & VHU_QUEUE_MASK;
	const char *wrong = replace(v, m, offsetof(struct vhu_ring, call_fd));

	if (wrong || !v->ring[q].running)
		return wrong;
	vdev_call_changed(v->dev, q);
	eventfd_signal(v->ring[q].call_fd);
	return NULL;
}

static const char *set_vring_err(struct vhost_user *v, struct message *m)
{
	return replace(v, m, offsetof(struct vhu_ring, err_fd));
}

/*
 * The table.
 */
enum { U64 = sizeof(uint64_t), STATE = sizeof(struct vhu_state), ANY = -1 };
enum { ALWAYS = -1 }; /* of no feature of the protocol */

struct row {
	const char *name;
	const char *(*serve)(struct vhost_user *v, struct message *m);
	int size;            /* of its payload; ANY: the handler looks */
	unsigned char fds;   /* descriptors, at most */
	bool answers;        /* with a message of the same kind, even unasked */
	signed char feature; /* enum vhu_protocol_feature, without which it is not understood */
};

static const struct row rows[VHU_N_REQUESTS] = {
	[VHU_GET_FEATURES] = { "GET_FEATURES", get_features, 0, 0, true, ALWAYS },
	[VHU_SET_FEATURES] = { "SET_FEATURES", set_features, U64, 0, false, ALWAYS },
	[VHU_SET_OWNER] = { "SET_OWNER", set_owner, 0, 0, false, ALWAYS },
	[VHU_RESET_OWNER] = { "RESET_OWNER", reset_owner, 0, 0, false, ALWAYS },
	[VHU_SET_MEM_TABLE] = { "SET_MEM_TABLE", set_mem_table, ANY, VHU_MEM_MAX, false, ALWAYS },
	[VHU_SET_VRING_NUM] = { "SET_VRING_NUM", set_vring_num, STATE, 0, false, ALWAYS },
	[VHU_SET_VRING_ADDR] = { "SET_VRING_ADDR", set_vring_addr, sizeof(struct vhu_addr), 0,
				 false, ALWAYS },
	[VHU_SET_VRING_BASE] = { "SET_VRING_BASE", set_vring_base, STATE, 0, false, ALWAYS },
	[VHU_GET_VRING_BASE] = { "GET_VRING_BASE", get_vring_base, STATE, 0, true, ALWAYS },
	[VHU_SET_VRING_KICK] = { "SET_VRING_KICK", set_vring_kick, U64, 1, false, ALWAYS },
	[VHU_SET_VRING_CALL] = { "SET_VRING_CALL", set_vring_call, U64, 1, false, ALWAYS },
	[VHU_SET_VRING_ERR] = { "SET_VRING_ERR", set_vring_err, U64, 1, false, ALWAYS },
	[VHU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", get_protocol_features, 0, 0, true,
					ALWAYS },
	[VHU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", set_protocol_features, U64, 0,
					false, ALWAYS },
	[VHU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", get_queue_num, 0, 0, true, VHU_PF_MQ },
	[VHU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", set_vring_enable, STATE, 0, false, ALWAYS },
	[VHU_SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", set_backend_req_fd, 0, 1, false,
				     VHU_PF_BACKEND_REQ },
	[VHU_GET_CONFIG] = { "GET_CONFIG", get_config, ANY, 0, true, VHU_PF_CONFIG },
	[VHU_SET_CONFIG] = { "SET_CONFIG", set_config, ANY, 0, false, VHU_PF_CONFIG },
	[VHU_RESET_DEVICE] = { "RESET_DEVICE", reset_device, 0, 0, false, VHU_PF_RESET_DEVICE },
	[VHU_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", get_max_mem_slots, 0, 0, true,
				    VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_ADD_MEM_REG] = { "ADD_MEM_REG", add_mem_reg, sizeof(struct vhu_mem_region), 1, false,
			      VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_REM_MEM_REG] = { "REM_MEM_REG", rem_mem_reg, sizeof(struct vhu_mem_region), 1, false,
			      VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_SET_STATUS] = { "SET_STATUS", set_status, U64, 0, false, VHU_PF_STATUS },
	[VHU_GET_STATUS] = { "GET_STATUS", get_status, 0, 0, true, VHU_PF_STATUS },
};

static const struct row *find_row(uint32_t request)
{
	return request < VHU_N_REQUESTS && rows[request].serve ? &rows[request] : NULL;
}

const char *vhu_request_name(uint32_t request)
{
	const struct row *r = find_row(request);

	return r ? r->name : NULL;
}

static const char *check(const struct vhost_user *v, const struct row *r)
{
	if (!r || (r->feature != ALWAYS && !vhu_has(v, (enum vhu_protocol_feature)r->feature)))
		return "not among what was offered";
	if (r->size != ANY && (uint32_t)r->size != v->socket.in.header.size)
		return "a payload of another size than such a message has";
	if (v->socket.n_fds > r->fds)
		return "more descriptors than belong to it";
	return NULL;
}

/* An answer of numbers is as long as a number, whatever the question was. */
static uint32_t answer_size(const struct row *r, const struct message *m)
{
	return r->size == 0 ? U64 : m->size;
}

const char *vhu_serve(struct vhost_user *v)
{
	const struct vhu_header *h = &v->socket.in.header;
	const struct row *r = find_row(h->request);
	struct message m = { &v->socket.in.payload, h->size };
	const char *wrong = check(v, r);
	bool ack = h->flags & VHU_NEED_REPLY && vhu_has(v, VHU_PF_REPLY_ACK);

	if (!wrong)
		wrong = r->serve(v, &m);
	if (!wrong && r->answers)
		return vhu_send(v->socket.fd, h->request, VHU_REPLY, m.p, answer_size(r, &m))
			       ? NULL
			       : "its answer is not taken";
	if (ack && !(r && r->answers)) {
		uint64_t status = wrong != NULL;

		if (!vhu_send(v->socket.fd, h->request, VHU_REPLY, &status, sizeof(status)) &&
		    !wrong)
			wrong = "its answer is not taken";
	}
	return wrong;
}
