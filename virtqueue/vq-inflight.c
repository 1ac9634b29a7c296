/*
 * A queue that keeps an account of what is in flight, in memory that outlives this process
 * (vhost-user's "Inflight I/O tracking"). Who starts anew with that memory, after whatever end,
 * finds the chains that were popped and not yet shown to the driver as used, and pops them again
 * before all others, in the order in which the driver made them available.
 *
 * An entry is a chain's head: of a split ring that of the same number, since the driver leaves the
 * descriptors alone until they are used. A packed ring's are overwritten by those used before them,
 * so the entries hold copies, one for each descriptor, linked. An entry counts while its `inflight`
 * says so, which is written last when a chain is popped. Where both sides of the ring are follows:
 * what is in flight lies between them.
 *
 * A batch is shown to the driver by one store into the ring, and struck off here entry by entry.
 * For an end between the two, the batch is a list, and `pending` says where the ring will be after
 * it: both are there before that store, and whoever starts anew looks in the ring whether it was
 * done. So no chain is done twice that the driver has seen used, and none is forgotten.
 *
 * The memory may be written by others, who are trusted no more than drivers: what is read from it
 * is checked like what a driver wrote. While the queue runs nothing is read from it.
 *
 * Like the log (vq-log.c), this is a layout that calls the real one; without it queues pay nothing.
 */
#include <stdlib.h>

#include "virtqueue/vq-impl.h"

#define VERSION 1u
#define NONE    0xffffu

struct entry {
	uint64_t counter; /* of heads: in the order of popping */
	uint8_t inflight;
	uint8_t padding;
	uint16_t num;   /* of heads: descriptors, this one included */
	uint16_t next;  /* descriptor of the chain */
	uint16_t batch; /* the next of the batch */
	le64 desc[2];   /* packed: the copy */
};

struct vq_inflight_area {
	uint64_t features; /* none */
	uint16_t version;  /* 0: nothing was ever in here */
	uint16_t size;     /* of the queue */
	uint16_t used;     /* where the used side of the ring is, */
	uint16_t pending;  /* and where it will be after the batch */
	uint16_t batch;    /* first entry of it; NONE */
	uint8_t padding[14];
	struct entry entry[];
};
_Static_assert(sizeof(struct entry) == 32, "an entry");
_Static_assert(sizeof(struct vq_inflight_area) == 32, "the head of an area");

struct vq_inflight {
	const struct vq_layout *real;
	struct vq_inflight_area *area;
	uint64_t counter;
	/* Entries that were in flight at the start, in order: the first `next` are popped, or were
	 * once (`high`). */
	uint16_t *again;
	unsigned n, next, high;
	/* By chain, as the pool's slots. */
	struct {
		uint16_t entry;
		bool again;
	} * slots;
	uint16_t *batch; /* entries of it */
	unsigned n_batch;
	/* Packed: entries that are free, and, of a chain, the links as they are in the area. */
	uint16_t *free;
	unsigned n_free;
	uint16_t *links;
	struct vq_desc *descs; /* room for a chain's */
};

size_t vq_inflight_bytes(unsigned size)
{
	return (sizeof(struct vq_inflight_area) + size * sizeof(struct entry) + 63) & ~(size_t)63;
}

#define LOAD(at)          __atomic_load_n(&(at), __ATOMIC_RELAXED)
#define STORE(at, v)      __atomic_store_n(&(at), (v), __ATOMIC_RELAXED)
#define STORE_LAST(at, v) __atomic_store_n(&(at), (v), __ATOMIC_RELEASE)

/*
 * What the last owner left.
 */

/* The guest's @bytes at @gpa; 0 where there is no memory, which the start of the ring will tell. */
static uint16_t vq_inflight_read16(const struct gmem *mem, uint64_t gpa)
{
	le16 v = 0;

	(void)gmem_read(mem, gpa, &v, sizeof(v));
	return le16_cpu(v);
}

/* Has the driver been shown the batch? */
static bool vq_inflight_was_shown(const struct gmem *mem, const struct vq_config *cfg,
				  uint16_t used, uint16_t pending)
{
	const unsigned both = VRING_DESC_F_AVAIL | VRING_DESC_F_USED;

	if (used == pending)
		return false;
	if (!cfg->packed)
		return vq_inflight_read16(mem, cfg->device + 2) == pending;
	return (vq_inflight_read16(mem, cfg->desc + vring_pos_off(used) * 16ull + 14) & both) ==
	       vring_pos_used_flags(used);
}

