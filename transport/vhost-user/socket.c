#include "transport/vhost-user/socket.h"

static ssize_t vhu_payload_size(const void *header)
{
	const struct vhu_header *h = header;

	if ((h->flags & VHU_VERSION_MASK) != VHU_VERSION || h->size > VHU_PAYLOAD)
		return -1;
	return h->size;
}

const struct msg_format vhu_format = { sizeof(struct vhu_header), vhu_payload_size };

bool vhu_send(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size)
{
	struct vhu_header header = { request, flags | VHU_VERSION, size };

	return msg_send(fd, &(struct msg_out){ .header = &header,
					       .header_size = sizeof(header),
					       .payload = payload,
					       .payload_size = size });
}
