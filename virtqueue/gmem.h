/*
 * Guest memory as the device side sees it: a few regions of guest-physical addresses, each backed
 * by one mapping of this process.
 *
 * gmem_at() is the only place in the program that turns a guest address into a pointer, and it
 * always takes a length. A table of regions is immutable while a queue runs on it; to change the
 * memory, stop or pause the queues, change the table, tell them (vq_memory_changed()), and let them
 * go on.
 *
 * Another process can map a region if it lies in a file: docs/memory.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMEM_REGIONS_MAX 64

struct gmem_region {
	uint64_t gpa;    /* first guest-physical address */
	uint64_t len;    /* bytes, at least 1; gpa + len does not wrap */
	uint8_t *hva;    /* where gpa is mapped here; not owned */
	int fd;          /* of the file (memfd) in which it lies; not owned; -1: in none */
	uint64_t offset; /* of its first byte in the file */
	uint64_t *dirty; /* while a log of our own is on: a bit for each page, see gmem_mark() */
};

struct gmem {
	unsigned n;
	bool log;           /* of what devices write: gmem_log_start(), gmem_log_to() */
	uint64_t *log_bits; /* somebody else's; NULL: each region has its own */
	uint64_t log_pages; /* that it has bits for */
	struct gmem_region region[GMEM_REGIONS_MAX];
};

/*
 * Appends a region. Returns 0, -ENOSPC when the table is full, -EINVAL when the region is empty,
 * wraps, or overlaps another, or when @gpa and @hva differ modulo 16 (so that what is aligned for
 * the guest is aligned for us).
 */
int gmem_add(struct gmem *mem, uint64_t gpa, uint64_t len, void *hva);

/* The same for a region that is mapped, shared, from @fd at @offset. */
int gmem_add_file(struct gmem *mem, uint64_t gpa, uint64_t len, void *hva, int fd, uint64_t offset);

/* True if all of the @len bytes from @gpa on lie in the region. */
static inline bool gmem_region_has(const struct gmem_region *r, uint64_t gpa, uint64_t len)
{
	uint64_t off = gpa - r->gpa; /* huge if gpa lies before it */

	return off < r->len && len <= r->len - off;
}

/* gmem_at() for one region. */
static inline void *gmem_region_at(const struct gmem_region *r, uint64_t gpa, uint64_t len)
{
	return gmem_region_has(r, gpa, len) ? r->hva + (gpa - r->gpa) : NULL;
}

/* The region that holds @gpa, or NULL. */
const struct gmem_region *gmem_region(const struct gmem *mem, uint64_t gpa);

/*
 * The @len bytes at guest address @gpa, or NULL unless all of them lie inside one region. A @len
 * of zero is allowed at any address inside a region. Two regions that happen to adjoin are not one:
 * see gmem_room().
 */
void *gmem_at(const struct gmem *mem, uint64_t gpa, uint64_t len);

/*
 * How many bytes from @gpa on lie in the same region (0: none does). For walking a buffer that
 * crosses from one region into the next.
 */
uint64_t gmem_room(const struct gmem *mem, uint64_t gpa);

/* True if all of the @len bytes from @gpa on are memory, in whatever regions. */
bool gmem_has(const struct gmem *mem, uint64_t gpa, uint64_t len);

/* The guest address of what is mapped at @hva; 0 if that is in no region. */
uint64_t gmem_address_of(const struct gmem *mem, const void *hva);

/* Copies between us and the guest, across regions too. False, and nothing promised, if any byte is
 * not memory. */
bool gmem_read(const struct gmem *mem, uint64_t gpa, void *dst, size_t len);
bool gmem_write(const struct gmem *mem, uint64_t gpa, const void *src, size_t len);

/*
 * ---- what changes (gmem-change.c) ----
 */

/* Takes the region that begins at @gpa out of the table; the others keep their order. 0 or -ENOENT.
 */
int gmem_remove(struct gmem *mem, uint64_t gpa);

/*
 * The log of pages that devices write, for whoever copies memory while they run: all that a device
 * may have written is marked when its chain goes back to the driver, or is still in hand when the
 * queue stops or pauses; so is what was written of the rings. Only while no queue runs on @mem,
 * which is told then: vq_memory_changed(). 0 or -ENOMEM; gmem_log_stop() frees the bits. Once more
 * when regions were added.
 */
#define GMEM_PAGE 4096u

int gmem_log_start(struct gmem *mem);

/* The same into somebody else's log, which others may read and clear at any time: a bit for each of
 * the @pages from guest address 0 on, whether it is memory or not. It stays until gmem_log_stop(),
 * whatever comes and goes; pages that it has no bit for are passed over. */
void gmem_log_to(struct gmem *mem, uint64_t *bits, uint64_t pages);
void gmem_log_stop(struct gmem *mem);

/* The @len bytes at guest address @gpa, or at @hva, were written. From any thread, while the log is
 * on; what is not memory is passed over (by @gpa, what somebody else's log has no bit for). */
void gmem_mark(const struct gmem *mem, uint64_t gpa, uint64_t len);
void gmem_mark_at(const struct gmem *mem, const void *hva, uint64_t len);

/* Calls page(@opaque, its guest address) for each page that was marked since the last time. While
 * devices go on: what they write to a page after its call marks it again. Of a log of our own. */
void gmem_log_take(struct gmem *mem, void (*page)(void *opaque, uint64_t gpa), void *opaque);
