/* What a driver does with a device besides its queues: status, features, configuration. */
#include <string.h>

#include "devices/core/legacy.h"
#include "tools/replay/play-int.h"

/*
 * The driver's life.
 */
#define GIVE_UP 20 /* this part of the time that there is */

/* What it settles before its next reset; NULL: it never does. */
static const struct replay_step *play_features(const struct play_device *d)
{
	const struct replay_script *s = d->play->s;

	for (guint i = d->play->at; i < s->steps->len; i++) {
		const struct replay_step *step = replay_step(s, i);

		if (step->device != d->outside.number)
			continue;
		if (step->type == RECORD_FEATURES)
			return step;
		if (step->type == RECORD_STATUS && !step->value[1])
			return NULL;
	}
	return NULL;
}

static void play_accept(struct play_device *d)
{
	const struct replay_step *f = play_features(d);

	if (!f)
		return;
	d->outside.accepted = f->value[0];
	if (d->legacy) {
		vdev_legacy_accept(d->dev, (uint32_t)f->value[0]);
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		vdev_features_accept(d->dev, i, (uint32_t)(f->value[i / 2] >> 32 * (i % 2)));
}

/* A driver begins: which kind is it? */
static void play_begins(struct play_device *d)
{
	const struct replay_step *f = play_features(d);

	d->legacy = f && !(f->value[0] >> VIRTIO_F_VERSION_1 & 1);
}

/* All queues that begin to run with DRIVER_OK. */
static bool play_enable_all(struct play_device *d)
{
	const struct replay_script *s = d->play->s;

	for (guint i = d->play->at; i < s->steps->len; i++) {
		const struct replay_step *step = replay_step(s, i);

		if (step->device != d->outside.number)
			continue;
		if (step->type == RECORD_QUEUE_STOP ||
		    (step->type == RECORD_STATUS && !step->value[1]))
			return true;
		if (step->type == RECORD_QUEUE_START && !play_enable(d, step))
			return false;
	}
	return true;
}

static void play_write_status(struct play_device *d, uint32_t status)
{
	if (d->legacy)
		vdev_legacy_set_status(d->dev, status);
	else
		vdev_set_status(d->dev, status);
}

static bool play_needs_reset(void *dev)
{
	return vdev_status(dev) & VIRTIO_S_NEEDS_RESET;
}

/* The device found something wrong. What came from outside to one that is given to is not known
 * before it is the driver's: that may be it. */
static bool play_gives_up(struct play_device *d, const struct replay_step *step)
{
	bool given = d->outside.class->give;

	if (play_wait_for(d, play_needs_reset, d->dev,
			  given ? d->play->wait_ms / GIVE_UP : d->play->wait_ms))
		return true;
	if (!given)
		return play_diverges(d, step,
				     "the record has DEVICE_NEEDS_RESET, and the device "
				     "is content");
	play_note(d, "the device gave up, maybe on what came from outside: what follows is not "
		     "played");
	d->over = true;
	return false;
}

bool play_status(struct play_device *d, const struct replay_step *step)
{
	uint32_t before = (uint32_t)step->value[0], after = (uint32_t)step->value[1];
	uint32_t added = after & ~before, now;

	d->play->result->statuses++;
	if (added & VIRTIO_S_NEEDS_RESET && !play_gives_up(d, step))
		return d->over;
	if (!after) {
		play_write_status(d, 0);
		for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
			play_forget_queue(&d->queue[q]);
	} else {
		if (!before)
			play_begins(d);
		if (added & VIRTIO_S_FEATURES_OK)
			play_accept(d);
		if (added & VIRTIO_S_DRIVER_OK && !(vdev_status(d->dev) & VIRTIO_S_DRIVER_OK)) {
			if (d->legacy && !vdev_in_use(d->dev))
				play_accept(d);
			if (!play_enable_all(d))
				return false;
		}
		play_write_status(d, after & ~VIRTIO_S_NEEDS_RESET);
	}
	play_settle(d);
	now = vdev_status(d->dev);
	if (now != after)
		return play_diverges(d, step,
				     "status: the record has 0x%x after it was 0x%x, and the "
				     "device 0x%x",
				     after, before, now);
	return true;
}

/* Its queues run before the record says DRIVER_OK: that is told when all of them do. */
bool play_started(struct play_device *d, const struct replay_step *step)
{
	if (vdev_in_use(d->dev))
		return play_enable(d, step);
	if (d->legacy)
		play_accept(d);
	if (!play_enable_all(d))
		return false;
	if (d->legacy)
		(void)vdev_legacy_notify(d->dev, (unsigned)step->queue);
	else
		play_write_status(d, vdev_status(d->dev) | VIRTIO_S_DRIVER_OK);
	return true;
}

/* By a reset of the device, which follows, or of the queue alone. */
bool play_stopped(struct play_device *d, const struct replay_step *step)
{
	const struct replay_step *next = replay_find(d->play->s, d->play->at + 1, d->outside.number,
						     1u << RECORD_STATUS |
							     1u << RECORD_QUEUE_START);
	unsigned q = (unsigned)step->queue;

	if (!step->value[0] || !next || q >= d->dev->n_queues)
		return true;
	if (next->type == RECORD_STATUS && !next->value[1])
		return true;
	if (d->legacy) {
		vdev_legacy_queue_set(d->dev, q, 0, VRING_LEGACY_ALIGN);
	} else if (vdev_accepted(d->dev, VIRTIO_F_RING_RESET)) {
		vdev_queue_write(d->dev, q, VQR_RESET, 1, UINT64_MAX);
	} else {
		vdev_queue_write(d->dev, q, VQR_ENABLE, 0, UINT64_MAX);
		d->queue[q].disabled = d->queue[q].drv;
		return true;
	}
	play_forget_queue(&d->queue[q]);
	return true;
}

/*
 * Configuration.
 */

/* What the record has of the field that the outside changes, is so now. */
static void play_adopt(struct play_device *d, size_t off, const uint8_t *told, size_t len)
{
	const struct outside_class *class = d->outside.class;
	uint8_t now[VDEV_CONFIG_MAX], then[VDEV_CONFIG_MAX];

	if (!class->field_len || class->field + class->field_len > d->dev->config_size)
		return;
	vdev_config_get(d->dev, class->field, now, class->field_len);
	memcpy(then, now, class->field_len);
	for (size_t i = 0; i < class->field_len; i++)
		if (class->field + i >= off && class->field + i - off < len)
			then[i] = told[class->field + i - off];
	if (memcmp(now, then, class->field_len) == 0)
		return;
	if (class->configured)
		class->configured(&d->outside, d->dev, then);
	vdev_config_set(d->dev, class->field, then, class->field_len, false);
	d->play->result->adopted++;
}

/* A transport that keeps a copy of the space reads it as soon as it changes; a change of status is
 * told when all that it entails has happened. */
static bool play_is_early(const struct play_device *d)
{
	const struct replay_step *next =
		replay_find(d->play->s, d->play->at + 1, d->outside.number,
			    ~(1u << RECORD_CONFIG_READ | 1u << RECORD_CONFIG_INTERRUPT));

	return next && next->type == RECORD_STATUS;
}

bool play_config_read(struct play_device *d, const struct replay_step *step)
{
	gsize len;
	const uint8_t *told = g_bytes_get_data(step->bytes, &len);
	uint8_t bytes[VDEV_CONFIG_MAX];
	size_t off = (size_t)MIN(step->value[0], VDEV_CONFIG_MAX);

	len = MIN(len, sizeof(bytes));
	play_adopt(d, off, told, len);
	vdev_config_read(d->dev, off, bytes, len);
	d->play->result->configs++;
	if (memcmp(bytes, told, len) == 0)
		return true;
	if (step != d->late && play_is_early(d)) {
		d->late = step;
		return true;
	}
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != told[i])
			return play_diverges(d, step,
					     "configuration space at 0x%zx: the record has 0x%02x, "
					     "and the device 0x%02x",
					     off + i, told[i], bytes[i]);
	return true;
}

bool play_late_read(struct play_device *d)
{
	bool ok = !d->late || play_config_read(d, d->late);

	d->late = NULL;
	return ok;
}

bool play_config_written(struct play_device *d, const struct replay_step *step)
{
	gsize len;
	const uint8_t *bytes = g_bytes_get_data(step->bytes, &len);

	if (d->legacy)
		vdev_legacy_config_write(d->dev, (size_t)step->value[0], bytes, len);
	else
		vdev_config_write(d->dev, (size_t)step->value[0], bytes, len);
	play_settle(d);
	return true;
}
