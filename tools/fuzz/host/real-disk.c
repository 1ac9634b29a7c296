/*
 * "real": the project's own disk, on a file in memory. Requests to it end in their own time, which
 * with aio=sync is at once, or in one of the next turns of the loop: fuzz.mk makes turns and pieces
 * so small that a few blocks are more than one turn holds.
 *
 * It is watched at the seam: a channel that is asked to stop may make no system call for a request
 * any more. What a guest may have in flight has no end, so that would have none, either.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "devices/backend/blk/file.h"
#include "tools/fuzz/host/fakes-int.h"
#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/language/trace.h"

struct watched_disk {
	struct blk_backend base;
	struct blk_backend *real;
};

struct watched_channel {
	struct blk_channel base;
	struct blk_channel *real;
	unsigned calls; /* of all disks, when it was asked to stop */
};

static struct blk_channel *real_of(struct blk_channel *ch)
{
	return ((struct watched_channel *)ch)->real;
}

static void check_calls(const struct watched_channel *w, const char *where)
{
	unsigned n = host_disk_calls() - w->calls;

	if (n)
		fuzz_bug("disk: %u system calls for requests in %s(), after it was asked to stop",
			 n, where);
}

static void watched_submit(struct blk_channel *ch, struct blk_io *io)
{
	real_of(ch)->ops->submit(real_of(ch), io);
}

static void watched_flush(struct blk_channel *ch)
{
	real_of(ch)->ops->flush(real_of(ch));
}

static bool watched_stop(struct blk_channel *ch)
{
	struct watched_channel *w = (struct watched_channel *)ch;
	bool stopped;

	w->calls = host_disk_calls();
	stopped = w->real->ops->stop(w->real);
	check_calls(w, "stop");
	return stopped;
}

static struct blk_io *watched_undone(struct blk_channel *ch)
{
	return real_of(ch)->ops->undone(real_of(ch));
}

static void watched_free(struct blk_channel *ch)
{
	struct watched_channel *w = (struct watched_channel *)ch;

	w->real->ops->free(w->real);
	check_calls(w, "free");
	g_free(w);
}

static const struct blk_channel_ops channel_ops = { .submit = watched_submit,
						    .flush = watched_flush,
						    .stop = watched_stop,
						    .undone = watched_undone,
						    .free = watched_free };

static struct blk_channel *watched_channel_new(struct blk_backend *be,
					       const struct blk_owner *owner)
{
	struct watched_channel *w = g_new0(struct watched_channel, 1);
	struct blk_backend *real = ((struct watched_disk *)be)->real;

	w->base.ops = &channel_ops;
	w->real = real->ops->channel_new(real, owner);
	return &w->base;
}

static void watched_close(struct blk_backend *be)
{
	struct watched_disk *w = (struct watched_disk *)be;

	w->real->ops->close(w->real);
	g_free(w);
}

static const struct blk_backend_ops backend_ops = { .channel_new = watched_channel_new,
						    .close = watched_close };

struct blk_backend *real_disk_new(const struct blk_file_options *o, GError **err)
{
	struct blk_file_options real = *o;
	struct watched_disk *w;
	int fd = memfd_create("disk", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

	real.path = path;
	if (fd < 0 || !fakes_take_file(fd))
		return NULL;
	fake_file_begin(fd);
	w = g_new0(struct watched_disk, 1);
	w->real = fakes_real_blk_file_open(&real, err);
	if (!w->real) {
		g_free(w);
		return NULL;
	}
	w->base.ops = &backend_ops;
	w->base.syscalls = w->real->syscalls;
	w->base.info = w->real->info;
	return &w->base;
}

/* All zeroes, and nothing to be seen of who wrote to it. */
void fake_file_begin(int fd)
{
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, FAKE_DISK_BYTES) < 0)
		fuzz_bug("disk: a file in memory cannot be truncated");
}
