/*
 * Life of a device, its status machine and its features. Queues are in vdev-queue.c.
 *
 * Order of locks: dev->lock, then a wait for the owners (loop_call()), then dev->host_lock, then
 * dev->config_lock. An owner takes the last two only.
 */
#include "devices/vdev.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/vdev-impl.h"

#define OFFSET(field) offsetof(struct vdev, field)

const struct prop vdev_common_props[] = {
	{ "id", PROP_STR, OFFSET(id),
	  .help = "name of the device in messages and on the control "
		  "socket" },
	{ "queue-size", PROP_U16, OFFSET(opt_queue_size), .min = 1, .max = VRING_QUEUE_SIZE_MAX,
	  .help = "most entries of each queue, a power of two" },
	{ "iothread", PROP_STR, OFFSET(opt_iothread),
	  .help = "event loop thread that serves the queues, by a name of your choice; devices may "
		  "share one (without it the main thread serves them)" },
	{ 0 },
};

/* What every device offers, whatever its class. */
static const unsigned char common_features[] = {
	VIRTIO_F_INDIRECT_DESC,
	VIRTIO_F_EVENT_IDX,
	VIRTIO_F_VERSION_1,
	VIRTIO_F_RING_RESET,
};

/*
 * Making and freeing.
 */

static bool check_queue_size(struct vdev *dev, GError **err)
{
	uint16_t size = dev->opt_queue_size;

	if (size & (size - 1))
		return ringside_usage(err, "--device %s,queue-size=%u: not a power of two",
				      dev->class->name, size);
	return true;
}

static void choose_loop(struct vdev *dev, const struct vdev_env *env)
{
	dev->main_loop = env->main_loop;
	dev->loop = env->main_loop;
	if (dev->opt_iothread && env->iothread)
		dev->loop = env->iothread(env->opaque, dev->opt_iothread);
}

static bool open_queues(struct vdev *dev, GError **err)
{
	g_assert(dev->n_queues <= VDEV_QUEUES_MAX);
	for (unsigned q = 0; q < dev->n_queues; q++) {
		struct vdev_queue *queue = &dev->queue[q];

		queue->dev = dev;
		queue->vq = vq_new();
		queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (queue->kick_fd < 0)
			return ringside_error_errno(err, errno, "--device %s: eventfd of queue %u",
						    dev->class->name, q);
		if (!queue->loop)
			queue->loop = dev->loop;
		queue->size_max = dev->opt_queue_size ? dev->opt_queue_size
						      : dev->class->queue_size;
		vdev_queue_defaults(queue);
	}
	return true;
}

static bool open_device(struct vdev *dev, GPtrArray *pairs, const struct vdev_env *env,
			GError **err)
{
	const struct vdev_class *class = dev->class;
	g_autofree char *context = g_strdup_printf("--device %s", class->name);

	if (!prop_parse(vdev_common_props, dev, pairs, context, err) ||
	    (class->props && !prop_parse(class->props, dev, pairs, context, err)) ||
	    !check_queue_size(dev, err))
		return false;
	choose_loop(dev, env);
	if (class->open && !class->open(dev, err))
		return false;
	return open_queues(dev, err);
}

struct vdev *vdev_new(const struct vdev_class *class, GPtrArray *pairs, const struct vdev_env *env,
		      GError **err)
{
	struct vdev *dev = g_malloc0(class->size);

	dev->class = class;
	dev->mem = env->mem;
	dev->env = env;
	dev->n_queues = class->n_queues;
	dev->config_size = class->config_size;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->config_lock, NULL);
	pthread_mutex_init(&dev->host_lock, NULL);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		dev->queue[q].kick_fd = -1;
	for (size_t i = 0; i < G_N_ELEMENTS(common_features); i++)
		vdev_offer(dev, common_features[i], true);
	for (const unsigned char *bit = class->feature_bits; bit && *bit != 255; bit++)
		vdev_offer(dev, *bit, true);
	if (!open_device(dev, pairs, env, err)) {
		vdev_free(dev);
		return NULL;
	}
	dev->env = NULL;
	return dev;
}

void vdev_free(struct vdev *dev)
{
	if (!dev)
		return;
	vdev_stop_queues(dev);
	if (dev->class->close)
		dev->class->close(dev);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++) {
		vq_free(dev->queue[q].vq);
		if (dev->queue[q].kick_fd >= 0)
			close(dev->queue[q].kick_fd);
	}
	if (dev->class->props)
		prop_free(dev->class->props, dev);
	prop_free(vdev_common_props, dev);
	pthread_mutex_destroy(&dev->host_lock);
	pthread_mutex_destroy(&dev->config_lock);
	pthread_mutex_destroy(&dev->lock);
	g_free(dev);
}

/*
 * Features (2.2).
 */

void vdev_offer(struct vdev *dev, unsigned bit, bool on)
{
	vfeatures_set(&dev->offered, bit, on);
}

bool vdev_accepted(const struct vdev *dev, unsigned bit)
{
	return vfeatures_has(dev->accepted, bit);
}

static uint32_t feature_word(const struct vfeatures *f, uint32_t select)
{
	return select < 4 ? (uint32_t)(f->w[select / 2] >> (select % 2 * 32)) : 0;
}

uint32_t vdev_features_offered(struct vdev *dev, uint32_t select)
{
	return feature_word(&dev->offered, select);
}

uint32_t vdev_features_accepted(struct vdev *dev, uint32_t select)
{
	uint32_t word;

	pthread_mutex_lock(&dev->lock);
	word = feature_word(&dev->accepted, select);
	pthread_mutex_unlock(&dev->lock);
	return word;
}

