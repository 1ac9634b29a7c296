#include <errno.h>
#include <string.h>

#include "devices/backend/blk/file.h"
#include "tools/fuzz/host/fakes-int.h"
#include "tools/fuzz/language/trace.h"

#define DISK_BYTES FAKE_DISK_BYTES
#define IN_HAND    4u /* requests of a channel at once */

struct fake_disk {
	struct blk_backend base;
	uint8_t bytes[DISK_BYTES];
	size_t dirty; /* bytes from the beginning that may not be zero */
	enum disk_policy policy;
	GArray *pending; /* of struct request, in order of submission */
	unsigned channels;
};

struct fake_channel {
	struct blk_channel base;
	struct fake_disk *disk;
	struct blk_owner owner;
	bool stopping; /* nothing is begun any more */
};

struct request {
	struct blk_io *io;
	struct fake_channel *ch;
	bool in_hand; /* begun: a channel that stops waits for its end */
};

static const char *const op_names[] = { "read", "write", "flush", "discard", "zero" };

/*
 * The contract.
 */
static void fake_disk_check(const struct fake_disk *d, const struct blk_io *io)
{
	uint64_t sum = 0;

	if (io->op > BLK_ZERO || !io->done)
		fuzz_bug("disk: a request of no kind");
	if (io->op == BLK_FLUSH)
		return;
	if (io->offset > d->base.info.size || io->len > d->base.info.size - io->offset)
		fuzz_bug("disk: %s at %#lx, %#lx bytes: beyond the end", op_names[io->op],
			 io->offset, io->len);
	if ((io->offset | io->len) % BLK_UNIT)
		fuzz_bug("disk: %s at %#lx, %#lx bytes: no whole blocks", op_names[io->op],
			 io->offset, io->len);
	if (d->base.info.ro && io->op != BLK_READ)
		fuzz_bug("disk: %s on a read-only disk", op_names[io->op]);
	for (unsigned i = 0; i < io->n_iov; i++)
		sum += io->iov[i].iov_len;
	if ((io->op == BLK_READ || io->op == BLK_WRITE) && sum != io->len)
		fuzz_bug("disk: %s of %#lx bytes with room for %#lx", op_names[io->op], io->len,
			 sum);
}

