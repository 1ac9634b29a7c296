#include "devices/backend/spec.h"

#include <string.h>

#include "devices/base/error.h"

static bool spec_wraps(const struct backend_wrapper *w, enum backend_type type)
{
	switch (type) {
	case BACKEND_BLK:
		return w->blk != NULL;
	case BACKEND_NET:
		return w->net != NULL;
	case BACKEND_CHR:
		return w->chr != NULL;
	}
	g_assert_not_reached();
}

static const struct backend_wrapper *spec_find_in(const struct backend_wrapper *const *table,
						  const char *name, size_t len,
						  enum backend_type type)
{
	for (; table && *table; table++)
		if (spec_wraps(*table, type) && strlen((*table)->name) == len &&
		    strncmp((*table)->name, name, len) == 0)
			return *table;
	return NULL;
}

/* How many bytes at @text are KEY=VALUE; 0 if what stands there has no '='. */
static size_t spec_option_len(const char *text)
{
	size_t len = strcspn(text, ":,");

	return memchr(text, '=', len) ? len : 0;
}

/* The wrapper's options at @at, "[:KEY=VALUE]..."; *@ret_end is behind them. */
static GPtrArray *spec_split_options(const char *at, const char **ret_end)
{
	g_autoptr(GString) text = g_string_new("wrapper");
	g_autofree char *name = NULL;
	size_t len;

	for (; *at && (len = spec_option_len(at + 1)) > 0; at += 1 + len) {
		g_string_append_c(text, ',');
		g_string_append_len(text, at + 1, (gssize)len);
	}
	*ret_end = at;
	return prop_split(text->str, &name);
}

static void *spec_parse_options(const struct backend_wrapper *w, GPtrArray *pairs,
				const char *context, GError **err)
{
	const struct prop *const tables[] = { w->props, NULL };
	void *options = g_malloc0(w->size);

	if (prop_parse(w->props, options, pairs, context, err) &&
	    prop_all_used(pairs, tables, context, err))
		return options;
	prop_free(w->props, options);
	g_free(options);
	return NULL;
}

/* The text of @context up to @end, which is in @spec. */
static char *spec_context_up_to(const char *context, const char *spec, const char *end)
{
	size_t before = strlen(context);

	if (g_str_has_suffix(context, spec))
		before -= strlen(spec) - (size_t)(end - spec);
	return g_strndup(context, before);
}

static const struct backend_wrapper *spec_find(const char *kind, enum backend_type type,
					       const struct backend_wrapper *const *more)
{
	size_t len = strcspn(kind, ":,");
	const struct backend_wrapper *w = spec_find_in(backend_wrappers, kind, len, type);

	return w ? w : spec_find_in(more, kind, len, type);
}

/* The spec goes on with @w: takes it and its options. */
static bool spec_take(struct backend_spec *s, const struct backend_wrapper *w, const char *spec,
		      const char *context, GError **err)
{
	const char *end = s->kind + strlen(w->name);
	g_autofree char *so_far = spec_context_up_to(context, spec, end);
	g_autoptr(GPtrArray) pairs = spec_split_options(end, &end);
	struct backend_link link = { w, spec_parse_options(w, pairs, so_far, err) };

	if (!link.options)
		return false;
	g_array_append_val(s->links, link);
	if (!*end)
		return ringside_usage(err, "%s: '%s' is a wrapper, and no backend follows it",
				      context, w->name);
	s->kind = end + 1;
	return true;
}

bool backend_spec_parse(struct backend_spec *ret, const char *spec, enum backend_type type,
			const struct backend_wrapper *const *more, const char *context,
			GError **err)
{
	struct backend_spec s = { g_array_new(FALSE, FALSE, sizeof(struct backend_link)), spec };
	const struct backend_wrapper *w;

	while ((w = spec_find(s.kind, type, more)))
		if (!spec_take(&s, w, spec, context, err)) {
			backend_spec_clear(&s);
			return false;
		}
	*ret = s;
	return true;
}

void backend_spec_clear(struct backend_spec *s)
{
	for (guint i = 0; i < s->links->len; i++) {
		struct backend_link *link = &g_array_index(s->links, struct backend_link, i);

		prop_free(link->wrapper->props, link->options);
		g_free(link->options);
	}
	g_clear_pointer(&s->links, g_array_unref);
}

char *backend_wrappers_help(enum backend_type type, unsigned width)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (const struct backend_wrapper *const *w = backend_wrappers; *w; w++) {
		g_autofree char *options = prop_help((*w)->props, width);

		if (spec_wraps(*w, type))
			g_string_append_printf(out, "%s: %s\n%s", (*w)->name, (*w)->help, options);
	}
	return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}
