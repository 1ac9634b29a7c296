#include "tools/fuzz/links/board.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/trace.h"

#define REGIONS   16u
#define DOORBELLS 192u
#define REGPAGES  4u
#define IRQ_LINES 8u
#define MSIS      384u
#define PAGE      4096u

struct irq_line {
	unsigned gsi;
	int fd, resample_fd;
	bool level;
};

struct msi {
	bool open;
	int fd; /* attached; -1: not */
	uint64_t addr;
	uint32_t data;
};

struct fuzz_board {
	struct board board; /* first */
	bool has_regpages;
	unsigned refuse;
	struct board_region *region[REGIONS];
	struct board_doorbell doorbell[DOORBELLS];
	struct {
		uint64_t addr;
		const uint8_t *page;
	} regpage[REGPAGES];
	struct irq_line irq_line[IRQ_LINES];
	struct msi msi[MSIS];
	unsigned n_regions, n_doorbells, n_regpages, n_irq_lines, n_msis;
};

static struct fuzz_board *of(struct board *board)
{
	return (struct fuzz_board *)board;
}

/*
 * What transports ask for.
 */

static int region_add(struct board *board, struct board_region *w)
{
	struct fuzz_board *b = of(board);

	if (b->refuse & REFUSE_REGION || b->n_regions == REGIONS)
		return -ENOSPC;
	for (unsigned i = 0; i < b->n_regions; i++) {
		const struct board_region *have = b->region[i];

		if (have == w)
			fuzz_bug("a region is added twice");
		if (have->io == w->io && w->base < have->base + have->size &&
		    have->base < w->base + w->size)
			return -EEXIST;
	}
	b->region[b->n_regions++] = w;
	trace("board: region of %#lx bytes at %#lx", w->size, w->base);
	return 0;
}

static void region_del(struct board *board, struct board_region *w)
{
	struct fuzz_board *b = of(board);

	for (unsigned i = 0; i < b->n_regions; i++)
		if (b->region[i] == w) {
			b->region[i] = b->region[--b->n_regions];
			return;
		}
	fuzz_bug("a region is removed that is not there");
}

/* As KVM_IOEVENTFD compares them. */
static bool same_doorbell(const struct board_doorbell *a, const struct board_doorbell *b)
{
	return a->addr == b->addr && a->len == b->len && a->io == b->io && a->fd == b->fd &&
	       a->has_match == b->has_match && (!a->has_match || a->match == b->match);
}

static bool collide(const struct board_doorbell *a, const struct board_doorbell *b)
{
	if (a->io != b->io || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->has_match || !b->has_match || a->match == b->match);
}

static int doorbell(struct board *board, const struct board_doorbell *doorbell, bool add)
{
	struct fuzz_board *b = of(board);

	if (add && (b->refuse & REFUSE_DOORBELL || b->n_doorbells == DOORBELLS))
		return -ENOSPC;
	for (unsigned i = 0; i < b->n_doorbells; i++) {
		const struct board_doorbell *have = &b->doorbell[i];

		if (!(add ? collide(have, doorbell) : same_doorbell(have, doorbell)))
			continue;
		if (add)
			return -EEXIST;
		b->doorbell[i] = b->doorbell[--b->n_doorbells];
		return 0;
	}
	if (!add)
		fuzz_bug("a doorbell is removed that is not there");
	b->doorbell[b->n_doorbells++] = *doorbell;
	return 0;
}

static int regpage(struct board *board, uint64_t addr, const void *page)
{
	struct fuzz_board *b = of(board);

	if (!b->has_regpages)
		return -ENOTSUP;
	for (unsigned i = 0; i < b->n_regpages; i++) {
		if (b->regpage[i].addr != addr)
			continue;
		if (page)
			fuzz_bug("two cached register pages at one place");
		b->regpage[i] = b->regpage[--b->n_regpages];
		return 0;
	}
	if (!page)
		fuzz_bug("a cached register page is removed that is not there");
	if (b->refuse & REFUSE_REGPAGE || b->n_regpages == REGPAGES)
		return -ENOSPC;
	b->regpage[b->n_regpages].addr = addr;
	b->regpage[b->n_regpages++].page = page;
	return 0;
}

static int irq_line(struct board *board, unsigned gsi, int fd, int resample_fd, bool add)
{
	struct fuzz_board *b = of(board);

	if (add && (b->refuse & REFUSE_IRQ_LINE || b->n_irq_lines == IRQ_LINES))
		return -ENOSPC;
	if (add) {
		b->irq_line[b->n_irq_lines++] =
			(struct irq_line){ .gsi = gsi, .fd = fd, .resample_fd = resample_fd };
		return 0;
	}
	for (unsigned i = 0; i < b->n_irq_lines; i++)
		if (b->irq_line[i].gsi == gsi && b->irq_line[i].fd == fd) {
			b->irq_line[i] = b->irq_line[--b->n_irq_lines];
			return 0;
		}
	fuzz_bug("an interrupt line is removed that is not there");
}

static int msi_open(struct board *board)
{
	struct fuzz_board *b = of(board);

	if (b->n_msis == MSIS)
		return -ENOSPC;
	b->msi[b->n_msis] = (struct msi){ .open = true, .fd = -1 };
	return (int)b->n_msis++;
}

static struct msi *msi_of(struct board *board, int msi)
{
	struct fuzz_board *b = of(board);

