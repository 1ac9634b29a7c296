#include "tools/cli/cli.h"

#include <string.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "tools/cli/cli-int.h"
#include "vmm/machine/arch.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/habits.h"

#define MEMORY_MIN (2u << 20)
#define CPUS_MAX   64u
#define GRACE_MAX  86400u

#define SHARE_READ_ONLY ",ro"

#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_MAX  0xbffcu /* what is above, PCI functions are given */

/*
 * Options.
 */
static void *config_field(struct parse *p, const struct option *o)
{
	return (char *)p->cfg + o->offset;
}

/* GOption would take --stats=off for --stats, so it is told that there may be a value. */
static bool no_value(const struct option *o, const char *value, GError **err)
{
	return !value || ringside_usage(err, "--%s=%s: takes no value; give --%s or leave it out",
					o->name, value, o->name);
}

static bool set_flag(struct parse *p, const struct option *o, const char *value, GError **err)
{
	*(bool *)config_field(p, o) = true;
	return no_value(o, value, err);
}

static bool set_text(struct parse *p, const struct option *o, const char *value, GError **err)
{
	char **text = config_field(p, o);

	if (!*value)
		return ringside_usage(err, "--%s: is empty; it takes %s", o->name, o->arg);
	g_free(*text);
	*text = g_strdup(value);
	return true;
}

static bool set_append(struct parse *p, const struct option *o, const char *value, GError **err)
{
	char *old = p->cfg->append;

	(void)o;
	(void)err;
	p->cfg->append = old ? g_strconcat(old, " ", value, NULL) : g_strdup(value);
	g_free(old);
	return true;
}

/* FILE, or FILE,args=WORDS: what is behind the first ",args=" belongs to the words. */
static bool set_initrd(struct parse *p, const struct option *o, const char *value, GError **err)
{
	static const char args[] = ",args=";
	const char *words = strstr(value, args);
	size_t len = words ? (size_t)(words - value) : strlen(value);
	struct boot_initrd *initrd;

	if (!len)
		return ringside_usage(err, "--%s: is empty; it takes %s", o->name, o->arg);
	initrd = g_new0(struct boot_initrd, 1);
	initrd->path = g_strndup(value, len);
	initrd->words = words ? g_strdup(words + strlen(args)) : NULL;
	g_ptr_array_add(p->cfg->initrds, initrd);
	return true;
}

static bool set_initrd_dir(struct parse *p, const struct option *o, const char *value, GError **err)
{
	struct boot_initrd *initrd;

	if (!*value)
		return ringside_usage(err, "--%s: is empty; it takes %s", o->name, o->arg);
	initrd = g_new0(struct boot_initrd, 1);
	initrd->path = g_strdup(value);
	initrd->folder = true;
	g_ptr_array_add(p->cfg->initrds, initrd);
	return true;
}

static bool set_protocol(struct parse *p, const struct option *o, const char *value, GError **err)
{
	g_autofree char *names = g_strjoinv(", ", (char **)arch_protocols);

	if (g_strv_contains(arch_protocols, value))
		return set_text(p, o, value, err);
	return ringside_usage(err, "--protocol %s: not known; it takes %s", value, names);
}

static bool set_pc(struct parse *p, const struct option *o, const char *value, GError **err)
{
	static const struct prop *const tables[] = { machine_pc_props, NULL };
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(value, &name);

	(void)o;
	if (name && strcmp(name, "help") == 0) {
		g_free(p->text);
		p->text = cli_pc_text();
		return true;
	}
	if (name)
		return ringside_usage(
			err, "--pc %s: it takes KEY=on|off,...; --pc help lists the keys", value);
	return prop_parse(machine_pc_props, &p->cfg->pc, pairs, "--pc", err) &&
	       prop_all_used(pairs, tables, "--pc", err);
}

/* A bare number counts MiB, as everywhere. */
struct memory_options {
	bool shared;
};

static const struct prop memory_props[] = {
	{ "shared", PROP_BOOL, offsetof(struct memory_options, shared), "off",
	  .help = "in a memfd, so that another process can be given it" },
	{ 0 },
};