/* Strikes off the batch, of a driver that has it. */
static void vq_inflight_strike_off(struct vq_inflight_area *a, unsigned size)
{
	uint16_t i = LOAD(a->batch);

	for (unsigned left = size; left && i < size; left--) {
		STORE_LAST(a->entry[i].inflight, 0);
		i = LOAD(a->entry[i].batch);
	}
}

static bool vq_inflight_is_sound(const struct vq_inflight_area *a, const struct vq_config *cfg)
{
	return LOAD(a->version) == VERSION && LOAD(a->size) == cfg->size &&
	       (!cfg->packed || (vring_pos_off(LOAD(a->used)) < cfg->size &&
				 vring_pos_off(LOAD(a->pending)) < cfg->size));
}

static void vq_inflight_begin_area(struct vq_inflight_area *a, const struct vq_config *cfg)
{
	STORE_LAST(a->version, 0);
	for (unsigned i = 0; i < cfg->size; i++)
		STORE(a->entry[i].inflight, 0);
	STORE(a->features, 0);
	STORE(a->size, cfg->size);
	STORE(a->used, cfg->position.next_used);
	STORE(a->pending, cfg->position.next_used);
	STORE(a->batch, NONE);
	STORE_LAST(a->version, VERSION);
}

void vq_inflight_settle(const struct gmem *mem, struct vq_config *cfg)
{
	struct vq_inflight_area *a = cfg->inflight;
	unsigned n = 0;
	uint16_t used;

	if (!vq_inflight_is_sound(a, cfg)) {
		vq_inflight_begin_area(a, cfg);
		return;
	}
	used = LOAD(a->used);
	if (vq_inflight_was_shown(mem, cfg, used, LOAD(a->pending))) {
		vq_inflight_strike_off(a, cfg->size);
		used = LOAD(a->pending);
		STORE_LAST(a->used, used);
	}
	STORE(a->pending, used);
	STORE_LAST(a->batch, NONE);
	for (unsigned i = 0; i < cfg->size && n <= cfg->size; i++)
		if (LOAD(a->entry[i].inflight))
			n += cfg->packed ? LOAD(a->entry[i].num) : 1;
	if (n > cfg->size || (cfg->packed && vring_pos_off(used) >= cfg->size)) {
		vq_inflight_begin_area(a, cfg);
		return;
	}
	cfg->position.next_used = used;
	cfg->position.next_avail = cfg->packed ? vring_pos_advance(used, n, cfg->size)
					       : (uint16_t)(used + n);
}

/*
 * The account.
 */
static unsigned vq_inflight_slot(const struct vq *vq, const struct vq_slot *s)
{
	return (unsigned)(((const uint8_t *)s - vq->pool.slots) / vq->pool.slot_bytes);
}

static void vq_inflight_count(struct vq_inflight *f, const struct vq_slot *s, const struct vq *vq,
			      uint16_t head, unsigned num)
{
	struct entry *e = &f->area->entry[head];

	STORE(e->num, num);
	STORE(e->counter, f->counter++);
	STORE_LAST(e->inflight, 1);
	f->slots[vq_inflight_slot(vq, s)].entry = head;
	f->slots[vq_inflight_slot(vq, s)].again = false;
}

/* Copies the @n descriptors of a packed ring from @pos on. Its first entry. */
static uint16_t vq_inflight_copy(struct vq *vq, uint16_t pos, unsigned n)
{
	struct vq_inflight *f = vq->inflight;
	uint16_t next = NONE, i = NONE;

	for (unsigned left = n; left--;) {
		unsigned at = vring_pos_off(vring_pos_advance(pos, left, vq->size));
		const struct vring_packed_desc *d = &vq->ring.desc[at];

		i = f->free[--f->n_free];
		STORE(f->area->entry[i].desc[0], LOAD(d->addr));
		STORE(f->area->entry[i].desc[1], LOAD(d->rest));
		STORE(f->area->entry[i].next, next);
		f->links[i] = next;
		next = i;
	}
	return i;
}

static void vq_inflight_free(const struct vq *vq, uint16_t head)
{
	struct vq_inflight *f = vq->inflight;

	for (uint16_t i = head; vq->packed && i != NONE; i = f->links[i])
		f->free[f->n_free++] = i;
}

/* Its used element is about to be written. */
void vq_inflight_used(const struct vq *vq, const struct vq_slot *s)
{
	struct vq_inflight *f = vq->inflight;
	uint16_t head = f->slots[vq_inflight_slot(vq, s)].entry;

	if (head == NONE) /* it was given back once already: vq_complete_early() */
		return;
	f->slots[vq_inflight_slot(vq, s)].entry = NONE;
	STORE(f->area->entry[head].batch, f->n_batch ? f->batch[f->n_batch - 1] : NONE);
	STORE_LAST(f->area->batch, head);
	f->batch[f->n_batch++] = head;
}

