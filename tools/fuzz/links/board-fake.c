#include "tools/fuzz/links/board-fake.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096u

struct irq_line {
	unsigned gsi;
	int fd, resample_fd;
	unsigned edges;
	bool level;
};

struct msi {
	bool open;
	uint64_t addr;
	uint32_t data;
	int fd; /* attached; -1: not */
};

struct message {
	uint64_t addr;
	uint32_t data;
	unsigned count;
};

struct regpage {
	uint64_t addr;
	const void *page;
};

typedef struct board_region *region_ref;

struct board_fake {
	struct board board; /* first */
	const struct board_fake_env *env;
	pthread_mutex_t lock;
	bool has_regpages;
	unsigned refuse;
	struct board_fake_counts counts;
	GArray *regions; /* of struct board_region * */
	GArray *doorbells, *irq_lines, *msis, *messages, *regpages;
};

#define EACH(array, type, var)                                                           \
	for (type *var = (type *)(void *)(array)->data, *var##_end = var + (array)->len; \
	     var < var##_end; var++)
#define INDEX(array, var) ((guint)((var) - (__typeof__(var))(void *)(array)->data))

static struct board_fake *board_fake_lock(struct board *board)
{
	struct board_fake *b = (struct board_fake *)board;

	pthread_mutex_lock(&b->lock);
	return b;
}

static int board_fake_unlock(struct board_fake *b, int ret)
{
	pthread_mutex_unlock(&b->lock);
	return ret;
}

static _Noreturn G_GNUC_PRINTF(2, 3) void board_bug(const struct board_fake *b, const char *format,
						    ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above */
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	b->env->bug(what);
	abort();
}

#define TELL(b, ...)                                  \
	do {                                          \
		if ((b)->env->trace)                  \
			(b)->env->trace(__VA_ARGS__); \
	} while (0)

/*
 * What transports ask for.
 */

static int region_add(struct board *board, struct board_region *w)
{
	struct board_fake *b = board_fake_lock(board);

	if (b->refuse & BOARD_REFUSE_REGION)
		return board_fake_unlock(b, -ENOSPC);
	EACH(b->regions, region_ref, other)
	if (*other == w)
		board_bug(b, "a region is added twice");
	EACH(b->regions, region_ref, other)
	if ((*other)->io == w->io && w->base < (*other)->base + (*other)->size &&
	    (*other)->base < w->base + w->size)
		return board_fake_unlock(b, -EEXIST);
	g_array_append_val(b->regions, w);
	TELL(b, "board: region of %#lx bytes at %#lx", w->size, w->base);
	return board_fake_unlock(b, 0);
}

static void region_del(struct board *board, struct board_region *w)
{
	struct board_fake *b = board_fake_lock(board);

	EACH(b->regions, region_ref, have)
	if (*have == w) {
		g_array_remove_index(b->regions, INDEX(b->regions, have));
		board_fake_unlock(b, 0);
		return;
	}
	board_bug(b, "a region is removed that is not there");
}

/* As KVM_IOEVENTFD judges what it is given. */
static bool board_fake_is_sound(const struct board_doorbell *doorbell)
{
	switch (doorbell->len) {
	case 0: /* any length: then no value can be asked for */
		return !doorbell->has_match;
	case 1:
	case 2:
	case 4:
	case 8:
		return doorbell->addr + doorbell->len > doorbell->addr;
	default:
		return false;
	}
}

/* No write can belong to two: any length or any value meets all of them at its address. */
static bool board_fake_collide(const struct board_doorbell *a, const struct board_doorbell *b)
{
	if (a->io != b->io || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->has_match || !b->has_match || a->match == b->match);
}

static bool board_fake_same_doorbell(const struct board_doorbell *a, const struct board_doorbell *b)
{
	return a->addr == b->addr && a->len == b->len && a->io == b->io && a->fd == b->fd &&
	       a->has_match == b->has_match && (!a->has_match || a->match == b->match);
}

static int doorbell_add(struct board_fake *b, const struct board_doorbell *doorbell)
{
	if (b->refuse & BOARD_REFUSE_DOORBELL)
		return -ENOSPC;
	EACH(b->doorbells, struct board_doorbell, have)
	if (board_fake_collide(have, doorbell))
		return -EEXIST;
	g_array_append_val(b->doorbells, *doorbell);
	return 0;
}

static int doorbell_del(struct board_fake *b, const struct board_doorbell *doorbell)
{
	EACH(b->doorbells, struct board_doorbell, have)
	if (board_fake_same_doorbell(have, doorbell)) {
		g_array_remove_index_fast(b->doorbells, INDEX(b->doorbells, have));
		return 0;
	}
	board_bug(b, "a doorbell is removed that is not there");
}

static int board_fake_doorbell(struct board *board, const struct board_doorbell *doorbell, bool add)
{
	struct board_fake *b = board_fake_lock(board);

	if (!board_fake_is_sound(doorbell))
		return board_fake_unlock(b, -EINVAL);
	return board_fake_unlock(b, add ? doorbell_add(b, doorbell) : doorbell_del(b, doorbell));
}

static int board_fake_regpage(struct board *board, uint64_t addr, const void *page)
{
	struct board_fake *b = board_fake_lock(board);
	struct regpage new = { addr, page };

	if (!b->has_regpages)
		return board_fake_unlock(b, -ENOTSUP);
	if (addr % PAGE || (uintptr_t)page % PAGE)
		return board_fake_unlock(b, -EINVAL);
	EACH(b->regpages, struct regpage, have)
	if (have->addr == addr) {
		if (page)
			board_bug(b, "two cached register pages at one place");
		g_array_remove_index_fast(b->regpages, INDEX(b->regpages, have));
		return board_fake_unlock(b, 0);
	}
	if (!page)
		board_bug(b, "a cached register page is removed that is not there");
	if (b->refuse & BOARD_REFUSE_REGPAGE)
		return board_fake_unlock(b, -ENOSPC);
	g_array_append_val(b->regpages, new);
	b->counts.regpages++;
	return board_fake_unlock(b, 0);
}

static int irq_line(struct board *board, unsigned gsi, int fd, int resample_fd, bool add)
{
	struct board_fake *b = board_fake_lock(board);
	struct irq_line new = { .gsi = gsi, .fd = fd, .resample_fd = resample_fd };

	if (add && b->refuse & BOARD_REFUSE_IRQ_LINE)
		return board_fake_unlock(b, -ENOSPC);
	if (add) {
		EACH(b->irq_lines, struct irq_line, other)
		if (other->fd == fd)
			return board_fake_unlock(b, -EBUSY); /* an eventfd is one irqfd's */
		g_array_append_val(b->irq_lines, new);
		return board_fake_unlock(b, 0);
	}
	EACH(b->irq_lines, struct irq_line, have)
	if (have->gsi == gsi && have->fd == fd) {
		g_array_remove_index_fast(b->irq_lines, INDEX(b->irq_lines, have));
		return board_fake_unlock(b, 0);
	}
	board_bug(b, "an irq line is removed that is not there");
}

/* With the lock held. */
static struct msi *msi_of(struct board_fake *b, int msi)
{
	struct msi *m = &g_array_index(b->msis, struct msi, msi);

	if (msi < 0 || (unsigned)msi >= b->msis->len || !m->open)
		board_bug(b, "message %d is not open", msi);
	return m;
}

static int msi_open(struct board *board)
{
	struct board_fake *b = board_fake_lock(board);
	struct msi new = { .open = true, .fd = -1 };

	if (b->refuse & BOARD_REFUSE_MSI)
		return board_fake_unlock(b, -ENOSPC);
	EACH(b->msis, struct msi, m)
	if (!m->open) {
		*m = new;
		return board_fake_unlock(b, (int)INDEX(b->msis, m));
	}
	g_array_append_val(b->msis, new);
	return board_fake_unlock(b, (int)b->msis->len - 1);
}

static void msi_close(struct board *board, int msi)
{
	struct board_fake *b = board_fake_lock(board);
	struct msi *m = msi_of(b, msi);

	if (m->fd >= 0)
		board_bug(b, "message %d is closed while it is attached", msi);
	m->open = false;
	board_fake_unlock(b, 0);
}

static int msi_route(struct board *board, int msi, uint64_t addr, uint32_t data)
{
	struct board_fake *b = board_fake_lock(board);
	struct msi *m = msi_of(b, msi);

	if (b->refuse & BOARD_REFUSE_ROUTE)
		return board_fake_unlock(b, -EINVAL);
	m->addr = addr;
	m->data = data;
	return board_fake_unlock(b, 0);
}

static int msi_attach(struct board *board, int msi, int fd, bool add)
{
	struct board_fake *b = board_fake_lock(board);
	struct msi *m = msi_of(b, msi);

	if (add ? m->fd >= 0 : m->fd != fd)
		board_bug(b, "message %d is %s twice", msi, add ? "attached" : "detached");
	if (add && b->refuse & BOARD_REFUSE_ATTACH)
		return board_fake_unlock(b, -ENOSPC);
	m->fd = add ? fd : -1;
	return board_fake_unlock(b, 0);
}

static const struct board_ops ops = {
	.region_add = region_add,
	.region_del = region_del,
	.doorbell = board_fake_doorbell,
	.regpage = board_fake_regpage,
	.irq_line = irq_line,
	.msi_open = msi_open,
	.msi_close = msi_close,
	.msi_route = msi_route,
	.msi_attach = msi_attach,
};

/*
 * The guest's accesses.
 */

static bool find_region(struct board_fake *b, bool io, uint64_t addr, unsigned len,
			struct board_region *ret)
{
	EACH(b->regions, region_ref, w)
	if ((*w)->io == io && addr >= (*w)->base && addr - (*w)->base < (*w)->size &&
	    len <= (*w)->size - (addr - (*w)->base)) {
		*ret = **w;
		return true;
	}
	return false;
}

static bool read_regpage(struct board_fake *b, uint64_t addr, unsigned len, uint64_t *ret)
{
	EACH(b->regpages, struct regpage, s)
	if (addr >= s->addr && addr - s->addr < PAGE && len <= PAGE - (addr - s->addr)) {
		const uint8_t *at = (const uint8_t *)s->page + (addr - s->addr);

		*ret = 0;
		if (len == 4 && addr % 4 == 0)
			*ret = __atomic_load_n((const uint32_t *)(const void *)at,
					       __ATOMIC_ACQUIRE);
		else
			for (unsigned i = 0; i < len; i++)
				*ret |= (uint64_t)__atomic_load_n(at + i, __ATOMIC_ACQUIRE)
					<< (8 * i);
		return true;
	}
	return false;
}

static uint64_t board_fake_mask(unsigned len)
{
	return len >= 8 ? UINT64_MAX : (1ull << (8 * len)) - 1;
}

uint64_t board_fake_read(struct board_fake *b, bool io, uint64_t addr, unsigned len)
{
	struct board_region w;
	uint64_t value = UINT64_MAX;
	bool found;

	board_fake_lock(&b->board);
	if (!io && read_regpage(b, addr, len, &value)) {
		b->counts.regpage_reads++;
		board_fake_unlock(b, 0);
		return value;
	}
	b->counts.reads++;
	found = find_region(b, io, addr, len, &w);
	board_fake_unlock(b, 0);
	if (found && w.read)
		value = w.read(w.opaque, addr - w.base, len);
	value &= board_fake_mask(len);
	TELL(b, "guest: %u bytes at %s%#lx read as %#lx", len, io ? "port " : "", addr, value);
	return value;
}

static bool ring_doorbell(struct board_fake *b, bool io, uint64_t addr, unsigned len,
			  uint64_t value)
{
	EACH(b->doorbells, struct board_doorbell, d)
	if (d->io == io && d->addr == addr && (d->len == 0 || d->len == len) &&
	    (!d->has_match || d->match == value)) {
		b->counts.doorbells++;
		b->env->signal(d->fd);
		return true;
	}
	return false;
}

void board_fake_write(struct board_fake *b, bool io, uint64_t addr, unsigned len, uint64_t value)
{
	struct board_region w;
	bool found;

	value &= board_fake_mask(len);
	TELL(b, "guest: writes %#lx, %u bytes, to %s%#lx", value, len, io ? "port " : "", addr);
	board_fake_lock(&b->board);
	if (ring_doorbell(b, io, addr, len, value)) {
		board_fake_unlock(b, 0);
		return;
	}
	b->counts.writes++;
	found = find_region(b, io, addr, len, &w);
	board_fake_unlock(b, 0);
	if (found && w.write)
		w.write(w.opaque, addr - w.base, len, value);
}

/*
 * Interrupts.
 */

static void board_fake_record(struct board_fake *b, const struct msi *m)
{
	struct message new = { m->addr, m->data, 1 };

	EACH(b->messages, struct message, have)
	if (have->addr == m->addr && have->data == m->data) {
		have->count++;
		return;
	}
	g_array_append_val(b->messages, new);
}

/* What has come; how many. */
static unsigned board_fake_collect(struct board_fake *b)
{
	unsigned n = 0;

	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	if (b->env->take(l->fd)) {
		l->edges++;
		l->level = l->resample_fd >= 0;
		TELL(b, "board: interrupt line %u", l->gsi);
		n++;
	}
	EACH(b->msis, struct msi, m)
	if (m->fd >= 0 && b->env->take(m->fd)) {
		board_fake_record(b, m);
		TELL(b, "board: message %#x to %#lx", m->data, m->addr);
		n++;
	}
	board_fake_unlock(b, 0);
	return n;
}

unsigned board_fake_interrupts(struct board_fake *b)
{
	unsigned n = board_fake_collect(b);

	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	l->edges = 0;
	g_array_set_size(b->messages, 0);
	board_fake_unlock(b, 0);
	return n;
}

unsigned board_fake_take_edges(struct board_fake *b, unsigned gsi)
{
	unsigned edges = 0;

	board_fake_collect(b);
	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	if (l->gsi == gsi) {
		edges += l->edges;
		l->edges = 0;
	}
	board_fake_unlock(b, 0);
	return edges;
}

bool board_fake_level(struct board_fake *b, unsigned gsi)
{
	bool level = false;

	board_fake_collect(b);
	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	level |= l->gsi == gsi && l->level;
	board_fake_unlock(b, 0);
	return level;
}

void board_fake_eoi(struct board_fake *b, unsigned gsi)
{
	board_fake_collect(b);
	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	if (l->gsi == gsi && l->resample_fd >= 0) {
		l->level = false;
		b->env->signal(l->resample_fd);
	}
	board_fake_unlock(b, 0);
}

void board_fake_eoi_all(struct board_fake *b)
{
	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	if (l->level) {
		l->level = false;
		b->env->signal(l->resample_fd);
	}
	board_fake_unlock(b, 0);
}

unsigned board_fake_take_msi(struct board_fake *b, uint64_t addr, uint32_t data)
{
	unsigned count = 0;

	board_fake_collect(b);
	board_fake_lock(&b->board);
	EACH(b->messages, struct message, m)
	if (m->addr == addr && m->data == data) {
		count = m->count;
		m->count = 0;
	}
	board_fake_unlock(b, 0);
	return count;
}

/*
 * Looking, and life.
 */

struct board_fake_counts board_fake_counts(struct board_fake *b)
{
	return b->counts;
}

unsigned board_fake_n_doorbells(struct board_fake *b)
{
	return b->doorbells->len;
}

bool board_fake_has_regpage(struct board_fake *b, uint64_t addr)
{
	bool found = false;

	board_fake_lock(&b->board);
	EACH(b->regpages, struct regpage, s)
	found |= s->addr == addr;
	board_fake_unlock(b, 0);
	return found;
}

bool board_fake_has_irq_line(struct board_fake *b, unsigned gsi)
{
	bool found = false;

	board_fake_lock(&b->board);
	EACH(b->irq_lines, struct irq_line, l)
	found |= l->gsi == gsi;
	board_fake_unlock(b, 0);
	return found;
}

void board_fake_refuse(struct board_fake *b, unsigned what)
{
	b->refuse = what;
}

struct board *board_fake_board(struct board_fake *b)
{
	return &b->board;
}

struct board_fake *board_fake_make(const struct board_fake_env *env, bool regpage_too)
{
	struct board_fake *b = g_new0(struct board_fake, 1);

	b->board.ops = &ops;
	b->env = env;
	b->has_regpages = regpage_too;
	pthread_mutex_init(&b->lock, NULL);
	b->regions = g_array_new(FALSE, FALSE, sizeof(struct board_region *));
	b->doorbells = g_array_new(FALSE, FALSE, sizeof(struct board_doorbell));
	b->irq_lines = g_array_new(FALSE, FALSE, sizeof(struct irq_line));
	b->msis = g_array_new(FALSE, FALSE, sizeof(struct msi));
	b->messages = g_array_new(FALSE, FALSE, sizeof(struct message));
	b->regpages = g_array_new(FALSE, FALSE, sizeof(struct regpage));
	return b;
}

void board_fake_free(struct board_fake *b)
{
	if (!b)
		return;
	if (b->regions->len || b->doorbells->len || b->irq_lines->len || b->regpages->len)
		board_bug(
			b,
			"the transport left %u regions, %u doorbells, %u irq lines, %u register pages",
			b->regions->len, b->doorbells->len, b->irq_lines->len, b->regpages->len);
	EACH(b->msis, struct msi, m)
	if (m->open)
		board_bug(b, "the transport left message %u open", INDEX(b->msis, m));
	g_array_unref(b->regions);
	g_array_unref(b->doorbells);
	g_array_unref(b->irq_lines);
	g_array_unref(b->msis);
	g_array_unref(b->messages);
	g_array_unref(b->regpages);
	pthread_mutex_destroy(&b->lock);
	g_free(b);
}
