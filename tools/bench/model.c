/* Counting: see model.h. */
#include "tools/bench/trace.h" /* first: this file works on the traced copy of the rings */

#include "tools/bench/model.h"

#include <string.h>

#include "devices/base/error.h"
#include "tools/bench/caches.h"
#include "tools/bench/pcie.h"
#include "virtqueue/driver/drv.h"
#include "virtqueue/vq.h"

#define GPA       0x100000u
#define MEMORY    (1u << 19) /* bytes, for ring and tables; buffers follow, unused */
#define BATCH_MAX 256u
#define WARM_UP   4u  /* laps of the ring */
#define COUNTED   64u /* laps */

enum part { DESC, AVAIL, USED, SUPPRESSION, TABLES, N_PARTS };

struct model {
	const struct bench_variant *v;
	unsigned batch;
	bool sleep, counting;
	const char *failed;

	uint8_t *memory;
	struct gmem mem;
	struct drv_vq drv;
	struct vq *vq;
	struct drv_buf bufs[16];
	struct drv_chain offered[BATCH_MAX];
	struct drv_done done[BATCH_MAX];
	struct vq_chain *popped[BATCH_MAX];

	enum cache_side actor;
	struct caches caches;
	struct pcie pcie;
	uint64_t lines[N_PARTS], claims, kicks, interrupts, chains;
};

/*
 * Where an access goes.
 */
static bool within(size_t offset, const struct model *m, const void *part, size_t len)
{
	size_t at = (size_t)((const uint8_t *)part - m->memory);

	return offset >= at && offset < at + len;
}

static enum part split_part(const struct model *m, size_t offset)
{
	const struct drv_split *s = &m->drv.split;
	unsigned size = m->drv.cfg.size;

	if (within(offset, m, s->desc, vring_desc_bytes(size)))
		return DESC;
	if (within(offset, m, &s->avail->flags, sizeof(le16)) ||
	    within(offset, m, &s->used->flags, sizeof(le16)) ||
	    within(offset, m, s->used_event, sizeof(le16)) ||
	    within(offset, m, s->avail_event, sizeof(le16)))
		return SUPPRESSION;
	if (within(offset, m, s->avail, vring_avail_bytes(size)))
		return AVAIL;
	return within(offset, m, s->used, vring_used_bytes(size)) ? USED : TABLES;
}

static enum part packed_part(const struct model *m, size_t offset)
{
	const struct drv_packed *p = &m->drv.packed;

	if (within(offset, m, p->desc, m->drv.cfg.size * sizeof(*p->desc)))
		return DESC;
	if (within(offset, m, p->driver, sizeof(*p->driver)) ||
	    within(offset, m, p->device, sizeof(*p->device)))
		return SUPPRESSION;
	return TABLES;
}

static enum part part_of(const struct model *m, size_t offset)
{
	return m->drv.cfg.packed ? packed_part(m, offset) : split_part(m, offset);
}

/* A kick with NOTIFICATION_DATA says it. */
static bool is_told(const struct model *m, size_t offset)
{
	return !m->drv.cfg.packed && within(offset, m, &m->drv.split.avail->idx, sizeof(le16));
}

static void count_trip(struct model *m, enum cache_trip trip, size_t offset)
{
	if (!m->counting)
		return;
	m->lines[part_of(m, offset)] += trip == CACHE_LINE_MOVED;
	m->claims += trip == CACHE_LINE_CLAIMED;
}

static void on_access(void *opaque, enum trace_access what, size_t offset, size_t len)
{
	struct model *m = opaque;

	for (size_t at = offset; at < offset + len; at = (at / CACHE_LINE + 1) * CACHE_LINE)
		count_trip(m,
			   caches_access(&m->caches, m->actor, at / CACHE_LINE, what != TRACE_READ),
			   at);
	if (!m->counting || m->actor != CACHE_DEVICE)
		return;
	if (what == TRACE_READ)
		pcie_read(&m->pcie, offset, len, is_told(m, offset));
	else if (what == TRACE_WRITE)
		pcie_write(&m->pcie, offset, len);
}

/*
 * Both sides, in turn.
 */
static void step(struct model *m, bool in_vain)
{
	if (m->counting)
		pcie_step(&m->pcie, in_vain);
}

static void notify(struct model *m, uint64_t *count)
{
	if (!m->counting)
		return;
	++*count;
	pcie_message(&m->pcie);
}

static void device_serves(struct model *m)
{
	int n;

	m->actor = CACHE_DEVICE;
	while ((n = vq_pop(m->vq, m->popped, m->batch)) > 0) {
		step(m, false);
		for (int i = 0; i < n; i++) {
			m->popped[i]->written = m->popped[i]->wr.left;
			vq_push(m->vq, m->popped[i]);
		}
		if (vq_publish(m->vq))
			notify(m, &m->interrupts);
		step(m, false);
	}
	step(m, true);
	if (n < 0)
		m->failed = vq_fault_text(vq_fault(m->vq));
}

static void device_turn(struct model *m)
{
	if (m->sleep)
		vq_disable_notify(m->vq);
	do
		device_serves(m);
	while (m->sleep && !m->failed && !vq_enable_notify(m->vq));
	step(m, false);
}

static void driver_offers(struct model *m)
{
	m->actor = CACHE_DRIVER;
	(void)drv_add_batch(&m->drv, m->offered, m->batch);
	if (drv_publish(&m->drv))
		notify(m, &m->kicks);
	if (m->sleep)
		(void)drv_enable_notify(&m->drv);
}

