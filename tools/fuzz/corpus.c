/*
 * build/fuzz/corpus: inputs as files and as lines of text.
 *
 *	corpus seeds TARGET DIR     writes what every fuzzing of TARGET begins with
 *	corpus unpack FILE DIR      a line of hexadecimal digits each, into files
 *	corpus pack DIR             and back, to standard output, sorted
 *	corpus make TARGET SEED COUNT DIR
 *	                            writes COUNT inputs that the mutator makes up, the same for the
 *	                            same seed
 *	corpus dict TARGET          the words of its grammar, as fuzzers read them
 *	corpus disk FILE...         such texts as a disk for guest-fw (guest-fw/fuzz.h), to
 *	                            standard output
 *
 * Under version control a corpus is one such text for each target: thousands of tiny files are a
 * burden, and a change to one line is easily read.
 */
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/mutate.h"
#include "tools/fuzz/language/seeds.h"

/* Of a disk for guest-fw. */
enum { SLOT = 1024, SLOT_TARGET = 2, SLOT_DATA = 24, MAGIC_BYTES = 16 };

/* Into a file that is named after what is in it. */
static bool corpus_save(const char *dir, const uint8_t *data, size_t len)
{
	g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA1, data, len);
	g_autofree char *path = g_build_filename(dir, sum, NULL);
	g_autoptr(GError) err = NULL;

	if (g_file_set_contents(path, (const char *)data, (gssize)len, &err))
		return true;
	(void)fprintf(stderr, "corpus: %s\n", err->message);
	return false;
}

/* At most @max bytes of a line; how many in *ret_len. */
static bool read_hex(const char *line, uint8_t *data, size_t max, size_t *ret_len)
{
	*ret_len = MIN(strlen(line) / 2, max);
	for (size_t i = 0; i < *ret_len; i++) {
		int high = g_ascii_xdigit_value(line[2 * i]);
		int low = g_ascii_xdigit_value(line[2 * i + 1]);

		if (high < 0 || low < 0) {
			(void)fprintf(stderr, "corpus: '%s' is not hexadecimal\n", line);
			return false;
		}
		data[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool save_hex(const char *line, void *dir)
{
	size_t max = strlen(line), len;
	g_autofree uint8_t *data = g_malloc(max + 1);

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is freed */
	return read_hex(line, data, max, &len) && corpus_save(dir, data, len);
}

static bool each_line(const char *file, bool (*fn)(const char *line, void *opaque), void *opaque)
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
			ok &= fn(*line, opaque);
	return ok;
}

static bool corpus_unpack(const char *file, char *dir)
{
	return each_line(file, save_hex, dir);
}

/*
 * A disk: each input in a slot of its own, with its target's name before it. What does not fit is
 * cut off, which leaves an input.
 */
struct disk {
	GByteArray *slots;
	char target[SLOT_DATA - SLOT_TARGET];
};

static bool add_slot(const char *line, void *opaque)
{
	struct disk *d = opaque;
	uint8_t slot[SLOT] = { 0 };
	size_t len;

	if (!read_hex(line, slot + SLOT_DATA, SLOT - SLOT_DATA, &len))
		return false;
	slot[0] = (uint8_t)len;
	slot[1] = (uint8_t)(len >> 8);
	memcpy(slot + SLOT_TARGET, d->target, sizeof(d->target));
	g_byte_array_append(d->slots, slot, sizeof(slot));
	return true;
}

static bool corpus_make_disk(char **files)
{
	g_autoptr(GByteArray) slots = g_byte_array_new();
	struct disk d = { .slots = slots };
	uint8_t first[SLOT] = "ringside fuzz 1";
	uint32_t n;

	for (; *files; files++) {
		g_autofree char *target = g_path_get_basename(*files);

		memset(d.target, 0, sizeof(d.target));
		(void)g_strlcpy(d.target, target, sizeof(d.target));
		if (!each_line(*files, add_slot, &d))
			return false;
	}
	n = GUINT32_TO_LE(slots->len / SLOT);
	memcpy(first + MAGIC_BYTES, &n, sizeof(n));
	return fwrite(first, sizeof(first), 1, stdout) == 1 &&
	       fwrite(slots->data, 1, slots->len, stdout) == slots->len;
}

static gint by_length(gconstpointer a, gconstpointer b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	gssize longer = (gssize)strlen(x) - (gssize)strlen(y);

	return longer ? (longer > 0 ? 1 : -1) : strcmp(x, y);
}

static bool corpus_pack(const char *dir)
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

static bool corpus_dict(const char *target)
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

/* Each from nothing, in so many steps that most have several records. */
static bool corpus_make(const char *target, uint64_t seed, uint64_t count, const char *dir)
{
	struct mutator m = { .g = grammar_of(target), .seed = seed };
	uint8_t data[512];
	bool ok = true;

	while (count--) {
		size_t size = 0;

		for (unsigned i = 0; i < 16; i++)
			size = mutate(&m, data, size, sizeof(data));
		ok &= corpus_save(dir, data, size);
	}
	return ok;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "seeds") == 0 && argc == 4)
		return seeds_write(argv[2], argv[3], corpus_save) ? 0 : 1;
	if (strcmp(what, "make") == 0 && argc == 6)
		return corpus_make(argv[2], g_ascii_strtoull(argv[3], NULL, 10),
				   g_ascii_strtoull(argv[4], NULL, 10), argv[5])
			       ? 0
			       : 1;
	if (strcmp(what, "unpack") == 0 && argc == 4)
		return corpus_unpack(argv[2], argv[3]) ? 0 : 1;
	if (strcmp(what, "pack") == 0 && argc == 3)
		return corpus_pack(argv[2]) ? 0 : 1;
	if (strcmp(what, "disk") == 0 && argc >= 3)
		return corpus_make_disk(argv + 2) ? 0 : 1;
	if (strcmp(what, "dict") == 0 && argc == 3)
		return corpus_dict(argv[2]) ? 0 : 1;
	(void)fprintf(stderr, "usage: corpus seeds TARGET DIR | make TARGET SEED COUNT DIR | "
			      "unpack FILE DIR | pack DIR | dict TARGET | disk FILE...\n");
	return 2;
}
