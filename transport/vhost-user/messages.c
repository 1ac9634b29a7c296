/*
 * Messages: a row for each that is understood, with what it must bring. Any other, and one that
 * brings something else, ends the connection.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vhost-user/vhost-user-impl.h"

/* Features of the device that a front-end cannot serve, or that would need messages which are not
 * here: addresses of an IOMMU's, data with kicks, a reset of one queue. */
#define WITHHELD                                                                   \
	(1ull << VIRTIO_F_ACCESS_PLATFORM | 1ull << VIRTIO_F_ORDER_PLATFORM |      \
	 1ull << VIRTIO_F_NOTIFICATION_DATA | 1ull << VIRTIO_F_NOTIF_CONFIG_DATA | \
	 1ull << VIRTIO_F_RING_RESET)

#define PROTOCOL_FEATURES                                                                      \
	(1ull << VHU_PF_MQ | 1ull << VHU_PF_LOG_SHMFD | 1ull << VHU_PF_INFLIGHT_SHMFD |        \
	 1ull << VHU_PF_DEVICE_STATE | 1ull << VHU_PF_REPLY_ACK | 1ull << VHU_PF_BACKEND_REQ | \
	 1ull << VHU_PF_CONFIG | 1ull << VHU_PF_RESET_DEVICE |                                 \
	 1ull << VHU_PF_CONFIGURE_MEM_SLOTS | 1ull << VHU_PF_STATUS)

/* Of the device status: NEEDS_RESET is the device's. */
#define DRIVER_BITS                                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_FAILED)

/*
 * Features.
 */

/* A network card's control queue is the front-end's, and with it go the features that need it:
 * CTRL_VQ and CTRL_GUEST_OFFLOADS (2), CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, GUEST_ANNOUNCE,
 * CTRL_MAC_ADDR (17 to 21, 23). (5.1.3) MQ it has from us, though the device does not hear of it
 * (vhu_negotiate()): it says which pairs are in use by SET_VRING_ENABLE. */
#define NET_CONTROL (1ull << 2 | 0x1full << 17 | 1ull << 23)

static uint64_t vhu_offered(struct vhost_user *v)
{
	uint64_t withheld = WITHHELD | (v->dev->type == VIRTIO_ID_NET ? NET_CONTROL : 0);
	uint64_t f = vdev_features_offered(v->dev, 0) | (uint64_t)vdev_features_offered(v->dev, 1)
								<< 32;

	return (f & ~(withheld | VHU_F_OWN)) | VHU_F_OWN;
}

static const char *vhu_get_features(struct vhost_user *v, struct vhu_message *m)
{
	m->p->u64 = vhu_offered(v);
	return NULL;
}

/* Who has no SET_VRING_ENABLE has its rings enabled from the start. */
static bool vhu_enabled_at_first(const struct vhost_user *v)
{
	return !(v->features >> VHU_F_PROTOCOL_FEATURES & 1);
}

/* The protocol's own: rings go on with them. */
static const char *vhu_set_own_features(struct vhost_user *v, uint64_t f)
{
	if (f == v->features)
		return NULL;
	vhu_rings_stop(v);
	v->features = f;
	vhu_log_settle(v);
	for (unsigned q = 0; q < v->dev->n_queues; q++)
		v->ring[q].enabled |= vhu_enabled_at_first(v);
	return vhu_rings_settle(v);
}

/* The same once more, as after a stop of the virtual machine, changes nothing. */
static const char *vhu_set_features(struct vhost_user *v, struct vhu_message *m)
{
	uint64_t f = m->p->u64, others = (f ^ v->features) & ~VHU_F_OWN;
	bool broken = vdev_status(v->dev) & VIRTIO_S_NEEDS_RESET;

	if (f & ~vhu_offered(v))
		return "features that were not offered";
	if (others && vhu_any_ring_runs(v))
		return "other features while a ring runs";
	if (others || (broken && !vhu_any_ring_runs(v)))
		vhu_reset(v);
	return vhu_set_own_features(v, f);
}

static const char *vhu_get_protocol_features(struct vhost_user *v, struct vhu_message *m)
{
	(void)v;
	m->p->u64 = PROTOCOL_FEATURES;
	return NULL;
}

