/*
 * Virtqueue, device's side: what does not depend on the layout.
 *
 * A queue's state is its layout: split, packed, or `none` when it is stopped or a driver's mistake
 * has killed it, which answers every call without touching anything.
 *
 * A pushed chain is noted in pool.order and keeps its slot; vq_publish() releases to the layout
 * what was noted, and the slots, in one go. Without VIRTIO_F_IN_ORDER a chain's place there is
 * taken when it is pushed.
 *
 * VIRTIO_F_IN_ORDER is honoured here, whatever the device does. A chain's place is taken when it is
 * popped, and vq_publish() releases the run of pushed chains up to the first that is not. Of a run,
 * chains that were written completely need no used element of their own: the driver must assume
 * just that of those which are skipped (VIRTIO 1.4, 2.7.9 and 2.8.8).
 */
#include "virtqueue/vq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "virtqueue/vq-impl.h"

static const struct {
	const char *name, *text;
} faults[] = {
	[VQ_OK] = { "ok", "nothing is wrong" },
	[VQ_FAULT_SIZE] = { "size",
			    "queue size is 0, above the maximum, or not a power of two in a "
			    "split ring (2.7, 2.8.10.1)" },
	[VQ_FAULT_RING_ALIGN] = { "ring-align", "part of the ring is misaligned (2.7, 2.8)" },
	[VQ_FAULT_RING_ADDRESS] = { "ring-address",
				    "part of the ring is not in memory (2.7, 2.8)" },
	[VQ_FAULT_AVAIL_JUMP] = { "avail-jump", "avail idx moved by more than the queue size or "
						"backwards (2.7.6.1)" },
	[VQ_FAULT_HEAD] = { "head", "available ring names a descriptor beyond the table (2.7.6)" },
	[VQ_FAULT_HEAD_IN_FLIGHT] = { "head-in-flight", "descriptor made available again before it "
							"was used (2.7.13, 2.8.6)" },
	[VQ_FAULT_LOOP] = { "loop", "chain is longer than the queue, or loops (2.7.5.2, "
				    "2.7.5.3.1)" },
	[VQ_FAULT_NEXT] = { "next", "next is beyond the descriptor table (2.7.5)" },
	[VQ_FAULT_ORDER] = { "order", "readable descriptor follows a writable one (2.7.4.2, "
				      "2.8.17)" },
	[VQ_FAULT_LENGTH] = { "length", "descriptor of length 0 (2.7.5)" },
	[VQ_FAULT_TOTAL] = { "total", "chain of more than 2^32 bytes (2.7.5.2)" },
	[VQ_FAULT_ADDRESS] = { "address", "buffer is not all in memory (2.7.5)" },
	[VQ_FAULT_PIECES] = { "pieces", "overlapping buffers cross borders of memory regions more "
					"often than we have room for (2.7.4.1)" },
	[VQ_FAULT_INDIRECT] = { "indirect", "indirect descriptor without the feature "
					    "(2.7.5.3.1, 2.8.19)" },
	[VQ_FAULT_INDIRECT_NEXT] = { "indirect-next", "INDIRECT together with NEXT (2.7.5.3.1, "
						      "2.8.19)" },
	[VQ_FAULT_INDIRECT_LEN] = { "indirect-len", "indirect table is empty, too long, or no "
						    "multiple of 16 bytes (2.7.5.3)" },
	[VQ_FAULT_INDIRECT_ADDRESS] = { "indirect-address", "indirect table is not in memory "
							    "(2.7.5.3)" },
	[VQ_FAULT_INDIRECT_NESTED] = { "indirect-nested", "indirect table inside an indirect table "
							  "(2.7.5.3.1)" },
	[VQ_FAULT_PARTIAL] = { "partial", "descriptor list made available before all of it was "
					  "(2.8.17)" },
	[VQ_FAULT_TAKEN_BACK] = { "taken-back", "descriptor taken back that had been made "
						"available (2.8.1)" },
	[VQ_FAULT_EVENT] = { "event", "reserved event suppression flags (2.8.14)" },
};
_Static_assert(sizeof(faults) / sizeof(faults[0]) == N_VQ_FAULTS, "name every fault");

const char *vq_fault_name(enum vq_fault fault)
{
	return (unsigned)fault < N_VQ_FAULTS ? faults[fault].name : "unknown";
}

const char *vq_fault_text(enum vq_fault fault)
{
	return (unsigned)fault < N_VQ_FAULTS ? faults[fault].text : "no such fault";
}

