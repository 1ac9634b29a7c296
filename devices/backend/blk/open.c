/* A disk by its spec. */
#include <string.h>

#include "devices/backend/blk/file.h"
#include "devices/backend/open.h"

/* The only kind there is. */
static struct blk_backend *blk_open_kind(const char *kind, const struct blk_file_options *o,
					 GError **err)
{
	struct blk_file_options file = *o;

	if (!g_str_has_prefix(kind, "file:") || !kind[strlen("file:")]) {
		ringside_usage(err, "%s: none of file:PATH or WRAPPER:...,file:PATH", o->what);
		return NULL;
	}
	file.path = kind + strlen("file:");
	return blk_file_open(&file, err);
}

struct blk_backend *blk_spec_open(const char *spec, const struct blk_file_options *o,
				  const struct backend_wrapper *const *more, GError **err)
{
	struct backend_spec s;
	struct blk_backend *be;

	if (!backend_spec_parse(&s, spec, BACKEND_BLK, more, o->what, err))
		return NULL;
	be = blk_open_kind(s.kind, o, err);
	for (guint i = s.links->len; be && i > 0; i--) {
		const struct backend_link *link = &g_array_index(s.links, struct backend_link,
								 i - 1);

		be = link->wrapper->blk(be, link->options);
	}
	backend_spec_clear(&s);
	return be;
}
