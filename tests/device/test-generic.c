/*
 * What every device owes every driver, whatever it is for: the registry's classes, and drivers that
 * behave badly. Nothing here knows a device's requests; chains are filled with noise, so that what
 * devices do about nonsense is part of what is tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/registry.h"
#include "tests/support/echo.h"
#include "tests/support/rig-impl.h"
#include "tests/support/vhost-user-back.h"

#define NOISE_CHAINS 24

static void make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	static const char bytes[1 << 20];

	assert_true(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
}

static void serve_rng(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "back", NULL);

	back_keep(path, "rng,ring=packed,features=+in_order");
}

/* How to open one of each. A class without a row fails the test. */
static const struct rig_case kinds[] = {
	{ .name = "blk", .spec = "blk,path=@/disk", .setup = make_disk },
	{ .name = "blk of one",
	  .spec = "blk,path=@/disk,queues=1,queue-size=2,ro=on",
	  .setup = make_disk },
	{ .name = "console", .spec = "console,chr=file:@/out" },
	{ .name = "console of ports", .spec = "console,chr=null,max-ports=3" },
	{ .name = "echo", .spec = "echo", .class = &echo_class },
	{ .name = "input", .spec = "input,type=tablet" },
	{ .name = "net", .spec = "net,backend=socket,path=@/net,listen=on" },
	{ .name = "rng", .spec = "rng" },
	{ .name = "vhost-user",
	  .spec = "vhost-user,socket=@/back,type=rng,queue-size=64",
	  .setup = serve_rng,
	  .links = RIG_STAYS },
	{ .name = "vsock", .spec = "vsock,guest-cid=3" },
	{ .name = "vsock of streams",
	  .spec = "vsock,guest-cid=4,features=-seqpacket",
	  .links = "pci" },
};

/*
 * Noise.
 */

static GRand *dice(struct rig *r)
{
	return g_rand_new_with_seed((guint32)strlen(rig_link_name(r)) + 42);
}

/* A chain of one to four buffers of nothing in particular. */
static void noise_chain(struct rig *r, GRand *rnd, unsigned q)
{
	unsigned n = (unsigned)g_rand_int_range(rnd, 1, 5);
	unsigned n_rd = (unsigned)g_rand_int_range(rnd, 0, (gint32)n + 1);
	struct rig_buf bufs[4];

	if (rig_room(r, q) < n)
		return;
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = rig_alloc(r, (uint32_t)g_rand_int_range(rnd, 1, 600));
		for (uint32_t b = 0; b < bufs[i].len; b++)
			((uint8_t *)bufs[i].p)[b] =
				(uint8_t)(g_rand_int_range(rnd, 0, 4) ? 0 : g_rand_int(rnd));
	}
	rig_add(r, q, bufs, n_rd, n - n_rd);
}

static void make_noise(struct rig *r, GRand *rnd)
{
	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++) {
		for (unsigned i = 0; i < NOISE_CHAINS; i++)
			noise_chain(r, rnd, q);
		rig_publish(r, q);
	}
}

/*
 * Cases.
 */

static void all_it_offers_can_be_accepted(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	assert_int_equal(rig_status(r), rig_running(r));
}

static void nothing_but_version_1_can_be_accepted(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_wait_idle(r);
	assert_int_equal(rig_status(r), rig_running(r));
}

/* One by one: a device may refuse a feature without the one it needs, and that is all. */
static void each_feature_alone_is_accepted_or_refused(struct rig *r)
{
	struct vfeatures offered = rig_offered(r);

	for (unsigned bit = 0; bit < 128; bit++) {
		struct vfeatures f = RIG_NONE;

		vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
		vfeatures_set(&f, bit, true);
		if (rig_negotiate(r, f))
			assert_true(vfeatures_has(offered, bit) || !rig_has(r, bit));
	}
	rig_reset(r);
}

static void frozen_features_stay_as_they_are(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	vdev_features_accept(rig_dev(r), 0, 1u << VIRTIO_F_EVENT_IDX);
	assert_false(vdev_accepted(rig_dev(r), VIRTIO_F_EVENT_IDX));
}

/* The rules of devices/core/rules.h, and those of rings: whoever keeps them is told nothing. */
static void a_correct_driver_is_told_nothing(struct rig *r)
{
	uint8_t config[VDEV_CONFIG_MAX];

	for (int round = 0; round < 3; round++) {
		rig_start(r, round == 1 ? RIG_NONE : RIG_ALL);
		rig_config(r, 0, config, rig_dev(r)->config_size);
		rig_wait_idle(r);
		for (unsigned q = 0; rig_has(r, VIRTIO_F_RING_RESET) && q < rig_n_queues(r); q++) {
			rig_queue_reset(r, q);
			rig_queue_start(r, q, 0);
		}
		for (unsigned q = 0; q < rig_n_queues(r); q++)
			rig_kick(r, q);
		rig_wait_idle(r);
		(void)rig_config_interrupts(r);
	}
	rig_reset(r);
	if (rig_logged(r, "guest"))
		fail_msg("it was told of something");
}

