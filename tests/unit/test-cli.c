/* The command line: what it makes of good arguments, and the one line it has for each bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "devices/base/prop.h"
#include "devices/registry.h"
#include "tools/cli/cli.h"
#include "vmm/machine/boot-files.h"
#include "vmm/machine/habits.h"

#define WORDS_MAX 32

/* Splits at blanks and parses "ringside ...". */
static bool parse(const char *line, struct machine_config **cfg, char **text, GError **err)
{
	g_autofree char *all = g_strconcat("ringside ", line, NULL);
	g_auto(GStrv) argv = g_strsplit(all, " ", WORDS_MAX);

	return cli_parse((int)g_strv_length(argv), argv, cfg, text, err);
}

static struct machine_config *config(const char *line)
{
	struct machine_config *cfg = NULL;
	GError *err = NULL;
	char *text = NULL;

	if (!parse(line, &cfg, &text, &err))
		fail_msg("%s: %s", line, err->message);
	assert_null(text);
	assert_non_null(cfg);
	return cfg;
}

static void refused(const char *line, const char *says)
{
	struct machine_config *cfg;
	GError *err = NULL;
	char *text;

	assert_false(parse(line, &cfg, &text, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, says))
		fail_msg("'%s' says '%s', not '%s'", line, err->message, says);
	assert_null(strchr(err->message, '\n'));
	g_error_free(err);
}

static const char *spec(const struct machine_config *cfg, guint i)
{
	const struct machine_device *d;

	assert_true(i < cfg->devices->len);
	d = g_ptr_array_index(cfg->devices, i);
	return d->spec;
}

static const struct boot_initrd *initrd(const struct machine_config *cfg, guint i)
{
	assert_true(i < cfg->initrds->len);
	return g_ptr_array_index(cfg->initrds, i);
}

static void initrds_keep_their_order_and_their_words(void **state)
{
	struct machine_config *cfg = config("run -k k --initrd a --initrd-dir d "
					    "-i b,args=x,args=y -i c,args= --protocol pvh");

	(void)state;
	assert_string_equal(cfg->protocol, "pvh");
	assert_int_equal(cfg->initrds->len, 4);
	assert_string_equal(initrd(cfg, 0)->path, "a");
	assert_null(initrd(cfg, 0)->words);
	assert_false(initrd(cfg, 0)->folder);
	assert_string_equal(initrd(cfg, 1)->path, "d");
	assert_true(initrd(cfg, 1)->folder);
	assert_string_equal(initrd(cfg, 2)->path, "b");
	assert_string_equal(initrd(cfg, 2)->words, "x,args=y");
	assert_string_equal(initrd(cfg, 3)->words, "");
	machine_config_free(cfg);
	refused("run -k k --protocol efi",
		"--protocol efi: not known; it takes linux, pvh, multiboot2, multiboot");
	refused("run -k k --initrd=", "--initrd: is empty; it takes FILE");
	refused("run -k k --initrd ,args=x", "--initrd: is empty");
	refused("run -k k --initrd-dir=", "--initrd-dir: is empty; it takes DIR");
}

static void defaults(void **state)
{
	struct machine_config *cfg = config("run --kernel k");

	(void)state;
	assert_string_equal(cfg->kernel, "k");
	assert_string_equal(cfg->append, "console=ttyS0");
	assert_int_equal(cfg->memory, 256u << 20);
	assert_int_equal(cfg->cpus, 1);
	assert_int_equal(cfg->devices->len, 0);
	assert_int_equal(cfg->initrds->len, 0);
	assert_null(cfg->cpu);
	assert_null(cfg->serial);
	assert_null(cfg->control);
	assert_false(cfg->stats);
	assert_false(cfg->no_reboot);
	assert_int_equal(cfg->sandbox, SANDBOX_DEFAULT);
	assert_int_equal(cfg->grace, 10);
	assert_true(cfg->pc.pit);
	assert_true(cfg->pc.rtc);
	machine_config_free(cfg);
}

static void every_option_arrives(void **state)
{
	struct machine_config *cfg = config(
		"run -k k -i i -a a=1 -m 1G -c 4 --cpu host,-avx "
		"--control unix:/c --serial none --debugcon null --record r,payload=all --stats --no-reboot");

	(void)state;
	assert_string_equal(cfg->kernel, "k");
	assert_string_equal(initrd(cfg, 0)->path, "i");
	assert_string_equal(cfg->append, "a=1");
	assert_int_equal(cfg->memory, 1u << 30);
	assert_int_equal(cfg->cpus, 4);
	assert_string_equal(cfg->cpu, "host,-avx");
	assert_string_equal(cfg->control, "unix:/c");
	assert_string_equal(cfg->serial, "none");
	assert_string_equal(cfg->debugcon, "null");
	assert_string_equal(cfg->record, "r,payload=all");
	assert_true(cfg->stats);
	assert_true(cfg->no_reboot);
	machine_config_free(cfg);
}

