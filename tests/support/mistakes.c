#include "tests/support/mistakes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig-impl.h"

struct planted planted;

void mistake_run(struct rig *r, const struct mistake *m)
{
	planted = (struct planted){
		.rig = r, .right = r->driver.ops, .wrong = *r->driver.ops, .right_io = r->io
	};
	r->driver.ops = &planted.wrong;
	m->run(r);
	r->driver.ops = planted.right;
	r->io = planted.right_io;
}

struct drv_layout *plant_ring(struct rig *r, unsigned q)
{
	planted.right_layout = rig_vq(r, q)->layout;
	planted.wrong_layout = *planted.right_layout;
	rig_vq(r, q)->layout = &planted.wrong_layout;
	return &planted.wrong_layout;
}

static unsigned add_changed(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	unsigned done = planted.right_layout->add(vq, chains, n);

	for (unsigned i = 0; i < done; i++)
		planted.change(vq, chains[i].head);
	return done;
}

void plant_chains(struct rig *r, unsigned q, void (*change)(struct drv_vq *vq, uint16_t head))
{
	plant_ring(r, q)->add = add_changed;
	planted.change = change;
}

struct vfeatures life_without(unsigned bit, unsigned other)
{
	struct vfeatures f = rig_all_but(bit);

	vfeatures_set(&f, other, false);
	return f;
}

struct vfeatures life_direct(void)
{
	return life_without(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_IN_ORDER);
}

void life_negotiate(struct rig *r, struct vfeatures want)
{
	struct vfeatures offered = rig_offered(r);

	vfeatures_set(&want, VIRTIO_F_VERSION_1, true);
	for (unsigned i = 0; i < 2; i++)
		want.w[i] &= offered.w[i];
	assert_true(rig_negotiate(r, want));
}

void life_start_queues(struct rig *r)
{
	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++)
		rig_queue_start(r, q, 0);
}

void life_requests(struct rig *r, unsigned n)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	while (n--)
		rig_do(r, ECHO_COPY, bufs, 1, 1);
}

void life(struct rig *r, struct vfeatures want)
{
	rig_start(r, want);
	life_requests(r, 3);
	rig_reset(r);
}
