#include "tools/fuzz/host.h"

#include <errno.h>
#include <string.h>

#include "tools/fuzz/story.h"

#define START_NS   1000000000000ull
#define ROOM_FIRST ((size_t)1 << 20)

struct host_fd {
	enum host_kind kind;
	uint64_t count; /* EVENT; LISTEN: who waits; TIMER: when it goes off; FILE: its size */
	GByteArray *in; /* STREAM: bytes; PACKET: a length and as many bytes, and so on */
	size_t in_at;   /* read so far */
	size_t room, written;
	bool over, reset; /* the other end has left */
	GMainContext *owner;
	uint64_t serial; /* in the order they were made */
};

/* File-scope because the wrapped functions of libc's have no argument that could lead here. */
static struct {
	struct host_fd fd[HOST_FDS];
	unsigned n_fds; /* places used so far */
	int free[HOST_FDS];
	unsigned n_free;
	uint64_t clock, seed, serial;
	unsigned failures[N_HOST_FAILURES];
	bool running, reachable;
	GMainContext *context;
} host;

void host_begin(uint64_t seed)
{
	host.clock = START_NS;
	host.seed = seed * 2 + 1;
	host.reachable = true;
	memset(host.failures, 0, sizeof(host.failures));
}

void host_set_context(GMainContext *context)
{
	host.context = context;
}

GMainContext *host_context(void)
{
	return host.context;
}

void host_advance(uint64_t ns)
{
	host.clock += ns;
}

uint64_t host_now(void)
{
	return host.running ? host.clock : 0;
}

void host_running(bool on)
{
	host.running = on;
}

void host_fail(enum host_failure what, unsigned n)
{
	host.failures[what] = n;
}

bool host_fails(enum host_failure what)
{
	if (!host.failures[what])
		return false;
	host.failures[what]--;
	return true;
}

/* xorshift64* */
bool host_random(void *buf, size_t len)
{
	uint8_t *to = buf;

	if (host_fails(HOST_FAIL_RANDOM))
		return false;
	while (len) {
		size_t n = len < 8 ? len : 8;
		uint64_t v;

		host.seed ^= host.seed >> 12;
		host.seed ^= host.seed << 25;
		host.seed ^= host.seed >> 27;
		v = host.seed * 0x2545f4914f6cdd1dull;
		memcpy(to, &v, n);
		to += n;
		len -= n;
	}
	return true;
}

/*
 * Descriptors.
 */

static struct host_fd *fd_of(int fd)
{
	return &host.fd[fd - HOST_FD_BASE];
}

int host_fd_new(enum host_kind kind)
{
	int i = -1;

	if (host.n_free)
		i = host.free[--host.n_free];
	else if (host.n_fds < HOST_FDS)
		i = (int)host.n_fds++;
	if (i < 0)
		return -EMFILE;
	host.fd[i] = (struct host_fd){
		.kind = kind, .room = ROOM_FIRST, .owner = host.context, .serial = ++host.serial
	};
	if (kind == HOST_STREAM || kind == HOST_PACKET || kind == HOST_FILE)
		host.fd[i].in = g_byte_array_new();
	return HOST_FD_BASE + i;
}

void host_fd_close(int fd)
{
	struct host_fd *f = fd_of(fd);

	if (f->kind == HOST_FREE)
		fuzz_bug("a descriptor that is not open was closed");
	if (f->in)
		g_byte_array_unref(f->in);
	*f = (struct host_fd){ .kind = HOST_FREE };
	host.free[host.n_free++] = fd - HOST_FD_BASE;
}

enum host_kind host_fd_kind(int fd)
{
	return fd_of(fd)->kind;
}

unsigned host_fds_open(void)
{
	return host.n_fds - host.n_free;
}

uint64_t host_event_take(int fd)
{
	uint64_t count = fd_of(fd)->count;

	fd_of(fd)->count = 0;
	return count;
}

void host_event_add(int fd, uint64_t n)
{
	fd_of(fd)->count += n;
}

/* The oldest of a kind that is younger than @serial; NULL if there is none. */
static struct host_fd *next_of(enum host_kind kind, uint64_t serial)
{
	struct host_fd *next = NULL;

	for (unsigned i = 0; i < host.n_fds; i++) {
		struct host_fd *f = &host.fd[i];

		if (f->kind == kind && f->owner == host.context && f->serial > serial &&
		    (!next || f->serial < next->serial))
			next = f;
	}
	return next;
}

int host_nth(enum host_kind kind, unsigned n)
{
	struct host_fd *f = next_of(kind, 0);

	for (; f && n; n--)
		f = next_of(kind, f->serial);
	return f ? HOST_FD_BASE + (int)(f - host.fd) : -1;
}

