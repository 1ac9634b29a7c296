/*
 * The host, as far as the code under test may see it: eventfds, sockets, the clock, the random
 * generator and big anonymous mappings are made of bookkeeping here, so that a run makes no system
 * call, costs microseconds, and happens the same way each time. The linker's --wrap puts these in
 * the place of libc's (host-wrap.c); descriptors from HOST_FD_BASE on are ours, all others are
 * real.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_FD_BASE 0x100000
#define HOST_FDS     8192

enum host_kind {
	HOST_FREE,
	HOST_EVENT,  /* an eventfd */
	HOST_LISTEN, /* a listening stream socket */
	HOST_STREAM, /* a connected one; we are the other end */
	HOST_PACKET, /* a tap: each read takes a packet */
	HOST_TIMER,  /* a timerfd on our clock */
	HOST_FILE,   /* to be read from; behind what was fed to it is a hole up to its size */
};

/* Forgets a run: the clock goes back to its beginning, the generator to its seed. */
void host_begin(uint64_t seed);

/* Which context g_main_context_default() is, for the code under test. */
void host_set_context(GMainContext *context);

/* The clock of the code under test, in nanoseconds. */
void host_advance(uint64_t ns);
uint64_t host_now(void);

/* There is one thread, so a mutex that is locked twice would never be had: that is said at once.
 * True if none is locked. */
bool host_unlocked(void);

/* While running, time is ours and what fails is up to us; outside, all of it is the real host's. */
void host_running(bool on);

/* The next @n calls of this kind fail. */
enum host_failure {
	HOST_FAIL_RANDOM,
	HOST_FAIL_ACCEPT,
	HOST_FAIL_OFFLOAD,
	HOST_FAIL_READ,
	HOST_FAIL_SOCKET,
	N_HOST_FAILURES
};
void host_fail(enum host_failure what, unsigned n);
bool host_fails(enum host_failure what);

/* Whether socket() makes any (host-socket.c), from now until host_begin(). */
void host_sockets(bool on);

/* ---- descriptors ---- */

int host_fd_new(enum host_kind kind);
void host_fd_close(int fd);
static inline bool host_fd_ours(int fd)
{
	return fd >= HOST_FD_BASE && fd < HOST_FD_BASE + HOST_FDS;
}
enum host_kind host_fd_kind(int fd);
unsigned host_fds_open(void);

/* An eventfd's count: as read() takes it, and a write(). */
uint64_t host_event_take(int fd);
void host_event_add(int fd, uint64_t n);

/* The other end's part. Of sockets by number, among those made for the current context; -1: there
 * are not so many. */
int host_nth(enum host_kind kind, unsigned n);
void host_peer_connects(int listen_fd);                /* connects */
void host_feed(int fd, const void *bytes, size_t len); /* sends (of HOST_PACKET: one packet) */
void host_hang_up(int fd, bool reset);                 /* leaves, politely or not */
void host_room(int fd, size_t bytes);                  /* how much writes may take from now on */
size_t host_written(int fd);                           /* since it was made */
void host_answer(bool reachable);      /* what the next net_socket_connect() finds */
void host_size(int fd, uint64_t size); /* of a HOST_FILE */

/* Descriptors that go with the bytes that are fed next (host-fds.c); the reader's. Those that
 * nobody took are closed when this is called again. */
#define HOST_SENT_MAX 12u
void host_send_fds(const int *fds, unsigned n);

/* Told of what is written to streams, each write as it is; NULL: nobody is. */
void host_hear(void (*heard)(void *opaque, int fd, const void *bytes, size_t len), void *opaque);

/* Of the last socketpair() the code under test's first end, a stream of which we are the other; -1:
 * there is none, or it is closed. */
int host_pair(void);

/* Files of memfd_create() are @room bytes of @memory from now on, all of them the same. */
void host_memfd(uint8_t *memory, size_t room);

/* A HOST_FILE of @size bytes, which can be mapped: it is @room bytes of memory, all such files'
 * part of the @bytes that host_memory() names (NULL: there are none). */
int host_file_new(uint8_t *memory, size_t room, uint64_t size);
void host_memory(uint8_t *memory, size_t bytes);
void *host_map(int fd, size_t len, uint64_t off); /* what mmap() answers */

/* What poll() would say of @fd. */
GIOCondition host_ready(int fd);
/* Of what one asked for, and what comes unasked. 0 for descriptors that are not ours. */
GIOCondition host_ready_for(int fd, GIOCondition events);

/* ---- what the wrapped calls do, see host-wrap.c ---- */

gssize host_read(int fd, void *buf, size_t len); /* -errno */
gssize host_write(int fd, const void *buf, size_t len);
gssize host_pread(int fd, void *buf, size_t len, uint64_t off);
gint64 host_seek(int fd, uint64_t off, bool hole); /* to the next data, or the next hole */
void host_timer_set(int fd, uint64_t ns);          /* from now; 0: off */
int host_accept(int fd);
int host_pending(int fd); /* FIONREAD */
int host_connect(void);
bool host_random(void *buf, size_t len);
bool host_locked(const void *mutex);
void host_lock(const void *mutex);
void host_unlock(const void *mutex);
GMainContext *host_context(void);
gint host_poll(GPollFD *fds, guint n, gint timeout);

/* Serves what is ready of the watches of the context (loop_watch()), once each; false if nothing
 * is. What g_main_context_iteration() does where a loop has nothing but watches, and much cheaper.
 */
bool host_turn(void);