static const char *vhu_set_protocol_features(struct vhost_user *v, struct vhu_message *m)
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
static const char *vhu_set_owner(struct vhost_user *v, struct vhu_message *m)
{
	(void)v;
	(void)m;
	return NULL;
}

/* No ring runs before it is set up anew; the memory stays. */
static void vhu_take_rings(struct vhost_user *v)
{
	vhu_rings_stop(v);
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		v->ring[q].has_kick = false;
		v->ring[q].enabled = vhu_enabled_at_first(v);
	}
}

/* Older front-ends end with it. */
static const char *vhu_reset_owner(struct vhost_user *v, struct vhu_message *m)
{
	(void)m;
	vhu_take_rings(v);
	return NULL;
}

static void vhu_reset_all(struct vhost_user *v)
{
	vhu_take_rings(v);
	vhu_inflight_forget(v);
	vhu_reset(v);
}

static const char *vhu_reset_device(struct vhost_user *v, struct vhu_message *m)
{
	(void)m;
	vhu_reset_all(v);
	return NULL;
}

/* A network device's are counted in pairs, without the control queue. */
static const char *vhu_get_queue_num(struct vhost_user *v, struct vhu_message *m)
{
	m->p->u64 = v->dev->type == VIRTIO_ID_NET ? v->dev->n_queues / 2 : v->dev->n_queues;
	return NULL;
}

static const char *vhu_set_status(struct vhost_user *v, struct vhu_message *m)
{
	uint8_t status = (uint8_t)m->p->u64;

	if (m->p->u64 > UINT8_MAX)
		return "a device status of more than 8 bits";
	if (status == 0)
		vhu_reset_all(v);
	if (status & VIRTIO_S_FEATURES_OK && !vhu_negotiate(v))
		status &= (uint8_t)~VIRTIO_S_FEATURES_OK;
	v->status = status ? v->status | (status & DRIVER_BITS) : 0; /* bits only add up */
	return NULL;
}

static const char *vhu_get_status(struct vhost_user *v, struct vhu_message *m)
{
	m->p->u64 = v->status | (vdev_status(v->dev) & VIRTIO_S_NEEDS_RESET);
	return NULL;
}

/* A front-end asks for what it knows of the device type, which may be more than this device has:
 * that reads as 0. */
static const char *vhu_config_range(const struct vhu_message *m)
{
	const struct vhu_config *c = &m->p->config;
	size_t head = offsetof(struct vhu_config, bytes);

	if (m->size < head || c->len > m->size - head)
		return "a configuration access of another size than it says";
	if (c->offset > VHU_CONFIG_MAX || c->len > VHU_CONFIG_MAX - c->offset)
		return "a configuration access beyond the space";
	return NULL;
}

static const char *vhu_get_config(struct vhost_user *v, struct vhu_message *m)
{
	const char *wrong = vhu_config_range(m);

	if (!wrong)
		vdev_config_read(v->dev, m->p->config.offset, m->p->config.bytes, m->p->config.len);
	return wrong;
}

static const char *vhu_set_config(struct vhost_user *v, struct vhu_message *m)
{
	const char *wrong = vhu_config_range(m);

	if (!wrong)
		vdev_config_write(v->dev, m->p->config.offset, m->p->config.bytes,
				  m->p->config.len);
	return wrong;
}

static const char *vhu_set_backend_req_fd(struct vhost_user *v, struct vhu_message *m)
{
	int fd = msg_socket_take_fd(&v->socket, 0), old;

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
static const char *vhu_set_mem_table(struct vhost_user *v, struct vhu_message *m)
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
				       msg_socket_take_fd(&v->socket, i));
	return wrong ? wrong : vhu_rings_settle(v);
}

static const char *vhu_get_max_mem_slots(struct vhost_user *v, struct vhu_message *m)
{
	(void)v;
	m->p->u64 = GMEM_REGIONS_MAX;
	return NULL;
}

static const char *vhu_add_mem_reg(struct vhost_user *v, struct vhu_message *m)
{
	const char *wrong;

	vhu_rings_stop(v);
	wrong = vhu_memory_add(&v->memory, &m->p->region.region, msg_socket_take_fd(&v->socket, 0));
	return wrong ? wrong : vhu_rings_settle(v);
}

