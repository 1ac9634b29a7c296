/* Registers are C calls: offsets name the calls, so that the input has as much to play with here. */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/direct.h"

struct direct_link {
	struct direct *direct;
	uint64_t told; /* interrupts so far */
	uint32_t select;
	unsigned queue;
};

static void link_open(struct fixture *fx)
{
	struct direct_link *l = g_new0(struct direct_link, 1);

	fx->transport = l;
	l->direct = direct_new(fx->dev);
}

static void link_close(struct fixture *fx)
{
	struct direct_link *l = fx->transport;

	direct_free(l->direct);
	g_free(l);
}

static void machine_reset(struct fixture *fx)
{
	vdev_set_status(fx->dev, 0);
}

static void ready(struct fixture *fx)
{
	(void)fx;
}

static void reset_selectors(struct fixture *fx)
{
	struct direct_link *l = fx->transport;

	l->select = 0;
	l->queue = 0;
}

/* As a driver over another link would leave the selectors. */
static uint32_t offered(struct fixture *fx, unsigned select)
{
	((struct direct_link *)fx->transport)->select = select;
	return vdev_features_offered(fx->dev, select);
}

static void accept_bits(struct fixture *fx, unsigned select, uint32_t bits)
{
	vdev_features_accept(fx->dev, select, bits);
}

static uint32_t status(struct fixture *fx)
{
	return vdev_status(fx->dev);
}

static void set_status(struct fixture *fx, uint32_t value)
{
	vdev_set_status(fx->dev, value);
}

static unsigned queue_max(struct fixture *fx, unsigned q)
{
	return (unsigned)vdev_queue_read(fx->dev, q, VQR_SIZE_MAX);
}

static void queue_set(struct fixture *fx, unsigned q, const struct link_ring *ring)
{
	((struct direct_link *)fx->transport)->queue = q;
	vdev_queue_write(fx->dev, q, VQR_SIZE, ring->size, UINT64_MAX);
	vdev_queue_write(fx->dev, q, VQR_DESC, ring->desc, UINT64_MAX);
	vdev_queue_write(fx->dev, q, VQR_DRIVER, ring->driver, UINT64_MAX);
	vdev_queue_write(fx->dev, q, VQR_DEVICE, ring->device, UINT64_MAX);
	vdev_queue_write(fx->dev, q, VQR_ENABLE, 1, UINT64_MAX);
}

static void queue_reset(struct fixture *fx, unsigned q)
{
	vdev_queue_write(fx->dev, q, VQR_RESET, 1, UINT64_MAX);
}

static void kick(struct fixture *fx, unsigned q, uint32_t value)
{
	(void)value;
	vdev_notify(fx->dev, q);
}

static uint64_t read_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len)
{
	struct direct_link *l = fx->transport;
	uint64_t value = 0;

	if (area == LINK_CONFIG) {
		vdev_config_read(fx->dev, off, &value, len);
		return value;
	}
	switch (off / 4 % 4) {
	case 0:
		return vdev_features_offered(fx->dev, l->select);
	case 1:
		return vdev_features_accepted(fx->dev, l->select);
	case 2:
		return vdev_status(fx->dev);
	default:
		return vdev_queue_read(fx->dev, l->queue, off / 16 % (VQR_RESET + 1));
	}
}

static void write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
		       uint64_t value)
{
	struct direct_link *l = fx->transport;

	if (area == LINK_CONFIG) {
		vdev_config_write(fx->dev, off, &value, len);
		return;
	}
	switch (off / 4 % 5) {
	case 0:
		l->select = (uint32_t)value;
		l->queue = (unsigned)value;
		break;
	case 1:
		vdev_features_accept(fx->dev, l->select, (uint32_t)value);
		break;
	case 2:
		vdev_set_status(fx->dev, (uint32_t)value);
		break;
	case 3:
		vdev_notify(fx->dev, (unsigned)value);
		break;
	default:
		vdev_queue_write(fx->dev, l->queue, off / 20 % (VQR_RESET + 1), value,
				 len == 8 ? UINT64_MAX : (1ull << (8 * len)) - 1);
		break;
	}
}

static unsigned interrupts(struct fixture *fx)
{
	struct direct_link *l = fx->transport;
	uint64_t now = direct_config_interrupts(l->direct), n;

	for (unsigned q = 0; q < fx->dev->n_queues; q++)
		now += direct_queue_interrupts(l->direct, q);
	n = now - l->told;
	l->told = now;
	if (n)
		trace("driver: %lu interrupts", n);
	return (unsigned)n;
}

const struct link_ops link_direct = {
	.name = "direct",
	.open = link_open,
	.close = link_close,
	.machine_reset = machine_reset,
	.ready = ready,
	.reset_selectors = reset_selectors,
	.offered = offered,
	.accept = accept_bits,
	.status = status,
	.set_status = set_status,
	.queue_max = queue_max,
	.queue_set = queue_set,
	.queue_reset = queue_reset,
	.kick = kick,
	.read = read_area,
	.write = write_area,
	.interrupts = interrupts,
};
