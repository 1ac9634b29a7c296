/*
 * KVM takes the interrupt routing table as a whole, so it is kept here: the pins of the
 * interrupt controllers as KVM itself wires them, then one entry for each MSI message that has an
 * address. MSI handles are the numbers of those entries' GSIs, beyond the pins.
 */
#include "vmm/kvm/board.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "vmm/kvm/arch.h"

#define REGPAGE_SIZE 4096u

struct msi {
	bool open, routed;
	uint64_t addr;
	uint32_t data;
};

struct regpage {
	uint64_t addr;
	unsigned slot;
	bool used;
};

struct board_kvm {
	struct board board;
	struct kvm *kvm;
	struct bus *bus;
	unsigned first_slot;

	pthread_mutex_t lock; /* of all below */
	GArray *msis;         /* struct msi; GSI is kvm_n_gsis + index */
	GArray *regpages;     /* struct regpage */
};

static struct board_kvm *board_kvm_of(struct board *board)
{
	return (struct board_kvm *)((char *)board - offsetof(struct board_kvm, board));
}

/*
 * Regions and doorbells.
 */
static int board_kvm_region_add(struct board *board, struct board_region *w)
{
	return bus_add(board_kvm_of(board)->bus, w);
}

static void board_kvm_region_del(struct board *board, struct board_region *w)
{
	bus_del(board_kvm_of(board)->bus, w);
}

static int board_kvm_doorbell(struct board *board, const struct board_doorbell *doorbell, bool add)
{
	struct kvm *kvm = board_kvm_of(board)->kvm;
	struct kvm_ioeventfd io = {
		.datamatch = doorbell->match,
		.addr = doorbell->addr,
		.len = doorbell->len,
		.fd = doorbell->fd,
		.flags = (doorbell->has_match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0u) |
			 (doorbell->io ? KVM_IOEVENTFD_FLAG_PIO : 0u) |
			 (add ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (!doorbell->len && !kvm->any_length_doorbells)
		return -ENOTSUP;
	return kvm_set_ioeventfd(kvm, &io);
}

/*
 * Cached register pages: read-only memory slots.
 */
static struct regpage *find_regpage(struct board_kvm *b, uint64_t addr)
{
	for (guint i = 0; i < b->regpages->len; i++) {
		struct regpage *s = &g_array_index(b->regpages, struct regpage, i);

		if (s->used && s->addr == addr)
			return s;
	}
	return NULL;
}

/* A record with a memory slot of its own; NULL when KVM has no more. */
static struct regpage *free_regpage(struct board_kvm *b)
{
	struct regpage fresh = { .slot = b->first_slot + b->regpages->len };

	for (guint i = 0; i < b->regpages->len; i++) {
		struct regpage *s = &g_array_index(b->regpages, struct regpage, i);

		if (!s->used)
			return s;
	}
	if (fresh.slot >= b->kvm->max_slots)
		return NULL;
	g_array_append_val(b->regpages, fresh);
	return &g_array_index(b->regpages, struct regpage, b->regpages->len - 1);
}

static int regpage_set(struct board_kvm *b, uint64_t addr, const void *page)
{
	struct regpage *s = find_regpage(b, addr);
	struct kvm_slot slot = { .gpa = addr, .hva = (void *)page, .readonly = true };
	int ret;

	if (s && page)
		return -EEXIST;
	if (!s && !page)
		return 0;
	if (!s)
		s = free_regpage(b);
	if (!s)
		return -ENOTSUP;
	slot.n = s->slot;
	slot.len = page ? REGPAGE_SIZE : 0;
	ret = kvm_set_slot(b->kvm, &slot);
	if (ret < 0)
		return ret;
	s->used = page != NULL;
	s->addr = addr;
	return 0;
}

static int board_kvm_regpage(struct board *board, uint64_t addr, const void *page)
{
	struct board_kvm *b = board_kvm_of(board);
	int ret;

	if (!b->kvm->readonly_slots)
		return -ENOTSUP;
	pthread_mutex_lock(&b->lock);
	ret = regpage_set(b, addr, page);
	pthread_mutex_unlock(&b->lock);
	return ret;
}

/*
 * Interrupts.
 */
static int board_kvm_irq_line(struct board *board, unsigned gsi, int fd, int resample_fd, bool add)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)fd, .gsi = gsi };

	if (!add)
		irq.flags = KVM_IRQFD_FLAG_DEASSIGN;
	else if (resample_fd >= 0) {
		irq.flags = KVM_IRQFD_FLAG_RESAMPLE;
		irq.resamplefd = (uint32_t)resample_fd;
	}
	return kvm_set_irqfd(board_kvm_of(board)->kvm, &irq);
}

