#include <bzlib.h>

#include "vmm/unpack/unpack.h"

/* The library's, by its own names. */
static struct {
	__typeof__(&BZ2_bzDecompressInit) init;
	__typeof__(&BZ2_bzDecompress) decompress;
	__typeof__(&BZ2_bzDecompressEnd) end;
} bz2;

static const struct unpack_symbol bzip2_symbols[] = {
	{ "BZ2_bzDecompressInit", &bz2.init },
	{ "BZ2_bzDecompress", &bz2.decompress },
	{ "BZ2_bzDecompressEnd", &bz2.end },
	{ 0 },
};

static void *bzip2_open(void)
{
	bz_stream *z = g_new0(bz_stream, 1);

	if (bz2.init(z, 0, 0) == BZ_OK)
		return z;
	g_free(z);
	return NULL;
}

static enum unpack_state bzip2_step(void *stream, struct unpack_io *io)
{
	bz_stream *z = stream;
	int ret;

	z->next_in = (char *)io->in;
	z->avail_in = (unsigned)io->in_left;
	z->next_out = (char *)io->out;
	z->avail_out = (unsigned)io->out_left;
	ret = bz2.decompress(z);
	io->in = (const uint8_t *)z->next_in;
	io->in_left = z->avail_in;
	io->out = (uint8_t *)z->next_out;
	io->out_left = z->avail_out;
	if (ret == BZ_STREAM_END)
		return UNPACK_END;
	if (ret == BZ_MEM_ERROR)
		return UNPACK_MEMORY;
	return ret == BZ_OK ? UNPACK_MORE : UNPACK_BAD;
}

static void bzip2_close(void *stream)
{
	bz2.end(stream);
	g_free(stream);
}

const struct unpack_format unpack_bzip2 = {
	.name = "bzip2",
	.magic = "BZh",
	.magic_len = 3,
	.library = "libbz2.so.1.0",
	.package = "libbz2-1.0",
	.symbols = bzip2_symbols,
	.open = bzip2_open,
	.step = bzip2_step,
	.close = bzip2_close,
};
