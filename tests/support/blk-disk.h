/*
 * A file as a disk, with one channel to it (devices/backend/blk/file.h), for tests of the backend
 * alone.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/blk/file.h"

#define MIB ((size_t)1 << 20)

/* Where it lies and how it is reached. */
struct disk_variant {
	const char *name;
	enum blk_aio aio;
	bool direct, in_memory;
	const char *device; /* a block device that is there already, instead of a new file */
	bool worker;        /* as in the machine: prepared, with a thread for what would wait */
};

struct disk {
	char *path;
	bool is_file;
	int fd; /* our own way to the file, past the backend */
	struct loop *loop, *worker;
	struct blk_backend *be;
	struct blk_channel *ch;
	unsigned batches; /* groups of completions that came from the loop */
	struct blk_owner owner;
	unsigned stopped; /* times that the channel told of its end */
};

struct disk_request {
	struct blk_io io;
	unsigned n_done;
	int result;
	struct disk_request *then; /* submitted when this one is done */
	struct disk *disk;
};

/* Makes a sparse file in /dev/shm, or where the test program is: that stands for "on disk". Free
 * the name with g_free(). */
char *disk_new_file(bool in_memory, uint64_t size);
struct blk_backend *disk_open_path(const char *path, const struct disk_variant *v, bool ro,
				   GError **err);

/* A fresh file of @size bytes (of the device its first) and all that goes with it; fails the test
 * if it cannot be. */
struct disk *disk_open(const struct disk_variant *v, uint64_t size);
void disk_close(struct disk *d);

/* A channel whose owner is the disk; and its end, whatever is in hand. Returns what was not done.
 */
struct blk_channel *disk_channel(struct disk *d);
struct blk_io *disk_stop(struct disk *d);
void disk_free_channel(struct disk *d); /* stops it if need be; nothing may be undone */

/* disk_submit() collects; disk_wait() starts all that was, and returns the result. */
void disk_submit(struct disk *d, struct disk_request *r);
int disk_wait(struct disk *d, struct disk_request *r);

/* A request from beginning to end. */
int disk_run(struct disk *d, struct blk_io io);
int disk_rw(struct disk *d, enum blk_op op, uint64_t offset, void *buf, size_t len);
int disk_range(struct disk *d, enum blk_op op, unsigned flags, uint64_t offset, uint64_t len);

uint8_t *disk_buffer(size_t len);                         /* aligned to a page; free() it */
void disk_pattern(uint8_t *p, size_t len, unsigned seed); /* no byte is 0 */

/* Cuts @len bytes at @base into iovecs of lengths 1, 2, 3, ... up to @most. */
unsigned disk_cut(uint8_t *base, size_t len, size_t most, struct iovec *iov);
