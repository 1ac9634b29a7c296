#include "tests/support/blk-driver.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void bd_sector_pattern(uint32_t n, uint8_t *p)
{
	for (uint32_t i = 0; i < BLK_SECTOR; i++)
		p[i] = (uint8_t)((n * 7 + i * 3 + i / 256) | 1); /* never 0 */
}

void bd_make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	uint8_t *bytes = g_malloc(BD_BYTES);

	for (size_t n = 0; n < BD_SECTORS; n++)
		bd_sector_pattern((uint32_t)n, bytes + n * BLK_SECTOR);
	assert_true(g_file_set_contents(path, (char *)bytes, BD_BYTES, NULL));
	g_free(bytes);
}

int bd_open_disk(struct rig *r)
{
	g_autofree char *path = g_build_filename(rig_dir(r), "disk", NULL);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void host_read(struct rig *r, uint64_t offset, void *p, size_t len)
{
	int fd = bd_open_disk(r);

	assert_int_equal(pread(fd, p, len, (off_t)offset), len);
	close(fd);
}

void bd_expect_on_host(struct rig *r, uint64_t sector, const uint8_t *p, uint32_t len)
{
	uint8_t *bytes = g_malloc(len);

	host_read(r, sector * BLK_SECTOR, bytes, len);
	assert_memory_equal(bytes, p, len);
	g_free(bytes);
}

void bd_expect_untouched(struct rig *r, uint32_t sector)
{
	uint8_t want[BLK_SECTOR];

	bd_sector_pattern(sector, want);
	bd_expect_on_host(r, sector, want, BLK_SECTOR);
}

struct rig_buf bd_header(struct rig *r, uint32_t type, uint64_t sector)
{
	struct blk_header h = { .type = cpu_le32(type), .sector = cpu_le64(sector) };

	return rig_dup(r, &h, sizeof(h));
}

struct bd_request bd_start(struct rig *r, unsigned q, uint32_t type, uint64_t sector,
			   struct rig_buf data)
{
	bool to_device = type != BLK_T_IN && type != BLK_T_GET_ID;
	struct bd_request rq = { .bufs = { bd_header(r, type, sector) } };
	unsigned n = 1;

	if (data.len)
		rq.bufs[n++] = data;
	rq.bufs[n] = rig_alloc(r, 1);
	rq.status = rq.bufs[n].p;
	*rq.status = 0xee;
	rq.req = to_device ? rig_submit(r, q, rq.bufs, n, 1) : rig_submit(r, q, rq.bufs, 1, n);
	return rq;
}

uint8_t bd_request(struct rig *r, uint32_t type, uint64_t sector, struct rig_buf data)
{
	struct bd_request rq = bd_start(r, 0, type, sector, data);
	uint32_t written = type == BLK_T_IN || type == BLK_T_GET_ID ? data.len : 0;

	assert_int_equal(rig_wait(r, rq.req), written + 1);
	return *rq.status;
}

struct rig_req *bd_submit(struct rig *r, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	struct rig_buf bufs[3] = { bd_header(r, type, sector) };
	unsigned n = 1;

	if (out || in)
		bufs[n++] = rig_alloc(r, out ? out : in);
	bufs[n++] = rig_alloc(r, 1);
	return rig_submit(r, 0, bufs, out ? 2 : 1, in ? 2 : 1);
}

void bd_write_in_parts(struct rig *r, unsigned n)
{
	struct rig_buf bufs[8] = { bd_header(r, BLK_T_OUT, 0) };

	assert_true(n + 2 <= G_N_ELEMENTS(bufs));
	for (unsigned i = 1; i <= n; i++)
		bufs[i] = rig_alloc(r, BLK_SECTOR);
	bufs[n + 1] = rig_alloc(r, 1);
	rig_do(r, 0, bufs, n + 1, 1);
}

struct rig_buf bd_filled(struct rig *r, uint32_t len, unsigned seed)
{
	struct rig_buf b = rig_alloc(r, len);

	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)b.p)[i] = (uint8_t)((i * 13 + i / 256 + seed) | 1);
	return b;
}

bool bd_all_are(const void *p, uint8_t byte, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const uint8_t *)p)[i] != byte)
			return false;
	return true;
}

unsigned bd_cut(struct rig_buf b, uint32_t at, struct rig_buf *parts)
{
	unsigned n = 0;

	if (at)
		parts[n++] = rig_part(b, 0, at);
	if (at < b.len)
		parts[n++] = rig_part(b, at, b.len - at);
	return n;
}

struct rig_buf bd_ranges(struct rig *r, const struct blk_range *wire, unsigned n)
{
	return rig_dup(r, wire, n * (uint32_t)sizeof(*wire));
}

uint8_t bd_range_request(struct rig *r, uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct blk_range wire = { cpu_le64(sector), cpu_le32(n), cpu_le32(flags) };

	return bd_request(r, type, 0, bd_ranges(r, &wire, 1));
}
