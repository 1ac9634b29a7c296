/* Options as typed rows: what is taken, what is refused, and that a refusal says what is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"

struct thing {
	char *path;
	bool fast;
	uint16_t queues;
	uint32_t count;
	uint64_t size;
	unsigned mode;
	uint8_t mac[6];
	GPtrArray *list;
};

static const char *const modes[] = { "slow", "quick", NULL };

static const struct prop rows[] = {
	{ "path", PROP_STR, offsetof(struct thing, path), .help = "a file", .required = true,
	  .also = "file drive" },
	{ "fast", PROP_BOOL, offsetof(struct thing, fast), .default_value = "on",
	  .help = "be fast" },
	{ "queues", PROP_U16, offsetof(struct thing, queues), .default_value = "1",
	  .help = "how many", .min = 1, .max = 8 },
	{ "count", PROP_U32, offsetof(struct thing, count), .help = "a count" },
	{ "size", PROP_SIZE, offsetof(struct thing, size), .help = "a size" },
	{ "mode", PROP_ENUM, offsetof(struct thing, mode), .help = "a mode", .choices = modes },
	{ "mac", PROP_MAC, offsetof(struct thing, mac), .help = "an address" },
	{ "fwd", PROP_LIST, offsetof(struct thing, list), .help = "forwards" },
	{ 0 },
};

static const struct prop *const tables[] = { rows, NULL };

static bool parse(const char *spec, struct thing *t, GError **err)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);

	memset(t, 0, sizeof(*t));
	return prop_parse(rows, t, pairs, "--device thing", err) &&
	       prop_all_used(pairs, tables, "--device thing", err);
}

static void assert_accepts(const char *spec, struct thing *t)
{
	g_autoptr(GError) err = NULL;

	if (!parse(spec, t, &err))
		fail_msg("'%s' refused: %s", spec, err->message);
}

static void assert_refuses(const char *spec, const char *because)
{
	g_autoptr(GError) err = NULL;
	struct thing t;

	assert_false(parse(spec, &t, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, because) || strchr(err->message, '\n'))
		fail_msg("'%s' gave: %s", spec, err->message);
	prop_free(rows, &t);
}

static void every_type_is_parsed(void **state)
{
	struct thing t;

	(void)state;
	assert_accepts("thing,path=/a,,b,fast=off,queues=8,count=0x10,size=3M,mode=quick,"
		       "mac=52:54:00:aB:cd:ef,fwd=one,fwd=two",
		       &t);
	assert_string_equal(t.path, "/a,b");
	assert_false(t.fast);
	assert_int_equal(t.queues, 8);
	assert_int_equal(t.count, 16);
	assert_int_equal(t.size, 3 << 20);
	assert_int_equal(t.mode, 1);
	assert_memory_equal(t.mac, "\x52\x54\x00\xab\xcd\xef", 6);
	assert_int_equal(t.list->len, 2);
	assert_string_equal(g_ptr_array_index(t.list, 1), "two");
	prop_free(rows, &t);
}

/* Things to add and to take away are one value, and so are the parts of a spec; nothing else goes
 * on after a comma. */
static void signed_words_and_parts_of_specs_continue_a_value(void **state)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(
		"thing,fwd=-one,+two,-three=x,fast,count=1,-2,path=a,b1:c,d:e=f,:g,h=i:j", &name);
	static const struct {
		const char *key, *value;
	} want[] = {
		{ "fwd", "-one,+two,-three=x" }, { "fast", NULL }, { "count", "1" }, { "-2", NULL },
		{ "path", "a,b1:c,d:e=f" },      { ":g", NULL },   { "h", "i:j" },
	};

	(void)state;
	assert_int_equal(pairs->len, G_N_ELEMENTS(want));
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		assert_string_equal(pair->key, want[i].key);
		assert_int_equal(!pair->value, !want[i].value);
		if (pair->value)
			assert_string_equal(pair->value, want[i].value);
	}
	assert_refuses("thing,path=x,fast,-one", "unknown key '-one'");
}

static void defaults_hold_where_nothing_is_said(void **state)
{
	struct thing t;

	(void)state;
	assert_accepts("thing,path=x", &t);
	assert_true(t.fast);
	assert_int_equal(t.queues, 1);
	prop_free(rows, &t);
}

