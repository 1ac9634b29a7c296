/*
 * The link over vhost-user: the driver's registers are a front-end's messages, as QEMU sends them,
 * and memory comes to the device as descriptors, mapped there a second time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/rig-impl.h"
#include "tests/support/vhost-user-front.h"
#include "transport/vhost-user/vhost-user.h"

#define PROTOCOL UINT64_MAX /* all that is offered */

struct front_queue {
	struct virtio_queue regs;
	bool enabled; /* by the driver; the back-end is told at DRIVER_OK, as QEMU does */
	bool running;
	int kick, call;
};

struct front_link {
	struct vhost_user *back;
	struct front front;
	uint64_t features; /* as the driver accepts them */
	uint32_t beyond;   /* and those above 63, which vhost-user does not carry */
	uint8_t status;
	unsigned selected;
	struct front_queue queue[VDEV_QUEUES_MAX];
};

static struct front_link *link_of(const struct virtio_dev *v)
{
	return ((struct rig *)v->opaque)->transport;
}

static void nothing(void *arg)
{
	(void)arg;
}

/*
 * The device's eventfds are duplicates of ours: the thread sanitizer, which goes by the numbers of
 * descriptors, does not see that what is written here is read there. So the threads meet once more.
 */
static void meet_owner(struct rig *r)
{
	if (r->thread)
		loop_call(r->thread, nothing, NULL);
}

static void ended(void *opaque)
{
	(void)opaque;
}

/*
 * Memory.
 */
static void give_memory(struct front_link *l, const struct gmem *mem)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];
		struct vhu_mem_region m = { .region = { .gpa = r->gpa,
							.len = r->len,
							.user = (uintptr_t)r->hva,
							.offset = r->offset } };

		assert_true(front_set(&l->front, VHU_ADD_MEM_REG, &m, sizeof(m), r->fd));
	}
}

/* A ring is told of where the front-end has it. */
static uint64_t user(const struct rig *r, uint64_t gpa)
{
	const struct rig_arena *a = gpa < r->high.gpa ? &r->low : &r->high;

	return (uintptr_t)a->base + (gpa - a->gpa);
}

/*
 * The driver's side.
 */
static uint32_t offered(const struct virtio_dev *v, unsigned word)
{
	uint64_t f = front_get(&link_of(v)->front, VHU_GET_FEATURES) &
		     ~(1ull << VHU_F_PROTOCOL_FEATURES);

	return word < 2 ? (uint32_t)(f >> (32 * word)) : 0;
}

static void accept(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	uint64_t *f = &link_of(v)->features;

	if (word == 2)
		link_of(v)->beyond = 0;
	if (word >= 2)
		link_of(v)->beyond |= bits;
	else
		*f = (*f & ~(0xffffffffull << (32 * word))) | (uint64_t)bits << (32 * word);
}

static uint8_t status(const struct virtio_dev *v)
{
	return (uint8_t)front_get(&link_of(v)->front, VHU_GET_STATUS);
}

static void stop_queue(struct front_link *l, unsigned q)
{
	struct vhu_state s = { q, 0 };

	l->queue[q].enabled = false;
	if (!l->queue[q].running)
		return;
	assert_true(front_send(&l->front, VHU_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0));
	assert_int_equal(front_answer(&l->front, VHU_GET_VRING_BASE, &s, sizeof(s)), sizeof(s));
	l->queue[q].running = false;
}

static void start_queue(struct rig *r, unsigned index)
{
	struct front_link *l = r->transport;
	const struct front_queue *q = &l->queue[index];
	bool packed = l->features >> VIRTIO_F_RING_PACKED & 1;
	struct vhu_addr addr = { .index = index,
				 .flags = VHU_VRING_F_LOG,
				 .log = q->regs.device,
				 .desc = user(r, q->regs.desc),
				 .avail = user(r, q->regs.driver),
				 .used = user(r, q->regs.device) };

	assert_true(front_set_state(&l->front, VHU_SET_VRING_NUM, index, q->regs.size));
	assert_true(
		front_set_state(&l->front, VHU_SET_VRING_BASE, index, packed ? 0x80008000u : 0));
	assert_true(front_set(&l->front, VHU_SET_VRING_ADDR, &addr, sizeof(addr), -1));
	assert_true(front_set_u64(&l->front, VHU_SET_VRING_CALL, index, q->call));
	assert_true(front_set_u64(&l->front, VHU_SET_VRING_KICK, index, q->kick));
	assert_true(front_set_state(&l->front, VHU_SET_VRING_ENABLE, index, 1));
}

static void start_queues(struct rig *r)
{
	struct front_link *l = r->transport;

	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		if (l->queue[q].enabled && !l->queue[q].running) {
			start_queue(r, q);
			l->queue[q].running = true;
		}
}

static void set_status(const struct virtio_dev *v, uint8_t value)
{
	struct front_link *l = link_of(v);

	if (value == 0) {
		for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
			stop_queue(l, q);
		l->features = 0;
	}
	/* What is not offered is the front-end's to refuse, and never gets to the back-end. */
	if (l->beyond || l->features & ~(offered(v, 0) | (uint64_t)offered(v, 1) << 32))
		value &= (uint8_t)~VIRTIO_S_FEATURES_OK;
	if (value & ~l->status & VIRTIO_S_FEATURES_OK)
		assert_true(front_set_u64(&l->front, VHU_SET_FEATURES,
					  l->features | 1ull << VHU_F_PROTOCOL_FEATURES, -1));
	assert_true(front_set_u64(&l->front, VHU_SET_STATUS, value, -1));
	l->status = value;
	if (value & VIRTIO_S_DRIVER_OK)
		start_queues(v->opaque);
}