bool vq_inflight_is_again(const struct vq *vq, const struct vq_slot *s)
{
	return vq->inflight->slots[vq_inflight_slot(vq, s)].again;
}

/*
 * The layout.
 */

/* The descriptors of the chain at @head, of a packed ring. */
static unsigned vq_inflight_descs(const struct vq_inflight *f, uint16_t head)
{
	unsigned n = 0;

	for (uint16_t i = head; i != NONE; i = f->links[i])
		f->descs[n++] = vq_desc_of(true, LOAD(f->area->entry[i].desc[0]),
					   LOAD(f->area->entry[i].desc[1]));
	return n;
}

static int vq_inflight_pop_again(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	struct vq_inflight *f = vq->inflight;
	unsigned got = 0;

	while (got < max && f->next < f->n) {
		uint16_t head = f->again[f->next];
		unsigned n = vq->packed ? vq_inflight_descs(f, head) : 1;
		enum vq_fault fault = f->real->again(vq, head, f->descs, n, &chains[got]);
		unsigned slot;

		if (fault == VQ_NO_ROOM)
			vq->pool_exhausted = true;
		else if (fault && got == 0)
			return vq_fail(vq, fault, head);
		if (fault)
			break;
		slot = vq_inflight_slot(vq, vq_slot_of(chains[got++]));
		f->slots[slot].entry = head;
		f->slots[slot].again = true;
		f->next++;
	}
	if (f->high < f->next)
		f->high = f->next;
	return (int)got;
}

static int inflight_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	struct vq_inflight *f = vq->inflight;
	uint16_t pos = vq->pos.next_avail;
	int n;

	if (f->next < f->n)
		return vq_inflight_pop_again(vq, chains, max);
	n = f->real->pop(vq, chains, max);
	for (int i = 0; i < n; i++) {
		unsigned slots = chains[i]->n_slots;
		uint16_t head = vq->packed ? vq_inflight_copy(vq, pos, slots) : chains[i]->id;

		vq_inflight_count(f, vq_slot_of(chains[i]), vq, head, slots);
		if (vq->packed)
			pos = vring_pos_advance(pos, slots, vq->size);
	}
	return n;
}

static void inflight_unpop(struct vq *vq, const struct vq_chain *c)
{
	struct vq_inflight *f = vq->inflight;
	const struct vq_slot *s = (const struct vq_slot *)c;
	uint16_t head = f->slots[vq_inflight_slot(vq, s)].entry;

	if (vq_inflight_is_again(vq, s)) {
		f->next--;
		if (vq->packed)
			vq->ring.slots_out -= c->n_slots;
		else
			vq->pool.in_flight[c->id] = 0;
		return;
	}
	STORE_LAST(f->area->entry[head].inflight, 0);
	vq_inflight_free(vq, head);
	f->real->unpop(vq, c);
}

static void inflight_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vq_inflight_used(vq, slots[i]);
	vq->inflight->real->release(vq, slots, n);
}

static bool inflight_publish(struct vq *vq, uint16_t old)
{
	struct vq_inflight *f = vq->inflight;
	uint16_t now = vq->pos.next_used;
	bool wanted;

	STORE_LAST(f->area->pending, now);
	wanted = f->real->publish(vq, old);
	for (unsigned i = 0; i < f->n_batch; i++) {
		STORE_LAST(f->area->entry[f->batch[i]].inflight, 0);
		vq_inflight_free(vq, f->batch[i]);
	}
	f->n_batch = 0;
	STORE_LAST(f->area->used, now);
	STORE_LAST(f->area->batch, NONE);
	return wanted;
}

static void inflight_disable_notify(struct vq *vq)
{
	vq->inflight->real->disable_notify(vq);
}

static bool inflight_enable_notify(struct vq *vq)
{
	const struct vq_inflight *f = vq->inflight;

	return f->real->enable_notify(vq) && f->high == f->n;
}

static bool inflight_pending(const struct vq *vq)
{
	const struct vq_inflight *f = vq->inflight;

	return f->next < f->n || f->real->pending(vq);
}

static const struct vq_layout vq_inflight_layout = {
	.pop = inflight_pop,
	.unpop = inflight_unpop,
	.release = inflight_release,
	.publish = inflight_publish,
	.disable_notify = inflight_disable_notify,
	.enable_notify = inflight_enable_notify,
	.pending = inflight_pending,
};

/*
 * On and off.
 */
static void *vq_inflight_alloc(size_t n, size_t bytes)
{
	void *p = calloc(n, bytes);

	if (!p)
		abort();
	return p;
}

struct old {
	uint64_t counter;
	uint16_t head;
};

