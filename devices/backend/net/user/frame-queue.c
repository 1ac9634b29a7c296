#include "devices/backend/net/user/frame-queue.h"

#include <string.h>

#define PREFIX sizeof(uint32_t)

bool net_frame_queue_add(struct net_frame_queue *queue, const void *frame, size_t len)
{
	uint32_t prefix = (uint32_t)len;

	if (queue->start == queue->end)
		net_frame_queue_clear(queue);
	/* Moving down is worth it only when it gains half the room, or it would be done each
	 * time. */
	if (PREFIX + len > queue->size - queue->end && queue->start > queue->size / 2) {
		memmove(queue->data, queue->data + queue->start, queue->end - queue->start);
		queue->end -= queue->start;
		queue->start = 0;
	}
	if (PREFIX + len > queue->size - queue->end)
		return false;
	memcpy(queue->data + queue->end, &prefix, PREFIX);
	memcpy(queue->data + queue->end + PREFIX, frame, len);
	queue->end += PREFIX + len;
	return true;
}

uint8_t *net_frame_queue_first(const struct net_frame_queue *queue, size_t *ret_len)
{
	uint32_t prefix;

	if (queue->start == queue->end)
		return NULL;
	memcpy(&prefix, queue->data + queue->start, PREFIX);
	*ret_len = prefix;
	return queue->data + queue->start + PREFIX;
}

void net_frame_queue_drop(struct net_frame_queue *queue)
{
	size_t len;

	if (net_frame_queue_first(queue, &len))
		queue->start += PREFIX + len;
}

void net_frame_queue_clear(struct net_frame_queue *queue)
{
	queue->start = queue->end = 0;
}
