#include "tests/conformance/conform.h"
#include "devices/core/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/registry.h"
#include "tests/support/vhost-user-back.h"

#define RINGS_BYTES ((size_t)1 << 20) /* of the region where the rig puts rings */

static void make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	static const char bytes[1 << 16];

	assert_true(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
}

static void serve_rng(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "back", NULL);

	back_keep(path, "rng,ring=packed,features=+in_order");
}

/* One of each class; a class without a row fails the run. */
static const struct rig_case devices[] = {
	{ .name = "blk", .spec = "blk,path=@/disk", .setup = make_disk },
	{ .name = "console", .spec = "console,chr=null,max-ports=3" },
	{ .name = "input", .spec = "input,type=tablet" },
	{ .name = "net", .spec = "net,backend=socket,path=@/net,listen=on" },
	{ .name = "rng", .spec = "rng" },
	{ .name = "vhost-user",
	  .spec = "vhost-user,socket=@/back,type=rng,queue-size=64",
	  .setup = serve_rng },
	{ .name = "vsock", .spec = "vsock,guest-cid=3" },
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
	GPtrArray *owned; /* names, specs */
};

static const char *keep(struct plan *p, char *text)
{
	g_ptr_array_add(p->owned, text);
	return text;
}

/* What the device is told of a row's format. Real devices with a packed ring get one that no split
 * ring can have, and offer all that is offered on request. */
#define ALL_ASKED "features=+in_order,+notification_data,+access_platform,+order_platform"

static const struct {
	unsigned ring;
	const char *says, *echo, *device, *device_sized;
} formats[] = {
	{ CONFORM_SPLIT, "split", "ring=split,features=+in_order", "ring=split", "ring=split" },
	{ CONFORM_PACKED, "packed", "ring=packed,features=+in_order",
	  "ring=packed,queue-size=100," ALL_ASKED, "ring=packed," ALL_ASKED },
	{ CONFORM_LEGACY, "legacy", NULL, NULL, NULL }, /* the link says it */
	{ CONFORM_TRANSITIONAL, "transitional", "legacy=on", "legacy=on", "legacy=on" },
};

static const char *plan_links(const struct conform_case *c, size_t format)
{
	if (c->links)
		return c->links;
	return formats[format].ring == CONFORM_LEGACY ? "legacy*" : RIG_MODERN;
}

/* @spec with what the format adds. */
static char *plan_spec(const char *spec, const char *more)
{
	return more ? g_strdup_printf("%s,%s", spec, more) : g_strdup(spec);
}

static void plan_echo(struct plan *p, const struct conform_case *c, size_t format)
{
	struct rig_case made = { .run = c->run,
				 .links = plan_links(c, format),
				 .class = &echo_class };

	made.name = keep(p, g_strdup_printf("%s: %s%s%s", c->clauses, c->says, c->rings ? ", " : "",
					    c->rings ? formats[format].says : ""));
	made.spec = keep(p, plan_spec("echo", formats[format].echo));
	g_array_append_val(p->cases, made);
}

/* The real device @d. An option that its spec gives is not given again. */
static void plan_device(struct plan *p, const struct conform_case *c, size_t format,
			const struct rig_case *d)
{
	const char *more = formats[format].device;
	size_t class = strcspn(d->spec, ",");
	struct rig_case made = *d;

	if (strstr(d->spec, "queue-size="))
		more = formats[format].device_sized;
	made.name = keep(p, g_strdup_printf("%s: %s, %.*s %s", c->clauses, c->says, (int)class,
					    d->spec, formats[format].says));
	made.spec = keep(p, plan_spec(d->spec, more));
	made.run = c->run;
	made.links = plan_links(c, format);
	g_array_append_val(p->cases, made);
}

