#include "tools/fuzz/world.h"

#include <string.h>

#include "devices/registry.h"
#include "tools/fuzz/arena.h"
#include "tools/fuzz/host.h"
#include "tools/fuzz/observe.h"
#include "tools/fuzz/race.h"
#include "tools/fuzz/story.h"

#define SEED       0x5eedu
#define STARTS_MAX 3u /* in a run: they cost more than anything else */

/* All that rings can do is offered; a driver may leave it. */
#define RING_FEATURES ",features=+in_order,,+notification_data,,+access_platform,,+order_platform"
#define PCI_FEATURES  ",,+notif_config_data" /* mmio has no register for it */

/* File-scope because they are large, and no run needs those of another. */
static struct twin twins[TWIN_QUEUES];

/*
 * Making one.
 */
static struct vdev *open_device(struct world *w, const struct world_plan *plan, GError **err)
{
	struct vdev_env env = { .mem = arena_mem(), .main_loop = w->loop, .n_cpus = 2 };
	bool pci = g_str_has_prefix(w->link->name, "pci");
	g_autofree char *spec = g_strdup_printf("%s,ring=%s" RING_FEATURES "%s", plan->spec,
						plan->packed ? "packed" : "split",
						pci ? PCI_FEATURES : "");
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	const struct vdev_class *class = vdev_class_find(name);

	if (!class)
		fuzz_bug("there is no device '%s'", name);
	return vdev_new(class, pairs, &env, err);
}

static struct world *world_new(const struct world_plan *plan)
{
	struct world *w = g_new0(struct world, 1);
	bool telling = story_now.on;
	GError *err = NULL;

	story_now.on = false;
	arena_init();
	w->link = link_nth(plan->link);
	w->context = g_main_context_new();
	g_main_context_set_poll_func(w->context, host_poll);
	host_set_context(w->context);
	w->loop = loop_main();
	fakes_collect(&w->fakes);
	w->dev = open_device(w, plan, &err);
	if (!w->dev)
		fuzz_bug("%s: %s", plan->spec, err->message);
	w->link->open(w);
	w->link->ready(w);
	w->unsettled = true;
	/* Back-ends of the project's own have timers, and keep what was said to them, unless it is in a file. */
	w->plain = !strstr(plan->spec, "real");
	w->stale = !w->plain && !w->fakes.n_files;
	story_now.on = telling;
	return w;
}

static void world_free(struct world *w)
{
	bool telling = story_now.on;

	story_now.on = false;
	host_set_context(w->context);
	fakes_collect(&w->fakes);
	w->link->close(w);
	vdev_free(w->dev);
	fuzz_board_free(w->board);
	loop_free(w->loop);
	g_main_context_unref(w->context);
	fakes_collect(NULL);
	fakes_end(&w->fakes);
	host_set_context(NULL);
	g_free(w);
	story_now.on = telling;
}

#define WORLDS_MAX 128u

/* File-scope because a fuzzer's entry has nowhere else to keep it. */
static struct {
	struct kept {
		struct world *world;
		const struct link_ops *link;
		const char *spec;
		bool packed;
	} kept[WORLDS_MAX];
	unsigned n;
	bool fresh; /* nothing is kept */
} cache;

void world_keep(bool on)
{
	cache.fresh = !on;
}

bool world_kept(void)
{
	return !cache.fresh;
}

struct world *world_get(const struct world_plan *plan)
{
	struct kept want = { .link = link_nth(plan->link),
			     .spec = plan->spec,
			     .packed = plan->packed };
	struct kept *k = cache.kept, *end = cache.kept + cache.n;

	while (k < end &&
	       (k->link != want.link || k->spec != want.spec || k->packed != want.packed))
		k++;
	if (k < end && !k->world->stale && !cache.fresh)
		return k->world;
	if (k < end) {
		world_free(k->world);
	} else if (cache.n++ == WORLDS_MAX) {
		fuzz_bug("more worlds than there are places for");
		return NULL; /* cppcheck does not know that nobody comes here */
	}
	host_begin(SEED);
	want.world = world_new(plan);
	*k = want;
	return k->world;
}

void world_forget_all(void)
{
	while (cache.n)
		world_free(cache.kept[--cache.n].world);
}

/*
 * A run.
 */

/* What survives a reset by design, and would make two runs differ. */
static void forget_history(struct vdev *dev)
{
	dev->generation = 0;
	dev->config_moved = false;
	dev->log_window = 0;
	dev->log_count = 0;
	for (unsigned q = 0; q < dev->n_queues; q++) {
		memset(vq_stats(dev->queue[q].vq), 0, sizeof(struct vq_stats));
		(void)host_event_take(dev->queue[q].kick_fd);
	}
}

void world_begin(struct world *w)
{
	bool telling = story_now.on;

	story_now.on = false;
	host_set_context(w->context);
	fakes_collect(&w->fakes);
	host_begin(SEED);
	arena_begin();
	race_begin();
	observe_begin();
	host_running(true);
	fakes_begin(&w->fakes);
	forget_history(w->dev);
	w->accepted = (struct vfeatures){ { 0 } };
	w->starts = 0;
	w->loose = false;
	w->clean = true;
	story_now.on = telling;
	story("a %s over %s", w->dev->class->name, w->link->name);
}

static void forget_rings(void)
{
	for (unsigned q = 0; q < TWIN_QUEUES; q++)
		twins[q].made = false;
}