static void grace_is_a_time_or_none(void **state)
{
	struct machine_config *cfg = config("run -k k --grace 3");

	(void)state;
	assert_int_equal(cfg->grace, 3);
	machine_config_free(cfg);
	cfg = config("run -k k --grace 0");
	assert_int_equal(cfg->grace, 0);
	machine_config_free(cfg);
	cfg = config("run -k k --grace off");
	assert_int_equal(cfg->grace, -1);
	machine_config_free(cfg);
	refused("run -k k --grace soon", "--grace soon: it takes seconds");
	refused("run -k k --grace -1", "--grace -1: it takes seconds");
	refused("run -k k --grace 1000000", "0 to 86400");
}

static void given_twice_devices_and_words_add_up_and_else_the_last_holds(void **state)
{
	struct machine_config *cfg = config("run -k a --kernel=b --append x --append y -d rng "
					    "--disk f,ro --device rng --net user --console pty");

	(void)state;
	assert_string_equal(cfg->kernel, "b");
	assert_string_equal(cfg->append, "x y");
	assert_int_equal(cfg->devices->len, 5);
	assert_string_equal(spec(cfg, 0), "rng");
	assert_string_equal(spec(cfg, 1), "blk,path=f,ro");
	assert_string_equal(spec(cfg, 2), "rng");
	assert_string_equal(spec(cfg, 3), "net,backend=user");
	assert_string_equal(spec(cfg, 4), "console,chr=pty");
	machine_config_free(cfg);
}

static void a_share_is_a_folder_and_its_tag(void **state)
{
	struct machine_config *cfg = config("run -k k --share a=/x/../y --share b.c=/z=,ro");
	const struct machine_device *d;

	(void)state;
	assert_string_equal(spec(cfg, 0), "vhost-user,type=fs,tag=a");
	d = g_ptr_array_index(cfg->devices, 0);
	assert_string_equal(d->share, "/y");
	assert_false(d->share_read_only);
	d = g_ptr_array_index(cfg->devices, 1);
	assert_string_equal(d->spec, "vhost-user,type=fs,tag=b.c");
	assert_string_equal(d->share, "/z=");
	assert_true(d->share_read_only);
	machine_config_free(cfg);
	refused("run -k k --share /srv", "--share /srv: it takes TAG=DIR");
	refused("run -k k --share =/srv", "--share =/srv: it takes TAG=DIR");
	refused("run -k k --share a=", "--share a=: it takes TAG=DIR");
	refused("run -k k --share a,b=c", "--share a,b=c: it takes TAG=DIR");
}