static uint32_t config_read(const struct virtio_dev *v, unsigned off, unsigned len)
{
	struct vhu_config c = { .offset = off, .len = len };
	uint32_t size = offsetof(struct vhu_config, bytes) + len;
	le32 value = 0;

	assert_true(front_send(&link_of(v)->front, VHU_GET_CONFIG, 0, &c, size, NULL, 0));
	assert_int_equal(front_answer(&link_of(v)->front, VHU_GET_CONFIG, &c, size), size);
	memcpy(&value, c.bytes, len);
	return le32_cpu(value);
}

static void config_write(const struct virtio_dev *v, unsigned off, unsigned len, uint32_t value)
{
	struct vhu_config c = { .offset = off, .len = len };
	le32 bytes = cpu_le32(value);

	memcpy(c.bytes, &bytes, len);
	assert_true(front_set(&link_of(v)->front, VHU_SET_CONFIG, &c,
			      offsetof(struct vhu_config, bytes) + len, -1));
}

/* There is none: a read is one message. */
static uint32_t generation(const struct virtio_dev *v)
{
	(void)v;
	return 0;
}

/* A front-end's operator knows, or takes what the device has elsewhere. */
static uint16_t queue_max(const struct virtio_dev *v, unsigned index)
{
	const struct rig *r = v->opaque;
	const struct vdev *dev = r->dev;

	if (index >= dev->n_queues)
		return 0;
	return dev->opt_queue_size ? dev->queue[index].size_max : vdev_queue_size(dev);
}

static bool queue_enabled(const struct virtio_dev *v, unsigned index)
{
	return link_of(v)->queue[index].enabled;
}

static void queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	link_of(v)->selected = q->index;
	link_of(v)->queue[q->index].regs = *q;
}

static void queue_enable(const struct virtio_dev *v)
{
	struct front_link *l = link_of(v);

	l->queue[l->selected].enabled = true;
	if (l->status & VIRTIO_S_DRIVER_OK)
		start_queues(v->opaque);
}

/* As the driver sees it, a reset: the ring is taken away, and begins anew. */
static void queue_reset(const struct virtio_dev *v, unsigned index)
{
	stop_queue(link_of(v), index);
}

static bool queue_resetting(const struct virtio_dev *v)
{
	(void)v;
	return false;
}

static void notify(const struct virtio_dev *v, const struct virtio_queue *q, uint32_t value)
{
	(void)value;
	meet_owner(v->opaque);
	eventfd_signal(link_of(v)->queue[q->index].kick);
}

static const struct virtio_ops front_driver_ops = {
	.name = "vhost-user",
	.offered = offered,
	.accept = accept,
	.status = status,
	.set_status = set_status,
	.config_read = config_read,
	.config_write = config_write,
	.generation = generation,
	.queue_max = queue_max,
	.queue_enabled = queue_enabled,
	.queue_set = queue_set,
	.queue_enable = queue_enable,
	.queue_reset = queue_reset,
	.queue_resetting = queue_resetting,
	.notify = notify,
};

/*
 * The link.
 */
static void link_open(struct rig *r)
{
	struct front_link *l = g_new0(struct front_link, 1);
	struct gmem mem = r->mem;
	GError *err = NULL;

	r->transport = l;
	r->mem = (struct gmem){ 0 };
	l->back = vhost_user_new(r->dev, &r->mem, r->main, ended, r, &err);
	assert_non_null(l->back);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		assert_true(eventfd_open(&l->queue[q].kick, "kick", NULL));
		assert_true(eventfd_open(&l->queue[q].call, "call", NULL));
	}
	front_open(&l->front, l->back);
	front_begin(&l->front, PROTOCOL);
	give_memory(l, &mem);
	r->io = rig_io(r);
	r->driver = (struct virtio_dev){
		.ops = &front_driver_ops, .io = &r->io, .id = r->dev->type, .opaque = r
	};
}

/* The next device finds the table as the first did. */
static void link_close(struct rig *r)
{
	struct front_link *l = r->transport;

	vhost_user_free(l->back);
	front_close(&l->front);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		eventfd_close(&l->queue[q].kick);
		eventfd_close(&l->queue[q].call);
	}
	g_free(l);
	rig_remember_memory(r);
}

static void interrupts(struct rig *r)
{
	struct front_link *l = r->transport;
	unsigned changes = front_config_changes(&l->front), n = changes;
	uint64_t count;

	for (unsigned q = 0; q < r->dev->n_queues; q++)
		if (read(l->queue[q].call, &count, sizeof(count)) == sizeof(count))
			for (; count; count--, n++)
				rig_interrupted(r, q);
	for (; changes; changes--)
		rig_config_interrupted(r);
	if (n)
		meet_owner(r);
}

const struct rig_link_ops rig_vhost_user_ops = {
	.open = link_open,
	.close = link_close,
	.interrupts = interrupts,
};
