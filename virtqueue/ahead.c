/*
 * Buffers that are going to be written, fetched before they are.
 *
 * A processor's stores reach its cache in their order. One to a line that the driver's processor
 * has takes as long as that line travels, and all behind it wait, so that a device which writes
 * buffer after buffer pays a journey for each, and is at a stand as soon as the processor's list of
 * stores is full (some hundred, two frames of a network card). A line that was asked for some
 * chains ahead travels meanwhile, beside others.
 */
#include "virtqueue/build.h"

#define LINE 64u
/* Of each buffer: a network header and a short frame. A longer one takes longer to copy than its
 * next lines, which the processor sees coming, to travel. */
#define FETCHED (2 * LINE)

static bool vq_ahead(const struct vq *vq, unsigned n, struct vq_desc *ret)
{
	if (!vq_started(vq) || vq_fault(vq) != VQ_OK || n >= vq->size)
		return false;
	return vq->packed ? vq_packed_ahead(vq, n, ret) : vq_split_ahead(vq, n, ret);
}

static bool vq_is_written(struct vq_desc d)
{
	return (d.flags & (VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)) == VRING_DESC_F_WRITE;
}

size_t vq_fetch_ahead(const struct vq *vq, unsigned n)
{
	const struct gmem_region *region = vq->last_region;
	struct vq_desc d;
	const char *at;
	size_t bytes;

	if (!vq_ahead(vq, n, &d) || !vq_is_written(d) || !vq_is_single(region, d))
		return 0;
	at = gmem_region_at(region, d.addr, d.len);
	bytes = d.len < FETCHED ? d.len : FETCHED;
	for (size_t i = 0; i < bytes; i += LINE)
		vring_fetch_line(at + i);
	return bytes;
}
