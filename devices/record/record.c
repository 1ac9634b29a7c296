#include "devices/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/record/record-int.h"

static uint64_t wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool write_header(struct recorder *r)
{
	struct record_header h = {
		.version = cpu_le32(RECORD_VERSION),
		.bytes = cpu_le32(sizeof(h)),
		.monotonic = cpu_le64(record_now()),
		.realtime = cpu_le64(wall_now()),
	};

	memcpy(h.magic, RECORD_MAGIC, sizeof(h.magic));
	h.check = cpu_le32(record_check(&h, offsetof(struct record_header, check)));
	r->offset = sizeof(h);
	return pwrite(r->fd, &h, sizeof(h), 0) == sizeof(h);
}

/* What is there is a record, or nothing: a disk that was named by mistake stays. */
static bool may_write_over(int fd, const char *context, const char *file, GError **err)
{
	char magic[sizeof(RECORD_MAGIC) - 1];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ringside_error_errno(err, errno, "%s %s", context, file);
	if (!S_ISREG(st.st_mode))
		return ringside_usage(err, "%s %s: not a regular file", context, file);
	if (st.st_size == 0 || (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
				memcmp(magic, RECORD_MAGIC, sizeof(magic)) == 0))
		return true;
	return ringside_usage(err, "%s %s: there is a file, and it is no record; remove it first",
			      context, file);
}

static bool open_file(struct recorder *r, const char *context, GError **err)
{
	const char *file = r->options.file;

	r->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (r->fd < 0)
		return ringside_error_errno(err, errno, "%s %s", context, file);
	if (!may_write_over(r->fd, context, file, err))
		return false;
	if (ftruncate(r->fd, 0) < 0 || !write_header(r))
		return ringside_error_errno(err, errno, "%s %s", context, file);
	return true;
}

/* Addresses; memory comes as it is used. With payloads there is more to hold. */
static bool make_rings(struct recorder *r, const char *context, GError **err)
{
	size_t size = RECORD_RING_SIZE;
	uint8_t *at;

	if (r->options.payload == RECORD_PAYLOAD_BYTES)
		size *= 8;
	at = mmap(NULL, size * RECORD_RINGS, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return ringside_error_errno(err, errno, "%s: memory", context);
	r->map = at;
	r->map_bytes = size * RECORD_RINGS;
	for (unsigned i = 0; i < RECORD_RINGS; i++) {
		r->ring[i].base = at + size * i;
		r->ring[i].size = size;
	}
	return true;
}

struct recorder *recorder_open(const char *spec, const char *context, GError **err)
{
	struct recorder *r = g_new0(struct recorder, 1);
	int ret = pthread_key_create(&r->mine, NULL);

	if (ret != 0)
		g_error("pthread_key_create: %s", g_strerror(ret));
	r->fd = -1;
	r->devices = g_ptr_array_new_with_free_func(record_device_free);
	r->room = g_malloc(sizeof(struct record_block) + RECORD_BLOCK_MAX);
	r->w.body = r->room + sizeof(struct record_block);
	record_encode_begin(&r->w);
	if (record_options_parse(spec, context, &r->options, err) && open_file(r, context, err) &&
	    make_rings(r, context, err))
		return r;
	recorder_free(r);
	return NULL;
}

void recorder_start(struct recorder *r, void (*first)(void *arg), void *arg)
{
	int ret;

	r->first = first;
	r->first_arg = arg;
	ret = pthread_create(&r->thread, NULL, record_writer, r);
	if (ret != 0)
		g_error("pthread_create: %s", g_strerror(ret));
	r->started = true;
}

static void say_lost(const struct recorder *r)
{
	if (r->lost)
		g_message("--record %s: %" G_GUINT64_FORMAT " events are lost", r->options.file,
			  r->lost);
}

void recorder_free(struct recorder *r)
{
	if (r->fd >= 0)
		close(r->fd);
	if (r->map)
		munmap(r->map, r->map_bytes);
	pthread_key_delete(r->mine);
	g_ptr_array_unref(r->devices);
	g_free(r->options.file);
	g_free(r->room);
	g_free(r);
}

void recorder_close(struct recorder *r)
{
	if (!r)
		return;
	if (r->started) {
		atomic_store(&r->stop, true);
		record_wake(r);
		pthread_join(r->thread, NULL);
	} else {
		record_end(r);
	}
	say_lost(r);
	recorder_free(r);
}