static bool set_memory_options(struct parse *p, const char *size, GPtrArray *pairs, GError **err)
{
	g_autofree char *context = g_strdup_printf("--memory %s", size);
	struct memory_options o = { 0 };

	if (!prop_parse(memory_props, &o, pairs, context, err))
		return false;
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (!pair->used)
			return ringside_usage(err, "%s,%s: not known; it takes shared=on", context,
					      pair->key);
	}
	p->cfg->memory_shared = o.shared;
	return true;
}

static bool set_memory(struct parse *p, const struct option *o, const char *value, GError **err)
{
	g_autofree char *given = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(value, &given);
	size_t n = given ? strlen(given) : 0;
	bool bare = n && g_ascii_isdigit(given[n - 1]);
	g_autofree char *text = bare ? g_strconcat(given, "M", NULL) : g_strdup(given);
	uint64_t size;

	(void)o;
	if (!text || !prop_size(text, &size))
		return ringside_usage(err,
				      "--memory %s: not a size; it takes MiB, or a number "
				      "with K, M, G or T",
				      value);
	if (size < MEMORY_MIN)
		return ringside_usage(err, "--memory %s: too small; it takes 2M or more", value);
	if (size % 4096)
		return ringside_usage(err, "--memory %s: not a multiple of 4K", value);
	if (size > 1ull << 40)
		return ringside_usage(err, "--memory %s: too much; it takes up to 1T", value);
	p->cfg->memory = size;
	return set_memory_options(p, given, pairs, err);
}

static bool set_cpus(struct parse *p, const struct option *o, const char *value, GError **err)
{
	guint64 n;

	(void)o;
	if (!g_ascii_string_to_unsigned(value, 10, 1, CPUS_MAX, &n, NULL))
		return ringside_usage(err, "--cpus %s: it takes a number from 1 to %u", value,
				      CPUS_MAX);
	p->cfg->cpus = (unsigned)n;
	return true;
}

static bool set_cpu(struct parse *p, const struct option *o, const char *value, GError **err)
{
	if (strcmp(value, "help") != 0)
		return set_text(p, o, value, err);
	g_free(p->text);
	p->text = cli_cpu_text();
	return true;
}

static bool set_grace(struct parse *p, const struct option *o, const char *value, GError **err)
{
	guint64 n = 0;
	bool off = strcmp(value, "off") == 0;

	(void)o;
	if (!off && !g_ascii_string_to_unsigned(value, 10, 0, GRACE_MAX, &n, NULL))
		return ringside_usage(err, "--grace %s: it takes seconds, 0 to %u, or off", value,
				      GRACE_MAX);
	p->cfg->grace = off ? -1 : (int)n;
	return true;
}

static bool set_debug_exit(struct parse *p, const struct option *o, const char *value, GError **err)
{
	char *end;
	guint64 port = DEBUG_EXIT_PORT;

	(void)o;
	if (value) {
		port = g_ascii_strtoull(value, &end, 0);
		if (!g_ascii_isdigit(value[0]) || *end || port > DEBUG_EXIT_MAX)
			return ringside_usage(
				err,
				"--debug-exit=%s: it takes an I/O port, 0 to 0x%x, or "
				"nothing for 0x%x",
				value, DEBUG_EXIT_MAX, DEBUG_EXIT_PORT);
	}
	p->cfg->debug_exit = (int)port;
	return true;
}

static bool set_check(struct parse *p, const struct option *o, const char *value, GError **err)
{
	(void)o;
	if (!value || strcmp(value, "help") != 0)
		return check_config_parse(&p->cfg->check, value, err);
	g_free(p->text);
	p->text = cli_check_text();
	return true;
}

static bool set_sandbox(struct parse *p, const struct option *o, const char *value, GError **err)
{
	(void)o;
	if (strcmp(value, "help") == 0) {
		g_free(p->text);
		p->text = cli_sandbox_text();
		return true;
	}
	if (sandbox_find_level(value, &p->cfg->sandbox))
		return true;
	return ringside_usage(err, "--sandbox %s: it takes on, strict, off or help", value);
}

