#include "tools/fuzz/host/observe.h"

#include <string.h>

#include "tools/fuzz/fixture/arena.h"
#include "tools/fuzz/language/story.h"

#define CANARY 0x5ca1ab1e0ddba115ull
#define HEAD   4u /* words at the beginning of a writable buffer that are marked */

/* File-scope because the wrapped functions have no argument of ours. */
static struct {
	const struct vq *vq[TWIN_QUEUES];
	struct twin *twin[TWIN_QUEUES];
	unsigned n;
} watched;

void observe_begin(void)
{
	watched.n = 0;
}

void observe_queue(const struct vq *vq, struct twin *t)
{
	unsigned i = 0;

	while (i < watched.n && watched.vq[i] != vq)
		i++;
	if (i == TWIN_QUEUES)
		return;
	watched.vq[i] = vq;
	watched.twin[i] = t;
	watched.n = i < watched.n ? watched.n : i + 1;
}

/* The twin behind @vq if all that it wrote stands as it wrote it. */
static struct twin *sound_twin(const struct vq *vq)
{
	for (unsigned i = 0; i < watched.n; i++)
		if (watched.vq[i] == vq && watched.twin[i]->made && !watched.twin[i]->lies &&
		    arena_is_sound())
			return watched.twin[i];
	return NULL;
}

static uint64_t bytes(const struct drv_buf *buf, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += buf[i].len;
	return sum;
}

/* Calls fn with each marked word of the writable buffers that lies in the first @len bytes. */
static void each_mark(const struct twin_chain *t, uint64_t len, void (*fn)(uint64_t *word))
{
	for (unsigned i = t->n_rd; i < t->n; i++) {
		uint64_t n = t->buf[i].len < len ? t->buf[i].len : len;
		uint8_t *at = arena_at(t->buf[i].gpa, n);

		for (unsigned w = 0; at && w < HEAD && (w + 1) * 8ul <= n; w++)
			fn((uint64_t *)(void *)(at + 8ul * w));
		len -= n;
	}
}

static void mark(uint64_t *word)
{
	*word = CANARY;
}

static void check_mark(uint64_t *word)
{
	if (*word == CANARY)
		fuzz_bug("the used length covers bytes that were never written");
}

static void popped(struct twin *t, const struct vq_chain *c)
{
	const struct twin_chain *made;

	if (c->id >= TWIN_SIZE || !t->vq.slot[c->id].n)
		fuzz_bug("queue %u: the device has a chain %u, which was not given", t->index,
			 c->id);
	made = &t->chain[c->id];
	if (c->rd.left != bytes(made->buf, made->n_rd) ||
	    c->wr.left != bytes(made->buf + made->n_rd, made->n - made->n_rd))
		fuzz_bug("queue %u: chain %u has %lu readable and %lu writable bytes; the device "
			 "sees %zu and %zu",
			 t->index, c->id, bytes(made->buf, made->n_rd),
			 bytes(made->buf + made->n_rd, made->n - made->n_rd), c->rd.left,
			 c->wr.left);
	if (!made->shared)
		each_mark(made, UINT64_MAX, mark);
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_vq_pop(struct vq *vq, struct vq_chain **chains, unsigned max);
int __wrap_vq_pop(struct vq *vq, struct vq_chain **chains, unsigned max);
int __wrap_vq_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	int n = __real_vq_pop(vq, chains, max);
	struct twin *t = sound_twin(vq);

	for (int i = 0; i < n; i++) {
		story("device: takes chain %u: %zu bytes to read, %zu to write", chains[i]->id,
		      chains[i]->rd.left, chains[i]->wr.left);
		if (t)
			popped(t, chains[i]);
	}
	if (n < 0)
		story("device: the ring is broken: %s at %u", vq_fault_name(vq_fault(vq)),
		      vq_fault_head(vq));
	if (n < 0 && t)
		fuzz_bug("queue %u: a sound driver is accused: %s", t->index,
			 vq_fault_name(vq_fault(vq)));
	return n;
}

void __real_vq_push(struct vq *vq, struct vq_chain *c);
void __wrap_vq_push(struct vq *vq, struct vq_chain *c);
void __wrap_vq_push(struct vq *vq, struct vq_chain *c)
{
	struct twin *t = sound_twin(vq);

	story("device: gives chain %u back, %zu bytes written", c->id, c->written);
	if (t && c->id < TWIN_SIZE && !t->chain[c->id].shared)
		each_mark(&t->chain[c->id], c->written, check_mark);
	__real_vq_push(vq, c);
}
/* NOLINTEND(bugprone-reserved-identifier) */
