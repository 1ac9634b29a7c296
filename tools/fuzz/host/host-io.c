/* Descriptors of ours, read and written by the code under test. */
#include <errno.h>
#include <string.h>

#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/language/trace.h"

static gssize read_event(struct host_fd *f, void *buf, size_t len)
{
	if (len < sizeof(f->count))
		return -EINVAL;
	if (!f->count)
		return -EAGAIN;
	memcpy(buf, &f->count, sizeof(f->count));
	f->count = 0;
	return sizeof(f->count);
}

static gssize read_timer(struct host_fd *f, void *buf, size_t len)
{
	const uint64_t one = 1;

	if (len < sizeof(one))
		return -EINVAL;
	if (!f->count || f->count > host.clock)
		return -EAGAIN;
	f->count = 0;
	memcpy(buf, &one, sizeof(one));
	return sizeof(one);
}

static gssize read_stream(struct host_fd *f, void *buf, size_t len)
{
	size_t n = MIN(len, host_unread(f));

	if (f->reset)
		return -ECONNRESET;
	if (!n)
		return f->over ? 0 : -EAGAIN;
	memcpy(buf, f->in->data + f->in_at, n);
	f->in_at += n;
	if (!host_unread(f)) {
		g_byte_array_set_size(f->in, 0);
		f->in_at = 0;
	}
	return (gssize)n;
}

static gssize read_packet(struct host_fd *f, void *buf, size_t len)
{
	uint32_t prefix;

	if (!host_unread(f))
		return f->over ? -EIO : -EAGAIN;
	memcpy(&prefix, f->in->data + f->in_at, sizeof(prefix));
	memcpy(buf, f->in->data + f->in_at + sizeof(prefix), MIN(len, prefix));
	f->in_at += sizeof(prefix) + prefix;
	return (gssize)MIN(len, prefix);
}

gssize host_read(int fd, void *buf, size_t len)
{
	struct host_fd *f = host_fd(fd);

	switch (f->kind) {
	case HOST_EVENT:
		return read_event(f, buf, len);
	case HOST_STREAM:
		return read_stream(f, buf, len);
	case HOST_PACKET:
		return read_packet(f, buf, len);
	case HOST_TIMER:
		return read_timer(f, buf, len);
	default:
		return -EBADF;
	}
}

gssize host_pread(int fd, void *buf, size_t len, uint64_t off)
{
	const struct host_fd *f = host_fd(fd);
	size_t n, data;

	if (f->kind != HOST_FILE || host_fails(HOST_FAIL_READ))
		return -EIO;
	if (off >= f->count)
		return 0;
	n = MIN(len, f->count - off);
	data = off < f->in->len ? MIN(n, f->in->len - off) : 0;
	if (data)
		memcpy(buf, f->in->data + off, data);
	memset((uint8_t *)buf + data, 0, n - data);
	return (gssize)n;
}

gint64 host_seek(int fd, uint64_t off, bool hole)
{
	const struct host_fd *f = host_fd(fd);
	uint64_t data = MIN(f->in->len, f->count);

	if (off >= f->count)
		return -ENXIO;
	if (off < data)
		return (gint64)(hole ? data : off);
	return hole ? (gint64)off : -ENXIO;
}

gssize host_write(int fd, const void *buf, size_t len)
{
	struct host_fd *f = host_fd(fd);
	size_t n = MIN(len, f->room);
	uint64_t add;

	switch (f->kind) {
	case HOST_EVENT:
		if (len < sizeof(add))
			return -EINVAL;
		memcpy(&add, buf, sizeof(add));
		f->count += add;
		return sizeof(add);
	case HOST_PACKET:
		if (n < len)
			return -EAGAIN;
		break;
	case HOST_STREAM:
		if (f->over)
			return -EPIPE;
		if (!n && len)
			return -EAGAIN;
		break;
	default:
		return -EBADF;
	}
	f->room -= n;
	f->written += n;
	trace("host: %zu bytes come out of a socket", n);
	if (host.heard && f->kind == HOST_STREAM)
		host.heard(host.hears, fd, buf, n);
	return (gssize)n;
}

int host_accept(int fd)
{
	struct host_fd *f = host_fd(fd);

	if (host_fails(HOST_FAIL_ACCEPT))
		return -EMFILE;
	if (!f->count)
		return -EAGAIN;
	f->count--;
	return host_fd_new(HOST_STREAM);
}

int host_pending(int fd)
{
	return (int)host_unread(host_fd(fd));
}

int host_connect(void)
{
	return host.reachable ? host_fd_new(HOST_STREAM) : -ECONNREFUSED;
}