static int vq_inflight_earlier(const void *a, const void *b)
{
	uint64_t x = ((const struct old *)a)->counter, y = ((const struct old *)b)->counter;

	return x < y ? -1 : x > y;
}

/* Links the entries of the chain at @head, and takes them. False: they are no such chain; none is
 * taken. */
static bool vq_inflight_take_list(struct vq_inflight *f, uint16_t head, unsigned size, bool *taken)
{
	const struct entry *e = f->area->entry;
	unsigned n = LOAD(e[head].num), i = head, k;

	for (k = 0; k < n && i < size && !taken[i] && (k == 0 || !LOAD(e[i].inflight)); k++) {
		unsigned next = k + 1 < n ? LOAD(e[i].next) : NONE;

		taken[i] = true;
		f->links[i] = (uint16_t)next;
		i = next;
	}
	if (k == n && n > 0)
		return true;
	for (i = head; k--; i = f->links[i])
		taken[i] = false;
	return false;
}

/* The chains that are in flight, as far as they are such, into @ret. How many. */
static unsigned vq_inflight_find(const struct vq *vq, bool *taken, struct old *ret)
{
	struct vq_inflight *f = vq->inflight;
	unsigned n = 0;

	for (unsigned i = 0; i < vq->size; i++) {
		struct entry *e = &f->area->entry[i];

		if (!LOAD(e->inflight))
			continue;
		if (vq->packed && !vq_inflight_take_list(f, (uint16_t)i, vq->size, taken))
			STORE(e->inflight, 0);
		else
			ret[n++] = (struct old){ LOAD(e->counter), (uint16_t)i };
	}
	return n;
}

/* In order; what comes now is counted behind it, and goes where it is not. */
static void vq_inflight_take_over(const struct vq *vq)
{
	struct vq_inflight *f = vq->inflight;
	bool *taken = vq_inflight_alloc(vq->size, sizeof(*taken));
	struct old *old = vq_inflight_alloc(vq->size, sizeof(*old));

	f->n = vq_inflight_find(vq, taken, old);
	qsort(old, f->n, sizeof(*old), vq_inflight_earlier);
	for (unsigned i = 0; i < f->n; i++)
		f->again[i] = old[i].head;
	if (f->n)
		f->counter = old[f->n - 1].counter + 1;
	for (unsigned i = 0; i < vq->size; i++)
		if (!taken[i])
			f->free[f->n_free++] = (uint16_t)i;
	free(taken);
	free(old);
}

/* Of a batch that was not shown, all used descriptors but the first may be in the ring: a driver
 * would take them for such when it comes there. */
static void vq_inflight_clean_ring(const struct vq *vq)
{
	const unsigned both = VRING_DESC_F_AVAIL | VRING_DESC_F_USED;
	uint16_t pos = vq->pos.next_used;

	for (; vq->packed && pos != vq->pos.next_avail; pos = vring_pos_advance(pos, 1, vq->size)) {
		struct vring_packed_desc *d = &vq->ring.desc[vring_pos_off(pos)];
		uint64_t rest = le64_cpu(LOAD(d->rest));

		if ((vring_rest_flags(rest) & both) != vring_pos_used_flags(pos))
			continue;
		STORE(d->rest, cpu_le64(vring_packed_rest(0, 0, vring_pos_avail_flags(pos))));
		if (vq->mem->log)
			gmem_mark_at(vq->mem, d, sizeof(*d));
	}
}

void vq_inflight_on(struct vq *vq, struct vq_inflight_area *area)
{
	struct vq_inflight *f = vq_inflight_alloc(1, sizeof(*f));
	unsigned size = vq->size;

	*f = (struct vq_inflight){
		.real = vq->ring_layout,
		.area = area,
		.again = vq_inflight_alloc(size, sizeof(*f->again)),
		.slots = vq_inflight_alloc(size, sizeof(*f->slots)),
		.batch = vq_inflight_alloc(size, sizeof(*f->batch)),
		.free = vq_inflight_alloc(size, sizeof(*f->free)),
		.links = vq_inflight_alloc(size, sizeof(*f->links)),
		.descs = vq_inflight_alloc(size, sizeof(*f->descs)),
	};
	vq->inflight = f;
	vq_inflight_take_over(vq);
	vq_inflight_clean_ring(vq);
	vq->layout = vq->ring_layout = &vq_inflight_layout;
}

void vq_inflight_off(struct vq *vq)
{
	struct vq_inflight *f = vq->inflight;

	if (!f)
		return;
	free(f->again);
	free(f->slots);
	free(f->batch);
	free(f->free);
	free(f->links);
	free(f->descs);
	free(f);
	vq->inflight = NULL;
}
