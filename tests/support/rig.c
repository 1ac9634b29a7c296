/*
 * Memory, the driver's life and its requests. How each link does what is asked here is in
 * rig-direct.c, rig-mmio.c and rig-pci.c, over the driver library; opening and closing, and cases x
 * links, in rig-run.c.
 */
#include "tests/support/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rig-impl.h"

/*
 * Memory: rings in the low region, buffers in the one above 4 GiB.
 */

static struct rig_buf take(struct rig_arena *a, uint32_t len, uint32_t align)
{
	uint64_t at = (a->used + RIG_GUARD + align - 1) / align * align;
	struct rig_buf b = { a->base + at, a->gpa + at, len };

	if (at + len + RIG_GUARD > a->len)
		fail_msg("the rig's memory is used up");
	a->used = at + len;
	return b;
}

struct rig_buf rig_alloc(struct rig *r, uint32_t len)
{
	struct rig_buf b = take(&r->high, len, 16);

	memset((uint8_t *)b.p - RIG_GUARD, RIG_GUARD_VAL, RIG_GUARD);
	memset((uint8_t *)b.p + len, RIG_GUARD_VAL, RIG_GUARD);
	r->high.used += RIG_GUARD;
	g_array_append_val(r->bufs, b);
	return b;
}

struct rig_buf rig_dup(struct rig *r, const void *src, uint32_t len)
{
	struct rig_buf b = rig_alloc(r, len);

	memcpy(b.p, src, len);
	return b;
}

struct rig_buf rig_part(struct rig_buf b, uint32_t off, uint32_t len)
{
	assert_true(off <= b.len && len <= b.len - off);
	return (struct rig_buf){ (uint8_t *)b.p + off, b.gpa + off, len };
}

/*
 * Registers.
 */

static uint64_t rig_read(void *opaque, uint64_t addr, unsigned len)
{
	return board_fake_read(((struct rig *)opaque)->board, false, addr, len);
}

static void rig_write(void *opaque, uint64_t addr, unsigned len, uint64_t value)
{
	board_fake_write(((struct rig *)opaque)->board, false, addr, len, value);
}

static uint32_t rig_pci_read(void *opaque, uint64_t slot, unsigned reg, unsigned len)
{
	return (uint32_t)rig_read(opaque, RIG_PCI_ECAM + (slot << 15) + reg, len);
}

static void rig_pci_write(void *opaque, uint64_t slot, unsigned reg, unsigned len, uint32_t value)
{
	rig_write(opaque, RIG_PCI_ECAM + (slot << 15) + reg, len, value);
}

static uint64_t rig_port_read(void *opaque, uint16_t port, unsigned len)
{
	return board_fake_read(((struct rig *)opaque)->board, true, port, len);
}

static void rig_port_write(void *opaque, uint16_t port, unsigned len, uint64_t value)
{
	board_fake_write(((struct rig *)opaque)->board, true, port, len, value);
}

static bool rig_patience(void *opaque, uint64_t turn)
{
	struct rig *r = opaque;

	if (turn == 0)
		r->patience_ends = rig_deadline();
	rig_turn(r, r->patience_ends);
	return true;
}

struct virtio_io rig_io(struct rig *r)
{
	return (struct virtio_io){ .read = rig_read,
				   .write = rig_write,
				   .pci_read = rig_pci_read,
				   .pci_write = rig_pci_write,
				   .port_read = rig_port_read,
				   .port_write = rig_port_write,
				   .wait = rig_patience,
				   .opaque = r };
}

/*
 * Configuration space.
 */

uint32_t rig_config_generation(struct rig *r)
{
	return virtio_config_generation(&r->driver);
}

/* Legacy interfaces have none, nor has vhost-user, where a read is one message. */
bool rig_has_generation(struct rig *r)
{
	return !r->driver.legacy && r->link->ops != &rig_vhost_user_ops;
}

