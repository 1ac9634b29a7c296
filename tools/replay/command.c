#include "tools/replay/command.h"

#include <errno.h>

#include "devices/base/error.h"
#include "tools/replay/play.h"

static const char help[] =
	"ringside replay [OPTION...] FILE\n"
	"\n"
	"What the drivers in a record (ringside run --record FILE,payload=all) did, done again to\n"
	"the devices of this program, without a guest. Each chain has to come back with the used\n"
	"length and the bytes that the record has, each read of the configuration space to give\n"
	"what it gave. The first thing that does not is told, with both sides' words, and the exit\n"
	"status is 1.\n"
	"\n"
	"  --rounds N      play it N times\n"
	"  --wait SECONDS  how long a device may take for what it has to do (10)\n"
	"  -h, --help      this help\n";

struct replay_options {
	int rounds;
	double wait;
	gboolean help;
	char **files;
};

static bool replay_parse(char ***argv, struct replay_options *ret, GError **err)
{
	const GOptionEntry entries[] = {
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &ret->rounds, NULL, NULL },
		{ "wait", 0, 0, G_OPTION_ARG_DOUBLE, &ret->wait, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &ret->help, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &ret->files, NULL, NULL },
		{ 0 },
	};

	*ret = (struct replay_options){ .rounds = 1, .wait = REPLAY_WAIT_MS / 1e3 };
	if (!ringside_entries(entries, argv, "ringside replay --help lists all", err))
		return false;
	if (ret->rounds < 1 || !(ret->wait > 0 && ret->wait < 1e6))
		return ringside_usage(err, "replay: --rounds and --wait take numbers above 0");
	if (ret->files && ret->files[1])
		return ringside_usage(err, "replay: one FILE");
	return true;
}

static void replay_report(const struct replay_script *s, const struct replay_result *r, bool notes,
			  FILE *out)
{
	for (guint i = 0; notes && i < r->notes->len; i++)
		fprintf(out, "%s\n", (char *)g_ptr_array_index(r->notes, i));
	if (notes && !s->account.whole)
		fputs("the record does not end as its writer ends one: played as far as it goes\n",
		      out);
	if (r->divergence) {
		fprintf(out, "%s\n", r->divergence);
		return;
	}
	fprintf(out,
		"no divergence: %u devices, %" G_GUINT64_FORMAT " chains (%" G_GUINT64_FORMAT
		" bytes compared), %" G_GUINT64_FORMAT " reads of configuration, %" G_GUINT64_FORMAT
		" changes of status; %.3f s",
		s->devices->len, r->chains, r->bytes, r->configs, r->statuses, r->seconds);
	if (r->adopted)
		fprintf(out, "; %" G_GUINT64_FORMAT " changes of it from outside", r->adopted);
	fputc('\n', out);
}

static bool replay_rounds(const struct replay_script *s, const struct replay_options *o, FILE *out,
			  bool *ret_diverged, GError **err)
{
	for (int i = 0; i < o->rounds && !*ret_diverged; i++) {
		struct replay_result r;
		bool ok = replay_play(s, (unsigned)(o->wait * 1e3), &r, err);

		if (ok)
			replay_report(s, &r, i == 0, out);
		*ret_diverged = r.divergence;
		replay_clear(&r);
		if (!ok)
			return false;
	}
	return true;
}

bool replay_command(char *const *argv, FILE *out, bool *ret_diverged, GError **err)
{
	g_auto(GStrv) args = g_strdupv((char **)argv);
	struct replay_options o;
	bool ok = replay_parse(&args, &o, err);

	*ret_diverged = false;
	if (ok && (o.help || !o.files)) {
		fputs(help, out);
	} else if (ok) {
		struct replay_script *s = replay_script_read(o.files[0], err);

		ok = s && replay_rounds(s, &o, out, ret_diverged, err);
		replay_script_free(s);
	}
	if (ok && fflush(out) != 0)
		ok = ringside_error_errno(err, errno, "standard output");
	g_strfreev(o.files);
	return ok;
}