/* ---- a queue that does nothing ---- */

static int vq_none_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	(void)chains, (void)max;
	return vq->fault ? -1 : 0;
}

static void vq_none_unpop(struct vq *vq, const struct vq_chain *c)
{
	(void)vq, (void)c;
}

static void vq_none_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	(void)vq, (void)slots, (void)n;
}

static bool vq_none_publish(struct vq *vq, uint16_t old)
{
	(void)vq, (void)old;
	return false;
}

static void vq_none_disable_notify(struct vq *vq)
{
	(void)vq;
}

static bool vq_none_enable_notify(struct vq *vq)
{
	(void)vq;
	return true;
}

static bool vq_none_pending(const struct vq *vq)
{
	(void)vq;
	return false;
}

/* Of a queue that is stopped or dead. */
static const struct vq_layout vq_none_layout = {
	.pop = vq_none_pop,
	.unpop = vq_none_unpop,
	.release = vq_none_release,
	.publish = vq_none_publish,
	.disable_notify = vq_none_disable_notify,
	.enable_notify = vq_none_enable_notify,
	.pending = vq_none_pending,
};

int vq_fail(struct vq *vq, enum vq_fault fault, uint16_t head)
{
	vq->layout = &vq_none_layout;
	if (vq->log)
		vq_log_failed(vq, &vq_none_layout);
	vq->fault = fault;
	vq->fault_head = head;
	vq_count(&vq->stats.faults, 1);
	if (vq->observer && vq->observer->ops->broken)
		vq->observer->ops->broken(vq->observer, fault, head);
	return -1;
}

/* ---- completion ---- */

/* The ring never has more than vq->size chains between pop and release, so places do not clash. */
static void vq_order_enter(struct vq *vq, struct vq_chain **chains, unsigned n)
{
	uint16_t tail = vq->order_tail;

	for (unsigned i = 0; i < n; i++)
		vq_slot_of(chains[i])->seq = tail++;
	vq->order_tail = tail;
}

static void vq_order_leave(struct vq *vq)
{
	vq->order_tail--;
}

void vq_retired(const struct vq *vq, const struct vq_slot *s)
{
	if (vq->log)
		vq_log_buffers(vq, s);
	if (vq->inflight)
		vq_inflight_used(vq, s);
}

/* Releases the oldest chains, as far as they were pushed, and leaves their slots as one piece at
 * the top of the free ones. */
static unsigned vq_release_in_order(struct vq *vq)
{
	struct vq_slot **order = vq->pool.order, *s;
	uint16_t head = vq->order_head, mask = vq->mask;
	unsigned n = 0;

	while ((s = order[head & mask])) {
		struct vq_slot *next;

		order[head++ & mask] = NULL;
		next = order[head & mask];
		if (next && s->used == s->writable) { /* the next one says it all */
			next->c.n_slots += s->c.n_slots;
			vq_retire(vq, s);
		} else {
			vq->layout->release(vq, &s, 1);
		}
		vq_slot_put(&vq->pool, s);
		n++;
	}
	vq->order_head = head;
	return n;
}

static void vq_release_piece(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	struct vq_pool *pool = &vq->pool;

	vq->layout->release(vq, slots, n);
	memcpy(pool->free_slots + pool->n_free_slots, slots, n * sizeof(*slots));
	pool->n_free_slots += n;
}

/* What was pushed lies in one piece, or two if it goes over the end. */
static unsigned vq_release_all(struct vq *vq)
{
	unsigned from = vq->order_head & vq->mask, n = vq->n_pushed;
	unsigned first = vq->mask + 1u - from;

	if (first > n)
		first = n;
	vq_release_piece(vq, &vq->pool.order[from], first);
	if (first < n)
		vq_release_piece(vq, vq->pool.order, n - first);
	vq->order_head += n;
	return n;
}

/* Hands what was pushed since the last time to the layout. */
static void vq_release_pushed(struct vq *vq)
{
	unsigned n;

	if (vq->n_pushed == 0)
		return;
	n = vq->in_order ? vq_release_in_order(vq) : vq_release_all(vq);
	vq->n_pushed -= n;
	vq_count(&vq->stats.completed, n);
}

/* ---- observer and filter ---- */

static uint32_t vq_used_length(struct vq_chain *c)
{
	const struct vq_slot *s = vq_slot_of(c);

	return c->written < s->writable ? (uint32_t)c->written : s->writable;
}

