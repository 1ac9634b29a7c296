#include "devices/base/prop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/nearest.h"

static void prop_pair_free(void *p)
{
	struct prop_pair *pair = p;

	g_free(pair->key);
	g_free(pair->value);
	g_free(pair);
}

/* The text up to the next lone comma, doubled commas made single; *at moves past the comma, or to
 * NULL at the end. */
static char *prop_piece(const char **at)
{
	GString *s = g_string_new(NULL);
	const char *p = *at;

	for (;; p++) {
		if (*p == ',' && p[1] == ',')
			p++;
		else if (*p == ',' || !*p)
			break;
		g_string_append_c(s, *p);
	}
	*at = *p ? p + 1 : NULL;
	return g_string_free(s, FALSE);
}

/* Does @text, which stood between two commas, still belong to the value before it? */
static bool prop_continues(const char *text)
{
	const char *name = text;

	if (*text == '+' || *text == '-')
		return g_ascii_isalpha(text[1]);
	while (g_ascii_isalnum(*text))
		text++;
	return text > name && *text == ':';
}

static void prop_extend(struct prop_pair *pair, const char *text)
{
	char *longer = g_strconcat(pair->value, ",", text, NULL);

	g_free(pair->value);
	pair->value = longer;
}

void prop_append(GString *spec, const char *key, const char *value)
{
	g_string_append_printf(spec, ",%s", key);
	if (!value)
		return;
	g_string_append_c(spec, '=');
	for (; *value; value++) {
		if (*value == ',')
			g_string_append_c(spec, ',');
		g_string_append_c(spec, *value);
	}
}

bool prop_has(GPtrArray *pairs, const char *key)
{
	for (guint i = 0; i < pairs->len; i++)
		if (strcmp(((struct prop_pair *)g_ptr_array_index(pairs, i))->key, key) == 0)
			return true;
	return false;
}

void prop_add(GPtrArray *pairs, const char *key, const char *value)
{
	struct prop_pair *pair = g_new0(struct prop_pair, 1);

	pair->key = g_strdup(key);
	pair->value = g_strdup(value);
	g_ptr_array_add(pairs, pair);
}

GPtrArray *prop_split(const char *spec, char **ret_name)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func(prop_pair_free);
	struct prop_pair *pair = NULL;
	const char *at = spec;

	*ret_name = NULL;
	while (at) {
		bool first = at == spec;
		char *text = prop_piece(&at);
		char *eq = strchr(text, '=');

		if (first && !eq) {
			*ret_name = text;
			continue;
		}
		if (pair && pair->value && prop_continues(text)) {
			prop_extend(pair, text);
			g_free(text);
			continue;
		}
		if (!*text && !at) { /* a comma at the end */
			g_free(text);
			break;
		}
		pair = g_new0(struct prop_pair, 1);
		pair->key = eq ? g_strndup(text, (gsize)(eq - text)) : g_strdup(text);
		pair->value = eq ? g_strdup(eq + 1) : NULL;
		g_ptr_array_add(pairs, pair);
		g_free(text);
	}
	return pairs;
}

/* Decimal, or hexadecimal after 0x: a leading zero is no octal number to anybody who types one
 * here.
 * *@ret_end is what follows. */
static bool prop_whole_number(const char *text, uint64_t *ret, char **ret_end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!g_ascii_isdigit(*text))
		return false;
	errno = 0;
	*ret = g_ascii_strtoull(text, ret_end, hex ? 16 : 10);
	return errno == 0;
}

