/*
 * Life of a device and its status machine. Features are in features.c, queues in queue.c and
 * engine.c, the configuration space in config.c.
 *
 * Order of locks: dev->lock, then dev->transport_lock, then dev->config_lock. An owner takes the
 * last two only, and none is held while somebody waits for an owner.
 */
#include "devices/core/vdev.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/core/engine.h"
#include "devices/core/filter.h"
#include "devices/core/observe.h"
#include "devices/core/rules.h"
#include "devices/core/vdev-impl.h"

#define OFFSET(field) offsetof(struct vdev, field)

static const char *const rings[] = {
	[VDEV_RING_SPLIT] = "split", [VDEV_RING_PACKED] = "packed", NULL
};

static const char *const legacies[] = {
	[VDEV_LEGACY_OFF] = "off", [VDEV_LEGACY_ON] = "on", [VDEV_LEGACY_ONLY] = "only", NULL
};

const struct prop vdev_common_props[] = {
	{ "id", PROP_STR, OFFSET(id),
	  .help = "name of the device in messages and on the control "
		  "socket" },
	{ "queue-size", PROP_U16, OFFSET(opt_queue_size), .min = 1, .max = VRING_QUEUE_SIZE_MAX,
	  .also = "queue_size rx_queue_size tx_queue_size queue-depth",
	  .help = "most entries of each queue; a power of two unless the ring is packed" },
	{ "ring", PROP_ENUM, OFFSET(opt_ring), .default_value = "split", .choices = rings,
	  .help = "format of the virtqueues; packed is offered; a driver may still negotiate split" },
	{ "features", PROP_LIST, OFFSET(opt_features),
	  .help = "+NAME,-NAME,...: feature bits to offer besides the default ones, or not to offer" },
	{ "legacy", PROP_ENUM, OFFSET(opt_legacy), .default_value = "off", .choices = legacies,
	  .also = "transitional",
	  .help = "the interface of before virtio 1, for drivers that know no other: on pci beside "
		  "today's (on) or in its place (only), on mmio version 1 in its place (both); "
		  "docs/legacy.md" },
	{ "iothread", PROP_STR, OFFSET(opt_iothread),
	  .help = "event loop thread that serves the queues, by a name of your choice; devices may "
		  "share one (without it the main thread serves them)" },
	{ "poll", PROP_STR, OFFSET(opt_poll), .also = "poll-max-ns poll_max_ns",
	  .help = "how long that thread may look for more before it sleeps: a time, as 50us, off, "
		  "or auto (the default), up to 32us if there is a processor to spare" },
	{ 0 },
};

/*
 * Making and freeing.
 */

static bool vdev_check_queue_size(struct vdev *dev, const char *context, GError **err)
{
	uint16_t size = dev->opt_queue_size;

	if (!vfeatures_has(dev->offered, VIRTIO_F_RING_PACKED) && size & (size - 1))
		return ringside_usage(err,
				      "%s,queue-size=%u: not a power of two, which a split ring "
				      "must have; ring=packed allows any size",
				      context, size);
	return true;
}

static bool vdev_check_legacy(struct vdev *dev, const char *context, GError **err)
{
	const char *value = legacies[dev->opt_legacy];

	if (dev->opt_legacy != VDEV_LEGACY_OFF && !dev->class->legacy_id)
		return ringside_usage(
			err,
			"%s,legacy=%s: this type of device came with virtio 1 and has "
			"no legacy interface; leave it out",
			context, value);
	if (dev->opt_legacy == VDEV_LEGACY_ONLY && dev->opt_ring == VDEV_RING_PACKED)
		return ringside_usage(err,
				      "%s,legacy=only,ring=packed: legacy drivers have split rings "
				      "alone; legacy=on serves both kinds of drivers",
				      context);
	return true;
}

static bool vdev_choose_loop(struct vdev *dev, const struct vdev_env *env, const char *context,
			     GError **err)
{
	uint64_t poll_ns;

	dev->main_loop = env->main_loop;
	dev->loop = env->main_loop;
	if (dev->opt_poll && !poller_parse(dev->opt_poll, &poll_ns))
		return ringside_usage(err,
				      "%s,poll=%s: it takes off, auto, or a time of at most a "
				      "second: 50us, 2ms",
				      context, dev->opt_poll);
	if (dev->opt_poll && !dev->opt_iothread)
		return ringside_usage(err,
				      "%s,poll=%s: the main thread serves this device, and does "
				      "not poll; add iothread=NAME",
				      context, dev->opt_poll);
	if (dev->opt_iothread && env->iothread)
		dev->loop = env->iothread(env->opaque, dev->opt_iothread,
					  dev->opt_poll ? &poll_ns : NULL, err);
	if (dev->loop)
		return true;
	g_prefix_error(err, "%s,iothread=%s: ", context, dev->opt_iothread);
	return false;
}

