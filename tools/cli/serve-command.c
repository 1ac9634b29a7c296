#include "tools/cli/serve-command.h"

#include <string.h>

#include "devices/base/error.h"
#include "devices/registry.h"
#include "tools/cli/cli-int.h"
#include "vmm/serve/serve.h"

static const char help[] =
	"ringside serve DEVICE[,KEY=VALUE...] --vhost-user PATH\n"
	"\n"
	"One of ringside's devices for other programs: it is opened as `ringside run\n"
	"--device' opens it, and a front-end (QEMU, DPDK, ...) gives it to a guest of its\n"
	"own. `ringside serve help' lists the devices, DEVICE,help a device's keys; those\n"
	"of transports are for run alone.\n"
	"\n"
	"  --vhost-user PATH          listen there: front-ends one after another\n"
	"  --vhost-user connect:PATH  connect to one that listens\n"
	"  --vhost-user fd:N          an inherited socket, connected or listening\n"
	"  --once                     end when the first front-end has gone\n"
	"  --sandbox LEVEL            on, strict, off; help tells [on]\n"
	"  -h, --help                 this help\n"
	"\n"
	"SIGTERM and SIGINT end it. docs/vhost-user.md shows it with QEMU.\n";

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

static bool parse(char ***argv, struct serve_config *cfg, char **ret_level, gboolean *ret_help,
		  GError **err)
{
	const GOptionEntry entries[] = {
		{ "vhost-user", 0, 0, G_OPTION_ARG_FILENAME, &cfg->vhost_user, NULL, NULL },
		{ "once", 0, 0, G_OPTION_ARG_NONE, &cfg->once, NULL, NULL },
		{ "sandbox", 0, 0, G_OPTION_ARG_STRING, ret_level, NULL, NULL },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, ret_help, NULL, NULL },
		{ 0 },
	};
	GOptionContext *context = g_option_context_new(NULL);
	bool ok;

	g_option_context_add_main_entries(context, entries, NULL);
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

static bool run(struct serve_config *cfg, const char *device, GError **err)
{
	if (!cfg->vhost_user || !*cfg->vhost_user)
		return ringside_usage(err, "serve: where to? it takes --vhost-user PATH");
	cfg->device = device;
	return serve_run(cfg, err);
}

bool serve_command(char *const *argv, struct terminal_mode *mode, char **ret_text, GError **err)
{
	struct serve_config cfg = { .sandbox = SANDBOX_DEFAULT, .mode = mode };
	g_auto(GStrv) args = g_strdupv((char **)argv);
	g_autofree char *level = NULL, *device = take_device(args);
	gboolean wants_help = FALSE;
	bool ok = parse(&args, &cfg, &level, &wants_help, err) &&
		  choose_level(&cfg, level, ret_text, err);

	if (ok && !*ret_text)
		*ret_text = wants_help || !device ? g_strdup(help) : asked_text(device);
	if (ok && !*ret_text)
		ok = run(&cfg, device, err);
	g_free(cfg.vhost_user);
	return ok;
}
