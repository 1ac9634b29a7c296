#include "vmm/unpack/unpack.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/error.h"

#define MIB       ((uint64_t)1 << 20)
#define IN_BYTES  ((size_t)64 << 10)
#define OUT_BYTES ((size_t)256 << 10)
#define PAGE      4096u

static const struct unpack_format *const formats[] = {
	&unpack_gzip,
	&unpack_bzip2,
	&unpack_xz,
	&unpack_zstd,
};

const struct unpack_format *unpack_nth(unsigned i)
{
	return i < G_N_ELEMENTS(formats) ? formats[i] : NULL;
}

const struct unpack_format *unpack_find(const uint8_t *head, size_t len)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
		if (len >= formats[i]->magic_len &&
		    memcmp(head, formats[i]->magic, formats[i]->magic_len) == 0)
			return formats[i];
	return NULL;
}

/* A library that is loaded stays so, and is found again without its file. */
bool unpack_load(const struct unpack_format *format, GError **err)
{
	void *library = dlopen(format->library, RTLD_NOW | RTLD_LOCAL);
	const char *missing = library ? NULL : "not there";

	for (const struct unpack_symbol *s = format->symbols; library && s->name; s++) {
		void *address = dlsym(library, s->name);

		if (!address)
			missing = s->name;
		memcpy(s->at, &address, sizeof(address));
	}
	return !missing ||
	       ringside_usage(err, "%s (%s): to read what %s has compressed; install package %s",
			      format->library, missing, format->name, format->package);
}

/* One file that is being unpacked. */
struct unpacking {
	const struct unpack_format *format;
	void *stream;
	int from, to;
	uint64_t read, size; /* of the file: so far, in all */
	uint64_t written, limit;
	uint8_t in[IN_BYTES], out[OUT_BYTES];
	struct unpack_io io;
	const char *option, *name; /* for messages */
};

static bool unpack_says(const struct unpacking *u, const char *what, GError **err)
{
	return ringside_usage(err, "%s: '%s', compressed by %s, %s; give a complete one", u->option,
			      u->name, u->format->name, what);
}

/* False at the file's end, and where it cannot be read (*ret_failed). */
static bool unpack_fill(struct unpacking *u, bool *ret_failed, GError **err)
{
	ssize_t got;

	if (u->read >= u->size)
		return false;
	got = pread(u->from, u->in, MIN(IN_BYTES, u->size - u->read), (off_t)u->read);
	if (got <= 0) {
		*ret_failed = true;
		return ringside_error_errno(err, got < 0 ? errno : EIO, "%s: cannot read '%s'",
					    u->option, u->name);
	}
	u->read += (uint64_t)got;
	u->io.in = u->in;
	u->io.in_left = (size_t)got;
	u->io.last = u->read >= u->size;
	return true;
}

static bool unpack_is_zero(const uint8_t *at, size_t len)
{
	return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

/* Writes what was unpacked, all but pages of zeros: a kernel has many, and they are holes then. */
static bool unpack_drain(struct unpacking *u, GError **err)
{
	size_t len = OUT_BYTES - u->io.out_left;

	if (len > u->limit - u->written)
		return ringside_usage(err,
				      "%s: '%s' unpacks to more than %lu MiB; give a larger "
				      "--memory",
				      u->option, u->name, u->limit / MIB);
	for (size_t at = 0; at < len; at += PAGE) {
		size_t n = MIN(len - at, PAGE);
		off_t to = (off_t)(u->written + at);

		if (!unpack_is_zero(u->out + at, n) && pwrite(u->to, u->out + at, n, to) < 0)
			return ringside_error_errno(err, errno, "%s: memory to unpack '%s'",
						    u->option, u->name);
	}
	u->written += len;
	u->io.out = u->out;
	u->io.out_left = OUT_BYTES;
	return true;
}

/* Behind a stream's end: true with *ret_more if another one begins there. */
static bool unpack_next(struct unpacking *u, bool *ret_more, GError **err)
{
	bool failed = false;
	size_t had = u->io.in_left;

	/* its first bytes may be on both sides of what was read at once */
	u->read -= had;
	u->io.in_left = 0;
	*ret_more = unpack_fill(u, &failed, err) &&
		    unpack_find(u->io.in, u->io.in_left) == u->format;
	if (!*ret_more)
		return !failed;
	u->format->close(u->stream);
	u->stream = u->format->open();
	return u->stream || ringside_error_errno(err, ENOMEM, "%s", u->option);
}

/* True when all is done. */
static bool unpack_all(struct unpacking *u, GError **err)
{
	for (;;) {
		bool failed = false, more = false;
		enum unpack_state state;
		size_t out;

		if (!u->io.in_left && !unpack_fill(u, &failed, err) && failed)
			return false;
		out = u->io.out_left;
		state = u->format->step(u->stream, &u->io);
		if (state == UNPACK_BAD)
			return unpack_says(u, "is damaged", err);
		if (state == UNPACK_MEMORY)
			return unpack_says(u, "wants more memory than an unpacker gets", err);
		if (state == UNPACK_END && !unpack_next(u, &more, err))
			return false;
		if (state == UNPACK_END && !more)
			return unpack_drain(u, err);
		if (state == UNPACK_MORE && !u->io.in_left && u->io.last && out == u->io.out_left)
			return unpack_says(u, "is truncated", err);
		if (!u->io.out_left && !unpack_drain(u, err))
			return false;
	}
}

static bool unpack_run(struct unpacking *u, GError **err)
{
	bool ok;

	u->io.out = u->out;
	u->io.out_left = OUT_BYTES;
	if (!unpack_load(u->format, err))
		return false;
	u->stream = u->to >= 0 ? u->format->open() : NULL;
	if (!u->stream)
		return ringside_error_errno(err, ENOMEM, "%s: memory to unpack '%s'", u->option,
					    u->name);
	ok = unpack_all(u, err);
	if (u->stream)
		u->format->close(u->stream);
	if (ok && ftruncate(u->to, (off_t)u->written) < 0)
		ok = ringside_error_errno(err, errno, "%s: memory to unpack '%s'", u->option,
					  u->name);
	return ok;
}

int unpack_file(const struct unpack_format *format, int fd, uint64_t size, uint64_t limit,
		const char *option, const char *name, uint64_t *ret_size, GError **err)
{
	g_autofree struct unpacking *u = g_new0(struct unpacking, 1);

	u->format = format;
	u->from = fd;
	u->to = memfd_create("ringside-unpacked", MFD_CLOEXEC);
	u->size = size;
	u->limit = limit;
	u->option = option;
	u->name = name;
	if (!unpack_run(u, err)) {
		if (u->to >= 0)
			close(u->to);
		return -1;
	}
	*ret_size = u->written;
	return u->to;
}