static void plan_format(struct plan *p, const struct conform_case *c, size_t format)
{
	const struct rig_case own = { .spec = c->spec, .setup = c->setup };

	if (c->spec) {
		plan_device(p, c, format, &own);
		return;
	}
	for (size_t d = 0; c->devices && d < G_N_ELEMENTS(devices); d++)
		plan_device(p, c, format, &devices[d]);
	if (!c->devices)
		plan_echo(p, c, format);
}

static void plan_case(struct plan *p, const struct conform_case *c)
{
	unsigned any = c->spec || c->devices ? CONFORM_RINGS : CONFORM_SPLIT;

	for (size_t f = 0; f < G_N_ELEMENTS(formats); f++)
		if ((c->rings ? c->rings : any) & formats[f].ring)
			plan_format(p, c, f);
}

int conform_run(const char *group, const struct conform_case *cases, size_t n)
{
	g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(struct rig_case));
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	struct plan plan = { all, owned };
	int failed;

	for (size_t i = 0; i < n; i++)
		plan_case(&plan, &cases[i]);
	failed = rig_run(group, (const struct rig_case *)(void *)all->data, all->len);
	back_unkeep();
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
	flags = vring_rest_flags(
		le64_cpu(__atomic_load_n(&vq->packed.desc[0].rest, __ATOMIC_ACQUIRE)));
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

/*
 * What a second processor sees while a first one waits for the device.
 */

struct owner {
	struct rig *r;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool busy, release;
};

static void stand_still(void *arg)
{
	struct owner *o = arg;

	pthread_mutex_lock(&o->lock);
	o->busy = true;
	pthread_cond_broadcast(&o->cond);
	while (!o->release)
		pthread_cond_wait(&o->cond, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

static void *keep_busy(void *arg)
{
	struct owner *o = arg;

	rig_on_owner(o->r, stand_still, o);
	return NULL;
}

struct processor {
	struct owner *owner;
	uint32_t (*run)(struct rig *r);
	uint32_t value;
	bool waited; /* until the owner was released */
};

static void *process(void *arg)
{
	struct processor *p = arg;

	p->value = p->run(p->owner->r);
	pthread_mutex_lock(&p->owner->lock);
	p->waited = p->owner->release;
	pthread_mutex_unlock(&p->owner->lock);
	return NULL;
}

/* Until somebody waits for an owner. */
static void await_waiter(struct rig *r)
{
	struct vdev *dev = rig_dev(r);
	int64_t end = rig_deadline();
	bool waits = false;

	while (!waits) {
		assert_true(g_get_monotonic_time() < end);
		g_usleep(50);
		waits = vdev_is_changing(dev);
	}
}

bool conform_meanwhile(struct rig *r, uint32_t (*slow)(struct rig *r),
		       uint32_t (*look)(struct rig *r), uint32_t *ret_value)
{
	struct owner owner = { r, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false,
			       false };
	struct processor one = { &owner, slow, 0, false }, two = { &owner, look, 0, false };
	pthread_t threads[3];

	pthread_create(&threads[0], NULL, keep_busy, &owner);
	pthread_mutex_lock(&owner.lock);
	while (!owner.busy)
		pthread_cond_wait(&owner.cond, &owner.lock);
	pthread_mutex_unlock(&owner.lock);
	pthread_create(&threads[1], NULL, process, &one);
	await_waiter(r);
	pthread_create(&threads[2], NULL, process, &two);
	g_usleep(10000); /* a chance to see too much; if it is late, it waited */
	pthread_mutex_lock(&owner.lock);
	owner.release = true;
	pthread_cond_broadcast(&owner.cond);
	pthread_mutex_unlock(&owner.lock);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(one.waited);
	*ret_value = two.value;
	return !two.waited;
}

uint8_t *conform_remember(struct rig *r)
{
	return g_memdup2(rig_mem(r)->region[0].hva, RINGS_BYTES);
}

bool conform_untouched(struct rig *r, const uint8_t *copy)
{
	return memcmp(rig_mem(r)->region[0].hva, copy, RINGS_BYTES) == 0;
}
