/*
 * The command line of `ringside fuzz vhost-user`.
 */
#include "tools/attack/attack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/base/error.h"
#include "tools/attack/run.h"
#include "tools/bench/command.h"

#define COMMAND     "ringside fuzz vhost-user"
#define SECONDS_MAX (30 * 86400.)
#define WAIT_MAX_US 1000000

/* What hostile messages are about. No acknowledgements (REPLY_ACK): an honest message that has no
 * answer is not waited for; a hostile one may ask for them. */
#define HOSTILE_PROTOCOL                                                                       \
	(1ull << VHU_PF_MQ | 1ull << VHU_PF_LOG_SHMFD | 1ull << VHU_PF_BACKEND_REQ |           \
	 1ull << VHU_PF_CONFIG | 1ull << VHU_PF_INFLIGHT_SHMFD | 1ull << VHU_PF_RESET_DEVICE | \
	 1ull << VHU_PF_CONFIGURE_MEM_SLOTS | 1ull << VHU_PF_STATUS | 1ull << VHU_PF_DEVICE_STATE)

struct request {
	struct attack_plan plan;
	struct attack_back_end back_end;
	struct attack_input replayed;
	char *socket, *start, *kind, *ring, *replay, *save, *json;
	gint64 seed, from, inputs, enough;
	int wait_us, patience_s;
	gboolean driver_only, minimise, help;
};

static const char help_text[] =
	"ringside fuzz vhost-user --socket PATH [OPTION...]: attacks the device that a back-end of\n"
	"vhost-user serves, as a hostile driver and front-end: descriptors, tables, rings and\n"
	"requests that no sound driver writes, and messages that no sound front-end sends. With\n"
	"--driver-only the messages are honest, and the shared memory is judged, too. Faults are:\n"
	"  died           its process has ended\n"
	"  hung           it does not answer any more\n"
	"  deaf           it serves no sound request any more\n"
	"  late           something is wrong, but not again: of inputs before, whose rings were\n"
	"                 stopped\n"
	"  used-index     it has used more chains than there were\n"
	"  used-id        it gives back a chain that there was not\n"
	"  used-twice     it gives back a chain more often than it was given\n"
	"  used-length    it says that it wrote more than was writable\n"
	"  wrote-outside  it has written where nothing was to be written\n"
	"A closed connection is none. The exit status is 0 if nothing was found, 3 if something was,\n"
	"and 1 or 2 if the attack could not be made.\n";

static GOptionContext *make_context(struct request *r)
{
	const GOptionEntry entries[] = {
		{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &r->socket,
		  "of the back-end, which listens there", "PATH" },
		{ "start", 0, 0, G_OPTION_ARG_STRING, &r->start,
		  "starts the back-end, and again when it has died; words and quotes as a shell's",
		  "COMMAND" },
		{ "driver-only", 0, 0, G_OPTION_ARG_NONE, &r->driver_only,
		  "the front-end's messages are honest ones", NULL },
		{ "device", 0, 0, G_OPTION_ARG_STRING, &r->kind,
		  "what requests look like: any, blk (its contents are lost), net [any]", "KIND" },
		{ "ring", 0, 0, G_OPTION_ARG_STRING, &r->ring,
		  "split, packed, or both in turn [split]", "RING" },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &r->seed, "of the inputs [1]", "N" },
		{ "from", 0, 0, G_OPTION_ARG_INT64, &r->from, "number of the first input [0]",
		  "N" },
		{ "inputs", 0, 0, G_OPTION_ARG_INT64, &r->inputs,
		  "how many [100000, of a replay 1]", "N" },
		{ "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &r->plan.seconds,
		  "or how long, with no more than --inputs if that is given", "N" },
		{ "findings", 0, 0, G_OPTION_ARG_INT64, &r->enough, "or until so many were found",
		  "N" },
		{ "wait", 0, 0, G_OPTION_ARG_INT, &r->wait_us,
		  "how long a device may take to see what is new, at most [100]", "US" },
		{ "patience", 0, 0, G_OPTION_ARG_INT, &r->patience_s,
		  "after so long without an answer it hangs [5]", "SECONDS" },
		{ "replay", 0, 0, G_OPTION_ARG_FILENAME, &r->replay,
		  "one input that --save has written, instead of new ones", "FILE" },
		{ "save", 0, 0, G_OPTION_ARG_FILENAME, &r->save,
		  "a folder for the inputs that find something", "DIR" },
		{ "no-minimise", 0, G_OPTION_FLAG_REVERSE, G_OPTION_ARG_NONE, &r->minimise,
		  "saves inputs as they were, not made small first", NULL },
		{ "json", 0, 0, G_OPTION_ARG_FILENAME, &r->json, "the results as JSON, besides",
		  "FILE" },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &r->help, "this help", NULL },
		{ 0 },
	};
	GOptionContext *context = g_option_context_new(NULL);

	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_set_help_enabled(context, FALSE);
	return context;
}

