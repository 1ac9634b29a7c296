#include "tests/support/console-peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "devices/console/console-impl.h"

/*
 * The host's end.
 */
int host_connect(struct rig *r, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", rig_dir(r), name);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void host_says(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* Waits for exactly these bytes. */
void host_hears(struct rig *r, int fd, const void *bytes, size_t len)
{
	g_autofree uint8_t *got = g_malloc(len + 1);
	size_t n = 0;

	RIG_UNTIL(r, ({
			  ssize_t ret = recv(fd, got + n, len - n, 0);

			  n += ret > 0 ? (size_t)ret : 0;
			  n == len;
		  }));
	assert_memory_equal(got, bytes, len);
}

void host_hears_nothing(struct rig *r, int fd)
{
	char c;

	rig_wait_idle(r);
	assert_int_equal(recv(fd, &c, 1, 0), -1);
}

void host_pattern(uint8_t *bytes, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/*
 * The driver's end.
 */
void guest_says(struct rig *r, unsigned q, const char *text)
{
	struct rig_buf b = rig_dup(r, text, (uint32_t)strlen(text));

	assert_int_equal(rig_do(r, q, &b, 1, 0), 0);
}

/* Waits for exactly this text in one receive buffer. */
void guest_hears(struct rig *r, unsigned q, const char *text)
{
	struct rig_buf b = rig_alloc(r, 64);

	assert_int_equal(rig_do(r, q, &b, 0, 1), strlen(text));
	assert_memory_equal(b.p, text, strlen(text));
}

static void ctl_supply(struct ctl *c, unsigned i)
{
	c->req[i] = rig_submit(c->r, CTRL_RX, &c->buf[i], 0, 1);
}

void ctl_start(struct ctl *c, struct rig *r)
{
	*c = (struct ctl){ .r = r };
	for (unsigned i = 0; i < CTL_BUFFERS; i++) {
		c->buf[i] = rig_alloc(r, 100);
		ctl_supply(c, i);
	}
}

struct msg ctl_next(struct ctl *c)
{
	struct rig_req *req = c->req[c->next];
	const uint8_t *p = c->buf[c->next].p;
	uint32_t len = rig_wait(c->r, req);
	struct msg m = { .n_extra = len - 8 };

	assert_in_range(len, 8, 8 + 64);
	memcpy(&m.id, p, 4);
	memcpy(&m.event, p + 4, 2);
	memcpy(&m.value, p + 6, 2);
	memcpy(m.extra, p + 8, m.n_extra);
	ctl_supply(c, c->next);
	c->next = (c->next + 1) % CTL_BUFFERS;
	return m;
}

struct msg ctl_expect(struct ctl *c, uint16_t event, uint32_t id, uint16_t value)
{
	struct msg m = ctl_next(c);

	assert_int_equal(m.event, event);
	assert_int_equal(m.id, id);
	assert_int_equal(m.value, value);
	return m;
}

void ctl_silence(struct ctl *c)
{
	rig_wait_idle(c->r);
	assert_false(c->req[c->next]->done);
}

void ctl_say(struct rig *r, uint32_t id, uint16_t event, uint16_t value)
{
	uint8_t bytes[8];
	struct rig_buf b;

	memcpy(bytes, &id, 4);
	memcpy(bytes + 4, &event, 2);
	memcpy(bytes + 6, &value, 2);
	b = rig_dup(r, bytes, 8);
	assert_int_equal(rig_do(r, CTRL_TX, &b, 1, 0), 0);
}

/* As Linux does it: ports are added, announced ready, opened. */
void ctl_ports_up(struct ctl *c, struct rig *r)
{
	rig_start(r, RIG_ALL);
	ctl_start(c, r);
	ctl_say(r, 0xffffffff, CONSOLE_DEVICE_READY, 1);
}
