#include <lzma.h>

#include "vmm/unpack/unpack.h"

/* A stream says how much memory reading it takes, up to gigabytes; xz -9 makes some of 65 MiB. */
#define XZ_MEMORY ((uint64_t)128 << 20)

/* The library's, by its own names. */
static struct {
	__typeof__(&lzma_stream_decoder) decoder;
	__typeof__(&lzma_code) code;
	__typeof__(&lzma_end) end;
} lzma;

static const struct unpack_symbol xz_symbols[] = {
	{ "lzma_stream_decoder", &lzma.decoder },
	{ "lzma_code", &lzma.code },
	{ "lzma_end", &lzma.end },
	{ 0 },
};

static void *xz_open(void)
{
	lzma_stream *z = g_new(lzma_stream, 1);

	*z = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma.decoder(z, XZ_MEMORY, 0) == LZMA_OK)
		return z;
	g_free(z);
	return NULL;
}

static enum unpack_state xz_step(void *stream, struct unpack_io *io)
{
	lzma_stream *z = stream;
	lzma_ret ret;

	z->next_in = io->in;
	z->avail_in = io->in_left;
	z->next_out = io->out;
	z->avail_out = io->out_left;
	ret = lzma.code(z, io->last ? LZMA_FINISH : LZMA_RUN);
	io->in = z->next_in;
	io->in_left = z->avail_in;
	io->out = z->next_out;
	io->out_left = z->avail_out;
	if (ret == LZMA_STREAM_END)
		return UNPACK_END;
	if (ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR)
		return UNPACK_MEMORY;
	return ret == LZMA_OK || ret == LZMA_BUF_ERROR ? UNPACK_MORE : UNPACK_BAD;
}

static void xz_close(void *stream)
{
	lzma.end(stream);
	g_free(stream);
}

const struct unpack_format unpack_xz = {
	.name = "xz",
	.magic = "\xfd\x37zXZ",
	.magic_len = 6,
	.library = "liblzma.so.5",
	.package = "liblzma5",
	.symbols = xz_symbols,
	.open = xz_open,
	.step = xz_step,
	.close = xz_close,
};