void host_knock(int listen_fd)
{
	fd_of(listen_fd)->count++;
}

void host_feed(int fd, const void *bytes, size_t len)
{
	struct host_fd *f = fd_of(fd);
	uint32_t prefix = (uint32_t)len;

	if (f->over)
		return;
	if (f->kind == HOST_PACKET)
		g_byte_array_append(f->in, (const guint8 *)&prefix, sizeof(prefix));
	if (len)
		g_byte_array_append(f->in, bytes, (guint)len);
}

void host_hang_up(int fd, bool reset)
{
	fd_of(fd)->over = true;
	fd_of(fd)->reset = reset;
}

void host_room(int fd, size_t bytes)
{
	fd_of(fd)->room = bytes;
}

size_t host_written(int fd)
{
	return fd_of(fd)->written;
}

void host_answer(bool reachable)
{
	host.reachable = reachable;
}

void host_size(int fd, uint64_t size)
{
	fd_of(fd)->count = size;
}

void host_timer_set(int fd, uint64_t ns)
{
	fd_of(fd)->count = ns ? host.clock + ns : 0;
}

static size_t unread(const struct host_fd *f)
{
	return f->in->len - f->in_at;
}

GIOCondition host_ready(int fd)
{
	const struct host_fd *f = fd_of(fd);
	unsigned c = 0;

	switch (f->kind) {
	case HOST_EVENT:
		return f->count ? G_IO_IN | G_IO_OUT : G_IO_OUT;
	case HOST_LISTEN:
		return f->count ? G_IO_IN : 0;
	case HOST_STREAM:
	case HOST_PACKET:
		c |= unread(f) || f->over ? G_IO_IN : 0;
		c |= f->room ? G_IO_OUT : 0;
		c |= f->over ? G_IO_HUP : 0;
		c |= f->reset ? G_IO_ERR : 0;
		return (GIOCondition)c;
	case HOST_TIMER:
		return f->count && f->count <= host.clock ? G_IO_IN : 0;
	case HOST_FILE:
		return G_IO_IN;
	case HOST_FREE:
		break;
	}
	return G_IO_NVAL;
}

gint host_poll(GPollFD *fds, guint n, gint timeout)
{
	gint ready = 0;

	(void)timeout; /* time passes when the input says so */
	for (guint i = 0; i < n; i++) {
		GIOCondition has = 0;

		if (host_fd_ours(fds[i].fd))
			has = host_ready(fds[i].fd);
		fds[i].revents = (gushort)(has & (fds[i].events | G_IO_HUP | G_IO_ERR | G_IO_NVAL));
		ready += fds[i].revents != 0;
	}
	return ready;
}

/*
 * Reading and writing.
 */

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
	size_t n = MIN(len, unread(f));

	if (f->reset)
		return -ECONNRESET;
	if (!n)
		return f->over ? 0 : -EAGAIN;
	memcpy(buf, f->in->data + f->in_at, n);
	f->in_at += n;
	if (!unread(f)) {
		g_byte_array_set_size(f->in, 0);
		f->in_at = 0;
	}
	return (gssize)n;
}

static gssize read_packet(struct host_fd *f, void *buf, size_t len)
{
	uint32_t prefix;

	if (!unread(f))
		return f->over ? -EIO : -EAGAIN;
	memcpy(&prefix, f->in->data + f->in_at, sizeof(prefix));
	memcpy(buf, f->in->data + f->in_at + sizeof(prefix), MIN(len, prefix));
	f->in_at += sizeof(prefix) + prefix;
	return (gssize)MIN(len, prefix);
}

gssize host_read(int fd, void *buf, size_t len)
{
	struct host_fd *f = fd_of(fd);

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
	const struct host_fd *f = fd_of(fd);
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
	const struct host_fd *f = fd_of(fd);
	uint64_t data = MIN(f->in->len, f->count);

	if (off >= f->count)
		return -ENXIO;
	if (off < data)
		return (gint64)(hole ? data : off);
	return hole ? (gint64)off : -ENXIO;
}

gssize host_write(int fd, const void *buf, size_t len)
{
	struct host_fd *f = fd_of(fd);
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
	story("host: %zu bytes come out of a socket", n);
	return (gssize)n;
}

int host_accept(int fd)
{
	struct host_fd *f = fd_of(fd);

	if (host_fails(HOST_FAIL_ACCEPT))
		return -EMFILE;
	if (!f->count)
		return -EAGAIN;
	f->count--;
	return host_fd_new(HOST_STREAM);
}

int host_pending(int fd)
{
	return (int)unread(fd_of(fd));
}

int host_connect(void)
{
	return host.reachable ? host_fd_new(HOST_STREAM) : -ECONNREFUSED;
}