void vdev_features_accept(struct vdev *dev, uint32_t select, uint32_t bits)
{
	unsigned shift = select % 2 * 32;

	pthread_mutex_lock(&dev->lock);
	/* They are frozen by FEATURES_OK (3.1.1, step 5). */
	if (select < 4 && !(dev->status & VIRTIO_S_FEATURES_OK)) {
		uint64_t *w = &dev->accepted.w[select / 2];

		*w = (*w & ~(0xffffffffull << shift)) | (uint64_t)bits << shift;
	}
	pthread_mutex_unlock(&dev->lock);
}

/* This is a modern device: it declines to work without VERSION_1 (6.2 allows that). */
static bool features_hold(struct vdev *dev)
{
	const struct vfeatures *a = &dev->accepted, *o = &dev->offered;

	if (a->w[0] & ~o->w[0] || a->w[1] & ~o->w[1])
		return false;
	if (!vfeatures_has(*a, VIRTIO_F_VERSION_1))
		return false;
	return !dev->class->features_ok || dev->class->features_ok(dev, *a);
}

/*
 * Status (2.1) and reset (2.4).
 */

uint32_t vdev_status(struct vdev *dev)
{
	return dev->status;
}

static void reset(struct vdev *dev)
{
	vdev_stop_queues(dev);
	if (dev->class->reset)
		dev->class->reset(dev);
	for (unsigned q = 0; q < dev->n_queues; q++)
		vdev_queue_defaults(&dev->queue[q]);
	dev->accepted = (struct vfeatures){ 0 };
	dev->status = 0;
}

/* Bits a driver may set; DEVICE_NEEDS_RESET is ours alone. */
#define DRIVER_BITS                                                                           \
	(VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK | VIRTIO_S_FEATURES_OK | \
	 VIRTIO_S_FAILED)

void vdev_set_status(struct vdev *dev, uint32_t status)
{
	uint32_t added;

	pthread_mutex_lock(&dev->lock);
	added = status & DRIVER_BITS & ~dev->status;
	if (status == 0) {
		reset(dev);
		goto out;
	}
	if (added & VIRTIO_S_FEATURES_OK) {
		if (!features_hold(dev))
			added &= ~(uint32_t)VIRTIO_S_FEATURES_OK;
		else if (dev->class->negotiated)
			dev->class->negotiated(dev);
	}
	/* DRIVER_OK before the features are settled starts nothing (3.1.1). */
	if (added & VIRTIO_S_DRIVER_OK && !((dev->status | added) & VIRTIO_S_FEATURES_OK))
		added &= ~(uint32_t)VIRTIO_S_DRIVER_OK;
	dev->status |= added;
	if (added & VIRTIO_S_DRIVER_OK)
		vdev_start_queues(dev);
out:
	pthread_mutex_unlock(&dev->lock);
}

void vdev_needs_reset(struct vdev *dev)
{
	uint32_t before = atomic_fetch_or(&dev->status, VIRTIO_S_NEEDS_RESET);

	/* 2.1.2: a running driver learns of it by a configuration change notification. */
	if (!(before & VIRTIO_S_NEEDS_RESET) && before & VIRTIO_S_DRIVER_OK)
		vdev_config_changed(dev, true);
}

/*
 * Configuration space (2.5).
 */

void vdev_config_lock(struct vdev *dev)
{
	pthread_mutex_lock(&dev->config_lock);
}

/* The generation changes together with what the caller wrote: a driver that reads it, the fields and
 * it again must not find it unchanged if a write fell in between (2.5.1). */
void vdev_config_unlock(struct vdev *dev)
{
	dev->generation++;
	pthread_mutex_unlock(&dev->config_lock);
}

void vdev_config_changed(struct vdev *dev, bool notify)
{
	pthread_mutex_lock(&dev->host_lock);
	if (dev->host && notify && dev->status & VIRTIO_S_DRIVER_OK)
		dev->host->config_changed(dev);
	else if (dev->host && dev->host->config_stale)
		dev->host->config_stale(dev);
	pthread_mutex_unlock(&dev->host_lock);
}

void vdev_attach(struct vdev *dev, const struct vdev_host_ops *host, void *data)
{
	pthread_mutex_lock(&dev->host_lock);
	dev->host_data = data;
	dev->host = host;
	pthread_mutex_unlock(&dev->host_lock);
}

void vdev_detach(struct vdev *dev)
{
	vdev_attach(dev, NULL, NULL);
}

uint8_t vdev_config_generation(struct vdev *dev)
{
	uint8_t generation;

	pthread_mutex_lock(&dev->config_lock);
	generation = dev->generation;
	pthread_mutex_unlock(&dev->config_lock);
	return generation;
}

/* How many of @len bytes at @off lie inside the space. */
static size_t config_room(const struct vdev *dev, size_t off, size_t len)
{
	return off >= dev->config_size ? 0 : MIN(len, dev->config_size - off);
}

void vdev_config_read(struct vdev *dev, size_t off, void *dst, size_t len)
{
	size_t n = config_room(dev, off, len);

	memset(dst, 0, len);
	pthread_mutex_lock(&dev->config_lock);
	memcpy(dst, dev->config + off, n);
	pthread_mutex_unlock(&dev->config_lock);
}

void vdev_config_write(struct vdev *dev, size_t off, const void *src, size_t len)
{
	size_t n = config_room(dev, off, len);

	if (!dev->class->config_written || n == 0)
		return;
	vdev_config_lock(dev);
	memcpy(dev->config + off, src, n);
	dev->class->config_written(dev, off, n);
	vdev_config_unlock(dev);
}

/*
 * Messages. A guest can make as many mistakes a second as it likes; the log takes ten in a window.
 */
#define LOG_WINDOW_US (10l * G_USEC_PER_SEC)
#define LOG_BURST     10u

static void say(struct vdev *dev, const char *whose, const char *fmt, va_list ap)
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
