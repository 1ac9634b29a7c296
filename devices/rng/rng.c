/*
 * Entropy device (VIRTIO 1.4, 5.4): fills the driver's buffers from the host's random number
 * generator.
 *
 * A request may be of any size, and the same page may be named many times over in it, so a request
 * is answered with no more than max-bytes; a driver takes what it gets and asks again
 * (DEV-RNG-OP-02).
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "devices/core/vdev.h"

struct rng {
	struct vdev vdev; /* first */
	uint64_t max_bytes;
};

static const struct prop rng_props[] = {
	{ "max-bytes", PROP_SIZE, offsetof(struct rng, max_bytes), "4K",
	  "most that one request gets", .min = 1, .max = 1 << 20 },
	{ 0 },
};

/* Straight into the guest's memory. Returns how many bytes, which with the host's generator at work
 * are all, or -errno. */
static ssize_t rng_fill(const struct iovec *iov, size_t len)
{
	size_t n = MIN(iov->iov_len, len), done = 0;

	while (done < n) {
		ssize_t r = getrandom((uint8_t *)iov->iov_base + done, n - done, 0);

		if (r < 0 && errno != EINTR)
			return -errno;
		done += r > 0 ? (size_t)r : 0;
	}
	return (ssize_t)n;
}

static void rng_handle(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	size_t left = MIN(c->wr.left, ((struct rng *)dev)->max_bytes);

	if (left == 0)
		vdev_guest_bug(dev, "queue %u: a request has no room for random bytes", q);
	while (left) {
		ssize_t n = rng_fill(c->wr.iov, left);

		if (n < 0) {
			vdev_host_error(dev, "getrandom: %s", g_strerror((int)-n));
			break;
		}
		(void)vq_wrote(c, (size_t)n);
		left -= (size_t)n;
	}
	vq_push(c->vq, c);
}

static void rng_kick(struct vdev *dev, unsigned q)
{
	vdev_drain(dev, q, rng_handle);
}

static const struct syscall_use rng_syscalls[] = { { .name = "getrandom" }, { .name = NULL } };

const struct vdev_class rng_class = {
	.name = "rng",
	.summary = "random numbers, from the host's generator",
	.id = 4,
	.legacy_id = 0x1005,
	.pci_class = 0xff0000,
	.size = sizeof(struct rng),
	.queue_size = 64,
	.n_queues = 1,
	.props = rng_props,
	.syscalls = rng_syscalls,
	.kick = rng_kick,
};
