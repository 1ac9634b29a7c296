#include "tools/bench/replay.h"

#include "devices/base/error.h"
#include "tools/bench/command.h"
#include "tools/bench/stats.h"
#include "tools/replay/play.h"

#define ROUNDS_MAX 1000

static const char help[] =
	"ringside bench replay [OPTION...] FILE\n"
	"\n"
	"A record's traffic (ringside run --record FILE,payload=all), played to the devices of\n"
	"this program on one thread: chains a second, all devices together, from the driver's\n"
	"making them available to its comparing what came back.\n"
	"\n"
	"  --rounds N   times that it is played [5]\n"
	"  --csv        CSV instead of a table\n"
	"  -h, --help   this help\n";

struct replay_bench {
	int rounds;
	gboolean csv, help;
	char **files;
};

static bool replay_bench_parse(char ***argv, struct replay_bench *ret, GError **err)
{
	const GOptionEntry entries[] = {
		{ "rounds", 0, 0, G_OPTION_ARG_INT, &ret->rounds, NULL, NULL },
		{ "csv", 0, 0, G_OPTION_ARG_NONE, &ret->csv, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &ret->help, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &ret->files, NULL, NULL },
		{ 0 },
	};

	ret->rounds = 5;
	if (!ringside_entries(entries, argv, "ringside bench replay --help lists all", err))
		return false;
	if (ret->rounds < 1 || ret->rounds > ROUNDS_MAX)
		return ringside_usage(err, "--rounds %d: it takes 1 to %d", ret->rounds,
				      ROUNDS_MAX);
	if (!ret->help && (!ret->files || ret->files[1]))
		return ringside_usage(err, "bench replay: it takes one FILE");
	return true;
}

/* Thousand chains a second of each round; how many chains and bytes there are. */
static bool replay_bench_play(const struct replay_script *s, int rounds, double *rates,
			      uint64_t ret_sums[2], GError **err)
{
	for (int i = 0; i < rounds; i++) {
		struct replay_result r;
		bool ok = replay_play(s, REPLAY_WAIT_MS, &r, err);

		if (ok && r.divergence)
			ok = ringside_usage(err, "bench replay: it goes otherwise now: %s",
					    r.divergence);
		if (ok && !r.chains)
			ok = ringside_usage(err, "bench replay %s: it has no chains", s->file);
		if (ok) {
			ret_sums[0] = r.chains;
			ret_sums[1] = r.bytes;
			rates[i] = (double)r.chains / MAX(r.seconds, 1e-6) / 1e3;
		}
		replay_clear(&r);
		if (!ok)
			return false;
	}
	return true;
}

static bool replay_bench_run(const struct replay_bench *b, FILE *out, GError **err)
{
	struct replay_script *s = replay_script_read(b->files[0], err);
	double rates[ROUNDS_MAX] = { 0 };
	uint64_t sums[2] = { 0 };
	struct bench_stats stats;
	bool ok = s && replay_bench_play(s, b->rounds, rates, sums, err);

	replay_script_free(s);
	if (!ok)
		return false;
	stats = bench_stats(rates, (unsigned)b->rounds);
	fprintf(out,
		b->csv ? "chains,bytes,rounds,thousand,spread\n%" G_GUINT64_FORMAT
			 ",%" G_GUINT64_FORMAT ",%d,%.3f,%.1f\n"
		       : "%" G_GUINT64_FORMAT " chains, %" G_GUINT64_FORMAT
			 " bytes that devices wrote; %d rounds: %.1f thousand chains a second, "
			 "+-%.0f%%\n",
		sums[0], sums[1], b->rounds, stats.median, bench_spread(&stats));
	return bench_written(out, err);
}

bool bench_replay_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	g_auto(GStrv) args = g_strdupv((char **)&argv[1]);
	struct replay_bench b = { 0 };
	bool ok = replay_bench_parse(&args, &b, err);

	(void)argc;
	(void)progress;
	if (ok && b.help)
		fputs(help, out);
	else if (ok)
		ok = replay_bench_run(&b, out, err);
	g_strfreev(b.files);
	return ok;
}
