/* The guest's address space: regions, slots, listeners, and the log of what devices write. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "transport/direct.h"
#include "vmm/machine/memory.h"

#define LEN 0x4000ull

static uint8_t bytes[GMEM_REGIONS_MAX + 1][LEN] __attribute__((aligned(4096)));

static struct gmem_region nth_region(unsigned i)
{
	return (struct gmem_region){ .gpa = (uint64_t)i << 20,
				     .len = LEN,
				     .hva = bytes[i],
				     .fd = (int)i,
				     .offset = i * LEN };
}

/* Who keeps account of slots. */
struct keeper {
	uint64_t gpa[GMEM_REGIONS_MAX]; /* by slot; 1: nothing */
	unsigned n, changed;
	int refuse;    /* to take another one */
	uint64_t used; /* this one is needed */
};

static int keeper_added(void *opaque, const struct gmem_region *r, unsigned slot)
{
	struct keeper *k = opaque;

	if (k->refuse)
		return k->refuse;
	assert_true(slot < GMEM_REGIONS_MAX && k->gpa[slot] == 1);
	assert_int_equal(r->offset, (r->gpa >> 20) * LEN);
	k->gpa[slot] = r->gpa;
	k->n++;
	return 0;
}

static void keeper_removed(void *opaque, const struct gmem_region *r, unsigned slot)
{
	struct keeper *k = opaque;

	assert_int_equal(k->gpa[slot], r->gpa);
	k->gpa[slot] = 1;
	k->n--;
}

static bool keeper_uses(void *opaque, const struct gmem_region *r)
{
	return ((struct keeper *)opaque)->used == r->gpa;
}

static void keeper_changed(void *opaque, const struct gmem *mem)
{
	struct keeper *k = opaque;

	assert_int_equal(mem->n, k->n);
	k->changed++;
}

static const struct memory_listener_ops keeper_ops = { keeper_uses, keeper_added, keeper_removed,
						       keeper_changed };

static struct keeper keeper(void)
{
	struct keeper k = { .used = 1 };

	for (unsigned i = 0; i < GMEM_REGIONS_MAX; i++)
		k.gpa[i] = 1;
	return k;
}

static int add(struct memory *m, unsigned i)
{
	struct gmem_region r = nth_region(i);

	return memory_add(m, &r);
}

static void slots_are_used_again(void **state)
{
	struct keeper k = keeper(), late = keeper();
	struct memory m;

	(void)state;
	memory_init(&m);
	assert_int_equal(memory_listen(&m, &keeper_ops, &k), 0);
	for (unsigned i = 0; i < GMEM_REGIONS_MAX; i++)
		assert_int_equal(add(&m, i), 0);
	assert_int_equal(add(&m, GMEM_REGIONS_MAX), -ENOSPC);
	assert_int_equal(add(&m, 3), -EINVAL);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned out = i * 7 % GMEM_REGIONS_MAX, in = (i + 1) * 7 % GMEM_REGIONS_MAX;

		assert_int_equal(memory_remove(&m, (uint64_t)out << 20), 0);
		assert_null(gmem_at(&m.mem, (uint64_t)out << 20, 1));
		assert_int_equal(memory_remove(&m, (uint64_t)out << 20), -ENOENT);
		if (i % 2) {
			assert_int_equal(memory_remove(&m, (uint64_t)in << 20), 0);
			assert_int_equal(add(&m, in), 0);
		}
		assert_int_equal(add(&m, out), 0);
		assert_ptr_equal(gmem_at(&m.mem, (uint64_t)out << 20, LEN), bytes[out]);
	}
	assert_int_equal(k.n, GMEM_REGIONS_MAX);
	assert_int_equal(k.changed, 64 + 2000 + 1000);
	assert_int_equal(memory_listen(&m, &keeper_ops, &late), 0); /* is told of all */
	assert_memory_equal(late.gpa, k.gpa, sizeof(k.gpa));
	memory_unlisten(&m, &late);
	assert_int_equal(memory_remove(&m, 0), 0);
	assert_int_equal(late.n, GMEM_REGIONS_MAX);
	memory_clear(&m);
}

/* Two that listen to a memory with its first region. */
static void keepers_listen(struct memory *m, struct keeper *a, struct keeper *b)
{
	memory_init(m);
	assert_int_equal(memory_listen(m, &keeper_ops, a), 0);
	assert_int_equal(memory_listen(m, &keeper_ops, b), 0);
	assert_int_equal(add(m, 0), 0);
}

static void who_cannot_take_a_region_undoes_it_for_all(void **state)
{
	struct keeper a = keeper(), b = keeper(), c = keeper();
	struct memory m;

	(void)state;
	keepers_listen(&m, &a, &b);
	b.refuse = -ENXIO;
	assert_int_equal(add(&m, 1), -ENXIO);
	assert_int_equal(a.n, 1);
	assert_null(gmem_at(&m.mem, 1 << 20, 1));
	b.refuse = 0;
	assert_int_equal(add(&m, 2), 0);
	assert_int_equal(a.gpa[1], 2 << 20);
	c.refuse = -EPERM;
	assert_int_equal(memory_listen(&m, &keeper_ops, &c), -EPERM);
	assert_int_equal(add(&m, 3), 0); /* and it is no listener */
	memory_clear(&m);
}

