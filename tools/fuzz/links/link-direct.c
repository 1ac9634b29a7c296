/* Registers are C calls: offsets name the calls, so that the input has as much to play with here.
 */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/direct.h"

struct direct_link {
	struct direct *direct;
	uint64_t told; /* interrupts so far */
};

static void link_direct_open(struct fixture *fx)
{
	struct direct_link *l = g_new0(struct direct_link, 1);

	fx->transport = l;
	l->direct = direct_new(fx->dev);
	direct_driver(l->direct, &fx->driver);
}

static void link_direct_close(struct fixture *fx)
{
	struct direct_link *l = fx->transport;

	direct_free(l->direct);
	g_free(l);
}

static void link_direct_machine_reset(struct fixture *fx)
{
	vdev_set_status(fx->dev, 0);
}

static void link_direct_reset_selectors(struct fixture *fx)
{
	fx->selected_word = 0;
	fx->selected_queue = 0;
}

static uint64_t link_direct_read_area(struct fixture *fx, enum link_area area, uint32_t off,
				      unsigned len)
{
	uint64_t value = 0;

	if (area == LINK_CONFIG) {
		vdev_config_read(fx->dev, off, &value, len);
		return value;
	}
	switch (off / 4 % 4) {
	case 0:
		return vdev_features_offered(fx->dev, fx->selected_word);
	case 1:
		return vdev_features_accepted(fx->dev, fx->selected_word);
	case 2:
		return vdev_status(fx->dev);
	default:
		return vdev_queue_read(fx->dev, fx->selected_queue, off / 16 % (VQR_RESET + 1));
	}
}

static void link_direct_write_area(struct fixture *fx, enum link_area area, uint32_t off,
				   unsigned len, uint64_t value)
{
	if (area == LINK_CONFIG) {
		vdev_config_write(fx->dev, off, &value, len);
		return;
	}
	switch (off / 4 % 5) {
	case 0:
		fx->selected_word = (uint32_t)value;
		fx->selected_queue = (unsigned)value;
		break;
	case 1:
		vdev_features_accept(fx->dev, fx->selected_word, (uint32_t)value);
		break;
	case 2:
		vdev_set_status(fx->dev, (uint32_t)value);
		break;
	case 3:
		vdev_notify(fx->dev, (unsigned)value);
		break;
	default:
		vdev_queue_write(fx->dev, fx->selected_queue, off / 20 % (VQR_RESET + 1), value,
				 len == 8 ? UINT64_MAX : (1ull << (8 * len)) - 1);
		break;
	}
}

static unsigned link_direct_interrupts(struct fixture *fx)
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
	.open = link_direct_open,
	.close = link_direct_close,
	.machine_reset = link_direct_machine_reset,
	.reset_selectors = link_direct_reset_selectors,
	.read = link_direct_read_area,
	.write = link_direct_write_area,
	.interrupts = link_direct_interrupts,
};
