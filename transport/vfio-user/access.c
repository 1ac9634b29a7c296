/*
 * Memory without a descriptor: DMA_READ and DMA_WRITE, which are the server's to send, and the
 * client's to answer.
 *
 * Nobody waits for an answer. A client may hold a lock, while it waits for the answer to a message
 * of its own, that it needs to carry ours out (QEMU does): so its messages are served meanwhile,
 * and whoever wants to reach its memory says how to go on (struct vfu_flow). Accesses are carried
 * out in no certain order; one that must come after another is of a later step.
 *
 * What is mapped is reached like this, too, at once and in words: rings may lie in either.
 *
 * So much is under way at most that the socket takes it without waiting.
 */
#include <errno.h>
#include <string.h>

#include "transport/vfio-user/impl.h"

#define WINDOW 65536u /* bytes of data under way */
#define TICKS  4u     /* a client's patience has so many */

struct vfu_access_op {
	GList link;
	struct vfu_flow *flow;
	bool write;
	uint64_t address, len; /* what is not begun */
	uint8_t *bytes;        /* NULL: nobody wants it any more */
	uint8_t *own;          /* they lie in it, and it is freed with this; or NULL */
};

/*
 * Flows.
 */
void vfu_flow_run(struct vfu_flow *f)
{
	while (!f->left && f->step) {
		void (*step)(struct vfu_ring * ring) = f->step;

		f->step = NULL;
		step(f->ring);
	}
}

static void vfu_flow_one_less(struct vfu_flow *f)
{
	f->left--;
	vfu_flow_run(f);
}

static void vfu_access_free(struct vfu_access_op *op)
{
	g_free(op->own);
	g_free(op);
}

void vfu_flow_cancel(struct vfu_flow *f)
{
	struct vfu_accesses *a = &f->v->accesses;

	f->step = NULL;
	for (GList *at = a->waiting.head, *next; at; at = next) {
		struct vfu_access_op *op = at->data;

		next = at->next;
		if (op->flow != f)
			continue;
		g_queue_unlink(&a->waiting, at);
		vfu_access_free(op);
		f->left--;
	}
	for (unsigned i = 0; i < a->n_sent; i++)
		if (a->sent[i].flow == f)
			a->sent[i].bytes = NULL;
}

static void vfu_access_begin(struct vfu_flow *f, bool write, uint64_t address, uint8_t *bytes,
			     uint64_t len)
{
	struct vfu_access_op *op;

	if (!len)
		return;
	op = g_new0(struct vfu_access_op, 1);
	*op = (struct vfu_access_op){ .link.data = op,
				      .flow = f,
				      .write = write,
				      .address = address,
				      .len = len,
				      .bytes = bytes };
	f->left++;
	g_queue_push_tail_link(&f->v->accesses.waiting, &op->link);
}

void vfu_get(struct vfu_flow *f, uint64_t address, void *to, uint64_t len)
{
	vfu_access_begin(f, false, address, to, len);
}

void vfu_put(struct vfu_flow *f, uint64_t address, const void *from, uint64_t len)
{
	vfu_access_begin(f, true, address, (uint8_t *)from, len);
}