static void vq_tell_pushed(struct vq *vq, struct vq_chain *c)
{
	struct vq_observer *o = vq->observer;

	if (o && o->ops->pushed)
		o->ops->pushed(o, c, vq_used_length(c));
}

static int vq_observed_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	int n = vq->ring_layout->pop(vq, chains, max);
	struct vq_observer *o = vq->observer;

	for (int i = 0; o && o->ops->popped && i < n; i++)
		o->ops->popped(o, chains[i]);
	return n;
}

static void vq_observed_unpop(struct vq *vq, const struct vq_chain *c)
{
	struct vq_observer *o = vq->observer;

	vq->ring_layout->unpop(vq, c);
	if (o && o->ops->unpopped)
		o->ops->unpopped(o, c);
}

static void vq_observed_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	vq->ring_layout->release(vq, slots, n);
}

static bool vq_observed_publish(struct vq *vq, uint16_t old)
{
	bool wanted = vq->ring_layout->publish(vq, old);
	struct vq_observer *o = vq->observer;

	if (o && o->ops->published)
		o->ops->published(o, wanted);
	return wanted;
}

static void vq_observed_disable_notify(struct vq *vq)
{
	vq->ring_layout->disable_notify(vq);
}

static bool vq_observed_enable_notify(struct vq *vq)
{
	return vq->ring_layout->enable_notify(vq);
}

static bool vq_observed_pending(const struct vq *vq)
{
	return vq->ring_layout->pending(vq);
}

/* Of a queue that somebody looks at: tells what passes, so that other queues need not ask whether
 * to. */
static const struct vq_layout vq_observed_layout = {
	.pop = vq_observed_pop,
	.unpop = vq_observed_unpop,
	.release = vq_observed_release,
	.publish = vq_observed_publish,
	.disable_notify = vq_observed_disable_notify,
	.enable_notify = vq_observed_enable_notify,
	.pending = vq_observed_pending,
};

/* The observer or the filter is another one. */
static void vq_observe_anew(struct vq *vq)
{
	vq->observed = vq->observer || vq->filter;
	if (vq->layout != &vq_none_layout)
		vq->layout = vq->observed ? &vq_observed_layout : vq->ring_layout;
}

void vq_observe(struct vq *vq, struct vq_observer *o)
{
	vq->observer = o;
	vq_observe_anew(vq);
}

void vq_filter(struct vq *vq, struct vq_filter *f)
{
	vq->filter = f;
	vq_observe_anew(vq);
}

/* ---- life ---- */

struct vq_position vq_position_initial(bool packed)
{
	uint16_t at = packed ? 1u << 15 : 0;

	return (struct vq_position){ .next_avail = at, .next_used = at };
}

struct vq *vq_new(void)
{
	struct vq *vq = calloc(1, sizeof(*vq));

	if (!vq)
		abort();
	vq->layout = &vq_none_layout;
	return vq;
}

void vq_free(struct vq *vq)
{
	assert(!vq || !vq_started(vq));
	free(vq);
}

static bool vq_size_fits(const struct vq_config *cfg)
{
	return cfg->size > 0 && cfg->size <= VRING_QUEUE_SIZE_MAX;
}

static void vq_far_stopped(struct vq *vq)
{
	struct vq_far *far = vq->far;

	vq->far = NULL;
	if (far)
		far->stopped(far);
}

static enum vq_fault vq_start_at(struct vq *vq, const struct gmem *mem, const struct vq_config *cfg)
{
	const struct vq_layout *layout = cfg->packed ? &vq_packed_layout : &vq_split_layout;
	enum vq_fault fault = VQ_FAULT_SIZE;

	memset(vq, 0, offsetof(struct vq, stats)); /* those have readers elsewhere */
	vq->layout = &vq_none_layout;
	vq->mem = mem;
	vq->last_region = &mem->region[0];
	vq->size = cfg->size;
	vq->mask = vq_order_places(cfg->size) - 1;
	vq->packed = cfg->packed;
	vq->event_idx = cfg->event_idx;
	vq->indirect = cfg->indirect;
	vq->in_order = cfg->in_order;
	vq->notify_on_empty = cfg->notify_on_empty;
	vq->log_ring = cfg->log_ring;
	vq->log_device = cfg->log_device;
	vq->max_bufs = cfg->size > VQ_CHAIN_MIN ? cfg->size : VQ_CHAIN_MIN;
	vq->pos = cfg->position;
	vq->published = cfg->position.next_used;
	vq->far = cfg->far;
	if (vq_size_fits(cfg))
		fault = layout->start(vq, cfg);
	if (fault) {
		(void)vq_fail(vq, fault, 0);
		vq->mem = NULL;
		vq_far_stopped(vq);
		return fault;
	}
	vq_pool_make(&vq->pool, cfg->size, cfg->request_size);
	vq->layout = vq->ring_layout = vq->far ? &vq_far_layout : layout;
	if (cfg->inflight)
		vq_inflight_on(vq, cfg->inflight);
	if (mem->log)
		vq_log_on(vq);
	vq_observe_anew(vq);
	return VQ_OK;
}