/*
 * --device, its help and its shorthands.
 */
static struct machine_device *add_device(struct parse *p, char *spec, char *given)
{
	struct machine_device *d = g_new0(struct machine_device, 1);

	d->spec = spec;
	d->given = given;
	g_ptr_array_add(p->cfg->devices, d);
	return d;
}

/* TAG=DIR, or TAG=DIR,ro. */
static bool set_share(struct parse *p, const struct option *o, const char *value, GError **err)
{
	const char *dir = strchr(value, '=');
	g_autofree char *tag = g_strndup(value, dir ? (size_t)(dir - value) : 0);
	bool read_only = g_str_has_suffix(value, SHARE_READ_ONLY);
	g_autofree char *path = NULL;
	struct machine_device *d;

	(void)o;
	if (!dir || !*tag || strchr(tag, ',') || !dir[1])
		return ringside_usage(err,
				      "--share %s: it takes TAG=DIR, for mount -t virtiofs TAG in "
				      "the guest; TAG=DIR" SHARE_READ_ONLY " cannot be written to",
				      value);
	path = g_strndup(dir + 1, strlen(dir + 1) - (read_only ? strlen(SHARE_READ_ONLY) : 0));
	d = add_device(p, g_strdup_printf("vhost-user,type=fs,tag=%s", tag),
		       g_strdup_printf("--share %s", value));
	d->share = g_canonicalize_filename(path, NULL);
	d->share_read_only = read_only;
	return true;
}

static bool has_help(GPtrArray *pairs)
{
	for (guint i = 0; i < pairs->len; i++) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (strcmp(pair->key, "help") == 0 && !pair->value)
			return true;
	}
	return false;
}

static bool set_device(struct parse *p, const struct option *o, const char *value, GError **err)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(value, &name);
	const struct vdev_class *class;

	(void)o;
	if (name && strcmp(name, "help") == 0) {
		g_free(p->text);
		p->text = cli_devices_text();
		return true;
	}
	if (!name || !has_help(pairs)) {
		add_device(p, g_strdup(value), NULL);
		return true;
	}
	class = vdev_class_find(name);
	if (!class)
		return habit_unknown_device(name, err);
	g_free(p->text);
	p->text = cli_device_text(class);
	return true;
}

static bool set_shorthand(struct parse *p, const struct option *o, const char *value, GError **err)
{
	static const struct {
		const char *option, *before;
		const char *keys[5]; /* that somebody may write out */
	} shorthands[] = {
		{ "disk", "blk,path=", { "path=", "file=" } },
		{ "net", "net,backend=", { "backend=", "type=", "mode=" } },
		{ "console", "console,chr=", { "chr=", "path=" } },
	};

	if (!*value)
		return ringside_usage(err, "--%s: is empty; it takes %s", o->name, o->arg);
	for (size_t i = 0; i < G_N_ELEMENTS(shorthands); i++) {
		if (strcmp(shorthands[i].option, o->name) != 0)
			continue;
		for (const char *const *key = shorthands[i].keys; *key; key++)
			if (g_str_has_prefix(value, *key))
				return ringside_usage(
					err, "--%s %s: it begins with the value: --%s %s", o->name,
					value, o->name, value + strlen(*key));
		add_device(p, g_strconcat(shorthands[i].before, value, NULL),
			   g_strdup_printf("--%s %s", o->name, value));
	}
	return true;
}

static bool set_help(struct parse *p, const struct option *o, const char *value, GError **err)
{
	p->help = true;
	return no_value(o, value, err);
}

#define AT(member) offsetof(struct machine_config, member)

