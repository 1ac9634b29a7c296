#include "tools/trace/filter.h"

#include "devices/base/error.h"
#include "tools/trace/sink.h"

static bool filter_number(const char *option, const char *text, int *ret, GError **err)
{
	guint64 n;

	*ret = -1;
	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &n, NULL))
		return ringside_usage(err, "--%s %s: it takes a number", option, text);
	*ret = (int)n;
	return true;
}

static bool filter_types(const char *text, uint32_t *ret, GError **err)
{
	g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);

	*ret = 0;
	for (char **w = words; *w; w++) {
		enum record_type type;

		if (!trace_type_find(*w, &type))
			return ringside_usage(err,
					      "--type %s: no event is called %s; --help lists them",
					      text, *w);
		*ret |= 1u << type;
	}
	return true;
}

/* Nothing, or seconds. */
static bool filter_seconds(const char *text, int64_t *ret)
{
	char *end;
	double seconds = g_ascii_strtod(text, &end);

	if (*text && (end == text || *end || !(seconds >= 0 && seconds < 1e9)))
		return false;
	if (*text)
		*ret = (int64_t)(seconds * 1e9);
	return true;
}

/* FROM..TO, of which either may be left out. */
static bool filter_time(const char *text, struct trace_filter *ret, GError **err)
{
	const char *dots = text ? strstr(text, "..") : NULL;
	g_autofree char *from = dots ? g_strndup(text, (size_t)(dots - text)) : NULL;

	ret->from = INT64_MIN;
	ret->until = INT64_MAX;
	if (!text)
		return true;
	if (dots && filter_seconds(from, &ret->from) && filter_seconds(dots + 2, &ret->until))
		return true;
	return ringside_usage(err, "--time %s: it takes seconds, as 0.5..1.25", text);
}

bool trace_filter_parse(const struct trace_words *words, struct trace_filter *ret, GError **err)
{
	ret->device = words->device;
	return filter_number("queue", words->queue, &ret->queue, err) &&
	       filter_number("head", words->head, &ret->head, err) &&
	       filter_types(words->types, &ret->types, err) && filter_time(words->time, ret, err);
}

static bool filter_has_head(const struct trace_event *e)
{
	return (e->type >= RECORD_POPPED && e->type <= RECORD_PUSHED) ||
	       (e->type >= RECORD_FAULT && e->type <= RECORD_DIGEST);
}

bool trace_filter_pass(const struct trace_filter *f, struct trace_reader *t,
		       const struct trace_event *e)
{
	int64_t ns = (int64_t)(e->time - trace_begin(t));

	if (f->types && !(f->types >> e->type & 1))
		return false;
	if (f->queue >= 0 && e->queue != f->queue)
		return false;
	if (f->head >= 0 && (!filter_has_head(e) || e->head != f->head))
		return false;
	if (ns < f->from || ns > f->until)
		return false;
	return !f->device || (e->has_device && strcmp(trace_device(t, e->device), f->device) == 0);
}
