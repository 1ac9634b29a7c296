/*
 * The reference driver and the device engine at work.
 *
 * The device does what a device's drain loop does, and the driver what a driver does that has more
 * to send than the ring holds: it offers whole batches as long as they fit, then takes back all
 * that was used. Neither looks at the buffers: the rings alone are measured.
 */
#include "tools/bench/ends.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Set-up.
 */
static bool open_driver(struct bench_ends *e, const struct bench_variant *v, void *memory)
{
	struct drv_config cfg = {
		.size = v->at[AXIS_SIZE],
		.packed = v->at[AXIS_RING] == RING_PACKED,
		.event_idx = v->at[AXIS_EVENT],
		.in_order = v->at[AXIS_ORDER],
		.indirect = v->at[AXIS_DESC] == DESC_INDIRECT,
		.base = memory,
		.gpa = BENCH_GPA,
		.len = BENCH_MEMORY / 2,
		.table_max = 16,
	};

	if (drv_vq_init(&e->drv, &cfg))
		return true;
	errno = EINVAL;
	return false;
}

static bool open_device(struct bench_ends *e)
{
	const struct drv_config *drv = &e->drv.cfg;
	struct vq_config cfg = {
		.desc = e->drv.desc,
		.driver = e->drv.driver,
		.device = e->drv.device,
		.size = drv->size,
		.packed = drv->packed,
		.event_idx = drv->event_idx,
		.indirect = drv->indirect,
		.in_order = drv->in_order,
		.position = vq_position_initial(drv->packed),
	};

	e->vq = vq_new();
	if (vq_start(e->vq, &e->mem, &cfg) == VQ_OK)
		return true;
	errno = EINVAL;
	return false;
}

static bool open_events(struct bench_ends *e)
{
	e->driver.event_fd = eventfd(0, EFD_CLOEXEC);
	e->device.event_fd = eventfd(0, EFD_CLOEXEC);
	return e->driver.event_fd >= 0 && e->device.event_fd >= 0;
}

/* A request as devices know it: something to read, the rest to write. One buffer alone is
 * written. */
static void shape(struct bench_ends *e, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		e->bufs[i] = (struct drv_buf){
			.gpa = BENCH_GPA + BENCH_MEMORY / 2 + 64 * i,
			.len = 64,
		};
	for (unsigned i = 0; i < BENCH_BATCH; i++)
		e->offered[i] = (struct drv_chain){
			.bufs = e->bufs,
			.n_rd = length > 1,
			.n_wr = length > 1 ? length - 1 : 1,
		};
}

bool bench_ends_open(struct bench_ends *e, const struct bench_variant *v, void *memory)
{
	unsigned size = v->at[AXIS_SIZE], length = v->at[AXIS_LENGTH];

	memset(e, 0, sizeof(*e));
	memset(memory, 0, BENCH_MEMORY);
	e->driver.event_fd = e->device.event_fd = -1;
	e->batch = v->at[AXIS_BATCH];
	e->work = &bench_bare_work;
	e->bare = memory;
	if (v->at[AXIS_RING] == RING_BARE) {
		if (e->batch > size)
			e->batch = size;
		e->slots = size; /* its producer counts for itself */
		return true;
	}
	e->work = &bench_ring_work;
	e->sleep = v->at[AXIS_MODE] == MODE_SLEEP;
	shape(e, length);
	if (v->at[AXIS_DESC] == DESC_INDIRECT)
		length = 1;
	if (e->batch > size / length)
		e->batch = size / length;
	e->slots = e->batch * length;
	if (gmem_add(&e->mem, BENCH_GPA, BENCH_MEMORY, memory) == 0 && open_driver(e, v, memory) &&
	    open_device(e) && (!e->sleep || open_events(e)))
		return true;
	bench_ends_close(e);
	return false;
}

static void close_event(int fd)
{
	if (fd >= 0)
		close(fd);
}

void bench_ends_close(struct bench_ends *e)
{
	if (!e->vq)
		return;
	(void)vq_stop(e->vq);
	vq_free(e->vq);
	e->vq = NULL;
	close_event(e->driver.event_fd);
	close_event(e->device.event_fd);
}

/*
 * Waiting.
 *
 * A side that sleeps gives the other one a moment before it asks to be woken, and does not look
 * meanwhile: asking costs a barrier and a line of memory, and looking takes the very line from the
 * other that is being written. Who comes back after a moment finds several chains for the price of
 * one.
 */
enum { MOMENT = 32 }; /* pauses of the processor: a microsecond or two */

static void wait_a_moment(struct bench_end *end)
{
	uint64_t since = bench_ticks();

	for (unsigned i = 0; i < MOMENT; i++)
		__builtin_ia32_pause();
	end->idle += bench_ticks() - since;
}

static void notify(struct bench_end *from, const struct bench_end *to)
{
	uint64_t one = 1;

	from->notifications++;
	if (to->event_fd >= 0)
		(void)!write(to->event_fd, &one, sizeof(one));
}

