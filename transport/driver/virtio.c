/* The life of a device, whatever its transport (VIRTIO 1.4, 3.1). */
#include "transport/driver/virtio.h"

static bool virtio_failure(struct virtio_dev *v, const char *error)
{
	v->error = error;
	return false;
}

static bool virtio_wait(const struct virtio_dev *v, uint64_t turn)
{
	return !v->io || !v->io->wait || v->io->wait(v->io->opaque, turn);
}

static void virtio_set_status(struct virtio_dev *v, unsigned status)
{
	v->status = (uint8_t)status;
	v->ops->set_status(v, v->status);
}

bool virtio_reset(struct virtio_dev *v)
{
	uint8_t status;

	v->features = (struct virtio_features){ { 0 } };
	virtio_set_status(v, 0);
	for (uint64_t turn = 0; (status = v->ops->status(v)) != 0; turn++) {
		if (status == 0xff)
			return virtio_failure(v, "the device's registers are gone");
		if (!virtio_wait(v, turn))
			return virtio_failure(v, "the device does not come back from its reset");
	}
	return true;
}

void virtio_acknowledge(struct virtio_dev *v)
{
	virtio_set_status(v, VIRTIO_S_ACKNOWLEDGE);
	virtio_set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
}

struct virtio_features virtio_offered(const struct virtio_dev *v)
{
	struct virtio_features f = { { 0 } };

	for (unsigned word = 0; word < 4; word++)
		f.w[word / 2] |= (uint64_t)v->ops->offered(v, word) << word % 2 * 32;
	return f;
}

/* It cannot be refused, so what is not offered is left out here. */
static bool virtio_accept_legacy(struct virtio_dev *v, struct virtio_features features)
{
	v->features.w[0] = (uint32_t)features.w[0] & v->ops->offered(v, 0) &
			   ~(1ull << VIRTIO_F_UNUSED);
	v->features.w[1] = 0;
	v->ops->accept(v, 0, (uint32_t)v->features.w[0]);
	return true;
}

bool virtio_accept(struct virtio_dev *v, struct virtio_features features)
{
	if (v->legacy)
		return virtio_accept_legacy(v, features);
	for (unsigned word = 0; word < 4; word++)
		v->ops->accept(v, word, (uint32_t)(features.w[word / 2] >> word % 2 * 32));
	virtio_set_status(v, v->status | VIRTIO_S_FEATURES_OK);
	v->features = features;
	return v->ops->status(v) & VIRTIO_S_FEATURES_OK ||
	       virtio_failure(v, "the device refuses these features");
}

bool virtio_negotiate(struct virtio_dev *v, struct virtio_features wanted)
{
	struct virtio_features offered;

	v->error = NULL;
	if (!virtio_reset(v))
		return false;
	virtio_acknowledge(v);
	if (v->legacy)
		return virtio_accept(v, wanted);
	offered = virtio_offered(v);
	if (!virtio_features_have(&offered, VIRTIO_F_VERSION_1)) {
		virtio_failed(v);
		return virtio_failure(v, "the device does not offer VERSION_1");
	}
	wanted.w[0] = (wanted.w[0] | 1ull << VIRTIO_F_VERSION_1) & offered.w[0];
	wanted.w[1] &= offered.w[1];
	return virtio_accept(v, wanted);
}

void virtio_driver_ok(struct virtio_dev *v)
{
	virtio_set_status(v, v->status | VIRTIO_S_DRIVER_OK);
}

void virtio_failed(struct virtio_dev *v)
{
	virtio_set_status(v, v->status | VIRTIO_S_FAILED);
}

uint64_t virtio_config_read64(const struct virtio_dev *v, unsigned off)
{
	uint32_t before, after = virtio_config_generation(v);
	uint64_t value;

	do {
		before = after;
		value = virtio_config_read(v, off, 4);
		value |= (uint64_t)virtio_config_read(v, off + 4, 4) << 32;
		after = virtio_config_generation(v);
	} while (before != after);
	return value;
}

/* Where a legacy device looks for the parts of its ring. */
static bool virtio_queue_fits(const struct virtio_dev *v, const struct virtio_queue *q)
{
	return !v->legacy ||
	       (q->desc % VRING_LEGACY_ALIGN == 0 &&
		q->driver == q->desc + vring_legacy_driver_offset(q->size) &&
		q->device == q->desc + vring_legacy_device_offset(q->size, v->legacy_align));
}

bool virtio_queue_start(struct virtio_dev *v, struct virtio_queue *q)
{
	if (!virtio_queue_fits(v, q))
		return virtio_failure(v, "a legacy device's ring is in one piece: "
					 "drv_config.legacy_align");
	q->notify_id = q->index;
	q->notify_data = virtio_has(v, VIRTIO_F_NOTIFICATION_DATA);
	v->ops->queue_set(v, q);
	if (v->ops->queue_vector && !v->ops->queue_vector(v, q->vector))
		return virtio_failure(v, "the device has no such interrupt vector");
	if (v->ops->queue_notifications && !v->ops->queue_notifications(v, q))
		return virtio_failure(v, "a queue's notifications lie outside their structure");
	v->ops->queue_enable(v);
	return true;
}

bool virtio_queue_reset(struct virtio_dev *v, unsigned index)
{
	v->ops->queue_reset(v, index);
	for (uint64_t turn = 0; v->ops->queue_resetting(v); turn++)
		if (!virtio_wait(v, turn))
			return virtio_failure(v, "a queue does not come back from its reset");
	return true;
}