static bool vdev_open_queues(struct vdev *dev, GError **err)
{
	g_assert(dev->n_queues <= VDEV_QUEUES_MAX);
	for (unsigned q = 0; q < dev->n_queues; q++) {
		struct vdev_queue *queue = &dev->queue[q];

		queue->dev = dev;
		queue->vq = vq_new();
		queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (!queue->engine)
			queue->engine = &vdev_engine_here;
		else
			queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (queue->kick_fd < 0 ||
		    (queue->engine != &vdev_engine_here && queue->call_fd < 0))
			return ringside_error_errno(err, errno, "--device %s: eventfd of queue %u",
						    dev->class->name, q);
		if (!queue->loop)
			queue->loop = dev->loop;
		vdev_queue_defaults(queue);
	}
	return true;
}

static bool vdev_open_device(struct vdev *dev, GPtrArray *pairs, const struct vdev_env *env,
			     GError **err)
{
	const struct vdev_class *class = dev->class;
	g_autofree char *context = g_strdup_printf("--device %s", class->name);

	if (!prop_parse(vdev_common_props, dev, pairs, context, err) ||
	    !vdev_check_legacy(dev, context, err) ||
	    (class->props && !prop_parse(class->props, dev, pairs, context, err)) ||
	    !vdev_features_open(dev, context, err) || !vdev_check_queue_size(dev, context, err) ||
	    !vdev_choose_loop(dev, env, context, err))
		return false;
	if (class->open && !class->open(dev, err))
		return false;
	return vdev_features_opened(dev, context, err) && vdev_open_queues(dev, err);
}

static char *vdev_join_options(GPtrArray *pairs)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		prop_append(text, pair->key, pair->value);
	}
	return g_string_free(text, FALSE);
}

struct vdev *vdev_new(const struct vdev_class *class, GPtrArray *pairs, const struct vdev_env *env,
		      GError **err)
{
	struct vdev *dev = g_malloc0(class->size);

	dev->class = class;
	dev->options = vdev_join_options(pairs);
	dev->mem = env->mem;
	dev->env = env;
	dev->io_error = env->io_error;
	dev->io_error_opaque = env->opaque;
	dev->type = class->id;
	dev->pci_class = class->pci_class;
	dev->n_queues = class->n_queues;
	dev->kept_paths = g_ptr_array_new();
	dev->config_size = class->config_size;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->changed, NULL);
	pthread_mutex_init(&dev->config_lock, NULL);
	pthread_mutex_init(&dev->transport_lock, NULL);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		dev->queue[q].kick_fd = dev->queue[q].call_fd = -1;
	if (!vdev_open_device(dev, pairs, env, err)) {
		vdev_free(dev);
		return NULL;
	}
	dev->env = NULL;
	vdev_config_forget(dev);
	return dev;
}

void vdev_free(struct vdev *dev)
{
	if (!dev)
		return;
	vdev_enter(dev);
	vdev_stop_queues(dev, VDEV_STOP_RESET);
	vdev_leave(dev);
	if (dev->class->close)
		dev->class->close(dev);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		vq_free(dev->queue[q].vq);
		eventfd_close(&dev->queue[q].kick_fd);
		eventfd_close(&dev->queue[q].call_fd);
	}
	if (dev->class->props)
		prop_free(dev->class->props, dev);
	prop_free(vdev_common_props, dev);
	g_ptr_array_unref(dev->kept_paths);
	g_free(dev->options);
	pthread_mutex_destroy(&dev->transport_lock);
	pthread_mutex_destroy(&dev->config_lock);
	pthread_cond_destroy(&dev->changed);
	pthread_mutex_destroy(&dev->lock);
	g_free(dev);
}

/*
 * The driver's calls.
 */

void vdev_enter(struct vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
	while (dev->changing)
		pthread_cond_wait(&dev->changed, &dev->lock);
}

