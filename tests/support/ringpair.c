/* Both sides of one ring: see ringpair.h. */
#include "tests/support/ringpair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define RING_ROOM (RINGPAIR_DATA - RINGPAIR_GPA)

static void set_start(struct ringpair *p, uint16_t at)
{
	struct drv_split *s = &p->drv.split;

	p->cfg.position = (struct vq_position){ .next_avail = at, .next_used = at };
	s->avail_idx = s->last_used = s->published = at;
	s->avail->idx = s->used->idx = cpu_le16(at);
}

void ringpair_open(struct ringpair *p, const struct ringpair_spec *spec)
{
	struct drv_config drv = {
		.size = spec->size,
		.packed = spec->packed,
		.event_idx = spec->event_idx,
		.in_order = spec->in_order,
		.indirect = spec->indirect,
		.table_max = 64,
		.gpa = RINGPAIR_GPA,
		.len = RING_ROOM,
	};

	memset(p, 0, sizeof(*p));
	/* A page between the two keeps them from adjoining for us as well. */
	p->region[0] = mmap(NULL, 2 * RINGPAIR_REGION + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p->region[0], MAP_FAILED);
	p->region[1] = p->region[0] + RINGPAIR_REGION + 4096;
	assert_int_equal(gmem_add(&p->mem, RINGPAIR_GPA, RINGPAIR_REGION, p->region[0]), 0);
	assert_int_equal(gmem_add(&p->mem, RINGPAIR_BORDER, RINGPAIR_REGION, p->region[1]), 0);
	p->before = malloc((size_t)2 * RINGPAIR_REGION);
	assert_non_null(p->before);
	drv.base = p->region[0];
	assert_true(drv_vq_init(&p->drv, &drv));
	p->cfg = (struct vq_config){
		.desc = p->drv.desc,
		.driver = p->drv.driver,
		.device = p->drv.device,
		.size = spec->size,
		.packed = spec->packed,
		.event_idx = spec->event_idx,
		.indirect = spec->indirect,
		.in_order = spec->in_order,
		.request_size = 24,
		.position = vq_position_initial(spec->packed),
	};
	if (spec->start_at)
		set_start(p, spec->start_at);
	p->vq = vq_new();
	assert_int_equal(vq_start(p->vq, &p->mem, &p->cfg), VQ_OK);
}

void ringpair_close(struct ringpair *p)
{
	assert_null(p->drv.broken);
	(void)vq_stop(p->vq);
	vq_free(p->vq);
	free(p->before);
	munmap(p->region[0], 2 * RINGPAIR_REGION + 4096);
}

void *ringpair_at(struct ringpair *p, uint64_t gpa)
{
	void *at = gmem_at(&p->mem, gpa, 1);

	assert_non_null(at);
	return at;
}

void ringpair_remember(struct ringpair *p)
{
	memcpy(p->before, p->region[0], RINGPAIR_REGION);
	memcpy(p->before + RINGPAIR_REGION, p->region[1], RINGPAIR_REGION);
}

bool ringpair_untouched(struct ringpair *p)
{
	return memcmp(p->before, p->region[0], RINGPAIR_REGION) == 0 &&
	       memcmp(p->before + RINGPAIR_REGION, p->region[1], RINGPAIR_REGION) == 0;
}

int ringpair_send(struct ringpair *p, uint64_t gpa, uint32_t len, unsigned n_rd, unsigned n_wr)
{
	struct drv_buf bufs[1024];
	int id;

	assert_true(n_rd + n_wr <= 1024);
	for (unsigned i = 0; i < n_rd + n_wr; i++)
		bufs[i] = (struct drv_buf){ .gpa = gpa + (uint64_t)i * len, .len = len };
	id = drv_add(&p->drv, bufs, n_rd, n_wr, NULL);
	assert_true(id >= 0);
	(void)drv_publish(&p->drv);
	return id;
}