static void a_switch_alone_means_on(void **state)
{
	struct thing t;

	(void)state;
	assert_accepts("thing,path=x,fast=off,fast", &t);
	assert_true(t.fast);
	prop_free(rows, &t);
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	assert_refuses("thing", "'path=' is missing");
	assert_refuses("thing,path", "needs a value");
	assert_refuses("thing,path=", "a text that is not empty");
	assert_refuses("thing,path=x,queues", "'queues' needs a value: it takes a number from 1");
	assert_refuses("thing,path=x,fast=maybe", "on or off");
	assert_refuses("thing,path=x,queues=0", "from 1 to 8");
	assert_refuses("thing,path=x,queues=9", "from 1 to 8");
	assert_refuses("thing,path=x,queues=65537", "from 1 to 8");
	assert_refuses("thing,path=x,queues=-1", "from 1 to 8");
	assert_refuses("thing,path=x,count=4294967296", "to 4294967295");
	assert_refuses("thing,path=x,count=12x", "to 4294967295");
	assert_refuses("thing,path=x,mode=loud", "slow|quick");
	assert_refuses("thing,path=x,mac=52:54:00:12:34", "six hexadecimal bytes");
	assert_refuses("thing,path=x,mac=52:54:00:12:34:5g", "six hexadecimal bytes");
	assert_refuses("thing,path=x,size=5X", "a size");
}

static void an_unknown_key_names_its_neighbour(void **state)
{
	(void)state;
	assert_refuses("thing,path=x,queue=2", "did you mean 'queues'?");
	assert_refuses("thing,path=x,quuees=2", "did you mean 'queues'?"); /* a swap is one slip */
	assert_refuses("thing,path=x,zebra=2", "unknown key 'zebra'");
	assert_refuses("thing,path=x,file=2", "did you mean 'path'?"); /* what others call it */
	assert_refuses("thing,path=x,drive=2", "did you mean 'path'?");
	assert_refuses("thing,path=x,pat=2", "did you mean 'path'?");
	assert_refuses("thing,path=x,mc=2", "unknown key 'mc' ("); /* may be anything */
	assert_refuses("thing,path=x,moth=2", "unknown key 'moth' (");
	assert_refuses("thing,path=x,=2", "unknown key '' (");
}

static void sizes_take_suffixes_and_no_overflow(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(prop_size("512", &v) && v == 512);
	assert_true(prop_size("4k", &v) && v == 4096);
	assert_true(prop_size("010", &v) && v == 10); /* no octal numbers */
	assert_true(prop_size("1T", &v) && v == 1ull << 40);
	assert_false(prop_size("", &v));
	assert_false(prop_size("-1", &v));
	assert_false(prop_size("1KB", &v));
	assert_false(prop_size("18446744073709551616", &v));
	assert_false(prop_size("18446744073709551615K", &v));
}

static void what_is_appended_is_read_again(void **state)
{
	static const char *const values[] = { "a", "a,b=c", ",",        ",,", "-x,+y",
					      "",  "=",     "x,name:y", NULL };
	g_autoptr(GString) spec = g_string_new("thing");
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = NULL;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
		prop_append(spec, "key", values[i]);
	pairs = prop_split(spec->str, &name);
	assert_string_equal(name, "thing");
	assert_int_equal(pairs->len, G_N_ELEMENTS(values));
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		assert_string_equal(pair->key, "key");
		assert_int_equal(g_strcmp0(pair->value, values[i]), 0);
	}
}

static void help_fits_its_width_and_names_every_row(void **state)
{
	g_autofree char *help = prop_help(rows, 60);
	g_auto(GStrv) lines = g_strsplit(help, "\n", -1);

	(void)state;
	for (char **line = lines; *line; line++)
		assert_true(strlen(*line) <= 60);
	for (const struct prop *row = rows; row->key; row++)
		assert_non_null(strstr(help, row->key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_parsed),
		cmocka_unit_test(signed_words_and_parts_of_specs_continue_a_value),
		cmocka_unit_test(defaults_hold_where_nothing_is_said),
		cmocka_unit_test(a_switch_alone_means_on),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(an_unknown_key_names_its_neighbour),
		cmocka_unit_test(sizes_take_suffixes_and_no_overflow),
		cmocka_unit_test(what_is_appended_is_read_again),
		cmocka_unit_test(help_fits_its_width_and_names_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
