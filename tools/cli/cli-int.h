/* What cli.c (parsing) and help.c (texts) share. */
#pragma once

#include "tools/cli/cli.h"

#define CLI_APPEND_DEFAULT "console=ttyS0"

struct parse {
	struct machine_config *cfg;
	char *text; /* help was asked for */
	bool help;
};

struct option {
	const char *name;
	char letter;
	const char *arg; /* NULL: takes none; "[=PORT]": may be left out, and then follows '=' */
	const char *help;
	bool (*set)(struct parse *p, const struct option *o, const char *value, GError **err);
	size_t offset; /* of the field in struct machine_config, where set needs one */
};

/* Whether its value is a word of its own. */
static inline bool cli_takes_word(const struct option *o)
{
	return o->arg && o->arg[0] != '[';
}

/* words.c: whether all of @words (up to NULL) are options and their values, as far as their names
 * go. */
bool cli_check_words(const struct option *options, size_t n, char *const *words, GError **err);

/* Texts for standard output; free with g_free(). */
char *cli_help_text(const struct option *options, size_t n);
char *cli_version_text(void);
char *cli_cpu_text(void);
char *cli_pc_text(void);
char *cli_check_text(void);
char *cli_sandbox_text(void);
char *cli_devices_text(void);
char *cli_device_text(const struct vdev_class *class);
