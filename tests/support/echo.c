#include "tests/support/echo.h"

#include <string.h>

#include "devices/base/pack.h"

#define CONFIG_BYTES 20u
#define KEPT_MAX     1024u

struct echo {
	struct vdev vdev; /* first */
	struct vq_chain *kept[KEPT_MAX];
	unsigned n_kept;
	bool busy;
	bool stopping; /* as soon as it is not busy any more */
	enum vdev_stop why;
	uint8_t fed;
};

void echo_set_pair(struct vdev *dev, uint32_t value, bool notify)
{
	le32 v[2] = { cpu_le32(value), cpu_le32(value) };

	vdev_config_set(dev, ECHO_PAIR, v, sizeof(v), notify);
}

static bool echo_open(struct vdev *dev, GError **err)
{
	(void)err;
	echo_set_pair(dev, 0x01010101, false);
	return true;
}

static bool echo_features_ok(struct vdev *dev, struct vfeatures accepted)
{
	(void)dev;
	return !vfeatures_has(accepted, ECHO_F_NEEDS_BASE) || vfeatures_has(accepted, ECHO_F_BASE);
}

static void copy(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	uint8_t bytes[256];
	size_t n;

	(void)dev;
	(void)q;
	while ((n = vq_pull_some(c, bytes, sizeof(bytes))) > 0)
		if (vq_put_some(c, bytes, n) < n)
			break;
	vq_push(c->vq, c);
}

static void keep(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	struct echo *echo = (struct echo *)dev;

	(void)q;
	g_assert(echo->n_kept < KEPT_MAX);
	echo->kept[echo->n_kept++] = c;
}

static void push_kept(struct echo *echo)
{
	while (echo->n_kept) {
		struct vq_chain *c = echo->kept[--echo->n_kept];

		vq_push(c->vq, c);
	}
}

static void echo_kick(struct vdev *dev, unsigned q)
{
	if (q == ECHO_COPY)
		vdev_drain(dev, q, copy);
	else if (q == ECHO_KEEP)
		vdev_drain(dev, q, keep);
}

static bool echo_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct echo *echo = (struct echo *)dev;

	if (q != ECHO_KEEP)
		return true;
	if (why == VDEV_STOP_SAVE && !echo->busy)
		push_kept(echo);
	echo->why = why;
	echo->stopping = echo->busy;
	if (!echo->busy && why == VDEV_STOP_RESET)
		echo->n_kept = 0;
	return !echo->busy;
}

void echo_busy(void *dev)
{
	((struct echo *)dev)->busy = true;
}

void echo_idle(void *dev)
{
	struct echo *echo = dev;

	echo->busy = false;
	if (!echo->stopping)
		return;
	echo->stopping = false;
	if (echo->why == VDEV_STOP_SAVE)
		push_kept(echo);
	if (echo->why == VDEV_STOP_RESET)
		echo->n_kept = 0;
	vdev_queue_stopped(dev, ECHO_KEEP);
}

static void echo_reset(struct vdev *dev)
{
	static const uint8_t zero[4];

	vdev_config_set(dev, ECHO_WRITABLE, zero, sizeof(zero), false);
	((struct echo *)dev)->fed = 0;
}

static void echo_config_written(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
				uint8_t *config)
{
	(void)dev;
	for (size_t i = off; i < off + len; i++)
		if (i >= ECHO_WRITABLE && i < ECHO_WRITABLE + 4)
			config[i] = (uint8_t)(bytes[i - off] + 1);
}

unsigned echo_kept(struct vdev *dev)
{
	return ((struct echo *)dev)->n_kept;
}

void echo_release(void *dev)
{
	push_kept(dev);
	vdev_flush(dev, ECHO_KEEP);
}

void echo_feed(void *dev)
{
	struct echo *echo = dev;
	struct vq_chain *c = vdev_take(dev, ECHO_FED);

	if (!c)
		return;
	echo->fed++;
	(void)vq_put_some(c, &echo->fed, 1);
	vq_push(c->vq, c);
	vdev_flush(dev, ECHO_FED);
}

static void echo_save(struct vdev *dev, GByteArray *out)
{
	uint8_t written[4];

	vdev_config_get(dev, ECHO_WRITABLE, written, sizeof(written));
	pack_u8(out, ((struct echo *)dev)->fed);
	pack_bytes(out, written, sizeof(written));
}

static bool echo_load(struct vdev *dev, struct unpack *in, GError **err)
{
	uint8_t written[4];

	(void)err;
	((struct echo *)dev)->fed = unpack_u8(in);
	unpack_bytes(in, written, sizeof(written));
	vdev_config_set(dev, ECHO_WRITABLE, written, sizeof(written), false);
	return true;
}

static const unsigned char features[] = { ECHO_F_BASE, ECHO_F_NEEDS_BASE,
					  VIRTIO_F_NOTIFICATION_DATA, ECHO_F_HIGH, 255 };

static const struct vdev_field config_fields[] = {
	{ 4, 2 }, { VDEV_UNION, 4 }, { 1, CONFIG_BYTES - 12 }, { 0 }
};

const struct vdev_class echo_class = {
	.name = "echo",
	.summary = "for tests",
	.id = 63,
	.legacy_id = 0x103f,
	.pci_class = 0xff0000,
	.size = sizeof(struct echo),
	.config_size = CONFIG_BYTES,
	.config_fields = config_fields,
	.queue_size = 64,
	.n_queues = ECHO_QUEUES,
	.feature_bits = features,
	.open = echo_open,
	.queue_stop = echo_queue_stop,
	.kick = echo_kick,
	.reset = echo_reset,
	.config_written = echo_config_written,
	.state_version = 1,
	.save = echo_save,
	.load = echo_load,
	.features_ok = echo_features_ok,
};
