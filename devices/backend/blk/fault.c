/*
 * fault: every Nth request to a disk fails, whatever it asks for and whichever queue it came by.
 * The disk behind never sees it, so nothing of it takes place.
 *
 * A request that was not begun when its queue stopped, and is given again when it goes on, counts
 * again.
 */
#include <errno.h>
#include <stdatomic.h>

#include "devices/backend/blk/wrap.h"
#include "devices/backend/spec.h"

struct fault_options {
	uint32_t every;
	unsigned error; /* index into errors */
};

static const char *const error_names[] = { "EIO", "ENOSPC", "EOPNOTSUPP", "ETIMEDOUT", NULL };
static const int errors[] = { EIO, ENOSPC, EOPNOTSUPP, ETIMEDOUT };
G_STATIC_ASSERT(G_N_ELEMENTS(error_names) == G_N_ELEMENTS(errors) + 1);

static const struct prop fault_props[] = {
	{ "every", PROP_U32, offsetof(struct fault_options, every), "1", .min = 1,
	  .max = UINT32_MAX, .help = "this request of so many fails" },
	{ "error", PROP_ENUM, offsetof(struct fault_options, error), "EIO", .choices = error_names,
	  .help = "as if the host had answered so" },
	{ 0 },
};

struct fault {
	struct blk_wrap wrap;
	uint32_t every;
	int result;
	_Atomic uint64_t count; /* of requests, of all channels */
};

static void fault_submit(struct blk_channel *base, struct blk_io *io)
{
	struct blk_wrap_channel *ch = (struct blk_wrap_channel *)base;
	struct fault *f = (struct fault *)ch->wrap;
	uint64_t n;

	if (ch->stopped) {
		blk_wrap_submit(base, io);
		return;
	}
	n = atomic_fetch_add_explicit(&f->count, 1, memory_order_relaxed) + 1;
	if (n % f->every == 0)
		io->done(io, f->result);
	else
		blk_wrap_submit(base, io);
}

static const struct blk_channel_ops fault_channel_ops = {
	.submit = fault_submit,
	.flush = blk_wrap_flush,
	.stop = blk_wrap_stop,
	.undone = blk_wrap_undone,
	.free = blk_wrap_free,
};

static struct blk_backend *fault_blk(struct blk_backend *next, const void *options)
{
	const struct fault_options *o = options;
	struct fault *f = g_new0(struct fault, 1);

	f->every = o->every;
	f->result = -errors[o->error];
	blk_wrap_init(&f->wrap, next, &fault_channel_ops);
	return &f->wrap.base;
}

extern const struct backend_wrapper fault_wrapper;
const struct backend_wrapper fault_wrapper = {
	.name = "fault",
	.help = "every Nth request fails, and the disk behind never sees it",
	.size = sizeof(struct fault_options),
	.props = fault_props,
	.blk = fault_blk,
};
