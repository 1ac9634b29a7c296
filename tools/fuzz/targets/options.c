/*
 * The command line: words, judged by the parser, and devices, opened on back-ends of ours with
 * whatever options they are given. A refusal is one line.
 */
#include <string.h>

#include "devices/backend/net/user/user.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "tools/cli/cli.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "vmm/x86/cpuid.h"

#define WORDS_MAX 24u

/* One line, whoever is at fault. Takes the error. */
static void check(bool ok, GError *err)
{
	if (ok != !err)
		fuzz_bug(ok ? "accepted with an error" : "refused without a word");
	if (err && (strchr(err->message, '\n') || !*err->message))
		fuzz_bug("an error that is no line: '%s'", err->message);
	if (err)
		trace("%s", err->message);
	g_clear_error(&err);
}

/*
 * A device with its options.
 */
static void open_device(const char *spec, struct loop *loop)
{
	struct vdev_env env = { .mem = arena_mem(), .main_loop = loop, .n_cpus = 3 };
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	const struct vdev_class *class = name ? vdev_class_find(name) : NULL;
	const struct prop *const tables[] = { vdev_common_props, class ? class->props : NULL,
					      NULL };
	GError *err = NULL;
	struct vdev *dev;

	if (!class)
		return;
	trace("device %s", spec);
	dev = vdev_new(class, pairs, &env, &err);
	check(dev != NULL, err);
	err = NULL;
	if (dev)
		check(prop_all_used(pairs, tables, "--device", &err), err);
	vdev_free(dev);
}

static void open_devices(const struct machine_config *cfg)
{
	GMainContext *context = g_main_context_new();
	struct fakes fakes = { 0 };
	struct loop *loop;

	g_main_context_set_poll_func(context, host_poll);
	host_set_context(context);
	fakes_collect(&fakes);
	fakes_only(true);
	loop = loop_main();
	for (guint i = 0; i < cfg->devices->len; i++) {
		const struct machine_device *d = g_ptr_array_index(cfg->devices, i);

		open_device(d->spec, loop);
	}
	loop_free(loop);
	fakes_only(false);
	fakes_collect(NULL);
	host_set_context(NULL);
	g_main_context_unref(context);
}

/* What other parsers make of a word. */
static void parse_word(const char *word)
{
	struct user_forward forward;
	struct user_net net;
	struct cpu_model model;
	GError *err = NULL;
	uint64_t size;
	bool ok;

	(void)prop_size(word, &size);
	ok = user_parse_forward(word, &forward, &err);
	check(ok, g_steal_pointer(&err));
	ok = user_parse_net(word, NULL, &net, &err);
	check(ok, g_steal_pointer(&err));
	ok = user_parse_net(NULL, word, &net, &err);
	check(ok, g_steal_pointer(&err));
	ok = cpuid_parse_model(word, &model, &err);
	check(ok, g_steal_pointer(&err));
}

/* Of one line: who writes two gets two back. */
static char *text_of(const struct input *in)
{
	return g_strdelimit(g_strndup((const char *)in->at, in_left(in)), "\r\n", ' ');
}

/* A number below this chooses a class, or beyond the last a word like any other. */
static unsigned options_choices(void)
{
	unsigned n = 0;

	while (vdev_class_nth(n))
		n++;
	return n + 3;
}

/* Takes the words off the input; NULL-terminated, the program's name first. */
static char **words_of(struct input *in)
{
	static const char *const names[] = {
		"--kernel",  "--initrd",  "--append",   "--memory",     "--cpus",
		"--cpu",     "--device",  "--disk",     "--net",        "--console",
		"--serial",  "--control", "--stats",    "--sandbox",    "--no-reboot",
		"--help",    "-k",        "-d",         "--pc",         "--record",
		"--symbols", "--name",    "--debugcon", "--debug-exit", "--share",
	};
	GPtrArray *words = g_ptr_array_new();
	const struct vdev_class *class;
	struct input args;
	uint8_t op;

	g_ptr_array_add(words, g_strdup("ringside"));
	while (words->len < WORDS_MAX && in_record(in, &op, &args)) {
		if (op % N_OPT_OPS == OPT_PAIR)
			g_ptr_array_add(words, g_strdup(names[in8(&args) % G_N_ELEMENTS(names)]));
		class = op % N_OPT_OPS == OPT_DEVICE
				? vdev_class_nth(in8(&args) % options_choices())
				: NULL;
		if (class) {
			g_autofree char *text = text_of(&args);

			g_ptr_array_add(words, g_strdup("--device"));
			g_ptr_array_add(words, g_strconcat(class->name, ",", text, NULL));
		} else {
			g_ptr_array_add(words, text_of(&args));
		}
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

void fuzz_options_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	g_auto(GStrv) words = words_of(&in);
	struct machine_config *cfg = NULL;
	g_autofree char *text = NULL;
	GError *err = NULL;
	bool ok;

	(void)t;
	arena_init();
	host_begin(1);
	host_running(true);
	for (char **w = words; *w; w++)
		parse_word(*w);
	ok = cli_parse((int)g_strv_length(words), words, &cfg, &text, &err);
	check(ok, err);
	if (ok && cfg)
		open_devices(cfg);
	machine_config_free(cfg);
	host_running(false);
}
