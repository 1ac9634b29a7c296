#include "devices/backend/net/user/late.h"

#include <string.h>

#define PREFIX sizeof(uint32_t)

bool net_late_add(struct net_late *late, const void *frame, size_t len)
{
	uint32_t prefix = (uint32_t)len;

	if (late->start == late->end)
		net_late_clear(late);
	/* Moving down is worth it only when it gains half the room, or it would be done each time. */
	if (PREFIX + len > late->size - late->end && late->start > late->size / 2) {
		memmove(late->data, late->data + late->start, late->end - late->start);
		late->end -= late->start;
		late->start = 0;
	}
	if (PREFIX + len > late->size - late->end)
		return false;
	memcpy(late->data + late->end, &prefix, PREFIX);
	memcpy(late->data + late->end + PREFIX, frame, len);
	late->end += PREFIX + len;
	return true;
}

uint8_t *net_late_first(const struct net_late *late, size_t *ret_len)
{
	uint32_t prefix;

	if (late->start == late->end)
		return NULL;
	memcpy(&prefix, late->data + late->start, PREFIX);
	*ret_len = prefix;
	return late->data + late->start + PREFIX;
}

void net_late_drop(struct net_late *late)
{
	size_t len;

	if (net_late_first(late, &len))
		late->start += PREFIX + len;
}

void net_late_clear(struct net_late *late)
{
	late->start = late->end = 0;
}
