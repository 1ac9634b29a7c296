/* Entropy device (VIRTIO 1.4, 5.4): buffers are filled, and never the same way twice. */
#include "guest-fw/virtio.h"

#define BYTES 256u

static bool all_equal(const uint8_t *bytes, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (bytes[i] != bytes[0])
			return false;
	return true;
}

static bool fw_rng_test(struct virtio *v)
{
	uint8_t *bytes = fw_take(2ul * BYTES);
	uint32_t len;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t *half = bytes + (size_t)i * BYTES;
		const struct drv_buf bufs[] = {
			buf_of(half, BYTES / 2),
			buf_of(half + BYTES / 2, BYTES / 2),
		};

		if (!queue_do(v->queue[0], bufs, 0, 2, &len))
			return false;
		if (len == 0 || len > BYTES)
			return virtio_fail(v, "not as many bytes as there is room for");
		if (all_equal(half, len))
			return virtio_fail(v, "the bytes are all equal");
	}
	if (fw_same(bytes, bytes + BYTES, BYTES))
		return virtio_fail(v, "the same bytes twice");
	v->did = "random bytes";
	return true;
}

const struct driver rng_driver = {
	.id = 4,
	.name = "rng",
	.n_queues = 1,
	.test = fw_rng_test,
};