static void queue_sizes_are_powers_of_two(struct rig *r)
{
	unsigned n = rig_n_queues(r);

	assert_in_range(n, 1, VDEV_QUEUES_MAX);
	for (unsigned q = 0; q < n; q++) {
		uint64_t size = vdev_queue_read(rig_dev(r), q, VQR_SIZE_MAX);

		assert_in_range(size, 1, VRING_QUEUE_SIZE_MAX);
		assert_int_equal(size & (size - 1), 0);
		assert_int_equal(vdev_queue_read(rig_dev(r), q, VQR_SIZE), size);
	}
	assert_int_equal(vdev_queue_read(rig_dev(r), n, VQR_SIZE_MAX), 0);
}

static void config_reads_the_same_in_any_width(struct rig *r)
{
	uint8_t whole[VDEV_CONFIG_MAX];
	/* Ports may end with it. */
	size_t size = rig_is_legacy(r) ? rig_dev(r)->config_size / 2 * 2 : sizeof(whole);

	if (rig_dev(r)->config_size == 0)
		return; /* there is no structure to read, see 4.1.4.6 */
	rig_config(r, 0, whole, size);
	for (size_t off = 0; off < size; off++) {
		assert_int_equal(rig_config8(r, off), whole[off]);
		if (off >= rig_dev(r)->config_size)
			assert_int_equal(whole[off], 0);
		if (off % 2 == 0)
			assert_int_equal(rig_config16(r, off), whole[off] | whole[off + 1] << 8);
	}
}

static void noise_in_the_config_space_is_survived(struct rig *r)
{
	g_autoptr(GRand) rnd = dice(r);

	if (rig_dev(r)->config_size == 0)
		return;
	for (int round = 0; round < 3; round++) {
		rig_start(r, RIG_ALL);
		for (int i = 0; i < 200; i++) {
			unsigned len = 1u << g_rand_int_range(rnd, 0, 3);
			unsigned off = (unsigned)g_rand_int_range(rnd, 0, 64) * 4;
			uint32_t value = g_rand_int(rnd);

			rig_config_write(r, off, &value, len);
		}
		rig_wait_idle(r);
		rig_reset(r);
	}
	rig_start(r, RIG_ALL);
}

static void noise_in_the_queues_is_survived(struct rig *r)
{
	g_autoptr(GRand) rnd = dice(r);

	for (int round = 0; round < 4; round++) {
		rig_start(r, round % 2 ? RIG_NONE : RIG_ALL);
		make_noise(r, rnd);
		rig_wait_idle(r);
		make_noise(r, rnd);
		rig_wait_idle(r);
		rig_reset(r);
	}
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_status(r), rig_running(r));
}

/* bytes of each region: rings are in one, buffers in the other */
#define WATCHED ((size_t)1 << 20)

static void a_reset_in_mid_flight_leaves_memory_alone(struct rig *r)
{
	g_autoptr(GRand) rnd = dice(r);
	const struct gmem_region *region = rig_mem(r)->region;
	g_autofree uint8_t *copy = g_malloc(2 * WATCHED);

	for (int round = 0; round < 6; round++) {
		rig_start(r, RIG_ALL);
		make_noise(r, rnd);
		for (int i = 0; i < round; i++)
			g_main_context_iteration(loop_context(rig_loop(r)), FALSE);
		rig_reset(r); /* our side of the rings is gone, too */
		for (unsigned i = 0; i < 2; i++)
			memcpy(copy + i * WATCHED, region[i].hva, WATCHED);
		rig_wait_idle(r);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(memcmp(region[i].hva, copy + i * WATCHED, WATCHED), 0);
	}
	rig_start(r, RIG_ALL);
}

static void queues_can_be_reset_one_by_one(struct rig *r)
{
	g_autoptr(GRand) rnd = dice(r);

	for (int round = 0; round < 2; round++) {
		rig_start(r, RIG_ALL);
		make_noise(r, rnd);
		for (unsigned q = 0, n = rig_n_queues(r); q < n; q++) {
			rig_queue_reset(r, q);
			rig_queue_start(r, q, 0);
		}
		rig_wait_idle(r);
		rig_reset(r);
	}
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_status(r), rig_running(r));
}

static void pausing_and_going_on_changes_nothing(struct rig *r)
{
	g_autoptr(GRand) rnd = dice(r);

	rig_start(r, RIG_ALL);
	for (int i = 0; i < 4; i++) {
		make_noise(r, rnd);
		vdev_pause(rig_dev(r));
		rig_wait_idle(r);
		vdev_resume(rig_dev(r));
		rig_wait_idle(r);
	}
	rig_reset(r);
	rig_start(r, RIG_ALL);
}