static const char *vhu_rem_mem_reg(struct vhost_user *v, struct vhu_message *m)
{
	vhu_rings_stop(v);
	if (!vhu_memory_remove(&v->memory, &m->p->region.region))
		return "the removal of a memory region that is not there";
	return vhu_rings_settle(v);
}

/*
 * The table.
 */
enum { U64 = sizeof(uint64_t), STATE = sizeof(struct vhu_state), ANY = -1 };
enum { ALWAYS = -1 }; /* of no feature of the protocol */

struct vhu_row {
	const char *name;
	const char *(*serve)(struct vhost_user *v, struct vhu_message *m);
	int size;            /* of its payload; ANY: the handler looks */
	unsigned char fds;   /* descriptors, at most */
	bool answers;        /* with a message of the same kind, even unasked */
	signed char feature; /* enum vhu_protocol_feature, without which it is not understood */
};

static const struct vhu_row vhu_rows[VHU_N_REQUESTS] = {
	[VHU_GET_FEATURES] = { "GET_FEATURES", vhu_get_features, 0, 0, true, ALWAYS },
	[VHU_SET_FEATURES] = { "SET_FEATURES", vhu_set_features, U64, 0, false, ALWAYS },
	[VHU_SET_OWNER] = { "SET_OWNER", vhu_set_owner, 0, 0, false, ALWAYS },
	[VHU_RESET_OWNER] = { "RESET_OWNER", vhu_reset_owner, 0, 0, false, ALWAYS },
	[VHU_SET_MEM_TABLE] = { "SET_MEM_TABLE", vhu_set_mem_table, ANY, VHU_MEM_MAX, false,
				ALWAYS },
	[VHU_SET_LOG_BASE] = { "SET_LOG_BASE", vhu_set_log_base, sizeof(struct vhu_area), 1, true,
			       VHU_PF_LOG_SHMFD },
	[VHU_SET_LOG_FD] = { "SET_LOG_FD", vhu_set_log_fd, ANY, 1, false, VHU_PF_LOG_SHMFD },
	[VHU_SET_VRING_NUM] = { "SET_VRING_NUM", vhu_set_vring_num, STATE, 0, false, ALWAYS },
	[VHU_SET_VRING_ADDR] = { "SET_VRING_ADDR", vhu_set_vring_addr, sizeof(struct vhu_addr), 0,
				 false, ALWAYS },
	[VHU_SET_VRING_BASE] = { "SET_VRING_BASE", vhu_set_vring_base, STATE, 0, false, ALWAYS },
	[VHU_GET_VRING_BASE] = { "GET_VRING_BASE", vhu_get_vring_base, STATE, 0, true, ALWAYS },
	[VHU_SET_VRING_KICK] = { "SET_VRING_KICK", vhu_set_vring_kick, U64, 1, false, ALWAYS },
	[VHU_SET_VRING_CALL] = { "SET_VRING_CALL", vhu_set_vring_call, U64, 1, false, ALWAYS },
	[VHU_SET_VRING_ERR] = { "SET_VRING_ERR", vhu_set_vring_err, U64, 1, false, ALWAYS },
	[VHU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", vhu_get_protocol_features, 0, 0,
					true, ALWAYS },
	[VHU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", vhu_set_protocol_features, U64, 0,
					false, ALWAYS },
	[VHU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", vhu_get_queue_num, 0, 0, true, VHU_PF_MQ },
	[VHU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", vhu_set_vring_enable, STATE, 0, false,
				   ALWAYS },
	[VHU_SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", vhu_set_backend_req_fd, 0, 1, false,
				     VHU_PF_BACKEND_REQ },
	[VHU_GET_CONFIG] = { "GET_CONFIG", vhu_get_config, ANY, 0, true, VHU_PF_CONFIG },
	[VHU_SET_CONFIG] = { "SET_CONFIG", vhu_set_config, ANY, 0, false, VHU_PF_CONFIG },
	[VHU_GET_INFLIGHT_FD] = { "GET_INFLIGHT_FD", vhu_get_inflight_fd, ANY, 0, true,
				  VHU_PF_INFLIGHT_SHMFD },
	[VHU_SET_INFLIGHT_FD] = { "SET_INFLIGHT_FD", vhu_set_inflight_fd, ANY, 1, false,
				  VHU_PF_INFLIGHT_SHMFD },
	[VHU_SET_DEVICE_STATE_FD] = { "SET_DEVICE_STATE_FD", vhu_set_device_state_fd,
				      sizeof(struct vhu_transfer_of), 1, true,
				      VHU_PF_DEVICE_STATE },
	[VHU_CHECK_DEVICE_STATE] = { "CHECK_DEVICE_STATE", vhu_check_device_state, 0, 0, true,
				     VHU_PF_DEVICE_STATE },
	[VHU_RESET_DEVICE] = { "RESET_DEVICE", vhu_reset_device, 0, 0, false, VHU_PF_RESET_DEVICE },
	[VHU_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", vhu_get_max_mem_slots, 0, 0, true,
				    VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_ADD_MEM_REG] = { "ADD_MEM_REG", vhu_add_mem_reg, sizeof(struct vhu_mem_region), 1,
			      false, VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_REM_MEM_REG] = { "REM_MEM_REG", vhu_rem_mem_reg, sizeof(struct vhu_mem_region), 1,
			      false, VHU_PF_CONFIGURE_MEM_SLOTS },
	[VHU_SET_STATUS] = { "SET_STATUS", vhu_set_status, U64, 0, false, VHU_PF_STATUS },
	[VHU_GET_STATUS] = { "GET_STATUS", vhu_get_status, 0, 0, true, VHU_PF_STATUS },
};

static const struct vhu_row *vhu_find_row(uint32_t request)
{
	return request < VHU_N_REQUESTS && vhu_rows[request].serve ? &vhu_rows[request] : NULL;
}

const char *vhu_request_name(uint32_t request)
{
	const struct vhu_row *r = vhu_find_row(request);

	return r ? r->name : NULL;
}

static const char *vhu_check_row(const struct vhost_user *v, const struct vhu_row *r)
{
	if (!r || (r->feature != ALWAYS && !vhu_has(v, (enum vhu_protocol_feature)r->feature)))
		return "not among what was offered";
	if (r->size != ANY && (uint32_t)r->size != v->in.header.size)
		return "a payload of another size than such a message has";
	if (v->socket.n_fds > r->fds)
		return "more descriptors than belong to it";
	return NULL;
}

/* An answer of numbers is as long as a number, whatever the question was. */
static uint32_t vhu_answer_size(const struct vhu_row *r, const struct vhu_message *m)
{
	return r->size == 0 ? U64 : m->size;
}

static bool vhu_answer(const struct vhost_user *v, const struct vhu_row *r,
		       const struct vhu_message *m)
{
	struct vhu_header h = { v->in.header.request, VHU_REPLY | VHU_VERSION,
				vhu_answer_size(r, m) };
	bool ok = msg_send(v->socket.fd, &(struct msg_out){ .header = &h,
							    .header_size = sizeof(h),
							    .payload = m->p,
							    .payload_size = h.size,
							    .fds = &m->fd,
							    .n_fds = m->fd >= 0 });

	if (m->fd >= 0)
		close(m->fd);
	return ok;
}

const char *vhu_serve(struct vhost_user *v)
{
	const struct vhu_header *h = &v->in.header;
	const struct vhu_row *r = vhu_find_row(h->request);
	struct vhu_message m = { &v->in.payload, h->size, -1 };
	const char *wrong = vhu_check_row(v, r);
	bool ack = h->flags & VHU_NEED_REPLY && vhu_has(v, VHU_PF_REPLY_ACK);

	if (!wrong)
		wrong = r->serve(v, &m);
	if (!wrong && r->answers)
		return vhu_answer(v, r, &m) ? NULL : "its answer is not taken";
	if (ack && !(r && r->answers)) {
		uint64_t status = wrong != NULL;

		if (!vhu_send(v->socket.fd, h->request, VHU_REPLY, &status, sizeof(status)) &&
		    !wrong)
			wrong = "its answer is not taken";
	}
	return wrong;
}