struct vq_chain *ringpair_pop(struct ringpair *p)
{
	struct vq_chain *c = NULL;

	assert_int_equal(vq_pop(p->vq, &c, 1), 1);
	assert_non_null(c);
	return c;
}

uint32_t ringpair_used(struct ringpair *p)
{
	uint32_t len = 0;
	void *cookie;

	assert_true(drv_used(&p->drv, &cookie, &len));
	return len;
}

void ringpair_each(void (*run)(const struct ringpair_spec *spec))
{
	for (unsigned bits = 0; bits < 16; bits++) {
		const struct ringpair_spec spec = {
			.size = RINGPAIR_SIZE,
			.packed = bits & 1,
			.event_idx = bits & 2,
			.in_order = bits & 4,
			.indirect = bits & 8,
			.start_at = bits & 1 ? 0 : 65530,
		};

		run(&spec);
	}
}

void *ringpair_cookie(unsigned i)
{
	static uint8_t cookies[RINGPAIR_SIZE];

	return &cookies[i];
}

void ringpair_send_numbered(struct ringpair *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buf bufs[2] = {
			{ RINGPAIR_DATA + 64 * i, 1 },
			{ RINGPAIR_DATA + 64 * i + 16, i + 1 },
		};

		*(uint8_t *)ringpair_at(p, bufs[0].gpa) = (uint8_t)i;
		assert_true(drv_add(&p->drv, bufs, 1, 1, ringpair_cookie(i)) >= 0);
	}
	(void)drv_publish(&p->drv);
}

unsigned ringpair_number(struct vq_chain *c)
{
	uint8_t i;

	assert_true(vq_pull(c, &i, 1));
	return i;
}

void ringpair_complete(struct ringpair *p, struct vq_chain *c)
{
	assert_true(vq_put_zeroes(c, c->wr.left));
	vq_push(p->vq, c);
}

static struct vring_desc ringpair_desc_of(struct drv_buf buf, unsigned flags, unsigned next)
{
	return (struct vring_desc){
		.addr = cpu_le64(buf.gpa),
		.len = cpu_le32(buf.len),
		.flags = cpu_le16(flags),
		.next = cpu_le16(next),
	};
}

static struct vring_packed_desc packed_desc_of(struct drv_buf buf, unsigned flags)
{
	return (struct vring_packed_desc){
		.addr = cpu_le64(buf.gpa),
		.len = cpu_le32(buf.len),
		.id = cpu_le16(7),
		.flags = cpu_le16(flags),
	};
}

void ringpair_raw(struct ringpair *p, unsigned i, struct drv_buf buf, unsigned flags)
{
	p->drv.split.desc[RINGPAIR_RAW + i] = ringpair_desc_of(buf, flags, RINGPAIR_RAW + i + 1);
}

void ringpair_entry(struct ringpair *p, unsigned i, struct drv_buf buf, unsigned flags)
{
	struct vring_desc split = ringpair_desc_of(buf, flags, i + 1);
	struct vring_packed_desc packed = packed_desc_of(buf, flags);

	assert_true(gmem_write(&p->mem, RINGPAIR_TABLE + sizeof(split) * i,
			       p->cfg.packed ? (void *)&packed : (void *)&split, sizeof(split)));
}

void ringpair_offer(struct ringpair *p, unsigned head)
{
	struct drv_split *s = &p->drv.split;

	s->avail->ring[s->avail_idx++ & (p->cfg.size - 1)] = cpu_le16(head);
	s->avail->idx = cpu_le16(s->avail_idx);
}

void ringpair_raw_packed(struct ringpair *p, struct drv_buf buf, unsigned flags)
{
	uint16_t *at = &p->drv.packed.next_avail;

	p->drv.packed.desc[vring_pos_off(*at)] = packed_desc_of(buf,
								flags | vring_pos_avail_flags(*at));
	*at = vring_pos_advance(*at, 1, p->cfg.size);
}
