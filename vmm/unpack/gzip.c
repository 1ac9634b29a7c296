#include <zlib.h>

#include "vmm/unpack/unpack.h"

#define GZIP_WINDOW (15 + 16) /* the largest window; with gzip's header and trailer */

/* The library's, by its own names. */
static struct {
	__typeof__(&inflateInit2_) init;
	__typeof__(&inflate) inflate;
	__typeof__(&inflateEnd) inflateEnd;
} zlib;

static const struct unpack_symbol gzip_symbols[] = {
	{ "inflateInit2_", &zlib.init },
	{ "inflate", &zlib.inflate },
	{ "inflateEnd", &zlib.inflateEnd },
	{ 0 },
};

static void *gzip_open(void)
{
	z_stream *z = g_new0(z_stream, 1);

	if (zlib.init(z, GZIP_WINDOW, ZLIB_VERSION, (int)sizeof(*z)) == Z_OK)
		return z;
	g_free(z);
	return NULL;
}

static enum unpack_state gzip_step(void *stream, struct unpack_io *io)
{
	z_stream *z = stream;
	int ret;

	z->next_in = (Bytef *)io->in;
	z->avail_in = (uInt)io->in_left;
	z->next_out = io->out;
	z->avail_out = (uInt)io->out_left;
	ret = zlib.inflate(z, Z_NO_FLUSH);
	io->in = z->next_in;
	io->in_left = z->avail_in;
	io->out = z->next_out;
	io->out_left = z->avail_out;
	if (ret == Z_STREAM_END)
		return UNPACK_END;
	if (ret == Z_MEM_ERROR)
		return UNPACK_MEMORY;
	return ret == Z_OK || ret == Z_BUF_ERROR ? UNPACK_MORE : UNPACK_BAD;
}

static void gzip_close(void *stream)
{
	zlib.inflateEnd(stream);
	g_free(stream);
}

const struct unpack_format unpack_gzip = {
	.name = "gzip",
	.magic = "\x1f\x8b",
	.magic_len = 2,
	.library = "libz.so.1",
	.package = "zlib1g",
	.symbols = gzip_symbols,
	.open = gzip_open,
	.step = gzip_step,
	.close = gzip_close,
};
