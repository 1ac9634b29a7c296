/*
 * A block device's driver, as its tests want it: a disk of known contents, requests in the usual
 * three buffers, and looks at the file behind the device's back.
 */
#pragma once

#include "devices/blk/wire.h"
#include "tests/support/rig.h"

#define BD_SECTORS ((size_t)2048)
#define BD_BYTES   (BD_SECTORS * BLK_SECTOR)

/* What sector @n holds in a fresh disk; no byte is 0. */
void bd_sector_pattern(uint32_t n, uint8_t *p);

/* The file "disk" of that in @dir: rig_case.setup. */
void bd_make_disk(const char *dir);
int bd_open_disk(struct rig *r);

/* What the host's file holds. */
void bd_expect_on_host(struct rig *r, uint64_t sector, const uint8_t *p, uint32_t len);
void bd_expect_untouched(struct rig *r, uint32_t sector);

/* Buffers. */
static const struct rig_buf bd_no_data;
struct rig_buf bd_header(struct rig *r, uint32_t type, uint64_t sector);
struct rig_buf bd_filled(struct rig *r, uint32_t len, unsigned seed); /* no byte is 0 */
struct rig_buf bd_ranges(struct rig *r, const struct blk_range *wire, unsigned n);
bool bd_all_are(const void *p, uint8_t byte, size_t len);

/* Appends @b in two parts, cut at @at, to @parts; an empty one is left out. Returns how many. */
unsigned bd_cut(struct rig_buf b, uint32_t at, struct rig_buf *parts);

/* A request under way. */
struct bd_request {
	struct rig_buf bufs[3];
	struct rig_req *req;
	uint8_t *status;
};
struct bd_request bd_start(struct rig *r, unsigned q, uint32_t type, uint64_t sector,
			   struct rig_buf data);

/* The same to its end on queue 0; checks the used length and returns the status. */
uint8_t bd_request(struct rig *r, uint32_t type, uint64_t sector, struct rig_buf data);
uint8_t bd_range_request(struct rig *r, uint32_t type, uint64_t sector, uint32_t n, uint32_t flags);

/* For drivers that make mistakes: a request with @out bytes of data to the device, or else @in
 * bytes from it, whatever its type wants; a write of @n sectors to its end, each in a buffer of its
 * own. */
struct rig_req *bd_submit(struct rig *r, uint32_t type, uint64_t sector, uint32_t out, uint32_t in);
void bd_write_in_parts(struct rig *r, unsigned n);

/* One row of a table of cases: on a fresh disk, with options @opts. */
#define BD_ON(how, fn, opts)                                                          \
	{                                                                             \
		.name = #fn " (" how ")", .spec = "blk,path=@/disk," opts, .run = fn, \
		.setup = bd_make_disk,                                                \
	}
#define BD_BOTH(fn)       BD_ON("uring", fn, "aio=uring"), BD_ON("sync", fn, "aio=sync")
#define BD_WITH(fn, opts) BD_ON(opts, fn, opts)
#define BD_CASE(fn)       BD_ON("any", fn, "aio=auto")
