/*
 * A client of vfio-user for tests: messages as they come to a test's mind, sound or not, over a
 * socket pair; and what a machine makes of it, with the function's BARs somewhere in its memory and
 * ports. The server is served by the test's own thread: whoever waits for an answer turns the main
 * loop meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/base/loop.h"
#include "devices/base/msg-socket.h"
#include "transport/driver/virtio.h"
#include "transport/vfio-user/wire.h"
#include "virtqueue/gmem.h"

struct vfio_user;

#define CLIENT_PORTS  0xc000u
#define CLIENT_MEMORY (8ull << 40)

struct client_bar {
	uint64_t base, size;
	bool io;
};

struct vfu_client {
	struct msg_socket socket;
	struct {
		struct vfu_header header;
		union vfu_payload payload;
	} in;
	uint16_t id;
	bool versioned;
	int fds[MSG_FDS_MAX]; /* of the last answer: the caller's */
	unsigned n_fds;
	struct client_bar bar[6];

	/* client_serve_memory() */
	const struct gmem *memory;
	GSource *watch;
	GQueue kept;                /* requests that came while an answer was waited for */
	unsigned n_reads, n_writes; /* that it was asked for, */
	uint32_t longest;           /* and the most bytes in one of them */
};

/* A new client on @fd, which is its from now on; and one that is connected to @v. */
void client_begin(struct vfu_client *c, int fd);
void client_open(struct vfu_client *c, struct vfio_user *v);
void client_close(struct vfu_client *c);

/* Answers DMA_READ and DMA_WRITE of @memory from now on, in any turn of @main. NULL: they are kept
 * for client_take() and client_do(). */
void client_serve_memory(struct vfu_client *c, struct loop *main, const struct gmem *memory);

/* The next message is a request of the server's: it is taken, into c->in. False: it is not, yet.
 * And does and answers what was taken. */
bool client_take(struct vfu_client *c);
void client_do(struct vfu_client *c, const struct gmem *memory);

/* One turn of the main loop, without waiting. */
void client_turn(void);

/* Sends @size bytes of payload and @n_fds descriptors, which stay the caller's. False if the
 * connection is closed. */
bool client_send(struct vfu_client *c, uint16_t command, uint32_t flags, const void *payload,
		 uint32_t size, const int *fds, unsigned n_fds);

/* The answer to come: to @command, and as the last message was numbered. 0 with its payload of at
 * most @size bytes and its length; an errno value; -1: the connection was closed instead. Fails the
 * test if nothing comes. */
int client_answer(struct vfu_client *c, uint16_t command, void *payload, uint32_t size,
		  uint32_t *ret_len);

/* Sends, and waits for the answer, which takes the payload's place and is of that length at most.
 */
int client_ask(struct vfu_client *c, uint16_t command, void *payload, uint32_t size, int fd);

/* The first message, with @capabilities or (NULL) without. */
int client_version(struct vfu_client *c, const char *capabilities);

/* An access of a region; 0, an errno value or -1. */
int client_read(struct vfu_client *c, uint32_t region, uint64_t off, void *dst, uint32_t len);
int client_write(struct vfu_client *c, uint32_t region, uint64_t off, const void *src,
		 uint32_t len);

/* The same of numbers of up to 8 bytes; these must work. */
uint64_t client_get(struct vfu_client *c, uint32_t region, uint64_t off, unsigned len);
void client_set(struct vfu_client *c, uint32_t region, uint64_t off, unsigned len, uint64_t value);

int client_map(struct vfu_client *c, uint64_t address, uint64_t size, uint64_t offset, int fd);
int client_unmap(struct vfu_client *c, uint64_t address, uint64_t size);

/* SET_IRQS of @count from @start on, with as many descriptors, or none (NULL). */
int client_set_irqs(struct vfu_client *c, uint32_t index, uint32_t flags, uint32_t start,
		    uint32_t count, const int *fds);

/* What firmware does: gives BARs addresses. Then what a processor does, wherever BARs are. */
void client_place_bars(struct vfu_client *c);
uint64_t client_load(struct vfu_client *c, bool io, uint64_t addr, unsigned len);
void client_store(struct vfu_client *c, bool io, uint64_t addr, unsigned len, uint64_t value);

/* The same for a driver; who waits turns the main loop. */
struct virtio_io client_io(struct vfu_client *c);