/* The widest access that is aligned, fits, and is no wider than the field (4.1.3.1, 4.2.2.2). */
static size_t step(struct rig *r, size_t off, size_t len)
{
	const struct vdev_field *f = r->dev->class->config_fields;
	size_t n = 4, at = off;

	for (; f && f->width; f++) {
		size_t size = f->width == VDEV_UNION ? f->n : (size_t)f->n * f->width;

		if (at < size) {
			n = MIN(n, f->width);
			break;
		}
		at -= size;
	}
	while (n > 1 && (off % n || n > len))
		n /= 2;
	return n;
}

void rig_config(struct rig *r, size_t off, void *dst, size_t len)
{
	uint32_t before, after = rig_config_generation(r);

	do {
		before = after;
		for (size_t done = 0, n; done < len; done += n) {
			le32 value;

			n = step(r, off + done, len - done);
			value = cpu_le32(virtio_config_read(&r->driver, (unsigned)(off + done),
							    (unsigned)n));
			memcpy((uint8_t *)dst + done, &value, n);
		}
		after = rig_config_generation(r);
	} while (before != after);
}

uint8_t rig_config8(struct rig *r, size_t off)
{
	uint8_t v;

	rig_config(r, off, &v, sizeof(v));
	return v;
}

uint16_t rig_config16(struct rig *r, size_t off)
{
	le16 v;

	rig_config(r, off, &v, sizeof(v));
	return le16_cpu(v);
}

uint32_t rig_config32(struct rig *r, size_t off)
{
	le32 v;

	rig_config(r, off, &v, sizeof(v));
	return le32_cpu(v);
}

uint64_t rig_config64(struct rig *r, size_t off)
{
	le64 v;

	rig_config(r, off, &v, sizeof(v));
	return le64_cpu(v);
}

void rig_config_write(struct rig *r, size_t off, const void *src, size_t len)
{
	le32 value = 0;

	memcpy(&value, src, len);
	virtio_config_write(&r->driver, (unsigned)off, (unsigned)len, le32_cpu(value));
}

/*
 * Life.
 */

struct vfeatures rig_all_but(unsigned bit)
{
	struct vfeatures f = RIG_ALL;

	vfeatures_set(&f, bit, false);
	return f;
}

uint32_t rig_status(struct rig *r)
{
	return virtio_status(&r->driver);
}

void rig_set_status(struct rig *r, uint32_t status)
{
	r->driver.ops->set_status(&r->driver, (uint8_t)status);
	if (status == (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER) && r->link->ops->driver_set)
		r->link->ops->driver_set(r);
}

void rig_reset(struct rig *r)
{
	assert_true(virtio_reset(&r->driver));
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		g_free(g_steal_pointer(&r->queue[q].vq));
		r->queue[q].interrupted = false;
	}
}

struct vfeatures rig_offered(struct rig *r)
{
	struct virtio_features f = virtio_offered(&r->driver);

	return (struct vfeatures){ { f.w[0], f.w[1] } };
}

bool rig_negotiate(struct rig *r, struct vfeatures accept)
{
	rig_reset(r);
	virtio_acknowledge(&r->driver);
	if (r->link->ops->driver_set)
		r->link->ops->driver_set(r);
	return virtio_accept(&r->driver, (struct virtio_features){ { accept.w[0], accept.w[1] } });
}

bool rig_has(struct rig *r, unsigned feature)
{
	return virtio_has(&r->driver, feature);
}

unsigned rig_n_queues(struct rig *r)
{
	unsigned n = 0;

	while (n < VDEV_QUEUES_MAX && virtio_queue_max(&r->driver, n))
		n++;
	return n;
}

