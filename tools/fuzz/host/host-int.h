/* What host.c and host-io.c share. */
#pragma once

#include "tools/fuzz/host/host.h"

#define HOST_LOCKS 16u

struct host_fd {
	enum host_kind kind;
	uint64_t count;  /* EVENT; LISTEN: who waits; TIMER: when it goes off; FILE: its size */
	uint8_t *memory; /* FILE: that can be mapped, `room' bytes */
	GByteArray *in;  /* STREAM: bytes; PACKET: a length and as many bytes, and so on */
	size_t in_at;    /* read so far */
	size_t room, written;
	bool over, reset; /* the other end has left */
	GMainContext *owner;
	uint64_t serial; /* in the order they were made */
};

/* File-scope because the wrapped functions of libc's have no argument that could lead here. */
extern struct host {
	struct host_fd fd[HOST_FDS];
	unsigned n_fds; /* places used so far */
	int free[HOST_FDS];
	unsigned n_free;
	uint64_t clock, seed, serial;
	unsigned failures[N_HOST_FAILURES];
	bool running, reachable, sockets;
	GMainContext *context;
	const void *locked[HOST_LOCKS];
	unsigned n_locked;
	void (*heard)(void *opaque, int fd, const void *bytes, size_t len);
	void *hears;
} host;

/* System calls for requests to disks of the project's own, so far. */
unsigned host_disk_calls(void);

static inline struct host_fd *host_fd(int fd)
{
	return &host.fd[fd - HOST_FD_BASE];
}

static inline size_t host_unread(const struct host_fd *f)
{
	return f->in->len - f->in_at;
}
