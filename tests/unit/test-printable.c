/* Text for a terminal: nothing that a guest or a file's name contains is carried out there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/console/printable.h"

/* @text as it is printed, by pieces of at most @size bytes. */
static char *printed_in(const char *text, size_t size, bool utf8)
{
	GString *out = g_string_new(NULL);
	char buf[256];

	assert_true(size <= sizeof(buf));
	do {
		size_t n = printable_next(&text, buf, size, utf8);

		assert_int_equal(n, strlen(buf));
		assert_true(n > 0 || !*text);
		g_string_append(out, buf);
	} while (*text);
	return g_string_free(out, FALSE);
}

static char *printed(const char *text, bool utf8)
{
	return printed_in(text, 256, utf8);
}

static void assert_printed(const char *text, bool utf8, const char *as)
{
	g_autofree char *got = printed(text, utf8);

	assert_string_equal(got, as);
}

/* Nothing that a terminal acts upon: in UTF-8, and in a character set of one byte. */
static void assert_harmless(const char *text)
{
	g_autofree char *wide = printed(text, true), *narrow = printed(text, false);

	assert_true(g_utf8_validate(wide, -1, NULL));
	for (const char *p = wide; *p; p = g_utf8_next_char(p))
		assert_true(g_unichar_isprint(g_utf8_get_char(p)));
	for (const char *p = narrow; *p; p++)
		assert_true(*p >= ' ' && *p <= '~');
}

static void plain_text_stays_as_it_is(void **state)
{
	char all[96] = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(all) - 1; i++)
		all[i] = (char)(' ' + i);
	assert_printed(all, true, all);
	assert_printed(all, false, all);
	assert_printed("", true, "");
	assert_printed("/home/j\xc3\xb6rg/\xe2\x82\xac/\xf0\x9f\x9a\x80", true,
		       "/home/j\xc3\xb6rg/\xe2\x82\xac/\xf0\x9f\x9a\x80");
	assert_printed("j\xc3\xb6rg", false, "j\\xc3\\xb6rg");
}

static void every_byte_is_harmless_wherever_it_stands(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char alone[] = { (char)c, '\0' }, among[] = { 'a', (char)c, '[', '2', 'J', '\0' };

		assert_harmless(alone);
		assert_harmless(among);
	}
}

static void every_pair_of_bytes_is_harmless(void **state)
{
	(void)state;
	for (unsigned pair = 0x101; pair < 0x10000; pair++) {
		char text[] = { (char)(pair >> 8), (char)pair, 'x', '\0' };

		assert_harmless(text);
	}
}

static void control_characters_are_told_by_their_bytes(void **state)
{
	(void)state;
	assert_printed("\x1b[2J\a\r\n\t", true, "\\x1b[2J\\x07\\x0d\\x0a\\x09");
	assert_printed("\x7f", true, "\\x7f");
	for (unsigned c = 0x80; c <= 0x9f; c++) {
		char byte[] = { (char)c, '\0' }, wide[] = { '\xc2', (char)c, '\0' };
		g_autofree char *as_byte = g_strdup_printf("\\x%02x", c);
		g_autofree char *as_wide = g_strdup_printf("\\xc2\\x%02x", c);

		assert_printed(byte, true, as_byte);
		assert_printed(byte, false, as_byte);
		assert_printed(wide, true, as_wide);
		assert_printed(wide, false, as_wide);
	}
}

static void what_turns_text_around_is_told_by_its_bytes(void **state)
{
	(void)state;
	assert_printed("\xe2\x80\xae", true, "\\xe2\\x80\\xae"); /* right to left from here */
	assert_printed("\xe2\x82", true, "\\xe2\\x82");          /* ends too early */
	assert_printed("\xc0\x9b", true, "\\xc0\\x9b");          /* a longer form than needed */
	assert_printed("\xed\xa0\x80", true, "\\xed\\xa0\\x80"); /* half a pair of UTF-16's */
}

static void pieces_make_up_the_whole(void **state)
{
	static const char text[] = "a\x1b\xc3\xb6\xc2\x9b\xf0\x9f\x9a\x80\xff end";
	g_autofree char *whole = printed(text, true);

	(void)state;
	for (size_t size = 8; size < 40; size++) {
		g_autofree char *got = printed_in(text, size, true);

		assert_string_equal(got, whole);
	}
}

static void the_character_set_is_the_environments(void **state)
{
	static const struct {
		const char *all, *ctype, *lang;
		bool utf8;
	} cases[] = {
		{ NULL, NULL, NULL, false },         { NULL, NULL, "C", false },
		{ NULL, NULL, "de_DE.UTF-8", true }, { NULL, NULL, "C.utf8", true },
		{ NULL, "en_US.UTF-8", "C", true },  { "C", "en_US.UTF-8", "en_US.UTF-8", false },
		{ "", "", "en_US.UTF-8", true },     { NULL, NULL, "de_DE.ISO-8859-1", false },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *values[] = { cases[i].all, cases[i].ctype, cases[i].lang };
		static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

		for (size_t n = 0; n < G_N_ELEMENTS(names); n++)
			if (values[n])
				g_setenv(names[n], values[n], TRUE);
			else
				g_unsetenv(names[n]);
		assert_int_equal(printable_utf8(), cases[i].utf8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays_as_it_is),
		cmocka_unit_test(every_byte_is_harmless_wherever_it_stands),
		cmocka_unit_test(every_pair_of_bytes_is_harmless),
		cmocka_unit_test(control_characters_are_told_by_their_bytes),
		cmocka_unit_test(what_turns_text_around_is_told_by_its_bytes),
		cmocka_unit_test(pieces_make_up_the_whole),
		cmocka_unit_test(the_character_set_is_the_environments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
