/*
 * The texts that tell an operator what the command line takes. All of them fit 80 columns.
 */
#include "tools/cli/cli-int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/backend/chr/chr.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "transport/registry.h"
#include "vmm/control/control.h"
#include "vmm/machine/arch.h"
#include "vmm/machine/machine-int.h"

#define HELP_WIDTH 80u

/*
 * Exit statuses.
 */
static const struct {
	enum machine_end end;
	enum cli_status status;
	const char *text;
} statuses[] = {
	{ MACHINE_POWEROFF, CLI_POWEROFF, "the guest powered off" },
	{ MACHINE_HOST_ERROR, CLI_HOST_ERROR, "host error (no memory, an error of KVM's, ...)" },
	{ N_MACHINE_ENDS, CLI_USAGE, "usage error: an option is wrong or cannot be met" },
	{ MACHINE_PANIC, CLI_PANIC,
	  "the guest's kernel panicked (its panic device or console says so)" },
	{ MACHINE_TRIPLE_FAULT, CLI_TRIPLE_FAULT, "the guest's processor shut down: triple fault" },
	{ MACHINE_KVM_ERROR, CLI_KVM_ERROR, "KVM error: it cannot run the guest any further" },
	{ MACHINE_REBOOT, CLI_REBOOT, "the guest rebooted, with --no-reboot" },
	{ MACHINE_QUIT, CLI_QUIT, "terminated: Ctrl-A x, quit on the control socket, SIGTERM" },
	{ MACHINE_VIOLATION, CLI_VIOLATION, "a driver broke a rule, with --check=fatal" },
};

enum cli_status cli_status(enum machine_end end)
{
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (statuses[i].end == end)
			return statuses[i].status;
	return CLI_HOST_ERROR;
}

/* The lowest 8 bits are what a process can have. */
int cli_debug_status(uint32_t value)
{
	return (int)((value << 1 | 1) & 0xff);
}

char *cli_check_text(void)
{
	GString *out = g_string_new(
		"--check[=WORD,...]: each virtio driver is judged by the specification's rules.\n");
	struct check_rule_info r;

	g_string_append(out, check_help);
	g_string_append(out, "Rules, by what they are about, and their clauses:\n");
	for (unsigned i = 0; check_rule_nth(i, &r); i++)
		if (r.name)
			g_string_append_printf(out, "  %-8s %-24s %s\n", r.group, r.name,
					       r.clauses ? r.clauses : r.section);
	return g_string_free(out, FALSE);
}

char *cli_cpu_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	char *ret;

	if (!f)
		g_error("no memory");
	arch_print_cpu_help(f);
	fclose(f);
	ret = g_strdup(text);
	free(text);
	return ret;
}

/* A row of two columns, the second one wrapped. */
static void add_row(GString *out, const char *left, const char *right, unsigned column)
{
	g_auto(GStrv) words = g_strsplit(right, " ", -1);
	size_t at = column;

	g_string_append_printf(out, "  %-*s", (int)column - 2, left);
	for (char **w = words; *w; w++) {
		if (w != words && at + 1 + strlen(*w) > HELP_WIDTH) {
			g_string_append_printf(out, "\n%*s", (int)column, "");
			at = column;
		} else if (w != words) {
			g_string_append_c(out, ' ');
			at++;
		}
		g_string_append(out, *w);
		at += strlen(*w);
	}
	g_string_append_c(out, '\n');
}

char *cli_pc_text(void)
{
	g_autofree char *rows = prop_help(machine_pc_props, HELP_WIDTH);

	return g_strconcat(
		"--pc KEY=on|off,...: what of a PC's past the guest finds. Always there are "
		"the\n8259s (in KVM), and the ways to reset of ports 0x64, 0x92 and 0xcf9.\n",
		rows, NULL);
}

char *cli_sandbox_text(void)
{
	GString *out = g_string_new("Levels of --sandbox, and what the process gives up before the "
				    "guest runs:\n");

	for (unsigned i = 0; i < N_SANDBOX_LEVELS; i++)
		add_row(out, sandbox_levels[i].name, sandbox_levels[i].text, 11);
	return g_string_free(out, FALSE);
}

char *cli_devices_text(void)
{
	GString *out = g_string_new("Devices (--device NAME,help lists a device's keys):\n");
	const struct vdev_class *class;

	for (unsigned i = 0; (class = vdev_class_nth(i)); i++)
		add_row(out, class->name, class->summary, 13);
	return g_string_free(out, FALSE);
}