static void memory_counts_mib_unless_it_says_otherwise(void **state)
{
	static const struct {
		const char *line;
		uint64_t bytes;
	} cases[] = {
		{ "run -k k -m 512", 512ull << 20 }, { "run -k k -m 512M", 512ull << 20 },
		{ "run -k k -m 8192K", 8ull << 20 }, { "run -k k -m 6G", 6ull << 30 },
		{ "run -k k -m 2", 2ull << 20 },     { "run -k k -m 1T", 1ull << 40 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct machine_config *cfg = config(cases[i].line);

		assert_int_equal(cfg->memory, cases[i].bytes);
		assert_false(cfg->memory_shared);
		machine_config_free(cfg);
	}
}

static void memory_may_be_shared(void **state)
{
	struct machine_config *cfg = config("run -k k -m 512,shared=on");

	(void)state;
	assert_int_equal(cfg->memory, 512u << 20);
	assert_true(cfg->memory_shared);
	machine_config_free(cfg);
}

static void bad_arguments_get_one_line_each(void **state)
{
	(void)state;
	refused("run", "--kernel: missing");
	refused("fly", "'fly': unknown command");
	refused("run -k k --frobnicate", "--frobnicate");
	refused("run -k k extra", "'extra': not an option");
	refused("run -k", "-k");
	refused("run -k k --memory", "--memory");
	refused("run -k k -m much", "--memory much: not a size");
	refused("run -k k -m 1", "--memory 1: too small");
	refused("run -k k -m 0", "--memory 0: too small");
	refused("run -k k -m 2049K", "--memory 2049K: not a multiple of 4K");
	refused("run -k k -m 2T", "--memory 2T: too much");
	refused("run -k k -m 1G,shared=maybe",
		"--memory 1G,shared=maybe: not valid; it takes on or off");
	refused("run -k k -m 1G,share", "--memory 1G,share: not known; it takes shared=on");
	refused("run -k k -m size=1G", "--memory size=1G: not a size");
	refused("run -k k -m -5", "--memory -5: not a size");
	refused("run -k k -c 0", "--cpus 0: it takes a number from 1 to 64");
	refused("run -k k -c 65", "--cpus 65");
	refused("run -k k -c two", "--cpus two");
	refused("run -k k --device nope,help", "--device nope: unknown device");
	refused("run --kernel=", "--kernel: is empty");
	refused("run -k k --sandbox lax", "--sandbox lax: it takes on, strict, off or help");
	refused("run -k k --sandbox=", "--sandbox : it takes");
	refused("run -k k --stats=off", "--stats=off: takes no value");
	refused("run -k k --no-reboot=no", "--no-reboot=no: takes no value");
	refused("run --help=all", "--help=all: takes no value");
	refused("run -k k --stats=\xf8", "takes no value"); /* no character of any locale's */
	refused("-k k", "the command is missing");
	refused("fly", "run, bench, fuzz or help");
	refused("run vmlinux",
		"'vmlinux': not an option, nor the value of one: a kernel is --kernel");
	refused("run -k k --stats yes", "'yes': not an option");
	refused("run -k k -- x", "'--': not an option");
	refused("run -k", "-k: its argument is missing");
	refused("run -k k --device", "--device: its argument is missing");
	refused("run --kernal k", "--kernal: unknown option; did you mean --kernel?");
	refused("run -k k -z", "-z: unknown option (");
	refused("run -k k --zebra=5", "--zebra=5: unknown option (");
	refused("run -k k --disk file=x", "--disk file=x: it begins with the value: --disk x");
	refused("run -k k --net type=tap", "--net type=tap: it begins with the value: --net tap");
}

/* One dash, or a value that is no word of its own: GOption would take -cpu for -c pu. */
static void a_long_option_with_one_dash_is_told_of_the_other(void **state)
{
	(void)state;
	refused("run -kernel k", "-kernel: long options take two dashes: --kernel FILE");
	refused("-kernel k", "-kernel: long options take two dashes: --kernel FILE");
	refused("run -k k -cpu host", "-cpu: long options take two dashes: --cpu MODEL");
	refused("run -k k -append x", "-append: long options take two dashes");
	refused("run -k k -initrd x", "-initrd: long options take two dashes");
	refused("run -k k -serial stdio", "-serial: long options take two dashes");
	refused("run -k k -device rng", "-device: long options take two dashes");
	refused("run -k k -no-reboot", "-no-reboot: long options take two dashes: --no-reboot");
	refused("run -k k -m1G", "-m1G: the value is a separate argument: -m 1G");
	refused("run -k k -c=2", "-c=2: the value is a separate argument: -c 2");
	refused("run -k k -a=-x", "-a=-x: the value is a separate argument: -a -x");
}

/* What other monitors call it: the answer is what it is called here. */
static void habits_are_answered(void **state)
{
	static const struct {
		const char *line, *here;
	} rows[] = {
		{ "-smp 2", "--cpus N" },
		{ "--smp 2", "--cpus N" },
		{ "--smp=2", "--cpus N" },
		{ "--mem 1G", "--memory SIZE" },
		{ "--bios x", "--firmware FILE" },
		{ "-bios x", "--firmware FILE" },
		{ "-nographic", "the serial port is the terminal" },
		{ "-display none", "the serial port is the terminal" },
		{ "-drive file=x,if=virtio", "--disk FILE, or --device blk,path=FILE" },
		{ "-hda x", "--disk FILE" },
		{ "-netdev user,id=n", "--net KIND" },
		{ "-nic user", "--net KIND" },
		{ "-qmp unix:x", "--control unix:PATH" },
		{ "-monitor none", "--control unix:PATH" },
		{ "-enable-kvm", "leave it out" },
		{ "-machine q35", "leave it out" },
		{ "-M q35", "leave it out" },
		{ "-s", "no debugger" },
		{ "--params x", "--append WORDS" },
		{ "--cmdline x", "--append WORDS" },
		{ "--initramfs x", "--initrd FILE" },
		{ "--network mode=tap", "--net KIND" },
		{ "--rng", "--device NAME" },
		{ "--api-sock x", "--control unix:PATH" },
		{ "--no-seccomp", "--sandbox LEVEL" },
		{ "--virtio-transport mmio", "transport=pci|mmio" },
		{ "--device virtio-rng-pci,help", "did you mean --device rng?" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strconcat("run -k k ", rows[i].line, NULL);
		g_auto(GStrv) words = g_strsplit(rows[i].line, " ", 2);

		refused(line, words[0]); /* as it was given */
		refused(line, rows[i].here);
	}
}

static void devices_of_others_are_answered(void **state)
{
	static const struct {
		const char *name, *here;
	} rows[] = {
		{ "virtio-blk-pci", "did you mean --device blk?" },
		{ "virtio-blk-device", "did you mean --device blk,transport=mmio?" },
		{ "virtio-net-pci-non-transitional", "did you mean --device net?" },
		{ "virtio-serial", "did you mean --device console?" },
		{ "virtio-tablet-pci", "did you mean --device input,type=tablet?" },
		{ "consol", "did you mean --device console?" },
		{ "disk.img", "a disk is --disk FILE" },
		{ "./disk", "a disk is --disk FILE" },
		{ "isa-debug-exit", "it is the option --debug-exit[=PORT]" },
		{ "isa-debugcon", "it is the option --debugcon STREAM" },
		{ "gpu", "unknown device; --device help lists them" },
		{ "", "unknown device; --device help lists them" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) err = NULL;

		assert_false(habit_unknown_device(rows[i].name, &err));
		assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
		if (!strstr(err->message, rows[i].here))
			fail_msg("%s: %s", rows[i].name, err->message);
	}
}

/* No hint takes an option for unknown that there is. */
static void values_that_look_like_options_stay_values(void **state)
{
	struct machine_config *cfg = config("run -k k -a -smp --append --bios -i -initrd");

	(void)state;
	assert_string_equal(cfg->append, "-smp --bios");
	assert_string_equal(initrd(cfg, 0)->path, "-initrd");
	machine_config_free(cfg);
}

static char *text_of(const char *line)
{
	struct machine_config *cfg;
	char *text = NULL;
	GError *err = NULL;

	if (!parse(line, &cfg, &text, &err))
		fail_msg("%s: %s", line, err->message);
	assert_null(cfg);
	assert_non_null(text);
	return text;
}

static void assert_fits_80_columns(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **l = lines; *l; l++)
		if (strlen(*l) > 80)
			fail_msg("%zu columns: %s", strlen(*l), *l);
	assert_true(g_str_has_suffix(text, "\n"));
}

static void help_fits_the_terminal(void **state)
{
	static const char *const lines[] = { "help",          "run --help",     "-h",
					     "run -h -m 64",  "--device help",  "run --device help",
					     "--cpu help",    "run --cpu help", "--version",
					     "--sandbox help" };
	const struct vdev_class *class;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *text = text_of(lines[i]);

		assert_fits_80_columns(text);
	}
	for (unsigned i = 0; (class = vdev_class_nth(i)); i++) {
		g_autofree char *line = g_strdup_printf("run --device %s,help", class->name);
		g_autofree char *text = text_of(line);

		assert_fits_80_columns(text);
		assert_non_null(strstr(text, "transport="));
		assert_non_null(strstr(text, "id="));
		assert_non_null(strstr(text, "queue-size=32768")); /* and how much memory */
	}
}

