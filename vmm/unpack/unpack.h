/*
 * Files that are compressed: known by their first bytes, unpacked into memory of ours.
 *
 * The libraries that know the formats are loaded when a file asks for one, and not before: they
 * cost start-up time and memory that an uncompressed kernel does not need. That is done while files
 * can still be opened, unpack_load(); unpacking itself, unpack_file(), does not need any, so that
 * it can run where a hostile stream has least to gain.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an unpacker looks at and fills; both ends move on. */
struct unpack_io {
	const uint8_t *in;
	size_t in_left;
	uint8_t *out;
	size_t out_left;
	bool last; /* nothing follows behind @in */
};

enum unpack_state {
	UNPACK_MORE,   /* has used up in or out */
	UNPACK_END,    /* the stream's; another one may follow it */
	UNPACK_BAD,    /* not such a stream, or a damaged one */
	UNPACK_MEMORY, /* wants more memory than it is granted */
};

/* A function of a library, and where its address goes. */
struct unpack_symbol {
	const char *name;
	void *at; /* a pointer to a pointer to a function */
};

/* A format; each is a file beside this. */
struct unpack_format {
	const char *name;
	const char *magic;
	size_t magic_len;
	const char *library; /* its file, and Debian's package that has it */
	const char *package;
	const struct unpack_symbol *symbols; /* the last one has no name */
	void *(*open)(void);                 /* a stream; NULL: no memory */
	enum unpack_state (*step)(void *stream, struct unpack_io *io);
	void (*close)(void *stream);
};

extern const struct unpack_format unpack_gzip, unpack_bzip2, unpack_xz, unpack_zstd;

/* The @i-th format; NULL from the last on. */
const struct unpack_format *unpack_nth(unsigned i);

/* The format of a file that begins with these bytes, or NULL. */
const struct unpack_format *unpack_find(const uint8_t *head, size_t len);

/* Has its library. False with a usage error that names the package. */
bool unpack_load(const struct unpack_format *format, GError **err);

/*
 * Unpacks the @size bytes in @fd. Returns a memfd with *ret_size bytes, with holes for pages of
 * zeros; or -1 with an error for @option and file @name: it is damaged, makes more than @limit
 * bytes, or the host has no memory. What follows the last stream is passed over.
 */
int unpack_file(const struct unpack_format *format, int fd, uint64_t size, uint64_t limit,
		const char *option, const char *name, uint64_t *ret_size, GError **err);
