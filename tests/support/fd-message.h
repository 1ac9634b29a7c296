/* Messages as no sound program sends them. */
#pragma once

#include "devices/base/msg-socket.h"

/* As msg_send(), but it waits until the other side has room, and takes up to 32 descriptors, which
 * are more than a message may have. */
bool send_any_message(int fd, const struct msg_out *out);
