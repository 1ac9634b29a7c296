/* A stream by its spec. */
#include "devices/backend/open.h"
#include "devices/backend/chr/chr.h"

struct chr *chr_spec_open(const char *spec, struct chr *terminal,
			  const struct backend_wrapper *const *more, const char *context,
			  GError **err)
{
	struct backend_spec s;
	struct chr *chr;

	if (!backend_spec_parse(&s, spec, BACKEND_CHR, more, context, err))
		return NULL;
	chr = chr_open(s.kind, terminal, context, err);
	for (guint i = s.links->len; chr && i > 0; i--) {
		const struct backend_link *link = &g_array_index(s.links, struct backend_link,
								 i - 1);

		chr = link->wrapper->chr(chr, link->options);
	}
	backend_spec_clear(&s);
	return chr;
}
