/*
 * The board: what the function asks of its surroundings, by way of the client. (transport/board.h)
 *
 * Regions and doorbells: nothing. Accesses come as messages that say which BAR they are of.
 *
 * MSI-X: the function interrupts by writing to an eventfd of its own for each vector. While a
 * vector is attached, the client's eventfd takes its place under the same number (dup3()), so
 * whoever interrupts needs no lock and wakes the client at once; otherwise it is one that nobody
 * reads, and what is written there is the pending bit, as pci/msix.h has it.
 *
 * INTx: the line is level-triggered, and the client's interrupt masks itself (VFIO's automasked):
 * it is told once, and again when it has unmasked the line and the function still asserts it. That
 * is the function's resample descriptor's way, so nothing of the level is kept here.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vfio-user/impl.h"

static struct vfu_board *vfu_board_of(struct board *board)
{
	return (struct vfu_board *)board;
}

static int vfu_region_add(struct board *board, struct board_region *region)
{
	(void)board;
	(void)region;
	return 0;
}

static void vfu_region_del(struct board *board, struct board_region *region)
{
	(void)board;
	(void)region;
}

static int vfu_no_doorbell(struct board *board, const struct board_doorbell *doorbell, bool add)
{
	(void)board;
	(void)doorbell;
	(void)add;
	return -ENOTSUP;
}

static int vfu_no_regpage(struct board *board, uint64_t addr, const void *page)
{
	(void)board;
	(void)addr;
	(void)page;
	return -ENOTSUP;
}

static bool vfu_take(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

/*
 * MSI-X.
 */

/* Puts @with in the place of the vector's eventfd, and what was pending there goes with it. */
static void vfu_place(struct vfu_board *b, const struct vfu_vector *v, int with)
{
	bool pending = vfu_take(v->fd);

	(void)dup3(with, v->fd, O_CLOEXEC);
	if (pending)
		eventfd_signal(v->fd);
	b->calls_moved = true;
}

/* The client's is the vector's no more; of what it has not read yet, nothing is ours. */
static void vfu_displace(struct vfu_board *b, const struct vfu_vector *v)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return;
	(void)dup3(fd, v->fd, O_CLOEXEC);
	close(fd);
	b->calls_moved = true;
}

static int vfu_msi_open(struct board *board)
{
	struct vfu_board *b = vfu_board_of(board);

	if (b->n_vectors == VFU_VECTORS_MAX)
		return -ENOSPC;
	b->vector[b->n_vectors] = (struct vfu_vector){ true, -1, -1 };
	return (int)b->n_vectors++;
}

static void vfu_msi_close(struct board *board, int msi)
{
	struct vfu_board *b = vfu_board_of(board);

	eventfd_close(&b->vector[msi].given);
	b->vector[msi].open = false;
}

/* Messages are the client's to compose. */
static int vfu_msi_route(struct board *board, int msi, uint64_t addr, uint32_t data)
{
	(void)board;
	(void)msi;
	(void)addr;
	(void)data;
	return 0;
}

static int vfu_msi_attach(struct board *board, int msi, int fd, bool add)
{
	struct vfu_board *b = vfu_board_of(board);
	struct vfu_vector *v = &b->vector[msi];

	if (add) {
		v->fd = fd;
		if (v->given >= 0)
			vfu_place(b, v, v->given);
	} else {
		if (v->given >= 0)
			vfu_displace(b, v);
		v->fd = -1;
	}
	return 0;
}

void vfu_board_give_vector(struct vfu_board *b, unsigned vector, int fd)
{
	struct vfu_vector *v = &b->vector[vector];

	if (v->fd >= 0 && v->given >= 0)
		vfu_displace(b, v);
	eventfd_close(&v->given);
	v->given = fd;
	if (v->fd >= 0 && fd >= 0)
		vfu_place(b, v, fd);
}

/*
 * INTx.
 */
static void vfu_on_line(void *arg, GIOCondition revents)
{
	struct vfu_intx *x = arg;

	(void)revents;
	if (!vfu_take(x->line) || x->masked || x->given < 0)
		return;
	x->masked = true;
	eventfd_signal(x->given);
}

/* The line may be asserted, and nobody has been told. */
static void vfu_look_at_line(const struct vfu_intx *x)
{
	if (x->line >= 0 && !x->masked && x->given >= 0)
		eventfd_signal(x->resample);
}

static int vfu_irq_line(struct board *board, unsigned gsi, int fd, int resample_fd, bool add)
{
	struct vfu_board *b = vfu_board_of(board);
	struct vfu_intx *x = &b->intx;

	(void)gsi;
	loop_unwatch(g_steal_pointer(&x->line_watch));
	x->line = add ? fd : -1;
	x->resample = add ? resample_fd : -1;
	if (add)
		x->line_watch = loop_watch(b->main, fd, G_IO_IN, vfu_on_line, x);
	return 0;
}

void vfu_board_mask_intx(struct vfu_board *b, bool masked)
{
	b->intx.masked = masked;
	vfu_look_at_line(&b->intx);
}

static void vfu_on_unmask(void *arg, GIOCondition revents)
{
	struct vfu_board *b = arg;

	(void)revents;
	if (vfu_take(b->intx.unmask))
		vfu_board_mask_intx(b, false);
}

void vfu_board_give_intx(struct vfu_board *b, int fd)
{
	eventfd_close(&b->intx.given);
	b->intx.given = fd;
	vfu_board_mask_intx(b, false);
}

void vfu_board_give_unmask(struct vfu_board *b, int fd)
{
	struct vfu_intx *x = &b->intx;

	loop_unwatch(g_steal_pointer(&x->unmask_watch));
	eventfd_close(&x->unmask);
	x->unmask = fd;
	if (fd >= 0)
		x->unmask_watch = loop_watch(b->main, fd, G_IO_IN, vfu_on_unmask, b);
}

/*
 * Life.
 */
static const struct board_ops vfu_board_ops = {
	.region_add = vfu_region_add,
	.region_del = vfu_region_del,
	.doorbell = vfu_no_doorbell,
	.regpage = vfu_no_regpage,
	.irq_line = vfu_irq_line,
	.msi_open = vfu_msi_open,
	.msi_close = vfu_msi_close,
	.msi_route = vfu_msi_route,
	.msi_attach = vfu_msi_attach,
};

void vfu_board_init(struct vfu_board *b, struct loop *main)
{
	*b = (struct vfu_board){
		.board = { &vfu_board_ops },
		.main = main,
		.intx = { .line = -1, .resample = -1, .given = -1, .unmask = -1 },
	};
}

void vfu_board_clear(struct vfu_board *b)
{
	for (unsigned v = 0; v < b->n_vectors; v++)
		vfu_board_give_vector(b, v, -1);
	vfu_board_give_intx(b, -1);
	vfu_board_give_unmask(b, -1);
}
