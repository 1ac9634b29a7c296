/*
 * The self-test: every device that is there, in every way to drive it.
 *
 * A device is driven with each of its rings; with none of the ring's features and with all that it
 * offers; polled and with each kind of interrupt; the first device of each transport also with each
 * feature alone. Each time its driver tests it from reset to reset. One line a device and ring says
 * how that went.
 */
#include "guest-fw/bench.h"
#include "guest-fw/fuzz.h"
#include "guest-fw/hostile.h"
#include "guest-fw/virtio.h"

#define DEVICES_MAX 64u

struct fw fw;

static const struct driver *const drivers[] = {
	&blk_driver, &net_driver, &rng_driver, &console_driver, &input_driver,
};

/* The ring's features, in the order in which they are tried. */
static const struct {
	unsigned bit;
	const char *name;
} ring_features[] = {
	{ VIRTIO_F_INDIRECT_DESC, "indirect" },
	{ VIRTIO_F_EVENT_IDX, "event_idx" },
	{ VIRTIO_F_IN_ORDER, "in_order" },
	{ VIRTIO_F_NOTIFICATION_DATA, "notification_data" },
	{ VIRTIO_F_NOTIF_CONFIG_DATA, "notif_config_data" },
	{ VIRTIO_F_RING_RESET, "ring_reset" },
	{ VIRTIO_F_ACCESS_PLATFORM, "access_platform" },
	{ VIRTIO_F_ORDER_PLATFORM, "order_platform" },
};

#define RING_PACKED (1ull << VIRTIO_F_RING_PACKED)

static uint64_t all_ring_features(void)
{
	uint64_t all = 0;

	for (size_t i = 0; i < FW_COUNT(ring_features); i++)
		all |= 1ull << ring_features[i].bit;
	return all;
}

const struct driver *driver_of(const struct virtio *v)
{
	for (size_t i = 0; i < FW_COUNT(drivers); i++)
		if (drivers[i]->id == v->dev.id)
			return drivers[i];
	return NULL;
}

/*
 * One way to drive a device.
 */
static bool fw_test(struct virtio *v, const struct driver *driver)
{
	if (!driver->test(v) || (v->irq != VIRTIO_POLL && !v->idle && !virtio_had_irq(v)))
		return false;
	if (!virtio_has(&v->dev, VIRTIO_F_RING_RESET))
		return true;
	return virtio_restart_queues(v) && driver->test(v);
}

static void say_way(const struct virtio *v)
{
	for (size_t i = 0; i < FW_COUNT(ring_features); i++)
		if (virtio_has(&v->dev, ring_features[i].bit))
			say(" %s", ring_features[i].name);
	say(" %s", virtio_irq_name[v->irq]);
}

static bool fw_try(struct virtio *v, uint64_t ring, enum virtio_irq irq)
{
	const struct driver *driver = driver_of(v);
	size_t mark = fw_taken();
	struct virtio_plan plan = {
		.features = driver->features | ring,
		.irq = irq,
		.n_queues = driver->n_queues,
		.queue_size = 64,
	};
	bool ok = virtio_begin(v, &plan) && fw_test(v, driver) && virtio_irq_over(v);

	if (!ok) {
		say("not ok %s %s %s: %s%s (with", driver->name, v->dev.ops->name,
		    ring & RING_PACKED ? "packed" : "split", v->why,
		    virtio_status(&v->dev) & VIRTIO_S_NEEDS_RESET ? ", and it needs a reset" : "");
		say_way(v);
		say(")\n");
	}
	virtio_end(v);
	fw_give_back(mark);
	return ok;
}

/*
 * All ways with one ring.
 */
static bool try_each_feature(struct virtio *v, uint64_t ring)
{
	uint64_t offered = virtio_offered(&v->dev).w[0];

	for (size_t i = 0; i < FW_COUNT(ring_features); i++)
		if (offered >> ring_features[i].bit & 1 &&
		    !fw_try(v, ring | 1ull << ring_features[i].bit, VIRTIO_POLL))
			return false;
	return true;
}

static bool try_each_irq(struct virtio *v, uint64_t features)
{
	for (unsigned irq = 0; irq < N_VIRTIO_IRQS; irq++)
		if (virtio_can(v, irq) && !fw_try(v, features, irq))
			return false;
	return true;
}

static bool test_ring(struct virtio *v, uint64_t ring, bool thorough)
{
	uint64_t offered = virtio_offered(&v->dev).w[0];

	if (thorough ? !try_each_irq(v, ring) || !try_each_feature(v, ring)
		     : !fw_try(v, ring, VIRTIO_POLL))
		return false;
	if (!try_each_irq(v, ring | all_ring_features()))
		return false;
	say("ok %s %s %s: %s; plain%s", driver_of(v)->name, v->dev.ops->name,
	    ring ? "packed" : "split", v->did, thorough ? ", each and all of" : " and with");
	for (size_t i = 0; i < FW_COUNT(ring_features); i++)
		if (offered >> ring_features[i].bit & 1)
			say(" %s", ring_features[i].name);
	say(";");
	for (unsigned irq = 0; irq < N_VIRTIO_IRQS; irq++)
		if (virtio_can(v, irq))
			say(" %s", virtio_irq_name[irq]);
	say("\n");
	return true;
}

static void self_test(struct virtio *list, unsigned n)
{
	unsigned passed = 0, failed = 0;

	for (unsigned i = 0; i < n; i++) {
		struct virtio *v = &list[i];
		bool first = i == 0 || v->dev.ops != v[-1].dev.ops; /* on its transport */

		if (v->not_tested)
			continue;
		if (!driver_of(v)) {
			say("guest-fw: no driver for type %u on %s\n", v->dev.id, v->dev.ops->name);
			continue;
		}
		for (uint64_t ring = 0; ring <= RING_PACKED; ring += RING_PACKED) {
			if (ring & ~virtio_offered(&v->dev).w[0])
				continue;
			if (test_ring(v, ring, first))
				passed++;
			else
				failed++;
		}
	}
	say("guest-fw: %u passed, %u failed\n", passed, failed);
	if (failed)
		fw_panic("the self-test failed");
}

/* Called by start.S. */
_Noreturn void fw_main(const void *start_info);

void fw_main(const void *start_info)
{
	static struct virtio list[DEVICES_MAX];
	unsigned n;

	machine_init(start_info);
	n = virtio_pci_find(list, DEVICES_MAX);
	n += virtio_mmio_find(list + n, DEVICES_MAX - n);
	if (fw_option("bench")) {
		bench(list, n);
	} else if (fw_option("hostile")) {
		hostile(list, n);
	} else {
		if (fw_option("fuzz"))
			fuzz(list, n);
		self_test(list, n);
	}
	machine_power_off();
}