enum vq_fault vq_start(struct vq *vq, const struct gmem *mem, const struct vq_config *cfg)
{
	struct vq_config at = *cfg;

	assert(!vq_started(vq));
	if (at.inflight && vq_size_fits(&at))
		vq_inflight_settle(mem, &at);
	return vq_start_at(vq, mem, &at);
}

struct vq_position vq_stop(struct vq *vq)
{
	vq_release_pushed(vq); /* the position is past what was pushed */
	vq_log_in_flight(vq);
	vq_log_off(vq);
	vq_inflight_off(vq);
	vq->layout = &vq_none_layout;
	vq->mem = NULL;
	vq->fault = VQ_OK;
	vq_pool_free(&vq->pool);
	vq_far_stopped(vq);
	return vq->pos;
}

void vq_memory_changed(struct vq *vq)
{
	if (!vq->mem)
		return;
	vq->last_region = &vq->mem->region[0];
	if (vq->mem->log && !vq->log)
		vq_log_on(vq);
	else if (!vq->mem->log)
		vq_log_off(vq);
}

void vq_features_changed(struct vq *vq, const struct vq_config *cfg)
{
	vq->event_idx = cfg->event_idx;
	vq->indirect = cfg->indirect;
	vq->notify_on_empty = cfg->notify_on_empty;
	(void)vq->layout->enable_notify(vq); /* in the way that is agreed on now */
}

/* Is one of these bytes in [@from, @from + @len)? */
static bool has_part(const void *from, uint64_t len, const void *part, size_t bytes)
{
	uintptr_t a = (uintptr_t)from, b = (uintptr_t)part;

	return b < a ? a - b < bytes : b - a < len;
}

bool vq_uses_memory(const struct vq *vq, const struct gmem_region *r)
{
	if (!vq_started(vq))
		return false;
	if (vq_in_flight(vq) > 0)
		return true;
	if (vq->packed)
		return has_part(r->hva, r->len, vq->ring.desc, vring_desc_bytes(vq->size)) ||
		       has_part(r->hva, r->len, vq->ring.driver, sizeof(*vq->ring.driver)) ||
		       has_part(r->hva, r->len, vq->ring.device, sizeof(*vq->ring.device));
	return has_part(r->hva, r->len, vq->split.desc, vring_desc_bytes(vq->size)) ||
	       has_part(r->hva, r->len, vq->split.avail, vring_avail_bytes(vq->size)) ||
	       has_part(r->hva, r->len, vq->split.used, vring_used_bytes(vq->size));
}

bool vq_started(const struct vq *vq)
{
	return vq->mem != NULL;
}

static bool vq_is_live(const struct vq *vq)
{
	return vq->mem && !vq->fault;
}

bool vq_packed(const struct vq *vq)
{
	return vq->packed;
}

uint16_t vq_size(const struct vq *vq)
{
	return vq->size;
}

unsigned vq_in_flight(const struct vq *vq)
{
	return vq->pool.fresh_slots - vq->pool.n_free_slots - vq->n_pushed;
}

bool vq_is_in_flight(const struct vq *vq, uint16_t id)
{
	return vq->pool.in_flight[id];
}

struct vq_position vq_position(const struct vq *vq)
{
	return vq->pos;
}

enum vq_fault vq_fault(const struct vq *vq)
{
	return vq->fault;
}

uint16_t vq_fault_head(const struct vq *vq)
{
	return vq->fault_head;
}

struct vq_stats *vq_stats(struct vq *vq)
{
	return &vq->stats;
}

/* ---- data path ---- */

/* It comes from the ring, and not from an account of what was in flight before. */
static bool vq_is_ring_s(const struct vq *vq, struct vq_chain *c)
{
	return !vq->inflight || !vq_inflight_is_again(vq, vq_slot_of(c));
}

