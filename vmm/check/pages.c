/*
 * Baits on virtio-mmio (4.2.2.2, 4.2.3.1.1): register pages where a machine's tables say that there
 * is a device, and the first registers say that there is none of this version. A driver looks at
 * those, and at nothing else.
 */
#include "devices/base/error.h"
#include "transport/board.h"
#include "transport/mmio/mmio.h"
#include "transport/mmio/regs.h"
#include "vmm/check/check-int.h"

#define LATER_VERSION 3u

static const struct {
	const char *name;
	unsigned rule;
	uint32_t magic, version;
} kinds[CHECK_PAGES] = {
	{ "magic", CHECK_PAGE_MAGIC, 0x6d6f6e21, MMIO_VERSION },
	{ "version", CHECK_PAGE_VERSION, MMIO_MAGIC, LATER_VERSION },
	{ "id", CHECK_PAGE_ID, MMIO_MAGIC, MMIO_VERSION },
};

struct check_page {
	struct check_dev *told;
	struct board *board;
	struct board_region region;
	unsigned kind;
};

/* A driver may read what says whether it is a device, in any order, and VendorID with it; but where
 * only DeviceID says so nothing else. */
static bool page_may_be_read(const struct check_page *p, uint64_t off)
{
	return off == R_MAGIC || off == R_VERSION || off == R_DEVICE_ID ||
	       (off == R_VENDOR_ID && kinds[p->kind].rule != CHECK_PAGE_ID);
}

static uint64_t page_read(void *opaque, uint64_t off, unsigned len)
{
	struct check_page *p = opaque;

	if (len != 4 || !page_may_be_read(p, off))
		check_broken(p->told, kinds[p->kind].rule, -1, -1, "read of %u bytes at %#x", len,
			     (unsigned)off);
	switch (off) {
	case R_MAGIC:
		return kinds[p->kind].magic;
	case R_VERSION:
		return kinds[p->kind].version;
	default:
		return 0;
	}
}

static void page_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct check_page *p = opaque;

	(void)value;
	check_broken(p->told, kinds[p->kind].rule, -1, -1, "write of %u bytes at %#x", len,
		     (unsigned)off);
}

struct check_page *check_page_new(struct checker *c, unsigned n, struct board *board, uint64_t base,
				  GError **err)
{
	struct check_page *p = g_new0(struct check_page, 1);
	g_autofree char *name = g_strdup_printf("bait-%s", kinds[n].name);
	int ret;

	p->board = board;
	p->kind = n;
	p->region = (struct board_region){
		.base = base, .size = MMIO_SIZE, .read = page_read, .write = page_write, .opaque = p
	};
	ret = board->ops->region_add(board, &p->region);
	if (ret < 0) {
		(void)ringside_error_errno(
			err, -ret, "--check=bait: registers at 0x%" G_GINT64_MODIFIER "x", base);
		g_free(p);
		return NULL;
	}
	p->told = check_dev_new(c, name);
	p->told->regs.mmio = true; /* which of a rule's clauses it is */
	c->n_pages++;
	return p;
}

void check_page_free(struct check_page *p)
{
	if (!p)
		return;
	p->board->ops->region_del(p->board, &p->region);
	g_free(p);
}