static void help_tells_every_exit_status_and_device(void **state)
{
	g_autofree char *help = text_of("help"), *devices = text_of("--device help");
	const struct vdev_class *class;

	(void)state;
	for (int end = MACHINE_POWEROFF; end < MACHINE_DEBUG_EXIT; end++) {
		g_autofree char *row = g_strdup_printf("\n  %d  ",
						       (int)cli_status((enum machine_end)end));

		assert_non_null(strstr(help, row));
	}
	assert_non_null(strstr(help, "(V << 1 | 1) & 255"));
	for (unsigned i = 0; (class = vdev_class_nth(i)); i++)
		assert_non_null(strstr(devices, class->name));
}

static void each_level_of_the_sandbox_can_be_had(void **state)
{
	g_autofree char *help = text_of("run --sandbox help");

	(void)state;
	for (unsigned i = 0; i < N_SANDBOX_LEVELS; i++) {
		g_autofree char *line = g_strdup_printf("run -k k --sandbox %s",
							sandbox_levels[i].name);
		g_autofree char *row = g_strdup_printf("\n  %s ", sandbox_levels[i].name);
		struct machine_config *cfg = config(line);

		assert_int_equal(cfg->sandbox, i);
		assert_non_null(strstr(help, row));
		machine_config_free(cfg);
	}
}

