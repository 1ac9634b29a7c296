/* Messages of vhost-user, on devices/base/msg-socket.h. */
#pragma once

#include "devices/base/msg-socket.h"
#include "transport/vhost-user/wire.h"

extern const struct msg_format vhu_format;

/* Sends a message of @size bytes of payload on @fd, in one piece and without waiting. False if the
 * other side does not take it. */
bool vhu_send(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size);