void vdev_leave(struct vdev *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

void vdev_begin_wait(struct vdev *dev)
{
	dev->changing = true;
	pthread_mutex_unlock(&dev->lock);
}

void vdev_end_wait(struct vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
	dev->changing = false;
	pthread_cond_broadcast(&dev->changed);
}

/*
 * Status (2.1) and reset (2.4).
 */

/* A reset is not over as long as it is not 0 (2.4.2). */
uint32_t vdev_status(struct vdev *dev)
{
	uint32_t status = dev->status;

	if (!status && dev->far && dev->far->busy(dev->far, -1))
		status = VIRTIO_S_ACKNOWLEDGE;
	return status;
}

void vdev_reset_device(struct vdev *dev)
{
	vdev_stop_queues(dev, VDEV_STOP_RESET);
	if (dev->class->reset) {
		vdev_begin_wait(dev);
		dev->class->reset(dev);
		vdev_end_wait(dev);
	}
	dev->accepted = (struct vfeatures){ 0 };
	for (unsigned q = 0; q < dev->n_queues; q++)
		vdev_queue_defaults(&dev->queue[q]);
	dev->status = 0;
	dev->legacy = false;
	dev->begun = false;
}

void vdev_set_negotiated(struct vdev *dev)
{
	vdev_queue_negotiated(dev);
	if (dev->class->negotiated) {
		vdev_begin_wait(dev);
		dev->class->negotiated(dev);
		vdev_end_wait(dev);
	}
}

/* Bits a driver may set; DEVICE_NEEDS_RESET is ours alone. */
#define DRIVER_BITS                                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_FAILED)

void vdev_set_status(struct vdev *dev, uint32_t status)
{
	uint32_t added, before;

	vdev_enter(dev);
	before = dev->status;
	vdev_judge_status(dev, status);
	added = status & DRIVER_BITS & ~dev->status;
	if (status == 0) {
		vdev_reset_device(dev);
		goto out;
	}
	if (dev->legacy)
		added &= ~(uint32_t)VIRTIO_S_FEATURES_OK; /* it has no such bit */
	if (added & VIRTIO_S_FEATURES_OK) {
		if (vdev_features_hold(dev))
			vdev_set_negotiated(dev);
		else
			added &= ~(uint32_t)VIRTIO_S_FEATURES_OK;
	}
	/* DRIVER_OK before the features are settled starts nothing (3.1.1). */
	if (added & VIRTIO_S_DRIVER_OK && !dev->legacy &&
	    !((dev->status | added) & VIRTIO_S_FEATURES_OK))
		added &= ~(uint32_t)VIRTIO_S_DRIVER_OK;
	dev->status |= added;
	if (added & VIRTIO_S_DRIVER_OK && dev->legacy)
		vdev_legacy_driver_ok(dev);
	else if (added & VIRTIO_S_DRIVER_OK)
		vdev_start_queues(dev);
out:
	vdev_saw_status(dev, before, dev->status);
	vdev_leave(dev);
}

void vdev_needs_reset(struct vdev *dev)
{
	uint32_t before = atomic_fetch_or(&dev->status, VIRTIO_S_NEEDS_RESET);

	vdev_saw_status(dev, before, before | VIRTIO_S_NEEDS_RESET);
	/* 2.1.2: a running driver learns of it by a configuration change notification. */
	if (!(before & VIRTIO_S_NEEDS_RESET) && before & VIRTIO_S_DRIVER_OK)
		vdev_config_tell(dev, true);
}

void vdev_add_syscalls(struct vdev *dev, const struct syscall_use *table)
{
	for (unsigned i = 0; i < dev->n_syscalls; i++)
		if (dev->syscalls[i] == table)
			return;
	if (!table)
		return;
	g_assert(dev->n_syscalls < VDEV_SYSCALLS_MAX);
	dev->syscalls[dev->n_syscalls++] = table;
}

void vdev_keep_path(struct vdev *dev, const char *path)
{
	if (path)
		g_ptr_array_add(dev->kept_paths, (gpointer)path);
}

struct loop *vdev_worker(struct vdev *dev)
{
	if (!dev->worker && dev->env->worker)
		dev->worker = dev->env->worker(dev->env->opaque, vdev_name(dev));
	return dev->worker;
}

/*
 * The transport comes and goes.
 */

void vdev_attach(struct vdev *dev, const struct vdev_transport_ops *transport, void *data)
{
	pthread_mutex_lock(&dev->transport_lock);
	dev->transport_data = data;
	dev->transport = transport;
	pthread_mutex_unlock(&dev->transport_lock);
	vdev_queue_negotiated(dev); /* how large rings may be is its affair, too */
}

void vdev_detach(struct vdev *dev)
{
	vdev_attach(dev, NULL, NULL);
}

/*
 * Messages. A guest can make as many mistakes a second as it likes; the log takes ten in a window.
 */
#define LOG_WINDOW_US (10l * G_USEC_PER_SEC)
#define LOG_BURST     10u

static void G_GNUC_PRINTF(3, 0)
	say(struct vdev *dev, const char *whose, const char *fmt, va_list ap)
{
	unsigned window = (unsigned)(g_get_monotonic_time() / LOG_WINDOW_US);
	char text[256];
	unsigned n;

	if (atomic_exchange(&dev->log_window, window) != window)
		dev->log_count = 0;
	n = atomic_fetch_add(&dev->log_count, 1);
	if (n > LOG_BURST)
		return;
	if (n == LOG_BURST) {
		g_log("ringside", G_LOG_LEVEL_WARNING, "%s: more messages, not shown for a while",
		      vdev_name(dev));
		return;
	}
	(void)g_vsnprintf(text, sizeof(text), fmt, ap);
	g_log("ringside", G_LOG_LEVEL_WARNING, "%s: %s: %s", vdev_name(dev), whose, text);
}

void vdev_guest_bug(struct vdev *dev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(dev, "guest bug", fmt, ap);
	va_end(ap);
	vdev_needs_reset(dev);
}

void vdev_io_error(struct vdev *dev, const struct vdev_io_error *error)
{
	if (dev->io_error)
		dev->io_error(dev->io_error_opaque, dev, error);
}

void vdev_host_error(struct vdev *dev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(dev, "host", fmt, ap);
	va_end(ap);
}

void vdev_guest_note(struct vdev *dev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(dev, "guest", fmt, ap);
	va_end(ap);
}

const char *vdev_name(const struct vdev *dev)
{
	return dev->id ? dev->id : dev->class->name;
}