static void fake_disk_move(struct fake_disk *d, const struct blk_io *io)
{
	uint8_t *at = d->bytes + io->offset;

	for (unsigned i = 0; i < io->n_iov; i++) {
		if (io->op == BLK_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
}

static void fake_disk_end_io(struct fake_disk *d, struct blk_io *io, int result)
{
	trace("disk: %s at %#lx, %lu bytes: %s", op_names[io->op], io->offset, io->len,
	      result ? g_strerror(-result) : "done");
	if (result == 0 && (io->op == BLK_READ || io->op == BLK_WRITE))
		fake_disk_move(d, io);
	else if (result == 0 && io->op == BLK_ZERO)
		memset(d->bytes + io->offset, 0, io->len);
	if (io->op == BLK_WRITE)
		d->dirty = MAX(d->dirty, io->offset + io->len);
	io->done(io, result);
}

/*
 * A channel.
 */
static struct request *fake_disk_nth(const struct fake_disk *d, guint n)
{
	return &g_array_index(d->pending, struct request, n);
}

static unsigned in_hand(const struct fake_channel *ch)
{
	unsigned n = 0;

	for (guint i = 0; i < ch->disk->pending->len; i++)
		n += fake_disk_nth(ch->disk, i)->ch == ch && fake_disk_nth(ch->disk, i)->in_hand;
	return n;
}

static void fake_submit(struct blk_channel *base, struct blk_io *io)
{
	struct fake_channel *ch = (struct fake_channel *)base;
	struct fake_disk *d = ch->disk;
	const struct request r = { io, ch, false };

	fake_disk_check(d, io);
	if (!ch->stopping && (d->policy == DISK_AT_ONCE || d->policy == DISK_FAILS))
		fake_disk_end_io(d, io, d->policy == DISK_FAILS ? -EIO : 0);
	else
		g_array_append_val(d->pending, r);
}

static void end_nth(struct fake_disk *d, guint n, int result)
{
	struct blk_io *io = fake_disk_nth(d, n)->io;

	g_array_remove_index(d->pending, n);
	fake_disk_end_io(d, io, result);
}

/* The last one first: nobody was promised an order. */
static void end_all(struct fake_channel *ch)
{
	struct fake_disk *d = ch->disk;

	for (guint i = d->pending->len; i > 0; i = MIN(i - 1, d->pending->len))
		if (fake_disk_nth(d, i - 1)->ch == ch) {
			end_nth(d, i - 1, 0);
			i = d->pending->len + 1; /* it may have submitted another */
		}
}

/* A few are begun, the others wait for their ends. */
static void begin_some(struct fake_channel *ch)
{
	struct fake_disk *d = ch->disk;
	unsigned left = IN_HAND - MIN(in_hand(ch), IN_HAND);

	for (guint i = 0; i < d->pending->len && left; i++)
		if (fake_disk_nth(d, i)->ch == ch && !fake_disk_nth(d, i)->in_hand) {
			fake_disk_nth(d, i)->in_hand = true;
			left--;
		}
}

static void fake_flush(struct blk_channel *base)
{
	struct fake_channel *ch = (struct fake_channel *)base;

	if (ch->stopping)
		return;
	if (ch->disk->policy == DISK_AT_FLUSH)
		end_all(ch);
	else
		begin_some(ch);
}

/* On the loop, once it has its turn: of what the host had in hand every other request could be
 * cancelled. */
static void host_is_done(void *arg)
{
	struct fake_channel *ch = arg;
	struct fake_disk *d = ch->disk;

	for (guint i = d->pending->len; i > 0; i--) {
		struct request *r = fake_disk_nth(d, i - 1);

		if (r->ch != ch || !r->in_hand)
			continue;
		r->in_hand = false;
		if (i % 2)
			end_nth(d, i - 1, 0);
	}
	ch->owner.batch_done(ch->owner.arg);
	trace("disk: a channel has stopped");
	ch->owner.stopped(ch->owner.arg);
}

static bool fake_disk_stop(struct blk_channel *base)
{
	struct fake_channel *ch = (struct fake_channel *)base;

	if (ch->stopping)
		fuzz_bug("disk: a channel is stopped twice");
	ch->stopping = true;
	if (!in_hand(ch))
		return true;
	trace("disk: a channel stops, with %u requests in hand", in_hand(ch));
	loop_post(ch->owner.loop, host_is_done, ch);
	return false;
}

static struct blk_io *fake_undone(struct blk_channel *base)
{
	struct fake_channel *ch = (struct fake_channel *)base;
	struct fake_disk *d = ch->disk;
	struct blk_io *first = NULL;

	if (!ch->stopping || in_hand(ch))
		fuzz_bug("disk: what is undone is asked for, of a channel that has not stopped");
	for (guint i = d->pending->len; i > 0; i--)
		if (fake_disk_nth(d, i - 1)->ch == ch) {
			struct blk_io *io = fake_disk_nth(d, i - 1)->io;

			g_array_remove_index(d->pending, i - 1);
			io->next = first;
			first = io;
		}
	return first;
}

static void fake_free(struct blk_channel *base)
{
	struct fake_channel *ch = (struct fake_channel *)base;

	if (!ch->stopping)
		fuzz_bug("disk: a channel is freed that was not stopped");
	for (guint i = 0; i < ch->disk->pending->len; i++)
		if (fake_disk_nth(ch->disk, i)->ch == ch)
			fuzz_bug("disk: a channel is freed with requests in flight");
	ch->disk->channels--;
	g_free(ch);
}

static const struct blk_channel_ops channel_ops = { .submit = fake_submit,
						    .flush = fake_flush,
						    .stop = fake_disk_stop,
						    .undone = fake_undone,
						    .free = fake_free };

static struct blk_channel *fake_channel_new(struct blk_backend *be, const struct blk_owner *owner)
{
	struct fake_channel *ch = g_new0(struct fake_channel, 1);

	ch->base.ops = &channel_ops;
	ch->disk = (struct fake_disk *)be;
	ch->owner = *owner;
	ch->disk->channels++;
	return &ch->base;
}

/*
 * The input's part.
 */
void fake_disk_policy(struct fake_disk *d, enum disk_policy policy)
{
	d->policy = policy % N_DISK_POLICIES;
}

unsigned fake_disk_pending(const struct fake_disk *d)
{
	return d->pending->len;
}

void fake_disk_end(struct fake_disk *d, unsigned n, int result)
{
	struct fake_channel *ch;

	if (!d->pending->len)
		return;
	n %= d->pending->len;
	ch = fake_disk_nth(d, n)->ch;
	end_nth(d, n, -result);
	fake_flush(&ch->base);
	ch->owner.batch_done(ch->owner.arg);
}

void fake_disk_begin(struct fake_disk *d)
{
	if (d->pending->len || d->channels)
		fuzz_bug("disk: in use while no driver is there");
	memset(d->bytes, 0, d->dirty);
	d->dirty = 0;
	d->policy = DISK_AT_ONCE;
}

/*
 * Life.
 */
static void fake_disk_close(struct blk_backend *be)
{
	struct fake_disk *d = (struct fake_disk *)be;

	if (d->channels)
		fuzz_bug("disk: closed with %u channels", d->channels);
	fakes_forget(d);
	g_array_unref(d->pending);
	g_free(d);
}

/* Of any size up to what it has at first. */
static bool fake_disk_resize(struct blk_backend *be, uint64_t size, GError **err)
{
	const struct fake_disk *d = (struct fake_disk *)be;

	for (guint i = 0; i < d->pending->len; i++)
		if (g_array_index(d->pending, struct request, i).in_hand)
			fuzz_bug("disk: resized with a request in hand");
	if (!size || size > DISK_BYTES)
		return ringside_error_errno(err, EFBIG, "the fake disk");
	be->info.size = size;
	return true;
}

static const struct blk_backend_ops backend_ops = { .channel_new = fake_channel_new,
						    .close = fake_disk_close,
						    .resize = fake_disk_resize };

static struct blk_backend *fake_disk_new(const struct blk_file_options *o)
{
	struct fake_disk *d = g_new0(struct fake_disk, 1);

	d->base.ops = &backend_ops;
	d->base.info = (struct blk_info){ .size = DISK_BYTES,
					  .block_size = 512,
					  .block_phys = 4096,
					  .io_min = 4096,
					  .discard_align = 4096,
					  .ro = o->ro,
					  .discard = !o->ro };
	d->pending = g_array_new(FALSE, FALSE, sizeof(struct request));
	if (!fakes_take_disk(d)) {
		fake_disk_close(&d->base);
		return NULL;
	}
	return &d->base;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
struct blk_backend *__real_blk_file_open(const struct blk_file_options *o, GError **err);
struct blk_backend *__wrap_blk_file_open(const struct blk_file_options *o, GError **err);

struct blk_backend *fakes_real_blk_file_open(const struct blk_file_options *o, GError **err)
{
	return __real_blk_file_open(o, err);
}

struct blk_backend *__wrap_blk_file_open(const struct blk_file_options *o, GError **err)
{
	struct blk_backend *be = NULL;

	if (fakes_real_too() && strcmp(o->path, "real") == 0)
		return real_disk_new(o, err);
	if (strcmp(o->path, "missing") != 0)
		be = fake_disk_new(o);
	if (!be)
		ringside_error_errno(err, ENOENT, "%s", o->what);
	return be;
}
/* NOLINTEND(bugprone-reserved-identifier) */