/* The last judgement: after a reset nothing of the guest's is touched any more. */
void world_end(struct world *w)
{
	for (unsigned i = 0; i < N_HOST_FAILURES; i++)
		host_fail(i, 0);
	if (w->board)
		fuzz_board_refuse(w->board, 0);
	for (unsigned q = 0; q < TWIN_QUEUES; q++)
		if (world_twin(q))
			twin_collect(world_twin(q));
	world_reset(w);
	if (w->moved) {
		w->link->machine_reset(w);
		w->link->ready(w);
		w->moved = false;
	}
	w->unsettled = true;
	world_turn(w, 4);
	w->link->interrupts(w);
	for (unsigned i = 0; i < w->fakes.n_disks; i++)
		if (fake_disk_pending(w->fakes.disk[i]))
			fuzz_bug("after the reset %u requests are in flight",
				 fake_disk_pending(w->fakes.disk[i]));
	if (!host_unlocked())
		fuzz_bug("a mutex was left locked");
	host_running(false);
}

void world_settle(struct world *w)
{
	bool telling = story_now.on;

	story_now.on = false; /* it is the last run's end */
	if (w->unsettled)
		w->link->settle(w);
	w->unsettled = false;
	story_now.on = telling;
}

void world_turn(struct world *w, unsigned turns)
{
	race_live(true);
	while (turns-- && (w->plain ? host_turn() : g_main_context_iteration(w->context, FALSE)))
		;
	race_live(false);
}

/*
 * The driver.
 */

void world_reset(struct world *w)
{
	w->link->set_status(w, 0);
	if (vdev_status(w->dev) != 0) { /* the registers are not where they were */
		w->link->machine_reset(w);
		w->moved = true;
	}
	forget_rings();
	arena_close();
	w->loose = false;
	w->accepted = (struct vfeatures){ { 0 } };
}

struct twin_kind world_kind(const struct world *w)
{
	return (struct twin_kind){
		.packed = vfeatures_has(w->accepted, VIRTIO_F_RING_PACKED),
		.event_idx = vfeatures_has(w->accepted, VIRTIO_F_EVENT_IDX),
		.indirect = vfeatures_has(w->accepted, VIRTIO_F_INDIRECT_DESC),
		.in_order = vfeatures_has(w->accepted, VIRTIO_F_IN_ORDER),
	};
}

struct twin *world_twin(unsigned q)
{
	return q < TWIN_QUEUES && twins[q].made ? &twins[q] : NULL;
}

bool world_queue_start(struct world *w, unsigned q, unsigned size)
{
	unsigned max = w->link->queue_max(w, q);
	struct link_ring ring;
	struct twin *t;
	bool runs; /* then the device goes on with the ring it has */

	if (q >= TWIN_QUEUES || !max)
		return false;
	t = &twins[q];
	size = MIN(MIN(size, max), TWIN_SIZE);
	if (!twin_make(t, q, size, world_kind(w)))
		return false;
	runs = vdev_queue_read(w->dev, q, VQR_ENABLE);
	t->lies = w->loose || runs;
	if (t->lies)
		arena_wild();
	observe_queue(w->dev->queue[q].vq, t);
	ring = (struct link_ring){ size, t->vq.desc, t->vq.driver, t->vq.device };
	story("driver: queue %u has %u entries", q, size);
	w->link->queue_set(w, q, &ring);
	return true;
}

static void negotiate(struct world *w, struct vfeatures without)
{
	for (unsigned i = 0; i < 2; i++) {
		uint32_t left = ~(uint32_t)(without.w[i / 2] >> (i % 2 * 32));
		uint32_t bits = w->link->offered(w, i) & left;

		if (i == 1) /* a ring's layout is the target's choice, VERSION_1 is a must */
			bits |= w->link->offered(w, 1) & (1u << (VIRTIO_F_VERSION_1 - 32) |
							  1u << (VIRTIO_F_RING_PACKED - 32));
		w->link->accept(w, i, bits);
		w->accepted.w[i / 2] &= ~(0xffffffffull << (i % 2 * 32));
		w->accepted.w[i / 2] |= (uint64_t)bits << (i % 2 * 32);
	}
	story("driver: accepts features %#lx %#lx", w->accepted.w[1], w->accepted.w[0]);
}

void world_start(struct world *w, struct vfeatures without, unsigned n, unsigned size)
{
	if (w->starts == STARTS_MAX)
		return;
	w->starts++;
	story("driver: starts");
	w->unsettled = false;
	if (w->moved)
		w->link->ready(w);
	if (!w->clean) /* a reset of what was reset just now is not worth its time */
		world_reset(w);
	arena_begin();
	w->link->set_status(w, 1);
	w->link->set_status(w, 3);
	negotiate(w, without);
	w->link->set_status(w, 11);
	for (unsigned q = 0; q < n && world_queue_start(w, q, size); q++)
		;
	race_live(true);
	w->link->set_status(w, 15);
	race_live(false);
	story("driver: status is %u", vdev_status(w->dev));
}

void world_kick(struct world *w, unsigned q)
{
	uint32_t value = q;

	if (vfeatures_has(w->accepted, VIRTIO_F_NOTIFICATION_DATA) && world_twin(q))
		value |= drv_notification_data(&world_twin(q)->vq);
	w->link->kick(w, q, value);
}
