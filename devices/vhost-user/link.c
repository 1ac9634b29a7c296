#include "devices/vhost-user/link.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#define EVENTS_A_TURN 16u /* a back-end may send them without end */

static const char *const names[VHU_N_REQUESTS] = {
	[VHU_GET_FEATURES] = "GET_FEATURES",
	[VHU_SET_FEATURES] = "SET_FEATURES",
	[VHU_SET_OWNER] = "SET_OWNER",
	[VHU_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VHU_SET_VRING_NUM] = "SET_VRING_NUM",
	[VHU_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VHU_SET_VRING_BASE] = "SET_VRING_BASE",
	[VHU_GET_VRING_BASE] = "GET_VRING_BASE",
	[VHU_SET_VRING_KICK] = "SET_VRING_KICK",
	[VHU_SET_VRING_CALL] = "SET_VRING_CALL",
	[VHU_SET_VRING_ERR] = "SET_VRING_ERR",
	[VHU_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VHU_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VHU_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VHU_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VHU_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
	[VHU_GET_CONFIG] = "GET_CONFIG",
	[VHU_SET_CONFIG] = "SET_CONFIG",
	[VHU_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
	[VHU_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
	[VHU_RESET_DEVICE] = "RESET_DEVICE",
	[VHU_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[VHU_ADD_MEM_REG] = "ADD_MEM_REG",
	[VHU_REM_MEM_REG] = "REM_MEM_REG",
	[VHU_SET_STATUS] = "SET_STATUS",
	[VHU_GET_STATUS] = "GET_STATUS",
};

void vhu_link_init(struct vhu_link *l)
{
	*l = (struct vhu_link){ .s.fd = -1, .events.fd = -1 };
}

void vhu_link_open(struct vhu_link *l, int fd)
{
	vhu_link_init(l);
	msg_socket_open(&l->s, fd, &vhu_format, &l->in.header, &l->in.payload);
}

void vhu_link_listen(struct vhu_link *l, int fd)
{
	msg_socket_open(&l->events, fd, &vhu_format, &l->event.header, &l->event.payload);
}

void vhu_link_close(struct vhu_link *l)
{
	msg_socket_close(&l->s);
	msg_socket_close(&l->events);
	l->protocol = 0;
}

bool vhu_link_fail(struct vhu_link *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vhu_link_is_open(l)) /* the first reason is the one */
		(void)g_vsnprintf(l->wrong, sizeof(l->wrong), fmt, ap);
	va_end(ap);
	vhu_link_close(l);
	return false;
}

/*
 * What the back-end says of itself.
 */

/* 0: done. */
static uint64_t link_heed_event(struct vhu_link *l, const struct vhu_header *h)
{
	if (h->request != VHU_BACKEND_CONFIG_CHANGE)
		return 1; /* of protocol features that were not negotiated */
	l->config_changed = true;
	return 0;
}

static void link_serve_events(struct vhu_link *l)
{
	for (unsigned left = EVENTS_A_TURN; left && l->events.fd >= 0; left--) {
		enum msg_received got = msg_socket_receive(&l->events);
		const struct vhu_header *h = &l->event.header;
		uint64_t ret;

		if (got == MESSAGE_MORE)
			return;
		if (got !=
		    MESSAGE_WHOLE) { /* it has no more to say, or not so that it is understood
					   */
			msg_socket_close(&l->events);
			return;
		}
		ret = link_heed_event(l, h);
		if (h->flags & VHU_NEED_REPLY)
			(void)vhu_send(l->events.fd, h->request, VHU_REPLY, &ret, sizeof(ret));
		msg_socket_next(&l->events);
	}
}

void vhu_link_serve(struct vhu_link *l)
{
	enum msg_received got;

	link_serve_events(l);
	if (!vhu_link_is_open(l))
		return;
	got = msg_socket_receive(&l->s);
	if (got == MESSAGE_CLOSED)
		vhu_link_fail(l, "it has closed the connection");
	else if (got == MESSAGE_WHOLE)
		vhu_link_fail(l, "an answer to nothing, message %u", l->in.header.request);
	else if (got == MESSAGE_BROKEN)
		vhu_link_fail(l, "what it sends is no message");
}

/*
 * Asking.
 */
static bool link_poll(struct vhu_link *l, gint64 until)
{
	gint64 left = (until - g_get_monotonic_time() + 999) / 1000;
	struct pollfd p[] = { { .fd = l->s.fd, .events = POLLIN },
			      { .fd = l->events.fd, .events = POLLIN } };

	if (left <= 0)
		return false;
	if (poll(p, G_N_ELEMENTS(p), (int)left) < 0)
		return errno == EINTR;
	if (p[1].revents)
		link_serve_events(l);
	return true;
}

/* Until the answer to @request is in l->in. */
static bool link_await(struct vhu_link *l, enum vhu_request request, unsigned patience_ms)
{
	gint64 until = g_get_monotonic_time() + patience_ms * 1000ll;

	while (link_poll(l, until)) {
		switch (msg_socket_receive(&l->s)) {
		case MESSAGE_WHOLE:
			return true;
		case MESSAGE_CLOSED:
			return vhu_link_fail(l, "%s: it has closed the connection", names[request]);
		case MESSAGE_BROKEN:
			return vhu_link_fail(l, "%s: its answer is no message", names[request]);
		case MESSAGE_MORE:
			break;
		}
	}
	l->late = true;
	return vhu_link_fail(l, "%s: no answer within %u s", names[request], patience_ms / 1000);
}

static bool link_send_bytes(struct vhu_link *l, enum vhu_request request, const struct msg_out *m)
{
	if (!vhu_link_is_open(l))
		return false;
	if (msg_send(l->s.fd, m))
		return true;
	return vhu_link_fail(l, "%s: it does not take it: %s", names[request], g_strerror(errno));
}

static bool link_send(struct vhu_link *l, const struct vhu_header *header, const void *payload,
		      const int *fds, unsigned n_fds)
{
	return link_send_bytes(l, header->request,
			       &(struct msg_out){ .header = header,
						  .header_size = sizeof(*header),
						  .payload = payload,
						  .payload_size = header->size,
						  .fds = fds,
						  .n_fds = n_fds });
}

static void link_append(GByteArray *to, enum vhu_request request, const void *payload,
			uint32_t size)
{
	const struct vhu_header header = { request, VHU_VERSION, size };

	g_byte_array_append(to, (const void *)&header, sizeof(header));
	g_byte_array_append(to, payload, size);
}

static bool link_send_question(struct vhu_link *l, const struct vhu_question *q)
{
	g_autoptr(GByteArray) all = g_byte_array_new();

	g_assert(!vhu_link_has(l, VHU_PF_REPLY_ACK) || !(q->before || q->behind));
	if (q->before)
		link_append(all, q->before->request, &q->before->value, q->before->size);
	link_append(all, q->request, q->payload, q->size);
	if (q->behind)
		link_append(all, q->behind->request, &q->behind->value, q->behind->size);
	return link_send_bytes(l, q->request,
			       &(struct msg_out){ .header = all->data,
						  .header_size = all->len,
						  .fds = q->before ? &q->before->fd : NULL,
						  .n_fds = q->before && q->before->fd >= 0 });
}

/* Of @size bytes in l->in. */
static bool link_receive(struct vhu_link *l, enum vhu_request request, uint32_t size,
			 unsigned patience_ms)
{
	const struct vhu_header *h = &l->in.header;

	if (!link_await(l, request, patience_ms))
		return false;
	if (h->request != (uint32_t)request || !(h->flags & VHU_REPLY))
		return vhu_link_fail(l, "%s: it answers with message %u, flags %#x", names[request],
				     h->request, h->flags);
	if (h->size != size)
		return vhu_link_fail(l, "%s: its answer has %u bytes, not %u", names[request],
				     h->size, size);
	return true;
}

bool vhu_link_ask(struct vhu_link *l, const struct vhu_question *q)
{
	if (!link_send_question(l, q) ||
	    !link_receive(l, q->request, q->answer_size,
			  q->patience_ms ? q->patience_ms : VHU_PATIENCE_MS))
		return false;
	memcpy(q->answer, l->in.payload.bytes, q->answer_size);
	if (q->ret_fd)
		*q->ret_fd = msg_socket_take_fd(&l->s, 0);
	msg_socket_next(&l->s);
	return true;
}

bool vhu_link_ask_u64(struct vhu_link *l, enum vhu_request request, uint64_t *ret)
{
	const struct vhu_question q = { .request = request,
					.answer = ret,
					.answer_size = sizeof(*ret) };

	return vhu_link_ask(l, &q);
}

bool vhu_link_tell(struct vhu_link *l, enum vhu_request request, const void *payload, uint32_t size,
		   const int *fds, unsigned n_fds)
{
	bool ack = vhu_link_has(l, VHU_PF_REPLY_ACK);
	const struct vhu_header header = { request, VHU_VERSION | (ack ? VHU_NEED_REPLY : 0),
					   size };
	uint64_t ret;

	if (!link_send(l, &header, payload, fds, n_fds))
		return false;
	if (!ack)
		return true;
	if (!link_receive(l, request, sizeof(ret), VHU_PATIENCE_MS))
		return false;
	ret = l->in.payload.u64;
	msg_socket_next(&l->s);
	return ret == 0 || vhu_link_fail(l, "%s: it refuses that", names[request]);
}

bool vhu_link_tell_u64(struct vhu_link *l, enum vhu_request request, uint64_t value)
{
	return vhu_link_tell(l, request, &value, sizeof(value), NULL, 0);
}

bool vhu_link_tell_ring(struct vhu_link *l, enum vhu_request request, uint32_t q, uint32_t value)
{
	const struct vhu_state s = { q, value };

	return vhu_link_tell(l, request, &s, sizeof(s), NULL, 0);
}

bool vhu_link_tell_small(struct vhu_link *l, const struct vhu_small *m)
{
	return vhu_link_tell(l, m->request, &m->value, m->size, &m->fd, m->fd >= 0);
}

bool vhu_link_settle(struct vhu_link *l)
{
	uint64_t features;

	if (vhu_link_has(l, VHU_PF_REPLY_ACK))
		return vhu_link_is_open(l);
	return vhu_link_ask_u64(l, VHU_GET_FEATURES, &features);
}
