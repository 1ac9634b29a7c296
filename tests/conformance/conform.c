#include "tests/conformance/conform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/registry.h"

#define RINGS_BYTES ((size_t)1 << 20) /* of the region where the rig puts rings */

static void make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	static const char bytes[1 << 16];

	assert_true(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
}

/* One of each class; a class without a row fails the run. */
static const struct rig_case devices[] = {
	{ .name = "blk", .spec = "blk,path=@/disk", .setup = make_disk },
	{ .name = "console", .spec = "console,chr=null,max-ports=3" },
	{ .name = "input", .spec = "input,type=tablet" },
	{ .name = "net", .spec = "net,backend=socket,path=@/net,listen=on" },
	{ .name = "rng", .spec = "rng" },
};

static bool all_classes_have_a_row(void)
{
	const struct vdev_class *class;

	for (unsigned i = 0; (class = vdev_class_nth(i)); i++) {
		bool found = false;

		for (size_t d = 0; d < G_N_ELEMENTS(devices); d++)
			found |= strcmp(devices[d].name, class->name) == 0;
		if (!found) {
			print_error("conform.c: add a row for %s to devices[]\n", class->name);
			return false;
		}
	}
	return true;
}

/*
 * Running.
 */

struct plan {
	GArray *cases;    /* of struct rig_case */
	GPtrArray *owned; /* names, specs, classes */
};

static const char *keep(struct plan *p, char *text)
{
	g_ptr_array_add(p->owned, text);
	return text;
}

/* The echo class with the ring features added that @ring needs. */
static const struct vdev_class *echo_for(struct plan *p, unsigned ring)
{
	static const unsigned char split[] = {
		ECHO_F_BASE, ECHO_F_NEEDS_BASE, VIRTIO_F_NOTIFICATION_DATA,
		ECHO_F_HIGH, VIRTIO_F_IN_ORDER, 255
	};
	static const unsigned char packed[] = {
		ECHO_F_BASE, ECHO_F_NEEDS_BASE, VIRTIO_F_NOTIFICATION_DATA,
		ECHO_F_HIGH, VIRTIO_F_IN_ORDER, VIRTIO_F_RING_PACKED,
		255
	};
	struct vdev_class *class = g_memdup2(&echo_class, sizeof(*class));

	class->feature_bits = ring == CONFORM_PACKED ? packed : split;
	g_ptr_array_add(p->owned, class);
	return class;
}

/* ",ring=packed", where devices have the option. */
static const char *ring_option(unsigned ring)
{
	for (const struct prop *prop = vdev_common_props; prop->key; prop++)
		if (strcmp(prop->key, "ring") == 0)
			return ring == CONFORM_PACKED ? ",ring=packed" : ",ring=split";
	return "";
}

static void plan_echo(struct plan *p, const struct conform_case *c, unsigned ring)
{
	const char *format = ring == CONFORM_PACKED ? ", packed" : ", split";
	struct rig_case made = { .run = c->run, .links = c->links };

	made.name = keep(p,
			 g_strdup_printf("%s: %s%s", c->clauses, c->says, c->rings ? format : ""));
	made.spec = keep(p, g_strdup_printf("echo%s", ring_option(ring)));
	made.class = echo_for(p, ring);
	g_array_append_val(p->cases, made);
}

static void plan_devices(struct plan *p, const struct conform_case *c)
{
	for (size_t d = 0; d < G_N_ELEMENTS(devices); d++) {
		struct rig_case made = devices[d];

		made.name = keep(
			p, g_strdup_printf("%s: %s, %s", c->clauses, c->says, devices[d].name));
		made.run = c->run;
		made.links = c->links;
		g_array_append_val(p->cases, made);
	}
}

int conform_run(const char *group, const struct conform_case *cases, size_t n)
{
	g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(struct rig_case));
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	struct plan plan = { all, owned };
	int failed;

	for (size_t i = 0; i < n; i++) {
		const struct conform_case *c = &cases[i];

		if (c->devices)
			plan_devices(&plan, c);
		else if (!(c->rings & CONFORM_PACKED) || c->rings & CONFORM_SPLIT)
			plan_echo(&plan, c, CONFORM_SPLIT);
		if (!c->devices && c->rings & CONFORM_PACKED)
			plan_echo(&plan, c, CONFORM_PACKED);
	}
	failed = rig_run(group, (const struct rig_case *)(void *)all->data, all->len);
	return all_classes_have_a_row() ? failed : 1;
}

/*
 * What tests share.
 */

struct vfeatures conform_plain(struct rig *r)
{
	struct vfeatures offered = rig_offered(r), f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	vfeatures_set(&f, VIRTIO_F_RING_PACKED, vfeatures_has(offered, VIRTIO_F_RING_PACKED));
	return f;
}

struct vfeatures conform_with(struct rig *r, unsigned bit)
{
	struct vfeatures f = conform_plain(r);

	assert_true(vfeatures_has(rig_offered(r), bit));
	vfeatures_set(&f, bit, true);
	return f;
}

void conform_prepare(struct rig *r, struct vfeatures accept)
{
	assert_true(rig_negotiate(r, accept));
	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++)
		rig_queue_start(r, q, 0);
}

void conform_echo(struct rig *r, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	struct rig_buf bufs[] = { rig_dup(r, text, len), rig_alloc(r, len) };

	assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), len);
	assert_memory_equal(bufs[1].p, text, len);
}

bool conform_first_used(struct rig *r, unsigned q)
{
	const struct drv_vq *vq = rig_vq(r, q);
	uint16_t flags;

	if (!vq->cfg.packed)
		return __atomic_load_n(&vq->split.used->idx, __ATOMIC_ACQUIRE) != 0;
	flags = le16_cpu(__atomic_load_n(&vq->packed.desc[0].flags, __ATOMIC_ACQUIRE));
	return flags & VRING_DESC_F_AVAIL && flags & VRING_DESC_F_USED;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void turn(struct rig *r)
{
	while (g_main_context_iteration(loop_context(rig_loop(r)), FALSE))
		;
	rig_on_owner(r, nothing, NULL);
}

void conform_await_first(struct rig *r, unsigned q)
{
	int64_t end = rig_deadline();

	while (!conform_first_used(r, q)) {
		turn(r);
		assert_true(g_get_monotonic_time() < end);
		g_usleep(50);
	}
	turn(r);
}

void conform_let_work(struct rig *r)
{
	for (int i = 0; i < 10; i++) {
		turn(r);
		g_usleep(200);
	}
}

uint8_t *conform_remember(struct rig *r)
{
	return g_memdup2(rig_mem(r)->region[0].hva, RINGS_BYTES);
}

bool conform_untouched(struct rig *r, const uint8_t *copy)
{
	return memcmp(rig_mem(r)->region[0].hva, copy, RINGS_BYTES) == 0;
}
