/*
 * build/fuzz/corpus: inputs as files and as lines of text.
 *
 *	corpus seeds TARGET DIR     writes what every fuzzing of TARGET begins with
 *	corpus unpack FILE DIR      a line of hexadecimal digits each, into files
 *	corpus pack DIR             and back, to standard output, sorted
 *	corpus dict TARGET          the words of its grammar, as fuzzers read them
 *
 * Under version control a corpus is one such text for each target: thousands of tiny files are a
 * burden, and a change to one line is easily read.
 */
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "tools/fuzz/grammar.h"
#include "tools/fuzz/seeds.h"

/* Into a file that is named after what is in it. */
static bool save(const char *dir, const uint8_t *data, size_t len)
{
	g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA1, data, len);
	g_autofree char *path = g_build_filename(dir, sum, NULL);
	g_autoptr(GError) err = NULL;

	if (g_file_set_contents(path, (const char *)data, (gssize)len, &err))
		return true;
	(void)fprintf(stderr, "corpus: %s\n", err->message);
	return false;
}

static bool save_hex(const char *dir, const char *line)
{
	size_t len = strlen(line) / 2;
	g_autofree uint8_t *data = g_malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		int high = g_ascii_xdigit_value(line[2 * i]);
		int low = g_ascii_xdigit_value(line[2 * i + 1]);

		if (high < 0 || low < 0) {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is freed */
			(void)fprintf(stderr, "corpus: '%s' is not hexadecimal\n", line);
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is freed */
			return false;
		}
		data[i] = (uint8_t)(high << 4 | low);
	}
	return save(dir, data, len);
}

static bool unpack(const char *file, const char *dir)
{
	g_autoptr(GError) err = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	bool ok = true;

	if (!g_file_get_contents(file, &text, NULL, &err)) {
		(void)fprintf(stderr, "corpus: %s\n", err->message);
		return false;
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (**line && **line != '#')
			ok &= save_hex(dir, *line);
	return ok;
}

static gint by_length(gconstpointer a, gconstpointer b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	gssize longer = (gssize)strlen(x) - (gssize)strlen(y);

	return longer ? (longer > 0 ? 1 : -1) : strcmp(x, y);
}

static bool pack(const char *dir)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL), *data = NULL;
		GString *hex = g_string_new(NULL);
		gsize len = 0;

		(void)g_file_get_contents(path, &data, &len, NULL);
		for (gsize i = 0; i < len; i++)
			g_string_append_printf(hex, "%02x", (uint8_t)data[i]);
		g_ptr_array_add(lines, g_string_free(hex, FALSE));
	}
	g_ptr_array_sort(lines, by_length);
	for (guint i = 0; i < lines->len; i++)
		printf("%s\n", (char *)g_ptr_array_index(lines, i));
	return d != NULL;
}

static bool dict(const char *target)
{
	const struct grammar *g = grammar_of(target);

	for (unsigned i = 0; i < g->n_examples; i++) {
		printf("\"");
		for (unsigned b = 0; b < MIN(g->examples[i].len, 120); b++)
			printf("\\x%02x", (uint8_t)g->examples[i].bytes[b]);
		printf("\"\n");
	}
	for (unsigned i = 0; i < g->n_registers; i++)
		printf("\"\\x%02x\\x%02x\"\n", g->registers[i] & 0xff, g->registers[i] >> 8);
	return true;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "seeds") == 0 && argc == 4)
		return seeds_write(argv[2], argv[3], save) ? 0 : 1;
	if (strcmp(what, "unpack") == 0 && argc == 4)
		return unpack(argv[2], argv[3]) ? 0 : 1;
	if (strcmp(what, "pack") == 0 && argc == 3)
		return pack(argv[2]) ? 0 : 1;
	if (strcmp(what, "dict") == 0 && argc == 3)
		return dict(argv[2]) ? 0 : 1;
	(void)fprintf(stderr, "usage: corpus seeds TARGET DIR | unpack FILE DIR | pack DIR | "
			      "dict TARGET\n");
	return 2;
}