static const struct option options[] = {
	{ "kernel", 'k', "FILE", "bzImage, ELF or multiboot kernel (this or --firmware)", set_text,
	  AT(kernel) },
	{ "firmware", 0, "FILE", "image that boots from a disk or the net: SeaBIOS", set_text,
	  AT(firmware) },
	{ "initrd", 'i', "FILE", "initial RAM disk; several: one behind the other", set_initrd, 0 },
	{ "initrd-dir", 0, "DIR", "one made of a folder", set_initrd_dir, 0 },
	{ "protocol", 0, "NAME",
	  "how the kernel is entered: linux, pvh, multiboot2, multiboot [what it offers]",
	  set_protocol, AT(protocol) },
	{ "append", 'a', "WORDS", "kernel command line [" CLI_APPEND_DEFAULT "]", set_append, 0 },
	{ "mmio-cmdline", 0, NULL, "append virtio_mmio.device= for each device on mmio", set_flag,
	  AT(mmio_cmdline) },
	{ "memory", 'm', "SIZE", "in MiB, or with K, M, G, T [256]; SIZE,shared=on: in a memfd",
	  set_memory, 0 },
	{ "cpus", 'c', "N", "processors, 1 to 64 [1]", set_cpus, 0 },
	{ "cpu", 0, "MODEL", "host[,-FEATURE...]; help lists [host]", set_cpu, AT(cpu) },
	{ "pc", 0, "KEYS", "a PC's relics, KEY=on|off,...; help lists", set_pc, 0 },
	{ "device", 'd', "SPEC", "NAME[,KEY=VALUE...]; help lists", set_device, 0 },
	{ "disk", 0, "FILE", "short for --device blk,path=FILE", set_shorthand, 0 },
	{ "net", 0, "KIND", "short for --device net,backend=KIND", set_shorthand, 0 },
	{ "console", 0, "STREAM", "short for --device console,chr=STREAM", set_shorthand, 0 },
	{ "share", 0, "TAG=DIR", "a folder, by virtiofsd; TAG=DIR,ro: read-only", set_share, 0 },
	{ "serial", 0, "STREAM", "serial port: see below [stdio]", set_text, AT(serial) },
	{ "name", 0, "NAME", "what query-name on the control socket answers", set_text, AT(name) },
	{ "debugcon", 0, "STREAM", "what the guest writes to port 0xe9 or 0x402", set_text,
	  AT(debugcon) },
	{ "debug-exit", 0, "[=PORT]", "the guest ends the run by a write there [0xf4]",
	  set_debug_exit, 0 },
	{ "control", 0, "unix:PATH", "control socket (JSON, as QMP)", set_text, AT(control) },
	{ "gdb", 0, "SOCKET", "GDB server: unix:PATH or tcp:[ADDRESS:]PORT", set_text, AT(gdb) },
	{ "paused", 0, NULL, "begin when control or GDB says continue", set_flag, AT(paused) },
	{ "check", 0, "[=WORDS]", "tell which rules the guest's drivers break; =help lists them",
	  set_check, 0 },
	{ "stats", 0, NULL, "print counters at the end", set_flag, AT(stats) },
	{ "record", 0, "FILE", "what happens to devices: FILE[,payload=none|digest|head=N|all]",
	  set_text, AT(record) },
	{ "symbols", 0, "FILE", "an ELF file that names the guest's addresses (vmlinux)", set_text,
	  AT(symbols) },
	{ "no-reboot", 0, NULL, "end when the guest reboots", set_flag, AT(no_reboot) },
	{ "grace", 0, "SECONDS", "from the first SIGTERM to the end, or off [10]", set_grace, 0 },
	{ "sandbox", 0, "LEVEL", "on, strict, off; help tells [on]", set_sandbox, 0 },
	{ "help", 'h', NULL, "this help", set_help, 0 },
};

/* What GOption calls for each option: the row does the rest. */
static gboolean on_option(const char *name, const char *value, gpointer data, GError **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		const struct option *o = &options[i];

		if ((name[0] == '-' && name[1] == '-' && strcmp(name + 2, o->name) == 0) ||
		    (o->letter && name[1] == o->letter && !name[2]))
			return o->set(data, o, value, err);
	}
	return ringside_usage(err, "%s: unknown option", name);
}