	if (msi >= 0 && (unsigned)msi < b->n_msis && b->msi[msi].open)
		return &b->msi[msi];
	fuzz_bug("message %d is not open", msi);
}

static void msi_close(struct board *board, int msi)
{
	struct msi *m = msi_of(board, msi);

	if (m->fd >= 0)
		fuzz_bug("message %d is closed while it is attached", msi);
	m->open = false;
}

static int msi_route(struct board *board, int msi, uint64_t addr, uint32_t data)
{
	struct msi *m = msi_of(board, msi);

	if (of(board)->refuse & REFUSE_ROUTE)
		return -EINVAL;
	m->addr = addr;
	m->data = data;
	return 0;
}

static int msi_attach(struct board *board, int msi, int fd, bool add)
{
	struct msi *m = msi_of(board, msi);

	if (add && of(board)->refuse & REFUSE_ATTACH)
		return -ENOSPC;
	if (add == (m->fd >= 0))
		fuzz_bug("message %d is %s twice", msi, add ? "attached" : "detached");
	m->fd = add ? fd : -1;
	return 0;
}

static const struct board_ops ops = {
	.region_add = region_add,
	.region_del = region_del,
	.doorbell = doorbell,
	.regpage = regpage,
	.irq_line = irq_line,
	.msi_open = msi_open,
	.msi_close = msi_close,
	.msi_route = msi_route,
	.msi_attach = msi_attach,
};

/*
 * The guest.
 */

static struct board_region *find_region(struct fuzz_board *b, bool io, uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < b->n_regions; i++) {
		struct board_region *w = b->region[i];
		uint64_t off = addr - w->base;

		if (w->io == io && off < w->size && len <= w->size - off)
			return w;
	}
	return NULL;
}

static uint64_t mask(unsigned len)
{
	return len >= 8 ? UINT64_MAX : (1ull << (8 * len)) - 1;
}

static const uint8_t *find_regpage(const struct fuzz_board *b, uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < b->n_regpages; i++)
		if (addr - b->regpage[i].addr <= PAGE - len)
			return b->regpage[i].page + (addr - b->regpage[i].addr);
	return NULL;
}

uint64_t fuzz_board_read(struct fuzz_board *b, bool io, uint64_t addr, unsigned len)
{
	const uint8_t *page = io ? NULL : find_regpage(b, addr, len);
	struct board_region *w;
	uint64_t value = UINT64_MAX;

	if (page) {
		value = 0;
		memcpy(&value, page, len);
		return value;
	}
	w = find_region(b, io, addr, len);
	if (w && w->read)
		value = w->read(w->opaque, addr - w->base, len);
	trace("guest: %u bytes at %s%#lx read as %#lx", len, io ? "port " : "", addr,
	      value & mask(len));
	return value & mask(len);
}

void fuzz_board_write(struct fuzz_board *b, bool io, uint64_t addr, unsigned len, uint64_t value)
{
	struct board_region *w;

	value &= mask(len);
	trace("guest: writes %#lx, %u bytes, to %s%#lx", value, len, io ? "port " : "", addr);
	for (unsigned i = 0; i < b->n_doorbells; i++) {
		const struct board_doorbell *d = &b->doorbell[i];

		if (d->io == io && d->addr == addr && (d->len == 0 || d->len == len) &&
		    (!d->has_match || d->match == value)) {
			host_event_add(d->fd, 1);
			return;
		}
	}
	w = find_region(b, io, addr, len);
	if (w && w->write)
		w->write(w->opaque, addr - w->base, len, value);
}

unsigned fuzz_board_interrupts(struct fuzz_board *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_irq_lines; i++)
		if (host_event_take(b->irq_line[i].fd)) {
			b->irq_line[i].level = b->irq_line[i].resample_fd >= 0;
			trace("board: interrupt line %u", b->irq_line[i].gsi);
			n++;
		}
	for (unsigned i = 0; i < b->n_msis; i++)
		if (b->msi[i].fd >= 0 && host_event_take(b->msi[i].fd)) {
			trace("board: message %#x to %#lx", b->msi[i].data, b->msi[i].addr);
			n++;
		}
	return n;
}

void fuzz_board_eoi(struct fuzz_board *b)
{
	for (unsigned i = 0; i < b->n_irq_lines; i++)
		if (b->irq_line[i].level) {
			b->irq_line[i].level = false;
			host_event_add(b->irq_line[i].resample_fd, 1);
		}
}

/*
 * Life.
 */

void fuzz_board_refuse(struct fuzz_board *b, unsigned what)
{
	b->refuse = what;
}

struct board *fuzz_board_board(struct fuzz_board *b)
{
	return &b->board;
}

struct fuzz_board *fuzz_board_new(bool regpages)
{
	struct fuzz_board *b = g_new0(struct fuzz_board, 1);

	b->board.ops = &ops;
	b->has_regpages = regpages;
	return b;
}

void fuzz_board_free(struct fuzz_board *b)
{
	if (!b)
		return;
	if (b->n_regions || b->n_doorbells || b->n_regpages || b->n_irq_lines)
		fuzz_bug("the transport left %u regions, %u doorbells, %u pages, %u irq lines",
			 b->n_regions, b->n_doorbells, b->n_regpages, b->n_irq_lines);
	g_free(b);
}
