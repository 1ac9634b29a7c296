#include "tools/fuzz/host/host.h"

#include <errno.h>
#include <string.h>

#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/language/trace.h"

#define START_NS   1000000000000ull
#define ROOM_FIRST ((size_t)1 << 20)

struct host host;

void host_begin(uint64_t seed)
{
	host.clock = START_NS;
	host.seed = seed * 2 + 1;
	host.reachable = true;
	host.sockets = false;
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

void host_sockets(bool on)
{
	host.sockets = on;
}

void host_hear(void (*heard)(void *opaque, int fd, const void *bytes, size_t len), void *opaque)
{
	host.heard = heard;
	host.hears = opaque;
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
 * Locks.
 */

bool host_locked(const void *mutex)
{
	for (unsigned i = 0; i < host.n_locked; i++)
		if (host.locked[i] == mutex)
			return true;
	return false;
}

void host_lock(const void *mutex)
{
	if (host_locked(mutex))
		fuzz_bug("a mutex is locked that is locked already");
	if (host.n_locked == HOST_LOCKS)
		fuzz_bug("%u mutexes are locked at once", HOST_LOCKS);
	host.locked[host.n_locked++] = mutex;
}

void host_unlock(const void *mutex)
{
	for (unsigned i = host.n_locked; i > 0; i--)
		if (host.locked[i - 1] == mutex) {
			host.locked[i - 1] = host.locked[--host.n_locked];
			return;
		}
	fuzz_bug("a mutex is unlocked that is not locked");
}

bool host_unlocked(void)
{
	return host.n_locked == 0;
}

/*
 * Descriptors.
 */

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
	struct host_fd *f = host_fd(fd);

	if (f->kind == HOST_FREE)
		fuzz_bug("a descriptor that is not open was closed");
	if (f->in)
		g_byte_array_unref(f->in);
	*f = (struct host_fd){ .kind = HOST_FREE };
	host.free[host.n_free++] = fd - HOST_FD_BASE;
}

enum host_kind host_fd_kind(int fd)
{
	return host_fd(fd)->kind;
}

unsigned host_fds_open(void)
{
	return host.n_fds - host.n_free;
}

uint64_t host_event_take(int fd)
{
	uint64_t count = host_fd(fd)->count;

	host_fd(fd)->count = 0;
	return count;
}

void host_event_add(int fd, uint64_t n)
{
	host_fd(fd)->count += n;
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

void host_peer_connects(int listen_fd)
{
	host_fd(listen_fd)->count++;
}

void host_feed(int fd, const void *bytes, size_t len)
{
	struct host_fd *f = host_fd(fd);
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
	host_fd(fd)->over = true;
	host_fd(fd)->reset = reset;
}

void host_room(int fd, size_t bytes)
{
	host_fd(fd)->room = bytes;
}

size_t host_written(int fd)
{
	return host_fd(fd)->written;
}

void host_answer(bool reachable)
{
	host.reachable = reachable;
}

void host_size(int fd, uint64_t size)
{
	host_fd(fd)->count = size;
}

void host_timer_set(int fd, uint64_t ns)
{
	host_fd(fd)->count = ns ? host.clock + ns : 0;
}

GIOCondition host_ready(int fd)
{
	const struct host_fd *f = host_fd(fd);
	unsigned c = 0;

	switch (f->kind) {
	case HOST_EVENT:
		return f->count ? G_IO_IN | G_IO_OUT : G_IO_OUT;
	case HOST_LISTEN:
		return f->count ? G_IO_IN : 0;
	case HOST_STREAM:
	case HOST_PACKET:
		c |= host_unread(f) || f->over ? G_IO_IN : 0;
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

GIOCondition host_ready_for(int fd, GIOCondition events)
{
	GIOCondition has = host_fd_ours(fd) ? host_ready(fd) : 0;

	return has & (events | G_IO_HUP | G_IO_ERR | G_IO_NVAL);
}

gint host_poll(GPollFD *fds, guint n, gint timeout)
{
	gint ready = 0;

	(void)timeout; /* time passes when the input says so */
	for (guint i = 0; i < n; i++) {
		fds[i].revents = (gushort)host_ready_for(fds[i].fd, fds[i].events);
		ready += fds[i].revents != 0;
	}
	return ready;
}
