#include "tests/support/blk-disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

char *disk_new_file(bool in_memory, uint64_t size)
{
	g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *here = g_path_get_dirname(program);
	char *path = g_strdup_printf("%s/blk-XXXXXX", in_memory ? "/dev/shm" : here);
	int fd = g_mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return path;
}

static struct loop *blk_disk_worker(void *opaque)
{
	struct disk *d = opaque;

	assert_null(d->worker);
	d->worker = loop_new("worker");
	loop_start(d->worker, NULL, NULL);
	return d->worker;
}

static struct blk_backend *open_path(const char *path, const struct disk_variant *v, bool ro,
				     struct disk *d, GError **err)
{
	g_autofree char *what = g_strdup_printf("--device blk,path=%s", path);
	struct blk_file_options o = {
		.path = path,
		.what = what,
		.ro = ro,
		.direct = v->direct,
		.aio = v->aio,
		.worker = v->worker ? blk_disk_worker : NULL,
		.opaque = d,
	};

	return blk_file_open(&o, err);
}

struct blk_backend *disk_open_path(const char *path, const struct disk_variant *v, bool ro,
				   GError **err)
{
	return open_path(path, v, ro, NULL, err);
}

/*
 * The channel.
 */
static void batch_done(void *arg)
{
	((struct disk *)arg)->batches++;
}

static void blk_disk_stopped(void *arg)
{
	((struct disk *)arg)->stopped++;
}

struct blk_channel *disk_channel(struct disk *d)
{
	d->owner = (struct blk_owner){ d->loop, batch_done, blk_disk_stopped, d };
	d->stopped = 0;
	return d->be->ops->channel_new(d->be, &d->owner);
}

struct blk_io *disk_stop(struct disk *d)
{
	if (!d->ch->ops->stop(d->ch)) {
		assert_int_equal(d->stopped, 0);
		while (!d->stopped)
			g_main_context_iteration(loop_context(d->loop), TRUE);
		assert_int_equal(d->stopped, 1);
	}
	return d->ch->ops->undone(d->ch);
}

void disk_free_channel(struct disk *d)
{
	assert_null(disk_stop(d));
	d->ch->ops->free(d->ch);
	d->ch = NULL;
}

struct disk *disk_open(const struct disk_variant *v, uint64_t size)
{
	struct disk *d = g_new0(struct disk, 1);
	GError *err = NULL;

	d->is_file = !v->device;
	d->path = v->device ? g_strdup(v->device) : disk_new_file(v->in_memory, size);
	d->fd = open(d->path, O_RDWR | O_CLOEXEC);
	d->be = open_path(d->path, v, false, d, &err);
	if (!d->be) {
		fail_msg("%s: %s", v->name, err->message);
		abort(); /* that does not return, but does not say so either */
	}
	if (v->worker)
		assert_int_equal(d->be->ops->prepare(d->be, 4), 0);
	d->loop = loop_main();
	d->ch = disk_channel(d);
	return d;
}

void disk_close(struct disk *d)
{
	if (d->ch)
		disk_free_channel(d);
	d->be->ops->close(d->be);
	loop_free(d->worker);
	loop_free(d->loop);
	close(d->fd);
	if (d->is_file)
		unlink(d->path);
	g_free(d->path);
	g_free(d);
}

static void blk_disk_done(struct blk_io *io, int result)
{
	struct disk_request *r = (struct disk_request *)io;

	r->n_done++;
	r->result = result;
	if (r->then)
		disk_submit(r->disk, r->then);
}

void disk_submit(struct disk *d, struct disk_request *r)
{
	r->disk = d;
	r->io.done = blk_disk_done;
	d->ch->ops->submit(d->ch, &r->io);
}

int disk_wait(struct disk *d, struct disk_request *r)
{
	d->ch->ops->flush(d->ch);
	while (!r->n_done) {
		unsigned before = d->batches;

		g_main_context_iteration(loop_context(d->loop), TRUE);
		assert_true(!r->n_done || d->batches > before);
	}
	assert_int_equal(r->n_done, 1);
	return r->result;
}

int disk_run(struct disk *d, struct blk_io io)
{
	struct disk_request r = { .io = io };

	disk_submit(d, &r);
	return disk_wait(d, &r);
}

int disk_rw(struct disk *d, enum blk_op op, uint64_t offset, void *buf, size_t len)
{
	struct iovec v = { buf, len };

	return disk_run(d, (struct blk_io){
				   .op = op, .iov = &v, .n_iov = 1, .offset = offset, .len = len });
}

int disk_range(struct disk *d, enum blk_op op, unsigned flags, uint64_t offset, uint64_t len)
{
	return disk_run(d,
			(struct blk_io){ .op = op, .flags = flags, .offset = offset, .len = len });
}

uint8_t *disk_buffer(size_t len)
{
	void *p = NULL;

	assert_int_equal(posix_memalign(&p, 4096, len), 0);
	return p;
}

void disk_pattern(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((i * 31 + i / 251 + seed) | 1); /* never 0 */
}

unsigned disk_cut(uint8_t *base, size_t len, size_t most, struct iovec *iov)
{
	unsigned n = 0;

	for (size_t at = 0, k = 1; at < len; n++, k = k % most + 1) {
		iov[n] = (struct iovec){ base + at, MIN(k, len - at) };
		at += iov[n].iov_len;
	}
	return n;
}