static void request_free(struct request *r)
{
	char **texts[] = {
		&r->socket, &r->start, &r->kind, &r->ring, &r->replay, &r->save, &r->json
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(*texts[i]);
	g_strfreev(r->back_end.start);
}

static bool check_numbers(const struct request *r, GError **err)
{
	if (r->seed < 0 || r->from < 0)
		return ringside_usage(err, "--seed, --from: they take numbers from 0 on");
	if (r->inputs < 0 || r->enough < 0)
		return ringside_usage(err, "--inputs, --findings: they take a number");
	if (r->plan.seconds < 0 || r->plan.seconds > SECONDS_MAX)
		return ringside_usage(err, "--seconds: it takes a number of seconds");
	if (r->wait_us < 0 || r->wait_us > WAIT_MAX_US)
		return ringside_usage(err, "--wait: it takes 0 to %d microseconds", WAIT_MAX_US);
	if (r->patience_s < 1 || r->patience_s > 600)
		return ringside_usage(err, "--patience: it takes 1 to 600 seconds");
	return true;
}

static bool take_kind(struct request *r, GError **err)
{
	r->plan.source.kind = attack_kind_find(r->kind ? r->kind : "any");
	return r->plan.source.kind ||
	       ringside_usage(err, "--device %s: it takes any, blk or net", r->kind);
}

static bool take_ring(struct request *r, GError **err)
{
	const char *ring = r->ring ? r->ring : "split";
	uint64_t packed = 1ull << VIRTIO_F_RING_PACKED;

	if (strcmp(ring, "packed") == 0)
		r->plan.source.required = packed;
	else if (strcmp(ring, "split") == 0)
		r->plan.forbidden = packed;
	else if (strcmp(ring, "both") != 0)
		return ringside_usage(err, "--ring %s: it takes split, packed or both", ring);
	return true;
}

static bool take_replay(struct request *r, GError **err)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *text = NULL;

	if (!r->replay)
		return true;
	if (!g_file_get_contents(r->replay, &text, NULL, &why) ||
	    !attack_read_text(&r->replayed, text, &why))
		return ringside_usage(err, "--replay %s: %s", r->replay, why->message);
	r->plan.replay = &r->replayed;
	r->plan.source.kind = r->replayed.kind;
	return true;
}

static bool take_save(struct request *r, GError **err)
{
	r->plan.save = r->save;
	return !r->save || mkdir(r->save, 0777) == 0 || errno == EEXIST ||
	       ringside_error_errno(err, errno, "--save %s", r->save);
}

static bool take_start(struct request *r, GError **err)
{
	g_autoptr(GError) why = NULL;

	return !r->start || g_shell_parse_argv(r->start, NULL, &r->back_end.start, &why) ||
	       ringside_usage(err, "--start: %s", why->message);
}

static void take_rest(struct request *r)
{
	bool endless = r->plan.seconds > 0 && !r->inputs;

	r->plan.source.seed = (uint64_t)r->seed;
	r->plan.minimise = r->save && r->minimise;
	r->plan.from = (uint64_t)r->from;
	r->plan.inputs = r->inputs        ? (uint64_t)r->inputs
			 : endless        ? UINT64_MAX
			 : r->plan.replay ? 1
					  : 100000;
	r->plan.enough = r->enough ? (uint64_t)r->enough : UINT64_MAX;
	r->plan.wait_us = (unsigned)r->wait_us;
	r->plan.source.messages = !r->driver_only;
	r->back_end.protocol = r->driver_only ? 1ull << VHU_PF_MQ : HOSTILE_PROTOCOL;
	r->back_end.path = r->socket;
	r->back_end.patience_ms = (unsigned)r->patience_s * 1000;
}

/* Options in @args, which begins with the command. */
static bool request_parse(struct request *r, char ***args, FILE *out, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(r);

	if (!ringside_options(context, args, COMMAND " --help", err))
		return false;
	if (r->help) {
		bench_print_help(out, context, help_text);
		return true;
	}
	if (!r->socket)
		return ringside_usage(err, "--socket PATH: is missing, the back-end's socket");
	if (!check_numbers(r, err) || !take_kind(r, err) || !take_ring(r, err) ||
	    !take_replay(r, err) || !take_save(r, err) || !take_start(r, err))
		return false;
	take_rest(r);
	return true;
}

static bool write_json(const struct request *r, const struct attack_run *run, const char *command,
		       FILE *json, GError **err)
{
	attack_report_json(json, run, command);
	return attack_file_close(json, "--json", r->json, err);
}

static bool request_run(struct request *r, const char *command, FILE *out, FILE *progress,
			bool *ret_found, GError **err)
{
	struct attack_run run = { .plan = &r->plan, .back_end = &r->back_end };
	FILE *json = r->json ? attack_file_open("--json", r->json, err) : NULL;
	bool ok;

	if (r->json && !json)
		return false;
	run.rings = g_new0(struct attack_rings, 1);
	ok = back_end_start(&r->back_end, err);
	progress_begin(&run.progress, progress);
	ok = ok && attack_run(&run, err);
	progress_end(&run.progress);
	back_end_stop(&r->back_end);
	if (ok) {
		attack_report(out, &run);
		ok = bench_written(out, err);
	}
	if (json)
		ok = ok ? write_json(r, &run, command, json, err) : fclose(json) && false;
	*ret_found = attack_faults(&run) != 0;
	attack_run_free(&run);
	g_free(run.rings);
	return ok;
}

bool attack_command(char *const *argv, FILE *out, FILE *progress, bool *ret_found, GError **err)
{
	struct request r = { .seed = 1, .wait_us = 100, .patience_s = 5, .minimise = TRUE };
	g_autofree char *command = g_strjoinv(" ", (char **)argv);
	g_auto(GStrv) args = g_strdupv((char **)&argv[1]);
	bool ok;

	*ret_found = false;
	back_end_init(&r.back_end);
	ok = request_parse(&r, &args, out, err) &&
	     (r.help || request_run(&r, command, out, progress, ret_found, err));
	request_free(&r);
	return ok;
}