static bool vfu_overlap(const uint8_t *a, uint64_t a_len, const uint8_t *b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

void vfu_access_forget(struct vfio_user *v, const uint8_t *bytes, uint64_t len)
{
	struct vfu_accesses *a = &v->accesses;

	for (GList *at = a->waiting.head; at; at = at->next) {
		struct vfu_access_op *op = at->data;

		if (!op->bytes || !vfu_overlap(op->bytes, op->len, bytes, len))
			continue;
		if (op->write)
			op->bytes = op->own = g_memdup2(op->bytes, op->len);
		else
			op->bytes = NULL;
	}
	for (unsigned i = 0; i < a->n_sent; i++)
		if (a->sent[i].bytes && vfu_overlap(a->sent[i].bytes, a->sent[i].count, bytes, len))
			a->sent[i].bytes = NULL;
}

/*
 * What is mapped: words as a driver on another processor stores and loads them.
 */
static void vfu_copy_words(uint8_t *to, const uint8_t *from, uint64_t len)
{
	typedef uint64_t __attribute__((__may_alias__)) word;

	for (; len >= sizeof(word); to += sizeof(word), from += sizeof(word), len -= sizeof(word))
		__atomic_store_n((word *)to, __atomic_load_n((const word *)from, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
}

static void vfu_copy_halves(uint8_t *to, const uint8_t *from, uint64_t len)
{
	typedef uint16_t __attribute__((__may_alias__)) half;

	for (; len >= sizeof(half); to += sizeof(half), from += sizeof(half), len -= sizeof(half))
		__atomic_store_n((half *)to, __atomic_load_n((const half *)from, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
}

static void vfu_copy(uint8_t *to, const uint8_t *from, uint64_t len)
{
	uintptr_t odd = (uintptr_t)to | (uintptr_t)from | len;

	if (odd % 8 == 0)
		vfu_copy_words(to, from, len);
	else if (odd % 2 == 0)
		vfu_copy_halves(to, from, len);
	else
		memcpy(to, from, len);
	vring_full_barrier(); /* before the next step, whatever that looks at */
}

/*
 * What is not.
 */
static gboolean vfu_access_tick(gpointer arg)
{
	struct vfio_user *v = arg;

	if (!v->accesses.n_sent) {
		loop_unwatch(g_steal_pointer(&v->accesses.tick));
		return G_SOURCE_REMOVE;
	}
	/* While a message waits for the host, nobody reads what the client answers. */
	if (v->serving || v->lost || ++v->accesses.silent < TICKS)
		return G_SOURCE_CONTINUE;
	g_log("ringside", G_LOG_LEVEL_WARNING,
	      "%s: client: %s: not answered for %u ms; the connection is closed", vdev_name(v->dev),
	      v->accesses.sent[0].write ? "DMA_WRITE" : "DMA_READ", v->patience_ms);
	vfu_fail(v);
	return G_SOURCE_CONTINUE;
}

static void vfu_access_watch(struct vfio_user *v)
{
	struct vfu_accesses *a = &v->accesses;

	a->silent = 0;
	if (a->tick)
		return;
	a->tick = g_timeout_source_new(MAX(v->patience_ms / TICKS, 1));
	g_source_set_callback(a->tick, vfu_access_tick, v, NULL);
	g_source_attach(a->tick, loop_context(v->main));
}

static bool vfu_access_send(struct vfio_user *v, const struct vfu_sent *s)
{
	struct {
		struct vfu_header header;
		struct vfu_dma_access dma;
	} m = { .header = { .id = s->id,
			    .command = s->write ? VFU_DMA_WRITE : VFU_DMA_READ,
			    .size = (uint32_t)sizeof(m) + (s->write ? s->count : 0) },
		.dma = { s->address, s->count } };

	return msg_send(v->socket.fd, &(struct msg_out){ .header = &m,
							 .header_size = sizeof(m),
							 .payload = s->bytes,
							 .payload_size = s->write ? s->count : 0 });
}

static void vfu_access_ask(struct vfio_user *v, const struct vfu_access_op *op, uint32_t n)
{
	struct vfu_accesses *a = &v->accesses;
	struct vfu_sent *s = &a->sent[a->n_sent];

	*s = (struct vfu_sent){ .write = op->write,
				.id = a->id++,
				.address = op->address,
				.count = n,
				.bytes = op->bytes,
				.flow = op->flow };
	if (!vfu_access_send(v, s)) {
		g_log("ringside", G_LOG_LEVEL_WARNING,
		      "%s: client: %s: it is not taken; the connection is closed",
		      vdev_name(v->dev), s->write ? "DMA_WRITE" : "DMA_READ");
		vfu_fail(v);
		return;
	}
	op->flow->left++;
	a->n_sent++;
	a->sent_bytes += n;
	vfu_access_watch(v);
}

/* Begins what it can of @op. How many bytes that are; 0: later. */
static uint64_t vfu_access_piece(struct vfio_user *v, const struct vfu_access_op *op)
{
	const struct vfu_accesses *a = &v->accesses;
	const struct vfu_region_of_memory *r = vfu_dma_find(v, op->address);
	uint64_t n;

	if (!r || !op->bytes)
		return op->len;
	n = MIN(op->len, r->size - (op->address - r->address));
	if (r->map.at) {
		uint8_t *at = r->map.bytes + (op->address - r->address);

		vfu_copy(op->write ? at : op->bytes, op->write ? op->bytes : at, n);
		return n;
	}
	if (!r->copies || (op->write && !r->writeable))
		return n;
	n = MIN(n, a->max_bytes);
	if (a->n_sent == VFU_SENT_MAX || (a->n_sent && a->sent_bytes + n > WINDOW))
		return 0;
	vfu_access_ask(v, op, (uint32_t)n);
	return n;
}

static bool vfu_access_go_on(struct vfio_user *v)
{
	struct vfu_accesses *a = &v->accesses;
	GList *first = g_queue_peek_head_link(&a->waiting);
	struct vfu_access_op *op;
	uint64_t n;

	if (!first || v->dma.changing || v->lost)
		return false;
	op = first->data;
	n = vfu_access_piece(v, op);
	op->address += n;
	op->len -= n;
	if (op->bytes)
		op->bytes += n;
	if (!op->len) {
		struct vfu_flow *f = op->flow;

		g_queue_unlink(&a->waiting, first);
		vfu_access_free(op);
		vfu_flow_one_less(f);
	}
	return n;
}

void vfu_pump(struct vfio_user *v)
{
	struct vfu_accesses *a = &v->accesses;

	if (a->pumping)
		return;
	a->pumping = true;
	while (vfu_access_go_on(v))
		;
	a->pumping = false;
}

/*
 * Answers.
 */
bool vfu_access_is_answer(const struct vfio_user *v)
{
	const struct vfu_header *h = &v->in.header;

	return (h->command == VFU_DMA_READ || h->command == VFU_DMA_WRITE) &&
	       (h->flags & VFU_TYPE) == VFU_REPLY;
}

/* A client that has nothing to add to what it was asked leaves that out, after a write. */
static const char *vfu_access_check(struct vfio_user *v, const struct vfu_sent *s)
{
	const struct vfu_header *h = &v->in.header;
	const struct vfu_dma_access *dma = &v->in.payload.dma;
	size_t size = h->size - sizeof(*h);

	if (h->flags & ~(VFU_REPLY | VFU_ERROR))
		return "flags that there are not";
	if (v->socket.n_fds)
		return "more descriptors than belong to it";
	if (h->flags & VFU_ERROR) {
		(void)g_snprintf(v->accesses.wrong, sizeof(v->accesses.wrong),
				 "%u bytes at %#" G_GINT64_MODIFIER "x: %s", s->count, s->address,
				 g_strerror((int)MIN(h->error, 4095u)));
		return v->accesses.wrong;
	}
	if (s->write && !size)
		return NULL;
	if (size != sizeof(*dma) + (s->write ? 0 : s->count))
		return "an answer of another size than was asked for";
	if (dma->address != s->address || dma->count != s->count)
		return "an answer about other memory than was asked for";
	return NULL;
}

const char *vfu_access_answer(struct vfio_user *v)
{
	const struct vfu_header *h = &v->in.header;
	struct vfu_accesses *a = &v->accesses;
	const char *wrong;
	struct vfu_sent s;
	unsigned i = 0;

	while (i < a->n_sent &&
	       (a->sent[i].id != h->id || (h->command == VFU_DMA_WRITE) != a->sent[i].write))
		i++;
	if (i == a->n_sent)
		return "an answer to what was not asked";
	s = a->sent[i];
	wrong = vfu_access_check(v, &s);
	if (wrong)
		return wrong;
	a->n_sent--;
	memmove(&a->sent[i], &a->sent[i + 1], (a->n_sent - i) * sizeof(a->sent[0]));
	a->sent_bytes -= s.count;
	a->silent = 0;
	if (!s.write && s.bytes)
		memcpy(s.bytes, v->in.payload.dma.data, s.count);
	a->pumping = true; /* by steps: not before they are over */
	vfu_flow_one_less(s.flow);
	a->pumping = false;
	vfu_far_go_on(v);
	return NULL;
}

void vfu_access_clear(struct vfio_user *v)
{
	struct vfu_accesses *a = &v->accesses;
	GList *first;

	while ((first = g_queue_pop_head_link(&a->waiting)))
		vfu_access_free(first->data);
	a->n_sent = 0;
	a->sent_bytes = 0;
	loop_unwatch(g_steal_pointer(&a->tick));
}