static void each_end_has_a_status_of_its_own(void **state)
{
	(void)state;
	for (int a = MACHINE_POWEROFF; a < MACHINE_DEBUG_EXIT; a++) {
		assert_int_not_equal(cli_status((enum machine_end)a), CLI_USAGE);
		for (int b = a + 1; b < MACHINE_DEBUG_EXIT; b++)
			assert_int_not_equal(cli_status((enum machine_end)a),
					     cli_status((enum machine_end)b));
	}
	assert_int_equal(cli_status(MACHINE_POWEROFF), 0);
	assert_int_equal(cli_debug_status(0), 1);
	assert_int_equal(cli_debug_status(0x10), 33);
	assert_int_equal(cli_debug_status(0x80000080), 1); /* of 8 bits */
}

static void the_debug_exit_port_can_be_chosen(void **state)
{
	static const struct {
		const char *line;
		int port;
	} rows[] = {
		{ "run -k k", -1 },
		{ "run -k k --debug-exit", 0xf4 },
		{ "run --debug-exit -k k", 0xf4 },
		{ "run -k k --debug-exit=0x501", 0x501 },
		{ "run -k k --debug-exit=1281", 0x501 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct machine_config *cfg = config(rows[i].line);

		assert_int_equal(cfg->debug_exit, rows[i].port);
		machine_config_free(cfg);
	}
	refused("run -k k --debug-exit=", "--debug-exit=: it takes an I/O port");
	refused("run -k k --debug-exit=f4", "--debug-exit=f4: it takes an I/O port");
	refused("run -k k --debug-exit=0xc000", "0 to 0xbffc, or nothing for 0xf4");
	refused("run -k k --debug-exit=-1", "--debug-exit=-1: it takes");
	refused("run -k k --debug-exit 0xf4", "'0xf4': not an option");
	refused("run -k k -debug-exit",
		"-debug-exit: long options take two dashes: --debug-exit[=PORT]");
}

static void relics_of_a_pc_can_be_left_out(void **state)
{
	struct machine_config *cfg = config("run -k k --pc rtc=off");
	g_autofree char *help = text_of("run --pc help");

	(void)state;
	assert_true(cfg->pc.pit);
	assert_false(cfg->pc.rtc);
	machine_config_free(cfg);
	cfg = config("run -k k --pc pit=off,rtc=on");
	assert_false(cfg->pc.pit);
	assert_true(cfg->pc.rtc);
	machine_config_free(cfg);
	for (const struct prop *row = machine_pc_props; row->key; row++)
		assert_non_null(strstr(help, row->key));
	refused("run -k k --pc pit", "--pc pit: it takes KEY=on|off");
	refused("run -k k --pc pit=maybe", "--pc,pit=maybe: not valid; it takes on or off");
	refused("run -k k --pc pti=on", "--pc: unknown key 'pti'; did you mean 'pit'?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(initrds_keep_their_order_and_their_words),
		cmocka_unit_test(every_option_arrives),
		cmocka_unit_test(grace_is_a_time_or_none),
		cmocka_unit_test(given_twice_devices_and_words_add_up_and_else_the_last_holds),
		cmocka_unit_test(a_share_is_a_folder_and_its_tag),
		cmocka_unit_test(memory_counts_mib_unless_it_says_otherwise),
		cmocka_unit_test(memory_may_be_shared),
		cmocka_unit_test(bad_arguments_get_one_line_each),
		cmocka_unit_test(a_long_option_with_one_dash_is_told_of_the_other),
		cmocka_unit_test(habits_are_answered),
		cmocka_unit_test(relics_of_a_pc_can_be_left_out),
		cmocka_unit_test(the_debug_exit_port_can_be_chosen),
		cmocka_unit_test(devices_of_others_are_answered),
		cmocka_unit_test(values_that_look_like_options_stay_values),
		cmocka_unit_test(help_fits_the_terminal),
		cmocka_unit_test(help_tells_every_exit_status_and_device),
		cmocka_unit_test(each_level_of_the_sandbox_can_be_had),
		cmocka_unit_test(each_end_has_a_status_of_its_own),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