static void add_features(GString *out, const struct vdev_class *class)
{
	static const char *const left[] = {
		[VDEV_NAMES_OWN] = "of the device",
		[VDEV_NAMES_ON] = "offered",
		[VDEV_NAMES_MAY] = "on request",
	};

	g_string_append(out, "Feature bits for features=, which -NAME removes and +NAME adds:\n");
	for (unsigned i = 0; i < G_N_ELEMENTS(left); i++) {
		g_autofree char *names = vdev_feature_names(class, i);

		if (names)
			add_row(out, left[i], names, 22);
	}
}

/* What vdev_memory_max() adds up, at the least and at the most that queue-size= can ask for. */
static void add_memory(GString *out, const struct vdev_class *class)
{
	const unsigned sizes[] = { class->queue_size, VRING_QUEUE_SIZE_MAX };

	g_string_append(out,
			"Host memory that a guest can make each queue use, besides its own:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *left = g_strdup_printf("queue-size=%u", sizes[i]);
		g_autofree char *most = g_format_size_full(
			vq_memory_max(sizes[i], class->request_size), G_FORMAT_SIZE_IEC_UNITS);
		g_autofree char *text = g_strdup_printf("at most %s%s", most,
							i == 0 ? " (the default size)" : "");

		add_row(out, left, text, 22);
	}
}

static void add_transports(GString *out)
{
	const struct transport *t;

	for (unsigned i = 0; (t = transport_nth(i)); i++) {
		g_autofree char *own = prop_help(t->props, HELP_WIDTH);

		g_string_append_printf(out, "With transport=%s (%s):\n%s", t->name, t->summary,
				       own);
	}
}

char *cli_device_text(const struct vdev_class *class)
{
	GString *out = g_string_new(NULL);
	g_autofree char *own = class->props ? prop_help(class->props, HELP_WIDTH) : NULL;
	g_autofree char *common = prop_help(vdev_common_props, HELP_WIDTH);
	g_autofree char *place = prop_help(machine_device_props, HELP_WIDTH);

	g_string_append_printf(out, "--device %s[,KEY=VALUE...]\n%s\n", class->name,
			       class->summary);
	g_string_append_printf(out, "%sEvery device:\n%s%s", own ? own : "", common, place);
	if (class->help) {
		g_autofree char *more = class->help(HELP_WIDTH);

		g_string_append(out, more);
	}
	add_transports(out);
	add_features(out, class);
	add_memory(out, class);
	return g_string_free(out, FALSE);
}

char *cli_help_text(const struct option *options, size_t n)
{
	GString *out = g_string_new(
		"ringside: a KVM virtual machine monitor and virtio device lab\n"
		"\n"
		"  ringside run [OPTION...]   run a guest\n"
		"  ringside serve DEVICE      a device for other programs (--help for more)\n"
		"  ringside top PATH          what a machine's queues do, live (--help for more)\n"
		"  ringside trace FILE        what a record says (--record; --help for more)\n"
		"  ringside replay FILE       a record's drivers, once more, without a guest\n"
		"  ringside bench rings       measure the rings (--help for more)\n"
		"  ringside bench guest       the same from inside a guest\n"
		"  ringside fuzz replay FILE  tell what an input of the fuzzers does (make fuzz)\n"
		"  ringside fuzz vhost-user   attack a device behind a vhost-user socket\n"
		"  ringside help              this help\n"
		"  ringside --version         the version\n"
		"\n"
		"Options of run:\n");

	for (size_t i = 0; i < n; i++) {
		const struct option *o = &options[i];
		g_autofree char *letter = o->letter ? g_strdup_printf("-%c, ", o->letter) : NULL;
		g_autofree char *left = g_strdup_printf("%s--%s%s%s", letter ? letter : "    ",
							o->name, cli_takes_word(o) ? " " : "",
							o->arg ? o->arg : "");

		add_row(out, left, o->help, 29);
	}
	g_string_append(out, "\nSTREAM is none (serial port only), or one of\n"
			     "  " CHR_SPECS "\n"
			     "\nKeys, while standard input is a terminal: Ctrl-A x quits, "
			     "Ctrl-A h shows help,\nCtrl-A i registers, Ctrl-A b sends "
			     "the serial port a break (SysRq).\n"
			     "SIGTERM and SIGINT press the power button; a second one, or --grace "
			     "SECONDS\nlater, ends the guest.\n"
			     "\nExit status:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		g_string_append_printf(out, "  %d  %s\n", statuses[i].status, statuses[i].text);
	g_string_append(
		out, "  (V << 1 | 1) & 255, if the guest writes V to the port of --debug-exit\n");
	return g_string_free(out, FALSE);
}

char *cli_version_text(void)
{
	return g_strdup_printf("ringside %d.%d.%d\n", CONTROL_VERSION_MAJOR, CONTROL_VERSION_MINOR,
			       CONTROL_VERSION_MICRO);
}