static void add_msi(struct kvm_irq_routing *table, unsigned gsi, const struct msi *msi)
{
	struct kvm_irq_routing_entry *e = &table->entries[table->nr++];

	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_MSI;
	e->u.msi.address_lo = (uint32_t)msi->addr;
	e->u.msi.address_hi = (uint32_t)(msi->addr >> 32);
	e->u.msi.data = msi->data;
}

/* With the lock held. */
static int send_routes(struct board_kvm *b)
{
	size_t max = kvm_n_pin_routes + b->msis->len;
	g_autofree struct kvm_irq_routing *table =
		g_malloc0(sizeof(*table) + max * sizeof(table->entries[0]));

	kvm_add_pin_routes(table);
	for (guint i = 0; i < b->msis->len; i++) {
		const struct msi *msi = &g_array_index(b->msis, struct msi, i);

		if (msi->routed)
			add_msi(table, kvm_n_gsis + i, msi);
	}
	return kvm_set_routing(b->kvm, table);
}

static struct msi *find_msi(struct board_kvm *b, int handle)
{
	guint i = (guint)handle - kvm_n_gsis;

	g_assert(i < b->msis->len);
	return &g_array_index(b->msis, struct msi, i);
}

static int board_kvm_msi_open(struct board *board)
{
	struct board_kvm *b = board_kvm_of(board);
	struct msi fresh = { .open = true };
	int ret = -ENOSPC;

	pthread_mutex_lock(&b->lock);
	for (guint i = 0; i < b->msis->len && ret < 0; i++)
		if (!g_array_index(b->msis, struct msi, i).open) {
			g_array_index(b->msis, struct msi, i) = fresh;
			ret = (int)(kvm_n_gsis + i);
		}
	if (ret < 0 && kvm_n_gsis + b->msis->len < b->kvm->max_routes) {
		g_array_append_val(b->msis, fresh);
		ret = (int)(kvm_n_gsis + b->msis->len - 1);
	}
	pthread_mutex_unlock(&b->lock);
	return ret;
}

static void board_kvm_msi_close(struct board *board, int handle)
{
	struct board_kvm *b = board_kvm_of(board);
	struct msi *msi;
	bool routed;

	pthread_mutex_lock(&b->lock);
	msi = find_msi(b, handle);
	routed = msi->routed;
	*msi = (struct msi){ 0 };
	if (routed)
		(void)send_routes(b); /* a smaller table than one it took: cannot be refused */
	pthread_mutex_unlock(&b->lock);
}

static int board_kvm_msi_route(struct board *board, int handle, uint64_t addr, uint32_t data)
{
	struct board_kvm *b = board_kvm_of(board);
	struct msi *msi, old;
	int ret = 0;

	pthread_mutex_lock(&b->lock);
	msi = find_msi(b, handle);
	old = *msi;
	if (!old.routed || old.addr != addr || old.data != data) {
		*msi = (struct msi){ .open = true, .routed = true, .addr = addr, .data = data };
		ret = send_routes(b);
		if (ret < 0)
			*msi = old;
	}
	pthread_mutex_unlock(&b->lock);
	return ret;
}

static int board_kvm_msi_attach(struct board *board, int handle, int fd, bool add)
{
	struct kvm_irqfd irq = {
		.fd = (uint32_t)fd,
		.gsi = (uint32_t)handle,
		.flags = add ? 0u : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return kvm_set_irqfd(board_kvm_of(board)->kvm, &irq);
}

static const struct board_ops ops = {
	.region_add = board_kvm_region_add,
	.region_del = board_kvm_region_del,
	.doorbell = board_kvm_doorbell,
	.regpage = board_kvm_regpage,
	.irq_line = board_kvm_irq_line,
	.msi_open = board_kvm_msi_open,
	.msi_close = board_kvm_msi_close,
	.msi_route = board_kvm_msi_route,
	.msi_attach = board_kvm_msi_attach,
};

struct board_kvm *board_kvm_new(struct kvm *kvm, struct bus *bus, unsigned first_slot)
{
	struct board_kvm *b = g_new0(struct board_kvm, 1);

	b->board.ops = &ops;
	b->kvm = kvm;
	b->bus = bus;
	b->first_slot = first_slot;
	pthread_mutex_init(&b->lock, NULL);
	b->msis = g_array_new(FALSE, TRUE, sizeof(struct msi));
	b->regpages = g_array_new(FALSE, TRUE, sizeof(struct regpage));
	return b;
}

void board_kvm_free(struct board_kvm *b)
{
	if (!b)
		return;
	g_array_unref(b->msis);
	g_array_unref(b->regpages);
	pthread_mutex_destroy(&b->lock);
	g_free(b);
}

struct board *board_kvm_board(struct board_kvm *b)
{
	return &b->board;
}