bool prop_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned shift = 0;
	uint64_t v;
	char *end;

	if (!prop_whole_number(text, &v, &end))
		return false;
	if (*end) {
		suffix = strchr(suffixes, g_ascii_toupper(*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (v << shift >> shift != v)
		return false;
	*ret = v << shift;
	return true;
}

/*
 * Values.
 */
static const struct {
	const char *text;
	bool on;
} switches[] = {
	{ "on", true },   { "off", false },   { "yes", true }, { "no", false },
	{ "true", true }, { "false", false }, { "1", true },   { "0", false },
};

static bool prop_parse_bool(const char *text, bool *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
		if (strcmp(text, switches[i].text) == 0) {
			*ret = switches[i].on;
			return true;
		}
	return false;
}

static bool prop_parse_mac(const char *text, uint8_t *ret)
{
	uint8_t mac[6];

	for (unsigned i = 0; i < 6; i++, text += 3) {
		int hi = g_ascii_xdigit_value(text[0]);
		int lo = hi < 0 ? -1 : g_ascii_xdigit_value(text[1]);

		if (lo < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret, mac, sizeof(mac));
	return true;
}

static uint64_t prop_number_max(const struct prop *row)
{
	if (row->max)
		return row->max;
	switch (row->type) {
	case PROP_U16:
		return UINT16_MAX;
	case PROP_U32:
		return UINT32_MAX;
	default:
		return UINT64_MAX;
	}
}

static bool prop_parse_number(const struct prop *row, const char *text, void *field)
{
	uint64_t v;

	if (row->type == PROP_SIZE) {
		if (!prop_size(text, &v))
			return false;
	} else {
		char *end;

		if (!prop_whole_number(text, &v, &end) || *end)
			return false;
	}
	if (v < row->min || v > prop_number_max(row))
		return false;
	if (row->type == PROP_U16)
		*(uint16_t *)field = (uint16_t)v;
	else if (row->type == PROP_U32)
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint64_t *)field = v;
	return true;
}

static bool prop_parse_enum(const struct prop *row, const char *text, unsigned *ret)
{
	for (unsigned i = 0; row->choices[i]; i++)
		if (strcmp(row->choices[i], text) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

static bool prop_parse_value(const struct prop *row, const char *text, void *field)
{
	switch (row->type) {
	case PROP_STR:
		g_free(*(char **)field);
		*(char **)field = g_strdup(text);
		return *text != '\0';
	case PROP_LIST:
		g_ptr_array_add(*(GPtrArray **)field, g_strdup(text));
		return *text != '\0';
	case PROP_BOOL:
		return prop_parse_bool(text, field);
	case PROP_MAC:
		return prop_parse_mac(text, field);
	case PROP_ENUM:
		return prop_parse_enum(row, text, field);
	case PROP_U16:
	case PROP_U32:
	case PROP_U64:
	case PROP_SIZE:
		return prop_parse_number(row, text, field);
	case PROP_END:
		break;
	}
	g_assert_not_reached();
}

/* What would be right, for messages and help: "on or off", "1 to 8", "a|b". */
static char *prop_describe(const struct prop *row)
{
	switch (row->type) {
	case PROP_STR:
	case PROP_LIST:
		return g_strdup("a text that is not empty");
	case PROP_BOOL:
		return g_strdup("on or off");
	case PROP_MAC:
		return g_strdup("six hexadecimal bytes, as 52:54:00:12:34:56");
	case PROP_ENUM:
		return g_strjoinv("|", (char **)row->choices);
	case PROP_SIZE:
		if (!row->max)
			return g_strdup("a size, as 512, 64K, 16M or 2G");
		return g_strdup_printf("a size from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
				       " bytes",
				       row->min, row->max);
	default:
		return g_strdup_printf("a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
				       row->min, prop_number_max(row));
	}
}

static const struct prop *prop_find_row(const struct prop *rows, const char *key)
{
	for (; rows->type != PROP_END; rows++)
		if (strcmp(rows->key, key) == 0)
			return rows;
	return NULL;
}

static bool prop_take_pair(const struct prop *row, void *object, const struct prop_pair *pair,
			   const char *context, GError **err)
{
	g_autofree char *right = NULL;
	const char *value = pair->value;

	if (!value && row->type == PROP_BOOL)
		value = "on";
	if (value && prop_parse_value(row, value, (char *)object + row->offset))
		return true;
	right = prop_describe(row);
	if (!value)
		return ringside_usage(err, "%s: '%s' needs a value: it takes %s", context, row->key,
				      right);
	return ringside_usage(err, "%s,%s=%s: not valid; it takes %s", context, row->key, value,
			      right);
}

static void prop_apply_defaults(const struct prop *rows, void *object)
{
	for (const struct prop *row = rows; row->type != PROP_END; row++) {
		void *field = (char *)object + row->offset;

		if (row->type == PROP_LIST)
			*(GPtrArray **)field = g_ptr_array_new_with_free_func(g_free);
		if (row->default_value && !prop_parse_value(row, row->default_value, field))
			g_error("default '%s' of '%s' is not valid", row->default_value, row->key);
	}
}

bool prop_parse(const struct prop *rows, void *object, GPtrArray *pairs, const char *context,
		GError **err)
{
	prop_apply_defaults(rows, object);
	for (guint i = 0; i < pairs->len; i++) {
		struct prop_pair *pair = g_ptr_array_index(pairs, i);
		const struct prop *row = prop_find_row(rows, pair->key);

		if (!row)
			continue;
		pair->used = true;
		if (!prop_take_pair(row, object, pair, context, err))
			return false;
	}
	for (const struct prop *row = rows; row->type != PROP_END; row++)
		if (row->required && row->type == PROP_STR &&
		    !*(char **)((char *)object + row->offset))
			return ringside_usage(err, "%s: '%s=' is missing: %s", context, row->key,
					      row->help);
	return true;
}

/*
 * Unknown keys.
 */
/* @also is a row's. */
static bool prop_has_word(const char *also, const char *word)
{
	g_auto(GStrv) words = also ? g_strsplit(also, " ", -1) : NULL;

	return words && g_strv_contains((const char *const *)words, word);
}

/* What others call so, or else what is spelt nearly so. */
static const char *prop_nearest_key(const char *key, const struct prop *const *tables)
{
	struct nearest near = NEAREST(key);

	for (; *key && *tables; tables++)
		for (const struct prop *row = *tables; row->type != PROP_END; row++) {
			if (prop_has_word(row->also, key))
				return row->key;
			nearest_try(&near, row->key);
		}
	return near.best;
}

bool prop_all_used(GPtrArray *pairs, const struct prop *const *tables, const char *context,
		   GError **err)
{
	/* "--device blk,help", but "--pc help". */
	const char *help = strchr(context, ' ') ? ",help" : " help";

	for (guint i = 0; i < pairs->len; i++) {
		struct prop_pair *pair = g_ptr_array_index(pairs, i);
		const char *near;

		if (pair->used)
			continue;
		near = prop_nearest_key(pair->key, tables);
		if (near)
			return ringside_usage(err,
					      "%s: unknown key '%s'; did you mean '%s'? "
					      "(%s%s lists all)",
					      context, pair->key, near, context, help);
		return ringside_usage(err, "%s: unknown key '%s' (%s%s lists all)", context,
				      pair->key, context, help);
	}
	return true;
}

void prop_free(const struct prop *rows, void *object)
{
	for (; rows->type != PROP_END; rows++) {
		void *field = (char *)object + rows->offset;

		if (rows->type == PROP_STR)
			g_clear_pointer((char **)field, g_free);
		else if (rows->type == PROP_LIST)
			g_clear_pointer((GPtrArray **)field, g_ptr_array_unref);
	}
}

/*
 * Help: "  key=<what>      text", the text wrapped in its column.
 */
#define HELP_COLUMN 22u

static void prop_wrap(GString *out, const char *text, unsigned width)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t used = 0, room = width - HELP_COLUMN;

	for (char **w = words; *w; w++) {
		size_t n = strlen(*w);

		if (used && used + 1 + n > room) {
			g_string_append_printf(out, "\n%*s", (int)HELP_COLUMN, "");
			used = 0;
		}
		g_string_append_printf(out, "%s%s", used ? " " : "", *w);
		used += n + (used ? 1 : 0);
	}
	g_string_append_c(out, '\n');
}

char *prop_help(const struct prop *rows, unsigned width)
{
	static const char *const kinds[] = {
		[PROP_STR] = "TEXT",  [PROP_LIST] = "TEXT...", [PROP_BOOL] = "on|off",
		[PROP_U16] = "N",     [PROP_U32] = "N",        [PROP_U64] = "N",
		[PROP_SIZE] = "SIZE", [PROP_ENUM] = "NAME",    [PROP_MAC] = "MAC",
	};
	GString *out = g_string_new(NULL);

	for (; rows->type != PROP_END; rows++) {
		g_autofree char *lhs = g_strdup_printf("  %s=%s", rows->key, kinds[rows->type]);
		g_autoptr(GString) text = g_string_new(rows->help);

		if (rows->type == PROP_ENUM) {
			g_autofree char *choices = prop_describe(rows);

			g_string_append_printf(text, ": %s", choices);
		} else if (rows->max) {
			g_autofree char *range = prop_describe(rows);

			g_string_append_printf(text, "; %s", range);
		}
		if (rows->default_value)
			g_string_append_printf(text, " [%s]", rows->default_value);
		if (rows->required)
			g_string_append(text, " (required)");
		if (strlen(lhs) >= HELP_COLUMN)
			g_string_append_printf(out, "%s\n%*s", lhs, (int)HELP_COLUMN, "");
		else
			g_string_append_printf(out, "%-*s", (int)HELP_COLUMN, lhs);
		prop_wrap(out, text->str, width);
	}
	return g_string_free(out, FALSE);
}
