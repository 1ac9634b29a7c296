/* The link without a transport: registers are C calls. */
#include "tests/support/rig-impl.h"
#include "transport/direct.h"

struct direct_link {
	struct direct *direct;
	uint64_t queue[VDEV_QUEUES_MAX], config; /* interrupts already told of */
};

static void link_open(struct rig *r)
{
	struct direct_link *l = g_new0(struct direct_link, 1);

	r->transport = l;
	l->direct = direct_new(r->dev);
}

static void link_close(struct rig *r)
{
	struct direct_link *l = r->transport;

	direct_free(l->direct);
	g_free(l);
}

static uint32_t offered(struct rig *r, uint32_t select)
{
	return vdev_features_offered(r->dev, select);
}

static void accept_bits(struct rig *r, uint32_t select, uint32_t bits)
{
	vdev_features_accept(r->dev, select, bits);
}

static uint32_t status(struct rig *r)
{
	return vdev_status(r->dev);
}

static void set_status(struct rig *r, uint32_t value)
{
	vdev_set_status(r->dev, value);
}

static void config_read(struct rig *r, size_t off, void *dst, size_t len)
{
	vdev_config_read(r->dev, off, dst, len);
}

static void config_write(struct rig *r, size_t off, const void *src, size_t len)
{
	vdev_config_write(r->dev, off, src, len);
}

static uint32_t generation(struct rig *r)
{
	return vdev_config_generation(r->dev);
}

static unsigned queue_max(struct rig *r, unsigned q)
{
	return (unsigned)vdev_queue_read(r->dev, q, VQR_SIZE_MAX);
}

static void queue_set(struct rig *r, unsigned q, const struct rig_ring *ring)
{
	vdev_queue_write(r->dev, q, VQR_SIZE, ring->size, UINT64_MAX);
	vdev_queue_write(r->dev, q, VQR_DESC, ring->desc, UINT64_MAX);
	vdev_queue_write(r->dev, q, VQR_DRIVER, ring->driver, UINT64_MAX);
	vdev_queue_write(r->dev, q, VQR_DEVICE, ring->device, UINT64_MAX);
	vdev_queue_write(r->dev, q, VQR_ENABLE, 1, UINT64_MAX);
}

static bool queue_enabled(struct rig *r, unsigned q)
{
	return vdev_queue_read(r->dev, q, VQR_ENABLE);
}

static void queue_reset(struct rig *r, unsigned q)
{
	vdev_queue_write(r->dev, q, VQR_RESET, 1, UINT64_MAX);
}

static void kick(struct rig *r, unsigned q)
{
	vdev_notify(r->dev, q);
}

static void interrupts(struct rig *r)
{
	struct direct_link *l = r->transport;

	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		while (l->queue[q] != direct_queue_interrupts(l->direct, q)) {
			l->queue[q]++;
			rig_interrupted(r, q);
		}
	while (l->config != direct_config_interrupts(l->direct)) {
		l->config++;
		rig_config_interrupted(r);
	}
}

const struct rig_link_ops rig_direct_ops = {
	.open = link_open,
	.close = link_close,
	.offered = offered,
	.accept = accept_bits,
	.status = status,
	.set_status = set_status,
	.config_read = config_read,
	.config_write = config_write,
	.generation = generation,
	.queue_max = queue_max,
	.queue_set = queue_set,
	.queue_enabled = queue_enabled,
	.queue_reset = queue_reset,
	.kick = kick,
	.interrupts = interrupts,
};