/* Of the chains that were given back, @chains came again. */
static void vq_count_popped_again(struct vq *vq, struct vq_chain **chains, unsigned n)
{
	for (unsigned i = 0; i < n && vq->unpopped; i++) {
		uint16_t slots = vq_is_ring_s(vq, chains[i]) ? chains[i]->n_slots : 0;

		vq->unpopped -= slots < vq->unpopped ? slots : vq->unpopped;
	}
}

int vq_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	int n;

	vq->pool_exhausted = false;
	vq->bytes_read = 0;
	n = vq->layout->pop(vq, chains, max);
	if (n <= 0)
		return n;
	if (vq->in_order)
		vq_order_enter(vq, chains, n);
	if (vq->unpopped)
		vq_count_popped_again(vq, chains, n);
	vq_count(&vq->stats.chains, n);
	vq_count(&vq->stats.bytes_read, vq->bytes_read);
	return n;
}

void vq_unpop(struct vq *vq, struct vq_chain *c)
{
	vq->layout->unpop(vq, c);
	if (vq->in_order)
		vq_order_leave(vq);
	if (vq_is_ring_s(vq, c))
		vq->unpopped += c->n_slots;
	vq_count(&vq->stats.chains, -1ull);
	vq_count(&vq->stats.bytes_read, -(uint64_t)c->rd.left);
	vq_slot_drop(&vq->pool, vq_slot_of(c));
}

static __attribute__((__noinline__)) void vq_give_area_back(struct vq *vq, struct vq_slot *s)
{
	if (vq->log)
		vq_log_area_gone(vq, s);
	vq_area_put(&vq->pool, s->area);
	s->area = NULL;
	vq->pool_exhausted = false;
}

/* Notes a chain as pushed: at its own place in order, or else at the next. */
static inline void vq_push_unobserved(struct vq *vq, struct vq_chain *c)
{
	struct vq_slot *s = vq_slot_of(c);
	uint16_t next = vq->order_head + vq->n_pushed++;

	assert(c->vq == vq); /* the device's mistake: not in flight, or of another queue */
	c->vq = NULL;
	s->used = c->written < s->writable ? c->written : s->writable;
	vq->pool.order[(vq->in_order ? s->seq : next) & vq->mask] = s;
	if (s->area)
		vq_give_area_back(vq, s);
}

static __attribute__((__noinline__)) void vq_push_observed(struct vq *vq, struct vq_chain *c)
{
	if (vq->filter && !vq->filter->push(vq->filter, c))
		return;
	vq_tell_pushed(vq, c);
	vq_push_unobserved(vq, c);
}

void vq_push(struct vq *vq, struct vq_chain *c)
{
	if (__builtin_expect(vq->observed, false))
		vq_push_observed(vq, c);
	else
		vq_push_unobserved(vq, c);
}

void vq_complete(struct vq *vq, struct vq_chain *c)
{
	vq_tell_pushed(vq, c);
	vq_push_unobserved(vq, c);
}

void vq_complete_early(struct vq *vq, struct vq_chain *c)
{
	struct vq_slot *s = vq_slot_of(c);

	if (!vq_is_live(vq))
		return;
	vq_release_pushed(vq);
	vq_tell_pushed(vq, c);
	s->used = vq_used_length(c);
	vq->layout->release(vq, &s, 1);
	if (vq->packed) /* it is in flight still */
		vq->ring.slots_out += c->n_slots;
	else
		vq->pool.in_flight[c->id] = 1;
}

bool vq_publish(struct vq *vq)
{
	uint16_t old = vq->published;
	bool wanted;

	vq_release_pushed(vq);
	if (!vq_is_live(vq) || vq->pos.next_used == old)
		return false;
	vq->published = vq->pos.next_used;
	wanted = vq->layout->publish(vq, old);
	vq_count(wanted ? &vq->stats.interrupts : &vq->stats.suppressed, 1);
	return wanted;
}

void vq_disable_notify(struct vq *vq)
{
	vq->layout->disable_notify(vq);
}

bool vq_enable_notify(struct vq *vq)
{
	return vq->layout->enable_notify(vq) || vq->pool_exhausted;
}

bool vq_pending(const struct vq *vq)
{
	return !vq->pool_exhausted && vq->layout->pending(vq);
}

bool vq_pool_exhausted(const struct vq *vq)
{
	return vq->pool_exhausted;
}