void rig_queue_start(struct rig *r, unsigned q, uint16_t size)
{
	unsigned max = virtio_queue_max(&r->driver, q);
	struct drv_config cfg = { .size = size ? size : (uint16_t)MIN(max, DRV_QUEUE_MAX),
				  .packed = rig_has(r, VIRTIO_F_RING_PACKED),
				  .event_idx = rig_has(r, VIRTIO_F_EVENT_IDX),
				  .in_order = rig_has(r, VIRTIO_F_IN_ORDER),
				  .indirect = rig_has(r, VIRTIO_F_INDIRECT_DESC),
				  .table_max = 64,
				  .legacy_align = r->driver.legacy_align };
	struct drv_vq *vq = g_new0(struct drv_vq, 1);
	struct virtio_queue *regs = &r->queue[q].regs;
	struct rig_buf mem;

	if (r->driver.legacy && r->driver.pci.ports) /* which has no say */
		cfg.size = (uint16_t)max;
	assert_null(r->queue[q].vq);
	cfg.len = drv_bytes(&cfg);
	mem = take(&r->low, (uint32_t)cfg.len, 4096);
	cfg.base = mem.p;
	cfg.gpa = mem.gpa;
	assert_true(drv_vq_init(vq, &cfg));
	r->queue[q].vq = vq;
	*regs = (struct virtio_queue){ .index = (uint16_t)q,
				       .size = cfg.size,
				       .desc = vq->desc,
				       .driver = vq->driver,
				       .device = vq->device,
				       .vector = (uint16_t)(q + 1) };
	assert_false(r->driver.ops->queue_enabled(&r->driver, q));
	if (!virtio_queue_start(&r->driver, regs))
		fail_msg("queue %u: %s", q, r->driver.error);
	assert_true(r->driver.ops->queue_enabled(&r->driver, q));
}

void rig_queue_reset(struct rig *r, unsigned q)
{
	assert_true(virtio_queue_reset(&r->driver, q));
	assert_false(r->driver.ops->queue_enabled(&r->driver, q));
	g_free(g_steal_pointer(&r->queue[q].vq));
	r->queue[q].interrupted = false;
}

bool rig_is_legacy(struct rig *r)
{
	return r->driver.legacy;
}

uint32_t rig_running(struct rig *r)
{
	return VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK |
	       (r->driver.legacy ? 0 : VIRTIO_S_FEATURES_OK);
}

void rig_driver_ok(struct rig *r)
{
	rig_set_status(r, rig_running(r));
	assert_true(rig_status(r) & VIRTIO_S_DRIVER_OK);
}

void rig_start(struct rig *r, struct vfeatures want)
{
	struct vfeatures offered = rig_offered(r);

	vfeatures_set(&want, VIRTIO_F_VERSION_1, true);
	for (unsigned i = 0; i < 2; i++)
		want.w[i] &= offered.w[i];
	assert_true(rig_negotiate(r, want));
	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++)
		rig_queue_start(r, q, 0);
	rig_driver_ok(r);
}

/*
 * Interrupts, and waiting for them.
 */

void rig_interrupted(struct rig *r, unsigned q)
{
	r->queue[q].interrupted = true;
	r->queue[q].interrupts++;
}

void rig_config_interrupted(struct rig *r)
{
	r->config_interrupts++;
}

void rig_interrupted_by(struct rig *r, unsigned causes)
{
	if (causes & VIRTIO_INT_CONFIG)
		rig_config_interrupted(r);
	for (unsigned q = 0; causes & VIRTIO_INT_QUEUE && q < VDEV_QUEUES_MAX; q++)
		if (r->queue[q].vq)
			rig_interrupted(r, q);
}

/* A driver's interrupt handler: all that is used, until there is nothing with interrupts on. */
static void handle(struct rig_queue *queue)
{
	void *cookie;
	uint32_t len;

	queue->interrupted = false;
	if (!queue->vq)
		return;
	do {
		drv_disable_notify(queue->vq);
		while (drv_used(queue->vq, &cookie, &len)) {
			struct rig_req *req = cookie;

			assert_false(req->done);
			req->done = true;
			req->len = len;
		}
		if (queue->vq->broken)
			fail_msg("queue: %s", queue->vq->broken);
	} while (!drv_enable_notify(queue->vq));
}

static void take_interrupts(struct rig *r)
{
	r->link->ops->interrupts(r);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		if (r->queue[q].interrupted)
			handle(&r->queue[q]);
}

int64_t rig_deadline(void)
{
	return g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;
}

void rig_turn(struct rig *r, int64_t deadline)
{
	if (!g_main_context_iteration(loop_context(r->main), FALSE))
		g_usleep(50);
	take_interrupts(r);
	if (g_get_monotonic_time() > deadline)
		fail_msg("over %s: waited too long; the device said:\n%s", r->link->name,
			 r->log->len ? r->log->str : "nothing");
}

