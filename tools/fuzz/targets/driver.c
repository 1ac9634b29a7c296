/*
 * Driver targets: the driver's side of a ring (virtqueue/driver/) beside a device that is hostile,
 * as a back-end of memory=bounce may be. The input is both: what the driver does, and what the
 * device writes, where it likes, into the ring. No heading.
 *
 * What must hold: a chain that comes back was in flight, and no longer than was writable of it; the
 * ring's room adds up; a ring that is broken gives nothing any more. The driver's notes and its
 * memory end where nothing is mapped.
 */
#include <string.h>
#include <sys/mman.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "virtqueue/driver/drv.h"

#define SIZE_MAX_  64u
#define TABLE      8u
#define USED_MAX   16u
#define MEMORY     (1u << 16)
#define NOTES      (1u << 16)
#define FAR        (4u << 20) /* more than an index of 16 bits reaches */
#define BUFFER_GPA 0x100000u

struct chain {
	bool in_flight;
	uint32_t writable;
};

struct driver {
	struct drv_vq *vq;
	uint8_t *end; /* of its memory */
	bool packed, made;
	struct chain chain[SIZE_MAX_];
	unsigned n_in_flight;
};

/* Of @len bytes the end, behind which nothing is mapped. */
static void *driver_map(size_t len)
{
	uint8_t *p = mmap(NULL, len + FAR, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	if (p == MAP_FAILED || mprotect(p, len, PROT_READ | PROT_WRITE) < 0)
		fuzz_bug("no memory");
	return p + len;
}

static void driver_start(struct driver *d, struct input *in)
{
	unsigned flags = in8(in), size = in8(in);
	struct drv_config cfg = { .packed = d->packed,
				  .event_idx = flags & 1,
				  .indirect = flags & 2,
				  .in_order = flags & 4,
				  .gpa = BUFFER_GPA,
				  .table_max = TABLE };

	cfg.size = (uint16_t)(d->packed ? size % SIZE_MAX_ + 1 : 1u << size % 7);
	cfg.len = drv_bytes(&cfg);
	cfg.base = d->end - cfg.len;
	memset(d->chain, 0, sizeof(d->chain));
	d->n_in_flight = 0;
	d->made = drv_vq_init(d->vq, &cfg);
	trace("start: %u entries, flags %u", cfg.size, flags & 7);
	if (!d->made)
		fuzz_bug("a sound ring is refused");
}

static struct chain *driver_idle(struct driver *d)
{
	for (unsigned i = 0; i < SIZE_MAX_; i++)
		if (!d->chain[i].in_flight)
			return &d->chain[i];
	return NULL;
}

static void driver_chain(struct driver *d, struct input *in)
{
	unsigned shape = in8(in), len = in16(in), n_rd = shape % 16 % 5, n_wr = shape / 16 % 5;
	struct chain *c = driver_idle(d);
	struct drv_buf bufs[8];
	int head;

	for (unsigned i = 0; i < n_rd + n_wr; i++)
		bufs[i] = (struct drv_buf){ BUFFER_GPA + i * 0x10000u, len + i + 1 };
	if (!c)
		return;
	head = drv_add(d->vq, bufs, n_rd, n_wr, c);
	trace("chain of %u and %u: %d", n_rd, n_wr, head);
	if (head < 0)
		return;
	*c = (struct chain){ .in_flight = true };
	for (unsigned i = n_rd; i < n_rd + n_wr; i++)
		c->writable += bufs[i].len;
	d->n_in_flight++;
}

static void driver_publish(struct driver *d, struct input *in)
{
	(void)in;
	(void)drv_publish(d->vq);
}

static void driver_check(const struct driver *d, const struct drv_done *done)
{
	struct chain *c = done->cookie;

	if (c < d->chain || c >= d->chain + SIZE_MAX_)
		fuzz_bug("a chain that there is not");
	if (!c->in_flight)
		fuzz_bug("chain %u comes back and is not in flight", (unsigned)(c - d->chain));
	if (done->len > c->writable)
		fuzz_bug("%u bytes are written of %u", done->len, c->writable);
	c->in_flight = false;
}

static void driver_used(struct driver *d, struct input *in)
{
	bool was_broken = d->vq->broken;
	struct drv_done done[USED_MAX];
	unsigned n = drv_used_batch(d->vq, done, in8(in) % USED_MAX + 1);

	trace("used: %u%s%s", n, d->vq->broken ? ", broken: " : "",
	      d->vq->broken ? d->vq->broken : "");
	if (was_broken && n)
		fuzz_bug("a broken ring gives chains back");
	if (n > d->n_in_flight)
		fuzz_bug("%u chains come back, of %u", n, d->n_in_flight);
	d->n_in_flight -= n;
	for (unsigned i = 0; i < n; i++)
		driver_check(d, &done[i]);
	if (d->vq->n_free > d->vq->cfg.size)
		fuzz_bug("%u entries are free, of %u", d->vq->n_free, d->vq->cfg.size);
	if (!d->n_in_flight && d->vq->n_free != d->vq->cfg.size)
		fuzz_bug("nothing is in flight, and %u entries are free, of %u", d->vq->n_free,
			 d->vq->cfg.size);
}

static void driver_notify(struct driver *d, struct input *in)
{
	if (in8(in) & 1)
		drv_disable_notify(d->vq);
	else
		(void)drv_enable_notify(d->vq);
	(void)drv_notification_data(d->vq);
}

/* What a device may mean: the next used element. */
static void driver_say(struct driver *d, struct input *in)
{
	unsigned id = in8(in), how = in8(in), len = in32(in);
	struct drv_split *s = &d->vq->split;
	struct drv_packed *r = &d->vq->packed;
	struct vring_packed_desc *desc;

	if (how & 1)
		len %= 64;
	if (!d->packed) {
		uint16_t idx = le16_cpu(s->used->idx);

		s->used->ring[idx % d->vq->cfg.size] = (struct vring_used_elem){ cpu_le32(id),
										 cpu_le32(len) };
		s->used->idx = cpu_le16((uint16_t)(idx + 1));
		return;
	}
	desc = &r->desc[vring_pos_off(r->next_used)];
	desc->id = cpu_le16((uint16_t)id);
	desc->len = cpu_le32(len);
	desc->flags = cpu_le16((how & 2 ? VRING_DESC_F_WRITE : 0) |
			       vring_pos_used_flags(r->next_used));
}

static void driver_scribble(struct driver *d, struct input *in)
{
	uint8_t *base = d->vq->cfg.base;

	for (size_t at = in16(in); in_left(in); at++)
		base[at % d->vq->cfg.len] = in8(in);
}

static void (*const run[N_DRIVER_OPS])(struct driver *d, struct input *in) = {
	[DRIVER_START] = driver_start,       [DRIVER_CHAIN] = driver_chain,
	[DRIVER_PUBLISH] = driver_publish,   [DRIVER_USED] = driver_used,
	[DRIVER_NOTIFY] = driver_notify,     [DRIVER_SAY] = driver_say,
	[DRIVER_SCRIBBLE] = driver_scribble,
};

void fuzz_driver_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	static struct driver d; /* all of it is set anew */
	uint8_t op;

	if (!d.vq)
		d.vq = (struct drv_vq *)driver_map(NOTES) - 1;
	if (!d.end)
		d.end = driver_map(MEMORY);
	d.packed = t->packed;
	d.made = false;
	while (in_record(&in, &op, &args)) {
		op %= N_DRIVER_OPS;
		if (!d.made)
			driver_start(&d, &args);
		else
			run[op](&d, &args);
	}
}
