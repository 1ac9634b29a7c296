/* The link without a transport: registers are C calls. */
#include "tests/support/rig-impl.h"
#include "transport/direct.h"

struct direct_link {
	struct direct *direct;
	uint64_t queue[VDEV_QUEUES_MAX], config; /* interrupts already told of */
};

static void rig_direct_link_open(struct rig *r)
{
	struct direct_link *l = g_new0(struct direct_link, 1);

	r->transport = l;
	l->direct = direct_new(r->dev);
	direct_driver(l->direct, &r->driver);
	r->io = rig_io(r);
	r->driver.io = &r->io; /* to wait */
}

static void rig_direct_link_close(struct rig *r)
{
	struct direct_link *l = r->transport;

	direct_free(l->direct);
	g_free(l);
}

static void rig_direct_interrupts(struct rig *r)
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
	.open = rig_direct_link_open,
	.close = rig_direct_link_close,
	.interrupts = rig_direct_interrupts,
};