static GOptionContext *make_context(struct parse *p)
{
	GOptionEntry entries[G_N_ELEMENTS(options) + 1] = { 0 };
	GOptionContext *context = g_option_context_new(NULL);
	GOptionGroup *group = g_option_group_new("run", NULL, NULL, p, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		entries[i] = (GOptionEntry){
			.long_name = options[i].name,
			.short_name = options[i].letter,
			.flags = G_OPTION_FLAG_FILENAME | /* bytes as they are */
				 (cli_takes_word(&options[i]) ? 0 : G_OPTION_FLAG_OPTIONAL_ARG),
			.arg = G_OPTION_ARG_CALLBACK,
			.arg_data = (gpointer)on_option,
			.description = options[i].help,
			.arg_description = options[i].arg,
		};
	g_option_group_add_entries(group, entries); /* copies them */
	g_option_context_set_main_group(context, group);
	g_option_context_set_help_enabled(context, FALSE);
	return context;
}

/*
 * The whole.
 */
/* Kernel and words are what the firmware's loader finds on a disk or the net. */
static bool check_firmware(const struct machine_config *cfg, GError **err)
{
	const char *wrong = cfg->kernel         ? "kernel"
			    : cfg->initrds->len ? "initrd"
			    : cfg->append       ? "append"
			    : cfg->protocol     ? "protocol"
			    : cfg->mmio_cmdline ? "mmio-cmdline"
						: NULL;

	return !wrong || ringside_usage(err,
					"--firmware: it loads what it boots from a disk or the "
					"net; leave out --firmware or --%s",
					wrong);
}

static bool complete(struct machine_config *cfg, GError **err)
{
	if (cfg->firmware)
		return check_firmware(cfg, err);
	if (!cfg->kernel)
		return ringside_usage(err, "--kernel: missing; give a bzImage or an ELF vmlinux "
					   "(ringside help)");
	if (!cfg->append)
		cfg->append = g_strdup(CLI_APPEND_DEFAULT);
	return true;
}

/* Takes from *args (and frees) what it understands. */
static bool parse_options(struct parse *p, char ***args, GError **err)
{
	g_autoptr(GOptionContext) context = make_context(p);

	return ringside_options(context, args, "ringside help lists all", err);
}

static bool parse_run(int argc, char *const *argv, struct parse *p, GError **err)
{
	g_auto(GStrv) args = g_new0(char *, (gsize)argc + 1);

	for (int i = 0; i < argc; i++)
		args[i] = g_strdup(argv[i]);
	if (!cli_check_words(options, G_N_ELEMENTS(options), args + 1, err) ||
	    !parse_options(p, &args, err))
		return false;
	if (p->help) {
		g_free(p->text);
		p->text = cli_help_text(options, G_N_ELEMENTS(options));
	}
	return p->text || complete(p->cfg, err);
}

/* ringside --device help: the options by themselves are good enough for help. */
static bool parse_bare(int argc, char *const *argv, struct parse *p, GError **err)
{
	if (!parse_run(argc, argv, p, err))
		return false;
	if (p->text)
		return true;
	return ringside_usage(err, "the command is missing: ringside run %s ...", argv[1]);
}

static bool parse_command(int argc, char *const *argv, struct parse *p, GError **err)
{
	const char *command = argc > 1 ? argv[1] : NULL;

	if (!command)
		return ringside_usage(err,
				      "the command is missing: ringside run, or ringside help");
	if (strcmp(command, "run") == 0)
		return parse_run(argc - 1, argv + 1, p, err);
	if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
		p->text = cli_version_text();
	else if (strcmp(command, "help") == 0)
		p->text = cli_help_text(options, G_N_ELEMENTS(options));
	else if (command[0] == '-')
		return parse_bare(argc, argv, p, err);
	else
		return ringside_usage(
			err, "'%s': unknown command; it takes run, bench, fuzz or help", command);
	return true;
}

bool cli_parse(int argc, char *const *argv, struct machine_config **ret_config, char **ret_text,
	       GError **err)
{
	struct parse p = { .cfg = machine_config_new() };

	if (!parse_command(argc, argv, &p, err)) {
		machine_config_free(p.cfg);
		g_free(p.text);
		return false;
	}
	if (p.text)
		g_clear_pointer(&p.cfg, machine_config_free);
	*ret_config = p.cfg;
	*ret_text = p.text;
	return true;
}