/* Every ring of the device is broken in the same way. */
static void break_rings(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 16);

	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++) {
		rig_add(r, q, &b, 0, 1);
		rig_spoil_address(r, q, UINT64_MAX - 8);
		rig_publish(r, q);
	}
}

static void broken_rings_harm_nobody_else_and_a_reset_mends_them(struct rig *r)
{
	static const struct rig_case echo = { "", "echo", NULL, .class = &echo_class };
	struct rig *other = rig_open(rig_link_find(rig_link_name(r)), &echo);
	struct rig_buf bufs[] = { rig_dup(other, "alive", 5), rig_alloc(other, 5) };
	struct vfeatures plain = RIG_NONE;

	rig_start(other, RIG_ALL);
	vfeatures_set(&plain, VIRTIO_F_VERSION_1, true);
	vfeatures_set(&plain, VIRTIO_F_RING_PACKED, true);
	for (int round = 0; round < 2; round++) {
		unsigned interrupts = rig_config_interrupts(r);

		rig_start(r, plain);
		break_rings(r);
		RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
		RIG_UNTIL(r, rig_config_interrupts(r) > interrupts);
		assert_int_equal(rig_do(other, ECHO_COPY, bufs, 1, 1), 5);
		rig_reset(r);
	}
	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	assert_int_equal(rig_status(r), rig_running(r));
	rig_close(other);
}

static void rings_in_nowhere_need_a_reset(struct rig *r)
{
	uint64_t len = rig_mem(r)->region[0].len;

	assert_true(rig_negotiate(r, rig_offered(r)));
	rig_queue_start(r, 0, 0);
	rig_mem(r)->region[0].len = 1; /* queues are stopped: memory may change */
	rig_driver_ok(r);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	rig_reset(r);
	rig_mem(r)->region[0].len = len;
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_status(r), rig_running(r));
}

static bool is_of(const struct rig_case *kind, const struct vdev_class *class)
{
	g_autofree char *name = g_strndup(kind->spec, strcspn(kind->spec, ","));

	return strcmp(name, class->name) == 0;
}

/* Another of its class, with other options if there is a row for that: what they say may be one
 * device's alone. */
static const struct rig_case *kind_beside(struct rig *r)
{
	const struct rig_case *ret = NULL;

	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
		if (is_of(&kinds[k], rig_dev(r)->class) && (!ret || ret->spec == r->c->spec))
			ret = &kinds[k];
	return ret;
}

static void two_of_a_kind_live_side_by_side(struct rig *r)
{
	struct rig *other = rig_open(rig_link_find(rig_link_name(r)), kind_beside(r));

	rig_start(r, RIG_ALL);
	rig_start(other, RIG_ALL);
	rig_reset(r);
	rig_wait_idle(other);
	assert_int_equal(rig_status(other), rig_running(other));
	rig_close(other);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_status(r), rig_running(r));
}

#define CASE(fn)        \
	{               \
#fn, fn \
	}
static const struct {
	const char *name;
	void (*run)(struct rig *r);
} cases[] = {
	CASE(all_it_offers_can_be_accepted),
	CASE(nothing_but_version_1_can_be_accepted),
	CASE(each_feature_alone_is_accepted_or_refused),
	CASE(frozen_features_stay_as_they_are),
	CASE(a_correct_driver_is_told_nothing),
	CASE(queue_sizes_are_powers_of_two),
	CASE(config_reads_the_same_in_any_width),
	CASE(noise_in_the_config_space_is_survived),
	CASE(noise_in_the_queues_is_survived),
	CASE(a_reset_in_mid_flight_leaves_memory_alone),
	CASE(queues_can_be_reset_one_by_one),
	CASE(pausing_and_going_on_changes_nothing),
	CASE(broken_rings_harm_nobody_else_and_a_reset_mends_them),
	CASE(rings_in_nowhere_need_a_reset),
	CASE(two_of_a_kind_live_side_by_side),
};

static bool all_classes_have_a_kind(void)
{
	const struct vdev_class *class;

	for (unsigned i = 0; (class = vdev_class_nth(i)); i++) {
		bool found = false;

		for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
			found |= strcmp(kinds[k].name, class->name) == 0;
		if (!found) {
			print_error("test-generic.c: add a row for %s to kinds[]\n", class->name);
			return false;
		}
	}
	return true;
}

int main(void)
{
	static struct rig_case all[G_N_ELEMENTS(kinds) * G_N_ELEMENTS(cases)];
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	size_t n = 0;
	int failed;

	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
		for (size_t c = 0; c < G_N_ELEMENTS(cases); c++, n++) {
			char *name = g_strdup_printf("%s: %s", kinds[k].name, cases[c].name);

			g_ptr_array_add(names, name);
			all[n] = kinds[k];
			all[n].name = name;
			all[n].run = cases[c].run;
		}
	failed = rig_run("generic", all, n);
	back_unkeep();
	g_ptr_array_unref(names);
	return all_classes_have_a_kind() ? failed : 1;
}
