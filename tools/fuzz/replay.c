/*
 * build/fuzz/replay: runs inputs and tells what happened, each register access, chain, fault and
 * completion in words.
 *
 *	replay [-t TARGET] FILE...    the trace of each
 *	replay --quiet FILE...        one line of TAP each: for regression tests
 *	replay --twice FILE...        as --quiet, and run once more on a fresh device: must be the
 *	same
 *	replay --list                 the targets
 *
 * Without -t the target is the name of the folder that a file is in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/language/trace.h"

struct options {
	char *target;
	gboolean quiet, twice, list;
	char **files;
};

static const struct fuzz_target *replay_target_of(const struct options *o, const char *file)
{
	g_autofree char *dir = g_path_get_dirname(file);

	return fuzz_target_find(o->target ? o->target : dir);
}

static void replay_tell(const struct fuzz_target *t, const char *data, size_t len, FILE *to)
{
	trace_into(to);
	t->run(t, (const uint8_t *)data, len);
	trace_end();
}

/* The trace as text; free with free(). */
static char *replay_told(const struct fuzz_target *t, const char *data, size_t len)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	replay_tell(t, data, len, f);
	(void)fclose(f);
	return text;
}

/* Runs it on a device that others have used and on one that nobody has. Where the stories part, or
 * NULL; free with g_free(). */
static char *replay_compare(const struct fuzz_target *t, const char *data, size_t len)
{
	char *used = replay_told(t, data, len), *fresh, *ret = NULL;
	size_t at = 0, line = 0;

	fixture_keep(false);
	fresh = replay_told(t, data, len);
	fixture_keep(true);
	for (; used[at] && used[at] == fresh[at]; at++)
		line = used[at] == '\n' ? at + 1 : line;
	if (used[at] != fresh[at])
		ret = g_strdup_printf("a used device: %.*s; a fresh one: %.*s",
				      (int)strcspn(used + line, "\n"), used + line,
				      (int)strcspn(fresh + line, "\n"), fresh + line);
	free(used);
	free(fresh);
	return ret;
}

static bool replay(const struct options *o, const char *file, unsigned n)
{
	const struct fuzz_target *t = replay_target_of(o, file);
	g_autofree char *data = NULL, *wrong = NULL;
	g_autoptr(GError) err = NULL;
	gsize len;

	if (!t || !g_file_get_contents(file, &data, &len, &err)) {
		printf("not ok %u - %s: %s\n", n, file, t ? err->message : "no such target");
		return false;
	}
	if (!o->quiet && !o->twice) {
		printf("%s: %zu bytes for %s\n", file, len, t->name);
		replay_tell(t, data, len, stdout);
		return true;
	}
	if (o->twice)
		wrong = replay_compare(t, data, len);
	else
		t->run(t, (const uint8_t *)data, len);
	printf("%s %u - %s%s%s\n", wrong ? "not ok" : "ok", n, file, wrong ? ": " : "",
	       wrong ? wrong : "");
	return !wrong;
}

static void replay_list(void)
{
	for (guint i = 0; i < fuzz_targets()->len; i++)
		printf("%s\n", ((struct fuzz_target *)g_ptr_array_index(fuzz_targets(), i))->name);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	const GOptionEntry entries[] = {
		{ "target", 't', 0, G_OPTION_ARG_STRING, &o.target, "whose input it is", "NAME" },
		{ "quiet", 0, 0, G_OPTION_ARG_NONE, &o.quiet, "a line of TAP each", NULL },
		{ "twice", 0, 0, G_OPTION_ARG_NONE, &o.twice, "compare with a fresh device", NULL },
		{ "list", 0, 0, G_OPTION_ARG_NONE, &o.list, "print the targets", NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.files, NULL,
		  "FILE..." },
		{ 0 }
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) err = NULL;
	bool ok = true;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &err)) {
		(void)fprintf(stderr, "replay: %s\n", err->message);
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* a crash cuts nothing off */
	fuzz_init();
	if (o.list)
		replay_list();
	for (unsigned i = 0; o.files && o.files[i]; i++)
		ok &= replay(&o, o.files[i], i + 1);
	fixture_forget_all();
	g_strfreev(o.files);
	g_free(o.target);
	return ok ? 0 : 1;
}