static void what_is_used_stays(void **state)
{
	struct keeper a = keeper(), b = keeper();
	struct memory m;

	(void)state;
	keepers_listen(&m, &a, &b);
	assert_int_equal(add(&m, 1), 0);
	b.used = 1 << 20;
	assert_int_equal(memory_remove(&m, 1 << 20), -EBUSY);
	assert_int_equal(a.n + b.n, 4);
	assert_int_equal(memory_remove(&m, 0), 0);
	b.used = 1;
	assert_int_equal(memory_remove(&m, 1 << 20), 0);
	assert_int_equal(a.n + b.n, 0);
	memory_clear(&m);
}

/* A device whose ring is in one region, and gets another one and loses it while it pauses. */
static void a_device_listens(void **state)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("echo", &name);
	struct vdev_env env = { .main_loop = loop_main() };
	struct direct *direct;
	struct vdev *dev;
	struct memory m;

	(void)state;
	memory_init(&m);
	assert_int_equal(add(&m, 0), 0);
	env.mem = &m.mem;
	dev = vdev_new(&echo_class, pairs, &env, NULL);
	direct = direct_new(dev);
	assert_int_equal(memory_listen(&m, &memory_vdev_listener, dev), 0);
	vdev_features_accept(dev, 1, 1);
	vdev_set_status(dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK);
	vdev_queue_write(dev, 0, VQR_SIZE, 16, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DRIVER, 0x1000, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DEVICE, 0x2000, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_ENABLE, 1, UINT64_MAX);
	vdev_set_status(dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK |
				     VIRTIO_S_DRIVER_OK);
	assert_true(vq_started(dev->queue[0].vq));
	vdev_pause(dev);
	assert_int_equal(add(&m, 1), 0);
	assert_int_equal(memory_log(&m, true), 0);
	assert_int_equal(add(&m, 2), 0);
	vdev_resume(dev);
	vdev_pause(dev);
	assert_int_equal(memory_remove(&m, 0), -EBUSY);
	assert_int_equal(memory_remove(&m, 1 << 20), 0);
	assert_int_equal(memory_log(&m, false), 0);
	vdev_set_status(dev, 0);
	assert_int_equal(memory_remove(&m, 0), 0);
	memory_unlisten(&m, dev);
	direct_free(direct);
	vdev_free(dev);
	memory_clear(&m);
	loop_free(env.main_loop);
}

/*
 * The log.
 */
static void note_page(void *opaque, uint64_t gpa)
{
	g_array_append_val(opaque, gpa);
}

static void expect_pages(struct memory *m, const uint64_t *want, unsigned n)
{
	g_autoptr(GArray) got = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	gmem_log_take(&m->mem, note_page, got);
	assert_int_equal(got->len, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(g_array_index(got, uint64_t, i), want[i]);
}

static void pages_are_marked_once(void **state)
{
	/* They adjoin, and begin within a page. */
	const struct gmem_region odd = {
		.gpa = 0x4000 + LEN + 0x10, .len = 0x2000, .hva = bytes[1] + 0x10, .fd = -1
	};
	const struct gmem_region even = {
		.gpa = 0x4010, .len = LEN - 0x10, .hva = bytes[0] + 0x10, .fd = -1
	};
	struct memory m;

	(void)state;
	memory_init(&m);
	gmem_mark(&m.mem, 0x4010, 1); /* without regions, and without a log */
	assert_int_equal(memory_add(&m, &odd), 0);
	gmem_mark(&m.mem, odd.gpa, 1);
	expect_pages(&m, NULL, 0);
	assert_int_equal(memory_log(&m, true), 0);
	assert_int_equal(memory_add(&m, &even), 0);
	gmem_mark(&m.mem, 0x4fff, 1);
	gmem_mark(&m.mem, 0x4fff, 2);
	gmem_mark(&m.mem, 0x6000, 0);
	gmem_mark_at(&m.mem, bytes[0] + 0x3fff, 1);
	gmem_mark_at(&m.mem, bytes[0], 0x10); /* before the first */
	expect_pages(&m, (const uint64_t[]){ 0x4000, 0x5000, 0x7000 }, 3);
	expect_pages(&m, NULL, 0);
	gmem_mark_at(&m.mem, bytes[1] + 0x1000, UINT64_MAX); /* no further than the region */
	expect_pages(&m, (const uint64_t[]){ 0x9000, 0xa000 }, 2);
	gmem_mark(&m.mem, 0x4010, LEN - 0x10);
	assert_int_equal(memory_log(&m, false), 0);
	assert_int_equal(memory_log(&m, true), 0); /* from anew */
	expect_pages(&m, NULL, 0);
	memory_clear(&m);
}

/* More pages than a word has bits. */
static void many_pages(void **state)
{
	struct memory m;

	(void)state;
	memory_init(&m);
	assert_int_equal(memory_add(&m, &(struct gmem_region){ .gpa = 1ull << 40,
							       .len = sizeof(bytes),
							       .hva = bytes[0],
							       .fd = -1 }),
			 0);
	assert_int_equal(memory_log(&m, true), 0);
	for (uint64_t page = 0; page < sizeof(bytes) / GMEM_PAGE; page += 63) {
		uint64_t gpa = (1ull << 40) + page * GMEM_PAGE;

		gmem_mark_at(&m.mem, (uint8_t *)bytes + page * GMEM_PAGE + 1, 1);
		expect_pages(&m, &gpa, 1);
	}
	memory_clear(&m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(who_cannot_take_a_region_undoes_it_for_all),
		cmocka_unit_test(what_is_used_stays),
		cmocka_unit_test(a_device_listens),
		cmocka_unit_test(pages_are_marked_once),
		cmocka_unit_test(many_pages),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
