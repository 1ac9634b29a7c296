#include <zstd.h>
#include <zstd_errors.h>

#include "vmm/unpack/unpack.h"

/* A frame says how large a window reading it takes; more than 128 MiB the library refuses by itself
 * (zstd --long makes them). */

/* The library's, by its own names. */
static struct {
	__typeof__(&ZSTD_createDStream) create;
	__typeof__(&ZSTD_decompressStream) decompress;
	__typeof__(&ZSTD_freeDStream) free;
	__typeof__(&ZSTD_getErrorCode) error;
} zstd;

static const struct unpack_symbol zstd_symbols[] = {
	{ "ZSTD_createDStream", &zstd.create },
	{ "ZSTD_decompressStream", &zstd.decompress },
	{ "ZSTD_freeDStream", &zstd.free },
	{ "ZSTD_getErrorCode", &zstd.error },
	{ 0 },
};

static void *zstd_open(void)
{
	return zstd.create();
}

static enum unpack_state zstd_step(void *stream, struct unpack_io *io)
{
	ZSTD_inBuffer in = { io->in, io->in_left, 0 };
	ZSTD_outBuffer out = { io->out, io->out_left, 0 };
	size_t ret = zstd.decompress(stream, &out, &in);

	io->in += in.pos;
	io->in_left -= in.pos;
	io->out += out.pos;
	io->out_left -= out.pos;
	switch (zstd.error(ret)) {
	case ZSTD_error_no_error:
		break;
	case ZSTD_error_memory_allocation:
	case ZSTD_error_frameParameter_windowTooLarge:
		return UNPACK_MEMORY;
	default:
		return UNPACK_BAD;
	}
	return ret == 0 ? UNPACK_END : UNPACK_MORE;
}

static void zstd_close(void *stream)
{
	zstd.free(stream);
}

const struct unpack_format unpack_zstd = {
	.name = "zstd",
	.magic = "\x28\xb5\x2f\xfd",
	.magic_len = 4,
	.library = "libzstd.so.1",
	.package = "libzstd1",
	.symbols = zstd_symbols,
	.open = zstd_open,
	.step = zstd_step,
	.close = zstd_close,
};