static void nothing(void *arg)
{
	(void)arg;
}

void rig_wait_idle(struct rig *r)
{
	/* Things may go to and fro between the loops: it is quiet when it stays so for a while. */
	for (int quiet = 0; quiet < 10; quiet++) {
		while (g_main_context_iteration(loop_context(r->main), FALSE))
			quiet = 0;
		if (r->thread)
			loop_call(r->thread, nothing, NULL);
		if (r->worker)
			loop_call(r->worker, nothing, NULL);
		take_interrupts(r);
		g_usleep(500);
	}
}

unsigned rig_interrupts(struct rig *r, unsigned q)
{
	take_interrupts(r);
	return r->queue[q].interrupts;
}

unsigned rig_config_interrupts(struct rig *r)
{
	take_interrupts(r);
	return r->config_interrupts;
}

/*
 * Requests.
 */

struct rig_req *rig_add(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd,
			unsigned n_wr)
{
	struct rig_req *req = g_new0(struct rig_req, 1);
	g_autofree struct drv_buf *chain = g_new(struct drv_buf, n_rd + n_wr);

	req->q = q;
	g_ptr_array_add(r->reqs, req);
	for (unsigned i = 0; i < n_rd + n_wr; i++)
		chain[i] = (struct drv_buf){ bufs[i].gpa, bufs[i].len };
	assert_non_null(r->queue[q].vq);
	if (drv_add(r->queue[q].vq, chain, n_rd, n_wr, req) < 0)
		fail_msg("no room in queue %u", q);
	return req;
}

void rig_kick(struct rig *r, unsigned q)
{
	const struct rig_queue *queue = &r->queue[q];

	virtio_notify(&r->driver, &queue->regs, queue->vq ? drv_notification_data(queue->vq) : 0);
}

void rig_publish(struct rig *r, unsigned q)
{
	if (drv_publish(r->queue[q].vq))
		rig_kick(r, q);
}

struct rig_req *rig_submit(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd,
			   unsigned n_wr)
{
	struct rig_req *req = rig_add(r, q, bufs, n_rd, n_wr);

	rig_publish(r, q);
	return req;
}

uint32_t rig_wait(struct rig *r, struct rig_req *req)
{
	RIG_UNTIL(r, req->done);
	return req->len;
}

uint32_t rig_do(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd, unsigned n_wr)
{
	return rig_wait(r, rig_submit(r, q, bufs, n_rd, n_wr));
}

unsigned rig_room(struct rig *r, unsigned q)
{
	return r->queue[q].vq->n_free;
}

/*
 * Insides.
 */

struct drv_vq *rig_vq(struct rig *r, unsigned q)
{
	return r->queue[q].vq;
}

struct vdev *rig_dev(struct rig *r)
{
	return r->dev;
}

struct gmem *rig_mem(struct rig *r)
{
	return &r->mem;
}

struct loop *rig_loop(struct rig *r)
{
	return r->main;
}

struct board_fake *rig_board(struct rig *r)
{
	return r->board;
}

void *rig_transport(struct rig *r)
{
	return r->link->ops->transport ? r->link->ops->transport(r) : NULL;
}

const char *rig_dir(struct rig *r)
{
	return r->dir;
}

void rig_spoil_address(struct rig *r, unsigned q, uint64_t gpa)
{
	struct drv_vq *vq = r->queue[q].vq;

	*(vq->cfg.packed ? &vq->packed.desc[0].addr : &vq->split.desc[0].addr) = cpu_le64(gpa);
}

void rig_on_owner(struct rig *r, void (*fn)(void *arg), void *arg)
{
	loop_call(r->dev->loop, fn, arg);
}

unsigned rig_logged(struct rig *r, const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&rig_log_lock);
	for (const char *at = r->log->str; (at = strstr(at, text)); at += strlen(text))
		n++;
	pthread_mutex_unlock(&rig_log_lock);
	return n;
}
