#include "tools/cli/serve-command.h"

#include <string.h>

#include "devices/base/error.h"
#include "devices/registry.h"
#include "tools/cli/cli-int.h"
#include "vmm/serve/serve.h"

static const char help[] =
	"ringside serve DEVICE[,KEY=VALUE...] --vhost-user SOCKET\n"
	"ringside serve DEVICE[,KEY=VALUE...] --vfio-user SOCKET\n"
	"ringside serve DEVICE[,KEY=VALUE...] --vduse NAME\n"
	"\n"
	"One of ringside's devices for other programs: it is opened as `ringside run\n"
	"--device' opens it, and a front-end (QEMU, DPDK, ...) gives it to a guest of its\n"
	"own. `ringside serve help' lists the devices, DEVICE,help a device's keys; those\n"
	"of transports are for run alone.\n"
	"\n"
	"  --vhost-user SOCKET        the device's queues; registers are the front-end's\n"
	"  --vfio-user SOCKET         the whole PCI device, as `ringside run' has it\n"
	"  --vduse NAME               a vDPA device of this host: a disk is its /dev/vdX\n"
	"  --once                     end when the first front-end has gone\n"
	"  --check[=WORDS]            tell which rules drivers break; run --check=help lists\n"
	"                             the words\n"
	"  --record FILE              write down what happens: `ringside trace --help'\n"
	"  --sandbox LEVEL            on, strict, off; help tells [on]\n"
	"  -h, --help                 this help\n"
	"\n"
	"SOCKET is one of these:\n"
	"  PATH                       listen there: front-ends one after another\n"
	"  connect:PATH               connect to one that listens\n"
	"  fd:N                       an inherited socket, connected or listening\n"
	"\n"
	"SIGTERM and SIGINT end it. docs/vhost-user.md and docs/vfio-user.md show it with\n"
	"QEMU, docs/vduse.md with the host's own drivers.\n";

/* The text that is asked for instead of a device; NULL: none is. */
static char *asked_text(const char *device)
{
	g_auto(GStrv) parts = g_strsplit(device, ",", 3);
	const struct vdev_class *class;

	if (strcmp(device, "help") == 0)
		return cli_devices_text();
	if (!parts[0] || !parts[1] || strcmp(parts[1], "help") != 0)
		return NULL;
	class = vdev_class_find(parts[0]);
	return class ? cli_device_text(class) : NULL;
}

struct serve_words {
	char *where[N_SERVE_PROTOCOLS]; /* NULL: not in this one */
	char *level, *record;
	gboolean help;
};

static gboolean take_check(const char *name, const char *value, gpointer data, GError **err)
{
	(void)name;
	return check_config_parse(&((struct serve_config *)data)->check, value, err);
}

static bool parse(char ***argv, struct serve_config *cfg, struct serve_words *ret, GError **err)
{
	char **where = ret->where;
	const GOptionEntry entries[] = {
		{ "vhost-user", 0, 0, G_OPTION_ARG_FILENAME, &where[SERVE_VHOST_USER], NULL, NULL },
		{ "vfio-user", 0, 0, G_OPTION_ARG_FILENAME, &where[SERVE_VFIO_USER], NULL, NULL },
		{ "vduse", 0, 0, G_OPTION_ARG_STRING, &where[SERVE_VDUSE], NULL, NULL },
		{ "check", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK,
		  (gpointer)take_check, NULL, NULL },
		{ "once", 0, 0, G_OPTION_ARG_NONE, &cfg->once, NULL, NULL },
		{ "record", 0, 0, G_OPTION_ARG_FILENAME, &ret->record, NULL, NULL },
		{ "sandbox", 0, 0, G_OPTION_ARG_STRING, &ret->level, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &ret->help, NULL, NULL },
		{ 0 },
	};
	GOptionContext *context = g_option_context_new(NULL);
	GOptionGroup *group;
	bool ok;

	group = g_option_group_new("serve", NULL, NULL, cfg, NULL);
	g_option_group_add_entries(group, entries);
	g_option_context_set_main_group(context, group);
	g_option_context_set_help_enabled(context, FALSE);
	ok = ringside_options(context, argv, "ringside serve --help lists all", err);
	g_option_context_free(context);
	return ok;
}

static bool choose_level(struct serve_config *cfg, const char *level, char **ret_text, GError **err)
{
	if (!level || sandbox_find_level(level, &cfg->sandbox))
		return true;
	if (strcmp(level, "help") != 0)
		return ringside_usage(
			err, "--sandbox %s: not known; --sandbox help lists the levels", level);
	*ret_text = cli_sandbox_text();
	return true;
}

/* The first argument, if it is no option: taken from @args. The caller's. */
static char *take_device(char **args)
{
	char *device = args[1];

	if (!device || *device == '-')
		return NULL;
	for (char **a = args + 1; *a; a++)
		a[0] = a[1];
	return device;
}

/* The one that is asked for. */
static bool choose_protocol(struct serve_config *cfg, const struct serve_words *words, GError **err)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_SERVE_PROTOCOLS; i++)
		if (words->where[i] && *words->where[i]) {
			cfg->protocol = i;
			cfg->where = words->where[i];
			n++;
		}
	if (n == 1)
		return true;
	return ringside_usage(
		err, n ? "serve: one of --vhost-user, --vfio-user and --vduse"
		       : "serve: where to? it takes --vhost-user PATH, --vfio-user PATH or --vduse "
			 "NAME");
}

static bool run(struct serve_config *cfg, const struct serve_words *words, const char *device,
		bool *ret_broken, GError **err)
{
	uint64_t violations = 0;

	if (!choose_protocol(cfg, words, err))
		return false;
	cfg->device = device;
	cfg->record = words->record;
	if (!serve_run(cfg, &violations, err))
		return false;
	*ret_broken = cfg->check.fatal && violations;
	return true;
}

static void free_words(struct serve_words *words)
{
	for (unsigned i = 0; i < N_SERVE_PROTOCOLS; i++)
		g_free(words->where[i]);
	g_free(words->level);
	g_free(words->record);
}

bool serve_command(char *const *argv, struct terminal_mode *mode, char **ret_text, bool *ret_broken,
		   GError **err)
{
	struct serve_config cfg = { .sandbox = SANDBOX_DEFAULT, .mode = mode };
	g_auto(GStrv) args = g_strdupv((char **)argv);
	g_autofree char *device = take_device(args);
	struct serve_words words = { 0 };
	bool ok = parse(&args, &cfg, &words, err) && choose_level(&cfg, words.level, ret_text, err);

	if (ok && !*ret_text)
		*ret_text = words.help || !device ? g_strdup(help) : asked_text(device);
	if (ok && !*ret_text)
		ok = run(&cfg, &words, device, ret_broken, err);
	check_config_clear(&cfg.check);
	free_words(&words);
	return ok;
}