static void doze(struct bench_end *end)
{
	uint64_t count, since = bench_ticks();

	(void)!read(end->event_fd, &count, sizeof(count));
	end->idle += bench_ticks() - since;
}

/* Lets both go, whatever they wait for. */
static void ends_fail(struct bench_ends *e, const char *what)
{
	bench_fail(e, what);
	if (e->sleep) {
		notify(&e->driver, &e->device);
		notify(&e->device, &e->driver);
	}
}

/*
 * The device.
 */
static void fail_device(struct bench_ends *e)
{
	ends_fail(e, vq_fault_text(vq_fault(e->vq)));
}

/* Serves what is there, at most @max chains. */
static uint64_t ends_serve(struct bench_ends *e, uint64_t max)
{
	struct vq_chain **chains = e->popped;
	uint64_t served = 0;
	int n = 0;

	while (served < max && (n = vq_pop(e->vq, chains, e->batch)) > 0) {
		for (int i = 0; i < n; i++) {
			chains[i]->written = chains[i]->wr.left;
			vq_push(e->vq, chains[i]);
		}
		if (vq_publish(e->vq))
			notify(&e->device, &e->driver);
		served += (unsigned)n;
	}
	if (n < 0)
		fail_device(e);
	return served;
}

/* After finding nothing. */
static void device_waits(struct bench_ends *e)
{
	unsigned polls = 0;
	uint64_t since;

	if (e->sleep) {
		wait_a_moment(&e->device);
		if (vq_pending(e->vq))
			return;
		if (vq_enable_notify(e->vq))
			doze(&e->device);
		vq_disable_notify(e->vq);
		return;
	}
	since = bench_ticks();
	while (!vq_pending(e->vq) && !bench_failed(e))
		bench_relax(&polls);
	e->device.idle += bench_ticks() - since;
}

static void device(struct bench_ends *e)
{
	uint64_t left = e->chains;

	vq_disable_notify(e->vq);
	while (left && !bench_failed(e)) {
		uint64_t n = ends_serve(e, left);

		left -= n;
		if (n == 0)
			device_waits(e);
	}
}

/*
 * The driver.
 */
static uint64_t ends_collect(struct bench_ends *e)
{
	uint64_t n = 0;
	unsigned got;

	do {
		got = drv_used_batch(&e->drv, e->done, BENCH_BATCH);
		n += got;
	} while (got == BENCH_BATCH);
	if (e->drv.broken)
		ends_fail(e, e->drv.broken);
	return n;
}

/* One batch, at most @max chains, if all of it fits. */
static uint64_t offer(struct bench_ends *e, uint64_t max)
{
	uint64_t n = max < e->batch ? max : e->batch;

	if (e->drv.n_free < e->slots)
		return 0;
	(void)drv_add_batch(&e->drv, e->offered, (unsigned)n);
	if (drv_publish(&e->drv))
		notify(&e->driver, &e->device);
	return n;
}

/* With a full ring, or nothing left to send: until something is used. */
static uint64_t driver_waits(struct bench_ends *e)
{
	uint64_t since, n = 0;
	unsigned polls = 0;

	if (e->sleep) {
		wait_a_moment(&e->driver);
		n = ends_collect(e);
		if (n)
			return n;
		if (drv_enable_notify(&e->drv))
			doze(&e->driver);
		drv_disable_notify(&e->drv);
		return 0;
	}
	since = bench_ticks();
	while (!bench_failed(e) && (n = ends_collect(e)) == 0)
		bench_relax(&polls);
	e->driver.idle += bench_ticks() - since;
	return n;
}

static void driver(struct bench_ends *e)
{
	uint64_t sent = 0, done = 0;

	drv_disable_notify(&e->drv);
	while (done < e->chains && !bench_failed(e)) {
		uint64_t n;

		while (sent < e->chains && (n = offer(e, e->chains - sent)) > 0)
			sent += n;
		n = ends_collect(e);
		done += n ? n : driver_waits(e);
	}
}

/*
 * Both on one thread: each has all of the ring to itself for as long as there is something to do,
 * with all of the protocol but the sleeping.
 */
static void ends_both(struct bench_ends *e)
{
	uint64_t sent = 0, done = 0;

	while (done < e->chains && !bench_failed(e)) {
		uint64_t begin, offered, served, n;

		begin = bench_ticks();
		drv_disable_notify(&e->drv);
		while (sent < e->chains && (n = offer(e, e->chains - sent)) > 0)
			sent += n;
		(void)drv_enable_notify(&e->drv);
		offered = bench_ticks();
		do {
			vq_disable_notify(e->vq);
			(void)ends_serve(e, e->chains);
		} while (!vq_enable_notify(e->vq));
		served = bench_ticks();
		done += ends_collect(e);
		e->driver.idle += served - offered;
		e->device.idle += offered - begin;
		e->device.idle += bench_ticks() - served;
	}
}

const struct bench_work bench_ring_work = {
	.driver = driver,
	.device = device,
	.both = ends_both,
};