static void driver_collects(struct model *m)
{
	unsigned n = 0, got;

	m->actor = CACHE_DRIVER;
	if (m->sleep)
		drv_disable_notify(&m->drv);
	while ((got = drv_used_batch(&m->drv, m->done, m->batch)) > 0)
		n += got;
	if (m->drv.broken)
		m->failed = m->drv.broken;
	else if (n != m->batch)
		m->failed = "not all of a batch came back";
}

/* Whole batches that go @laps times round the ring, or a little further. */
static void run_laps(struct model *m, unsigned laps)
{
	uint64_t entries = (uint64_t)laps * m->drv.cfg.size;

	for (uint64_t n = 0; n < entries && !m->failed; n += m->batch) {
		driver_offers(m);
		device_turn(m);
		driver_collects(m);
		if (m->counting)
			m->chains += m->batch;
	}
}

/*
 * Setting up.
 */
static void model_shape(struct model *m)
{
	unsigned length = m->v->at[AXIS_LENGTH];
	unsigned slots = m->v->at[AXIS_DESC] == DESC_INDIRECT ? 1 : length;
	unsigned fit = m->v->at[AXIS_SIZE] / slots;

	m->batch = MIN(m->v->at[AXIS_BATCH], fit);
	for (unsigned i = 0; i < length; i++)
		m->bufs[i] = (struct drv_buf){ .gpa = GPA + MEMORY + 64 * i, .len = 64 };
	for (unsigned i = 0; i < BATCH_MAX; i++)
		m->offered[i] = (struct drv_chain){
			.bufs = m->bufs,
			.n_rd = length > 1,
			.n_wr = length > 1 ? length - 1 : 1,
		};
}

static bool start_driver(struct model *m)
{
	const struct bench_variant *v = m->v;
	struct drv_config cfg = {
		.size = v->at[AXIS_SIZE],
		.packed = v->at[AXIS_RING] == RING_PACKED,
		.event_idx = v->at[AXIS_EVENT],
		.in_order = v->at[AXIS_ORDER],
		.indirect = v->at[AXIS_DESC] == DESC_INDIRECT,
		.base = m->memory,
		.gpa = GPA,
		.len = MEMORY,
		.table_max = 16,
	};

	return drv_vq_init(&m->drv, &cfg);
}

static bool start_device(struct model *m)
{
	const struct drv_config *drv = &m->drv.cfg;
	struct vq_config cfg = {
		.desc = m->drv.desc,
		.driver = m->drv.driver,
		.device = m->drv.device,
		.size = drv->size,
		.packed = drv->packed,
		.event_idx = drv->event_idx,
		.indirect = drv->indirect,
		.in_order = drv->in_order,
		.position = vq_position_initial(drv->packed),
	};

	return gmem_add(&m->mem, GPA, 2ul * MEMORY, m->memory) == 0 &&
	       vq_start(m->vq, &m->mem, &cfg) == VQ_OK;
}

static void model_open(struct model *m, const struct bench_variant *v)
{
	m->v = v;
	m->sleep = v->at[AXIS_MODE] == MODE_SLEEP;
	m->memory = g_aligned_alloc0(1, 2ul * MEMORY, 4096);
	m->vq = vq_new();
	caches_open(&m->caches, MEMORY);
	pcie_open(&m->pcie);
	model_shape(m);
	if (!start_driver(m) || !start_device(m))
		m->failed = "the ring cannot be like that";
}

static void model_close(struct model *m)
{
	trace_to(NULL, NULL, NULL, 0);
	(void)vq_stop(m->vq);
	vq_free(m->vq);
	pcie_close(&m->pcie);
	caches_close(&m->caches);
	g_aligned_free(m->memory);
}

static void model_run(struct model *m)
{
	trace_to(on_access, m, m->memory, MEMORY);
	m->actor = CACHE_DEVICE;
	vq_disable_notify(m->vq);
	m->actor = CACHE_DRIVER;
	drv_disable_notify(&m->drv);
	run_laps(m, WARM_UP);
	m->counting = true;
	run_laps(m, COUNTED);
}

static struct model_row row_of(const struct model *m)
{
	double n = (double)m->chains;
	struct model_row row = {
		.v = *m->v,
		.desc = m->lines[DESC] / n,
		.avail = m->lines[AVAIL] / n,
		.used = m->lines[USED] / n,
		.suppression = m->lines[SUPPRESSION] / n,
		.tables = m->lines[TABLES] / n,
		.claims = m->claims / n,
		.reads = m->pcie.plain.reads / n,
		.writes = (m->pcie.plain.writes - m->kicks - m->interrupts) / n,
		.kicks = m->kicks / n,
		.interrupts = m->interrupts / n,
		.bytes = m->pcie.plain.bytes / n,
		.told_reads = m->pcie.notified.reads / n,
		.told_bytes = m->pcie.notified.bytes / n,
	};

	row.lines = row.desc + row.avail + row.used + row.suppression + row.tables;
	return row;
}

static bool count_variant(const struct bench_variant *v, GArray *rows, GError **err)
{
	struct model *m = g_new0(struct model, 1);
	bool ok;

	model_open(m, v);
	if (!m->failed)
		model_run(m);
	ok = !m->failed || ringside_usage(err, "bench: --model: %s", m->failed);
	if (ok) {
		struct model_row row = row_of(m);

		g_array_append_val(rows, row);
	}
	model_close(m);
	g_free(m);
	return ok;
}

GArray *bench_model(const GArray *plan, GError **err)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct model_row));

	for (guint i = 0; i < plan->len; i++) {
		const struct bench_variant *v = &g_array_index(plan, struct bench_variant, i);

		if (v->at[AXIS_RING] == RING_BARE || v->at[AXIS_MODE] == MODE_SINGLE)
			continue;
		if (!count_variant(v, rows, err)) {
			g_array_unref(rows);
			return NULL;
		}
	}
	return rows;
}
